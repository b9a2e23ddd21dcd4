/** OdooStagingRefreshJob: replaces the data of a staging instance by a copy of another instance's. */
import { z } from "zod";
import type { ManifestOf } from "../../kit/crd.ts";
import type { KubeObject } from "../../kit/types.ts";
import { JOB_STATUS_DESCRIPTION, jobCrd, jobNameField, jobPhase, jobStatusFields, odooInstanceRef } from "./job.ts";
import { webhookConfig } from "./shared.ts";

const spec = z.object({
  odooInstanceRef,
  source: z.object({
    instanceName: z.string().describe("Name of the OdooInstance that is copied."),
    instanceNamespace: z.string().nullish().describe("Its namespace; must be this one. Default: this one."),
  }).describe("The OdooInstance that is copied; it keeps running."),
  filestoreMethod: z.enum(["auto", "snapshot", "copy"]).default("auto").describe(
    "How the files are copied. snapshot: by a VolumeSnapshot. copy: file by file. auto (default): by a snapshot where the storage can do that.",
  ),
  skipFilestore: z.boolean().default(false).describe("True: only the database is copied. Default false."),
  neutralize: z.boolean().default(true).describe(
    "True: mail servers, scheduled actions and payment are switched off in the copy. Default true.",
  ),
  webhook: webhookConfig.nullish().describe("Who is told when the job has completed or failed."),
}).describe("What is copied, and where to. The job runs once; later changes have no effect.");

function stageJob(work: string) {
  return z.string().nullish().describe(`Name of the batch/v1 Job that ${work}.`);
}

function stagePhase(work: string) {
  return jobPhase.nullish().describe(`How the Job that ${work} has ended.`);
}

const status = z.object({
  ...jobStatusFields,
  ...jobNameField,
  dbJobName: stageJob("copies the database"),
  dbJobPhase: stagePhase("copies the database"),
  filestoreJobName: stageJob("copies the files"),
  filestoreJobPhase: stagePhase("copies the files"),
  filestorePhase: jobPhase.nullish().describe("Where the copy of the files stands, whatever the method."),
  neutralizeJobName: stageJob("neutralizes the copy"),
  neutralizeJobPhase: stagePhase("neutralizes the copy"),
  neutralizeJobImageHash: z.string().nullish().describe(
    "First 16 digits of the SHA-256 of the image that neutralizes the copy; another image means another attempt.",
  ),
  tempDbName: z.string().nullish().describe(
    "Database that the copy is built in, before it takes the place of the old.",
  ),
  sourceSnapshot: z.string().nullish().describe("VolumeSnapshot of the source's files."),
  rollbackSnapshot: z.string().nullish().describe("VolumeSnapshot of the files that were replaced."),
}).describe(JOB_STATUS_DESCRIPTION);

export const ODOO_STAGING_REFRESH_JOB_CRD = jobCrd({
  kind: "OdooStagingRefreshJob",
  shortName: "staging-refresh",
  description: "Replaces the data of a staging OdooInstance by a copy of another instance's.",
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
