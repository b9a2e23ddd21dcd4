/**
 * The step `snapshot` of a refresh: a VolumeSnapshot of the source's volume, then a temporary claim created from it, from
 * which the step `files` copies. It follows the copy of the database: Odoo writes a file before the row that names it, so a
 * later snapshot has the files of all copied rows. (`prepare` reports files that were deleted in between.)
 *
 * The objects show how far the step is. If it fails, method `auto` copies the files one by one instead.
 */
import type { PersistentVolumeClaim, VolumeSnapshot } from "../../../../kit/builders/kinds.ts";
import { controllerOf, type KubeObject, type Stored } from "../../../../kit/types.ts";
import type { OdooStagingRefreshJob } from "../../../crd/mod.ts";
import { copyStep } from "./copy_steps.ts";
import { snapshotName } from "../../names.ts";
import { readsSnapshot, sourceOf } from "./refresh_source.ts";
import { isTerminal, requestOf } from "../request.ts";
import type { SnapshotWork } from "../../assessment.ts";
import type { Problem } from "../../problem.ts";
import { providesAtOnce, snapshotSupport } from "./snapshot_support.ts";
import type { CachedWorld, SourceInstance, World } from "../../world.ts";

/** After this time a node has written back what Odoo wrote before: Linux delays writes by at most 30 + 5 seconds. */
const SETTLE_MS = 40_000;

/** The snapshot controller retries, and a first error is often a conflict of two writers. */
const ERROR_PATIENCE_MS = 30_000;

const DEADLINE_MS = 15 * 60_000;

/** Characters of a driver's message that are quoted. */
const LONGEST_QUOTE = 1024;

/** The request that is in the step, if one is. */
export function snapshottingRequest(world: CachedWorld): Stored<OdooStagingRefreshJob> | undefined {
  const { operation } = world.status;
  const cr = operation && copyStep(operation) === "snapshot" ? requestOf(world, operation) : undefined;
  return cr?.kind === "OdooStagingRefreshJob" && !isTerminal(cr) ? cr : undefined;
}

/** What comes next in the step; `undefined` in all other steps, and before the request's status names this one. */
export function snapshotWork(world: World): SnapshotWork | undefined {
  const cr = snapshottingRequest(world);
  const begunMs = cr && begunAt(cr);
  if (!cr || begunMs === undefined) return undefined;
  const claim = temporaryClaimOf(world, cr);
  const source = sourceOf(world, cr);
  if (claim && isUsable(world, claim, source)) return { next: "done" };
  const gone = {
    reason: "SourceMissing",
    message: `OdooInstance ${cr.spec.source.instanceName} is gone, or its volume`,
  };
  if (!source?.filestore) return { next: "fail", problem: gone };
  const snapshot = snapshotOf(world, cr);
  const problem = failure(world, snapshot, begunMs) ?? (snapshot ? undefined : snapshotSupport(world, source)?.problem);
  if (problem) return { next: cr.spec.filestoreMethod === "snapshot" ? "fail" : "copy", problem };
  if (snapshot) {
    const isReady = snapshot.status?.readyToUse && !snapshot.metadata.deletionTimestamp;
    if (isReady && !claim) return { next: "claim", source, snapshot };
    return { next: "wait", untilMs: nextLimit(world, snapshot, begunMs) };
  }
  const support = snapshotSupport(world, source);
  const settledMs = begunMs + SETTLE_MS;
  if (world.now < settledMs) return { next: "wait", untilMs: settledMs };
  if (!support || support.problem) return { next: "wait", untilMs: begunMs + DEADLINE_MS };
  return { next: "snapshot", source, snapshotClass: support.snapshotClass };
}

/** How the files of a refresh are copied; `undefined` until the StorageClass has been read. */
export function filesStep(world: World, cr: OdooStagingRefreshJob): "snapshot" | "files" | undefined {
  switch (cr.spec.filestoreMethod) {
    case "copy":
      return "files";
    case "snapshot":
      return "snapshot"; // if snapshots are not possible, that step reports why
    default: {
      const source = sourceOf(world, cr);
      const support = source && snapshotSupport(world, source);
      if (!support) return source ? undefined : "files";
      return support.problem ? "files" : "snapshot";
    }
  }
}

