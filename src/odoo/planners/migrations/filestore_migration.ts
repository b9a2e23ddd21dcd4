/**
 * The move of files to another storage class: the new volume, its two Jobs, and the removal of the volume that is not needed
 * any more. A volume is deleted only when another one is served, or when it never was served.
 */
import type { Assessment } from "../../model/assessment.ts";
import { OUTCOME_FINALIZER } from "../../model/names.ts";
import { mustWait } from "../../model/operations/job_exclusion.ts";
import {
  filestoreFields,
  filestoreMigrationOutcome,
  filestoreMigrationRequest,
  filestoreOperation,
  filestoreStep,
  isForOnePod,
  stepJobNames,
} from "../../model/operations/migration/filestore_migration.ts";
import type { Effect } from "../../model/plan.ts";
import { jobStateOf, type Observed } from "../../model/world.ts";
import { copyFilesJob, filestoreCopyClaim } from "../../resources/mod.ts";
import { filestoreCondition } from "./filestore_condition.ts";
import type { Migration } from "./migration.ts";

/** The move of files to another storage class. */
export const filestoreMigration: Migration = {
  phases: ["MigratingFilestore", "FinalizingFilestoreMigration"],
  isInProgress: (operation) => filestoreStep(operation) !== undefined,
  outcome: filestoreMigrationOutcome,
  request: filestoreMigrationRequest,
  begin: filestoreOperation,
  advance: filestoreFields,
  condition: filestoreCondition,
  plan: planFilestoreMigration,
  cleanUp: planFormerFilestores,
};

type Claim = NonNullable<Observed["filestore"]>;

/** The new volume, then the Job of the step; at the end an event. */
function planFilestoreMigration(world: Assessment): Effect[] {
  const { operation, filestore } = world.status;
  const step = filestoreStep(operation);
  const { resolved, instance, cluster: { address: cluster }, observed } = world;
  const { copy, storageClass } = filestore ?? {};
  if (!step || !operation?.jobName || !copy) return [];
  const { migration } = world;
  if (migration.state !== "running" && migration.state !== "copied") return [endEvent(world)];
  if (!resolved || !cluster || !observed.filestore) return [];
  if (jobStateOf(world, operation.jobName).state !== "absent") return [];
  if (!observed.filestoreCopy) {
    const { accessModes: specified } = instance.spec.filestore ?? {};
    const accessModes = specified?.length ? specified : observed.filestore.spec?.accessModes ?? resolved.accessModes;
    const volume = { name: copy, storageClass: storageClass ?? "", accessModes };
    return [{ type: "create", object: filestoreCopyClaim(resolved, volume, observed.filestore), owner: instance }];
  }
  if (mustWait(world) || (step === "copyFiles" && isForOnePod(world))) return [];
  const object = copyFilesJob(operation.jobName, resolved, cluster, {
    source: { claim: resolved.filestoreClaim },
    target: { claim: copy },
    state: step === "copyFiles" ? "inUse" : "atRest",
  });
  const created: Effect = { type: "create", object, owner: instance };
  if (step !== "copyFiles") return [created];
  const note = `Created Job ${operation.jobName}, which copies the files to storage class ${storageClass}`;
  return [created, eventOf(world, "FilestoreMigrationStarted", note)];
}

/**
 * In all other phases: an abandoned copy is deleted at once, a former volume when no pod is created with it any more and the
 * pods with the new one serve. While the served volume is being deleted no other one is.
 */
function planFormerFilestores(world: Assessment): Effect[] {
  const { filestore, filestoreCopy, formerFilestore } = world.observed;
  const ends = endOfSteps(world); // the next migration would wait for them
  if (!filestore || filestore.metadata.deletionTimestamp) return ends;
  return [
    ...ends,
    ...(filestoreCopy ? removal(world, filestoreCopy) : []),
    ...(formerFilestore && isServedElsewhere(world, formerFilestore) ? removal(world, formerFilestore) : []),
  ];
}

function isServedElsewhere({ phase, observed }: Assessment, former: Claim): boolean {
  const isMounted = [observed.web, observed.cron].some((deployment) =>
    claimsOf(deployment).includes(former.metadata.name)
  );
  return phase === "Running" && !isMounted;
}

/** The deletion of a claim waits for the pods of Jobs, even if they have ended. */
function removal({ observed }: Assessment, claim: Claim): Effect[] {
  if (!claim.metadata.deletionTimestamp) return [{ type: "deleteClaim", claim }];
  const ended = observed.jobs.filter(({ metadata }) => {
    const isActive = observed.jobStates.get(metadata.name)?.state === "active";
    return !isActive && !metadata.deletionTimestamp && !metadata.finalizers?.includes(OUTCOME_FINALIZER);
  });
  return ended.map((object): Effect => ({ type: "deleteChild", object }));
}

/** The Jobs of an abandoned copy, active or not. */
function endOfSteps({ observed, status }: Assessment): Effect[] {
  const names = stepJobNames(status.filestore?.copy);
  const jobs = observed.jobs.filter(({ metadata }) => names.includes(metadata.name) && !metadata.deletionTimestamp);
  return jobs.map((object): Effect => ({ type: "deleteChild", object }));
}

function claimsOf(deployment: Observed["web"]): string[] {
  return deployment?.spec?.template.spec?.volumes?.flatMap(({ persistentVolumeClaim: claim }) =>
    claim?.claimName ?? []
  ) ?? [];
}

function endEvent(world: Assessment): Effect {
  const { migration, status } = world;
  switch (migration.state) {
    case "failed":
      return eventOf(world, "FilestoreMigrationFailed", `The files stay where they are. ${migration.message}`);
    case "succeeded":
      return eventOf(world, "FilestoreMigrated", `All files are on storage class ${status.filestore?.storageClass}`);
    default:
      return eventOf(world, "FilestoreMigrationWithdrawn", "The files stay where they are");
  }
}

function eventOf({ instance }: Assessment, reason: string, note: string): Effect {
  return { type: "event", about: instance, warning: reason === "FilestoreMigrationFailed", reason, note };
}
