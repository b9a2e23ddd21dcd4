/** Whose turn it is among Jobs: one at a time works on the data of an instance. */
import { worksForUpstream } from "../instance/adoption.ts";
import { areEnding } from "../pods/ending_pods.ts";
import { readerOf } from "./copy/refresh_source.ts";
import type { World } from "../world.ts";

/**
 * Whether the Job must not be made yet: two must never work on one database, not even in the last seconds of a pod whose
 * Job is deleted already; one of operator 2.5.0 goes before; pods that the phase wants gone must be gone; and an upgrade
 * lets a refresh of another instance read to the end that said so before.
 */
export function mustWait(world: World): boolean {
  const isRead = world.status.operation?.kind === "OdooUpgradeJob" && readerOf(world) !== undefined;
  return isRead || isJobAtWork(world) || worksForUpstream(world) || areEnding(world);
}

/** Whether a Job of the instance works, or a pod of one that was deleted has not ended. */
export function isJobAtWork({ observed: { jobStates, jobsWithPods } }: World): boolean {
  return jobsWithPods.size > 0 || [...jobStates.values()].some(({ state }) => state === "active");
}
