import { assertEquals } from "@std/assert";
import { type Effect, inOrder, inSteps } from "../../../../src/odoo/model/plan.ts";
import { anInstance } from "../../../support/builders.ts";

const apply = (name: string): Effect => ({ type: "apply", object: { metadata: { name } } });
const event = (reason: string): Effect => ({ type: "event", about: anInstance(), warning: false, reason, note: "" });
const drop = (database: string): Effect => ({
  type: "sql",
  cluster: "main",
  write: { type: "dropDatabase", database, ownership: { uid: "u" } },
});
const letGo: Effect = { type: "removeFinalizer", finalizer: "example.com/hold" };

function typesOf(effects: readonly Effect[]): string[] {
  return effects.map(({ type }) => type);
}

Deno.test("inOrder() follows the contract, and keeps the order of what has the same place", () => {
  const effects = [event("Late"), letGo, apply("b"), drop("x"), apply("a")];
  assertEquals(inOrder(effects), [drop("x"), apply("b"), apply("a"), letGo, event("Late")]);
});

Deno.test("inSteps() puts children together and events together, and nothing else", () => {
  const effects = [drop("x"), drop("y"), apply("a"), apply("b"), letGo, event("One"), event("Two")];
  assertEquals(inSteps(effects).map(typesOf), [
    ["sql"],
    ["sql"],
    ["apply", "apply"],
    ["removeFinalizer"],
    ["event", "event"],
  ]);
  assertEquals(inSteps(effects).flat(), effects);
});

Deno.test("inSteps() never puts an effect before one that was planned ahead of it", () => {
  const effects = [apply("a"), drop("x"), apply("b")];
  assertEquals(inSteps(effects).map(typesOf), [["apply"], ["sql"], ["apply"]]);
});

Deno.test("inSteps() leaves an effect alone that is not independent, also when it comes first of its place", () => {
  const secret: Effect = { type: "deleteSecret", name: "shop-db-ro-password" };
  assertEquals(inSteps([secret, apply("a"), apply("b"), secret]).map(typesOf), [
    ["deleteSecret"],
    ["apply", "apply"],
    ["deleteSecret"],
  ]);
});
