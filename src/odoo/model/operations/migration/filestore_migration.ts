/**
 * The files of an instance are moved to another storage class: copied to a new volume while they are served, compared when
 * no pod is left, and from then on served from there. Which claim holds the files is one field of the status, so the move
 * is one write: before it all is as it was, after it all is new. The former volume stays until the new one is served.
 *
 *     MigratingFilestore: copyFiles        FinalizingFilestoreMigration: compareFiles        settled: the field is written
 *
 * Either step may be done any number of times, to the same end.
 */
import { hashOf } from "../../../../kit/hash.ts";
import type { FilestorePlace, OdooInstanceStatus, OperationStatus, Phase } from "../../../crd/mod.ts";
import { worksForUpstream } from "../../instance/adoption.ts";
import { filestoreClaimName, filestoreCopyName, filestoreJobName } from "../../names.ts";
import { readerOf } from "../copy/refresh_source.ts";
import { judge, type Report, withLog } from "../reports/report.ts";
import { nextRequest } from "../requests.ts";
import type { Problem } from "../../resolve.ts";
import { jobStateOf, type World } from "../../world.ts";

/** What is done to the files. */
export type FilestoreStep = "copyFiles" | "compareFiles";

interface StepTraits {
  readonly phase: Phase;
  /** Ends the name of its Job. */
  readonly suffix: string;
  /** Read behind "The Job ended before". */
  readonly task: string;
  /** How long its pod may take to begin; the second one keeps the instance from serving. */
  readonly beginsWithinMs: number;
}

/** The steps, in the order in which they follow each other. */
export const FILESTORE_STEPS = {
  copyFiles: {
    phase: "MigratingFilestore",
    suffix: "copy",
    task: "the files were copied",
    beginsWithinMs: 900_000,
  },
  compareFiles: {
    phase: "FinalizingFilestoreMigration",
    suffix: "compare",
    task: "both volumes held the same files",
    beginsWithinMs: 300_000,
  },
} as const satisfies Record<FilestoreStep, StepTraits>;

const STEPS = Object.keys(FILESTORE_STEPS) as FilestoreStep[];

/** How a migration stands. */
export type FilestoreOutcome =
  | { readonly state: "running" }
  | { readonly state: "succeeded"; readonly summary: Report["fields"] }
  | { readonly state: "failed"; readonly reason: string; readonly message: string }
  /** The spec does not ask for it any more. */
  | { readonly state: "cancelled" };

/** The step at work; `undefined` for other operations. */
export function filestoreStep(operation: OperationStatus | undefined): FilestoreStep | undefined {
  return operation?.kind === "OdooInstance" ? STEPS.find((step) => step === operation.stage) : undefined;
}

/** The class that the files are to be moved to: one that the spec names, of a volume that is known to have another. */
export function wantedStorageClass({ instance, observed }: World): string | undefined {
  const wish = instance.spec.filestore?.storageClass;
  const present = observed.filestore?.spec?.storageClassName;
  return wish && present && wish !== present ? wish : undefined;
}

/** Whether a migration can begin: operations that somebody asks for go first. */
export function asksForMigration(world: World): boolean {
  const { resolved, status, cluster, observed } = world;
  if (!resolved || !status.dbInitialized || wantedStorageClass(world) === undefined) return false;
  if (!cluster.facts?.known || status.activeCluster !== cluster.address.name) return false;
  if (!observed.configSecret || !observed.userSecret) return false; // without them no pod would come back
  return migrationObstacle(world) === undefined && !isRefused(world);
}

/** What a migration that is wished waits for. */
export function migrationObstacle(world: World): string | undefined {
  const { status, observed } = world;
  const { copy, former } = status.filestore ?? {};
  const left = copy ?? former;
  if (left) return `Waiting until PersistentVolumeClaim ${left} of the last migration is deleted`;
  if (observed.filestore?.metadata.deletionTimestamp) return "Waiting: the volume with the files is being deleted";
  if (worksForUpstream(world)) return "Waiting for the Jobs of operator 2.5.0";
  const reader = readerOf(world);
  if (reader) return `Waiting for ${reader.kind} ${reader.metadata?.name}, which copies this instance`;
  const next = nextRequest(world);
  return next && `Waiting for ${next.kind} ${next.metadata.name} to end`;
}

