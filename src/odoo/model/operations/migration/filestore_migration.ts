/**
 * The move of an instance's files to another storage class: they are copied to a new volume while they are served, compared
 * when no pod is left, and served from there afterwards. One field of the status names the claim that holds the files, so the
 * switch is one write. The former volume stays until the new one is served.
 *
 *     MigratingFilestore: copyFiles        FinalizingFilestoreMigration: compareFiles        settled: the field is written
 *
 * Both steps may run any number of times with the same result.
 */
import { hashOf } from "../../../../kit/hash.ts";
import type { FilestorePlace, OdooInstanceStatus, OperationStatus, Phase } from "../../../crd/mod.ts";
import { filestoreClaimName, filestoreCopyName, filestoreJobName } from "../../names.ts";
import { beingCopied } from "../requests.ts";
import { judge, withLog } from "../reports/report.ts";
import type { Assessed, Assessment, MigrationOutcome, MigrationRequest } from "../../assessment.ts";
import type { Problem } from "../../problem.ts";
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

/** The step in progress; `undefined` for other operations. */
export function filestoreStep(operation: OperationStatus | undefined): FilestoreStep | undefined {
  return operation?.kind === "OdooInstance" ? STEPS.find((step) => step === operation.stage) : undefined;
}

/** The storage class that the spec names, if the volume is known to have another one. */
function wantedStorageClass({ instance, observed }: World): string | undefined {
  const wanted = instance.spec.filestore?.storageClass;
  const present = observed.filestore?.spec?.storageClassName;
  return wanted && present && wanted !== present ? wanted : undefined;
}

/** Whether the spec asks for a migration, and whether that can begin. */
export function filestoreMigrationRequest(world: Assessed<"facts" | "queue">): MigrationRequest {
  const target = wantedStorageClass(world);
  if (target === undefined) return { target, isRefused: false, obstacle: undefined };
  const isRefused = isFailedRequest(world);
  const message = isRefused ? `Storage class ${target} was tried, and that failed` : obstacleTo(world, target);
  return { target, isRefused, obstacle: message === undefined ? undefined : { reason: "MigrationWaiting", message } };
}

function obstacleTo(world: Assessed<"facts" | "queue">, target: string): string | undefined {
  const { status, observed, facts, queue } = world;
  const { copy, former } = status.filestore ?? {};
  const left = copy ?? former;
  if (left) return `Waiting until PersistentVolumeClaim ${left} of the last migration is deleted`;
  if (observed.filestore?.metadata.deletionTimestamp) return "Waiting: the volume with the files is being deleted";
  if (facts.isUpstreamJobRunning) return "Waiting for the Jobs of operator 2.5.0";
  if (facts.reader) return beingCopied(facts.reader).message;
  if (queue.next) return `Waiting for ${queue.next.kind} ${queue.next.metadata.name} to end`;
  return isReady(world) ? undefined : `The files are to be moved to storage class ${target}`;
}

/** Without its database and Secrets no pod of the instance would start after the migration. */
function isReady({ resolved, status, cluster, observed }: World): boolean {
  if (!resolved || !status.dbInitialized) return false;
  if (!cluster.facts?.known || status.activeCluster !== cluster.address.name) return false;
  return !!observed.configSecret && !!observed.userSecret;
}

/** Whether exactly this migration has failed. */
function isFailedRequest(world: World): boolean {
  const { refused } = world.status.filestore ?? {};
  return refused !== undefined && refused === requestHash(world);
}

/** How the migration in progress stands. */
export function filestoreMigrationOutcome(world: Assessed<"facts">): MigrationOutcome {
  const { operation } = world.status;
  const step = filestoreStep(operation);
  if (!step) return { state: "none" };
  if (isWithdrawn(world)) return { state: "withdrawn" };
  const job = jobStateOf(world, operation?.jobName);
  const lostCopy = copyProblem(world, step);
  if (job.state === "failed" || job.state === "succeeded") {
    const verdict = judge(job, FILESTORE_STEPS[step].task);
    if (verdict.state === "failed") {
      return { state: "failed", reason: verdict.reason, message: withLog(verdict) };
    }
    // The new volume has all files of the former one, so the state of the former one is not relevant any more.
    if (step === "compareFiles" && !lostCopy) return { state: "succeeded", summary: verdict.fields };
  }
  const problem = lostCopy ?? sourceProblem(world) ?? delay(world, step);
  if (problem) return { state: "failed", ...problem };
  // A volume for a single pod is copied when that pod has ended, in the second step.
  const isCopied = step === "copyFiles" && world.observed.filestoreCopy &&
    (isForOnePod(world) || job.state === "succeeded");
  return { state: isCopied ? "copied" : "running" };
}

/** Whether no second pod can mount the volume with the files. */
export function isForOnePod({ resolved }: World): boolean {
  return resolved?.accessModes.every((mode) => mode === "ReadWriteOncePod") ?? false;
}

/** The step that a phase executes. */
export function stepOfPhase(phase: Phase): FilestoreStep | undefined {
  return STEPS.find((step) => FILESTORE_STEPS[step].phase === phase);
}

