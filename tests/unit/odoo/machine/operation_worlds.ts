/** Operations that requests ask for, from nobody asking to their end: see worlds.ts. */
import type { Stored, VolumeSnapshot } from "../../../../src/kit/mod.ts";
import type { JobState, Observed } from "../../../../src/odoo/model/world.ts";
import type { FilestorePlace, OperationStatus } from "../../../../src/odoo/crd/mod.ts";
import { operationJobName, snapshotName, stepJobName } from "../../../../src/odoo/model/names.ts";
import { timestamp } from "../../../../src/kit/timestamp.ts";
import {
  aBackupJob,
  aBatchJob,
  aClaim,
  anInitJob,
  anUpgradeJob,
  aRefreshJob,
  aRestoreJob,
  aSource,
  BACKUP_JOB_UID,
  INIT_JOB_UID,
  NOW,
  oneJob,
  UPGRADE_JOB_UID,
} from "../../../support/builders.ts";

/** An operation, from nobody asking to its end. */
export interface Init {
  readonly operation?: OperationStatus;
  readonly place?: FilestorePlace;
  readonly observed:
    & Pick<Observed, "requests">
    & Partial<Pick<Observed, "jobs" | "jobStates" | "endingPods" | "sources" | "copiedBy" | "snapshots">>;
}

const CR = anInitJob();
export const JOB_NAME = operationJobName(CR, INIT_JOB_UID);
export const OPERATION: OperationStatus = {
  kind: "OdooInitJob",
  name: "first",
  uid: INIT_JOB_UID,
  jobName: JOB_NAME,
  attempt: 1,
};
const STARTED = anInitJob({ status: { phase: "Running", jobName: JOB_NAME } });
const COMPLETED = anInitJob({ status: { phase: "Completed", jobName: JOB_NAME } });
const FAILED = anInitJob({ status: { phase: "Failed", jobName: JOB_NAME, message: "module sale is broken" } });
const ANOTHER = anInitJob({ metadata: { name: "second", uid: "another-uid" } });
const FAILED_LATER = ["third", "fourth"].map((name) =>
  anInitJob({ metadata: { name, uid: `uid-of-${name}` }, status: { phase: "Failed" } })
);
const JOB = aBatchJob(JOB_NAME);

export const INITS: Readonly<Record<string, Init>> = {
  "nobody asks": { observed: { requests: [] } },
  "somebody asks": { observed: { requests: [CR] } },
  "somebody asks from elsewhere": {
    observed: { requests: [anInitJob({ spec: { odooInstanceRef: { namespace: "red" } } })] },
  },
  "one has failed, another asks": { observed: { requests: [FAILED, ANOTHER] } },
  "its Job is not created": { operation: OPERATION, observed: { requests: [CR] } },
  "its Job is created, the CR does not say so": {
    operation: OPERATION,
    observed: { requests: [CR], ...oneJob(JOB, { state: "active" }) },
  },
  "its Job works": {
    operation: OPERATION,
    observed: { requests: [STARTED], ...oneJob(JOB, { state: "active" }) },
  },
  "its Job works, an older request waits": {
    operation: OPERATION,
    observed: { requests: [ANOTHER, STARTED], ...oneJob(JOB, { state: "active" }) },
  },
  "its Job has succeeded": {
    operation: OPERATION,
    observed: { requests: [STARTED], ...oneJob(JOB, { state: "succeeded", message: "" }) },
  },
  "its Job has failed": {
    operation: OPERATION,
    observed: { requests: [STARTED, ANOTHER], ...oneJob(JOB, { state: "failed", message: "out of memory" }) },
  },
  "its Job is gone": { operation: OPERATION, observed: { requests: [STARTED] } },
  "its CR is completed": { operation: OPERATION, observed: { requests: [COMPLETED] } },
  "its CR is failed": { operation: OPERATION, observed: { requests: [FAILED] } },
  "its CR is completed, others have failed later": {
    operation: OPERATION,
    observed: { requests: [COMPLETED, ...FAILED_LATER, ANOTHER] },
  },
  "its CR is gone": { operation: OPERATION, observed: { requests: [] } },
  "its CR is gone, its Job works": {
    operation: OPERATION,
    observed: { requests: [], ...oneJob(JOB, { state: "active" }) },
  },
};

const UPGRADE = anUpgradeJob();
export const UPGRADE_JOB_NAME = operationJobName(UPGRADE, UPGRADE_JOB_UID);
export const UPGRADE_OPERATION: OperationStatus = {
  kind: "OdooUpgradeJob",
  name: "monthly",
  uid: UPGRADE_JOB_UID,
  jobName: UPGRADE_JOB_NAME,
  attempt: 1,
};
const UPGRADING = anUpgradeJob({ status: { phase: "Running", jobName: UPGRADE_JOB_NAME } });
const UPGRADE_JOB = aBatchJob(UPGRADE_JOB_NAME, UPGRADE);

