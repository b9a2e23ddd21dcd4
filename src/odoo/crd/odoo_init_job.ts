/** OdooInitJob: creates the database of an instance and installs its first modules, once. */
import { z } from "zod";
import { customResourceDefinition, type ManifestOf } from "../../kit/crd.ts";
import type { KubeObject } from "../../kit/types.ts";
import { condition } from "./core.ts";
import {
  AGE_COLUMN,
  GROUP,
  JOB_SELECTABLE_FIELDS,
  jobPhase,
  KEEP_ON_UNINSTALL,
  legacyVersion,
  odooInstanceRef,
  PHASE_COLUMN,
  TARGET_COLUMN,
  VERSION,
  webhookConfig,
} from "./shared.ts";

const spec = z.object({
  odooInstanceRef,
  modules: z.array(z.string()).default(["base"])
    .describe("Technical names of the modules to install. Default, also for an empty list: base."),
  demo: z.boolean().default(false).describe("True: demo data is loaded too. Default false."),
  languages: z.array(z.string()).nullish().describe("Languages to load, such as fr_CA. Default: only English."),
  webhook: webhookConfig.nullish().describe("Who is told when the job has completed or failed."),
}).describe("What is installed, and where. The job runs once; later changes have no effect.");

const status = z.object({
  phase: jobPhase.nullish().describe("Where the job stands. Absent: not started yet."),
  jobName: z.string().nullish().describe("Name of the batch/v1 Job that does the work."),
  startTime: z.string().nullish().describe("When the work began: YYYY-MM-DD HH:MM:SS in UTC."),
  completionTime: z.string().nullish().describe("When the work ended, well or badly: YYYY-MM-DD HH:MM:SS in UTC."),
  message: z.string().nullish().describe("Why the job failed, or what it waits for."),
  conditions: z.array(condition).optional().describe("Facts about the job, each with its reason."),
  observedGeneration: z.int().optional().describe("metadata.generation that the operator has last acted on."),
}).describe("What the operator has done so far. Written by the operator only.");

const printerColumns = [TARGET_COLUMN, PHASE_COLUMN, AGE_COLUMN];

export const ODOO_INIT_JOB_CRD = customResourceDefinition({
  group: GROUP,
  kind: "OdooInitJob",
  plural: "odooinitjobs",
  shortNames: ["initjob"],
  annotations: KEEP_ON_UNINSTALL,
  versions: [legacyVersion({ printerColumns }), {
    name: VERSION,
    description: "Creates the database of an OdooInstance and installs its first modules.",
    spec,
    status,
    printerColumns,
    selectableFields: JOB_SELECTABLE_FIELDS,
  }],
});

export type OdooInitJobSpec = ManifestOf<typeof spec>;
export type OdooInitJobStatus = ManifestOf<typeof status>;

/** An OdooInitJob as the API server stores it. */
export interface OdooInitJob extends KubeObject {
  readonly spec: OdooInitJobSpec;
  readonly status?: OdooInitJobStatus | null;
}