/** The operation to record when the next phase is entered; `undefined` if that is not a phase of a migration. */
export function filestoreOperation(
  { status, instance, nextPhase, migrations }: Assessment,
): OperationStatus | undefined {
  const step = stepOfPhase(nextPhase);
  const { target } = migrations.filestore;
  const copy = status.filestore?.copy ?? (target && filestoreCopyName(instance, target));
  if (!step || !copy) return undefined;
  const { name, uid } = instance.metadata;
  const jobName = filestoreJobName(copy, FILESTORE_STEPS[step].suffix);
  return { kind: "OdooInstance", name, uid, stage: step, attempt: 1, jobName };
}

type FilestoreFields = Pick<OdooInstanceStatus, "filestore" | "migrationJobName" | "migrationPreviousStorageClass">;

/** The fields of the status about the files, given the operation that the status records. */
export function filestoreFields(assessment: Assessment, next: OperationStatus | undefined): FilestoreFields {
  const { status, observed } = assessment;
  const isInProgress = filestoreStep(status.operation) !== undefined;
  const staysInProgress = filestoreStep(next) !== undefined;
  const place = nextPlace(assessment, { isInProgress, staysInProgress });
  const filestore = Object.values(place).some((value) => value !== undefined) ? { filestore: place } : {};
  if (staysInProgress) {
    const previous = isInProgress ? status.migrationPreviousStorageClass : observed.filestore?.spec?.storageClassName;
    return { ...filestore, migrationJobName: next?.jobName ?? null, migrationPreviousStorageClass: previous ?? null };
  }
  return isInProgress ? { ...filestore, migrationJobName: null, migrationPreviousStorageClass: null } : filestore;
}

/** When a Job of a migration that has not begun fails the migration: milliseconds since the epoch. */
export function migrationDeadlineMs(world: World): number | undefined {
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

/** The claims of the files after this decision. */
function nextPlace(
  { status, observed, instance, migration, migrations, ...world }: Assessment,
  { isInProgress, staysInProgress }: { readonly isInProgress: boolean; readonly staysInProgress: boolean },
): FilestorePlace {
  const { copy, storageClass, refused, former, ...place } = status.filestore ?? {};
  const { target, isRefused } = migrations.filestore;
  const whole = { ...world, status, observed, instance };
  if (staysInProgress) {
    if (isInProgress) return status.filestore ?? {};
    return { ...place, ...(target ? { copy: filestoreCopyName(instance, target), storageClass: target } : {}) };
  }
  if (isInProgress) {
    const { state } = migration;
    if (state === "succeeded" && copy) return { claim: copy, former: filestoreClaimName(instance) };
    if (!isIntact(observed.filestore)) return place; // a claim that is not named here is never deleted: it may hold the last copy
    const hash = state === "failed" && target ? requestHash(whole) : undefined;
    return { ...status.filestore, ...(hash ? { refused: hash } : {}) };
  }
  return {
    ...place,
    ...(copy && isLeft(whole, copy) ? { copy, ...(storageClass ? { storageClass } : {}) } : {}),
    ...(former && observed.formerFilestore ? { former } : {}),
    ...(refused && isRefused ? { refused } : {}),
  };
}

/** Names of the Jobs that fill a copy. */
export function stepJobNames(copy: string | undefined): string[] {
  return copy ? STEPS.map((step) => filestoreJobName(copy, FILESTORE_STEPS[step].suffix)) : [];
}

/** Whether any object of an abandoned copy exists. */
function isLeft({ observed }: World, copy: string): boolean {
  const names = stepJobNames(copy);
  return !!observed.filestoreCopy || observed.jobs.some(({ metadata }) => names.includes(metadata.name));
}

/** Hash of everything that a migration depends on; `undefined` while the spec cannot be resolved. */
function requestHash({ instance: { spec }, resolved }: World): string | undefined {
  if (!resolved) return undefined;
  const { image, imagePullSecret, jobs } = resolved;
  return hashOf({ filestore: spec.filestore, image, imagePullSecret, jobs }).slice(0, 16);
}

/** A spec that cannot be resolved withdraws nothing. */
function isWithdrawn({ resolved, instance, status }: World): boolean {
  return resolved !== undefined && instance.spec.filestore?.storageClass !== status.filestore?.storageClass;
}

function copyProblem({ observed, status }: World, step: FilestoreStep): Problem | undefined {
  const { filestoreCopy: copy } = observed;
  const isMade = step === "compareFiles" || observed.jobStates.has(status.operation?.jobName ?? "");
  if (copy ? !copy.metadata.deletionTimestamp : !isMade) return undefined;
  return {
    reason: "CopyDeleted",
    message: `PersistentVolumeClaim ${status.filestore?.copy}, which the files were copied to, was deleted`,
  };
}

function isIntact(claim: World["observed"]["filestore"]): boolean {
  return claim !== undefined && !claim.metadata.deletionTimestamp;
}

function sourceProblem({ observed, instance, status }: World): Problem | undefined {
  if (isIntact(observed.filestore)) return undefined;
  return {
    reason: "SourceDeleted",
    message: `PersistentVolumeClaim ${filestoreClaimName(instance)}, which holds the files, was deleted. ` +
      `Its copy ${status.filestore?.copy} stays, as far as it goes: back up what both have`,
  };
}

function delay(world: Assessed<"facts">, step: FilestoreStep): Problem | undefined {
  const { migrationDeadlineMs: due } = world.facts;
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
