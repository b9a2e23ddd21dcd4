/**
 * Notifications: the webhook of a request receives its outcome, that of an instance each change of phase. The condition
 * Notified of the request and `status.pendingNotifications` of the instance record what has not been delivered yet, so
 * a restarted operator sends it. The id of a notification is the same at each attempt, so a receiver can drop repeats.
 */
import { type ConditionState, setCondition } from "../../kit/conditions.ts";
import { timestamp } from "../../kit/timestamp.ts";
import type { Stored } from "../../kit/types.ts";
import type { JobRequest, PendingNotification, Phase } from "../crd/mod.ts";
import { NOTIFIED, phaseNotification } from "../model/network/notification.ts";
import type { Effect } from "../model/plan.ts";
import { pendingNotificationOf } from "../model/operations/requests.ts";
import type { Delivery, World } from "../model/world.ts";

/** Most notifications that status keeps; the oldest are dropped, since a receiver that missed 20 must read the status. */
const MOST_PENDING = 20;

type DeliveryState = Pick<ConditionState, "status" | "reason" | "message">;

/** In any phase: sends what has not been sent, and records how that ended. */
export function planNotifications(world: World): Effect[] {
  return world.observed.requests.flatMap((cr) => planNotification(world, cr));
}

function planNotification({ observed, now }: World, cr: Stored<JobRequest>): Effect[] {
  const notification = pendingNotificationOf(cr);
  if (!notification) return [];
  const delivery = observed.deliveries?.get(notification.id);
  if (!delivery) return [{ type: "notify", notification }];
  const condition = { type: NOTIFIED, ...deliveryState(delivery) };
  const conditions = setCondition(cr.status?.conditions ?? [], condition, timestamp(now));
  return [{ type: "jobStatus", cr, status: { ...cr.status, conditions } }];
}

function deliveryState(delivery: Delivery): DeliveryState {
  return delivery.ok
    ? { status: "True", reason: "Delivered", message: "The webhook has taken the notification" }
    : { status: "False", reason: delivery.reason, message: delivery.message };
}

/** The changes of phase that are not yet reported to the instance's webhook, when it enters (or stays in) `phase`. */
export function pendingNotifications(world: World, phase: Phase): readonly PendingNotification[] {
  const { instance, now } = world;
  if (!instance.spec.webhook?.url) return [];
  const left = readableOf(world).filter((change) => !deliveryOf(world, change));
  const change = { phase, previousPhase: world.phase, time: timestamp(now) };
  return (phase === world.phase ? left : [...left, change]).slice(-MOST_PENDING);
}

/** In any phase: sends the pending notifications of the instance, as the status that is written before lists them. */
export function planPhaseNotifications({ instance }: World, pending: readonly PendingNotification[]): Effect[] {
  return pending.flatMap((change): Effect[] => {
    const notification = phaseNotification(instance, change);
    return notification ? [{ type: "notify", notification }] : [];
  });
}

/** The result of the last delivery of a change of phase, if one has just ended. */
export function phaseDelivery(world: World): DeliveryState | undefined {
  const last = readableOf(world).flatMap((change) => deliveryOf(world, change) ?? []).at(-1);
  return last && deliveryState(last);
}

/** Pending notifications with a readable time; another client may have written others into the status. */
function readableOf({ status }: World): readonly PendingNotification[] {
  return (status.pendingNotifications ?? []).filter(({ time }) => !Number.isNaN(Date.parse(time)));
}

function deliveryOf({ instance, observed }: World, change: PendingNotification): Delivery | undefined {
  const notification = phaseNotification(instance, change);
  return notification && observed.deliveries?.get(notification.id);
}
