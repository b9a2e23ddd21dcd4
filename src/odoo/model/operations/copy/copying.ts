/**
 * Operations that put a copy in the place of an instance's data, step by step: the copy is made beside the data while that
 * is served; only when it has been looked at, and all pods are gone, do the two change places. Which step is at work stands
 * in status.operation; each is told by what is there, so a crash repeats a look, never a deed.
 *
 *     restore: load → prepare → swap → move        refresh: database → (snapshot →) files → prepare → swap → move
 *
 * `swap` renames the databases in one transaction, `move` the directories of files. From both `return` leads back.
 */
import type { JobRequest, JobRequestStatus, OperationStatus } from "../../../crd/mod.ts";
import { type CopyStep, copyStep } from "./copy_steps.ts";
import type { KnownClusterFacts } from "../../postgres/database.ts";
import { areEnding } from "../../pods/ending_pods.ts";
import { type CopyNames, copyNames, stepJobName } from "../../names.ts";
import { readerOf, readsSnapshot } from "./refresh_source.ts";
import { judge } from "../reports/report.ts";
import { requestOf } from "../requests.ts";
import type { Problem } from "../../resolve.ts";
import { filesStep, snapshotWork } from "./snapshot_step.ts";
import { type CachedWorld, jobStateOf, type World } from "../../world.ts";

/** How often the way back is tried before a person has to help. */
const MOST_RETURNS = 5;

/** The first step of a request that is carried out by a copy. */
export function firstCopyStep({ kind }: JobRequest): CopyStep | undefined {
  if (kind === "OdooRestoreJob") return "load";
  return kind === "OdooStagingRefreshJob" ? "database" : undefined;
}

/** Names of the copy, and of what it replaces. */
export function copyOf({ resolved }: World, { uid }: OperationStatus): CopyNames | undefined {
  return resolved && copyNames(resolved.databaseName, uid);
}

/** Whether the copy has files of its own; else the instance keeps those that it has. */
export function copiesFiles(cr: JobRequest | undefined): boolean {
  switch (cr?.kind) {
    case "OdooRestoreJob": // without a count it is moved, or that fails: to keep the files of other data would be worse
      return (cr.spec.format ?? "zip") === "zip" && cr.status?.summary?.unpackedFiles !== 0;
    case "OdooStagingRefreshJob":
      return !cr.spec.skipFilestore;
    default:
      return false;
  }
}

/** How the databases stand in the step `swap`. */
export type SwapReadiness = "unknown" | "ready" | "impossible";

/** Whether the copy can take the place of the live database, or has already. */
export function swapReadiness(world: World, operation: OperationStatus): SwapReadiness {
  const facts = reachableFacts(world);
  const names = copyOf(world, operation);
  if (!facts || !world.resolved || !names) return "unknown";
  const [side, old] = [names.side, names.old].map((name) => facts.databases.has(name));
  if (side) return old ? "impossible" : "ready";
  return facts.databases.has(world.resolved.databaseName) ? "ready" : "impossible"; // done before a crash, or lost
}

/** Whether what has been swapped is to be put back: its request is gone, or the rest of it cannot be done. */
export function mustReturn(world: World): boolean {
  const { operation } = world.status;
  const step = copyStep(operation);
  if (!operation || (step !== "swap" && step !== "move")) return false;
  if (!requestOf(world, operation)) return true;
  return step === "swap" ? swapReadiness(world, operation) === "impossible" : moveFailure(world) !== undefined;
}

/** Whether the databases change places in this decision. */
export function swapsNow(world: World): boolean {
  const { operation } = world.status;
  if (!operation || copyStep(operation) !== "swap" || mustReturn(world) || areEnding(world)) return false;
  if (readerOf(world)) return false; // somebody copies the data whose place is to be taken
  return swapReadiness(world, operation) === "ready" && world.observed.jobsWithPods.size === 0;
}

/** Whether all is as it was before the swap, in the volume and in PostgreSQL. */
export function hasReturned(world: World): boolean {
  const { operation } = world.status;
  const filesAreBack = copyStep(operation) === "return" && jobStateOf(world, operation?.jobName).state === "succeeded";
  const old = operation && copyOf(world, operation)?.old;
  return filesAreBack && old !== undefined && reachableFacts(world)?.databases.has(old) === false;
}

/** Of the cluster that the instance is on: databases can be renamed now. */
function reachableFacts({ cluster, status }: World): KnownClusterFacts | undefined {
  return cluster.facts?.known && cluster.address.name === status.activeCluster ? cluster.facts : undefined;
}

/** Why files did not change places, with the last lines of what was to do it. */
type SwapFailure = Problem & { readonly log?: string };

/** Why the copy did not take the place of the data. */
export function swapFailure(world: World): SwapFailure {
  return moveFailure(world) ?? {
    reason: "SwapFailed",
    message: "The copy could not take the place of the data: one of the databases was not there any more",
  };
}

