/**
 * The outcome of the operation in progress. It is read from the objects, never remembered from an event: first from the
 * request, then from its Job. So it is the same after a crash at any moment.
 */
import { conditionOf } from "../../../kit/conditions.ts";
import type { JobRequest, OperationStatus } from "../../crd/mod.ts";
import type { Assessed, MigrationOutcome, OperationOutcome } from "../assessment.ts";
import { jobStateOf, type World } from "../world.ts";
import { copiesFiles, swapFailure } from "./copy/copying.ts";
import { refreshProblem } from "./copy/refresh_source.ts";
import { judge, type Report } from "./reports/report.ts";
import { requestOf, SUCCEEDED, wasStarted } from "./request.ts";
import { rowOf } from "./request_kinds.ts";

type Input = Assessed<"facts" | "migration" | "snapshot" | "swap">;

/** The outcome of `status.operation`. */
export function operationOutcome(world: Input): OperationOutcome {
  const { status: { operation }, facts, snapshot } = world;
  if (!operation) return { state: "none" };
  if (operation.kind === "OdooInstance") return migrationOutcome(world.migration);
  const request = requestOf(world, operation);
  switch (request?.status?.phase) {
    case "Completed":
      return { state: "succeeded" };
    case "Failed":
      return {
        state: "failed",
        reason: conditionOf(request.status.conditions, SUCCEEDED)?.reason ?? "JobFailed",
        message: request.status.message ?? "no reason was recorded",
      };
  }
  if (facts.isSwapping) return swapOutcome(world, request);
  if (facts.copyStep === "snapshot") {
    if (!request) return { state: "cancelled" };
    return snapshot?.next === "fail" ? { state: "failed", ...snapshot.problem } : { state: "running" };
  }
  return jobOutcome(world, operation, request);
}

/** A migration has no request: its outcome is part of the instance's own. */
function migrationOutcome(outcome: MigrationOutcome): OperationOutcome {
  switch (outcome.state) {
    case "succeeded":
    case "failed":
      return outcome;
    case "withdrawn":
      return { state: "cancelled" };
    default:
      return { state: "running" };
  }
}

function jobOutcome(world: Input, operation: OperationStatus, request: JobRequest | undefined): OperationOutcome {
  const step = world.facts.copyStep;
  const job = jobStateOf(world, operation.jobName);
  switch (job.state) {
    case "succeeded":
    case "failed": {
      const verdict = judge(job, taskOf(world, request));
      if (verdict.state === "failed") return verdict;
      return step ? { state: request ? "running" : "cancelled" } : succeeded(request, verdict.fields);
    }
    case "active":
      return { state: request ? "running" : "cancelled" };
    case "absent":
      if (!request) return { state: "cancelled" };
      if (!wasStarted(request, operation)) return notStarted(world, request);
      return {
        state: "failed",
        reason: "JobDeleted",
        message: `Job ${operation.jobName} was deleted before its result could be read`,
      };
  }
}

/** While data is swapped, the operation ends by its completion or by the rollback. */
function swapOutcome(world: Input, request: JobRequest | undefined): OperationOutcome {
  const summary = request?.status?.summary ?? {};
  switch (world.facts.copyStep) {
    case "return":
      if (!world.swap.hasReturned) return { state: "running" };
      return request ? { state: "failed", ...swapFailure(world) } : { state: "cancelled" };
    case "move": // without a resolved spec nothing could be removed, and nothing is served anyway
      return world.facts.isStepDone && request && world.resolved ? succeeded(request, summary) : { state: "running" };
    default:
      return world.swap.swapsNow && !copiesFiles(request) ? succeeded(request, summary) : { state: "running" };
  }
}

/** The Job of a step that reads another instance cannot be created any more when that instance is gone. */
function notStarted(world: World & Pick<Input, "facts">, request: JobRequest): OperationOutcome {
  const { copyStep: step } = world.facts;
  const readsSource = request.kind === "OdooStagingRefreshJob" && (step === "database" || step === "files");
  const problem = readsSource ? refreshProblem(world, request) : undefined;
  return problem ? { state: "failed", ...problem } : { state: "running" };
}

function succeeded(request: JobRequest | undefined, summary: Report["fields"]): OperationOutcome {
  const message = request && rowOf(request).describe(summary);
  return {
    state: "succeeded",
    ...(message === undefined ? {} : { message }),
    ...(Object.keys(summary).length ? { summary } : {}),
  };
}

/** What each step with a Job was to do: follows "The Job ended before". */
const STEP_TASKS: Readonly<Record<string, string>> = {
  load: "the backup was loaded",
  database: "the database was copied",
  files: "the files were copied",
  prepare: "the copy was fit to be served",
};

function taskOf({ facts }: Input, request: JobRequest | undefined): string {
  return STEP_TASKS[facts.copyStep ?? ""] ?? (request ? rowOf(request).task(request) : "its work was done");
}