/** Whether just this has been tried, and has failed. */
export function isRefused(world: World): boolean {
  return world.status.filestore?.refused !== undefined && world.status.filestore.refused === wishHash(world);
}

/** How the migration in progress stands. */
export function filestoreOutcome(world: World): FilestoreOutcome {
  const { operation } = world.status;
  const step = filestoreStep(operation);
  if (!step || isWithdrawn(world)) return { state: "cancelled" };
  const job = jobStateOf(world, operation?.jobName);
  const lostCopy = copyProblem(world, step);
  if (job.state === "failed" || job.state === "succeeded") {
    const verdict = judge(job, FILESTORE_STEPS[step].task);
    if (verdict.state === "failed") {
      return { state: "failed", reason: verdict.reason, message: withLog(verdict) };
    }
    // What was on the former volume is on the new one, so it does not matter any more how that one is.
    if (step === "compareFiles" && !lostCopy) return { state: "succeeded", summary: verdict.fields };
  }
  const problem = lostCopy ?? sourceProblem(world) ?? delay(world, step);
  return problem ? { state: "failed", ...problem } : { state: "running" };
}

/** Whether all that can be copied while pods serve has been; a volume for a single pod is copied when that is gone. */
export function isCopied(world: World): boolean {
  const { operation } = world.status;
  if (filestoreStep(operation) !== "copyFiles" || filestoreOutcome(world).state !== "running") return false;
  if (!world.observed.filestoreCopy) return false;
  return isForOnePod(world) || jobStateOf(world, operation?.jobName).state === "succeeded";
}

/** Whether no second pod can have the volume that the files are on. */
export function isForOnePod({ resolved }: World): boolean {
  return resolved?.accessModes.every((mode) => mode === "ReadWriteOncePod") ?? false;
}

/** The operation to remember on the way into `phase`; `undefined` if that is none of a migration's. */
export function filestoreOperation(world: World, phase: Phase): OperationStatus | undefined {
  const step = STEPS.find((step) => FILESTORE_STEPS[step].phase === phase);
  const copy = world.status.filestore?.copy ?? newCopy(world)?.copy;
  if (!step || !copy) return undefined;
  const { name, uid } = world.instance.metadata;
  const jobName = filestoreJobName(copy, FILESTORE_STEPS[step].suffix);
  return { kind: "OdooInstance", name, uid, stage: step, attempt: 1, jobName };
}

type FilestoreFields = Pick<OdooInstanceStatus, "filestore" | "migrationJobName" | "migrationPreviousStorageClass">;

/** What the status says of the files when `phase` is written. */
export function filestoreFields(world: World, phase: Phase): FilestoreFields {
  const place = nextPlace(world, phase);
  const before = filestoreStep(world.status.operation);
  const after = filestoreOperation(world, phase);
  const filestore = Object.values(place).some((value) => value !== undefined) ? { filestore: place } : {};
  if (after) {
    const previous = before ? world.status.migrationPreviousStorageClass : presentClass(world);
    return { ...filestore, migrationJobName: after.jobName ?? null, migrationPreviousStorageClass: previous ?? null };
  }
  return before ? { ...filestore, migrationJobName: null, migrationPreviousStorageClass: null } : filestore;
}

/** When what has not begun is given up: milliseconds since the epoch. */
export function migrationDueTime(world: World): number | undefined {
  const { operation } = world.status;
  const step = filestoreStep(operation);
  if (!step || jobStateOf(world, operation?.jobName).state !== "active") return undefined;
  const job = world.observed.jobs.find(({ metadata }) => metadata.name === operation?.jobName);
  const { ready, succeeded, failed, uncountedTerminatedPods: uncounted } = job?.status ?? {};
  const ended = [...uncounted?.succeeded ?? [], ...uncounted?.failed ?? []].length > 0;
  if (!job || ready || succeeded || failed || ended) return undefined;
  const created = Date.parse(String(job.metadata.creationTimestamp));
  return Number.isNaN(created) ? undefined : created + FILESTORE_STEPS[step].beginsWithinMs;
}

