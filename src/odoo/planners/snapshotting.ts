/** Refreshes by snapshot: what is made for the copy of the files, and that nothing of it stays. */
import type { KubeObject, Stored } from "../../kit/types.ts";
import type { OdooStagingRefreshJob, OdooStagingRefreshJobStatus } from "../crd/mod.ts";
import { OUTCOME_FINALIZER, snapshotName, stepJobName } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import { isTerminal } from "../model/operations/requests.ts";
import { obsoleteImages, snapshottingRequest, snapshotWork } from "../model/operations/copy/snapshot_step.ts";
import { jobStateOf, type World } from "../model/world.ts";
import { snapshotClaim, volumeSnapshot } from "../resources/mod.ts";

/** In the step `snapshot`: the snapshot, then a claim of it; or word that it is done otherwise. */
export function planSnapshot(world: World): Effect[] {
  const cr = snapshottingRequest(world);
  const work = snapshotWork(world);
  const { resolved } = world;
  if (!cr || !work || !resolved) return [];
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
    case "fail": // planOutcome() says so
      return [];
  }
}

/** What the next step copies from is in the request before the step begins. */
function readingFrom(cr: Stored<OdooStagingRefreshJob>, sourceSnapshot: string | null): Effect {
  const status: OdooStagingRefreshJobStatus = { ...cr.status, sourceSnapshot };
  return { type: "jobStatus", cr, status };
}

/**
 * In any phase: the claim goes first, and with it the Job that has read it, whose pod would keep it from going however long
 * ago it ended; then the snapshot, which some storage keeps as long as volumes are made of it.
 */
export function planSnapshotEnd(world: World): Effect[] {
  const { claims, snapshots } = obsoleteImages(world);
  const goesWhole = world.instance.metadata.deletionTimestamp !== undefined; // nobody is here for a second look
  const left = new Set(world.observed.temporaryClaims?.map(({ metadata }) => metadata.name));
  return [
    ...claims.flatMap((claim) => [...deletion(claim), ...(goesWhole ? [] : planReaderEnd(world, claim))]),
    ...snapshots.flatMap((snapshot) => goesWhole || !left.has(snapshot.metadata.name) ? deletion(snapshot) : []),
  ];
}

/** The Job's words are in the request by now. */
function planReaderEnd({ observed, ...world }: World, claim: Stored<KubeObject>): Effect[] {
  const [owner] = claim.metadata.ownerReferences ?? [];
  const name = owner && stepJobName(owner, "files");
  const job = observed.jobs.find(({ metadata }) => metadata.name === name);
  const { state } = jobStateOf({ observed, ...world }, name);
  if (!job || state === "active" || state === "absent") return [];
  const cr = observed.requests.find(({ metadata }) => metadata.uid === owner?.uid);
  const isHeld = job.metadata.finalizers?.includes(OUTCOME_FINALIZER) ?? false;
  const release: Effect[] = isHeld && cr && !isTerminal(cr) ? [{ type: "releaseJob", job }] : []; // else planReleases() does
  return [...release, ...deletion(job)];
}

function deletion(object: Stored<KubeObject>): Effect[] {
  return object.metadata.deletionTimestamp ? [] : [{ type: "deleteChild", object }];
}
