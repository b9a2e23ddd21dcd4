/** A small operator, made with the kit alone, on a real API server: what its author may rely on. */
import { assert, assertEquals } from "@std/assert";
import { startLocalCluster } from "../../dev/control_plane.ts";
import { freePort } from "../../dev/processes.ts";
import { WebApp, type webAppOperator } from "../../examples/web_app.ts";
import { container, Deployment, deployment, Service, service } from "../../src/kit/builders/mod.ts";
import { createClient } from "../../src/kit/client.ts";
import { conditionOf } from "../../src/kit/conditions.ts";
import type { ReconcileContext } from "../../src/kit/context.ts";
import { done, type Outcome } from "../../src/kit/workers.ts";
import { configureLogging } from "../../src/kit/log.ts";
import { operator } from "../../src/kit/operator.ts";
import { keyOf, type KubeObject, nameOf, type ResourceType, type Stored } from "../../src/kit/types.ts";
import { documents, establish } from "../support/crds.ts";
import { eventually, isGone } from "../support/eventually.ts";

const OPERATOR = "web-app-operator";
const FINALIZER = "example.com/web-app";

type WebAppObject = Stored<NonNullable<typeof WebApp.objectType>>;
type WebAppOperator = typeof webAppOperator;

interface EventObject extends KubeObject {
  readonly reason?: string;
  readonly note?: string;
  readonly regarding?: { readonly uid?: string };
}
const Event: ResourceType<EventObject> = { group: "events.k8s.io", version: "v1", kind: "Event", plural: "events" };
const Namespace: ResourceType = {
  group: "",
  version: "v1",
  kind: "Namespace",
  plural: "namespaces",
  namespaced: false,
};

const cluster = await startLocalCluster();
const user = createClient(cluster.access, { fieldManager: "user" });
const [crd] = await documents(new URL("../../examples/web_app.yaml", import.meta.url));
await establish(user, crd);
let namespaces = 0;

Deno.test.afterAll(async () => {
  user.close();
  await cluster.stop();
});

async function reconcileWebApp(app: WebAppObject, context: ReconcileContext): Promise<Outcome> {
  const { namespace } = app.metadata;
  const selector = { app: nameOf(app) };
  const metadata = { name: nameOf(app), ...(namespace ? { namespace } : {}) };
  const pod = { containers: [container("web", app.spec.image)] };
  await context.applyAll([
    deployment(metadata, { replicas: app.spec.replicas, selector, pod }),
    service(metadata, { selector, ports: { http: 80 } }),
  ]);
  await context.setStatus(WebApp, app, { ...app.status, url: `http://${nameOf(app)}` });
  return done();
}

function reconcileNothing(): Promise<Outcome> {
  return Promise.resolve(done());
}

