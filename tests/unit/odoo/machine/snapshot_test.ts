/** decide() in the step `snapshot` of a refresh, and around it. */
import { assertEquals, assertMatch } from "@std/assert";
import type { KubeObject, PersistentVolumeClaim, Stored, VolumeSnapshot } from "../../../../src/kit/mod.ts";
import type { OdooStagingRefreshJobStatus } from "../../../../src/odoo/crd/mod.ts";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import { snapshotName, stepJobName } from "../../../../src/odoo/model/names.ts";
import type { Effect } from "../../../../src/odoo/model/plan.ts";
import { readerOf } from "../../../../src/odoo/model/operations/copy/refresh_source.ts";
import type { StorageFacts } from "../../../../src/odoo/model/world.ts";
import { storageToAsk } from "../../../../src/odoo/model/operations/copy/storage_question.ts";
import { timestamp } from "../../../../src/kit/timestamp.ts";
import type { JobState, World } from "../../../../src/odoo/model/world.ts";
import {
  aBatchJob,
  aClaim,
  aRefreshJob,
  aSource,
  aWorld,
  NOW,
  oneJob,
  REFRESH_JOB_UID,
} from "../../../support/builders.ts";

const NAME = snapshotName({ name: "weekly", uid: REFRESH_JOB_UID });
const FILES_JOB = stepJobName({ name: "weekly", uid: REFRESH_JOB_UID }, "files");
const MINUTE_MS = 60_000;

const OWNED = {
  name: NAME,
  namespace: "blue",
  uid: "uid-of-image",
  resourceVersion: "1",
  creationTimestamp: timestamp(NOW - MINUTE_MS),
  ownerReferences: [
    { apiVersion: "v1", kind: "OdooStagingRefreshJob", name: "weekly", uid: REFRESH_JOB_UID, controller: true },
  ],
};
const PENDING: Stored<PersistentVolumeClaim> = { kind: "PersistentVolumeClaim", metadata: OWNED };
const CLAIM: Stored<PersistentVolumeClaim> = { ...PENDING, status: { phase: "Bound" } };

function aSnapshot(status: VolumeSnapshot["status"], metadata: KubeObject["metadata"] = {}): Stored<VolumeSnapshot> {
  const spec = { source: { persistentVolumeClaimName: "live-filestore-pvc" } };
  return { kind: "VolumeSnapshot", metadata: { ...OWNED, ...metadata }, spec, ...(status ? { status } : {}) };
}

const READY = aSnapshot({ readyToUse: true, restoreSize: "3Gi" });
const BROKEN = aSnapshot({ readyToUse: false, error: { message: "array is full" } });
const FILESTORE = aClaim({ metadata: { name: "live-filestore-pvc" }, spec: { storageClassName: "fast" } });

const CAPABLE: StorageFacts = {
  storageClassName: "fast",
  storageClass: { metadata: { name: "fast", uid: "1", resourceVersion: "1" }, provisioner: "csi.example.com" },
  snapshotClasses: [{
    metadata: { name: "snap", uid: "2", resourceVersion: "1" },
    driver: "csi.example.com",
    deletionPolicy: "Delete",
  }],
};
const INCAPABLE: StorageFacts = { storageClassName: "fast" };
const WAITING_FOR_PODS: StorageFacts = {
  storageClassName: "fast",
  storageClass: {
    metadata: { name: "fast", uid: "1", resourceVersion: "1" },
    provisioner: "csi.example.com",
    volumeBindingMode: "WaitForFirstConsumer",
  },
};

interface Scene {
  /** @default "auto" */
  readonly method?: "auto" | "snapshot" | "copy";
  /** @default "snapshot" */
  readonly stage?: string;
  /** How long ago the step was told of. @default {two minutes} */
  readonly sinceMs?: number;
  readonly status?: Partial<OdooStagingRefreshJobStatus>;
  readonly job?: JobState;
  readonly observed?: NonNullable<Parameters<typeof aWorld>[0]>["observed"];
}