export const UPGRADES: Readonly<Record<string, Init>> = {
  "somebody asks for an upgrade": { observed: { requests: [UPGRADE] } },
  "somebody asks for an upgrade without a module": {
    observed: { requests: [anUpgradeJob({ spec: { modules: [] } })] },
  },
  "somebody asks for an upgrade at another time": {
    observed: { requests: [anUpgradeJob({ spec: { scheduledTime: "2100-01-01T00:00:00Z" } })] },
  },
  "its cron pods are ending": {
    operation: UPGRADE_OPERATION,
    observed: { requests: [UPGRADE], endingPods: [{ name: "shop-cron-1", node: "n1" }] },
  },
  "its pods are gone": { operation: UPGRADE_OPERATION, observed: { requests: [UPGRADE], endingPods: [] } },
  "its Job updates": {
    operation: UPGRADE_OPERATION,
    observed: { requests: [UPGRADING], ...oneJob(UPGRADE_JOB, { state: "active" }) },
  },
  "its Job has updated, an initialisation waits": {
    operation: UPGRADE_OPERATION,
    observed: { requests: [CR, UPGRADING], ...oneJob(UPGRADE_JOB, { state: "succeeded", message: "" }) },
  },
  "its Job has not updated": {
    operation: UPGRADE_OPERATION,
    observed: { requests: [UPGRADING, ANOTHER], ...oneJob(UPGRADE_JOB, { state: "failed", message: "no" }) },
  },
  "its upgrade is withdrawn": { operation: UPGRADE_OPERATION, observed: { requests: [] } },
};

const BACKUP = aBackupJob();
const BACKUP_JOB_NAME = operationJobName(BACKUP, BACKUP_JOB_UID);
const BACKUP_OPERATION: OperationStatus = {
  kind: "OdooBackupJob",
  name: "nightly",
  uid: BACKUP_JOB_UID,
  jobName: BACKUP_JOB_NAME,
  attempt: 1,
};
const BACKING_UP = aBackupJob({ status: { phase: "Running", jobName: BACKUP_JOB_NAME } });
const BACKUP_JOB = aBatchJob(BACKUP_JOB_NAME, BACKUP);

export const BACKUPS: Readonly<Record<string, Init>> = {
  "somebody asks for a backup": { observed: { requests: [BACKUP] } },
  "somebody asks for a backup with somebody else's keys": {
    observed: {
      requests: [aBackupJob({ spec: { destination: { s3CredentialsSecretRef: { name: "keys", namespace: "red" } } } })],
    },
  },
  "somebody asks for a backup while an upgrade is begun": {
    operation: UPGRADE_OPERATION,
    observed: { requests: [BACKUP, UPGRADING], ...oneJob(UPGRADE_JOB, { state: "active" }) },
  },
  "its Job is to save": { operation: BACKUP_OPERATION, observed: { requests: [BACKUP] } },
  "its Job saves": {
    operation: BACKUP_OPERATION,
    observed: { requests: [BACKING_UP], ...oneJob(BACKUP_JOB, { state: "active" }) },
  },
  "its Job has saved, an upgrade waits": {
    operation: BACKUP_OPERATION,
    observed: { requests: [UPGRADE, BACKING_UP], ...oneJob(BACKUP_JOB, { state: "succeeded", message: "" }) },
  },
};

const RESTORE = aRestoreJob({ spec: { source: { s3: { endpoint: "https://s3.example.com" } } } });
const restoreJobName = (step: string) => stepJobName(RESTORE.metadata, step);

function restoreAt(stage: string): OperationStatus {
  const { name, uid } = RESTORE.metadata;
  const jobName = stage === "swap" ? {} : { jobName: restoreJobName(stage) };
  return { kind: "OdooRestoreJob", name, uid, stage, attempt: 1, ...jobName };
}

function restoring(stage: string, state?: JobState): Init {
  const cr = { ...RESTORE, status: { phase: "Running", jobName: restoreJobName(stage) } } as const;
  const job = state ? oneJob(aBatchJob(restoreJobName(stage), RESTORE), state) : {};
  return { operation: restoreAt(stage), observed: { requests: [cr], endingPods: [], ...job } };
}

