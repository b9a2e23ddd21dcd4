/**
 * Webhooks that requests name are told of their end, those of instances of each change of phase. Whether that has been done
 * stands in the request (condition Notified), what is still to be told in the instance (status.untoldPhases), so a restarted
 * operator tells what it had not come to tell; ids repeat, so a receiver knows what it has heard before.
 */
import { type ConditionState, setCondition } from "../../kit/conditions.ts";
import type { Stored } from "../../kit/types.ts";
import type { JobRequest, Phase, UntoldPhase } from "../crd/mod.ts";
import { NOTIFIED, phaseNotification } from "../model/network/notification.ts";
import type { Effect } from "../model/plan.ts";
import { untold } from "../model/operations/requests.ts";
import { rfc3339 } from "../model/times.ts";
import type { Delivery, World } from "../model/world.ts";

/** More are not kept: whoever has missed so many must look at the instance anyway. */
const MOST_UNTOLD = 20;

type Told = Pick<ConditionState, "status" | "reason" | "message">;

/** In any phase: sends what has not been sent, and records how that ended. */
export function planNotifications(world: World): Effect[] {
  return world.observed.requests.flatMap((cr) => planNotification(world, cr));
}

function planNotification({ observed, now }: World, cr: Stored<JobRequest>): Effect[] {
  const notification = untold(cr);
  if (!notification) return [];
  const delivery = observed.deliveries?.get(notification.id);
  if (!delivery) return [{ type: "notify", notification }];
  const condition = { type: NOTIFIED, ...told(delivery) };
  const conditions = setCondition(cr.status?.conditions ?? [], condition, rfc3339(now));
  return [{ type: "jobStatus", cr, status: { ...cr.status, conditions } }];
}

function told(delivery: Delivery): Told {
  return delivery.ok
    ? { status: "True", reason: "Delivered", message: "The webhook has taken the notification" }
    : { status: "False", reason: delivery.reason, message: delivery.message };
}

/** The changes of phase that the instance's webhook has still to be told of, when it enters (or stays in) `phase`. */
export function untoldPhases(world: World, phase: Phase): readonly UntoldPhase[] {
  const { instance, now } = world;
  if (!instance.spec.webhook?.url) return [];
  const left = readableOf(world).filter((change) => !deliveryOf(world, change));
  const change = { phase, previousPhase: world.phase, time: rfc3339(now) };
  return (phase === world.phase ? left : [...left, change]).slice(-MOST_UNTOLD);
}

/** In any phase: sends what the instance's webhook has still to be told, as the status that is written before has it. */
export function planPhaseNotifications({ instance }: World, untold: readonly UntoldPhase[]): Effect[] {
  return untold.flatMap((change): Effect[] => {
    const notification = phaseNotification(instance, change);
    return notification ? [{ type: "notify", notification }] : [];
  });
}

/** How the telling of a change of phase ended, if the last of them has just ended. */
export function phaseTold(world: World): Told | undefined {
  const last = readableOf(world).flatMap((change) => deliveryOf(world, change) ?? []).at(-1);
  return last && told(last);
}

/** Without what somebody else has written there. */
function readableOf({ status }: World): readonly UntoldPhase[] {
  return (status.untoldPhases ?? []).filter(({ time }) => !Number.isNaN(Date.parse(time)));
}

function deliveryOf({ instance, observed }: World, change: UntoldPhase): Delivery | undefined {
  const notification = phaseNotification(instance, change);
  return notification && observed.deliveries?.get(notification.id);
}