function scene({ method = "auto", stage = "snapshot", sinceMs = 2 * MINUTE_MS, status, job, observed }: Scene): World {
  const jobName = stepJobName({ name: "weekly", uid: REFRESH_JOB_UID }, stage);
  const cr = aRefreshJob({
    spec: { filestoreMethod: method },
    status: {
      phase: "Running",
      jobName,
      sourceSnapshot: NAME,
      progress: { step: stage, updatedAt: timestamp(NOW - sinceMs) },
      ...status,
    },
  });
  const operation = {
    kind: "OdooStagingRefreshJob",
    name: "weekly",
    uid: REFRESH_JOB_UID,
    stage,
    attempt: 1,
    ...(stage === "snapshot" ? {} : { jobName }),
  };
  return aWorld({
    phase: "CloningFromSource",
    status: { operation },
    observed: {
      requests: [cr],
      sources: new Map([["live", { ...aSource(), filestore: FILESTORE }]]),
      ...(job ? oneJob(aBatchJob(jobName, cr), job) : {}),
      ...observed,
    },
  });
}

const DONE: JobState = { state: "succeeded", message: '{"ok": true}' };

/** The next step, and what is done to snapshots, claims, Jobs and the request, in short. */
function summary(world: World): { readonly stage: string | undefined; readonly does: readonly string[] } {
  const { effects } = decide(world);
  const status = effects.find((effect) => effect.type === "status");
  return { stage: status?.status.operation?.stage, does: effects.flatMap(inShort) };
}

function inShort(effect: Effect): string[] {
  switch (effect.type) {
    case "create":
    case "deleteChild":
      return [`${effect.type} ${effect.object.kind} ${effect.object.metadata?.name}`];
    case "releaseJob":
      return [`releaseJob ${effect.job.metadata.name}`];
    case "jobStatus": {
      const { phase, sourceSnapshot = null } = effect.status as OdooStagingRefreshJobStatus;
      return [`${phase} from ${sourceSnapshot}`];
    }
    case "event":
      return [`event ${effect.reason}`];
    default:
      return [];
  }
}

