/** Condition FilestoreMigrated: of instances whose files were ever to be moved. */
import { conditionOf, type ConditionState } from "../../kit/conditions.ts";
import type { Phase } from "../crd/mod.ts";
import { endingProblem } from "../model/pods/ending_pods.ts";
import {
  filestoreOperation,
  filestoreOutcome,
  type FilestoreStep,
  filestoreStep,
  isRefused,
  migrationObstacle,
  wantedStorageClass,
} from "../model/operations/migration/filestore_migration.ts";
import { filestoreClaimName } from "../model/names.ts";
import { podProblem } from "../model/pods/pods.ts";
import type { World } from "../model/world.ts";

const RETRY = "Correct that, or set spec.filestore.storageClass back and then to the new class again";

/** Whether the files are on the storage class that the spec wants, and why not. */
export function filestoreMigrated(
  world: World,
  phase: Phase,
): Omit<ConditionState, "observedGeneration"> | undefined {
  const type = "FilestoreMigrated";
  const step = filestoreStep(filestoreOperation(world, phase));
  if (step) return { type, ...progress(world, step) };
  if (filestoreStep(world.status.operation)) return { type, ...end(world) };
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
  const { filestore, formerFilestore } = world.observed;
  return { type, ...inPlace(filestore.spec?.storageClassName, formerFilestore?.metadata.name) };
}

type Facts = Pick<ConditionState, "status" | "reason" | "message">;

function progress(world: World, step: FilestoreStep): Facts {
  const message = step === "copyFiles"
    ? "Step 1 of 2: the files are copied while they are served"
    : "Step 2 of 2: no pod runs while the files are compared";
  const trouble = podProblem(world, "job") ?? endingProblem(world);
  return { status: "Unknown", reason: "Migrating", message: trouble ? `${message}. ${trouble.message}` : message };
}

function end(world: World): Facts {
  const outcome = filestoreOutcome(world);
  const stay = "The files stay where they are";
  switch (outcome.state) {
    case "failed":
      return { status: "False", reason: outcome.reason, message: `${stay}. ${outcome.message}. ${RETRY}` };
    case "succeeded":
      return inPlace(world.status.filestore?.storageClass, filestoreClaimName(world.instance));
    default:
      return { status: "True", reason: "Withdrawn", message: `${stay}, as the spec wants it now` };
  }
}

function inPlace(storageClass: string | undefined, former: string | undefined): Facts {
  const more = former ? `. PersistentVolumeClaim ${former} is deleted when they are served from there` : "";
  return { status: "True", reason: "InPlace", message: `The files are on storage class ${storageClass}${more}` };
}
