/** What the author of an operator may set, and the faults that the kit once had, on a real API server. */
import { assert, assertEquals } from "@std/assert";
import { WebApp } from "../../examples/web_app.ts";
import { ConfigMap, Secret } from "../../src/kit/builders/mod.ts";
import { createClient } from "../../src/kit/client.ts";
import { done, requeue } from "../../src/kit/workers.ts";
import { configureLogging } from "../../src/kit/log.ts";
import type { CustomResourceDefinition } from "../../src/kit/crd.ts";
import { customResource } from "../../src/kit/controller.ts";
import { operator, type RunOptions } from "../../src/kit/operator.ts";
import { type KubeObject, nameOf, type ResourceType, type Stored } from "../../src/kit/types.ts";
import { startBareApiServer } from "../support/api_server.ts";
import { documents, establish } from "../support/crds.ts";
import { eventually, isGone } from "../support/eventually.ts";

const FINALIZER = "example.com/web-app";
const Namespace: ResourceType = {
  group: "",
  version: "v1",
  kind: "Namespace",
  plural: "namespaces",
  namespaced: false,
};

/** A kind whose objects are in no namespace. */
const Site = customResource<{ readonly namespace: string }, null>({
  group: "example.com",
  version: "v1",
  kind: "Site",
  plural: "sites",
  namespaced: false,
});
const SITES: CustomResourceDefinition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "sites.example.com" },
  spec: {
    group: "example.com",
    scope: "Cluster",
    names: { kind: "Site", plural: "sites", singular: "site" },
    versions: [{
      name: "v1",
      served: true,
      storage: true,
      subresources: { status: {} },
      schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
    }],
  },
};

const server = await startBareApiServer();
const user = createClient(server.access, { fieldManager: "user" });
const [webApps] = await documents(new URL("../../examples/web_app.yaml", import.meta.url));
await establish(user, webApps);
await establish(user, SITES);
let namespaces = 0;

Deno.test.afterAll(async () => {
  user.close();
  await server[Symbol.asyncDispose]();
});

async function newNamespace(): Promise<string> {
  const name = `options-${++namespaces}`;
  await user.create(Namespace, { metadata: { name } });
  return name;
}

/** Runs an operator until disposed of; `lines` is its log. */
async function running(program: { run(options: RunOptions): Promise<void> }, options: RunOptions = {}) {
  const lines: string[] = [];
  await configureLogging({ level: "debug", write: (line) => lines.push(line) });
  const stop = new AbortController();
  const ended = program.run({ access: server.access, name: "options-operator", signal: stop.signal, ...options });
  const errors = () => lines.filter((line) => / error /.test(line));
  return {
    lines,
    errors,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await ended;
    },
  };
}

function createApp(namespace: string, name: string, labels: Readonly<Record<string, string>> = {}) {
  return user.create(WebApp, { metadata: { namespace, name, labels }, spec: { image: "nginx", replicas: 0 } });
}

Deno.test("Operator.owns() maps a child in a namespace to its cluster-scoped owner", async () => {
  const namespace = await newNamespace();
  const child = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name: "child" }, data: { a: "1" } };
  await using _program = await running(
    operator(Site).owns(ConfigMap).reconcile(async (_site, context) => {
      await context.apply<ConfigMap>(child);
      return done();
    }),
  );
  await user.create(Site, { metadata: { name: "everywhere" }, spec: { namespace } });
  const first = await eventually("the child", () => user.get(ConfigMap, child.metadata));
  await user.delete(ConfigMap, child.metadata);
  await eventually("the child again", async () => {
    return (await user.get(ConfigMap, child.metadata)).metadata.uid !== first.metadata.uid;
  });
});

Deno.test("operator() reconciles only the objects that its selection names", async () => {
  const [namespace, elsewhere] = [await newNamespace(), await newNamespace()];
  const seen: string[] = [];
  await using _program = await running(
    operator(WebApp, { namespace, labelSelector: "team=a" }).reconcile((app) => {
      seen.push(`${app.metadata.namespace}/${nameOf(app)}`);
      return Promise.resolve(done());
    }),
  );
  await createApp(namespace, "unlabelled");
  await createApp(namespace, "other", { team: "b" });
  await createApp(elsewhere, "abroad", { team: "a" });
  await createApp(namespace, "ours", { team: "a" });
  await eventually("the selected object", () => seen.includes(`${namespace}/ours`));
  assertEquals([...new Set(seen)], [`${namespace}/ours`]);
});

