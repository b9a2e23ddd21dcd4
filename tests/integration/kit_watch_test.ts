/** The kit's watches on a real API server: lists, changes, and the ends of both. */
import { assertEquals } from "@std/assert";
import { startLocalCluster } from "../../dev/control_plane.ts";
import { startFaultProxy } from "../../dev/fault_proxy.ts";
import {
  type Client,
  ConfigMap,
  createClient,
  EventRecorder,
  getLogger,
  Informer,
  isGone,
  keyOf,
  ReconcileContext,
  removeFinalizer,
  type ResourceType,
  type Stored,
  systemClock,
  type WatchEvent,
  watchObjects,
  type WatchObjectsOptions,
} from "../../src/kit/mod.ts";
import { eventually } from "../support/eventually.ts";

const Namespace: ResourceType = { group: "", version: "v1", kind: "Namespace", plural: "namespaces" };

const cluster = await startLocalCluster();
const client = createClient(cluster.access, { fieldManager: "tester" });
const other = createClient(cluster.access, { fieldManager: "somebody-else" });
await Promise.all([client.serverVersion(), other.serverVersion()]); // their sockets outlive a test
let namespaces = 0;

Deno.test.afterAll(async () => {
  client.close();
  other.close();
  await cluster.stop();
});

async function newNamespace(): Promise<string> {
  const name = `kit-${++namespaces}`;
  await other.create(Namespace, { metadata: { name } });
  return name;
}

function aConfigMap(namespace: string, name: string, data: Record<string, string> = {}): ConfigMap {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data };
}

/** A reconcile of `owner`, with a cache that no watch fills. */
function aContext(owner: Stored<ConfigMap>) {
  const log = getLogger(["kit", "test"]);
  const informer = new Informer(client, ConfigMap);
  const events = new EventRecorder(client, { controller: "tester", instance: "tester", log });
  const parts = {
    client,
    clock: systemClock,
    events,
    informers: [informer],
    lastAppliedAnnotation: "example.com/last",
  };
  const context = new ReconcileContext(parts, owner, { log, signal: new AbortController().signal });
  return { context, store: informer.store };
}

const WRITES = {
  apply: (context: ReconcileContext, child: ConfigMap) => context.apply(child),
  createOnce: (context: ReconcileContext, child: ConfigMap) => context.createOnce(child),
};

/** The first `count` events of a watch. */
async function eventsOf(
  count: number,
  options: Omit<WatchObjectsOptions, "signal">,
  act: () => Promise<void>,
  from: Client = client,
) {
  const stop = new AbortController();
  const events: WatchEvent<ConfigMap>[] = [];
  const timeout = setTimeout(() => stop.abort(), 20_000);
  for await (const event of watchObjects(from, ConfigMap, { ...options, signal: stop.signal })) {
    if (event.type === "bookmark") continue;
    if (events.push(event) === 1) await act();
    if (events.length === count) stop.abort();
  }
  clearTimeout(timeout);
  return events;
}

function summary(event: WatchEvent<ConfigMap>): string {
  if (event.type === "restarted") return `restarted ${event.objects.map(keyOf).sort().join(" ")}`;
  return event.type === "bookmark" ? event.type : `${event.type} ${keyOf(event.object)}`;
}

for (const paged of [false, true]) {
  Deno.test(`watchObjects() gives all objects and then every change when it ${paged ? "asks for pages" : "streams"}`, async () => {
    const namespace = await newNamespace();
    await eventually(
      "the cluster's own ConfigMap",
      () => other.get(ConfigMap, { namespace, name: "kube-root-ca.crt" }),
    );
    for (const name of ["a", "b", "c", "d"]) await client.create(ConfigMap, aConfigMap(namespace, name));
    const options = { namespace, paged, pageSize: 2, fieldSelector: "metadata.name!=kube-root-ca.crt" };
    const events = await eventsOf(5, options, async () => {
      await client.create(ConfigMap, aConfigMap(namespace, "e"));
      await client.apply(ConfigMap, aConfigMap(namespace, "a", { x: "1" }));
      await client.delete(ConfigMap, { namespace, name: "b" });
      await client.create(ConfigMap, aConfigMap(namespace, "b"));
    });
    assertEquals(events.map((event) => summary(event).replaceAll(`${namespace}/`, "")), [
      "restarted a b c d",
      "applied e",
      "applied a",
      "deleted b",
      "applied b",
    ]);
  });
}