const CASES: Readonly<Record<string, { readonly given: Scene; readonly want: ReturnType<typeof summary> }>> = {
  "a database is copied and nobody has asked the cluster: waits for the answer": {
    given: { stage: "database", job: DONE },
    want: { stage: "database", does: [`Running from ${NAME}`] },
  },
  "a database is copied and the cluster can take snapshots: takes one": {
    given: { stage: "database", job: DONE, observed: { storageFacts: CAPABLE } },
    want: { stage: "snapshot", does: [`Running from ${NAME}`] },
  },
  "a database is copied and the cluster cannot take snapshots: copies one by one": {
    given: { stage: "database", job: DONE, observed: { storageFacts: INCAPABLE } },
    want: { stage: "files", does: [`Running from ${NAME}`] },
  },
  "a database is copied and no snapshot is wanted: copies one by one": {
    given: { method: "copy", stage: "database", job: DONE },
    want: { stage: "files", does: [`Running from ${NAME}`] },
  },
  "the step has not been told of: tells, and does nothing before": {
    given: { status: { progress: { step: "database" }, sourceSnapshot: null }, observed: { storageFacts: CAPABLE } },
    want: { stage: "snapshot", does: [`Running from ${NAME}`] },
  },
  "the node may still hold back what Odoo has written: waits": {
    given: { sinceMs: 39_000, observed: { storageFacts: CAPABLE } },
    want: { stage: "snapshot", does: [] },
  },
  "that time is over: takes a snapshot": {
    given: { sinceMs: 41_000, observed: { storageFacts: CAPABLE } },
    want: { stage: "snapshot", does: [`create VolumeSnapshot ${NAME}`] },
  },
  "the class has gone meanwhile, method auto: copies one by one": {
    given: { observed: { storageFacts: INCAPABLE } },
    want: { stage: "files", does: ["Running from null", "event SnapshotsNotSupported"] },
  },
  "the class has gone meanwhile, method snapshot: fails": {
    given: { method: "snapshot", observed: { storageFacts: INCAPABLE } },
    want: {
      stage: undefined,
      does: ["Failed from " + NAME, "event RefreshFailed", "event RefreshFailed", "event PhaseChanged"],
    },
  },
  "the snapshot is ready: makes a claim": {
    given: { observed: { snapshots: [READY] } },
    want: { stage: "snapshot", does: [`create PersistentVolumeClaim ${NAME}`] },
  },
  "the snapshot is ready, and being deleted by somebody: waits": {
    given: { observed: { snapshots: [aSnapshot(READY.status, { deletionTimestamp: timestamp(NOW) })] } },
    want: { stage: "snapshot", does: [] },
  },
  "the claim is there: copies from it": {
    given: { observed: { snapshots: [READY], temporaryClaims: [CLAIM] } },
    want: { stage: "files", does: [`Running from ${NAME}`] },
  },
  "the claim is being deleted by somebody: waits": {
    given: {
      observed: {
        snapshots: [READY],
        temporaryClaims: [{ ...CLAIM, metadata: { ...OWNED, deletionTimestamp: timestamp(NOW) } }],
      },
    },
    want: { stage: "snapshot", does: [] },
  },
  "the claim has no volume yet: waits": {
    given: { observed: { snapshots: [READY], temporaryClaims: [PENDING], storageFacts: CAPABLE } },
    want: { stage: "snapshot", does: [] },
  },
  "the claim has no volume before a pod asks for it: copies from it": {
    given: { observed: { snapshots: [READY], temporaryClaims: [PENDING], storageFacts: WAITING_FOR_PODS } },
    want: { stage: "files", does: [`Running from ${NAME}`] },
  },
  "the claim has got no volume within 15 minutes, method auto: copies one by one": {
    given: {
      sinceMs: 15 * MINUTE_MS,
      observed: { snapshots: [READY], temporaryClaims: [PENDING], storageFacts: CAPABLE },
    },
    want: { stage: "files", does: ["Running from null", "event SnapshotFailed"] },
  },
  "somebody else's snapshot has the name: takes its own": {
    given: { observed: { storageFacts: CAPABLE, snapshots: [aSnapshot(READY.status, { ownerReferences: [] })] } },
    want: { stage: "snapshot", does: [`create VolumeSnapshot ${NAME}`] },
  },
  "the first error is young: waits": {
    given: {
      observed: { snapshots: [aSnapshot(BROKEN.status, { creationTimestamp: timestamp(NOW - 29_000) })] },
    },
    want: { stage: "snapshot", does: [] },
  },
  "the error has stayed, method auto: copies one by one": {
    given: { observed: { snapshots: [BROKEN] } },
    want: { stage: "files", does: ["Running from null", "event SnapshotFailed"] },
  },
  "the error has stayed, method snapshot: fails": {
    given: { method: "snapshot", observed: { snapshots: [BROKEN] } },
    want: {
      stage: undefined,
      does: ["Failed from " + NAME, "event RefreshFailed", "event RefreshFailed", "event PhaseChanged"],
    },
  },
  "the snapshot is not ready within 15 minutes, method auto: copies one by one": {
    given: { sinceMs: 15 * MINUTE_MS, observed: { snapshots: [aSnapshot({ readyToUse: false })] } },
    want: { stage: "files", does: ["Running from null", "event SnapshotFailed"] },
  },
  "the claim cannot be made within 15 minutes, method auto: copies one by one": {
    given: { sinceMs: 15 * MINUTE_MS, observed: { snapshots: [READY] } },
    want: { stage: "files", does: ["Running from null", "event SnapshotFailed"] },
  },
  "the source is gone: fails, whatever the method": {
    given: { observed: { sources: new Map() } },
    want: {
      stage: undefined,
      does: ["Failed from " + NAME, "event RefreshFailed", "event RefreshFailed", "event PhaseChanged"],
    },
  },
  "the files are being copied from the claim: keeps it": {
    given: { stage: "files", job: { state: "active" }, observed: { snapshots: [READY], temporaryClaims: [CLAIM] } },
    want: { stage: "files", does: [] },
  },
  "the files are copied one by one instead: deletes the claim, then the snapshot": {
    given: {
      stage: "files",
      job: { state: "active" },
      status: { sourceSnapshot: null },
      observed: { snapshots: [READY], temporaryClaims: [CLAIM] },
    },
    want: { stage: "files", does: [`deleteChild PersistentVolumeClaim ${NAME}`] },
  },
  "a snapshot is left alone: deletes it": {
    given: {
      stage: "files",
      job: { state: "active" },
      status: { sourceSnapshot: null },
      observed: { snapshots: [BROKEN] },
    },
    want: { stage: "files", does: [`deleteChild VolumeSnapshot ${NAME}`] },
  },
};

for (const [sentence, { given, want }] of Object.entries(CASES)) {
  Deno.test(`decide() when ${sentence}`, () => {
    assertEquals(summary(scene(given)), want);
  });
}

