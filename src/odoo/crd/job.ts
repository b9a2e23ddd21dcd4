/** What the five job kinds have in common: whom they work on, how they report, how they are listed and selected. */
import { z } from "zod";
import {
  conditionSchema,
  type CrdVersion,
  type CustomResourceDefinition,
  customResourceDefinition,
  kubernetes,
  type ManifestOf,
  type PrinterColumn,
} from "../../kit/crd.ts";
import { GROUP, type Kind, PLURALS, VERSION } from "../api.ts";
import { AGE_COLUMN, KEEP_ON_UNINSTALL, legacyVersion, PHASE_COLUMN } from "./shared.ts";

const TARGET_COLUMN: PrinterColumn = { name: "Target", jsonPath: ".spec.odooInstanceRef.name" };

/** What the operator and its users filter jobs by on the server. */
const SELECTABLE_FIELDS = [".spec.odooInstanceRef.name", ".status.phase"] as const;

export const odooInstanceRef = z.object({
  name: z.string().describe("Name of the OdooInstance."),
  namespace: z.string().nullish().describe("Namespace of the OdooInstance. Default: the namespace of this object."),
}).describe("The OdooInstance that this job works on.");

/** The phases of every job kind. */
export const jobPhase = z.enum(["Pending", "Running", "Completed", "Failed"]);

/** Where a job stands. */
export type JobPhase = z.infer<typeof jobPhase>;

const progress = z.object({
  step: z.string().optional().describe("What is being done, such as dumping or uploading."),
  done: z.int().optional().describe("How much of this step is done, counted in unit."),
  total: z.int().optional().describe("How much there is to do in this step. Absent: not known."),
  unit: z.string().optional().describe("What done and total count, such as bytes, files or modules."),
  updatedAt: z.string().meta(kubernetes({ format: "date-time" })).optional().describe("When this was last true."),
});

/** Status fields of every job kind. Times are written as upstream writes them, which is not RFC 3339. */
export const jobStatusFields = {
  phase: jobPhase.nullish().describe("Where the job stands. Absent: not started yet."),
  startTime: z.string().nullish().describe("When the work began: YYYY-MM-DD HH:MM:SS in UTC."),
  completionTime: z.string().nullish().describe("When the work ended, well or badly: YYYY-MM-DD HH:MM:SS in UTC."),
  message: z.string().nullish().describe("Why the job failed, or what it waits for."),
  conditions: z.array(conditionSchema).optional().describe("Facts about the job, each with its reason."),
  observedGeneration: z.int().optional().describe("metadata.generation that the operator has last acted on."),
  progress: progress.optional().describe("How far the work is, while it runs."),
  summary: z.looseObject({}).optional().describe("What the work found and left behind: counts, sizes, checksums."),
  logTail: z.string().optional().describe("Last lines of the job's log, kept when it has failed."),
};

/** `status.jobName`, for the kinds whose work is one Job. */
export const jobNameField = {
  jobName: z.string().nullish().describe("Name of the batch/v1 Job that does the work."),
};

const jobStatus = z.object({ ...jobStatusFields, ...jobNameField });

/** What the status of every job kind can hold. */
export type JobRequestStatus = ManifestOf<typeof jobStatus>;

export const JOB_STATUS_DESCRIPTION = "What the operator has done so far. Written by the operator only.";

/** What differs from one job kind to the next. */
export interface JobKind extends Pick<CrdVersion, "spec" | "status"> {
  readonly kind: Exclude<Kind, "OdooInstance">;
  readonly shortName: string;
  readonly description: string;
  /** The column between Target and Phase. */
  readonly column?: PrinterColumn;
  /** False for kinds that are younger than {@linkcode legacyVersion}. @default {true} */
  readonly hasLegacyVersion?: boolean;
}

/** The CRD of a job kind. */
export function jobCrd(
  { kind, shortName, column, hasLegacyVersion = true, ...version }: JobKind,
): CustomResourceDefinition {
  const printerColumns = [TARGET_COLUMN, ...(column ? [column] : []), PHASE_COLUMN, AGE_COLUMN];
  return customResourceDefinition({
    group: GROUP,
    kind,
    plural: PLURALS[kind],
    shortNames: [shortName],
    annotations: KEEP_ON_UNINSTALL,
    versions: [
      ...(hasLegacyVersion ? [legacyVersion({ printerColumns })] : []),
      { name: VERSION, ...version, printerColumns, selectableFields: SELECTABLE_FIELDS },
    ],
  });
}
