/** A backup: pods stay as they are, the Job is judged by what it reports, and the status says when the last one was made. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Deployment, Job } from "../../src/kit/mod.ts";
import type { OdooBackupJob, OdooBackupJobSpec, OdooUpgradeJob } from "../../src/odoo/crd/mod.ts";
import { OdooBackupJobKind, OdooInstanceKind, OdooUpgradeJobKind } from "../../src/odoo/shell/kinds.ts";
import type { Outcome } from "../../dev/odoo_jobs.ts";
import { eventually } from "../support/eventually.ts";
import { startHistory } from "../support/history.ts";
import { type Rig, startRig } from "../support/rig.ts";

let rig: Rig;
/** By name of the instance; without an entry all goes well. */
const outcomes = new Map<string, Outcome>();

Deno.test.beforeAll(async () => {
  const outcomeOf = (
    { metadata, spec }: { metadata: { labels?: Readonly<Record<string, string>> }; spec?: unknown },
  ) => {
    const isBackup = JSON.stringify(spec).includes("BACKUP_FILESTORE");
    return isBackup ? outcomes.get(metadata.labels?.["bemade.org/instance"] ?? "") : undefined;
  };
  rig = await startRig({ jobs: { delayMs: 50, outcomeOf } });
});
Deno.test.afterAll(() => rig?.stop());

async function running(name: string): Promise<string> {
  const namespace = await rig.namespace();
  await rig.create(namespace, name);
  await rig.inPhase(namespace, name, "Running");
  return namespace;
}

const DESTINATION = { bucket: "backups", objectKey: "shop/nightly.zip", endpoint: "https://s3.example.com" } as const;

function ask(namespace: string, name: string, instance: string, spec: Partial<OdooBackupJobSpec> = {}) {
  return rig.client.create<OdooBackupJob>(OdooBackupJobKind, {
    metadata: { name, namespace },
    spec: { odooInstanceRef: { name: instance }, destination: DESTINATION, ...spec } as OdooBackupJobSpec,
  });
}

function request(namespace: string, name: string, phases: readonly string[] = ["Completed", "Failed"]) {
  return eventually(`OdooBackupJob ${name} is ${phases.join(" or ")}`, async () => {
    const cr = await rig.client.get<OdooBackupJob>(OdooBackupJobKind, { namespace, name });
    return phases.includes(cr.status?.phase ?? "") && cr;
  });
}

function reasonOf({ status }: OdooBackupJob): string | undefined {
  return status?.conditions?.find(({ type }) => type === "Succeeded")?.reason;
}

