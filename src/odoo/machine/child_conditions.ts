/**
 * Whether the children are as the spec wants them, and whether another object is in their way. The status is written when
 * all effects before it have succeeded, so a status that follows planned children may say that they are applied; a
 * failure is told by the shell, under the same types.
 */
import { conditionOf, type ConditionState } from "../../kit/conditions.ts";
import type { Condition } from "../../kit/types.ts";
import type { Phase } from "../crd/mod.ts";
import type { Problem } from "../model/resolve.ts";
import type { World } from "../model/world.ts";

/** Condition: all children could be applied. */
export const CHILDREN_APPLIED = "ChildrenApplied";
/** Condition: an object of others has a name that the instance needs. */
export const NAME_CONFLICT = "NameConflict";
/** Reason of {@linkcode NAME_CONFLICT}: the object is neither an instance nor an instance's. */
export const NAME_TAKEN = "NameTaken";

type ChildCondition = Omit<ConditionState, "observedGeneration">;

/** Those that are to be said in the status of an instance that enters (or stays in) `phase`. */
export function childConditions(world: World, phase: Phase): ChildCondition[] {
  return [childrenApplied(world, phase), nameConflict(world)].filter((condition) => condition !== undefined);
}

/** Why the children are left as they are, if they are. */
export function childrenObstacle(world: World): Problem | undefined {
  return world.problem ?? world.cluster.problem;
}

function childrenApplied(world: World, phase: Phase): ChildCondition | undefined {
  const type = CHILDREN_APPLIED;
  const former = conditionOf(world.status.conditions, type);
  if (world.instance.metadata.deletionTimestamp) return former && again(former);
  const obstacle = childrenObstacle(world);
  if (obstacle) return { type, status: "False", ...obstacle };
  // It is said for the first time in a write that is made anyway: when all that Provisioning makes is there.
  const tooEarly = !world.status.activeCluster || (phase === "Provisioning" && former?.status !== "False");
  if (tooEarly) return former && again(former);
  return {
    type,
    status: "True",
    reason: "AllApplied",
    message: "All objects of the instance are as its spec wants them",
  };
}

function nameConflict(world: World): ChildCondition | undefined {
  const type = NAME_CONFLICT;
  if (world.problem?.reason === "NameConflict") {
    return { type, status: "True", reason: "OlderInstance", message: world.problem.message };
  }
  const former = conditionOf(world.status.conditions, type);
  if (!former) return undefined;
  const looked = !world.instance.metadata.deletionTimestamp && !childrenObstacle(world) && world.status.activeCluster;
  if (former.reason === NAME_TAKEN && !looked) return again(former);
  return { type, status: "False", reason: "NoConflict", message: "No other object has a name that the instance needs" };
}

function again({ type, status, reason, message }: Condition): ChildCondition {
  return { type, status, reason, message };
}
