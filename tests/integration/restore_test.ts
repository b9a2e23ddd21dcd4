/**
 * A restore on the real control plane and the real PostgreSQL: the copy is made beside the data, takes its place when no pod
 * is left, and leaves nothing behind; whatever goes wrong, the former data is served again.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Deployment, Job, Pod, Secret, type Stored } from "../../src/kit/mod.ts";
import type { OdooInstance, OdooInstanceSpec, OdooRestoreJob, OdooRestoreJobSpec } from "../../src/odoo/crd/mod.ts";
import { databaseName, objectNames } from "../../src/odoo/model/names.ts";
import { OdooInstanceKind, OdooRestoreJobKind } from "../../src/odoo/shell/kinds.ts";
import { ORIGIN_PARAMETER } from "../../dev/odoo_copies.ts";
import type { Outcome } from "../../dev/odoo_jobs.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";

/** Four Jobs, one after the other, on a machine that has other things to do. */
const PATIENCE = { timeoutMs: 90_000 } as const;

let rig: Rig;
/** By instance and container, such as `shop/restore`; without an entry all goes well. */
const outcomes = new Map<string, Outcome>();

Deno.test.beforeAll(async () => {
  const outcomeOf = ({ metadata, spec }: Stored<Pod>) =>
    outcomes.get(`${metadata.labels?.["bemade.org/instance"]}/${spec?.containers[0]?.name}`);
  rig = await startRig({ jobs: { delayMs: 50, outcomeOf } });
});
Deno.test.afterAll(() => rig?.stop());

async function running(name: string, spec: Partial<OdooInstanceSpec> = {}): Promise<Stored<OdooInstance>> {
  const namespace = await rig.namespace();
  await rig.create(namespace, name, spec);
  return await rig.inPhase(namespace, name, "Running");
}

const S3 = { bucket: "backups", objectKey: "shop/nightly.zip", endpoint: "https://s3.example.com" } as const;

async function ask(instance: Stored<OdooInstance>, spec: Partial<OdooRestoreJobSpec> = {}) {
  const { name, namespace = "" } = instance.metadata;
  return await rig.client.create<OdooRestoreJob>(OdooRestoreJobKind, {
    metadata: { name: "back", namespace },
    spec: { odooInstanceRef: { name }, source: { type: "s3", s3: S3 }, ...spec } as OdooRestoreJobSpec,
  });
}

function request({ metadata: { namespace = "" } }: Stored<OdooInstance>, phases = ["Completed", "Failed"]) {
  return eventually(`the restore is ${phases.join(" or ")}`, async () => {
    const cr = await rig.client.get<OdooRestoreJob>(OdooRestoreJobKind, { namespace, name: "back" });
    if (!phases.includes(cr.status?.phase ?? "")) throw new Error(`it is ${JSON.stringify(cr.status)}`);
    return cr;
  }, PATIENCE);
}

function atStep({ metadata: { namespace = "", name } }: Stored<OdooInstance>, stage: string) {
  return eventually(`${name} is at step ${stage}`, async () => {
    const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
    if (status?.operation?.stage !== stage) throw new Error(`it is at ${JSON.stringify(status?.operation)}`);
    return true;
  }, PATIENCE);
}

function inPhase({ metadata: { namespace = "", name } }: Stored<OdooInstance>, phase: string) {
  return rig.inPhase(namespace, name, phase, PATIENCE);
}

/** Where the data came from that is served; `undefined` for what the initialisation made. */
async function origin(instance: Stored<OdooInstance>): Promise<unknown> {
  const database = databaseName(instance, instance.metadata.uid);
  const select = "SELECT value FROM ir_config_parameter WHERE key = $1";
  return (await rig.sql(select, [ORIGIN_PARAMETER], database))[0]?.value;
}

async function databases(instance: Stored<OdooInstance>): Promise<unknown[]> {
  const select = "SELECT datname FROM pg_database WHERE datname LIKE $1 ORDER BY datname";
  return (await rig.sql(select, [`${databaseName(instance, instance.metadata.uid)}%`])).map(({ datname }) => datname);
}

function directories({ metadata: { namespace = "", name } }: Stored<OdooInstance>): string[] {
  return rig.jobs.copies.directories(namespace, objectNames.filestore(name));
}

/** Nothing is left but what is served. */
async function isClean(instance: Stored<OdooInstance>): Promise<void> {
  const live = databaseName(instance, instance.metadata.uid);
  await eventually("nothing of the copy is left", async () => {
    const left = [...await databases(instance), ...directories(instance)].filter((name) => name !== live);
    if (left.length) throw new Error(`there is ${left.join()}`);
    return true;
  }, PATIENCE);
}

