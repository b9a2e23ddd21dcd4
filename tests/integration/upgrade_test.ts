/** An upgrade: cron stops, web goes on, the Job is judged by what it did, and pods are started anew only if it went well. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Deployment, Job } from "../../src/kit/mod.ts";
import type { OdooInstance, OdooUpgradeJob, OdooUpgradeJobSpec } from "../../src/odoo/crd/mod.ts";
import { RESTARTED_FOR_ANNOTATION } from "../../src/odoo/model/names.ts";
import { OdooInstanceKind, OdooUpgradeJobKind } from "../../src/odoo/shell/kinds.ts";
import type { Outcome } from "../../dev/odoo_jobs.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";

let rig: Rig;
/** By name of the instance; without an entry all goes well. */
const outcomes = new Map<string, Outcome>();

Deno.test.beforeAll(async () => {
  const outcomeOf = (
    { metadata, spec }: { metadata: { labels?: Readonly<Record<string, string>> }; spec?: unknown },
  ) => {
    const isUpgrade = JSON.stringify(spec).includes("UPGRADE_MODULES");
    return isUpgrade ? outcomes.get(metadata.labels?.["bemade.org/instance"] ?? "") : undefined;
  };
  rig = await startRig({ jobs: { delayMs: 50, outcomeOf } });
});
Deno.test.afterAll(() => rig?.stop());

/** A running instance in a namespace of its own. */
async function running(name: string): Promise<{ readonly namespace: string; readonly uid: string }> {
  const namespace = await rig.namespace();
  const { metadata: { uid } } = await rig.create(namespace, name, { init: { modules: ["sale"], demo: false } });
  await rig.inPhase(namespace, name, "Running");
  return { namespace, uid };
}

function ask(namespace: string, name: string, instance: string, spec: Partial<OdooUpgradeJobSpec> = {}) {
  return rig.client.create<OdooUpgradeJob>(OdooUpgradeJobKind, {
    metadata: { name, namespace },
    spec: { odooInstanceRef: { name: instance }, modules: ["sale"], ...spec },
  });
}

/** The request, once it is as `isSo` says. */
function request(namespace: string, name: string, isSo: (cr: OdooUpgradeJob) => boolean, what = "has ended") {
  return eventually(`OdooUpgradeJob ${name} ${what}`, async () => {
    const cr = await rig.client.get<OdooUpgradeJob>(OdooUpgradeJobKind, { namespace, name });
    return isSo(cr) && cr;
  });
}

function hasEnded({ status }: OdooUpgradeJob): boolean {
  return status?.phase === "Completed" || status?.phase === "Failed";
}

function succeeded({ status }: OdooUpgradeJob) {
  const condition = status?.conditions?.find(({ type }) => type === "Succeeded");
  return condition && [condition.status, condition.reason];
}

async function templateOf(namespace: string, name: string) {
  return (await rig.client.get(Deployment, { namespace, name })).spec?.template.metadata?.annotations ?? {};
}

Deno.test("an upgrade that went well tells what changed, and starts web and cron pods anew, once", async () => {
  const { namespace } = await running("shop");
  const cr = await ask(namespace, "monthly", "shop");
  const ended = await request(namespace, "monthly", hasEnded);
  assertEquals([ended.status?.phase, succeeded(ended)], ["Completed", ["True", "Completed"]]);
  assertMatch(ended.status?.message ?? "", /^Upgraded with Odoo 19\.0/);
  assertEquals(Object.keys(ended.status?.summary ?? {}).includes("modules"), true);
  const { status } = await rig.inPhase(namespace, "shop", "Running");
  assertEquals([status?.restartedFor, status?.operation], [cr.metadata.uid, undefined]);
  await eventually("the status says which Odoo it was", async () => {
    const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name: "shop" });
    return status?.odooVersion === ended.status?.summary?.odoo && status?.odooVersion?.startsWith("19.0");
  });
  for (const name of ["shop", "shop-cron"]) {
    await eventually(
      `Deployment ${name} is restarted`,
      async () => (await templateOf(namespace, name))[RESTARTED_FOR_ANNOTATION] === cr.metadata.uid,
    );
  }
  const { metadata } = await rig.client.get(Job, { namespace, name: ended.status?.jobName ?? "" });
  assertEquals(metadata.finalizers ?? [], []);
});

Deno.test("cron pods are gone and web pods stay while an upgrade is at work", async () => {
  const { namespace } = await running("slow");
  outcomes.set("slow", { delayMs: 3_000 });
  await ask(namespace, "monthly", "slow");
  await request(namespace, "monthly", ({ status }) => status?.phase === "Running", "is at work");
  const counts = async () => {
    const [web, cron] = await Promise.all(
      ["slow", "slow-cron"].map((name) => rig.client.get(Deployment, { namespace, name })),
    );
    return [web?.spec?.replicas, web?.status?.readyReplicas, cron?.spec?.replicas, cron?.status?.replicas ?? 0];
  };
  const { status } = await rig.client.get(OdooInstanceKind, { namespace, name: "slow" });
  assertEquals([status?.phase, await counts()], ["Upgrading", [1, 1, 0, 0]]);
  assertEquals((await request(namespace, "monthly", hasEnded)).status?.phase, "Completed");
  await rig.inPhase(namespace, "slow", "Running");
  outcomes.delete("slow");
});

