/** Pods whose volume is not mounted: they are told of, and given another chance, but seldom. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { MISSING_IMAGE } from "../../dev/fake_nodes.ts";
import { conditionOf, Event, type KubeObject, Pod, type ResourceType, type Stored } from "../../src/kit/mod.ts";
import type { OdooInstance } from "../../src/odoo/crd/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig();
});
Deno.test.afterAll(() => rig?.stop());

/** As the kubelet writes them. */
const CoreEvent: ResourceType = { group: "", version: "v1", kind: "Event", plural: "events" };

/** An instance whose only pod no node can start: kwok leaves it to the test. */
async function starting(namespace: string): Promise<void> {
  await rig.create(namespace, "shop", { replicas: 0, cron: { replicas: 0 } });
  await rig.inPhase(namespace, "shop", "Stopped");
  await rig.client.patch(OdooInstanceKind, { namespace, name: "shop" }, [
    { op: "add", path: "/spec/image", value: MISSING_IMAGE },
    { op: "replace", path: "/spec/replicas", value: 1 },
  ]);
}

/** The web pod, once it waits on a node and is another one than `former`. */
function webPod(namespace: string, former?: Stored<Pod>): Promise<Stored<Pod>> {
  return eventually(`a pod waits that is not ${former?.metadata.name}`, async () => {
    const { items } = await rig.client.list(Pod, { namespace, labelSelector: "app=shop" });
    return items.find(({ metadata, status }) =>
      metadata.uid !== former?.metadata.uid && !metadata.deletionTimestamp && status?.containerStatuses?.[0]
    );
  }, { timeoutMs: 30_000 });
}

/** What kubelet and API server show of a pod whose volume cannot be mounted. */
async function stick(pod: Stored<Pod>): Promise<void> {
  const { name, namespace = "", uid } = pod.metadata;
  await rig.client.patch(Pod, { namespace, name }, [
    { op: "replace", path: "/status/containerStatuses/0/state", value: { waiting: { reason: "ContainerCreating" } } },
  ], { subresource: "status" });
  const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  await rig.client.create(CoreEvent, {
    metadata: { name: `${name}.mount`, namespace },
    involvedObject: { apiVersion: "v1", kind: "Pod", name, namespace, uid },
    reason: "FailedMount",
    message: 'MountVolume.SetUp failed for volume "pvc-1": no such export',
    type: "Warning",
    count: 3,
    firstTimestamp: now,
    lastTimestamp: now,
    source: { component: "kubelet" },
  } as KubeObject);
}

/** What the condition says of this pod. */
function told(namespace: string, { metadata: { name } }: Stored<Pod>): Promise<string> {
  return eventually(`PodsWork tells of ${name}`, async () => {
    const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name: "shop" });
    const { reason, message = "" } = conditionOf(status?.conditions, "PodsWork") ?? {};
    if (reason !== "VolumeNotMounted" || !message.includes(name)) throw new Error(`${reason}: ${message}`);
    return message;
  }, { timeoutMs: 40_000 });
}

Deno.test("a pod whose volume is not mounted is explained, deleted once, and not again within five minutes", async () => {
  const namespace = await rig.namespace();
  await starting(namespace);
  const first = await webPod(namespace);
  await stick(first);
  const message = await told(namespace, first);
  assertStringIncludes(message, `Pod ${first.metadata.name} on node ${first.spec?.nodeName} waits for a volume`);
  assertStringIncludes(message, 'FailedMount, 3 times: MountVolume.SetUp failed for volume "pvc-1": no such export');
  const second = await webPod(namespace, first);
  const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name: "shop" });
  assertEquals(status?.phase, "Starting");
  await stick(second);
  await told(namespace, second);
  const [pod] = (await rig.client.list(Pod, { namespace, labelSelector: "app=shop" })).items;
  assertEquals([pod?.metadata.uid, pod?.metadata.deletionTimestamp], [second.metadata.uid, undefined]);
  const { items } = await rig.client.list(Event, { namespace, fieldSelector: "reason=StuckPodDeleted" });
  assertEquals(items.map(({ regarding, type }) => [regarding?.name, type]), [["shop", "Warning"]]);
  await rig.client.patch(OdooInstanceKind, { namespace, name: "shop" }, [
    { op: "replace", path: "/spec/image", value: "odoo:18.0" },
  ]);
  const { status: healed } = await rig.inPhase(namespace, "shop", "Running");
  assertEquals(healed?.lastMountRetryTime, status?.lastMountRetryTime);
});