export const RESTORES: Readonly<Record<string, Init>> = {
  "somebody asks for a restore": { observed: { requests: [RESTORE] } },
  "somebody asks for a restore from nowhere": {
    observed: { requests: [aRestoreJob({ spec: { source: { type: "odoo", s3: undefined } } })] },
  },
  "its backup is to be loaded": { operation: restoreAt("load"), observed: { requests: [RESTORE] } },
  "its backup is being loaded": restoring("load", { state: "active" }),
  "its backup is loaded": restoring("load", { state: "succeeded", message: '{"ok": true, "unpackedFiles": 3}' }),
  "its backup cannot be loaded": restoring("load", { state: "failed", message: "no such object" }),
  "its loading Job is gone": restoring("load"),
  "its copy is prepared": restoring("prepare", { state: "succeeded", message: '{"ok": true}' }),
  "its copy is to take the data's place, pods are ending": {
    operation: restoreAt("swap"),
    observed: { requests: [RESTORE], endingPods: [{ name: "shop-1" }] },
  },
  "its copy is to take the data's place": {
    operation: restoreAt("swap"),
    observed: { requests: [RESTORE], endingPods: [] },
  },
  "its request is gone before the swap": { operation: restoreAt("swap"), observed: { requests: [], endingPods: [] } },
  "its files change places": restoring("move", { state: "active" }),
  "its files have changed places": restoring("move", { state: "succeeded", message: '{"ok": true}' }),
  "its files cannot change places": restoring("move", { state: "failed", message: "no such directory" }),
  "its way back is to begin": restoring("return"),
  "its way back has failed": restoring("return", { state: "failed", message: "read-only file system" }),
  "its way back has come to its end": restoring("return", { state: "succeeded", message: '{"ok": true}' }),
};

const REFRESH = aRefreshJob();
const sources = new Map([["live", aSource()]]);

function refreshing(stage: string, state?: JobState): Init {
  const { name, uid } = REFRESH.metadata;
  const jobName = stepJobName(REFRESH.metadata, stage);
  const operation = { kind: "OdooStagingRefreshJob", name, uid, stage, attempt: 1, jobName };
  const cr = { ...REFRESH, status: { phase: "Running", jobName } } as const;
  const job = state ? oneJob(aBatchJob(jobName, REFRESH), state) : {};
  return { operation, observed: { requests: [cr], sources, endingPods: [], ...job } };
}

/** In the step that has no Job, since two minutes. */
function snapshotting(status: VolumeSnapshot["status"]): Init {
  const { name, uid } = REFRESH.metadata;
  const operation = { kind: "OdooStagingRefreshJob", name, uid, stage: "snapshot", attempt: 1 };
  const progress = { step: "snapshot", updatedAt: timestamp(NOW - 120_000) };
  const cr = { ...REFRESH, status: { phase: "Running", progress } } as const;
  const snapshot: Stored<VolumeSnapshot> = {
    kind: "VolumeSnapshot",
    metadata: {
      name: snapshotName(REFRESH.metadata),
      namespace: "blue",
      uid: "uid-of-snapshot",
      resourceVersion: "50",
      creationTimestamp: timestamp(NOW - 60_000),
      ownerReferences: [{ apiVersion: "", kind: "OdooStagingRefreshJob", name, uid, controller: true }],
    },
    spec: { source: { persistentVolumeClaimName: "live-filestore-pvc" } },
    ...(status ? { status } : {}),
  };
  const seen = new Map([["live", { ...aSource(), filestore: aClaim() }]]);
  return { operation, observed: { requests: [cr], sources: seen, endingPods: [], snapshots: [snapshot] } };
}

export const REFRESHES: Readonly<Record<string, Init>> = {
  "somebody asks for a refresh": { observed: { requests: [REFRESH], sources } },
  "somebody asks for a refresh of nothing": { observed: { requests: [REFRESH] } },
  "its source is being restored": {
    observed: {
      requests: [REFRESH],
      sources: new Map([["live", aSource({ status: { phase: "Restoring" } })]]),
    },
  },
  "the instance is being copied, and a restore is asked for": {
    observed: {
      requests: [RESTORE],
      copiedBy: [aRefreshJob({ status: { phase: "Running", progress: { step: "database" } } })],
    },
  },
  "its database is copied": refreshing("database", { state: "succeeded", message: '{"ok": true}' }),
  "its snapshot is ready": snapshotting({ readyToUse: true }),
  "its snapshot cannot be taken": snapshotting({ error: { message: "the array is full" } }),
  "its files are copied": refreshing("files", { state: "succeeded", message: '{"ok": true}' }),
  "its source has refused": refreshing("database", { state: "failed", message: "password authentication failed" }),
};