function reasonOf({ status }: OdooRestoreJob): string | undefined {
  return status?.conditions?.find(({ type }) => type === "Succeeded")?.reason;
}

Deno.test("a restore replaces database and files, tells what it found, and leaves nothing behind", async () => {
  const instance = await running("shop");
  await ask(instance);
  const ended = await request(instance);
  assertEquals([ended.status?.phase, reasonOf(ended)], ["Completed", "Completed"]);
  assertEquals(ended.status?.message, "Odoo 19.0.1.3 with 1 modules and 12 attachments, neutralized");
  assertEquals([ended.status?.summary?.unpackedFiles, ended.status?.summary?.checksum ?? null], [12, null]);
  assertEquals(ended.status?.progress, undefined);
  const { status } = await inPhase(instance, "Running");
  assertEquals(status?.operation ?? null, null);
  assertEquals(await origin(instance), S3.objectKey);
  assertEquals(directories(instance).includes(databaseName(instance, instance.metadata.uid)), true);
  await isClean(instance);
});

Deno.test("the former data is served until the copy is verified; then all pods are gone before it takes its place", async () => {
  const instance = await running("busy");
  const { namespace = "" } = instance.metadata;
  outcomes.set("busy/prepare", { delayMs: 2_000 });
  outcomes.set("busy/swap", { delayMs: 2_000 });
  await ask(instance);
  await atStep(instance, "prepare");
  const { status } = await inPhase(instance, "Restoring");
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  const { status: told } = await request(instance, ["Running"]);
  assertEquals([ready?.status, status?.readyReplicas, await origin(instance)], ["True", 1, undefined]);
  assertMatch(`${told?.progress?.done}/${told?.progress?.total} ${told?.progress?.step}`, /^[01]\/4 (load|prepare)$/);
  await atStep(instance, "move");
  const { items } = await rig.client.list(Pod, { namespace });
  assertEquals(items.filter(({ metadata }) => /^busy-(cron-)?[^-]+-[^-]+$/.test(metadata.name)).length, 0);
  assertEquals((await request(instance)).status?.phase, "Completed");
  await inPhase(instance, "Running");
  outcomes.clear();
});

/** How each step fails, and what the request says then. */
const FAILURES: Readonly<Record<string, { readonly container: string; readonly reason: string }>> = {
  "whose backup cannot be loaded": { container: "restore", reason: "ObjectMissing" },
  "whose copy cannot be prepared": { container: "prepare", reason: "NeutralizeFailed" },
};

for (const [sentence, { container, reason }] of Object.entries(FAILURES)) {
  Deno.test(`a restore ${sentence} changes nothing, and the instance serves as before`, async () => {
    const instance = await running(`broken-${container}`);
    const { namespace = "", name } = instance.metadata;
    const { metadata: before } = await rig.client.get(Deployment, { namespace, name });
    const message = { ok: false, reason, error: "It went wrong", log: "last words" };
    outcomes.set(`${name}/${container}`, { exitCode: 1, message: JSON.stringify(message) });
    await ask(instance);
    const ended = await request(instance);
    assertEquals([ended.status?.phase, reasonOf(ended), ended.status?.message, ended.status?.logTail], [
      "Failed",
      reason,
      "It went wrong",
      "last words",
    ]);
    await inPhase(instance, "Running");
    const { metadata: after } = await rig.client.get(Deployment, { namespace, name });
    assertEquals([after.generation, await origin(instance)], [before.generation, undefined]);
    await isClean(instance);
    outcomes.clear();
  });
}

Deno.test("a restore whose files cannot change places gives the former data its place back", async () => {
  const instance = await running("stuck");
  const message = JSON.stringify({ ok: false, reason: "RenameFailed", error: "Read-only file system" });
  outcomes.set("stuck/swap", { exitCode: 1, message });
  await ask(instance);
  await atStep(instance, "return");
  outcomes.clear(); // the way back is made by a container of the same name
  const ended = await request(instance);
  assertEquals([ended.status?.phase, reasonOf(ended), ended.status?.message], [
    "Failed",
    "RenameFailed",
    "Read-only file system",
  ]);
  await inPhase(instance, "Running");
  assertEquals(await origin(instance), undefined);
  await isClean(instance);
});

