/** OdooUpgradeJob: updates and installs modules in the database of an instance, now or at a given time. */
import { z } from "zod";
import type { ManifestOf } from "../../kit/crd.ts";
import type { KubeObject } from "../../kit/types.ts";
import { JOB_STATUS_DESCRIPTION, jobCrd, jobNameField, jobStatusFields, odooInstanceRef } from "./job.ts";
import { webhookConfig } from "./shared.ts";

const spec = z.object({
  odooInstanceRef,
  modules: z.array(z.string()).optional().describe(
    "Technical names of the Odoo modules to update. base updates all installed modules.",
  ),
  modulesInstall: z.array(z.string()).optional().describe("Technical names of the Odoo modules to install."),
  scheduledTime: z.string().nullish().describe(
    "When the upgrade starts, in RFC 3339, such as 2026-11-21T02:00:00Z. Default: as soon as possible.",
  ),
  webhook: webhookConfig.nullish().describe("Webhook that is notified when the job has completed or failed."),
}).describe("Desired upgrade. The job runs once; changes after its start have no effect.");

const status = z.object({
  ...jobStatusFields,
  ...jobNameField,
  originalReplicas: z.int32().default(0).describe(
    "Not used. It is in the schema because objects of operator 2.5.0 contain it.",
  ),
}).describe(JOB_STATUS_DESCRIPTION);

export const ODOO_UPGRADE_JOB_CRD = jobCrd({
  kind: "OdooUpgradeJob",
  shortName: "upgradejob",
  description: "Updates and installs modules in the database of an OdooInstance.",
  spec,
  status,
});

export type OdooUpgradeJobSpec = ManifestOf<typeof spec>;
export type OdooUpgradeJobStatus = ManifestOf<typeof status>;

/** An OdooUpgradeJob as the API server stores it. */
export interface OdooUpgradeJob extends KubeObject {
  readonly kind?: "OdooUpgradeJob";
  readonly spec: OdooUpgradeJobSpec;
  readonly status?: OdooUpgradeJobStatus | null;
}
