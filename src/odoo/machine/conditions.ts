/**
 * What the status says to people: why an instance is where it is, and what to do. Reason and message are born together,
 * so condition, status.message and event cannot disagree.
 */
import { conditionOf, type ConditionState } from "../../kit/conditions.ts";
import type { Phase } from "../crd/mod.ts";
import { describeUnfinished, unfinishedDatabase } from "../model/instance/adoption.ts";
import { servesBesideCopy } from "../model/operations/copy/copy_steps.ts";
import { returnProblem } from "../model/operations/copy/copying.ts";
import { operationOutcome } from "../model/operations/outcome.ts";
import { endingProblem } from "../model/pods/ending_pods.ts";
import { firstSourceProblem } from "../model/operations/copy/refresh_source.ts";
import { podProblem } from "../model/pods/pods.ts";
import { bringsData, requestKind } from "../model/operations/requests.ts";
import type { World } from "../model/world.ts";
import { deletion, deletionObstacle } from "../planners/deleting.ts";
import { migrationCondition } from "../planners/migrating_database.ts";
import { filestoreProblem } from "../planners/filestore.ts";
import { pullSecretProblem } from "../planners/pull_secret.ts";
import { childConditions } from "./child_conditions.ts";
import { configurationProblem, guards, isDatabaseMissing } from "./guards.ts";
import { PHASES } from "./phases.ts";
import { sideConditions } from "./side_conditions.ts";

/** A PascalCase constant and a sentence that says what to do. */
export interface Explanation {
  readonly reason: string;
  readonly message: string;
}

/** The first thing a person should know of an instance in `phase`. */
export function explain(world: World, phase: Phase): Explanation {
  return particular(world, phase) ?? general(phase);
}

/** The conditions of an instance that enters (or stays in) `phase`. */
export function conditionsFor(world: World, phase: Phase): ConditionState[] {
  const trouble = particular(world, phase);
  const { reason, message } = trouble ?? general(phase);
  const observedGeneration = world.instance.metadata.generation ?? 0;
  const serves = phase === "Running" ||
    (servesBeside(world, phase) && guards.allReady(world) && !guards.wantsZero(world));
  const ready = serves && !trouble;
  const migration = migrationCondition(world, phase);
  return [
    { type: "Ready", status: ready ? "True" : "False", reason, message, observedGeneration },
    {
      type: "Progressing",
      status: PHASES[phase].progressing ? "True" : "False",
      reason: phase,
      message: PHASES[phase].message,
      observedGeneration,
    },
    { ...databaseReachable(world), observedGeneration },
    ...[...childConditions(world, phase), ...sideConditions(world, phase)].map((condition) => ({
      ...condition,
      observedGeneration,
    })),
    ...(migration ? [migration] : []),
  ];
}

/** Operations that leave the pods as they are, for now at least. */
function servesBeside(world: World, phase: Phase): boolean {
  if (phase === "BackingUp" || phase === "MigratingFilestore") return true;
  return (phase === "Restoring" || phase === "CloningFromSource") && servesBesideCopy(world);
}

function general(phase: Phase): Explanation {
  return { reason: phase, message: PHASES[phase].message };
}

function particular(world: World, phase: Phase): Explanation | undefined {
  if (world.instance.metadata.deletionTimestamp) {
    return deletionObstacle(world) ?? deletion(world);
  }
  switch (phase) {
    case "Error":
      return configurationProblem(world);
    case "InitFailed":
      return initFailure(world);
    default:
      return standingProblem(world) ??
        (phase === "Provisioning" ? unreachable(world) : undefined) ?? databaseMissing(world) ??
        filestoreProblem(world) ??
        (phase === "Uninitialized" ? unfinished(world) ?? firstSourceProblem(world) : undefined) ??
        waitingProblem(world, phase);
  }
}

/** What keeps the pods that the phase waits for. */
function waitingProblem(world: World, phase: Phase): Explanation | undefined {
  switch (phase) {
    case "Initializing":
    case "Upgrading":
    case "BackingUp":
    case "Restoring":
    case "CloningFromSource":
    case "FinalizingFilestoreMigration":
    case "MigratingDatabase":
      return returnProblem(world) ?? pullSecretProblem(world) ?? podProblem(world, "job") ?? endingProblem(world);
    case "Starting":
      return pullSecretProblem(world) ?? podProblem(world, "web");
    case "Degraded":
      return podProblem(world, "web");
    default:
      return undefined;
  }
}

/** A refused login of the administrator is no news of an instance that has its database: its pods go on serving. */
function standingProblem(world: World): Explanation | undefined {
  const problem = configurationProblem(world);
  return problem?.reason === "DatabaseLoginFailed" && world.status.dbInitialized ? undefined : problem;
}

function initFailure(world: World): Explanation | undefined {
  const { operation } = world.status;
  const outcome = operationOutcome(world);
  if (operation && outcome.state === "failed") return initFailed(operation.kind, operation.name, outcome.message); // not in its CR yet
  const failed = world.observed.requests.filter((cr) => bringsData(requestKind(cr)) && cr.status?.phase === "Failed")
    .at(-1);
  return failed &&
    initFailed(requestKind(failed), failed.metadata.name, failed.status?.message ?? "no reason was recorded");
}

function initFailed(kind: string, name: string, cause: string): Explanation {
  return { reason: "InitFailed", message: `${kind} ${name} failed: ${cause}. Create a new ${kind} to try again` };
}

function unreachable({ cluster }: World): Explanation | undefined {
  if (cluster.problem || cluster.facts.known) return undefined;
  const { reason, message } = cluster.facts;
  return { reason, message: reason === "Connecting" ? message : `${message}. Trying again until it answers` };
}

function databaseMissing(world: World): Explanation | undefined {
  const { cluster, resolved, status } = world;
  const former = conditionOf(status.conditions, "Ready");
  if (cluster.facts?.known === false && status.dbInitialized && former?.reason === "DatabaseMissing") {
    return { reason: former.reason, message: former.message }; // a restarted operator has not seen it come back
  }
  if (!isDatabaseMissing(world) || !resolved) return undefined;
  const next = resolved.missingPolicy === "Recreate"
    ? "spec.database.missingPolicy is Recreate: starting with an empty one"
    : "restore it, or set spec.database.missingPolicy to Recreate to start with an empty one";
  return {
    reason: "DatabaseMissing",
    message: `Database ${resolved.databaseName} is not on cluster '${cluster.address?.name}' any more: ${next}`,
  };
}

function unfinished(world: World): Explanation | undefined {
  const database = unfinishedDatabase(world);
  return database === undefined ? undefined : { reason: "DatabaseUnfinished", message: describeUnfinished(database) };
}

function databaseReachable({ cluster, status }: World): Omit<ConditionState, "observedGeneration"> {
  const type = "DatabaseReachable";
  // Not asked yet is no news: a restarted operator must not write that to every instance.
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
