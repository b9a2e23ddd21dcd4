/** The resolved spec as Kubernetes objects. No decisions here: what depends on the phase is a parameter. */
import type { KubeObject, Stored } from "../../kit/types.ts";
import type { ClusterAddress } from "../model/postgres/database.ts";
import type { Resolved } from "../model/resolve.ts";
import type { Observed } from "../model/world.ts";
import { configMap } from "./config.ts";
import { disruptionBudget } from "./disruption_budget.ts";
import { blockedService, httpRoute, ingress, webService } from "./routing.ts";

export { operationJob } from "./jobs/operation_job.ts";
export { backupJob } from "./jobs/backup_job.ts";
export {
  copyDatabaseJob,
  type CopyDatabaseOptions,
  copyFilesJob,
  type CopyFilesOptions,
  type DatabaseSource,
  type FilesPlace,
} from "./jobs/copy_jobs.ts";
export { initJob } from "./jobs/jobs.ts";
export {
  type LoadOptions,
  prepareCopyJob,
  type PrepareOptions,
  removeFilesJob,
  type RemoveOptions,
  restoreLoadJob,
  swapFilesJob,
  type SwapOptions,
} from "./jobs/restore_jobs.ts";
export { withoutTimeouts } from "./routing.ts";
export { snapshotClaim, type SnapshotClaimOptions, volumeSnapshot, type VolumeSnapshotOptions } from "./snapshot.ts";
export { type CopyVolume, filestoreClaim, filestoreCopyClaim } from "./storage.ts";
export { upgradeJob } from "./jobs/upgrade_job.ts";
export { isRolledOut, nextStepTo, upstreamDifferences, withReplicas } from "./upstream.ts";
export { cronDeployment, webDeployment, type WorkloadInput } from "./workloads.ts";

/** The children that are the same in every phase, in the order in which they are applied. */
export function steadyChildren(resolved: Resolved, cluster: ClusterAddress): KubeObject[] {
  const budget = disruptionBudget(resolved);
  return [
    configMap(resolved, cluster),
    webService(resolved),
    blockedService(resolved),
    ...(budget ? [budget] : []),
    resolved.gatewayRef ? httpRoute(resolved, resolved.gatewayRef) : ingress(resolved),
  ];
}

/** Children that are there and not wanted any more: the other way in, and the budget of a single pod. */
export function obsoleteChildren(resolved: Resolved, observed: Observed): Stored<KubeObject>[] {
  const way = resolved.gatewayRef ? observed.ingress : observed.route;
  const budget = disruptionBudget(resolved) ? undefined : observed.disruptionBudget;
  return [way, budget].filter((object) => object !== undefined);
}
