/** Pods that cannot be made, or cannot work: the instance says why and where, and goes on by itself when the cause is gone. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MISSING_IMAGE } from "../../dev/fake_nodes.ts";
import {
  type Condition,
  conditionOf,
  Deployment,
  type JsonPatchOperation,
  type KubeObject,
  Pod,
  PodDisruptionBudget,
  type ResourceType,
  type Stored,
} from "../../src/kit/mod.ts";
import type { OdooInstance } from "../../src/odoo/crd/mod.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig();
});
Deno.test.afterAll(() => rig?.stop());

const ResourceQuota: ResourceType = { group: "", version: "v1", kind: "ResourceQuota", plural: "resourcequotas" };

/** What a person may wait for until there is an explanation, and until all is well again. */
const EXPLAINED = { timeoutMs: 15_000 };
const HEALED = { timeoutMs: 10_000 };

/** A quota that lets nobody have any of `resource`; it counts from the moment when its status is there. */
async function allowNone(namespace: string, resource: string): Promise<void> {
  await rig.client.create(ResourceQuota, {
    metadata: { name: "none", namespace },
    spec: { hard: { [resource]: "0" } },
  } as KubeObject);
  await eventually("the quota counts", async () => {
    const { status } = await rig.client.get(ResourceQuota, { namespace, name: "none" }) as {
      status?: { hard?: object };
    };
    return status?.hard !== undefined;
  });
}

function allowAll(namespace: string): Promise<void> {
  return rig.client.delete(ResourceQuota, { namespace, name: "none" });
}

/** The condition as soon as it says so; how long it took is part of what is tested. */
async function said(namespace: string, name: string, wanted: Partial<Condition>): Promise<Condition> {
  return await eventually(`${name} says ${JSON.stringify(wanted)}`, async () => {
    const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
    const seen = conditionOf(status?.conditions, wanted.type ?? "");
    const isSo = seen && Object.entries(wanted).every(([field, value]) => seen[field as keyof Condition] === value);
    if (!isSo) throw new Error(`${status?.phase}: ${JSON.stringify(status?.conditions)}`);
    return seen;
  }, EXPLAINED);
}

async function running(namespace: string, name: string, options = { timeoutMs: 20_000 }): Promise<void> {
  await rig.inPhase(namespace, name, "Running", options);
}

function change(namespace: string, name: string, ...operations: readonly JsonPatchOperation[]) {
  return rig.client.patch(OdooInstanceKind, { namespace, name }, operations);
}

async function podsOf(namespace: string, app: string): Promise<readonly Stored<Pod>[]> {
  return (await rig.client.list(Pod, { namespace, labelSelector: `app=${app}` })).items;
}

Deno.test("a namespace that may have no volume is told in the condition ChildrenApplied, and heals", async () => {
  const namespace = await rig.namespace();
  await allowNone(namespace, "persistentvolumeclaims");
  await rig.create(namespace, "files");
  const { message } = await said(namespace, "files", {
    type: "ChildrenApplied",
    status: "False",
    reason: "QuotaExceeded",
  });
  assertStringIncludes(message, 'persistentvolumeclaims "files-filestore-pvc" is forbidden: exceeded quota: none');
  await allowAll(namespace);
  await said(namespace, "files", { type: "ChildrenApplied", status: "True" });
  await running(namespace, "files", HEALED);
});

Deno.test("a namespace that may have no Job is told in the condition ChildrenApplied, and heals", async () => {
  const namespace = await rig.namespace();
  await allowNone(namespace, "count/jobs.batch");
  await rig.create(namespace, "idle");
  const { message } = await said(namespace, "idle", {
    type: "ChildrenApplied",
    status: "False",
    reason: "QuotaExceeded",
  });
  assertStringIncludes(message, "exceeded quota: none, requested: count/jobs.batch=1");
  await allowAll(namespace);
  await running(namespace, "idle", HEALED);
});

Deno.test("a namespace that may have no pod: an initialisation says so in the Job's words, and heals", async () => {
  const namespace = await rig.namespace();
  await allowNone(namespace, "pods");
  await rig.create(namespace, "nojob");
  const { message } = await said(namespace, "nojob", { type: "Ready", status: "False", reason: "PodsNotCreated" });
  assertStringIncludes(message, "The API server refuses the pods of Job nojob-auto-init-");
  assertStringIncludes(message, ": a pod is forbidden: exceeded quota: none, requested: pods=1");
  await said(namespace, "nojob", { type: "PodsWork", status: "False", reason: "PodsNotCreated" });
  await allowAll(namespace);
  // The Job controller tries again after ever longer pauses, up to a minute: that is not the operator's to shorten.
  await eventually("the Job has a pod", async () => {
    return (await rig.client.list(Pod, { namespace })).items.length > 0;
  }, { timeoutMs: 60_000 });
  await running(namespace, "nojob", HEALED);
  await said(namespace, "nojob", { type: "PodsWork", status: "True", reason: "NoTrouble" });
});

