/**
 * The instance that a staging refresh copies: whether the request and both instances allow to copy it now. The source keeps
 * running and is never written; its data must only not be replaced while it is read.
 */
import type { JobRequest, OdooStagingRefreshJob } from "../../../crd/mod.ts";
import { snapshotName } from "../../names.ts";
import { phaseRow } from "../../phases.ts";
import type { Problem } from "../../problem.ts";
import { snapshotSupport } from "./snapshot_support.ts";
import type { CachedWorld, SourceInstance, World } from "../../world.ts";

/** Steps in which a refresh reads its source. The files are read only until a snapshot of them exists. */
const READING: readonly (string | undefined)[] = ["database", "snapshot", "files"];

/** The source of a refresh, if it exists and can be resolved. */
export function sourceOf({ observed }: CachedWorld, cr: OdooStagingRefreshJob): SourceInstance | undefined {
  return observed.sources?.get(cr.spec.source.instanceName);
}

/** Why a refresh can never be executed. */
export function refreshProblem(world: World, cr: OdooStagingRefreshJob): Problem | undefined {
  const { instanceName: name, instanceNamespace } = cr.spec.source;
  if (instanceNamespace && instanceNamespace !== cr.metadata?.namespace) {
    return {
      reason: "ForeignNamespace",
      message: "spec.source.instanceNamespace must be the namespace of this object",
    };
  }
  if (name === cr.spec.odooInstanceRef.name) {
    return { reason: "SourceIsTarget", message: "spec.source.instanceName is the instance that would be replaced" };
  }
  if (world.resolved?.environment === "Production") {
    return {
      reason: "ProductionTarget",
      message: "spec.environment of the instance is Production: its data is never replaced by a copy of another's",
    };
  }
  const source = sourceOf(world, cr);
  if (!source) {
    return {
      reason: "SourceMissing",
      message:
        `There is no OdooInstance ${name} in this namespace that could be copied: correct spec.source.instanceName`,
    };
  }
  const needsSnapshot = cr.spec.filestoreMethod === "snapshot" && !cr.spec.skipFilestore && source.hasFiles;
  const problem = needsSnapshot ? snapshotSupport(world, source)?.problem : undefined;
  return problem && { ...problem, message: `${problem.message}. Or set spec.filestoreMethod to auto or copy` };
}

/** Whether a refresh copies the files of its snapshot, and no longer those of its source. */
export function readsSnapshot({ metadata, status }: OdooStagingRefreshJob): boolean {
  const { name, uid } = metadata ?? {};
  return name !== undefined && uid !== undefined && status?.sourceSnapshot === snapshotName({ name, uid });
}

/** What a refresh waits for at its source. */
export function refreshObstacle(world: World, cr: OdooStagingRefreshJob): Problem | undefined {
  const source = sourceOf(world, cr);
  if (!source) return undefined; // refused by refreshProblem()
  const { name } = source.instance.metadata;
  const { status } = source.instance;
  const { resolved, cluster, hasFiles, hasUserSecret } = source;
  if (!status?.dbInitialized) {
    return { reason: "SourceNotInitialized", message: `Waiting until OdooInstance ${name} has data` };
  }
  const phase = status.phase ?? "Provisioning";
  if (!phaseRow(phase).isReadable) {
    return {
      reason: "SourceBusy",
      message: `Waiting until OdooInstance ${name}, which is in ${phase}, is settled`,
    };
  }
  if (cluster.problem) return { reason: cluster.problem.reason, message: `The source: ${cluster.problem.message}` };
  if (!cluster.facts.known) {
    return { reason: cluster.facts.reason, message: `Waiting for the source's PostgreSQL: ${cluster.facts.message}` };
  }
  if (!cluster.facts.databases.has(resolved.databaseName)) {
    return { reason: "SourceDatabaseMissing", message: `OdooInstance ${name} has no database: restore it first` };
  }
  const lacksFiles = !hasFiles && !cr.spec.skipFilestore;
  if (lacksFiles || !hasUserSecret) {
    return {
      reason: "SourceNotProvisioned",
      message: `Waiting for ${lacksFiles ? "the volume" : "the login"} of ${name}`,
    };
  }
  return undefined;
}

/** Why a new instance does not request the copy of its production instance yet. */
export function firstSourceProblem({ instance, resolved, observed, status }: World): Problem | undefined {
  const source = instance.spec.productionInstanceRef;
  if (!source || !resolved || status.dbInitialized) return undefined;
  if (resolved.environment === "Production") {
    return {
      reason: "ProductionTarget",
      message: "spec.productionInstanceRef is for staging instances only: remove it",
    };
  }
  if (source.namespace && source.namespace !== resolved.namespace) {
    return { reason: "ForeignNamespace", message: "spec.productionInstanceRef.namespace must be the instance's own" };
  }
  if (observed.sources?.has(source.name)) return undefined;
  return { reason: "SourceMissing", message: `Waiting for OdooInstance ${source.name}, which is to be copied` };
}

/** The refresh of another instance that reads this one now, so that nothing may replace its data. */
export function readerOf({ observed }: World): JobRequest | undefined {
  return observed.copiedBy?.find((cr) => {
    const { phase, progress } = cr.status ?? {};
    if (phase !== "Running" || !READING.includes(progress?.step)) return false;
    return progress?.step !== "files" || cr.kind !== "OdooStagingRefreshJob" || !readsSnapshot(cr);
  });
}
