/** The kit's watches behind the fault proxy, with times and pages too small for a whole operator. */
import { assert, assertEquals } from "@std/assert";
import { ConfigMap, createClient, Informer, type InformerOptions, isGone, watchObjects } from "../../src/kit/mod.ts";
import { type FaultProxy, startFaultProxy } from "../../dev/fault_proxy.ts";
import { type BareApiServer, startBareApiServer } from "../support/api_server.ts";
import { eventually } from "../support/eventually.ts";

const namespace = "default";
const IDLE_MS = 2_000;

let server: BareApiServer;
let proxy: FaultProxy;

Deno.test.beforeAll(async () => {
  server = await startBareApiServer();
  proxy = await startFaultProxy(server.access);
});
Deno.test.afterEach(() => proxy.heal());
Deno.test.afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** An informer of ConfigMaps behind the proxy, and a client past it. */
function informing(label: string, options: InformerOptions<ConfigMap> = {}) {
  const client = createClient(proxy.access, { fieldManager: "informer" });
  const direct = createClient(server.access, { fieldManager: "tester" });
  const informer = new Informer(client, ConfigMap, { namespace, labelSelector: `test=${label}`, ...options });
  const stop = new AbortController();
  const running = informer.run(stop.signal);
  const create = (name: string) =>
    direct.create(ConfigMap, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace, name, labels: { test: label } },
    });
  const names = () => informer.store.list().map(({ metadata }) => metadata.name).sort();
  const close = async () => {
    stop.abort();
    await running;
    client.close();
    direct.close();
  };
  return { informer, create, names, direct, signal: stop.signal, [Symbol.asyncDispose]: close };
}

Deno.test("Informer opens another watch when one is half open: no bytes, and nobody hangs up", async () => {
  await using listening = informing("half-open", { idleTimeoutMs: IDLE_MS });
  const { informer, create, names, signal } = listening;
  await informer.whenSynced(signal);
  await create("heard");
  await eventually("it is heard", () => names().length === 1);
  const watches = proxy.requests.length;
  const held = proxy.holdWatches();
  await create("unheard");
  await eventually("another watch", () => proxy.requests.length > watches, { timeoutMs: 4 * IDLE_MS });
  assertEquals([names(), informer.problem?.includes("nothing came for")], [["heard"], true]);
  held.release();
  await eventually("both", () => names().length === 2);
});

Deno.test("watchObjects() begins its list anew when a page is refused with 410, without what was deleted meanwhile", async () => {
  await using seeding = informing("pages");
  const { direct, signal } = seeding;
  for (const name of ["a", "b", "c", "d", "e"]) await seeding.create(name);
  const second = { verb: "GET", query: /continue=/, hits: 1 } as const;
  const refused = proxy.onRequest(second, { type: "delay", ms: 1_000 });
  proxy.onRequest(second, { type: "answer", status: 410, reason: "Expired" });
  const client = createClient(proxy.access, { fieldManager: "pager" });
  const deleted = eventually("the second page is asked for", () => refused.strikes > 0)
    .then(() => direct.delete(ConfigMap, { namespace, name: "a" })); // which was on the first page
  const failures: unknown[] = [];
  const options = { namespace, labelSelector: "test=pages", paged: true, pageSize: 2, signal };
  for await (
    const event of watchObjects(client, ConfigMap, {
      ...options,
      onFailure: (error) => failures.push(error),
    })
  ) {
    assert(event.type === "restarted");
    assertEquals(event.objects.map(({ metadata }) => metadata.name), ["b", "c", "d", "e"]);
    break;
  }
  await deleted;
  assertEquals(failures.map(isGone), [true]);
  client.close();
});
