/** Operators on an API server in memory. */
import { assert, assertEquals } from "@std/assert";
import type { CustomObject } from "../../../src/kit/context.ts";
import { done, requeue } from "../../../src/kit/workers.ts";
import { customResource } from "../../../src/kit/controller.ts";
import { type Operator, operator, type RunOptions } from "../../../src/kit/operator.ts";
import { type Condition, type KubeObject, nameOf, type ResourceType } from "../../../src/kit/types.ts";
import { eventually } from "../../support/eventually.ts";
import { fakeServer } from "./fake_server.ts";

interface Spec {
  readonly size: number;
}
interface Status {
  readonly conditions?: readonly Condition[];
}
const names = { group: "example.com", version: "v1", kind: "App", plural: "apps" } as const;
const APPS = customResource<Spec, Status>(names);
const CLUSTER_APPS = customResource<Spec, Status>({ ...names, namespaced: false });
const PARTS: ResourceType = { group: "", version: "v1", kind: "Part", plural: "parts" };
const FINALIZER = "example.com/app";

function anApp(name: string, metadata: KubeObject["metadata"] = {}): CustomObject<Spec, Status> {
  return {
    apiVersion: "example.com/v1",
    kind: "App",
    metadata: { namespace: "ns", name, ...metadata },
    spec: { size: 1 },
  };
}

function running(
  described: Operator<Spec, Status>,
  { server = fakeServer(), ...options }: RunOptions & { readonly server?: ReturnType<typeof fakeServer> } = {},
) {
  const stop = new AbortController();
  const ended = described.run({ client: server.client, signal: stop.signal, ...options });
  const end = async () => {
    stop.abort();
    await ended;
  };
  return { server, [Symbol.asyncDispose]: end };
}

Deno.test("Operator.owns() reconciles a cluster-scoped owner when its child in a namespace changes", async () => {
  const seen: string[] = [];
  const server = fakeServer();
  server.put(CLUSTER_APPS, { ...anApp("a"), metadata: { name: "a" } });
  await using _ = running(
    operator(CLUSTER_APPS).owns(PARTS).reconcile((app, context) => {
      seen.push(`${nameOf(app)} ${context.store(PARTS).size}`);
      return Promise.resolve(done());
    }),
    { server },
  );
  await eventually("the first reconcile", () => seen.length > 0);
  const ownerReferences = [{ apiVersion: "example.com/v1", kind: "App", name: "a", uid: "uid-a", controller: true }];
  server.put(PARTS, { metadata: { namespace: "ns", name: "p", ownerReferences } });
  await eventually("the reconcile for the child", () => seen.includes("a 1"));
});

Deno.test("operator() watches only the objects of its namespace and selectors", async () => {
  const selection = { namespace: "ns", labelSelector: "x=y", fieldSelector: "metadata.name=a" };
  await using program = running(operator(APPS, selection));
  const { options } = await eventually("the watch", () => program.server.watches[0]);
  const { namespace, labelSelector, fieldSelector } = options;
  assertEquals({ namespace, labelSelector, fieldSelector }, selection);
});

Deno.test("Operator.finalizer() keeps the finalizer without an error when cleanUp asks to run again", async () => {
  let cleanUps = 0;
  let reports = 0;
  const server = fakeServer();
  server.put(APPS, anApp("a", { finalizers: [FINALIZER], deletionTimestamp: "2026-01-01T00:00:00Z" }));
  await using _ = running(
    operator(APPS).reportsFailures({ types: ["Failed"], failed: () => (reports++, []) }).finalizer(FINALIZER, () => {
      cleanUps++;
      if (cleanUps === 2) {
        assertEquals(server.get(APPS, { namespace: "ns", name: "a" }).metadata.finalizers, [FINALIZER]);
      }
      return Promise.resolve(cleanUps === 1 ? requeue(5) : undefined);
    }),
    { server },
  );
  await eventually("the object is deleted", () => {
    try {
      return !server.get(APPS, { namespace: "ns", name: "a" });
    } catch {
      return true;
    }
  });
  assertEquals([cleanUps, reports], [2, 0]);
});