/** Where the files are, and what is beside them, after `phase` is written. */
function nextPlace(world: World, phase: Phase): FilestorePlace {
  const { status, observed, instance } = world;
  const { copy, storageClass, refused, former, ...place } = status.filestore ?? {};
  const isIn = filestoreStep(status.operation) !== undefined;
  const stays = filestoreOperation(world, phase) !== undefined;
  if (stays) return isIn ? status.filestore ?? {} : { ...place, ...newCopy(world) };
  if (isIn) {
    const { state } = filestoreOutcome(world);
    if (state === "succeeded" && copy) return { claim: copy, former: filestoreClaimName(instance) };
    if (sourceProblem(world)) return place; // what is not named here is never deleted: the copy may be all that is left
    const wish = state === "failed" ? wishHash(world) : undefined;
    return { ...status.filestore, ...(wish ? { refused: wish } : {}) };
  }
  return {
    ...place,
    ...(copy && isLeft(world, copy) ? { copy, ...(storageClass ? { storageClass } : {}) } : {}),
    ...(former && observed.formerFilestore ? { former } : {}),
    ...(refused && isRefused(world) ? { refused } : {}),
  };
}

/** The Jobs that fill a copy. */
export function stepJobNames(copy: string | undefined): string[] {
  return copy ? STEPS.map((step) => filestoreJobName(copy, FILESTORE_STEPS[step].suffix)) : [];
}

/** Whether there is anything of a copy that was given up. */
function isLeft({ observed }: World, copy: string): boolean {
  const names = stepJobNames(copy);
  return !!observed.filestoreCopy || observed.jobs.some(({ metadata }) => names.includes(metadata.name));
}

function newCopy(world: World): Pick<FilestorePlace, "copy" | "storageClass"> | undefined {
  const storageClass = wantedStorageClass(world);
  return storageClass ? { copy: filestoreCopyName(world.instance, storageClass), storageClass } : undefined;
}

/** All that decides how a migration goes; `undefined` if none is wished. */
function wishHash(world: World): string | undefined {
  const { instance: { spec }, resolved } = world;
  if (wantedStorageClass(world) === undefined || !resolved) return undefined;
  const { image, imagePullSecret, jobs } = resolved;
  return hashOf({ filestore: spec.filestore, image, imagePullSecret, jobs }).slice(0, 16);
}

/** A spec that cannot be read withdraws nothing. */
function isWithdrawn({ resolved, instance, status }: World): boolean {
  return resolved !== undefined && instance.spec.filestore?.storageClass !== status.filestore?.storageClass;
}

function presentClass({ observed }: World): string | undefined {
  return observed.filestore?.spec?.storageClassName;
}

function copyProblem({ observed, status }: World, step: FilestoreStep): Problem | undefined {
  const { filestoreCopy: copy } = observed;
  const isMade = step === "compareFiles" || observed.jobStates.has(status.operation?.jobName ?? "");
  if (copy ? !copy.metadata.deletionTimestamp : !isMade) return undefined;
  return {
    reason: "CopyDeleted",
    message: `Somebody deleted PersistentVolumeClaim ${status.filestore?.copy}, which the files were copied to`,
  };
}

function sourceProblem({ observed, instance, status }: World): Problem | undefined {
  const { filestore } = observed;
  if (filestore && !filestore.metadata.deletionTimestamp) return undefined;
  return {
    reason: "SourceDeleted",
    message: `PersistentVolumeClaim ${filestoreClaimName(instance)}, which holds the files, was deleted. ` +
      `Its copy ${status.filestore?.copy} stays, as far as it goes: back up what both have`,
  };
}

function delay(world: World, step: FilestoreStep): Problem | undefined {
  const due = migrationDueTime(world);
  if (due === undefined || world.now < due) return undefined;
  const { observed: { filestoreCopy: copy, podTroubles }, status } = world;
  const minutes = FILESTORE_STEPS[step].beginsWithinMs / 60_000;
  const trouble = podTroubles?.job ? `. ${podTroubles.job.message}` : "";
  if (copy?.status?.phase === "Pending") {
    const modes = copy.spec?.accessModes?.join(", ");
    return {
      reason: "VolumeNotProvided",
      message: `Storage class ${status.filestore?.storageClass} has provided no volume for PersistentVolumeClaim ` +
        `${copy.metadata.name} in ${minutes} minutes: it must exist, and allow ${modes}${trouble}`,
    };
  }
  return {
    reason: "JobNotBegun",
    message: `Job ${status.operation?.jobName} has not begun in ${minutes} minutes${trouble}`,
  };
}
