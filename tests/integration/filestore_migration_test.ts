/**
 * A filestore migration on the real control plane: the files are copied while they are served, compared when no pod is left,
 * and served from the new volume; whatever goes wrong before that, the former one is served again. In the end there is one.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { conditionOf, Deployment, Job, PersistentVolumeClaim, Pod, type Stored } from "../../src/kit/mod.ts";
import type { OdooBackupJob, OdooInstance, OdooInstanceSpec } from "../../src/odoo/crd/mod.ts";
import { filestoreClaimName, objectNames } from "../../src/odoo/model/names.ts";
import { OdooBackupJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import type { Outcome } from "../../dev/odoo_jobs.ts";
import { SECOND_STORAGE_CLASS, STORAGE_CLASS } from "../../dev/fake_nodes.ts";
import { eventually } from "../support/eventually.ts";
import { followVersions } from "../support/object_versions.ts";
import { type Rig, startRig } from "../support/rig.ts";

/** Two Jobs and two rounds of pods, on a machine that has other things to do. */
const PATIENCE = { timeoutMs: 90_000 } as const;

const FIRST = STORAGE_CLASS.metadata.name;
const SECOND = SECOND_STORAGE_CLASS.metadata.name;

let rig: Rig;
/** By instance and end of the Job's name, such as `shop/copy`; without an entry all goes well. */
const outcomes = new Map<string, Outcome>();

Deno.test.beforeAll(async () => {
  const outcomeOf = ({ metadata }: Stored<Pod>) => {
    const { "bemade.org/instance": name, "batch.kubernetes.io/job-name": job } = metadata.labels ?? {};
    return outcomes.get(`${name}/${job?.split("-").at(-1)}`);
  };
  rig = await startRig({ jobs: { delayMs: 50, outcomeOf } });
});
Deno.test.afterAll(() => rig?.stop());

/** An instance on the first class, with a directory of files. */
async function running(name: string, spec: Partial<OdooInstanceSpec> = {}): Promise<Stored<OdooInstance>> {
  const namespace = await rig.namespace();
  await rig.create(namespace, name, { filestore: { storageClass: FIRST, storageSize: "1Gi" }, ...spec });
  const instance = await rig.inPhase(namespace, name, "Running", PATIENCE);
  rig.jobs.copies.addDirectory(namespace, objectNames.filestore(name), "the files");
  return instance;
}

function get({ metadata: { namespace = "", name } }: Stored<OdooInstance>): Promise<Stored<OdooInstance>> {
  return rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
}

async function wish(instance: Stored<OdooInstance>, filestore: OdooInstanceSpec["filestore"]): Promise<void> {
  const { namespace = "", name } = instance.metadata;
  await rig.client.patch(OdooInstanceKind, { namespace, name }, [
    { op: "replace", path: "/spec/filestore", value: filestore },
  ]);
}

function is(instance: Stored<OdooInstance>, what: string, holds: (live: Stored<OdooInstance>) => boolean) {
  return eventually(`${instance.metadata.name} is ${what}`, async () => {
    const live = await get(instance);
    if (!holds(live)) throw new Error(JSON.stringify({ ...live.status, conditions: undefined, said: said(live) }));
    return live;
  }, PATIENCE);
}

function atStep(instance: Stored<OdooInstance>, stage: string) {
  return is(instance, `at step ${stage}`, ({ status }) => status?.operation?.stage === stage);
}

/** It serves, and nothing of a migration goes on. */
function atRest(instance: Stored<OdooInstance>, phase = "Running") {
  return is(
    instance,
    "at rest",
    ({ status, metadata, spec }) =>
      status?.phase === phase && !status.operation && status.observedGeneration === metadata.generation &&
      !status.filestore?.copy && !status.filestore?.former && spec.filestore !== undefined,
  );
}

function said({ status }: Stored<OdooInstance>): string {
  const { status: state, reason, message } = conditionOf(status?.conditions, "FilestoreMigrated") ?? {};
  return `${state} ${reason}: ${message}`;
}

async function claims({ metadata: { namespace = "" } }: Stored<OdooInstance>) {
  const { items } = await rig.client.list(PersistentVolumeClaim, { namespace });
  return items.map(({ metadata, spec }) => `${metadata.name} ${spec?.storageClassName}`).sort();
}

async function pods({ metadata: { namespace = "", name } }: Stored<OdooInstance>): Promise<string[]> {
  const { items } = await rig.client.list(Pod, { namespace, labelSelector: `app in (${name},${name}-cron)` });
  return items.map(({ metadata }) => metadata.name);
}

/** All that is served is on the class, in the one volume that there is. */
async function servedFrom(instance: Stored<OdooInstance>, storageClass: string): Promise<string> {
  const { namespace = "", name } = instance.metadata;
  const live = await get(instance);
  const claim = filestoreClaimName(live);
  assertEquals(await claims(instance), [`${claim} ${storageClass}`]);
  for (const child of [name, `${name}-cron`]) {
    const { spec } = await rig.client.get(Deployment, { namespace, name: child });
    const volume = spec?.template.spec?.volumes?.find(({ name }) => name === "filestore");
    assertEquals(volume?.persistentVolumeClaim?.claimName, claim, child);
  }
  assertEquals(rig.jobs.copies.directories(namespace, claim), ["the files"]);
  return claim;
}

