/**
 * The custom resources: schemas for the API server, and the TypeScript types that follow from them.
 * The rest of src imports this folder with `import type` only; the values are for tools and tests.
 */
import type { CustomResourceDefinition } from "../../kit/crd.ts";
import { ODOO_BACKUP_JOB_CRD, type OdooBackupJob } from "./odoo_backup_job.ts";
import { ODOO_INIT_JOB_CRD, type OdooInitJob } from "./odoo_init_job.ts";
import { ODOO_INSTANCE_CRD } from "./odoo_instance.ts";
import { ODOO_RESTORE_JOB_CRD, type OdooRestoreJob } from "./odoo_restore_job.ts";
import { ODOO_STAGING_REFRESH_JOB_CRD, type OdooStagingRefreshJob } from "./odoo_staging_refresh_job.ts";
import { ODOO_UPGRADE_JOB_CRD, type OdooUpgradeJob } from "./odoo_upgrade_job.ts";

export type { JobPhase, JobRequestStatus } from "./job.ts";
export type { OdooBackupJob, OdooBackupJobSpec, OdooBackupJobStatus } from "./odoo_backup_job.ts";
export type { OdooInitJob, OdooInitJobSpec, OdooInitJobStatus } from "./odoo_init_job.ts";
export type {
  FilestorePlace,
  OdooInstance,
  OdooInstanceSpec,
  OdooInstanceStatus,
  OperationStatus,
  PendingNotification,
  Phase,
} from "./odoo_instance.ts";
export type { OdooRestoreJob, OdooRestoreJobSpec, OdooRestoreJobStatus } from "./odoo_restore_job.ts";
export type {
  OdooStagingRefreshJob,
  OdooStagingRefreshJobSpec,
  OdooStagingRefreshJobStatus,
} from "./odoo_staging_refresh_job.ts";
export type { OdooUpgradeJob, OdooUpgradeJobSpec, OdooUpgradeJobStatus } from "./odoo_upgrade_job.ts";
export type { BackupFormat } from "./s3_location.ts";

/** A job custom resource: a request for an operation on an instance. */
export type JobRequest = OdooInitJob | OdooBackupJob | OdooRestoreJob | OdooUpgradeJob | OdooStagingRefreshJob;

/** The kinds of {@linkcode JobRequest}. */
export type RequestKind = NonNullable<JobRequest["kind"]>;

/** Every CRD by the name of its file in crds/, which is the name in the chart of operator 2.5.0. */
export const ALL_CRDS: Readonly<Record<string, CustomResourceDefinition>> = {
  "odoo-crd": ODOO_INSTANCE_CRD,
  "initjob-crd": ODOO_INIT_JOB_CRD,
  "backupjob-crd": ODOO_BACKUP_JOB_CRD,
  "restorejob-crd": ODOO_RESTORE_JOB_CRD,
  "upgradejob-crd": ODOO_UPGRADE_JOB_CRD,
  "stagingrefreshjob-crd": ODOO_STAGING_REFRESH_JOB_CRD,
};