Deno.test("Operator.run() reconciles again after requeueAfterMs when a reconcile is done", async () => {
  let reconciles = 0;
  const server = fakeServer();
  server.put(APPS, anApp("a"));
  const described = operator(APPS).reconcile(() => (reconciles++, Promise.resolve(done())));
  await using _ = running(described, { server, requeueAfterMs: 5 });
  await eventually("three reconciles", () => reconciles >= 3);
});

Deno.test("Operator.run() waits errorRequeueMs after an error, and else the backoff of its queue option", async () => {
  for (
    const options of [{ errorRequeueMs: 600_000 }, {
      queue: { baseBackoffMs: 600_000, maxBackoffMs: 600_000, random: () => 0.99 },
    }]
  ) {
    const attempts = new Map<string, number>();
    const server = fakeServer();
    server.put(APPS, anApp("broken"));
    await using _ = running(
      operator(APPS).reportsFailures({ types: [], failed: () => [] }).reconcile((app) => {
        const count = (attempts.get(nameOf(app)) ?? 0) + 1;
        attempts.set(nameOf(app), count);
        if (nameOf(app) === "broken") throw new Error("Cannot go on");
        return Promise.resolve(count < 10 ? requeue(10) : done()); // passes the time in which a backoff of 5 ms ends
      }),
      { server, ...options },
    );
    await eventually("the failure", () => attempts.get("broken"));
    server.put(APPS, anApp("other"));
    await eventually("ten reconciles of the other", () => attempts.get("other") === 10);
    assertEquals(attempts.get("broken"), 1);
  }
});

Deno.test("Operator.watches() reconciles the keys of its map, and gone() gets those that name no object", async () => {
  const seen: string[] = [];
  const server = fakeServer();
  server.put(APPS, anApp("a"));
  server.put(PARTS, { metadata: { namespace: "ns", name: "p", labels: { app: "a" } } });
  await using _ = running(
    operator(APPS).watches(PARTS, { map: ({ metadata }) => [`ns/${metadata.labels?.app}`] })
      .reconcile((app, context) => {
        seen.push(`reconcile ${nameOf(app)} ${context.store(PARTS).get("ns/p")?.metadata.labels?.app}`);
        return Promise.resolve(done());
      })
      .gone((key, { store }) => {
        seen.push(`gone ${key} ${store(PARTS).size}`);
        return Promise.resolve();
      }),
    { server },
  );
  await eventually("the first reconcile", () => seen.includes("reconcile a a"));
  server.put(PARTS, { metadata: { namespace: "ns", name: "p", labels: { app: "b" } } });
  await eventually("the former and the new key", () => seen.includes("reconcile a b") && seen.includes("gone ns/b 1"));
});

Deno.test("Operator.uses() starts the part before the first reconcile, and its enqueue has an object reconciled", async () => {
  const seen: string[] = [];
  let enqueue: (key: string) => void = () => {};
  const server = fakeServer();
  server.put(APPS, anApp("a"));
  await using _ = running(
    operator(APPS).uses((tools) => {
      enqueue = tools.enqueue;
      return {
        name: "part",
        ready: () => Promise.resolve().then(() => void seen.push("ready")),
        run: (signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
      };
    }).reconcile((app) => {
      seen.push(nameOf(app));
      return Promise.resolve(done());
    }),
    { server },
  );
  await eventually("the first reconcile", () => seen.includes("a"));
  assertEquals(seen[0], "ready");
  const before = seen.length;
  enqueue("ns/a");
  await eventually("one more", () => seen.length > before);
});

Deno.test("Operator.reportsFailures() writes the conditions of the report when a reconcile fails", async () => {
  const server = fakeServer();
  server.put(APPS, anApp("a"));
  const failed = () => [{ type: "Synced", status: "False", reason: "Broken", message: "no fuel" } as const];
  await using _ = running(
    operator(APPS).reportsFailures({ types: ["Synced"], failed }).reconcile(() => Promise.reject(new Error("x"))),
    { server },
  );
  const [condition] = await eventually("the condition", () => {
    return server.get(APPS, { namespace: "ns", name: "a" }).status?.conditions;
  });
  assert(condition);
  assertEquals([condition.type, condition.reason], ["Synced", "Broken"]);
});