Deno.test("a changed storage class moves the files, and leaves one volume", async () => {
  const instance = await running("shop");
  await wish(instance, { storageClass: SECOND, storageSize: "2Gi" });
  await is(instance, "moved", ({ status }) => status?.filestore?.claim !== undefined);
  const moved = await atRest(instance);
  assertMatch(said(moved), /^True InPlace: The files are on storage class second$/);
  const claim = await servedFrom(instance, SECOND);
  assertMatch(claim, /^shop-filestore-[0-9a-f]{8}$/);
  assertEquals([moved.status?.migrationJobName ?? null, moved.status?.migrationPreviousStorageClass ?? null], [
    null,
    null,
  ]);
  const { namespace = "" } = instance.metadata;
  const live = await rig.client.get(PersistentVolumeClaim, { namespace, name: claim });
  assertEquals([live.spec?.resources?.requests?.storage, live.status?.phase], ["2Gi", "Bound"]);
  await wish(instance, { storageClass: FIRST, storageSize: "3Gi" });
  await is(instance, "moved again", ({ status }) => status?.filestore?.claim !== claim);
  await atRest(instance);
  await servedFrom(instance, FIRST);
  await wish(instance, { storageClass: FIRST, storageSize: "4Gi" });
  await eventually("the volume grows", async () => {
    const name = filestoreClaimName(await get(instance));
    const { spec } = await rig.client.get(PersistentVolumeClaim, { namespace, name });
    assertEquals(spec?.resources?.requests?.storage, "4Gi");
    return true;
  }, PATIENCE);
});

Deno.test("pods serve while the files are copied, and are gone while they are compared", async () => {
  const instance = await running("busy");
  outcomes.set("busy/copy", { delayMs: 1_500 });
  outcomes.set("busy/compare", { delayMs: 1_500 });
  await wish(instance, { storageClass: SECOND, storageSize: "1Gi" });
  const copying = await atStep(instance, "copyFiles");
  assertEquals((await pods(instance)).length, 2);
  assertEquals(conditionOf(copying.status?.conditions, "Ready")?.status, "True");
  assertMatch(said(copying), /^Unknown Migrating: Step 1 of 2/);
  await atStep(instance, "compareFiles");
  const { namespace = "" } = instance.metadata;
  await eventually("the last round works", async () => {
    const { items } = await rig.client.list(Job, { namespace });
    assert(items.some(({ metadata, status }) => metadata.name.endsWith("-compare") && status?.active === 1));
    return true;
  }, PATIENCE);
  assertEquals(await pods(instance), []);
  outcomes.clear();
  await is(instance, "moved", ({ status }) => status?.filestore?.claim !== undefined);
  await atRest(instance);
  await servedFrom(instance, SECOND);
});

Deno.test("a stopped instance moves without a pod, and keeps its former volume until it serves from the new one", async () => {
  const instance = await running("idle");
  const { namespace = "", name } = instance.metadata;
  const replicas = (value: number) =>
    rig.client.patch(OdooInstanceKind, { namespace, name }, [{ op: "replace", path: "/spec/replicas", value }]);
  await rig.client.patch(OdooInstanceKind, { namespace, name }, [{ op: "add", path: "/spec/replicas", value: 0 }]);
  await rig.inPhase(namespace, name, "Stopped", PATIENCE);
  await eventually("its pods are gone", async () => (await pods(instance)).length === 0, PATIENCE);
  await using versions = await followVersions(rig.client, namespace, [Pod, OdooInstanceKind]);
  await wish(instance, { storageClass: SECOND, storageSize: "1Gi" });
  const moved = await is(
    instance,
    "moved",
    ({ status }) => status?.phase === "Stopped" && status.filestore?.claim !== undefined,
  );
  assertEquals((await claims(instance)).length, 2);
  assertMatch(said(moved), /^True InPlace/);
  const phases = versions.of<OdooInstance>(OdooInstanceKind).map(({ status }) => status?.phase);
  assertEquals([...new Set(phases)], ["Stopped", "MigratingFilestore", "FinalizingFilestoreMigration"]);
  assertEquals(versions.of(Pod).flatMap(({ metadata }) => metadata.labels?.app ?? []), []);
  await replicas(1);
  await atRest(instance);
  await servedFrom(instance, SECOND);
});