Deno.test("a failed upgrade names the module and restarts nothing", async () => {
  const { namespace } = await running("broken");
  const before = await templateOf(namespace, "broken");
  outcomes.set("broken", { image: { missing: ["sale"] } });
  await ask(namespace, "monthly", "broken");
  const ended = await request(namespace, "monthly", hasEnded);
  assertEquals(ended.status?.phase, "Failed");
  assertEquals(succeeded(ended)?.[0], "False");
  assertMatch(ended.status?.message ?? "", /sale/);
  const { status } = await rig.inPhase(namespace, "broken", "Running");
  assertEquals([status?.restartedFor ?? null, await templateOf(namespace, "broken")], [null, before]);
  outcomes.delete("broken");
});

const REFUSALS: Readonly<Record<string, { readonly spec: Partial<OdooUpgradeJobSpec>; readonly reason: string }>> = {
  "names no module": { spec: { modules: [] }, reason: "NoModules" },
  "names a module like an option": { spec: { modules: ["--load=x"] }, reason: "ModuleNameInvalid" },
  "is scheduled for no time": { spec: { scheduledTime: "next sunday" }, reason: "ScheduledTimeInvalid" },
  "is for another namespace": {
    spec: { odooInstanceRef: { name: "refusing", namespace: "elsewhere" } },
    reason: "ForeignNamespace",
  },
};

Deno.test("an upgrade that can never be carried out fails at once and says why; the instance goes on", async (test) => {
  const { namespace } = await running("refusing");
  for (const [index, [sentence, { spec, reason }]] of Object.entries(REFUSALS).entries()) {
    await test.step(sentence, async () => {
      await ask(namespace, `refused-${index}`, "refusing", spec);
      const ended = await request(namespace, `refused-${index}`, hasEnded);
      assertEquals([ended.status?.phase, succeeded(ended)], ["Failed", ["False", reason]]);
      assert(ended.status?.message);
    });
  }
  const { status } = await rig.client.get(OdooInstanceKind, { namespace, name: "refusing" });
  assertEquals(status?.phase, "Running");
});

Deno.test("one upgrade at a time: the others say for whom they wait; one for later delays nobody", async () => {
  const { namespace } = await running("busy");
  outcomes.set("busy", { delayMs: 1_500 });
  await ask(namespace, "later", "busy", { scheduledTime: "2100-01-01T00:00:00Z" });
  const later = await request(namespace, "later", (cr) => succeeded(cr) !== undefined, "is told");
  assertEquals([later.status?.phase, succeeded(later)], ["Pending", ["Unknown", "Scheduled"]]);
  await ask(namespace, "first", "busy");
  await request(namespace, "first", ({ status }) => status?.phase === "Running", "is at work");
  await ask(namespace, "second", "busy");
  const waiting = await request(namespace, "second", (cr) => succeeded(cr) !== undefined, "is told");
  assertEquals([waiting.status?.phase, waiting.status?.message], [
    "Pending",
    "Waiting for OdooUpgradeJob first to end",
  ]);
  assertEquals((await request(namespace, "second", hasEnded)).status?.phase, "Completed");
  const [first, second] = await Promise.all(["first", "second"].map((name) => request(namespace, name, hasEnded)));
  assert((first?.status?.completionTime ?? "") <= (second?.status?.startTime ?? ""), "both were at work");
  assertEquals((await request(namespace, "later", () => true)).status?.phase, "Pending");
  outcomes.delete("busy");
});

Deno.test("an upgrade begins at its time, and of a stopped instance no pod is started", async () => {
  const { namespace } = await running("sleeper");
  await rig.client.patch(OdooInstanceKind, { namespace, name: "sleeper" }, [
    { op: "add", path: "/spec/replicas", value: 0 },
  ]);
  await rig.inPhase(namespace, "sleeper", "Stopped");
  const due = Date.now() + 3_000;
  await ask(namespace, "soon", "sleeper", { scheduledTime: new Date(due).toISOString() });
  const ended = await request(namespace, "soon", hasEnded);
  assertEquals(ended.status?.phase, "Completed");
  const begun = Date.parse(`${ended.status?.startTime?.replace(" ", "T")}Z`);
  assert(
    begun >= due - 1_000 && begun < due + 5_000,
    `due ${new Date(due).toISOString()}, begun ${ended.status?.startTime}`,
  );
  const { status } = await rig.inPhase(namespace, "sleeper", "Stopped");
  const { spec } = await rig.client.get(Deployment, { namespace, name: "sleeper" });
  assertEquals([status?.readyReplicas, spec?.replicas], [0, 0]);
});

Deno.test("an upgrade whose request is deleted is over when its Job is gone, and the instance serves", async () => {
  const { namespace } = await running("withdrawn");
  outcomes.set("withdrawn", { delayMs: 60_000 });
  await ask(namespace, "monthly", "withdrawn");
  await request(namespace, "monthly", ({ status }) => status?.phase === "Running", "is at work");
  await rig.client.delete(OdooUpgradeJobKind, { namespace, name: "monthly" });
  const { status } = await rig.inPhase(namespace, "withdrawn", "Running");
  assertEquals(status?.restartedFor ?? null, null);
  outcomes.delete("withdrawn");
});
