/**
 * A filestore migration, beyond its decisions: the new volume, the two Jobs, and the removal of the volume that is not
 * needed any more. A volume goes only when another one is served, or when it never was.
 */
import {
  filestoreOutcome,
  filestoreStep,
  isForOnePod,
  stepJobNames,
} from "../model/operations/migration/filestore_migration.ts";
import { mustWait } from "../model/operations/job_exclusion.ts";
import { OUTCOME_FINALIZER } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import { jobStateOf, type Observed, type World } from "../model/world.ts";
import { copyFilesJob, filestoreCopyClaim } from "../resources/mod.ts";

type Claim = NonNullable<Observed["filestore"]>;

/** In the phases of a migration: the new volume, then the Job of the step; in the end it is told. */
export function planFilestoreMigration(world: World): Effect[] {
  const { operation, filestore } = world.status;
  const step = filestoreStep(operation);
  const { resolved, instance, cluster: { address: cluster }, observed } = world;
  const { copy, storageClass } = filestore ?? {};
  if (!step || !operation?.jobName || !copy) return [];
  const outcome = filestoreOutcome(world);
  if (outcome.state !== "running") return told(world, outcome);
  if (!resolved || !cluster || !observed.filestore) return [];
  if (jobStateOf(world, operation.jobName).state !== "absent") return [];
  if (!observed.filestoreCopy) {
    const { accessModes: wished } = instance.spec.filestore ?? {};
    const accessModes = wished?.length ? wished : observed.filestore.spec?.accessModes ?? resolved.accessModes;
    const wish = { name: copy, storageClass: storageClass ?? "", accessModes };
    return [{ type: "create", object: filestoreCopyClaim(resolved, wish, observed.filestore), owner: instance }];
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
 * In phases of anything else: a copy that was given up goes at once, a former volume when no pod is made with it any
 * more and those with the new one serve. While the volume that is served is in danger no other one goes.
 */
export function planFormerFilestores(world: World): Effect[] {
  const { status, observed } = world;
  const { filestore, filestoreCopy, formerFilestore } = observed;
  if (filestoreStep(status.operation)) return [];
  const ends = endOfSteps(world); // whatever comes next would wait for them
  if (!filestore || filestore.metadata.deletionTimestamp) return ends;
  return [
    ...ends,
    ...(filestoreCopy ? removal(world, filestoreCopy) : []),
    ...(formerFilestore && isServedElsewhere(world, formerFilestore) ? removal(world, formerFilestore) : []),
  ];
}

function isServedElsewhere({ phase, observed }: World, former: Claim): boolean {
  const isMounted = [observed.web, observed.cron].some((deployment) =>
    claimsOf(deployment).includes(former.metadata.name)
  );
  return phase === "Running" && !isMounted;
}

/** A claim that is to go waits for the pods of Jobs, however long ago they have ended. */
function removal({ observed }: World, claim: Claim): Effect[] {
  if (!claim.metadata.deletionTimestamp) return [{ type: "deleteClaim", claim }];
  const ended = observed.jobs.filter(({ metadata }) => {
    const isActive = observed.jobStates.get(metadata.name)?.state === "active";
    return !isActive && !metadata.deletionTimestamp && !metadata.finalizers?.includes(OUTCOME_FINALIZER);
  });
  return ended.map((object): Effect => ({ type: "deleteChild", object }));
}

/** The Jobs that fill a copy which was given up, at work or not. */
function endOfSteps({ observed, status }: World): Effect[] {
  const names = stepJobNames(status.filestore?.copy);
  const jobs = observed.jobs.filter(({ metadata }) => names.includes(metadata.name) && !metadata.deletionTimestamp);
  return jobs.map((object): Effect => ({ type: "deleteChild", object }));
}

function claimsOf(deployment: Observed["web"]): string[] {
  return deployment?.spec?.template.spec?.volumes?.flatMap(({ persistentVolumeClaim: claim }) =>
    claim?.claimName ?? []
  ) ?? [];
}

function told(world: World, outcome: ReturnType<typeof filestoreOutcome>): Effect[] {
  const { storageClass } = world.status.filestore ?? {};
  switch (outcome.state) {
    case "failed":
      return [eventOf(world, "FilestoreMigrationFailed", `The files stay where they are. ${outcome.message}`)];
    case "succeeded":
      return [eventOf(world, "FilestoreMigrated", `All files are on storage class ${storageClass}`)];
    default:
      return [eventOf(world, "FilestoreMigrationWithdrawn", "The files stay where they are")];
  }
}

function eventOf({ instance }: World, reason: string, note: string): Effect {
  return { type: "event", about: instance, warning: reason === "FilestoreMigrationFailed", reason, note };
}
