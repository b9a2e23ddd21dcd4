/** Parts that the five job kinds share: reference to the instance, status, columns, selectable fields. */
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

/** Fields that clients can filter jobs by on the API server. */
const SELECTABLE_FIELDS = [".spec.odooInstanceRef.name", ".status.phase"] as const;

export const odooInstanceRef = z.object({
  name: z.string().describe("Name of the OdooInstance."),
  namespace: z.string().nullish().describe("Namespace of the OdooInstance. Default: the namespace of this object."),
}).describe("OdooInstance that the job runs for.");

/** The phases of every job kind. */
export const jobPhase = z.enum(["Pending", "Running", "Completed", "Failed"]);

/** The phase of a job. */
export type JobPhase = z.infer<typeof jobPhase>;

const progress = z.object({
  step: z.string().optional().describe("Name of the current step, such as dumping or uploading."),
  done: z.int().optional().describe("Amount of the step that is done, in unit."),
  total: z.int().optional().describe("Total amount of the step, in unit. Absent: not known."),
  unit: z.string().optional().describe("Unit of done and total, such as bytes, files or modules."),
  updatedAt: z.string().meta(kubernetes({ format: "date-time" })).optional().describe(
    "When the progress was last reported, in RFC 3339.",
  ),
});

/** Status fields of every job kind. Their times have the format of operator 2.5.0, which is not RFC 3339. */
export const jobStatusFields = {
  phase: jobPhase.nullish().describe("Current phase of the job. Absent: the operator has not reconciled it yet."),
  startTime: z.string().nullish().describe("When the job started: YYYY-MM-DD HH:MM:SS in UTC."),
  completionTime: z.string().nullish().describe("When the job completed or failed: YYYY-MM-DD HH:MM:SS in UTC."),
  message: z.string().nullish().describe("Why the job failed, or what it waits for."),
  conditions: z.array(conditionSchema).optional().describe("Conditions of the job, each with a reason."),
  observedGeneration: z.int().optional().describe("Value of metadata.generation at the last reconcile."),
  progress: progress.optional().describe("Progress of the job while it runs."),
  summary: z.looseObject({}).optional().describe("Result of the job: counts, sizes, checksums."),
  logTail: z.string().optional().describe("Last lines of the log of the job, recorded if it failed."),
};

/** `status.jobName`: the Job that runs now or ran last. */
export const jobNameField = {
  jobName: z.string().nullish().describe("Name of the batch/v1 Job that runs the work."),
};

const jobStatus = z.object({ ...jobStatusFields, ...jobNameField });

/** What the status of every job kind can hold. */
export type JobRequestStatus = ManifestOf<typeof jobStatus>;

export const JOB_STATUS_DESCRIPTION = "Observed state of the job. Only the operator writes it.";

/** The parts of a CRD in which the job kinds differ. */
export interface JobKind extends Pick<CrdVersion, "spec" | "status"> {
  readonly kind: Exclude<Kind, "OdooInstance">;
  readonly shortName: string;
  readonly description: string;
  /** The column between Target and Phase. */
  readonly column?: PrinterColumn;
  /** False for kinds that never had the version of {@linkcode legacyVersion}. @default {true} */
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
