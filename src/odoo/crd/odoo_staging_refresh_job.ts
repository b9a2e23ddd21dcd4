/** OdooStagingRefreshJob: replaces the data of a staging instance with a copy of the data of another instance. */
import { z } from "zod";
import type { ManifestOf } from "../../kit/crd.ts";
import type { KubeObject } from "../../kit/types.ts";
import { JOB_STATUS_DESCRIPTION, jobCrd, jobNameField, jobPhase, jobStatusFields, odooInstanceRef } from "./job.ts";
import { webhookConfig } from "./shared.ts";

const spec = z.object({
  odooInstanceRef,
  source: z.object({
    instanceName: z.string().describe("Name of the OdooInstance whose data is copied."),
    instanceNamespace: z.string().nullish().describe(
      "Namespace of that OdooInstance; it must be the namespace of this object. Default: the namespace of this object.",
    ),
  }).describe("OdooInstance whose data is copied. It keeps running."),
  filestoreMethod: z.enum(["auto", "snapshot", "copy"]).default("auto").describe(
    "How the files are copied. snapshot: from a VolumeSnapshot. copy: file by file from the volume. auto: from a VolumeSnapshot if the storage supports it, otherwise file by file. Default: auto.",
  ),
  skipFilestore: z.boolean().default(false).describe("True: only the database is copied. Default: false."),
  neutralize: z.boolean().default(true).describe(
    "True: mail servers, scheduled actions and payment providers are disabled in the copy. Default: true.",
  ),
  webhook: webhookConfig.nullish().describe("Webhook that is notified when the job has completed or failed."),
}).describe("Desired refresh. The job runs once; later changes have no effect.");

function stageJob(work: string) {
  return z.string().nullish().describe(`Name of the batch/v1 Job that ${work}.`);
}

function stagePhase(work: string) {
  return jobPhase.nullish().describe(`Phase of the Job that ${work}.`);
}

const status = z.object({
  ...jobStatusFields,
  ...jobNameField,
  dbJobName: stageJob("copies the database"),
  dbJobPhase: stagePhase("copies the database"),
  filestoreJobName: stageJob("copies the files"),
  filestoreJobPhase: stagePhase("copies the files"),
  filestorePhase: jobPhase.nullish().describe("Phase of the copy of the files, for each filestoreMethod."),
  neutralizeJobName: stageJob("neutralizes the copy"),
  neutralizeJobPhase: stagePhase("neutralizes the copy"),
  neutralizeJobImageHash: z.string().nullish().describe(
    "First 16 hexadecimal digits of the SHA-256 of the image that neutralizes the copy. If it failed, another image causes another attempt.",
  ),
  tempDbName: z.string().nullish().describe(
    "Name of the database that the copy is prepared in, before it is swapped with the live database.",
  ),
  sourceSnapshot: z.string().nullish().describe("Name of the VolumeSnapshot of the files of the source."),
  rollbackSnapshot: z.string().nullish().describe("Name of the VolumeSnapshot of the files that were replaced."),
}).describe(JOB_STATUS_DESCRIPTION);

export const ODOO_STAGING_REFRESH_JOB_CRD = jobCrd({
  kind: "OdooStagingRefreshJob",
  shortName: "staging-refresh",
  description: "Replaces the data of a staging OdooInstance with a copy of the data of another OdooInstance.",
  column: { name: "Source", jsonPath: ".spec.source.instanceName" },
  hasLegacyVersion: false,
  spec,
  status,
});

export type OdooStagingRefreshJobSpec = ManifestOf<typeof spec>;
export type OdooStagingRefreshJobStatus = ManifestOf<typeof status>;

/** An OdooStagingRefreshJob as the API server stores it. */
export interface OdooStagingRefreshJob extends KubeObject {
  readonly kind?: "OdooStagingRefreshJob";
  readonly spec: OdooStagingRefreshJobSpec;
  readonly status?: OdooStagingRefreshJobStatus | null;
}
