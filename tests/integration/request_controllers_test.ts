/** Requests whose instance does not exist, on a real control plane. */
import { assertEquals } from "@std/assert";
import { conditionOf } from "../../src/kit/mod.ts";
import type { OdooUpgradeJob } from "../../src/odoo/crd/mod.ts";
import { OdooUpgradeJobKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig();
});
Deno.test.afterAll(() => rig?.stop());

Deno.test("a job reports within 5 s that its instance does not exist, and is executed when the instance is created", async () => {
  const namespace = await rig.namespace();
  const address = { namespace, name: "upgrade" };
  const spec = { odooInstanceRef: { name: "shop" }, modules: ["base"] };
  await rig.client.create<OdooUpgradeJob>(OdooUpgradeJobKind, { metadata: address, spec } as OdooUpgradeJob);
  const status = await eventually("the report", async () => {
    const { status } = await rig.client.get(OdooUpgradeJobKind, address);
    return conditionOf(status?.conditions, "Succeeded") ? status ?? undefined : undefined;
  }, { timeoutMs: 5_000 });
  const condition = conditionOf(status.conditions, "Succeeded");
  assertEquals([status.phase, condition?.status, condition?.reason, condition?.message], [
    "Pending",
    "Unknown",
    "InstanceNotFound",
    `OdooInstance shop does not exist in namespace ${namespace}: create it, or correct spec.odooInstanceRef.name`,
  ]);
  await rig.create(namespace, "shop", { init: { modules: ["base"] } });
  await eventually("the job is completed", async () => {
    return (await rig.client.get(OdooUpgradeJobKind, address)).status?.phase === "Completed";
  }, { timeoutMs: 60_000 });
});
