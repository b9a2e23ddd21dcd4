/**
 * Webhooks that requests name are told of their end. Whether that has been done stands in the request (condition Notified),
 * so a restarted operator tells what it had not come to tell; ids repeat, so a receiver knows what it has heard before.
 */
import { setCondition } from "../../kit/conditions.ts";
import type { Stored } from "../../kit/types.ts";
import type { JobRequest } from "../crd/mod.ts";
import { NOTIFIED } from "../model/notification.ts";
import type { Effect } from "../model/plan.ts";
import { untold } from "../model/requests.ts";
import { rfc3339 } from "../model/times.ts";
import type { World } from "../model/world.ts";

/** In any phase: sends what has not been sent, and records how that ended. */
export function planNotifications(world: World): Effect[] {
  return world.observed.requests.flatMap((cr) => planNotification(world, cr));
}

function planNotification({ observed, now }: World, cr: Stored<JobRequest>): Effect[] {
  const notification = untold(cr);
  if (!notification) return [];
  const delivery = observed.deliveries?.get(notification.id);
  if (!delivery) return [{ type: "notify", notification }];
  const condition = delivery.ok
    ? { status: "True", reason: "Delivered", message: "The webhook has taken the notification" } as const
    : { status: "False", reason: delivery.reason, message: delivery.message } as const;
  const conditions = setCondition(cr.status?.conditions ?? [], { type: NOTIFIED, ...condition }, rfc3339(now));
  return [{ type: "jobStatus", cr, status: { ...cr.status, conditions } }];
}