Deno.test("ReconcileContext writes a Secret with stringData once, and two statuses in one reconcile", async () => {
  const namespace = await newNamespace();
  let reconciles = 0;
  await using program = await running(
    operator(WebApp, { namespace }).owns(Secret).reconcile(async (app, context) => {
      await context.apply<Secret>({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { namespace, name: nameOf(app) },
        stringData: { greeting: "grüß Gott" },
      });
      if (!app.status?.url) {
        await context.setStatus(WebApp, app, { url: "http://first" });
        await context.setConditions(WebApp, app, []);
        await context.setStatus(WebApp, app, { url: "http://second", conditions: [] });
      }
      reconciles++;
      return done();
    }),
  );
  const app = await createApp(namespace, "shop");
  await eventually("both statuses", async () => (await user.get(WebApp, app.metadata)).status?.url === "http://second");
  assertEquals(program.lines.filter((line) => line.includes("conflict")), []);
  const secret = await user.get(Secret, app.metadata);
  const before = reconciles;
  await user.patch(WebApp, app.metadata, [{ op: "add", path: "/metadata/labels", value: { touched: "yes" } }]);
  await eventually("another reconcile", () => reconciles > before);
  assertEquals((await user.get(Secret, app.metadata)).metadata.resourceVersion, secret.metadata.resourceVersion);
  assertEquals(program.errors(), []);
});

Deno.test("Operator.finalizer() keeps the finalizer while the clean-up asks for another reconcile, without an error", async () => {
  const namespace = await newNamespace();
  let calls = 0;
  await using program = await running(
    operator(WebApp, { namespace }).finalizer(FINALIZER, () => Promise.resolve(++calls < 3 ? requeue(10) : done())),
  );
  const app = await createApp(namespace, "shop");
  await eventually(
    "the finalizer",
    async () => (await user.get(WebApp, app.metadata)).metadata.finalizers?.length === 1,
  );
  await user.delete(WebApp, app.metadata);
  await eventually("gone", () => isGone(() => user.get(WebApp, app.metadata)));
  assertEquals(calls, 3);
  assertEquals(program.errors(), []);
});

Deno.test("Operator.run() reconciles again after the interval of its options, and after an error instead of the backoff", async () => {
  const namespace = await newNamespace();
  const outcomes: string[] = [];
  await using program = await running(
    operator(WebApp, { namespace }).reconcile(() => {
      outcomes.push(outcomes.length === 0 ? "failed" : "done");
      return outcomes.length === 1 ? Promise.reject(new Error("the first one fails")) : Promise.resolve(done());
    }),
    { requeueAfterMs: 20, errorRequeueMs: 30 },
  );
  await createApp(namespace, "shop");
  await eventually("five reconciles without a change", () => outcomes.length >= 5);
  const waits = program.lines.filter((line) => line.includes("Reconcile failed")).map((line) =>
    /waitMs=(\d+)/.exec(line)?.[1]
  );
  assertEquals(waits, ["30"]);
});

Deno.test("Operator.watches() maps by its own function, gone() hears of children without an object, uses() may enqueue", async () => {
  const namespace = await newNamespace();
  const reconciled: string[] = [];
  const orphans: string[] = [];
  let enqueue: (key: string) => void = () => {};
  await using _program = await running(
    operator(WebApp, { namespace })
      .watches(ConfigMap, {
        namespace,
        map: (object: Stored<KubeObject>) => [`${object.metadata.namespace}/${object.metadata.labels?.["for"]}`],
      })
      .uses((tools) => {
        enqueue = tools.enqueue;
        return {
          name: "part",
          run: (stop) => new Promise((resolve) => stop.addEventListener("abort", () => resolve(), { once: true })),
        };
      })
      .reconcile((app) => {
        reconciled.push(nameOf(app));
        return Promise.resolve(done());
      })
      .gone((key) => {
        orphans.push(key);
        return Promise.resolve();
      }),
  );
  await createApp(namespace, "shop");
  await eventually("the first reconcile", () => reconciled.length > 0);
  const count = reconciled.length;
  const map = (name: string, target: string) =>
    user.create<ConfigMap>(ConfigMap, { metadata: { namespace, name, labels: { for: target } } });
  await map("settings", "shop");
  await eventually("a reconcile for the mapped object", () => reconciled.length > count);
  await map("orphan", "nobody");
  await eventually("the gone handler", () => orphans.includes(`${namespace}/nobody`));
  const before = reconciled.length;
  enqueue(`${namespace}/shop`);
  await eventually("a reconcile that the part asked for", () => reconciled.length > before);
  assert(!orphans.includes(`${namespace}/shop`), orphans.join());
});
