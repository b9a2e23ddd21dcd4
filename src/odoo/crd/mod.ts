/**
 * The custom resources: schemas for the API server, and the TypeScript types that follow from them.
 * The rest of src imports this folder by `import type` only; the values are for tools and tests.
 */
import type { CustomResourceDefinition } from "../../kit/crd.ts";
import { ODOO_INIT_JOB_CRD } from "./odoo_init_job.ts";
import { ODOO_INSTANCE_CRD } from "./odoo_instance.ts";

export type { OdooInitJob, OdooInitJobSpec, OdooInitJobStatus } from "./odoo_init_job.ts";
export type { OdooInstance, OdooInstanceSpec, OdooInstanceStatus, OperationStatus, Phase } from "./odoo_instance.ts";
export type { JobPhase } from "./shared.ts";

/** Every CRD by the name of its file in crds/, which is its name in upstream's chart. */
export const ALL_CRDS: Readonly<Record<string, CustomResourceDefinition>> = {
  "odoo-crd": ODOO_INSTANCE_CRD,
  "initjob-crd": ODOO_INIT_JOB_CRD,
};
