/** A staging refresh on the real control plane and the real PostgreSQL: production goes on, and its copy takes the staging's place. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Deployment, Job, type Pod, type Stored } from "../../src/kit/mod.ts";
import type {
  OdooInstance,
  OdooInstanceSpec,
  OdooStagingRefreshJob,
  OdooStagingRefreshJobSpec,
  OdooUpgradeJob,
} from "../../src/odoo/crd/mod.ts";
import { databaseName, INSTANCE_LABEL, JOB_LABEL, objectNames } from "../../src/odoo/model/names.ts";
import { OdooInstanceKind, OdooStagingRefreshJobKind, OdooUpgradeJobKind } from "../../src/odoo/shell/kinds.ts";
import { ORIGIN_PARAMETER } from "../../dev/odoo_copies.ts";
import type { Outcome } from "../../dev/odoo_jobs.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";

const PATIENCE = { timeoutMs: 90_000 } as const;

let rig: Rig;
/** By instance and container, such as `shop/copy`, or step, such as `shop/files`; without an entry all goes well. */
const outcomes = new Map<string, Outcome>();

Deno.test.beforeAll(async () => {
  const outcomeOf = ({ metadata: { labels }, spec }: Stored<Pod>) => {
    const step = labels?.[JOB_LABEL]?.split("-").at(-1);
    return [spec?.containers[0]?.name, step].map((name) => outcomes.get(`${labels?.[INSTANCE_LABEL]}/${name}`))
      .find((outcome) => outcome);
  };
  rig = await startRig({ jobs: { delayMs: 50, outcomeOf } });
});
Deno.test.afterAll(() => rig?.stop());

async function running(namespace: string, name: string, spec: Partial<OdooInstanceSpec> = {}) {
  await rig.create(namespace, name, spec);
  const instance = await rig.inPhase(namespace, name, "Running", PATIENCE);
  const database = databaseName(instance, instance.metadata.uid);
  rig.jobs.copies.addDirectory(namespace, objectNames.filestore(name), database);
  return instance;
}

async function pair(): Promise<{ readonly live: Stored<OdooInstance>; readonly staging: Stored<OdooInstance> }> {
  const namespace = await rig.namespace();
  const live = await running(namespace, "live", { environment: "Production" });
  return { live, staging: await running(namespace, "staging") };
}

function ask({ metadata: { namespace = "" } }: Stored<OdooInstance>, spec: Partial<OdooStagingRefreshJobSpec> = {}) {
  return rig.client.create<OdooStagingRefreshJob>(OdooStagingRefreshJobKind, {
    metadata: { name: "weekly", namespace },
    spec: {
      odooInstanceRef: { name: "staging" },
      source: { instanceName: "live" },
      ...spec,
    } as OdooStagingRefreshJobSpec,
  });
}

function request(namespace: string, name = "weekly", phases = ["Completed", "Failed"]) {
  return eventually(`the refresh is ${phases.join(" or ")}`, async () => {
    const cr = await rig.client.get<OdooStagingRefreshJob>(OdooStagingRefreshJobKind, { namespace, name });
    if (!phases.includes(cr.status?.phase ?? "")) throw new Error(`it is ${JSON.stringify(cr.status)}`);
    return cr;
  }, PATIENCE);
}

async function parameter(instance: Stored<OdooInstance>, key: string): Promise<unknown> {
  const database = databaseName(instance, instance.metadata.uid);
  return (await rig.sql("SELECT value FROM ir_config_parameter WHERE key = $1", [key], database))[0]?.value;
}

function reasonOf({ status }: OdooStagingRefreshJob): string | undefined {
  return status?.conditions?.find(({ type }) => type === "Succeeded")?.reason;
}

function inPhase({ metadata: { namespace = "", name } }: Stored<OdooInstance>, phase: string) {
  return rig.inPhase(namespace, name, phase, PATIENCE);
}

