/**
 * Whether the children are as the spec says, and whether another object prevents one. The status is written after all effects
 * before it have succeeded, so it may say that the planned children are applied; failures are reported by the shell, under the
 * same condition types.
 */
import { conditionOf, type ConditionState } from "../../kit/conditions.ts";
import type { Condition } from "../../kit/types.ts";
import type { Problem } from "../model/problem.ts";
import type { Assessment } from "../model/assessment.ts";
import type { World } from "../model/world.ts";

/** Condition: all children could be applied. */
export const CHILDREN_APPLIED = "ChildrenApplied";
/** Condition: another object has a name that the instance needs. */
export const NAME_CONFLICT = "NameConflict";
/** Reason of {@linkcode NAME_CONFLICT}: the object is neither an instance nor the child of one. */
export const NAME_TAKEN = "NameTaken";

type ChildCondition = Omit<ConditionState, "observedGeneration">;

/** The conditions about children. */
export function childConditions(world: Assessment): ChildCondition[] {
  return [childrenApplied(world), nameConflict(world)].filter((condition) => condition !== undefined);
}

/** Why children are not changed, if they are not. */
export function childrenObstacle(world: World): Problem | undefined {
  return world.problem ?? world.cluster.problem;
}

function childrenApplied(world: Assessment): ChildCondition | undefined {
  const type = CHILDREN_APPLIED;
  const former = conditionOf(world.status.conditions, type);
  if (world.instance.metadata.deletionTimestamp) return former && unchanged(former);
  const obstacle = childrenObstacle(world);
  if (obstacle) return { type, status: "False", ...obstacle };
  // Reported for the first time in a write that happens anyway: when Provisioning has created everything.
  const tooEarly = !world.status.activeCluster || (world.nextPhase === "Provisioning" && former?.status !== "False");
  if (tooEarly) return former && unchanged(former);
  return {
    type,
    status: "True",
    reason: "AllApplied",
    message: "All objects of the instance are as its spec says",
  };
}

function nameConflict(world: Assessment): ChildCondition | undefined {
  const type = NAME_CONFLICT;
  if (world.problem?.reason === "NameConflict") {
    return { type, status: "True", reason: "OlderInstance", message: world.problem.message };
  }
  const former = conditionOf(world.status.conditions, type);
  if (!former) return undefined;
  const isChecked = !world.instance.metadata.deletionTimestamp && !childrenObstacle(world) &&
    world.status.activeCluster;
  if (former.reason === NAME_TAKEN && !isChecked) return unchanged(former);
  return { type, status: "False", reason: "NoConflict", message: "No other object has a name that the instance needs" };
}

function unchanged({ type, status, reason, message }: Condition): ChildCondition {
  return { type, status, reason, message };
}