Deno.test("decide() makes the Job that has read the claim go with it, for its pod would keep the claim", () => {
  const cr = aRefreshJob({ status: { phase: "Running", sourceSnapshot: NAME } });
  const observed = { ...oneJob(aBatchJob(FILES_JOB, cr), DONE), snapshots: [READY], temporaryClaims: [CLAIM] };
  const { does } = summary(scene({ stage: "prepare", observed: { ...observed } }));
  assertEquals(does.filter((text) => !text.startsWith("Running")).slice(0, 3).sort(), [
    `deleteChild Job ${FILES_JOB}`,
    `deleteChild PersistentVolumeClaim ${NAME}`,
    `releaseJob ${FILES_JOB}`,
  ]);
});

Deno.test("decide() looks again at the end of the time in which nothing is done", () => {
  const { requeueAfterMs } = decide(scene({ sinceMs: 10_000, observed: { storageFacts: CAPABLE } }));
  assertEquals(requeueAfterMs, 30_000);
  const pending = decide(scene({ sinceMs: 5 * MINUTE_MS, observed: { snapshots: [aSnapshot(undefined)] } }));
  assertEquals(pending.requeueAfterMs, 10 * MINUTE_MS);
});

Deno.test("decide() deletes what snapshots left, both at once, when the instance is deleted", () => {
  const deleted = aWorld({
    instance: { metadata: { deletionTimestamp: timestamp(NOW) } },
    observed: {
      requests: [aRefreshJob()],
      snapshots: [READY],
      temporaryClaims: [CLAIM],
      web: undefined,
      cron: undefined,
    },
  });
  assertEquals(summary(deleted).does.filter((text) => text.endsWith(NAME)), [
    `deleteChild PersistentVolumeClaim ${NAME}`,
    `deleteChild VolumeSnapshot ${NAME}`,
  ]);
});

Deno.test("decide() refuses a refresh that allows nothing but snapshots when the cluster cannot take any", () => {
  const observed = {
    requests: [aRefreshJob({ spec: { filestoreMethod: "snapshot" } })],
    sources: new Map([["live", { ...aSource(), filestore: FILESTORE }]]),
  };
  const world = aWorld({ observed: { ...observed, storageFacts: INCAPABLE } });
  const refusal = decide(world).effects.find((effect) => effect.type === "jobStatus");
  assertEquals(refusal?.status.conditions?.[0]?.reason, "SnapshotsNotSupported");
  assertMatch(refusal?.status.message ?? "", /install the CRDs.*Or set spec\.filestoreMethod to auto or copy$/);
  assertEquals(
    decide(aWorld({ observed: { ...observed, storageFacts: CAPABLE } })).effects.some(({ type }) =>
      type === "jobStatus"
    ),
    false,
  );
});

const QUESTIONS: Readonly<Record<string, { readonly given: World; readonly want: string | undefined }>> = {
  "a database is copied": { given: scene({ stage: "database", job: DONE }), want: "fast" },
  "a database is being copied": { given: scene({ stage: "database", job: { state: "active" } }), want: undefined },
  "a snapshot is to be taken": { given: scene({}), want: "fast" },
  "a claim has no volume": {
    given: scene({ observed: { snapshots: [READY], temporaryClaims: [PENDING] } }),
    want: "fast",
  },
  "a snapshot is there": { given: scene({ observed: { snapshots: [READY] } }), want: undefined },
  "files are copied": { given: scene({ stage: "files", job: { state: "active" } }), want: undefined },
  "nothing is asked for": { given: aWorld(), want: undefined },
};

for (const [sentence, { given, want }] of Object.entries(QUESTIONS)) {
  Deno.test(`storageToAsk() asks ${want ? "" : "nothing "}when ${sentence}`, () => {
    assertEquals(storageToAsk(given), want);
  });
}

Deno.test("readerOf() finds a refresh until it reads its snapshot and no more the instance", () => {
  const reader = (step: string, sourceSnapshot: string | null) => {
    const cr = aRefreshJob({ status: { phase: "Running", progress: { step }, sourceSnapshot } });
    return readerOf(aWorld({ observed: { copiedBy: [cr] } }))?.metadata?.name;
  };
  assertEquals(["database", "snapshot", "files"].map((step) => reader(step, NAME)), ["weekly", "weekly", undefined]);
  assertEquals([reader("files", null), reader("files", "weekly-src")], ["weekly", "weekly"]);
});
