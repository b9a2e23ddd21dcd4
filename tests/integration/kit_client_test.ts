/** The kit's client, watches and applies on a real API server. */
import { stringify } from "yaml";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { startLocalCluster } from "../../dev/control_plane.ts";
import { kubeconfigAccess } from "../../src/kit/kubeconfig.ts";
import {
  addFinalizer,
  ApiError,
  ConfigMap,
  container,
  type ContextParts,
  createClient,
  Deployment,
  deployment,
  env,
  EventRecorder,
  getLogger,
  Informer,
  isConflict,
  isNotFound,
  keyOf,
  type KubeObject,
  NotOursError,
  ReconcileContext,
  type ResourceType,
  Service,
  service,
  type Stored,
  systemClock,
} from "../../src/kit/mod.ts";
import { eventually } from "../support/eventually.ts";

const Namespace: ResourceType = { group: "", version: "v1", kind: "Namespace", plural: "namespaces" };
interface EventObject extends KubeObject {
  readonly note?: string;
  readonly series?: { readonly count: number };
}
const Event: ResourceType<EventObject> = { group: "events.k8s.io", version: "v1", kind: "Event", plural: "events" };
const ANNOTATION = "example.com/last-applied";

const cluster = await startLocalCluster();
const requests: string[] = [];
const client = createClient(cluster.access, {
  fieldManager: "tester",
  onResponse: ({ method, code }) => requests.push(`${method} ${code}`),
});
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

/** A reconcile of a fresh owner whose children are cached, until disposed of. */
async function aReconcile(namespace: string) {
  const owner = await other.create(ConfigMap, aConfigMap(namespace, "owner"));
  const stop = new AbortController();
  const log = getLogger(["test"]);
  const informers = [ConfigMap, Deployment, Service].map((type: ResourceType) =>
    new Informer(client, type, { namespace })
  );
  const running = informers.map((informer) => informer.run(stop.signal));
  await Promise.all(informers.map((informer) => informer.whenSynced(stop.signal)));
  const events = new EventRecorder(client, { controller: "example.com/tester", instance: "tester-1", log });
  const parts: ContextParts = { client, clock: systemClock, events, informers, lastAppliedAnnotation: ANNOTATION };
  const context = new ReconcileContext(parts, owner, { log, signal: stop.signal });
  /** What `act` sends. */
  const sentBy = async (act: () => Promise<unknown>): Promise<string[]> => {
    requests.length = 0;
    await act();
    return requests.filter((request) => !request.startsWith("GET"));
  };
  const cached = <T extends KubeObject>(type: ResourceType<T>, object: Stored<T>) =>
    eventually("the cache has it", () => {
      const held = context.store(type).get(keyOf(object));
      return held?.metadata.resourceVersion === object.metadata.resourceVersion;
    });
  const stopCaches = async () => {
    stop.abort();
    await Promise.all(running);
  };
  return { context, owner, events, sentBy, cached, stopCaches, [Symbol.asyncDispose]: stopCaches };
}

Deno.test("Client does what it says when an object is created, read, changed and deleted", async () => {
  const namespace = await newNamespace();
  const created = await client.create(ConfigMap, aConfigMap(namespace, "a", { x: "1" }));
  assertEquals(await client.get(ConfigMap, created.metadata), created);
  assert(isConflict(await assertRejects(() => client.create(ConfigMap, aConfigMap(namespace, "a")), ApiError)));

  const applied = await client.apply(ConfigMap, aConfigMap(namespace, "a", { y: "2" }));
  assertEquals(applied.data, { x: "1", y: "2" });
  const patched = await client.patch(ConfigMap, applied.metadata, [
    { op: "test", path: "/metadata/resourceVersion", value: applied.metadata.resourceVersion },
    { op: "remove", path: "/data/x" },
  ]);
  assertEquals(patched.data, { y: "2" });
  const managers = patched.metadata.managedFields?.map(({ manager, operation }) => `${manager} ${operation}`);
  assertEquals(new Set(managers), new Set(["tester Update", "tester Apply"]));

  const list = await client.list(ConfigMap, { namespace, fieldSelector: "metadata.name=a" });
  assertEquals(list.items, [patched]);
  const error = await assertRejects(
    () => client.delete(ConfigMap, patched.metadata, { uid: "00000000-0000-0000-0000-000000000000" }),
    ApiError,
  );
  assert(isConflict(error));
  await client.delete(ConfigMap, patched.metadata, { uid: patched.metadata.uid });
  assert(isNotFound(await assertRejects(() => client.get(ConfigMap, patched.metadata), ApiError)));
  assert(/^v1\.\d+/.test(await client.serverVersion()));
});

