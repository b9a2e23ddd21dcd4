/** OdooBackupJob: one backup of an instance, to an S3 bucket. */
import { z } from "zod";
import type { ManifestOf } from "../../kit/crd.ts";
import type { KubeObject } from "../../kit/types.ts";
import { JOB_STATUS_DESCRIPTION, jobCrd, jobNameField, jobStatusFields, odooInstanceRef } from "./job.ts";
import { backupFormat, s3Location } from "./s3_location.ts";
import { webhookConfig } from "./shared.ts";

const spec = z.object({
  odooInstanceRef,
  destination: s3Location.describe("Object in an S3 bucket that the backup is written to."),
  format: backupFormat.default("zip").describe(
    "Format of the backup. zip: database and files, as written by Odoo's database manager. sql: the database as SQL text. dump: the database in the custom format of pg_dump. Default: zip.",
  ),
  withFilestore: z.boolean().default(true).describe(
    "True: a zip also contains the attachments; the other formats never contain them. Default: true.",
  ),
  webhook: webhookConfig.nullish().describe("Webhook that is notified when the job has completed or failed."),
}).describe("Desired backup. The job runs once; later changes have no effect.");

const status = z.object({ ...jobStatusFields, ...jobNameField }).describe(JOB_STATUS_DESCRIPTION);

export const ODOO_BACKUP_JOB_CRD = jobCrd({
  kind: "OdooBackupJob",
  shortName: "backupjob",
  description: "Backs up the database and the files of an OdooInstance to an S3 bucket.",
  column: { name: "Format", jsonPath: ".spec.format" },
  spec,
  status,
});

export type OdooBackupJobSpec = ManifestOf<typeof spec>;
export type OdooBackupJobStatus = ManifestOf<typeof status>;

/** An OdooBackupJob as the API server stores it. */
export interface OdooBackupJob extends KubeObject {
  readonly kind?: "OdooBackupJob";
  readonly spec: OdooBackupJobSpec;
  readonly status?: OdooBackupJobStatus | null;
}
