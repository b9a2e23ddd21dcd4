/**
 * A pod whose volume cannot be mounted waits on its node for ever: the scheduler looks at it once only. While an instance
 * starts, such pods are deleted, so that they are made and placed anew; seldom, because a volume may just need its time.
 */
import type { Effect } from "../model/plan.ts";
import type { World } from "../model/world.ts";

const PAUSE_MS = 300_000;

/** Of a starting instance: pods that are given another chance. */
export function planStuckMounts(world: World): Effect[] {
  if (!retriesMounts(world)) return [];
  return (world.observed.stuckPods ?? []).flatMap(({ pod, message }): Effect[] => [
    { type: "deletePod", pod },
    {
      type: "event",
      about: world.instance,
      warning: true,
      reason: "StuckPodDeleted",
      note: `Deleting the pod, so that it gets another chance. ${message}`,
    },
  ]);
}

/**
 * Whether this is the time to do so. The time goes into the status before a pod is deleted, so a crash between the two costs
 * a chance, and never gives one too many.
 */
export function retriesMounts({ phase, status, observed, now }: World): boolean {
  if (phase !== "Starting" || !observed.stuckPods?.length) return false;
  const last = Date.parse(status.lastMountRetryTime ?? "");
  return !(Math.abs(now - last) < PAUSE_MS); // a time that is none, or far ahead, is in nobody's way
}