Deno.test("a backup that went well says what was saved, and the instance when; no pod is touched", async () => {
  const namespace = await running("shop");
  const before = await rig.client.get(Deployment, { namespace, name: "shop" });
  await ask(namespace, "nightly", "shop");
  const ended = await request(namespace, "nightly");
  assertEquals([ended.status?.phase, reasonOf(ended)], ["Completed", "Completed"]);
  assertMatch(ended.status?.message ?? "", /^Saved 1\.2 MiB, 12 files in 1 s, SHA-256 c0ffee$/);
  assertEquals([ended.status?.summary?.bytes, ended.status?.summary?.sha256], [1_234_567, "c0ffee"]);
  const { status } = await rig.inPhase(namespace, "shop", "Running");
  assertMatch(status?.lastBackup ?? "", /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const after = await rig.client.get(Deployment, { namespace, name: "shop" });
  assertEquals(after.spec, before.spec);
  const job = await rig.client.get(Job, { namespace, name: ended.status?.jobName ?? "" });
  assertEquals(job.spec?.template.spec?.containers.map(({ name, image }) => [name, image]), [
    ["backup", "odoo-operator:dev"],
    ["dump", "odoo:18.0"],
  ]);
});

Deno.test("the instance serves, and says so, while it is backed up; an upgrade waits", async () => {
  const namespace = await running("slow");
  outcomes.set("slow", { delayMs: 2_500 });
  await ask(namespace, "nightly", "slow");
  await request(namespace, "nightly", ["Running"]);
  const { status } = await rig.client.get(OdooInstanceKind, { namespace, name: "slow" });
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  assertEquals([status?.phase, ready?.status, status?.readyReplicas], ["BackingUp", "True", 1]);
  await rig.client.create<OdooUpgradeJob>(OdooUpgradeJobKind, {
    metadata: { name: "monthly", namespace },
    spec: { odooInstanceRef: { name: "slow" }, modules: ["base"] },
  });
  const upgrade = (phase: string) =>
    eventually(`the upgrade is ${phase}`, async () => {
      const cr = await rig.client.get<OdooUpgradeJob>(OdooUpgradeJobKind, { namespace, name: "monthly" });
      return cr.status?.phase === phase && cr;
    });
  assertEquals((await upgrade("Pending")).status?.message, "Waiting for OdooBackupJob nightly to end");
  const { status: ended } = await request(namespace, "nightly");
  const { status: after } = await upgrade("Completed");
  assert((ended?.completionTime ?? "") <= (after?.startTime ?? ""), "both were at work");
  outcomes.delete("slow");
});

Deno.test("a backup that failed keeps reason, message and last words, and the instance goes on", async () => {
  const namespace = await running("broken");
  const message = { ok: false, reason: "BucketMissing", error: "There is no bucket backups: create it", log: "404" };
  outcomes.set("broken", { exitCode: 1, message: JSON.stringify(message) });
  await ask(namespace, "nightly", "broken");
  const ended = await request(namespace, "nightly");
  assertEquals([ended.status?.phase, reasonOf(ended), ended.status?.message, ended.status?.logTail], [
    "Failed",
    "BucketMissing",
    "There is no bucket backups: create it",
    "404",
  ]);
  const { status } = await rig.inPhase(namespace, "broken", "Running");
  assertEquals(status?.lastBackup ?? null, null);
  outcomes.delete("broken");
});

Deno.test("a stopped instance is backed up without starting", async () => {
  const namespace = await running("sleeper");
  await rig.client.patch(OdooInstanceKind, { namespace, name: "sleeper" }, [
    { op: "add", path: "/spec/replicas", value: 0 },
  ]);
  await rig.inPhase(namespace, "sleeper", "Stopped");
  await eventually("its cron pods are to go", async () => {
    const { spec } = await rig.client.get(Deployment, { namespace, name: "sleeper-cron" });
    return spec?.replicas === 0;
  });
  await using history = await startHistory(rig.client, namespace);
  await ask(namespace, "nightly", "sleeper");
  assertEquals((await request(namespace, "nightly")).status?.phase, "Completed");
  const { status } = await rig.inPhase(namespace, "sleeper", "Stopped");
  await history.upToDate();
  assertEquals([status?.readyReplicas, history.replicas("sleeper"), history.replicas("sleeper-cron")], [0, [0], [0]]);
});

Deno.test("two backups at once are made one after the other, the older one first", async () => {
  const namespace = await running("twice");
  outcomes.set("twice", { delayMs: 1_000 });
  await ask(namespace, "b", "twice");
  await request(namespace, "b", ["Running"]);
  await ask(namespace, "a", "twice");
  const [second, first] = await Promise.all([request(namespace, "a"), request(namespace, "b")]);
  assertEquals([first.status?.phase, second.status?.phase], ["Completed", "Completed"]);
  assert((first.status?.completionTime ?? "") <= (second.status?.startTime ?? ""), "both were at work");
  outcomes.delete("twice");
});

Deno.test("a backup with the keys of another namespace is refused, and no Job is made", async () => {
  const namespace = await running("thief");
  await ask(namespace, "nightly", "thief", {
    destination: { ...DESTINATION, insecure: false, s3CredentialsSecretRef: { name: "keys", namespace: "victim" } },
  });
  const ended = await request(namespace, "nightly");
  assertEquals(ended.status?.phase, "Failed");
  assertMatch(ended.status?.message ?? "", /namespace/);
  const { items } = await rig.client.list(Job, { namespace });
  assertEquals(items.filter(({ metadata }) => metadata.name.startsWith("nightly")).length, 0);
});

Deno.test("a deleted instance takes the Jobs of its requests along, whose pods would keep its volume; the requests stay", async () => {
  const namespace = await running("mortal");
  await ask(namespace, "nightly", "mortal");
  await request(namespace, "nightly", ["Completed"]);
  await rig.client.delete(OdooInstanceKind, { namespace, name: "mortal" });
  await rig.gone(OdooInstanceKind, namespace, "mortal");
  await eventually("no Job is left", async () => (await rig.client.list(Job, { namespace })).items.length === 0);
  assertEquals((await request(namespace, "nightly")).status?.phase, "Completed");
});
