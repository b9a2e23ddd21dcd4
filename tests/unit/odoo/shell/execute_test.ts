import { assertEquals, assertRejects } from "@std/assert";
import { Informer } from "../../../../src/kit/cache.ts";
import { systemClock } from "../../../../src/kit/clock.ts";
import { ReconcileContext } from "../../../../src/kit/context.ts";
import { ApiError } from "../../../../src/kit/errors.ts";
import { EventRecorder } from "../../../../src/kit/events.ts";
import { configureLogging, getLogger } from "../../../../src/kit/log.ts";
import type { Plan } from "../../../../src/odoo/model/plan.ts";
import { execute, type ExecutionParts } from "../../../../src/odoo/shell/execute.ts";
import { OdooInstanceKind } from "../../../../src/odoo/shell/kinds.ts";
import { anInstance } from "../../../support/builders.ts";
import { fakeClient } from "../../kit/fake_client.ts";

const status = { phase: "Running" } as const;
const CHANGE: Plan = {
  effects: [{ type: "status", status, change: { from: "Starting", to: "Running", guard: "allReady" } }],
};
const NO_CHANGE: Plan = { effects: [{ type: "status", status }] };

/** Executes a plan that only writes the status, at an API server that answers so, and adds what is logged to `lines`. */
async function executed(plan: Plan, answer: Promise<unknown>, lines: string[]): Promise<void> {
  await configureLogging({ write: (line) => lines.push(line.replace(/^\S+ /, "")) });
  const log = getLogger(["test"]);
  const client = fakeClient({ apply: () => answer as Promise<never> });
  const informers = [new Informer(client, OdooInstanceKind)];
  const events = new EventRecorder(client, { controller: "test", instance: "test", log });
  const parts = { client, clock: systemClock, events, informers, lastAppliedAnnotation: "bemade.org/last-applied" };
  const instance = anInstance();
  const context = new ReconcileContext(parts, instance, { log, signal: new AbortController().signal });
  await execute(plan, instance, context, {} as ExecutionParts);
}

Deno.test("execute() logs the row that fired when the status that it leads to is written", async () => {
  const lines: string[] = [];
  const written = Promise.resolve({ ...anInstance({ metadata: { resourceVersion: "11" } }), status });
  await executed(CHANGE, written, lines);
  await executed(NO_CHANGE, written, lines);
  assertEquals(lines, ["info    Phase changed from=Starting to=Running guard=allReady\n"]);
});

Deno.test("execute() logs no row when the status is refused", async () => {
  const lines: string[] = [];
  const refused = Promise.reject(new ApiError(409, "Conflict", "the object has been modified"));
  await assertRejects(() => executed(CHANGE, refused, lines), ApiError);
  assertEquals(lines, []);
});