Deno.test("Client.list() gives metadata without bodies when only metadata is asked for", async () => {
  const namespace = await newNamespace();
  await client.create(ConfigMap, aConfigMap(namespace, "a", { secret: "x" }));
  const { items } = await client.list(ConfigMap, { namespace, metadataOnly: true });
  const mine = items.find((item) => item.metadata.name === "a");
  assertEquals([mine?.kind, mine?.apiVersion, mine?.data], ["ConfigMap", "v1", undefined]);
});

/** Children with fields that the API server defaults, orders or writes in its own way. */
function someChildren(namespace: string): KubeObject[] {
  const web = deployment({ namespace, name: "web", labels: { app: "web" } }, {
    replicas: 0,
    selector: { app: "web" },
    strategy: { type: "Recreate" },
    pod: {
      volumes: [{ name: "tmp", emptyDir: { sizeLimit: "1024Mi" } }],
      containers: [
        container("web", "nginx", {
          env: env({ B: "2", A: "1" }),
          ports: [{ containerPort: 8080, name: "http" }, { containerPort: 8080, protocol: "UDP", name: "quic" }],
          resources: { requests: { cpu: "0.5", memory: "1.1Gi" }, limits: { cpu: "1000m", memory: "2048Mi" } },
          volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
        }),
        container("log", "busybox", { args: ["tail", "-f"] }),
      ],
    },
  });
  return [web, service({ namespace, name: "web" }, { selector: { app: "web" }, ports: { http: 80, more: 81 } })];
}

Deno.test("ReconcileContext.apply() sends nothing when the object is so already, from its own answer and from the watch", async () => {
  const namespace = await newNamespace();
  await using reconcile = await aReconcile(namespace);
  const { context, sentBy } = reconcile;
  const children = someChildren(namespace);
  assertEquals(await sentBy(() => context.applyAll(children)), ["PATCH 201", "PATCH 201"]);
  assertEquals(await sentBy(() => context.applyAll(children)), []);
  await eventually(
    "the Deployment's controller",
    () => Reflect.has(Object(context.store(Deployment).get(`${namespace}/web`)?.status), "observedGeneration"),
  );
  assertEquals(await sentBy(() => context.applyAll(someChildren(namespace))), []);
});

Deno.test("ReconcileContext.apply() brings our fields back, drops what we dropped, and keeps what others added", async () => {
  const namespace = await newNamespace();
  await using reconcile = await aReconcile(namespace);
  const { context, cached, sentBy } = reconcile;
  const child = aConfigMap(namespace, "child", { ours: "1", dropped: "1" });
  const applied = await context.apply(child);
  const edited = await other.apply(ConfigMap, aConfigMap(namespace, "child", { ours: "edited", theirs: "2" }));
  await cached(ConfigMap, edited);
  assertEquals((await context.apply(child)).data, { ours: "1", dropped: "1", theirs: "2" });
  assertEquals((await context.apply(aConfigMap(namespace, "child", { ours: "1" }))).data, { ours: "1", theirs: "2" });
  assertEquals(await sentBy(() => context.apply(aConfigMap(namespace, "child", { ours: "1" }))), []);
  assertEquals((await client.get(ConfigMap, child.metadata as { name: string })).metadata.uid, applied.metadata.uid);
});

Deno.test("ReconcileContext.apply() refuses an object that is not ours and leaves it as it was, cached or not", async () => {
  const namespace = await newNamespace();
  const foreign = await other.create(ConfigMap, aConfigMap(namespace, "child", { theirs: "1" }));
  await using reconcile = await aReconcile(namespace);
  const { context } = reconcile;
  const refused = async (name: string) => {
    await assertRejects(() => context.apply(aConfigMap(namespace, name, { theirs: "2", ours: "1" })), NotOursError);
  };
  await refused("child");
  await reconcile.stopCaches();
  const unseen = await other.create(ConfigMap, aConfigMap(namespace, "unseen", { theirs: "1" }));
  await using late = await aReconcileWithEmptyCaches(namespace, reconcile.owner);
  await assertRejects(() => late.context.apply(aConfigMap(namespace, "unseen", { ours: "1" })), NotOursError);
  for (const before of [foreign, unseen]) {
    assertEquals(JSON.stringify(await other.get(ConfigMap, before.metadata)), JSON.stringify(before));
  }
});

/** A reconcile whose caches never heard of anything. */
function aReconcileWithEmptyCaches(namespace: string, owner: Stored<KubeObject>) {
  const log = getLogger(["test"]);
  const informers = [new Informer<KubeObject>(client, ConfigMap, { namespace })];
  const events = new EventRecorder(client, { controller: "example.com/tester", instance: "tester-1", log });
  const parts: ContextParts = { client, clock: systemClock, events, informers, lastAppliedAnnotation: ANNOTATION };
  const context = new ReconcileContext(parts, owner, { log, signal: new AbortController().signal });
  return Promise.resolve({ context, store: informers[0]?.store, [Symbol.asyncDispose]: () => Promise.resolve() });
}