Deno.test("a refresh replaces the staging's data by the production's, which is neither stopped nor written", async () => {
  const { live, staging } = await pair();
  const { namespace = "" } = live.metadata;
  const before = await rig.client.get(Deployment, { namespace, name: "live" });
  await ask(staging);
  const ended = await request(namespace);
  assertEquals([ended.status?.phase, reasonOf(ended)], ["Completed", "Completed"], ended.status?.message ?? "");
  assertMatch(ended.status?.message ?? "", /neutralized$/);
  assertEquals(
    ended.status?.tempDbName,
    `${databaseName(staging, staging.metadata.uid)}_new_${ended.metadata.uid.slice(0, 8)}`,
  );
  await inPhase(staging, "Running");
  assertEquals(await parameter(staging, ORIGIN_PARAMETER), await parameter(live, "database.uuid"));
  const after = await rig.client.get(Deployment, { namespace, name: "live" });
  assertEquals([after.metadata.generation, after.status?.readyReplicas], [before.metadata.generation, 1]);
  const job = await rig.client.get(Job, { namespace, name: ended.status?.dbJobName ?? "" });
  const password = job.spec?.template.spec?.containers[0]?.env?.find(({ name }) => name === "SOURCE_PGPASSWORD");
  assertEquals(password?.valueFrom?.secretKeyRef?.name, objectNames.userSecret("live"));
});

Deno.test("a refresh without files and without neutralizing completes", async () => {
  const { live, staging } = await pair();
  await ask(staging, { skipFilestore: true, neutralize: false });
  const { status } = await request(live.metadata.namespace ?? "");
  assertEquals([status?.phase, status?.filestoreJobName ?? null], ["Completed", null], status?.message ?? "");
  assertMatch(status?.message ?? "", /not neutralized$/);
  await inPhase(staging, "Running");
  assertEquals(await parameter(staging, "database.is_neutralized"), "false");
});

for (const step of ["database", "files", "prepare", "move"]) {
  Deno.test(`a refresh whose step ${step} fails serves the former staging's data again, and leaves nothing of the copy`, async () => {
    const { live, staging } = await pair();
    const { namespace = "" } = live.metadata;
    const database = databaseName(staging, staging.metadata.uid);
    const former = await parameter(staging, "database.uuid");
    const message = JSON.stringify({ ok: false, reason: "DiskFull", error: "There is no space left on the volume" });
    outcomes.set(`staging/${step}`, { exitCode: 1, message });
    await ask(staging);
    const ended = await request(namespace);
    outcomes.clear();
    assertEquals([ended.status?.phase, reasonOf(ended), ended.status?.message], [
      "Failed",
      "DiskFull",
      "There is no space left on the volume",
    ]);
    const { status } = await inPhase(staging, "Running");
    assertEquals([status?.dbInitialized, status?.operation], [true, undefined]);
    assertEquals([await parameter(staging, "database.uuid"), await parameter(staging, ORIGIN_PARAMETER)], [
      former,
      undefined,
    ]);
    await eventually("nothing of the copy is left", async () => {
      const select = "SELECT datname FROM pg_database WHERE datname LIKE $1";
      const databases = (await rig.sql(select, [`${database}%`])).map(({ datname }) => datname);
      const directories = rig.jobs.copies.directories(namespace, objectNames.filestore("staging"));
      assertEquals([databases, directories], [[database], [database]]);
      return true;
    }, PATIENCE);
  });
}