Deno.test("a namespace that may have no further pod: web pods say so in their Deployment's words, and heal", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "noweb", { replicas: 0, cron: { replicas: 0 } });
  await rig.inPhase(namespace, "noweb", "Stopped");
  await allowNone(namespace, "pods");
  await change(namespace, "noweb", { op: "replace", path: "/spec/replicas", value: 1 });
  const { message } = await said(namespace, "noweb", { type: "Ready", status: "False", reason: "PodsNotCreated" });
  assertStringIncludes(
    message,
    "The API server refuses the pods of Deployment noweb: a pod is forbidden: exceeded quota: none",
  );
  assertStringIncludes(message, "Raise that ResourceQuota");
  await allowAll(namespace);
  await eventually("the ReplicaSet has a pod", async () => (await podsOf(namespace, "noweb")).length > 0, {
    timeoutMs: 60_000,
  });
  await running(namespace, "noweb", HEALED);
});

Deno.test("an image that is missing is named with the pod that waits for it, and correcting it is enough", async () => {
  const namespace = await rig.namespace();
  const strategy = { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "0", maxSurge: "1" } } as const;
  await rig.create(namespace, "typo", { strategy });
  await running(namespace, "typo");
  await change(namespace, "typo", { op: "add", path: "/spec/image", value: MISSING_IMAGE });
  const { message } = await said(namespace, "typo", { type: "PodsWork", status: "False", reason: "ImagePullFailed" });
  const pods = [...await podsOf(namespace, "typo"), ...await podsOf(namespace, "typo-cron")];
  assert(
    pods.some(({ metadata }) => message.includes(`Pod ${metadata.name} cannot pull image ${MISSING_IMAGE}`)),
    message,
  );
  const serving = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name: "typo" });
  assertEquals([serving.status?.phase, serving.status?.ready], ["Running", true], "the former pod serves");
  await change(namespace, "typo", { op: "replace", path: "/spec/image", value: "odoo:18.0" });
  await said(namespace, "typo", { type: "PodsWork", status: "True" });
});

Deno.test("an image that is missing from the first is Ready's reason, for the Job and for the web pods", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "never", { image: MISSING_IMAGE });
  const initialising = await said(namespace, "never", { type: "Ready", status: "False", reason: "ImagePullFailed" });
  assertStringIncludes(initialising.message, "delete the job resource");
  await change(namespace, "never", { op: "replace", path: "/spec/image", value: "odoo:18.0" });
  await rig.client.delete(OdooInitJobKind, { namespace, name: "never-auto-init" });
  await running(namespace, "never", HEALED);
  await change(namespace, "never", { op: "replace", path: "/spec/replicas", value: 0 });
  await rig.inPhase(namespace, "never", "Stopped");
  await change(namespace, "never", { op: "replace", path: "/spec/image", value: MISSING_IMAGE }, {
    op: "replace",
    path: "/spec/replicas",
    value: 1,
  });
  await said(namespace, "never", { type: "Ready", status: "False", reason: "ImagePullFailed" });
  await rig.inPhase(namespace, "never", "Starting");
  await change(namespace, "never", { op: "replace", path: "/spec/image", value: "odoo:18.0" });
  await running(namespace, "never", HEALED);
});

Deno.test("a node that is gone is named with its pod, and the instance heals when the pod is replaced", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "far");
  await running(namespace, "far");
  const [pod] = await podsOf(namespace, "far");
  assert(pod?.spec?.nodeName);
  // What the node lifecycle controller does to the pods of a node that is silent: no reason, and no word of the containers.
  const index = pod.status?.conditions?.findIndex(({ type }) => type === "Ready");
  await rig.client.patch(Pod, { namespace, name: pod.metadata.name }, [
    { op: "replace", path: `/status/conditions/${index}/status`, value: "False" },
  ], { subresource: "status" });
  const { message } = await said(namespace, "far", { type: "Ready", status: "False", reason: "NodeNotReady" });
  assertStringIncludes(message, `Pod ${pod.metadata.name} is on node ${pod.spec.nodeName}, which does not answer`);
  await rig.client.delete(Pod, { namespace, name: pod.metadata.name }); // as the pod garbage collector does when the node is removed
  await running(namespace, "far", HEALED);
});

Deno.test("a budget that allows no disruption stands in nobody's way: init, scaling, a roll-out, deletion", async () => {
  const namespace = await rig.namespace();
  await rig.client.create(PodDisruptionBudget, {
    metadata: { name: "nothing-may-move", namespace },
    spec: { maxUnavailable: 0, selector: {} },
  });
  await rig.create(namespace, "still");
  await running(namespace, "still");
  await change(namespace, "still", { op: "replace", path: "/spec/replicas", value: 2 });
  await change(namespace, "still", { op: "add", path: "/spec/image", value: "odoo:17.0" });
  await eventually("both pods have the new image, and serve", async () => {
    const { status } = await rig.client.get(Deployment, { namespace, name: "still" });
    return status?.updatedReplicas === 2 && status.readyReplicas === 2 && !status.unavailableReplicas;
  }, { timeoutMs: 20_000 });
  await change(namespace, "still", { op: "replace", path: "/spec/replicas", value: 0 });
  await rig.inPhase(namespace, "still", "Stopped");
  await rig.client.delete(OdooInstanceKind, { namespace, name: "still" });
  await rig.gone(OdooInstanceKind, namespace, "still");
});
