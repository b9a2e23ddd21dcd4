/** Condition FilestoreMigrated: of instances whose files were ever to be moved. */
import { conditionOf, type ConditionState } from "../../../kit/conditions.ts";
import type { Assessment } from "../../model/assessment.ts";
import { filestoreClaimName } from "../../model/names.ts";
import {
  type FilestoreStep,
  filestoreStep,
  stepOfPhase,
} from "../../model/operations/migration/filestore_migration.ts";

const TYPE = "FilestoreMigrated";
const RETRY = "Correct that, or set spec.filestore.storageClass back and then to the new class again";

/** Whether the files are on the storage class that the spec names, and why not. */
export function filestoreCondition(assessment: Assessment): ConditionState | undefined {
  const facts = factsOf(assessment);
  return facts && { type: TYPE, ...facts, observedGeneration: assessment.instance.metadata.generation ?? 0 };
}

type Facts = Pick<ConditionState, "status" | "reason" | "message">;

function factsOf(assessment: Assessment): Facts | undefined {
  const { status, observed, migrations: { filestore: request } } = assessment;
  const step = stepOfPhase(assessment.nextPhase);
  if (step) return progress(assessment, step);
  if (filestoreStep(status.operation)) return end(assessment);
  const former = conditionOf(status.conditions, TYPE);
  if (request.target && status.dbInitialized) {
    if (!request.isRefused) {
      const message = request.obstacle?.message ?? `The files are to be moved to storage class ${request.target}`;
      return { status: "Unknown", reason: "MigrationWaiting", message };
    }
    const { reason, message } = former ??
      { reason: "Failed", message: `Storage class ${request.target} was tried: ${RETRY}` };
    return { status: "False", reason, message };
  }
  if (!former) return undefined;
  const { filestore, formerFilestore } = observed;
  if (!filestore) return { status: former.status, reason: former.reason, message: former.message };
  return inPlace(filestore.spec?.storageClassName, formerFilestore?.metadata.name);
}

function progress({ facts }: Assessment, step: FilestoreStep): Facts {
  const message = step === "copyFiles"
    ? "Step 1 of 2: the files are copied while they are served"
    : "Step 2 of 2: no pod runs while the files are compared";
  const trouble = facts.podProblems.job ?? facts.endingProblem;
  return { status: "Unknown", reason: "Migrating", message: trouble ? `${message}. ${trouble.message}` : message };
}

function end({ migration: outcome, status, instance }: Assessment): Facts {
  const stay = "The files stay where they are";
  switch (outcome.state) {
    case "failed":
      return { status: "False", reason: outcome.reason, message: `${stay}. ${outcome.message}. ${RETRY}` };
    case "succeeded":
      return inPlace(status.filestore?.storageClass, filestoreClaimName(instance));
    default:
      return { status: "True", reason: "Withdrawn", message: `${stay}, as the spec says now` };
  }
}

function inPlace(storageClass: string | undefined, former: string | undefined): Facts {
  const more = former ? `. PersistentVolumeClaim ${former} is deleted when they are served from there` : "";
  return { status: "True", reason: "InPlace", message: `The files are on storage class ${storageClass}${more}` };
}
