/**
 * Webhooks of requests are notified of their end, those of instances of each change of phase. A request records this in the
 * condition Notified, an instance keeps what is still to be sent in its status, so a restarted operator sends what the former
 * one did not. The ids of notifications are stable, so a receiver recognises repetitions.
 */
import { type ConditionState, setCondition } from "../../kit/conditions.ts";
import { timestamp } from "../../kit/timestamp.ts";
import type { Stored } from "../../kit/types.ts";
import type { JobRequest, PendingNotification } from "../crd/mod.ts";
import { NOTIFIED, phaseNotification } from "../model/network/notification.ts";
import type { Effect } from "../model/plan.ts";
import { pendingNotification } from "../model/operations/request.ts";
import type { Assessment } from "../model/assessment.ts";
import type { Delivery } from "../model/world.ts";

/** The newest changes that are kept; a receiver that missed more must read the instance. */
const MOST_PENDING = 20;

type DeliveryState = Pick<ConditionState, "status" | "reason" | "message">;

/** In any phase: sends what has not been sent, and records how that ended. */
export function planNotifications(world: Assessment): Effect[] {
  return world.observed.requests.flatMap((cr) => planNotification(world, cr));
}

function planNotification({ observed, now }: Assessment, cr: Stored<JobRequest>): Effect[] {
  const notification = pendingNotification(cr);
  if (!notification) return [];
  const delivery = observed.deliveries?.get(notification.id);
  if (!delivery) return [{ type: "notify", notification }];
  const condition = { type: NOTIFIED, ...stateOf(delivery) };
  const conditions = setCondition(cr.status?.conditions ?? [], condition, timestamp(now));
  return [{ type: "jobStatus", cr, status: { ...cr.status, conditions } }];
}

function stateOf(delivery: Delivery): DeliveryState {
  return delivery.ok
    ? { status: "True", reason: "Delivered", message: "The webhook has taken the notification" }
    : { status: "False", reason: delivery.reason, message: delivery.message };
}

/** The changes of phase, with this decision's, that the instance's webhook has not received yet. */
export function pendingNotifications(world: Assessment): readonly PendingNotification[] {
  const { instance, now, nextPhase: phase } = world;
  if (!instance.spec.webhook?.url) return [];
  const left = readableOf(world).filter((change) => !deliveryOf(world, change));
  const change = { phase, previousPhase: world.phase, time: timestamp(now) };
  return (phase === world.phase ? left : [...left, change]).slice(-MOST_PENDING);
}

/** In any phase: sends the pending changes of phase, as the status that is written before records them. */
export function planPhaseNotifications({ instance }: Assessment, pending: readonly PendingNotification[]): Effect[] {
  return pending.flatMap((change): Effect[] => {
    const notification = phaseNotification(instance, change);
    return notification ? [{ type: "notify", notification }] : [];
  });
}

/** How the notification of the last change of phase ended, if it has just ended. */
export function phaseNotified(world: Assessment): DeliveryState | undefined {
  const last = readableOf(world).flatMap((change) => deliveryOf(world, change) ?? []).at(-1);
  return last && stateOf(last);
}

/** Without entries that another client has written and that cannot be read. */
function readableOf({ status }: Assessment): readonly PendingNotification[] {
  return (status.pendingNotifications ?? []).filter(({ time }) => !Number.isNaN(Date.parse(time)));
}

function deliveryOf({ instance, observed }: Assessment, change: PendingNotification): Delivery | undefined {
  const notification = phaseNotification(instance, change);
  return notification && observed.deliveries?.get(notification.id);
}
