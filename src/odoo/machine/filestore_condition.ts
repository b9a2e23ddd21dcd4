/** Condition FilestoreMigrated: of instances whose files were ever to be moved. */
import { conditionOf, type ConditionState } from "../../kit/conditions.ts";
import {
  filestoreOutcome,
  filestoreStep,
  isRefused,
  migrationObstacle,
  wantedStorageClass,
} from "../model/filestore_migration.ts";
import { podProblem } from "../model/pods.ts";
import type { World } from "../model/world.ts";

const RETRY = "Correct that, or set spec.filestore.storageClass back and then to the new class again";

/** Whether the files are on the storage class that the spec wants, and why not. */
export function filestoreMigrated(world: World): Omit<ConditionState, "observedGeneration"> | undefined {
  const type = "FilestoreMigrated";
  if (filestoreStep(world.status.operation)) return { type, ...progress(world) };
  const former = conditionOf(world.status.conditions, type);
  const wish = wantedStorageClass(world);
  if (wish && world.status.dbInitialized) {
    if (isRefused(world)) {
      const { reason, message } = former ?? { reason: "Failed", message: `Storage class ${wish} was tried: ${RETRY}` };
      return { type, status: "False", reason, message };
    }
    const message = migrationObstacle(world) ?? `The files are to be moved to storage class ${wish}`;
    return { type, status: "Unknown", reason: "MigrationWaiting", message };
  }
  if (!former) return undefined;
  if (!world.observed.filestore) return { type, status: former.status, reason: former.reason, message: former.message };
  const { former: left } = world.status.filestore ?? {};
  const storageClass = world.observed.filestore.spec?.storageClassName;
  const more = left ? `. PersistentVolumeClaim ${left} is deleted when they are served from there` : "";
  return { type, status: "True", reason: "InPlace", message: `The files are on storage class ${storageClass}${more}` };
}

function progress(world: World): Pick<ConditionState, "status" | "reason" | "message"> {
  const { operation, filestore } = world.status;
  const outcome = filestoreOutcome(world);
  switch (outcome.state) {
    case "failed":
      return {
        status: "False",
        reason: outcome.reason,
        message: `The files stay where they are. ${outcome.message}. ${RETRY}`,
      };
    case "succeeded":
      return {
        status: "True",
        reason: "InPlace",
        message: `The files are on storage class ${filestore?.storageClass}`,
      };
    case "cancelled":
      return {
        status: "True",
        reason: "Withdrawn",
        message: "The files stay where they are, as the spec wants it now",
      };
    default: {
      const step = filestoreStep(operation) === "copyFiles"
        ? "Step 1 of 2: the files are copied while they are served"
        : "Step 2 of 2: no pod runs while the files are compared";
      const trouble = podProblem(world, "job");
      return { status: "Unknown", reason: "Migrating", message: trouble ? `${step}. ${trouble.message}` : step };
    }
  }
}
