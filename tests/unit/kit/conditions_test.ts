import { assertEquals } from "@std/assert";
import { conditionOf, setCondition, setConditions } from "../../../src/kit/conditions.ts";
import type { Condition } from "../../../src/kit/types.ts";

const THEN = "2026-01-01T00:00:00Z";
const NOW = "2026-01-02T00:00:00Z";

function aCondition(type: string, fields: Partial<Condition> = {}): Condition {
  return { type, status: "True", reason: "Fine", message: "", lastTransitionTime: THEN, ...fields };
}

const ready = aCondition("Ready");
const stored = aCondition("Stored");

Deno.test("setCondition() keeps the transition time when only reason, message or generation changed", () => {
  const { lastTransitionTime: _, ...next } = aCondition("Ready", {
    reason: "New",
    message: "m",
    observedGeneration: 3,
  });
  assertEquals(setCondition([ready, stored], next, NOW), [{ ...next, lastTransitionTime: THEN }, stored]);
});

Deno.test("setCondition() moves the transition time when the status changed, and keeps the place", () => {
  const next = { type: "Ready", status: "False", reason: "Down", message: "no" } as const;
  assertEquals(setCondition([ready, stored], next, NOW), [{ ...next, lastTransitionTime: NOW }, stored]);
});

Deno.test("setCondition() appends when the type is new", () => {
  const next = { type: "New", status: "Unknown", reason: "R", message: "" } as const;
  assertEquals(setCondition([ready], next, NOW), [ready, { ...next, lastTransitionTime: NOW }]);
});

Deno.test("setConditions() sets all in order and leaves the given list as it was", () => {
  const list: readonly Condition[] = Object.freeze([ready]);
  const result = setConditions(list, [{ ...stored, status: "False" }, { ...ready, status: "False" }], NOW);
  assertEquals(result.map(({ type, status }) => [type, status]), [["Ready", "False"], ["Stored", "False"]]);
  assertEquals(list, [ready]);
});

Deno.test("conditionOf() finds a condition by its type, in no list too", () => {
  assertEquals(conditionOf([ready, stored], "Stored"), stored);
  assertEquals([conditionOf([ready], "Stored"), conditionOf(undefined, "Ready")], [undefined, undefined]);
});
