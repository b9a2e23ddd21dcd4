/** OdooRestoreJob: replaces the database and the files of an instance with a backup, or with those of another Odoo. */
import { z } from "zod";
import { kubernetes, type ManifestOf } from "../../kit/crd.ts";
import type { KubeObject } from "../../kit/types.ts";
import { JOB_STATUS_DESCRIPTION, jobCrd, jobNameField, jobStatusFields, odooInstanceRef } from "./job.ts";
import { backupFormat, s3Location } from "./s3_location.ts";
import { ratcheting, webhookConfig } from "./shared.ts";

const source = z.object({
  type: z.enum(["s3", "odoo"]).describe(
    "s3: a backup in a bucket, described in source.s3. odoo: a running Odoo, described in source.odoo.",
  ),
  s3: s3Location.nullish().describe("Object in an S3 bucket that holds the backup, for type s3."),
  odoo: z.object({
    url: z.string().describe("URL of the other Odoo, such as https://old.example.com."),
    sourceDatabase: z.string().nullish().describe(
      "Name of the database of the other Odoo. Default: its only database.",
    ),
    masterPassword: z.string().nullish().describe(
      "Master password of the database manager of the other Odoo, in plain text. Every user who may read this object can read it.",
    ),
  }).nullish().describe("The other Odoo, for type odoo. Its database manager must be enabled."),
});

const spec = z.object({
  odooInstanceRef,
  source: source.describe("Source of the data that replaces the data of the instance.").meta(kubernetes({
    rules: [
      ratcheting(
        "self.type != 's3' || has(self.s3)",
        "source.s3 is missing: with source.type s3, set the bucket and the object key of the backup there",
      ),
      ratcheting(
        "self.type != 'odoo' || has(self.odoo)",
        "source.odoo is missing: with source.type odoo, set the url of the Odoo to copy from there",
      ),
    ],
  })),
  format: backupFormat.default("zip").describe(
    "Format of the backup: zip, sql or dump, as in OdooBackupJob. Default: zip.",
  ),
  neutralize: z.boolean().default(true).describe(
    "True: mail servers, scheduled actions and payment providers are disabled in the restored database. Default: true.",
  ),
  webhook: webhookConfig.nullish().describe("Webhook that is notified when the job has completed or failed."),
}).describe("Desired restore. The job runs once; later changes have no effect.");

const status = z.object({ ...jobStatusFields, ...jobNameField }).describe(JOB_STATUS_DESCRIPTION);

export const ODOO_RESTORE_JOB_CRD = jobCrd({
  kind: "OdooRestoreJob",
  shortName: "restore",
  description: "Replaces the database and the files of an OdooInstance with those of a backup or of another Odoo.",
  column: { name: "Source", jsonPath: ".spec.source.type" },
  spec,
  status,
});

export type OdooRestoreJobSpec = ManifestOf<typeof spec>;
export type OdooRestoreJobStatus = ManifestOf<typeof status>;

/** An OdooRestoreJob as the API server stores it. */
export interface OdooRestoreJob extends KubeObject {
  readonly kind?: "OdooRestoreJob";
  readonly spec: OdooRestoreJobSpec;
  readonly status?: OdooRestoreJobStatus | null;
}
