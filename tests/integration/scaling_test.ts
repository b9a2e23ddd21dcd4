/** Scaling by the /scale endpoint, as `kubectl scale` and autoscalers do it, in every phase in which an instance may be. */
import { assert, assertEquals } from "@std/assert";
import { Deployment, type JsonPatchOperation, type KubeObject, Pod, type ResourceType } from "../../src/kit/mod.ts";
import type { OdooInitJob, OdooInstance } from "../../src/odoo/crd/mod.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { failingFor, type Rig, startRig } from "../support/rig.ts";

let rig: Rig;
const failing = new Set<string>();

Deno.test.beforeAll(async () => {
  rig = await startRig({ jobs: failingFor(failing, "broken") });
});
Deno.test.afterAll(() => rig?.stop());

/** `autoscaling/v1 Scale`. */
interface Scale extends KubeObject {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly replicas?: number; readonly selector?: string };
}

const ScaledInstance: ResourceType<Scale> = { ...OdooInstanceKind, kind: "Scale" } as ResourceType<Scale>;

/** Sets the replicas, as an autoscaler would. */
function scale(namespace: string, name: string, value: number) {
  return rig.client.patch(ScaledInstance, { namespace, name }, [{ op: "replace", path: "/spec/replicas", value }], {
    subresource: "scale",
  });
}

function change(namespace: string, name: string, operations: readonly JsonPatchOperation[]) {
  return rig.client.patch(OdooInstanceKind, { namespace, name }, operations);
}

/** Waits until a Deployment is told to have so many pods; its instance must be in `phase` then. */
async function told(namespace: string, name: string, replicas: number, phase?: { of: string; is: string }) {
  await eventually(`Deployment ${name} is to have ${replicas} pods`, async () => {
    const { spec } = await rig.client.get(Deployment, { namespace, name });
    assertEquals(spec?.replicas, replicas);
    return true;
  });
  if (!phase) return;
  const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name: phase.of });
  assertEquals(status?.phase, phase.is);
}

async function ready(namespace: string, name: string, replicas: number) {
  return await eventually(`${name} has ${replicas} ready pods`, async () => {
    const instance = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
    assertEquals([instance.status?.phase, instance.status?.readyReplicas, instance.status?.ready], [
      "Running",
      replicas,
      true,
    ]);
    return instance;
  }, { timeoutMs: 20_000 });
}

/** A node selector that no node meets: the pods wait. */
const MOON = { op: "add", path: "/spec/nodeSelector", value: { moon: "full" } } as const;
const EARTH = { op: "remove", path: "/spec/nodeSelector" } as const;

Deno.test("the /scale endpoint of a Running instance sets its pods, and tells how many serve and which they are", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "web");
  await ready(namespace, "web", 1);
  await scale(namespace, "web", 3);
  await ready(namespace, "web", 3);
  const { status } = await scale(namespace, "web", 3);
  assertEquals(status, { replicas: 3, selector: "app=web" });
  const { items } = await rig.client.list(Pod, { namespace, labelSelector: "app=web" });
  assertEquals(items.length, 3);
  assert(items.every(({ metadata }) => !metadata.name.startsWith("web-cron")));
  await scale(namespace, "web", 2);
  await ready(namespace, "web", 2);
});

Deno.test("an instance scaled to 0 is Stopped, web and cron, and follows again from there", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "rest", { cron: { replicas: 2 } });
  await ready(namespace, "rest", 1);
  await told(namespace, "rest-cron", 2);
  await scale(namespace, "rest", 0);
  const { status } = await rig.inPhase(namespace, "rest", "Stopped");
  assertEquals([status?.ready, status?.targetReplicas], [false, 0]);
  await told(namespace, "rest", 0);
  await told(namespace, "rest-cron", 0);
  await change(namespace, "rest", [{ op: "replace", path: "/spec/cron/replicas", value: 1 }]);
  await scale(namespace, "rest", 2);
  await ready(namespace, "rest", 2);
  await told(namespace, "rest-cron", 1);
});

Deno.test("an instance that is Starting follows up, to 0 and back", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "slow", { nodeSelector: MOON.value, jobDefaults: { nodeSelector: {} } });
  await rig.inPhase(namespace, "slow", "Starting");
  await scale(namespace, "slow", 2);
  await told(namespace, "slow", 2, { of: "slow", is: "Starting" });
  await scale(namespace, "slow", 0);
  await rig.inPhase(namespace, "slow", "Stopped");
  await told(namespace, "slow", 0);
  await change(namespace, "slow", [EARTH]);
  await scale(namespace, "slow", 1);
  await ready(namespace, "slow", 1);
});

Deno.test("an instance that is Degraded is rescaled, and heals", async () => {
  const namespace = await rig.namespace();
  const strategy = { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "1", maxSurge: "0" } } as const;
  await rig.create(namespace, "limp", { replicas: 2, strategy });
  await ready(namespace, "limp", 2);
  await change(namespace, "limp", [MOON]);
  await rig.inPhase(namespace, "limp", "Degraded");
  await scale(namespace, "limp", 4);
  await told(namespace, "limp", 4, { of: "limp", is: "Degraded" });
  await change(namespace, "limp", [EARTH]);
  await ready(namespace, "limp", 4);
  await change(namespace, "limp", [MOON]);
  await rig.inPhase(namespace, "limp", "Degraded");
  await scale(namespace, "limp", 0);
  await rig.inPhase(namespace, "limp", "Stopped");
});

Deno.test("an instance whose initialisation failed has no pods, and later as many as were wanted last", async () => {
  const namespace = await rig.namespace();
  failing.add("fail");
  await rig.create(namespace, "fail");
  await rig.inPhase(namespace, "fail", "InitFailed");
  await scale(namespace, "fail", 2);
  const { status } = await rig.inPhase(namespace, "fail", "InitFailed");
  assertEquals(status?.readyReplicas ?? 0, 0);
  failing.delete("fail");
  await rig.client.create<OdooInitJob>(OdooInitJobKind, {
    metadata: { name: "again", namespace },
    spec: { odooInstanceRef: { name: "fail" } },
  });
  await ready(namespace, "fail", 2);
});

Deno.test("an instance wanted with 0 pods is initialised, and stopped", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "zero", { replicas: 0 });
  const { status } = await rig.inPhase(namespace, "zero", "Stopped");
  assertEquals(status?.dbInitialized, true);
  await scale(namespace, "zero", 1);
  await ready(namespace, "zero", 1);
});

Deno.test("cron pods follow spec.cron.replicas and nothing else", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "tick", { cron: { replicas: 0 } });
  await ready(namespace, "tick", 1);
  await told(namespace, "tick-cron", 0);
  const cron = (value: number) => change(namespace, "tick", [{ op: "replace", path: "/spec/cron/replicas", value }]);
  await cron(2);
  await told(namespace, "tick-cron", 2);
  await scale(namespace, "tick", 2);
  await ready(namespace, "tick", 2);
  await told(namespace, "tick-cron", 2);
  await cron(0);
  await told(namespace, "tick-cron", 0);
  await ready(namespace, "tick", 2);
});