Deno.test("a restore fills an instance that has no data, of a database dump alone", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "empty", { init: { enabled: false } });
  const instance = await rig.inPhase(namespace, "empty", "Uninitialized");
  await ask(instance, { format: "dump", neutralize: false });
  const { status } = await request(instance);
  assertMatch(status?.message ?? "", /12 attachments, not neutralized$/);
  assertEquals((await inPhase(instance, "Running")).status?.dbInitialized, true);
  assertEquals([await origin(instance), directories(instance)], [S3.objectKey, []]);
  await isClean(instance);
});

Deno.test("a restore that fails in an instance without data leaves it without, and says so", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "hollow", { init: { enabled: false } });
  const instance = await rig.inPhase(namespace, "hollow", "Uninitialized");
  outcomes.set("hollow/restore", { exitCode: 1, message: JSON.stringify({ ok: false, error: "It is gone" }) });
  await ask(instance);
  const { status } = await inPhase(instance, "InitFailed");
  assertEquals(
    status?.message,
    "OdooRestoreJob back failed: It is gone. Create a new OdooRestoreJob to try again",
  );
  outcomes.clear();
  const { namespace: ns = "" } = instance.metadata;
  await rig.client.delete(OdooRestoreJobKind, { namespace: ns, name: "back" });
  await ask(instance);
  await inPhase(instance, "Running");
});

Deno.test("a restore brings back a database that was dropped", async () => {
  const instance = await running("lost");
  const database = databaseName(instance, instance.metadata.uid);
  await rig.sql(`DROP DATABASE "${database}" WITH (FORCE)`);
  await ask(instance);
  assertEquals((await request(instance)).status?.phase, "Completed");
  await inPhase(instance, "Running");
  assertEquals(await origin(instance), S3.objectKey);
  await isClean(instance);
});

Deno.test("the master password of another Odoo is in a Secret of the request, and nowhere in its Job", async () => {
  const instance = await running("moved");
  const { namespace = "" } = instance.metadata;
  const masterPassword = "canary-master-password";
  const cr = await ask(instance, {
    source: { type: "odoo", odoo: { url: "https://old.example.com", masterPassword } },
  });
  const ended = await request(instance);
  assertEquals(ended.status?.phase, "Completed", ended.status?.message ?? "");
  assertEquals(await origin(instance), `odoo with ${masterPassword}`);
  const { items: jobs } = await rig.client.list(Job, { namespace });
  assertEquals(JSON.stringify(jobs).includes(masterPassword), false);
  const { items: secrets } = await rig.client.list(Secret, { namespace });
  const holders = secrets.filter(({ data }) => Object.values(data ?? {}).includes(btoa(masterPassword)));
  assertEquals(holders.map(({ metadata }) => metadata.ownerReferences?.map(({ uid }) => uid)), [[cr.metadata.uid]]);
});

for (const step of ["load", "prepare", "move"]) {
  Deno.test(`a restore whose request is deleted at step ${step} leaves the instance with its former data`, async () => {
    const instance = await running(`withdrawn-${step}`);
    const { namespace = "", name } = instance.metadata;
    const container = { load: "restore", prepare: "prepare", move: "swap" }[step];
    outcomes.set(`${name}/${container}`, { delayMs: 1_500 });
    await ask(instance);
    await atStep(instance, step);
    await rig.client.delete(OdooRestoreJobKind, { namespace, name: "back" });
    outcomes.clear();
    await eventually(`${name} is out of the restore`, async () => {
      const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
      if (status?.operation) throw new Error(`it is at ${JSON.stringify(status.operation)}`);
      return true;
    });
    await inPhase(instance, "Running");
    assertEquals(await origin(instance), undefined);
    await isClean(instance);
  });
}

for (const step of ["load", "prepare", "swap", "move", "return"]) {
  Deno.test(`a restore goes on when the operator is killed at step ${step}`, async () => {
    const instance = await running(`killed-${step}`);
    const { name } = instance.metadata;
    if (step === "return") {
      outcomes.set(`${name}/swap`, { exitCode: 1, message: JSON.stringify({ ok: false, error: "It went wrong" }) });
    }
    await ask(instance);
    await atStep(instance, step);
    await rig.kill();
    outcomes.clear();
    await rig.start();
    const { status } = await request(instance);
    await inPhase(instance, "Running");
    const wanted = step === "return" ? ["Failed", undefined] : ["Completed", S3.objectKey];
    assertEquals([status?.phase, await origin(instance)], wanted);
    assert((await databases(instance)).length >= 1);
    await isClean(instance);
  });
}
