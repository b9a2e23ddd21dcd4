/**
 * Operations that replace an instance's data by a copy, step by step: the copy is prepared beside the data while the data is
 * served; only when the copy is verified, and no pod is left, are the two swapped. status.operation records the step; what
 * a step has done is read from the objects, so the decision may run again after a crash.
 *
 *     restore: load → prepare → swap → move        refresh: database → (snapshot →) files → prepare → swap → move
 *
 * `swap` renames the databases in one transaction, `move` renames the directories of files. `return` rolls back both.
 */
import type { JobRequest, JobRequestStatus, OperationStatus } from "../../../crd/mod.ts";
import { type CopyStep, copyStep } from "./copy_steps.ts";
import { type CopyNames, copyNames, stepJobName } from "../../names.ts";
import { readsSnapshot } from "./refresh_source.ts";
import { judge } from "../reports/report.ts";
import { requestOf } from "../request.ts";
import { rowOf } from "../request_kinds.ts";
import type { Assessed, SwapState } from "../../assessment.ts";
import type { Problem } from "../../problem.ts";
import { filesStep } from "./snapshot_step.ts";
import { type CachedWorld, jobStateOf, type World } from "../../world.ts";

/** How often the rollback is tried before a user must remove its cause. */
const MOST_RETURNS = 5;

/** Names of the copy, and of what it replaces. */
export function copyOf({ resolved }: World, { uid }: OperationStatus): CopyNames | undefined {
  return resolved && copyNames(resolved.databaseName, uid);
}

/** Whether the copy of a request has files of its own; otherwise the instance keeps its files. */
export function copiesFiles(request: JobRequest | undefined): boolean {
  return request !== undefined && rowOf(request).copiesFiles(request);
}

/** Whether databases can be swapped. */
export type SwapReadiness = "unknown" | "ready" | "impossible";

/** Whether the copy can replace the live database, or already has. */
function swapReadiness(world: Assessed<"facts">, operation: OperationStatus): SwapReadiness {
  const { reachableInventory: facts } = world.facts;
  const names = copyOf(world, operation);
  if (!facts || !world.resolved || !names) return "unknown";
  const [side, old] = [names.side, names.old].map((name) => facts.databases.has(name));
  if (side) return old ? "impossible" : "ready";
  return facts.databases.has(world.resolved.databaseName) ? "ready" : "impossible"; // done before a crash, or lost
}

/** How far the swap of the operation in progress is. */
export function swapState(world: Assessed<"facts">): SwapState {
  const failure = moveFailure(world);
  const mustReturn = mustReturnNow(world, failure);
  return { mustReturn, swapsNow: !mustReturn && swapsNow(world), hasReturned: hasReturned(world), failure };
}

function mustReturnNow(world: Assessed<"facts">, failure: SwapState["failure"]): boolean {
  const { status: { operation }, facts: { copyStep: step } } = world;
  if (!operation || (step !== "swap" && step !== "move")) return false;
  if (!requestOf(world, operation)) return true;
  return step === "swap" ? swapReadiness(world, operation) === "impossible" : failure !== undefined;
}

function swapsNow(world: Assessed<"facts">): boolean {
  const { status: { operation }, facts } = world;
  if (!operation || facts.copyStep !== "swap" || facts.arePodsEnding || facts.reader) return false;
  return swapReadiness(world, operation) === "ready" && world.observed.jobsWithPods.size === 0;
}

function hasReturned(world: Assessed<"facts">): boolean {
  const { status: { operation }, facts: { copyStep: step } } = world;
  const filesAreBack = step === "return" && jobStateOf(world, operation?.jobName).state === "succeeded";
  const old = operation && copyOf(world, operation)?.old;
  return filesAreBack && old !== undefined && world.facts.reachableInventory?.databases.has(old) === false;
}

/** Why the copy did not replace the data. */
export function swapFailure({ swap }: Assessed<"swap">): Problem & { readonly log?: string } {
  return swap.failure ?? {
    reason: "SwapFailed",
    message: "The copy could not replace the data: one of the two databases does not exist any more",
  };
}

/** The operation to record: at its next step, if the present one is done. */
export function advanced(world: Assessed<"facts" | "swap" | "snapshot">): OperationStatus | undefined {
  const { status: { operation }, facts: { copyStep: step }, swap } = world;
  if (!operation || !step) return operation;
  if (swap.mustReturn) return atStep(operation, "return");
  if (step === "return") return anotherReturn(world, operation);
  if (step === "swap") {
    const moves = copiesFiles(requestOf(world, operation));
    return swap.swapsNow && moves ? atStep(operation, "move") : operation;
  }
  const next = nextStep(world, step, requestOf(world, operation));
  return next ? atStep(operation, next) : operation;
}

function nextStep(
  world: Assessed<"facts" | "snapshot">,
  step: CopyStep,
  request: JobRequest | undefined,
): CopyStep | undefined {
  if (step === "snapshot") {
    const next = world.snapshot?.next;
    return next === "done" || next === "copy" ? "files" : undefined;
  }
  const next = world.facts.isStepDone ? stepAfter(step, request) : undefined;
  return next === "files" && request?.kind === "OdooStagingRefreshJob" ? filesStep(world, request) : next;
}

/** The operation at a step, with the Job of that step. */
export function atStep(operation: OperationStatus, step: CopyStep, attempt = 1): OperationStatus {
  const { jobName: _, ...rest } = operation;
  const job = step === "swap" || step === "snapshot" ? {} : { jobName: stepJobName(operation, step, attempt) };
  return { ...rest, ...job, stage: step, attempt };
}

/** Whether the Job of the step has succeeded; steps without a Job are judged otherwise. */
export function isDone(world: CachedWorld): boolean {
  const job = jobStateOf(world, world.status.operation?.jobName);
  return (job.state === "succeeded" || job.state === "failed") && judge(job, "its work was done").state !== "failed";
}

/** The step after one that is done, if no snapshot comes between; `undefined` after the last. */
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
  for (let step = rowOf(cr).firstStep; step; step = stepAfter(step, cr)) {
    steps.push(...(step === "files" && usesSnapshot ? ["snapshot", step] as const : [step]));
  }
  return copiesFiles(cr) ? [...steps, "move"] : steps;
}

/** A failed rollback is tried again by a Job of another name, {@linkcode MOST_RETURNS} times. No pod starts before it succeeds. */
function anotherReturn(world: World, operation: OperationStatus): OperationStatus {
  const { attempt = 1 } = operation;
  const failed = jobStateOf(world, operation.jobName).state === "failed";
  return failed && attempt < MOST_RETURNS ? atStep(operation, "return", attempt + 1) : operation;
}

/** Why the rollback has failed, after its last attempt. It is tried again when its last Job is deleted. */
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
      `Nothing is lost, and no pod is started. Remove the cause, then delete Job ${jobName}: the rollback is tried again`,
  };
}

function moveFailure(world: World): SwapState["failure"] {
  const { operation } = world.status;
  const job = operation && jobStateOf(world, stepJobName(operation, "move"));
  if (job?.state !== "failed" && job?.state !== "succeeded") return undefined;
  const verdict = judge(job, "the files were swapped");
  if (verdict.state !== "failed") return undefined;
  const { state: _, ...failure } = verdict;
  return failure;
}
