/**
 * The decision: what to do now, and which phase comes next. Pure: the same world gives the same plan.
 *
 * The effects of a phase are planned only after the phase is committed in the status; entering it and recording its operation
 * (status.operation) is one write. So after a crash at any point the decision may run again; effects are idempotent.
 */
import { conditionOf } from "../../kit/conditions.ts";
import type { Assessment } from "../model/assessment.ts";
import { FIELD_MANAGER } from "../api.ts";
import { type Effect, inOrder, type PhaseChange, type Plan } from "../model/plan.ts";
import type { World } from "../model/world.ts";
import { planAdoption } from "../planners/adopting.ts";
import { planChildren } from "../planners/children.ts";
import { awaitsDeletion, planDeletion } from "../planners/deleting.ts";
import { planHistory } from "../planners/history.ts";
import { planLeftovers } from "../planners/leftovers.ts";
import { MIGRATIONS } from "../planners/migrations/mod.ts";
import { planNotifications, planPhaseNotifications } from "../planners/notifying.ts";
import { planOutcome, planRefusals, planReleases, planWaiting } from "../planners/operating.ts";
import { planDisowning, planFoundations, planOwnership, planPreparation } from "../planners/provisioning.ts";
import { planPullSecret } from "../planners/pull_secret.ts";
import { planReadOnlyAccess, planReadOnlyEnd } from "../planners/read_only.ts";
import { planSnapshotEnd } from "../planners/snapshotting.ts";
import { assess } from "./assess.ts";
import { explain, type Explanation } from "./conditions.ts";
import { guards } from "./guards.ts";
import { nextStatus } from "./next_status.ts";
import { PHASE_PLANNERS } from "./phase_planners.ts";

/** How often a waiting refresh checks whether its source can be copied: no watch reports that. */
const SOURCE_RECHECK_MS = 10_000;

/** Assesses a world and plans for it. */
export function decide(world: World): Plan {
  return plan(assess(world));
}

/** What to do now. */
export function plan(world: Assessment): Plan {
  if (world.instance.metadata.deletionTimestamp) return planEnd(world);
  const preparation = planPreparation(world);
  if (preparation.length) return { effects: preparation };
  const { change } = world;
  const explanation = explain(world);
  const status = nextStatus(world, explanation);
  const requeueAfterMs = recheckAfterMs(world);
  return {
    ...(requeueAfterMs === undefined ? {} : { requeueAfterMs }),
    effects: inOrder([
      ...planDisowning(world, FIELD_MANAGER),
      ...planAdoption(world, FIELD_MANAGER),
      ...planOwnership(world),
      ...planFoundations(world),
      ...planPullSecret(world),
      ...planReadOnlyAccess(world),
      ...planChildren(world),
      ...planReadOnlyEnd(world),
      ...PHASE_PLANNERS[world.phase](world),
      ...planReleases(world),
      ...planSnapshotEnd(world),
      ...planOutcome(world),
      ...planRefusals(world),
      ...planWaiting(world),
      { type: "status", status, ...(change ? { change } : {}) },
      ...planNotifications(world),
      ...planPhaseNotifications(world, status.pendingNotifications ?? []),
      ...(change ? [phaseChanged(world, change, explanation)] : planCleanUp(world)),
      ...databaseMissed(world, explanation),
      ...planHistory(world),
    ]),
  };
}

/** The effects of a deletion; none after our finalizer is removed. */
function planEnd(world: Assessment): Plan {
  if (!awaitsDeletion(world)) return { effects: [] }; // another controller's finalizer is left, or the cache is behind
  const effects = [...planSnapshotEnd(world), ...planDeletion(world)];
  const isLast = effects.some(({ type }) => type === "removeFinalizer"); // there is no status to write after it
  return {
    effects: isLast ? effects : inOrder([...effects, { type: "status", status: nextStatus(world, explain(world)) }]),
  };
}

/** Removal of what is no longer needed, while no phase changes. */
function planCleanUp(world: Assessment): Effect[] {
  const { operation } = world.status;
  const idle = MIGRATIONS.all.filter((migration) => !migration.isInProgress(operation));
  return [...planLeftovers(world), ...idle.flatMap((migration) => migration.cleanUp(world))];
}

/** When to decide again if nothing changes. */
function recheckAfterMs(world: Assessment): number | undefined {
  const { facts, queue, snapshot, now } = world;
  const times = [
    ...(queue.nextDueMs === undefined ? [] : [queue.nextDueMs - now]),
    ...(facts.migrationDeadlineMs === undefined ? [] : [Math.max(facts.migrationDeadlineMs - now, 0)]),
    ...(waitsForSource(world) ? [SOURCE_RECHECK_MS] : []),
    ...(snapshot?.next === "wait" ? [Math.max(snapshot.untilMs - now, 0)] : []),
  ];
  return times.length ? Math.min(...times) : undefined;
}

/** Whether a request, or the instance itself, waits for another instance whose changes trigger no reconcile of this one. */
function waitsForSource({ phase, facts, queue }: Assessment): boolean {
  if (phase === "Uninitialized" && facts.firstSourceProblem?.reason === "SourceMissing") return true;
  return queue.open.some(({ sourceObstacle }) => sourceObstacle !== undefined);
}

/** An event when the condition begins to report the lost database, not in each reconcile. */
function databaseMissed(world: Assessment, { reason, message }: Explanation): Effect[] {
  const isReported = conditionOf(world.status.conditions, "Ready")?.reason === reason;
  if (reason !== "DatabaseMissing" || isReported || world.nextPhase !== world.phase) return [];
  return [{ type: "event", about: world.instance, warning: true, reason, note: message }];
}

function phaseChanged(world: Assessment, { from, to }: PhaseChange, { message }: Explanation): Effect {
  const warning = to === "Error" || to === "InitFailed" || guards.databaseToRecreate(world);
  return {
    type: "event",
    about: world.instance,
    warning,
    reason: "PhaseChanged",
    note: `From ${from} to ${to}: ${message}`,
  };
}