for (const step of ["copy", "compare"]) {
  Deno.test(`a migration whose step ${step} fails leaves the files where they are, and is not tried again`, async () => {
    const instance = await running(`broken-${step}`);
    const { name } = instance.metadata;
    const message = JSON.stringify({
      ok: false,
      reason: "VolumeFull",
      error: "The volume of the copy is full",
      log: "",
    });
    outcomes.set(`${name}/${step}`, { exitCode: 1, message });
    await wish(instance, { storageClass: SECOND, storageSize: "1Gi" });
    await is(instance, "refused", ({ status }) => status?.filestore?.refused !== undefined);
    outcomes.clear();
    const failed = await atRest(instance);
    assertMatch(said(failed), /^False VolumeFull: The files stay where they are. The volume of the copy is full/);
    assertEquals(conditionOf(failed.status?.conditions, "Ready")?.status, "True");
    assertEquals(await servedFrom(instance, FIRST), objectNames.filestore(name));
    await wish(instance, { storageClass: SECOND, storageSize: "2Gi" }); // which is another wish
    await is(instance, "moved", ({ status }) => status?.filestore?.claim !== undefined);
    await atRest(instance);
    await servedFrom(instance, SECOND);
  });
}

for (const [step, stage] of [["copy", "copyFiles"], ["compare", "compareFiles"]] as const) {
  Deno.test(`a storage class that is put back at step ${stage} leaves the files where they are`, async () => {
    const instance = await running(`withdrawn-${step}`);
    const { name } = instance.metadata;
    outcomes.set(`${name}/${step}`, { delayMs: 3_000 });
    await wish(instance, { storageClass: SECOND, storageSize: "1Gi" });
    await atStep(instance, stage);
    await wish(instance, { storageClass: FIRST, storageSize: "1Gi" });
    outcomes.clear();
    const { status } = await atRest(instance);
    assertEquals([status?.filestore?.claim, status?.filestore?.refused], [undefined, undefined]);
    assertEquals(await servedFrom(instance, FIRST), objectNames.filestore(name));
  });
}

Deno.test("a backup that is asked for during a migration waits for it", async () => {
  const instance = await running("queue");
  const { namespace = "", name } = instance.metadata;
  outcomes.set("queue/copy", { delayMs: 2_000 });
  await wish(instance, { storageClass: SECOND, storageSize: "1Gi" });
  await atStep(instance, "copyFiles");
  await rig.client.create<OdooBackupJob>(OdooBackupJobKind, {
    metadata: { name: "nightly", namespace },
    spec: {
      odooInstanceRef: { name },
      destination: { bucket: "backups", objectKey: "nightly.zip", endpoint: "https://s3.example.com" },
    } as OdooBackupJob["spec"],
  });
  const asked = (phase: string) =>
    eventually(`the backup is ${phase}`, async () => {
      const { status } = await rig.client.get<OdooBackupJob>(OdooBackupJobKind, { namespace, name: "nightly" });
      if (status?.phase !== phase) throw new Error(JSON.stringify(status));
      return status;
    }, PATIENCE);
  assertEquals((await asked("Pending")).message, "Waiting for the filestore migration to end");
  await asked("Completed");
  await atRest(instance);
  await servedFrom(instance, SECOND);
  outcomes.clear();
});

for (const [policy, left] of [["Delete", 0], ["Retain", 2]] as const) {
  Deno.test(`an instance with deletionPolicy ${policy} that is deleted in a migration leaves ${left} volumes`, async () => {
    const instance = await running(`deleted-${policy.toLowerCase()}`, { deletionPolicy: policy });
    const { namespace = "", name } = instance.metadata;
    outcomes.set(`${name}/compare`, { delayMs: 60_000 });
    await wish(instance, { storageClass: SECOND, storageSize: "1Gi" });
    await atStep(instance, "compareFiles");
    await rig.client.delete(OdooInstanceKind, { namespace, name });
    await rig.gone(OdooInstanceKind, namespace, name);
    await eventually(`${left} volumes are left`, async () => {
      const found = await claims(instance);
      if (found.length !== left) throw new Error(`there is ${found.join()}`);
      return true;
    }, PATIENCE);
    outcomes.clear();
  });
}

for (const step of ["copyFiles", "compareFiles", "switched"]) {
  Deno.test(`a migration comes to the same end when the operator is killed at ${step}`, async () => {
    const instance = await running(`killed-${step.toLowerCase()}`);
    await wish(instance, { storageClass: SECOND, storageSize: "1Gi" });
    await is(
      instance,
      `at ${step}`,
      ({ status }) => step === "switched" ? status?.filestore?.claim !== undefined : status?.operation?.stage === step,
    );
    await rig.kill();
    await rig.start();
    await is(instance, "moved", ({ status }) => status?.filestore?.claim !== undefined);
    await atRest(instance);
    await servedFrom(instance, SECOND);
  });
}

Deno.test("an instance that names no storage class keeps the one that it has, whatever the default becomes", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "silent");
  const instance = await rig.inPhase(namespace, "silent", "Running", PATIENCE);
  rig.jobs.copies.addDirectory(namespace, objectNames.filestore("silent"), "the files");
  await rig.kill();
  await rig.start({ args: [`--default-storage-class=${SECOND}`] });
  await rig.client.patch(OdooInstanceKind, { namespace, name: "silent" }, [
    { op: "remove", path: "/spec/filestore/storageClass" },
  ]);
  const { spec } = await is(instance, "seen", ({ spec }) => spec.filestore?.storageClass !== undefined);
  assertEquals(spec.filestore?.storageClass, FIRST);
  await rig.kill();
  await rig.start();
  await atRest(instance);
  await servedFrom(instance, FIRST);
});
