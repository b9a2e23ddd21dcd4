/** Filestore migrations, from the wish to their end: see worlds.ts. */
import type { FilestorePlace, OperationStatus } from "../../../../src/odoo/crd/mod.ts";
import {
  FILESTORE_STEPS,
  type FilestoreStep,
} from "../../../../src/odoo/model/operations/migration/filestore_migration.ts";
import { filestoreCopyName, filestoreJobName } from "../../../../src/odoo/model/names.ts";
import type { JobState, Observed } from "../../../../src/odoo/model/world.ts";
import {
  aBackupJob,
  aBatchJob,
  aClaim,
  anInstance,
  INSTANCE_UID,
  NOW,
  oneJob,
  type Overrides,
} from "../../../support/builders.ts";

/** What is there; absent may be said. */
type Seen = { readonly [K in keyof Observed]?: Observed[K] | undefined };

/** An instance whose files are to be moved, or are being moved. */
export interface Migration {
  readonly place?: FilestorePlace;
  readonly operation?: OperationStatus;
  readonly observed: Seen;
}

/** Name of the claim that the files are moved to. */
export const COPY = filestoreCopyName(anInstance(), "fast");
/** What the status says while they are. */
export const PLACE: FilestorePlace = { copy: COPY, storageClass: "fast" };
/** The files are on another class than the spec of {@linkcode anInstance} wants. */
export const ELSEWHERE = aClaim({ spec: { storageClassName: "slow" } });
export const COPY_CLAIM = aClaim({ metadata: { name: COPY, uid: "uid-of-copy" }, status: { phase: "Bound" } });
const DELETED = { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } };

/** The Job of a step. */
export function stepJob(step: FilestoreStep): string {
  return filestoreJobName(COPY, FILESTORE_STEPS[step].suffix);
}

export function migrationAt(step: FilestoreStep): OperationStatus {
  return { kind: "OdooInstance", name: "shop", uid: INSTANCE_UID, stage: step, attempt: 1, jobName: stepJob(step) };
}

/** A migration at a step; `state` is that of its Job. */
export function migrating(step: FilestoreStep, state?: JobState, observed: Seen = {}): Migration {
  const job = aBatchJob(stepJob(step), anInstance());
  const seen = { requests: [], endingPods: [], filestore: ELSEWHERE, filestoreCopy: COPY_CLAIM };
  return {
    place: PLACE,
    operation: migrationAt(step),
    observed: { ...seen, ...(state ? oneJob(job, state) : {}), ...observed },
  };
}

/** A Job that was made long ago, and has no container that runs. */
function belated(step: FilestoreStep): Seen {
  const creationTimestamp = new Date(NOW - FILESTORE_STEPS[step].beginsWithinMs).toISOString();
  const job = aBatchJob(stepJob(step), anInstance());
  const { metadata } = job;
  return oneJob({ ...job, metadata: { ...metadata, creationTimestamp }, status: { active: 1 } }, { state: "active" });
}

const SUCCEEDED: JobState = { state: "succeeded", message: '{"ok": true, "files": 12}' };
const FAILED: JobState = {
  state: "failed",
  message: '{"ok": false, "reason": "VolumeFull", "error": "It is full", "log": "cannot write a/bc: no space\\nbye"}',
};

function claim(overrides: Overrides<typeof COPY_CLAIM>, name: string) {
  return aClaim({ ...overrides, metadata: { uid: `uid-of-${name}`, ...overrides.metadata, name } });
}

export const FILESTORE_MIGRATIONS: Readonly<Record<string, Migration>> = {
  "its files are to be moved": { observed: { requests: [], filestore: ELSEWHERE } },
  "its files are to be moved, somebody asks for a backup": {
    observed: { requests: [aBackupJob()], filestore: ELSEWHERE },
  },
  "its new volume is to be made": migrating("copyFiles", undefined, { filestoreCopy: undefined }),
  "its files are to be copied": migrating("copyFiles"),
  "its files are being copied, somebody asks for a backup": migrating("copyFiles", { state: "active" }, {
    requests: [aBackupJob()],
  }),
  "its files are copied": migrating("copyFiles", SUCCEEDED),
  "its files cannot be copied": migrating("copyFiles", FAILED),
  "its files are not copied in time": migrating("copyFiles", undefined, belated("copyFiles")),
  "its new volume is deleted": migrating("copyFiles", { state: "active" }, { filestoreCopy: undefined }),
  "its files are to be compared, pods are ending": migrating("compareFiles", undefined, {
    endingPods: [{ name: "shop-1" }],
  }),
  "its files are to be compared": migrating("compareFiles"),
  "its files are being compared": migrating("compareFiles", { state: "active" }),
  "its files are the same": migrating("compareFiles", SUCCEEDED),
  "its files are the same, and those that were served are gone": migrating("compareFiles", SUCCEEDED, {
    filestore: undefined,
  }),
  "its files differ": migrating("compareFiles", FAILED),
  "its files are being compared, and those that were served are deleted": migrating("compareFiles", {
    state: "active",
  }, { filestore: aClaim({ ...DELETED, spec: { storageClassName: "slow" } }) }),
  "its move is withdrawn": {
    ...migrating("compareFiles", { state: "active" }),
    place: { ...PLACE, storageClass: "other" },
  },
  "its former volume is left": {
    place: { claim: COPY, former: "shop-filestore-pvc" },
    observed: { requests: [], filestore: COPY_CLAIM, formerFilestore: claim({}, "shop-filestore-pvc") },
  },
  "its former volume waits for a Job's pod": {
    place: { claim: COPY, former: "shop-filestore-pvc" },
    observed: {
      requests: [],
      filestore: COPY_CLAIM,
      formerFilestore: claim(DELETED, "shop-filestore-pvc"),
      ...oneJob({ ...aBatchJob(stepJob("compareFiles"), anInstance()) }, SUCCEEDED),
    },
  },
  "a copy that was given up is left": {
    place: PLACE,
    observed: {
      requests: [],
      filestore: ELSEWHERE,
      filestoreCopy: COPY_CLAIM,
      ...oneJob(aBatchJob(stepJob("copyFiles"), anInstance()), { state: "active" }),
    },
  },
  "a copy that was given up is left, and its files are lost": {
    place: PLACE,
    observed: { requests: [], filestore: undefined, filestoreCopy: COPY_CLAIM },
  },
};
