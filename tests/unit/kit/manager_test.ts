/** Controllers that run together, on an API server in memory. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { systemClock } from "../../../src/kit/clock.ts";
import { type Controller, controller, customResource } from "../../../src/kit/controller.ts";
import { ApiError } from "../../../src/kit/errors.ts";
import { getLogger } from "../../../src/kit/log.ts";
import { Manager, type ManagerOptions } from "../../../src/kit/manager.ts";
import { createMetrics } from "../../../src/kit/metrics.ts";
import { shareCaches } from "../../../src/kit/shared_caches.ts";
import { nameOf, type ResourceType } from "../../../src/kit/types.ts";
import { done } from "../../../src/kit/workers.ts";
import { eventually } from "../../support/eventually.ts";
import { fakeServer } from "./fake_server.ts";

type Empty = Record<string, never>;
const names = { group: "example.com", version: "v1" } as const;
const APPS = customResource<Empty, Empty>({ ...names, kind: "App", plural: "apps" });
const SITES = customResource<Empty, Empty>({ ...names, kind: "Site", plural: "sites" });
const PARTS: ResourceType = { group: "", version: "v1", kind: "Part", plural: "parts" };
const SILENT = { types: [], failed: () => [] };

function aServer() {
  const server = fakeServer();
  server.put(APPS, { metadata: { namespace: "ns", name: "a" }, spec: {} });
  server.put(SITES, { metadata: { namespace: "ns", name: "s" }, spec: {} });
  return server;
}

function running(controllers: readonly Controller<Empty, Empty>[], options: ManagerOptions) {
  const stop = new AbortController();
  const manager = new Manager();
  for (const one of controllers) manager.add(one);
  const ended = manager.run({ signal: stop.signal, ...options });
  const end = async () => {
    stop.abort();
    await ended;
  };
  return { manager, [Symbol.asyncDispose]: end };
}

Deno.test("Manager.run() opens one watch for a kind that two controllers use, and both get its changes", async () => {
  const server = aServer();
  const seen: string[] = [];
  const see = (one: Controller<Empty, Empty>, key: string) =>
    one.watches(PARTS, { map: () => [key] }).reconcile((object, context) => {
      seen.push(`${nameOf(object)} ${context.store(PARTS).size}`);
      return Promise.resolve(done());
    });
  await using _ = running([see(controller(APPS), "ns/a"), see(controller(SITES), "ns/s")], { client: server.client });
  await eventually("both reconciled", () => seen.includes("a 0") && seen.includes("s 0"));
  server.put(PARTS, { metadata: { namespace: "ns", name: "p" } });
  await eventually("both reconciled again", () => seen.includes("a 1") && seen.includes("s 1"));
  assertEquals(server.watches.map(({ plural }) => plural).toSorted(), ["apps", "parts", "sites"]);
});

Deno.test("Manager.run() goes on with a controller when the map and the reconcile of another one fail", async () => {
  const server = aServer();
  let reconciles = 0;
  const failing = controller(APPS).reportsFailures(SILENT)
    .watches(PARTS, { map: fail })
    .reconcile(() => Promise.reject(new Error("Cannot go on")));
  const other = controller(SITES).watches(PARTS, { map: () => ["ns/s"] }).reconcile(() => {
    reconciles++;
    return Promise.resolve(done());
  });
  await using _ = running([failing, other], { client: server.client });
  await eventually("the first reconcile", () => reconciles === 1);
  server.put(PARTS, { metadata: { namespace: "ns", name: "p" } });
  await eventually("the second reconcile", () => reconciles === 2);
});

Deno.test("Manager.run() lists the problems of all controllers for /readyz, and runs the controller that has none", async () => {
  const server = aServer();
  const watch = server.client.watch;
  const client = {
    ...server.client,
    watch: async function* (type: ResourceType, ...rest: [never]) {
      if (type.plural === "sites") return yield* watch(type, ...rest);
      throw new ApiError(403, "Forbidden", `Cannot list ${type.plural}: not allowed`);
    } as typeof watch,
  };
  let reconciles = 0;
  const site = controller(SITES).reconcile(() => (reconciles++, Promise.resolve(done())));
  await using program = running([controller(APPS), controller(APPS).owns(PARTS), site], { client });
  await eventually("the reconcile of the Site", () => reconciles === 1);
  const problems = await eventually("both problems", () => {
    const { problems } = program.manager;
    return problems.some((line) => line.includes("Part: Cannot list")) && problems;
  });
  assertEquals(problems, ["App: Cannot list apps: not allowed", "Part: Cannot list parts: not allowed"]);
});

Deno.test("shareCaches() refuses two definitions of one index or two transforms of one cache", async () => {
  const { client } = fakeServer();
  const common = { clock: systemClock, log: getLogger(["test"]), metrics: createMetrics() };
  const share = (one: object, other: object) =>
    shareCaches(client, [{ type: PARTS, options: one }, { type: PARTS, options: other }], common);
  assertThrows(() => share({ indexes: { by: () => [] } }, { indexes: { by: () => ["x"] } }), RangeError, "index 'by'");
  assertThrows(() => share({ transform: (object: unknown) => object }, {}), RangeError, "different transforms");
  assertEquals(share({ indexes: { by: () => [] } }, { indexes: { of: () => [] } }).informers.length, 1);
  assertEquals(share({ namespace: "a" }, { namespace: "b" }).informers.length, 2);
  const apps = controller(APPS).watches(PARTS, { transform: (object) => object });
  const manager = new Manager().add(apps).add(controller(SITES).owns(PARTS));
  await assertRejects(() => manager.run({ client, signal: new AbortController().signal }), RangeError, "Part");
});

function fail(): never {
  throw new Error("Cannot map");
}