Deno.test("what would change the production waits while that is copied, and a backup does not", async () => {
  const { live, staging } = await pair();
  const { namespace = "" } = live.metadata;
  outcomes.set("staging/copy", { delayMs: 3_000 });
  await ask(staging);
  await request(namespace, "weekly", ["Running"]);
  await rig.client.create<OdooUpgradeJob>(OdooUpgradeJobKind, {
    metadata: { name: "monthly", namespace },
    spec: { odooInstanceRef: { name: "live" }, modules: ["base"] },
  });
  const upgrade = (phase: string) =>
    eventually(`the upgrade is ${phase}`, async () => {
      const cr = await rig.client.get<OdooUpgradeJob>(OdooUpgradeJobKind, { namespace, name: "monthly" });
      if (cr.status?.phase !== phase) throw new Error(`it is ${JSON.stringify(cr.status)}`);
      return cr;
    }, PATIENCE);
  assertMatch((await upgrade("Pending")).status?.message ?? "", /Waiting for OdooStagingRefreshJob weekly/);
  assertEquals((await rig.client.get(OdooInstanceKind, { namespace, name: "live" })).status?.phase, "Running");
  await upgrade("Completed");
  outcomes.clear();
  assertEquals((await request(namespace)).status?.phase, "Completed");
});

const REFUSALS: Readonly<
  Record<string, { readonly spec: Partial<OdooStagingRefreshJobSpec>; readonly reason: string }>
> = {
  "of an instance that is not there": { spec: { source: { instanceName: "gone" } }, reason: "SourceMissing" },
  "of another namespace": {
    spec: { source: { instanceName: "live", instanceNamespace: "victim" } },
    reason: "ForeignNamespace",
  },
  "of itself": { spec: { source: { instanceName: "staging" } }, reason: "SourceIsTarget" },
  "by snapshots, which the cluster does not have": {
    spec: { filestoreMethod: "snapshot" },
    reason: "SnapshotsNotSupported",
  },
  "of a production instance's data": {
    spec: { odooInstanceRef: { name: "live" }, source: { instanceName: "staging" } },
    reason: "ProductionTarget",
  },
};

Deno.test("a refresh that can never be carried out fails at once, and the instance goes on", async (t) => {
  const { live, staging } = await pair();
  const { namespace = "" } = live.metadata;
  for (const [sentence, { spec, reason }] of Object.entries(REFUSALS)) {
    await t.step(sentence, async () => {
      await ask(staging, spec);
      const ended = await request(namespace);
      assertEquals([ended.status?.phase, reasonOf(ended)], ["Failed", reason]);
      await rig.client.delete(OdooStagingRefreshJobKind, { namespace, name: "weekly" });
      await rig.gone(OdooStagingRefreshJobKind, namespace, "weekly");
    });
  }
  for (const instance of [live, staging]) await inPhase(instance, "Running");
});

Deno.test("a new staging instance is made of its production, even when that comes later", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "staging", { productionInstanceRef: { name: "live" } });
  const waiting = await rig.inPhase(namespace, "staging", "Uninitialized", { reason: "SourceMissing" });
  assertMatch(waiting.status?.message ?? "", /Waiting for OdooInstance live/);
  const live = await running(namespace, "live", { environment: "Production" });
  const ended = await request(namespace, "staging-auto-refresh");
  assertEquals(ended.status?.phase, "Completed", ended.status?.message ?? "");
  const staging = await rig.inPhase(namespace, "staging", "Running", PATIENCE);
  assertEquals(staging.status?.dbInitialized, true);
  assertEquals(await parameter(staging, ORIGIN_PARAMETER), await parameter(live, "database.uuid"));
});

Deno.test("a first copy that could not be neutralized is made again with another image", async () => {
  const namespace = await rig.namespace();
  await running(namespace, "live", { environment: "Production" });
  outcomes.set("staging/prepare", { exitCode: 1, message: JSON.stringify({ ok: false, error: "no module sale" }) });
  await rig.create(namespace, "staging", { productionInstanceRef: { name: "live" } });
  await rig.inPhase(namespace, "staging", "InitFailed", PATIENCE);
  outcomes.clear();
  await rig.client.patch(OdooInstanceKind, { namespace, name: "staging" }, [
    { op: "add", path: "/spec/image", value: "odoo:18.0-fixed" },
  ]);
  const { metadata } = await request(namespace, "staging-auto-refresh-2");
  assert(metadata.labels?.["bemade.org/auto-refresh"] === "true");
  await rig.inPhase(namespace, "staging", "Running", PATIENCE);
});
