/** Mutual exclusion of Jobs: at most one works on the data of an instance at a time. */
import type { Assessed } from "../assessment.ts";
import type { World } from "../world.ts";

/**
 * Whether the Job must not be created yet. Two Jobs must never work on one database, not even during the termination of a pod
 * whose Job was deleted; a Job of operator 2.5.0 comes first; pods that the phase evicts must have ended; and an upgrade
 * waits for a refresh of another instance that reads this one.
 */
export function mustWait({ status, facts }: Assessed<"facts">): boolean {
  const isRead = status.operation?.kind === "OdooUpgradeJob" && facts.reader !== undefined;
  return isRead || facts.isJobRunning || facts.isUpstreamJobRunning || facts.arePodsEnding;
}

/** Whether a Job of the instance is active, or a pod of a deleted one has not ended. */
export function isJobRunning({ observed: { jobStates, jobsWithPods } }: World): boolean {
  return jobsWithPods.size > 0 || [...jobStates.values()].some(({ state }) => state === "active");
}