/** Runs an operator in a namespace of its own, until disposed of. */
async function running(describe: (begun: WebAppOperator) => WebAppOperator) {
  const namespace = `operator-${++namespaces}`;
  await user.create(Namespace, { metadata: { name: namespace } });
  const lines: string[] = [];
  await configureLogging({ level: "debug", write: (line) => lines.push(line) });
  const stop = new AbortController();
  const port = freePort();
  const ended = describe(operator(WebApp)).run({
    access: cluster.access,
    name: OPERATOR,
    signal: stop.signal,
    health: { hostname: "127.0.0.1", port },
  });
  const ready = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`);
    return { status: response.status, text: await response.text() };
  };
  await eventually("ready", async () => (await ready()).status === 200);
  const app = (name: string): Promise<WebAppObject> => user.get(WebApp, { namespace, name });
  const create = (name: string, replicas = 0) =>
    user.create(WebApp, { metadata: { namespace, name }, spec: { image: "nginx", replicas } });
  const end = async () => {
    stop.abort();
    await ended;
  };
  return { namespace, lines, ready, app, create, end, [Symbol.asyncDispose]: end };
}

Deno.test("Operator.run() makes what is asked for, heals it when it is deleted, and then rests", async () => {
  let reconciles = 0;
  await using program = await running((begun) =>
    begun.owns(Deployment, Service).reconcile(async (app, context) => {
      reconciles++;
      return await reconcileWebApp(app, context);
    })
  );
  const { namespace, app, create, lines } = program;
  await create("shop");
  await eventually("the status", async () => (await app("shop")).status?.url);
  const address = { namespace, name: "shop" };
  const first = await user.get(Deployment, address);
  assertEquals(first.metadata.ownerReferences?.[0]?.uid, (await app("shop")).metadata.uid);
  await user.delete(Deployment, address);
  const second = await eventually("another Deployment", async () => {
    const found = await user.get(Deployment, address);
    return found.metadata.uid !== first.metadata.uid && found;
  });
  await user.patch(Deployment, second.metadata, [{ op: "replace", path: "/spec/replicas", value: 5 }]);
  await eventually("our replicas", async () => (await user.get(Deployment, address)).spec?.replicas === 0);
  await user.patch(WebApp, address, [{ op: "replace", path: "/spec/replicas", value: 1 }]);
  await eventually("new replicas", async () => (await user.get(Deployment, address)).status?.readyReplicas === 1);
  const before = reconciles;
  const requests = lines.filter((line) => line.includes("Applying")).length;
  await user.patch(WebApp, address, [{ op: "add", path: "/metadata/labels", value: { touched: "yes" } }]);
  await eventually("one more reconcile", () => reconciles > before);
  assertEquals(lines.filter((line) => line.includes("Applying")).length, requests);
  assertEquals(lines.filter((line) => / error /.test(line)), []);
});

Deno.test("Operator.finalizer() runs the clean-up before the object goes, and no more often than needed", async () => {
  const cleaned: string[] = [];
  const gate = Promise.withResolvers<void>();
  await using program = await running((begun) =>
    begun.owns(Deployment, Service).reconcile(reconcileWebApp).finalizer(FINALIZER, async (app, context) => {
      cleaned.push(nameOf(app));
      await gate.promise;
      const labels = { touched: "yes" }; // wants another reconcile, which must know what was done
      const touched = await user.patch(WebApp, app.metadata, [{ op: "add", path: "/metadata/labels", value: labels }]);
      await eventually("the cache has it", () => {
        const held = context.store(WebApp).get(keyOf(app));
        return held?.metadata.resourceVersion === touched.metadata.resourceVersion;
      });
    })
  );
  const { namespace, app, create, lines } = program;
  await create("shop");
  await eventually("the finalizer", async () => (await app("shop")).metadata.finalizers?.includes(FINALIZER));
  await eventually("the status", async () => (await app("shop")).status?.url);
  await user.patch(WebApp, { namespace, name: "shop" }, [{
    op: "add",
    path: "/metadata/finalizers/-",
    value: "x.io/y",
  }]);
  await user.delete(WebApp, { namespace, name: "shop" });
  await eventually("the clean-up", () => cleaned.length > 0);
  assert((await app("shop")).metadata.finalizers?.includes(FINALIZER));
  gate.resolve();
  const held = await eventually("only the other finalizer", async () => {
    const found = await app("shop");
    return found.metadata.finalizers?.join() === "x.io/y" && found;
  });
  await user.patch(WebApp, held.metadata, [{ op: "remove", path: "/metadata/finalizers" }]);
  await eventually("gone", () => isGone(() => app("shop")));
  assertEquals(cleaned, ["shop"]);
  assertEquals(lines.filter((line) => / error /.test(line)), []);
});

Deno.test("Operator.run() reports a failing reconcile as an event and a condition, and takes it back", async () => {
  let broken = true;
  let reconciles = 0;
  await using program = await running((begun) =>
    begun.owns(Deployment, Service).reconcile(async (app, context) => {
      reconciles++;
      if (broken) throw new Error("Cannot find the moon: it is new");
      return await reconcileWebApp(app, context);
    })
  );
  const { namespace, app, create } = program;
  const { metadata: { uid } } = await create("shop");
  const failed = await eventually("the condition", async () => {
    const condition = conditionOf((await app("shop")).status?.conditions, "Reconciled");
    return condition?.status === "False" && condition;
  });
  assertEquals([failed.reason, failed.message, failed.observedGeneration], [
    "ReconcileFailed",
    "Cannot find the moon: it is new",
    1,
  ]);
  const event = await eventually("the event", async () => {
    const { items } = await user.list(Event, { namespace });
    return items.find((item) => item.regarding?.uid === uid);
  });
  assertEquals([event.reason, event.note], ["ReconcileFailed", "Cannot find the moon: it is new"]);
  broken = false;
  await eventually("the condition is taken back", async () => {
    return conditionOf((await app("shop")).status?.conditions, "Reconciled")?.status === "True";
  });
  assert(reconciles < 20, `${reconciles} reconciles`);
});

Deno.test("Operator.run() reports an outcome that says failed like an error that was thrown", async () => {
  const failed: Outcome = { type: "failed", error: new Error("Cannot go on: no fuel") };
  await using program = await running((begun) => begun.reconcile(() => Promise.resolve(failed)));
  const { app, create } = program;
  await create("shop");
  const { message } = await eventually("the condition", async () => {
    return conditionOf((await app("shop")).status?.conditions, "Reconciled");
  });
  assertEquals(message, "Cannot go on: no fuel");
});

Deno.test("Operator.run() backs off when a reconcile fails in other words each time", async () => {
  let reconciles = 0;
  await using program = await running((begun) =>
    begun.reconcile((app) =>
      nameOf(app) === "counter"
        ? Promise.reject(new Error(`Cannot count to ${++reconciles}: too far`))
        : reconcileNothing()
    )
  );
  const { app, create } = program;
  await create("counter");
  await eventually("the condition", async () => (await app("counter")).status?.conditions?.length);
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, 2_000); // the measured time: with a backoff of 5 ms that doubles, about 9 attempts
  await promise;
  clearTimeout(timer);
  assert(reconciles <= 20, `${reconciles} reconciles`);
});

Deno.test("Operator.run() says on /readyz that it cannot hear the API server, and when it can again", async () => {
  await using program = await running((begun) => begun.owns(Deployment).reconcile(reconcileNothing));
  const { ready } = program;
  await cluster.killApiServer();
  const { text } = await eventually("not ready", async () => {
    const answer = await ready();
    return answer.status === 503 && answer;
  });
  assert(/^(WebApp|Deployment): /.test(text), text);
  await cluster.restartApiServer();
  await eventually("ready", async () => assertEquals(await ready(), { status: 200, text: "ok\n" }) ?? true, {
    timeoutMs: 20_000, // a server that starts sends Retry-After: 5
  });
});

Deno.test("Operator.run() ends within two seconds when it is stopped, even if a reconcile hangs", async () => {
  const hanging = Promise.withResolvers<Outcome>();
  let started = false;
  const program = await running((begun) =>
    begun.owns(Deployment, Service).reconcile(() => {
      started = true;
      return hanging.promise;
    })
  );
  await program.create("shop");
  await eventually("the reconcile", () => started);
  const begun = performance.now();
  await program.end();
  const tookMs = performance.now() - begun;
  assert(tookMs < 2_000, `${Math.round(tookMs)} ms`);
  hanging.resolve(done());

  const idle = await running((begun) => begun.owns(Deployment, Service).reconcile(reconcileWebApp));
  const again = performance.now();
  await idle.end();
  assert(performance.now() - again < 500, "nothing to wait for");
});