Deno.test("Store.observe() believes the answer to the write that lets an object go, though it bears no new version", async () => {
  const namespace = await newNamespace();
  await using proxy = await startFaultProxy(cluster.access);
  const watching = createClient(proxy.access, { fieldManager: "tester" });
  const stop = new AbortController();
  const informer = new Informer(watching, ConfigMap, { namespace });
  const running = informer.run(stop.signal);
  const name = "leaving";
  const finalizers = ["example.com/ours"];
  await client.create(ConfigMap, { ...aConfigMap(namespace, name), metadata: { namespace, name, finalizers } });
  await client.delete(ConfigMap, { namespace, name });
  const seen = await eventually("it is being deleted", () => {
    const object = informer.store.get(`${namespace}/${name}`);
    return object?.metadata.deletionTimestamp ? object : undefined;
  });
  const held = proxy.holdWatches();
  informer.store.observe(await removeFinalizer(client, ConfigMap, seen, "example.com/ours"));
  assertEquals(informer.store.get(`${namespace}/${name}`)?.metadata.finalizers, undefined);
  held.release();
  await eventually("it is gone", () => informer.store.get(`${namespace}/${name}`) === undefined);
  stop.abort();
  await running;
  watching.close();
});

for (const [method, write] of Object.entries(WRITES)) {
  Deno.test(`ReconcileContext.${method}() lets the next decision see an object that exists already and no watch has brought`, async () => {
    const namespace = await newNamespace();
    const owner = await client.create(ConfigMap, aConfigMap(namespace, "owner"));
    const child = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name: "child" }, data: { a: "b" } };
    const lost = await write(aContext(owner).context, child); // by an operator that did not live to see the answer
    const { context, store } = aContext(owner);
    assertEquals((await write(context, child)).metadata.resourceVersion, lost.metadata.resourceVersion);
    assertEquals(store.get(`${namespace}/child`)?.metadata.uid, lost.metadata.uid);
  });
}

// The last ones, because the cluster takes a while to get over them.

Deno.test("watchObjects() lists again when the server no longer serves the version that it resumes from", async () => {
  const namespace = await newNamespace();
  await cluster.restartApiServer(); // its memory of changes begins here
  const failures: unknown[] = [];
  let resumed = 0;
  const forgetful: Client = {
    ...delegate(client),
    watch: (type, options) => client.watch(type, resumed++ ? options : { ...options, resourceVersion: "1" }),
  };
  const options = { namespace, paged: true, onFailure: (failure: unknown) => failures.push(failure) };
  const events = await eventsOf(2, options, () => Promise.resolve(), forgetful);
  assertEquals(events.map(({ type }) => type), ["restarted", "restarted"]);
  assertEquals(failures.map(isGone), [true]);
});

function delegate(to: Client): Client {
  return {
    get: (...args) => to.get(...args),
    list: (...args) => to.list(...args),
    watch: (...args) => to.watch(...args),
    create: (...args) => to.create(...args),
    apply: (...args) => to.apply(...args),
    patch: (...args) => to.patch(...args),
    delete: (...args) => to.delete(...args),
    serverVersion: (...args) => to.serverVersion(...args),
  };
}

Deno.test("Informer goes on, and says so, when the API server was killed and came back", async () => {
  const namespace = await newNamespace();
  const stop = new AbortController();
  const informer = new Informer(client, ConfigMap, { namespace });
  const running = informer.run(stop.signal);
  await informer.whenSynced(stop.signal);
  await other.create(ConfigMap, aConfigMap(namespace, "before"));
  await eventually("the object", () => informer.store.get(`${namespace}/before`));
  await cluster.killApiServer();
  await eventually("the problem", () => informer.problem);
  await cluster.restartApiServer();
  await other.create(ConfigMap, aConfigMap(namespace, "after"));
  await eventually("the new object", () => informer.store.get(`${namespace}/after`));
  assertEquals([informer.problem, informer.store.get(`${namespace}/before`)?.metadata.name], [undefined, "before"]);
  stop.abort();
  await running;
});