/** Claims and snapshots of refreshes that are not needed any more; all of them when the instance is deleted. */
export function obsoleteImages(world: World): {
  readonly claims: readonly Stored<PersistentVolumeClaim>[];
  readonly snapshots: readonly Stored<VolumeSnapshot>[];
} {
  const { temporaryClaims = [], snapshots = [] } = world.observed;
  const isObsolete = (object: Stored<KubeObject>) => isOfRefresh(object) && !isNeeded(world, object);
  return { claims: temporaryClaims.filter(isObsolete), snapshots: snapshots.filter(isObsolete) };
}

/** Whether this operator created the object for a refresh. */
export function isOfRefresh(object: Stored<KubeObject>): boolean {
  const owner = controllerOf(object);
  return owner?.kind === "OdooStagingRefreshJob" && object.metadata.name === snapshotName(owner);
}

function isNeeded({ instance, status: { operation }, observed }: World, object: Stored<KubeObject>): boolean {
  const uid = controllerOf(object)?.uid;
  const cr = observed.requests.find(({ metadata }) => metadata.uid === uid);
  if (instance.metadata.deletionTimestamp || cr?.kind !== "OdooStagingRefreshJob") return false;
  if (isTerminal(cr) || operation?.uid !== uid) return false;
  const step = copyStep(operation);
  return step === "snapshot" || step === "files" && readsSnapshot(cr);
}

/** The claim that was created from the snapshot of a refresh, if it exists. */
export function temporaryClaimOf(
  { observed }: CachedWorld,
  cr: OdooStagingRefreshJob,
): Stored<PersistentVolumeClaim> | undefined {
  return observed.temporaryClaims?.find((found) => isOfRefresh(found) && controllerOf(found)?.uid === cr.metadata?.uid);
}

/** A claim without a volume is usable if its volume is provisioned for the first pod. */
function isUsable(
  world: World,
  { metadata, status }: Stored<PersistentVolumeClaim>,
  source: SourceInstance | undefined,
): boolean {
  if (metadata.deletionTimestamp) return false;
  return status?.phase === "Bound" || source !== undefined && providesAtOnce(world, source) === false;
}

/** The VolumeSnapshot of a refresh, if it exists. */
export function snapshotOf({ observed }: CachedWorld, cr: OdooStagingRefreshJob): Stored<VolumeSnapshot> | undefined {
  return observed.snapshots?.find((found) => isOfRefresh(found) && controllerOf(found)?.uid === cr.metadata?.uid);
}

function failure({ now }: World, snapshot: Stored<VolumeSnapshot> | undefined, begunMs: number): Problem | undefined {
  const { error: attempt, readyToUse } = snapshot?.status ?? {};
  const error = readyToUse ? undefined : attempt?.message?.slice(0, LONGEST_QUOTE);
  if (error && now >= createdAt(snapshot, begunMs) + ERROR_PATIENCE_MS) {
    return { reason: "SnapshotFailed", message: `VolumeSnapshot ${snapshot?.metadata.name} failed: ${error}` };
  }
  if (now < begunMs + DEADLINE_MS) return undefined;
  const last = error ? `; its last error: ${error}` : "";
  const what = snapshot ? `VolumeSnapshot ${snapshot.metadata.name}` : "The VolumeSnapshot";
  return {
    reason: "SnapshotFailed",
    message: `${what} has not become a volume within ${DEADLINE_MS / 60_000} minutes${last}`,
  };
}

function nextLimit({ now }: World, snapshot: Stored<VolumeSnapshot>, begunMs: number): number {
  const patienceMs = createdAt(snapshot, begunMs) + ERROR_PATIENCE_MS;
  return snapshot.status?.error && patienceMs > now ? patienceMs : begunMs + DEADLINE_MS;
}

function createdAt(snapshot: Stored<VolumeSnapshot> | undefined, otherwiseMs: number): number {
  const { creationTimestamp } = snapshot?.metadata ?? {};
  return creationTimestamp ? Date.parse(creationTimestamp) : otherwiseMs;
}

/** When the step began, from the status of the request; 0 if that cannot be read. */
function begunAt({ status }: Stored<OdooStagingRefreshJob>): number | undefined {
  const { step, updatedAt } = status?.progress ?? {};
  if (step !== "snapshot") return undefined;
  return (updatedAt && Date.parse(updatedAt)) || 0;
}
