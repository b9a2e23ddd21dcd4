/**
 * The explanation of an instance's state, and its conditions: why it is where it is, and what to do. Reason and message are
 * created together, so condition, status.message and event cannot disagree.
 */
import { conditionOf, type ConditionState } from "../../kit/conditions.ts";
import type { Assessment } from "../model/assessment.ts";
import { describeUnfinished } from "../model/instance/adoption.ts";
import { returnProblem } from "../model/operations/copy/copying.ts";
import { requestKind, rowOf } from "../model/operations/request_kinds.ts";
import { phaseRow } from "../model/phases.ts";
import type { Problem } from "../model/problem.ts";
import type { World } from "../model/world.ts";
import { deletion } from "../planners/deleting.ts";
import { filestoreProblem } from "../planners/filestore.ts";
import { MIGRATIONS } from "../planners/migrations/mod.ts";
import { childConditions } from "./child_conditions.ts";
import { sideConditions } from "./side_conditions.ts";

/** What the status says of an instance: its most important problem, or the description of its phase. */
export interface Explanation extends Problem {
  /** It is a problem, not only the description of the phase. */
  readonly isProblem: boolean;
}

/** The most important thing to know of the instance in its next phase. */
export function explain(assessment: Assessment): Explanation {
  const problem = problemOf(assessment);
  const { nextPhase: phase } = assessment;
  return problem
    ? { ...problem, isProblem: true }
    : { reason: phase, message: phaseRow(phase).message, isProblem: false };
}

/** The conditions of the instance in its next phase. */
export function conditionsFor(assessment: Assessment, explanation: Explanation): ConditionState[] {
  const { nextPhase: phase, instance } = assessment;
  const { reason, message, isProblem } = explanation;
  const row = phaseRow(phase);
  const observedGeneration = instance.metadata.generation ?? 0;
  const ready = isServing(assessment) && !isProblem;
  return [
    { type: "Ready", status: ready ? "True" : "False", reason, message, observedGeneration },
    {
      type: "Progressing",
      status: row.progressing ? "True" : "False",
      reason: phase,
      message: row.message,
      observedGeneration,
    },
    { ...databaseReachable(assessment), observedGeneration },
    ...[...childConditions(assessment), ...sideConditions(assessment)].map((condition) => ({
      ...condition,
      observedGeneration,
    })),
    ...MIGRATIONS.all.flatMap((migration) => migration.condition(assessment) ?? []),
  ];
}

/** Whether the pods serve in the next phase. */
function isServing({ nextPhase, facts }: Assessment): boolean {
  const { ready } = phaseRow(nextPhase);
  if (ready === "always" || ready === "never") return ready === "always";
  if (ready === "untilSwap" && !facts.servesBesideCopy) return false;
  const { wantedReplicas: wanted = Infinity, readyReplicas } = facts;
  return wanted > 0 && readyReplicas >= wanted;
}

function problemOf(world: Assessment): Problem | undefined {
  if (world.instance.metadata.deletionTimestamp) return world.facts.deletion?.obstacle ?? deletion(world);
  const { nextPhase: phase, facts } = world;
  switch (phase) {
    case "Error":
      return facts.configurationProblem;
    case "InitFailed":
      return initFailure(world);
    default:
      return standingProblem(world) ??
        (phase === "Provisioning" ? unreachable(world) : undefined) ?? databaseMissing(world) ??
        filestoreProblem(world) ??
        (phase === "Uninitialized" ? unfinished(world) ?? facts.firstSourceProblem : undefined) ??
        waitingProblem(world);
  }
}

/** The problem of the pods that the phase waits for. */
function waitingProblem(world: Assessment): Problem | undefined {
  const { podProblems, endingProblem } = world.facts;
  switch (phaseRow(world.nextPhase).awaits) {
    case "job":
      return returnProblem(world) ?? world.facts.pullSecretProblem ?? podProblems.job ?? endingProblem;
    case "web":
      return (world.nextPhase === "Starting" ? world.facts.pullSecretProblem : undefined) ?? podProblems.web;
    case "nothing":
      return undefined;
  }
}

/** A refused login of the administrator does not affect an instance that has its database: its pods go on serving. */
function standingProblem({ facts: { configurationProblem: problem }, status }: Assessment): Problem | undefined {
  return problem?.reason === "DatabaseLoginFailed" && status.dbInitialized ? undefined : problem;
}

function initFailure({ status: { operation }, outcome, observed }: Assessment): Problem | undefined {
  if (operation && outcome.state === "failed") return initFailed(operation.kind, operation.name, outcome.message); // not in the request's status yet
  const failed = observed.requests.filter((cr) => rowOf(cr).bringsData && cr.status?.phase === "Failed").at(-1);
  return failed &&
    initFailed(requestKind(failed), failed.metadata.name, failed.status?.message ?? "no reason was recorded");
}

function initFailed(kind: string, name: string, cause: string): Problem {
  return { reason: "InitFailed", message: `${kind} ${name} failed: ${cause}. Create a new ${kind} to try again` };
}

function unreachable({ cluster }: World): Problem | undefined {
  if (cluster.problem || cluster.facts.known) return undefined;
  const { reason, message } = cluster.facts;
  return { reason, message: reason === "Connecting" ? message : `${message}. Trying again until it answers` };
}

function databaseMissing(world: Assessment): Problem | undefined {
  const { cluster, resolved, status } = world;
  const former = conditionOf(status.conditions, "Ready");
  if (cluster.facts?.known === false && status.dbInitialized && former?.reason === "DatabaseMissing") {
    return { reason: former.reason, message: former.message }; // a restarted operator has not read the inventory yet
  }
  if (!world.facts.isDatabaseMissing || !resolved) return undefined;
  const next = resolved.missingPolicy === "Recreate"
    ? "spec.database.missingPolicy is Recreate: starting with an empty one"
    : "restore it, or set spec.database.missingPolicy to Recreate to start with an empty one";
  return {
    reason: "DatabaseMissing",
    message: `Database ${resolved.databaseName} is not on cluster '${cluster.address?.name}' any more: ${next}`,
  };
}

function unfinished({ facts: { unfinishedDatabase: database } }: Assessment): Problem | undefined {
  return database === undefined ? undefined : { reason: "DatabaseUnfinished", message: describeUnfinished(database) };
}

function databaseReachable({ cluster, status }: World): Omit<ConditionState, "observedGeneration"> {
  const type = "DatabaseReachable";
  // A restarted operator that has not asked the cluster yet must not write that to every instance.
  const former = cluster.facts && !cluster.facts.known && cluster.facts.reason === "Connecting"
    ? conditionOf(status.conditions, type)
    : undefined;
  if (former) return { type, status: former.status, reason: former.reason, message: former.message };
  if (cluster.problem) return { type, status: "Unknown", ...cluster.problem };
  const { facts, address } = cluster;
  if (facts.known) {
    return {
      type,
      status: "True",
      reason: "Connected",
      message: `PostgreSQL ${facts.serverMajor} on cluster '${address.name}'`,
    };
  }
  return {
    type,
    status: facts.reason === "Connecting" ? "Unknown" : "False",
    reason: facts.reason,
    message: facts.message,
  };
}
