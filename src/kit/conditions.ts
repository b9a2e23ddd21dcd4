/** `status.conditions` as Kubernetes defines them: one per type, and a transition time that moves only with the status. */
import type { Condition, Timestamp } from "./types.ts";

/** A condition as a decision states it; {@linkcode setCondition} adds the time. */
export type ConditionState = Omit<Condition, "lastTransitionTime">;

/**
 * The list with `next` in it: in the place of the former condition of that type, else at the end. `now` becomes its
 * transition time only if the status differs from the former one.
 */
export function setCondition(list: readonly Condition[], next: ConditionState, now: Timestamp): Condition[] {
  const former = list.find((condition) => condition.type === next.type);
  const lastTransitionTime = former?.status === next.status ? former.lastTransitionTime : now;
  const condition = { ...next, lastTransitionTime };
  return former ? list.map((other) => other === former ? condition : other) : [...list, condition];
}

/** {@linkcode setCondition} for several conditions, in order. */
export function setConditions(
  list: readonly Condition[],
  next: readonly ConditionState[],
  now: Timestamp,
): Condition[] {
  return next.reduce<Condition[]>((result, condition) => setCondition(result, condition, now), [...list]);
}

/** The condition of a type, if the list has one. */
export function conditionOf(list: readonly Condition[] | undefined, type: string): Condition | undefined {
  return list?.find((condition) => condition.type === type);
}
