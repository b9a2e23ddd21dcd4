/**
 * A pod whose volume cannot be mounted waits on its node for ever: the scheduler places a pod only once. While an instance
 * starts, such pods are deleted, so that they are recreated and placed again; seldom, because a mount may only be slow.
 */
import type { Effect } from "../model/plan.ts";
import type { Assessment } from "../model/assessment.ts";

const PAUSE_MS = 300_000;

/** Deletes stuck pods of a starting instance. */
export function planStuckMounts(world: Assessment): Effect[] {
  if (!retriesMounts(world)) return [];
  return (world.observed.stuckPods ?? []).flatMap(({ pod, message }): Effect[] => [
    { type: "deletePod", pod },
    {
      type: "event",
      about: world.instance,
      warning: true,
      reason: "StuckPodDeleted",
      note: `Deleting the pod, so that it is recreated and placed again. ${message}`,
    },
  ]);
}

/**
 * Whether stuck pods are deleted now. The time is written to the status before a pod is deleted, so a crash between the two
 * skips one attempt and never adds one.
 */
export function retriesMounts({ phase, status, observed, now }: Assessment): boolean {
  if (phase !== "Starting" || !observed.stuckPods?.length) return false;
  const last = Date.parse(status.lastMountRetryTime ?? "");
  return !(Math.abs(now - last) < PAUSE_MS); // an invalid time, or one in the future, delays nothing
}
