/** The HorizontalPodAutoscaler of a real controller manager on an OdooInstance. Nobody measures here: it reads, and keeps its bounds. */
import { assert, assertEquals } from "@std/assert";
import { type Condition, conditionOf, Deployment, type KubeObject, type ResourceType } from "../../src/kit/mod.ts";
import type { OdooInstance } from "../../src/odoo/crd/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";

interface Autoscaler extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: {
    readonly currentReplicas?: number;
    readonly desiredReplicas?: number;
    readonly conditions?: readonly Condition[];
  };
}

const HorizontalPodAutoscaler: ResourceType<Autoscaler> = {
  group: "autoscaling",
  version: "v2",
  kind: "HorizontalPodAutoscaler",
  plural: "horizontalpodautoscalers",
};

/** It learns of kinds that are new to the API server every half minute. */
const NEXT_DISCOVERY = { timeoutMs: 60_000 };

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig();
});
Deno.test.afterAll(() => rig?.stop());

Deno.test("a HorizontalPodAutoscaler reads the scale of an instance, parses its selector, and keeps its bounds", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "shop");
  await rig.inPhase(namespace, "shop", "Running");
  const { group, version, kind } = OdooInstanceKind;
  const at = { namespace, name: "shop" };
  await rig.client.create(HorizontalPodAutoscaler, {
    metadata: at,
    spec: {
      scaleTargetRef: { apiVersion: `${group}/${version}`, kind, name: "shop" },
      minReplicas: 1,
      maxReplicas: 4,
      metrics: [{
        type: "Resource",
        resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } },
      }],
    },
  });
  const seen = async () => (await rig.client.get(HorizontalPodAutoscaler, at)).status;
  const reading = await eventually("it reads the scale", async () => {
    const status = await seen();
    assertEquals([conditionOf(status?.conditions, "AbleToScale")?.status, status?.currentReplicas], ["True", 1]);
    return status;
  }, NEXT_DISCOVERY);
  // Had it not understood the selector, it would say InvalidSelector or SelectorRequired; so it asks for figures of the pods.
  const active = conditionOf(reading?.conditions, "ScalingActive");
  assertEquals(active?.reason, "FailedGetResourceMetric", active?.message);

  await rig.client.patch(HorizontalPodAutoscaler, at, [{ op: "replace", path: "/spec/minReplicas", value: 3 }]);
  await eventually("the instance has the least that is allowed", async () => {
    const { spec, status } = await rig.client.get<OdooInstance>(OdooInstanceKind, at);
    assertEquals([spec.replicas, status?.phase, status?.readyReplicas], [3, "Running", 3]);
    return true;
  }, { timeoutMs: 30_000 });
  await eventually("it sees the pods", async () => (await seen())?.currentReplicas === 3, { timeoutMs: 20_000 });

  await rig.client.patch(HorizontalPodAutoscaler, at, [
    { op: "replace", path: "/spec/minReplicas", value: 1 },
    { op: "replace", path: "/spec/maxReplicas", value: 2 },
  ]);
  await eventually("the instance has the most that is allowed", async () => {
    assertEquals((await rig.client.get(Deployment, at)).spec?.replicas, 2);
    return true;
  }, { timeoutMs: 30_000 });
  const { metadata } = await rig.inPhase(namespace, "shop", "Running");
  const writers = metadata.managedFields?.filter(({ subresource }) => subresource === "scale") ?? [];
  assert(writers.length > 0, "it was scaled by its /scale endpoint");
});