/** The operation as it is to be remembered: at its next step, if the present one is done. */
export function advanced(world: World): OperationStatus | undefined {
  const { operation } = world.status;
  const step = copyStep(operation);
  if (!operation || !step) return operation;
  if (mustReturn(world)) return atStep(operation, "return");
  if (step === "return") return anotherReturn(world, operation);
  if (step === "swap") {
    const moves = copiesFiles(requestOf(world, operation));
    return swapsNow(world) && moves ? atStep(operation, "move") : operation;
  }
  const next = nextStep(world, step, requestOf(world, operation));
  return next ? atStep(operation, next) : operation;
}

function nextStep(world: World, step: CopyStep, cr: JobRequest | undefined): CopyStep | undefined {
  if (step === "snapshot") {
    const work = snapshotWork(world);
    return work?.next === "done" || work?.next === "copy" ? "files" : undefined;
  }
  const next = isDone(world) ? stepAfter(step, cr) : undefined;
  return next === "files" && cr?.kind === "OdooStagingRefreshJob" ? filesStep(world, cr) : next;
}

/** The operation at a step, with the Job of that step. */
export function atStep(operation: OperationStatus, step: CopyStep, attempt = 1): OperationStatus {
  const { jobName: _, ...rest } = operation;
  const job = step === "swap" || step === "snapshot" ? {} : { jobName: stepJobName(operation, step, attempt) };
  return { ...rest, ...job, stage: step, attempt };
}

/** Whether the Job of the step has done its part; a step without one is judged otherwise. */
export function isDone(world: CachedWorld): boolean {
  const job = jobStateOf(world, world.status.operation?.jobName);
  return (job.state === "succeeded" || job.state === "failed") && judge(job, "its work was done").state !== "failed";
}

/** The step after one that is done, if no snapshot comes between; `undefined` if that was the last. */
export function stepAfter(step: CopyStep, cr: JobRequest | undefined): CopyStep | undefined {
  switch (step) {
    case "snapshot":
      return "files";
    case "load":
    case "files":
      return "prepare";
    case "database":
      return copiesFiles(cr) ? "files" : "prepare";
    case "prepare":
      return "swap";
    default:
      return undefined;
  }
}

/** How far the steps of a request are; `undefined` for operations of one Job. */
export function progressOf(cr: JobRequest, operation: OperationStatus): JobRequestStatus["progress"] {
  const step = copyStep(operation);
  const steps = stepsOf(cr, step);
  if (!step || !steps.length) return undefined;
  return { step, done: Math.max(steps.indexOf(step), 0), total: steps.length, unit: "steps" };
}

function stepsOf(cr: JobRequest, current: CopyStep | undefined): CopyStep[] {
  const usesSnapshot = current === "snapshot" || cr.kind === "OdooStagingRefreshJob" && readsSnapshot(cr);
  const steps: CopyStep[] = [];
  for (let step = firstCopyStep(cr); step; step = stepAfter(step, cr)) {
    steps.push(...(step === "files" && usesSnapshot ? ["snapshot", step] as const : [step]));
  }
  return copiesFiles(cr) ? [...steps, "move"] : steps;
}

/** A way back that failed is tried again, as a Job of another name; at last it is left to people, and the pods stay away. */
function anotherReturn(world: World, operation: OperationStatus): OperationStatus {
  const { attempt = 1 } = operation;
  const failed = jobStateOf(world, operation.jobName).state === "failed";
  return failed && attempt < MOST_RETURNS ? atStep(operation, "return", attempt + 1) : operation;
}

/** Why a way back has not been found, once it is left to people. Who deletes its last Job has it tried again. */
export function returnProblem(world: World): Problem | undefined {
  const { operation } = world.status;
  const { jobName, attempt = 1 } = operation ?? {};
  const job = jobStateOf(world, jobName);
  if (copyStep(operation) !== "return" || attempt < MOST_RETURNS || job.state !== "failed") return undefined;
  const verdict = judge(job, "the files were put back");
  const cause = verdict.state === "failed" ? verdict.message : "no reason was recorded";
  return {
    reason: "ReturnFailed",
    message: `The files cannot be put back as they were before the swap, after ${attempt} attempts: ${cause}. ` +
      `Nothing is lost, and no pod is started. Remove the cause, then delete Job ${jobName}: it is tried again`,
  };
}

function moveFailure(world: World): SwapFailure | undefined {
  const { operation } = world.status;
  const job = operation && jobStateOf(world, stepJobName(operation, "move"));
  if (job?.state !== "failed" && job?.state !== "succeeded") return undefined;
  const verdict = judge(job, "the files had changed places");
  if (verdict.state !== "failed") return undefined;
  const { state: _, ...failure } = verdict;
  return failure;
}
