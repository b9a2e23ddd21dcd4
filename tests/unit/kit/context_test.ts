import { assertEquals, assertRejects } from "@std/assert";
import { Informer } from "../../../src/kit/cache.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { type CustomObject, ReconcileContext } from "../../../src/kit/context.ts";
import { ApiError } from "../../../src/kit/errors.ts";
import { EventRecorder } from "../../../src/kit/events.ts";
import { getLogger } from "../../../src/kit/log.ts";
import type { ResourceType } from "../../../src/kit/types.ts";
import { fakeServer } from "./fake_server.ts";

interface Status {
  readonly first?: string;
  readonly second?: string;
}
type App = CustomObject<{ readonly size: number }, Status>;
const APPS: ResourceType<App> = { group: "example.com", version: "v1", kind: "App", plural: "apps" };
const ADDRESS = { namespace: "ns", name: "a" };

function aContext() {
  const server = fakeServer();
  const app = server.put(APPS, { apiVersion: "example.com/v1", kind: "App", metadata: ADDRESS, spec: { size: 1 } });
  const { client } = server;
  const informer = new Informer(client, APPS);
  const log = getLogger(["test"]);
  const events = new EventRecorder(client, { controller: "c", instance: "i", log, clock: systemClock });
  const parts = { client, clock: systemClock, events, informers: [informer], lastAppliedAnnotation: "x/last" };
  const context = new ReconcileContext(parts, app, { log, signal: new AbortController().signal });
  return { server, app, context };
}

Deno.test("ReconcileContext.setStatus() is not refused when the same reconcile has written the status before", async () => {
  const { server, app, context } = aContext();
  await context.setStatus(APPS, app, { first: "1" });
  await context.setStatus(APPS, app, { first: "1", second: "2" });
  assertEquals(server.get(APPS, ADDRESS).status, { first: "1", second: "2" });
});

Deno.test("ReconcileContext.setStatus() writes the first status again when a second one was written between", async () => {
  const { server, app, context } = aContext();
  await context.setStatus(APPS, app, { first: "1" });
  await context.setStatus(APPS, app, {});
  assertEquals(server.get(APPS, ADDRESS).status, {});
});

Deno.test("ReconcileContext.setStatus() is refused when another client changed the object", async () => {
  const { server, app, context } = aContext();
  await context.setStatus(APPS, app, { first: "1" });
  server.put(APPS, { ...app, spec: { size: 2 } });
  await assertRejects(() => context.setStatus(APPS, app, { first: "2" }), ApiError, "Cannot write a");
});

Deno.test("ReconcileContext.setConditions() keeps the status that the same reconcile has written", async () => {
  const { server, app, context } = aContext();
  await context.setStatus(APPS, app, { first: "1" });
  await context.setConditions(APPS, app, []);
  assertEquals(server.get(APPS, ADDRESS).status, { first: "1", conditions: [] } as Status);
});

Deno.test("ReconcileContext.refresh() reads an object into the store, and is undefined when there is none", async () => {
  const { app, context } = aContext();
  assertEquals(context.store(APPS).get("ns/a"), undefined);
  assertEquals(await context.refresh(APPS, ADDRESS), app);
  assertEquals(context.store(APPS).get("ns/a"), app);
  assertEquals(await context.refresh(APPS, { ...ADDRESS, name: "b" }), undefined);
});
