/** OdooBackupJob: one backup of an instance, to an S3 bucket. */
import { z } from "zod";
import type { ManifestOf } from "../../kit/crd.ts";
import type { KubeObject } from "../../kit/types.ts";
import { JOB_STATUS_DESCRIPTION, jobCrd, jobNameField, jobStatusFields, odooInstanceRef } from "./job.ts";
import { backupFormat, s3Location } from "./s3_location.ts";
import { webhookConfig } from "./shared.ts";

const spec = z.object({
  odooInstanceRef,
  destination: s3Location.describe("Where the backup goes."),
  format: backupFormat.default("zip").describe(
    "zip (default): database and files, as Odoo's database manager writes it. sql: the database as SQL text. dump: the database in pg_dump's custom format.",
  ),
  withFilestore: z.boolean().default(true).describe(
    "True: a zip also holds the attachments. Other formats never do. Default true.",
  ),
  webhook: webhookConfig.nullish().describe("Who is told when the job has completed or failed."),
}).describe("What is saved, and where to. The job runs once; later changes have no effect.");

const status = z.object({ ...jobStatusFields, ...jobNameField }).describe(JOB_STATUS_DESCRIPTION);

export const ODOO_BACKUP_JOB_CRD = jobCrd({
  kind: "OdooBackupJob",
  shortName: "backupjob",
  description: "Saves the database and the files of an OdooInstance to an S3 bucket.",
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
