/** OdooRestoreJob: replaces the database and the files of an instance by a backup, or by those of another Odoo. */
import { z } from "zod";
import { kubernetes, type ManifestOf } from "../../kit/crd.ts";
import type { KubeObject } from "../../kit/types.ts";
import { JOB_STATUS_DESCRIPTION, jobCrd, jobNameField, jobStatusFields, odooInstanceRef } from "./job.ts";
import { backupFormat, s3Location } from "./s3_location.ts";
import { ratcheting, webhookConfig } from "./shared.ts";

const source = z.object({
  type: z.enum(["s3", "odoo"]).describe("s3: a backup in a bucket, see s3. odoo: a running Odoo, see odoo."),
  s3: s3Location.nullish().describe("Where the backup is, for type s3."),
  odoo: z.object({
    url: z.string().describe("Address of the other Odoo, such as https://old.example.com."),
    sourceDatabase: z.string().nullish().describe("Name of its database. Default: the only one it has."),
    masterPassword: z.string().nullish().describe(
      "Master password of its database manager, in plain text. Anyone who may read this object reads it.",
    ),
  }).nullish().describe("The other Odoo, for type odoo; its database manager must be open."),
});

const spec = z.object({
  odooInstanceRef,
  source: source.describe("What the instance's data is replaced by.").meta(kubernetes({
    rules: [
      ratcheting(
        "self.type != 's3' || has(self.s3)",
        "source.s3 is missing: with source.type s3, say there which bucket and object hold the backup",
      ),
      ratcheting(
        "self.type != 'odoo' || has(self.odoo)",
        "source.odoo is missing: with source.type odoo, say there the url of the Odoo to copy from",
      ),
    ],
  })),
  format: backupFormat.default("zip").describe("Form of the backup, as in OdooBackupJob. Default zip."),
  neutralize: z.boolean().default(true).describe(
    "True: mail servers, scheduled actions and payment are switched off in the copy. Default true.",
  ),
  webhook: webhookConfig.nullish().describe("Who is told when the job has completed or failed."),
}).describe("What is restored, and where. The job runs once; later changes have no effect.");

const status = z.object({ ...jobStatusFields, ...jobNameField }).describe(JOB_STATUS_DESCRIPTION);

export const ODOO_RESTORE_JOB_CRD = jobCrd({
  kind: "OdooRestoreJob",
  shortName: "restore",
  description: "Replaces the database and the files of an OdooInstance by those of a backup or of another Odoo.",
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
