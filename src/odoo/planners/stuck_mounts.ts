/**
 * A pod whose volume cannot be mounted waits on its node for ever: the scheduler places a pod only once. While an instance
 * starts, such pods are deleted, so that they are recreated and placed again; seldom, because a mount may only be slow.
 */
import type { Effect } from "../model/plan.ts";
import type { Assessment } from "../model/assessment.ts";

/** Deletes stuck pods of a starting instance. */
export function planStuckMounts(world: Assessment): Effect[] {
  if (!world.facts.retriesMounts) return [];
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