Deno.test("ReconcileContext.apply() does not take over an object that replaced ours behind the cache's back", async () => {
  const namespace = await newNamespace();
  await using reconcile = await aReconcile(namespace);
  const { context } = reconcile;
  const ours = await context.apply(aConfigMap(namespace, "child", { ours: "1" }));
  await reconcile.stopCaches();
  await other.delete(ConfigMap, ours.metadata);
  await using stale = await aReconcileWithEmptyCaches(namespace, reconcile.owner);
  stale.store?.observe(ours);
  const change = () => stale.context.apply(aConfigMap(namespace, "child", { ours: "2" }));
  assert(isConflict(await assertRejects(change, ApiError)), "gone");
  const foreign = await other.create(ConfigMap, aConfigMap(namespace, "child", { theirs: "1" }));
  const { message } = await assertRejects(change, ApiError);
  assertStringIncludes(message, "uid");
  assertEquals(JSON.stringify(await other.get(ConfigMap, ours.metadata)), JSON.stringify(foreign));
});

Deno.test("ReconcileContext.apply() takes a child back when its ownerReference was stripped", async () => {
  const namespace = await newNamespace();
  await using reconcile = await aReconcile(namespace);
  const { context, cached, owner } = reconcile;
  const child = aConfigMap(namespace, "child", { ours: "1" });
  const applied = await context.apply(child);
  const stripped = await other.patch(ConfigMap, applied.metadata, [{
    op: "remove",
    path: "/metadata/ownerReferences",
  }]);
  await cached(ConfigMap, stripped);
  const again = await context.apply(child);
  assertEquals([again.metadata.uid, again.metadata.ownerReferences?.[0]?.uid], [
    applied.metadata.uid,
    owner.metadata.uid,
  ]);
});

Deno.test("Client.apply() with resourceVersion 1 creates, and is refused when the object exists", async () => {
  const namespace = await newNamespace();
  const onlyNew = aConfigMap(namespace, "a", { x: "1" });
  const object = { ...onlyNew, metadata: { ...onlyNew.metadata, resourceVersion: "1" } };
  assertEquals((await client.apply(ConfigMap, object)).data, { x: "1" });
  assert(isConflict(await assertRejects(() => client.apply(ConfigMap, { ...object, data: { x: "2" } }), ApiError)));
});

Deno.test("addFinalizer() throws a conflict when somebody changed the object since it was seen", async () => {
  const namespace = await newNamespace();
  const seen = await client.create(ConfigMap, aConfigMap(namespace, "a"));
  await other.apply(ConfigMap, aConfigMap(namespace, "a", { x: "1" }));
  assert(isConflict(await assertRejects(() => addFinalizer(client, ConfigMap, seen, "example.com/f"), ApiError)));
});

Deno.test("EventRecorder.record() is accepted by the server when the note is long and repeated", async () => {
  const namespace = await newNamespace();
  await using reconcile = await aReconcile(namespace);
  const { context, events } = reconcile;
  for (let i = 0; i < 5; i++) context.event({ type: "Warning", reason: "TooLong", note: "ü".repeat(2_000) });
  await events.flush();
  const { items } = await client.list(Event, { namespace });
  const mine = items.filter((event) => event.note?.startsWith("ü"));
  assertEquals(mine.map(({ note, series }) => [note?.length, series?.count]), [[512, 5]]);
});

Deno.test("kubeconfigAccess() logs in when the kubeconfig names an exec credential plugin", async () => {
  const { cert, key } = await cluster.access.credentials();
  const directory = await Deno.makeTempDir();
  const former = Deno.env.get("KUBECONFIG");
  try {
    const credential = {
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      status: { clientCertificateData: cert, clientKeyData: key },
    };
    await Deno.writeTextFile(`${directory}/credential.json`, JSON.stringify(credential));
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{
        name: "c",
        cluster: { server: cluster.baseUrl, "certificate-authority-data": btoa(cluster.caPem) },
      }],
      users: [{
        name: "u",
        user: {
          exec: {
            apiVersion: "client.authentication.k8s.io/v1",
            interactiveMode: "Never",
            command: "cat",
            args: [`${directory}/credential.json`],
          },
        },
      }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace: "shop" } }],
      "current-context": "x",
    };
    await Deno.writeTextFile(`${directory}/config`, stringify(config));
    Deno.env.set("KUBECONFIG", `${directory}/config`);
    const access = await kubeconfigAccess();
    assertEquals(access.namespace, "shop");
    const loggedIn = createClient(access, { fieldManager: "tester" });
    const { items } = await loggedIn.list(Namespace);
    assert(items.some((item) => item.metadata.name === "default"));
    loggedIn.close();
  } finally {
    if (former === undefined) Deno.env.delete("KUBECONFIG");
    else Deno.env.set("KUBECONFIG", former);
    await Deno.remove(directory, { recursive: true });
  }
});
