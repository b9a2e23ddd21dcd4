/** OdooInitJob: creates the database of an instance and installs its first modules, once. */
import { z } from "zod";
import type { ManifestOf } from "../../kit/crd.ts";
import type { KubeObject } from "../../kit/types.ts";
import { JOB_STATUS_DESCRIPTION, jobCrd, jobNameField, jobStatusFields, odooInstanceRef } from "./job.ts";
import { webhookConfig } from "./shared.ts";

const spec = z.object({
  odooInstanceRef,
  modules: z.array(z.string()).default(["base"])
    .describe("Technical names of the Odoo modules to install. Default, also for an empty list: base."),
  demo: z.boolean().default(false).describe("True: demo data is loaded. Default: false."),
  languages: z.array(z.string()).nullish().describe(
    "Codes of the languages to load, such as fr_CA. Default: only English.",
  ),
  webhook: webhookConfig.nullish().describe("Webhook that is notified when the job has completed or failed."),
}).describe("Desired content of the database. The job runs once; later changes have no effect.");

const status = z.object({ ...jobStatusFields, ...jobNameField }).describe(JOB_STATUS_DESCRIPTION);

export const ODOO_INIT_JOB_CRD = jobCrd({
  kind: "OdooInitJob",
  shortName: "initjob",
  description: "Creates the database of an OdooInstance and installs its first modules.",
  spec,
  status,
});

export type OdooInitJobSpec = ManifestOf<typeof spec>;
export type OdooInitJobStatus = ManifestOf<typeof status>;

/** An OdooInitJob as the API server stores it. */
export interface OdooInitJob extends KubeObject {
  readonly kind?: "OdooInitJob";
  readonly spec: OdooInitJobSpec;
  readonly status?: OdooInitJobStatus | null;
}
