/** Refreshes by snapshot: the objects for the copy of the files, and their removal. */
import type { KubeObject, Stored } from "../../kit/types.ts";
import type { OdooStagingRefreshJob, OdooStagingRefreshJobStatus } from "../crd/mod.ts";
import { OUTCOME_FINALIZER, snapshotName, stepJobName } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { Assessment } from "../model/assessment.ts";
import { isTerminal, requestOf } from "../model/operations/request.ts";
import { obsoleteImages } from "../model/operations/copy/snapshot_step.ts";
import { jobStateOf } from "../model/world.ts";
import { snapshotClaim, volumeSnapshot } from "../resources/mod.ts";

/** In the step `snapshot`: creates the snapshot, then a claim from it; or records that files are copied instead. */
export function planSnapshot(world: Assessment): Effect[] {
  const { snapshot: work, resolved, status: { operation } } = world;
  const cr = operation && requestOf(world, operation);
  if (cr?.kind !== "OdooStagingRefreshJob" || !work || !resolved) return [];
  const name = snapshotName(cr.metadata);
  switch (work.next) {
    case "snapshot": {
      const { source: { filestore: claim }, snapshotClass } = work;
      if (!claim) return [];
      return [{ type: "create", object: volumeSnapshot(name, resolved, { claim, snapshotClass }), owner: cr }];
    }
    case "claim": {
      const { source: { filestore: source }, snapshot } = work;
      if (!source) return [];
      return [{ type: "create", object: snapshotClaim(name, resolved, { snapshot, source }), owner: cr }];
    }
    case "done":
      return [readingFrom(cr, name)];
    case "copy":
      return [readingFrom(cr, null), {
        type: "event",
        about: cr,
        warning: true,
        reason: work.problem.reason,
        note: `${work.problem.message}. Copying the files one by one instead`,
      }];
    case "wait":
    case "fail": // recorded by planOutcome()
      return [];
  }
}

/** The request records what the next step copies from before that step begins. */
function readingFrom(cr: Stored<OdooStagingRefreshJob>, sourceSnapshot: string | null): Effect {
  const status: OdooStagingRefreshJobStatus = { ...cr.status, sourceSnapshot };
  return { type: "jobStatus", cr, status };
}

/**
 * In any phase: deletes the claim first, and with it the Job that has read it, whose ended pod would delay the deletion; then
 * the snapshot, which some storage keeps as long as volumes created from it exist.
 */
export function planSnapshotEnd(world: Assessment): Effect[] {
  const { claims, snapshots } = obsoleteImages(world);
  const goesWhole = world.instance.metadata.deletionTimestamp !== undefined; // there is no later reconcile
  const left = new Set(world.observed.temporaryClaims?.map(({ metadata }) => metadata.name));
  return [
    ...claims.flatMap((claim) => [...deletion(claim), ...(goesWhole ? [] : planReaderEnd(world, claim))]),
    ...snapshots.flatMap((snapshot) => goesWhole || !left.has(snapshot.metadata.name) ? deletion(snapshot) : []),
  ];
}

/** The report of the Job is in the request by now. */
function planReaderEnd({ observed, ...world }: Assessment, claim: Stored<KubeObject>): Effect[] {
  const [owner] = claim.metadata.ownerReferences ?? [];
  const name = owner && stepJobName(owner, "files");
  const job = observed.jobs.find(({ metadata }) => metadata.name === name);
  const { state } = jobStateOf({ observed, ...world }, name);
  if (!job || state === "active" || state === "absent") return [];
  const cr = observed.requests.find(({ metadata }) => metadata.uid === owner?.uid);
  const isHeld = job.metadata.finalizers?.includes(OUTCOME_FINALIZER) ?? false;
  const release: Effect[] = isHeld && cr && !isTerminal(cr) ? [{ type: "releaseJob", job }] : []; // otherwise done by planReleases()
  return [...release, ...deletion(job)];
}

function deletion(object: Stored<KubeObject>): Effect[] {
  return object.metadata.deletionTimestamp ? [] : [{ type: "deleteChild", object }];
}
