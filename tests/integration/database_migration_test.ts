/** The move of a database between two real PostgreSQL servers: copied while no pod runs, and only then the former one goes. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import pg from "pg";
import {
  conditionOf,
  ConfigMap,
  Deployment,
  Event,
  type KubeObject,
  Pod,
  Secret,
  type Stored,
} from "../../src/kit/mod.ts";
import type { OdooInstance } from "../../src/odoo/crd/mod.ts";
import { databaseName, roleName } from "../../src/odoo/model/names.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { ORIGIN_PARAMETER } from "../../dev/odoo_copies.ts";
import type { Outcome } from "../../dev/odoo_jobs.ts";
import { writeClustersSecret } from "../../dev/operator.ts";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { eventually } from "../support/eventually.ts";
import { followVersions, revisionOf } from "../support/object_versions.ts";
import { type Rig, startRig } from "../support/rig.ts";

const PATIENCE = { timeoutMs: 90_000 } as const;

let rig: Rig;
let other: PostgresServer;
/** By name of the instance, of its copying Job; without an entry all goes well. */
const outcomes = new Map<string, Outcome>();

Deno.test.beforeAll(async () => {
  const outcomeOf = ({ metadata, spec }: Stored<Pod>) =>
    spec?.containers[0]?.name === "copy" ? outcomes.get(metadata.labels?.["bemade.org/instance"] ?? "") : undefined;
  rig = await startRig({ jobs: { delayMs: 50, outcomeOf } });
  other = await startPostgres();
  const { host, port, adminUser, adminPassword } = rig.cluster.postgres;
  const entry = ({ host, port, adminUser, adminPassword }: PostgresServer) => ({
    host,
    port,
    adminUser,
    adminPassword,
  });
  await writeClustersSecret(rig.client, rig.cluster, {
    main: { host, port, adminUser, adminPassword, default: true },
    other: entry(other),
    // the same server by another name
    alias: { host: "localhost", port, adminUser, adminPassword },
  });
});
Deno.test.afterAll(async () => {
  await rig?.stop();
  await other?.[Symbol.asyncDispose]();
});

async function running(name: string): Promise<Stored<OdooInstance>> {
  const namespace = await rig.namespace();
  await rig.create(namespace, name);
  return await rig.inPhase(namespace, name, "Running", PATIENCE);
}

function moveTo({ metadata: { namespace = "", name } }: Stored<OdooInstance>, cluster: string) {
  return rig.client.patch(OdooInstanceKind, { namespace, name }, [{
    op: "add",
    path: "/spec/database",
    value: { cluster },
  }]);
}

/** The instance, at rest with its last migration `status`. */
function migrated({ metadata: { namespace = "", name } }: Stored<OdooInstance>, reason: string) {
  return eventually(`${name} is Running, and its migration ${reason}`, async () => {
    const instance = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
    const { phase, conditions, operation } = instance.status ?? {};
    const condition = conditionOf(conditions, "DatabaseMigrated");
    if (phase !== "Running" || condition?.reason !== reason) {
      throw new Error(`it is in ${phase}: ${JSON.stringify(condition)} ${JSON.stringify(operation)}`);
    }
    return { instance, condition };
  }, PATIENCE);
}

function inPhase({ metadata: { namespace = "", name } }: Stored<OdooInstance>, phase: string) {
  return rig.inPhase(namespace, name, phase, PATIENCE);
}

async function query(server: { readonly adminUrl: string }, text: string, database = "postgres") {
  const url = new URL(server.adminUrl);
  url.pathname = `/${database}`;
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** What a server has of an instance: databases and roles. */
async function traces(server: { readonly adminUrl: string }, instance: Stored<OdooInstance>): Promise<string[]> {
  const { metadata } = instance;
  const database = databaseName(instance, metadata.uid);
  const role = roleName({ name: metadata.name, namespace: metadata.namespace ?? "" });
  const rows = await query(
    server,
    `SELECT datname AS name FROM pg_database WHERE datname LIKE '${database}%'
     UNION SELECT rolname FROM pg_roles WHERE rolname = '${role}' ORDER BY 1`,
  );
  return rows.map(({ name }) => String(name).replace(database, "database").replace(role, "role")).sort();
}

async function origin(server: { readonly adminUrl: string }, instance: Stored<OdooInstance>) {
  const text = `SELECT value FROM ir_config_parameter WHERE key = '${ORIGIN_PARAMETER}'`;
  return (await query(server, text, databaseName(instance, instance.metadata.uid)))[0]?.value;
}

function tracesBecome(
  server: { readonly adminUrl: string },
  instance: Stored<OdooInstance>,
  wanted: readonly string[],
) {
  return eventually(`there is ${wanted.join() || "nothing"}`, async () => {
    const found = await traces(server, instance);
    if (found.join() !== wanted.join()) throw new Error(`there is ${found.join()}`);
    return true;
  }, PATIENCE);
}

Deno.test("a database moves to another cluster and back, and leaves nothing where it was", async () => {
  const instance = await running("mover");
  await moveTo(instance, "other");
  const { instance: moved, condition } = await migrated(instance, "Migrated");
  assertEquals([condition.status, moved.status?.activeCluster], ["True", "other"]);
  assertMatch(String(await origin(other, instance)), /^[0-9a-f-]{36}$/);
  assertEquals(await traces(other, instance), ["database", "role"]);
  await tracesBecome(rig.cluster.postgres, instance, []);
  await eventually("the former cluster is forgotten", async () => {
    const { namespace = "", name } = instance.metadata;
    const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
    return (status?.migrationPreviousCluster ?? null) === null && (status?.migrationTargetCluster ?? null) === null;
  }, PATIENCE);
  await moveTo(instance, "main");
  await eventually("it is back", async () => {
    const { instance: back } = await migrated(instance, "Migrated");
    return back.status?.activeCluster === "main";
  }, PATIENCE);
  await tracesBecome(other, instance, []);
});

Deno.test("no pod runs while the database is copied, and the status says so", async () => {
  const instance = await running("silent");
  outcomes.set("silent", { delayMs: 3_000 });
  await moveTo(instance, "other");
  const { status } = await inPhase(instance, "MigratingDatabase");
  assertEquals(status?.activeCluster, "main");
  await eventually("the copy is at work", async () => {
    const { namespace = "", name } = instance.metadata;
    const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
    return !!status?.dbMigrationJobName && status.readyReplicas === 0;
  }, PATIENCE);
  const sessions = await query(
    rig.cluster.postgres,
    `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = '${
      databaseName(instance, instance.metadata.uid)
    }'`,
  );
  assertEquals(sessions[0]?.n, 0);
  await migrated(instance, "Migrated");
  outcomes.clear();
});

Deno.test("a copy that differs is thrown away, and the instance serves where it was until the spec changes", async () => {
  const instance = await running("faulty");
  const { namespace = "", name } = instance.metadata;
  const message = JSON.stringify({ ok: false, reason: "RowCountsDiffer", error: "Table sale_order has lost rows" });
  outcomes.set("faulty", { exitCode: 1, message });
  await moveTo(instance, "other");
  const { instance: after, condition } = await migrated(instance, "RowCountsDiffer");
  assertEquals([condition.status, after.status?.activeCluster], ["False", "main"]);
  assertMatch(condition.message, /^Table sale_order has lost rows\. The database is where it was/);
  await tracesBecome(other, instance, []);
  assertEquals(await traces(rig.cluster.postgres, instance), ["database", "role"]);
  await eventually("the other cluster is forgotten", async () => {
    const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
    return (status?.migrationTargetCluster ?? null) === null;
  }, PATIENCE);
  const { condition: later } = await migrated(instance, "RowCountsDiffer");
  assertEquals(later.status, "False");
  outcomes.clear();
  await rig.client.patch(OdooInstanceKind, { namespace, name }, [{ op: "add", path: "/spec/replicas", value: 2 }]);
  await migrated(instance, "Migrated");
});

Deno.test("a migration that is withdrawn leaves everything as it was", async () => {
  const instance = await running("fickle");
  outcomes.set("fickle", { delayMs: 60_000 });
  await moveTo(instance, "other");
  await eventually("the copy is at work", async () => {
    const { namespace = "", name } = instance.metadata;
    const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
    return !!status?.dbMigrationJobName;
  }, PATIENCE);
  await moveTo(instance, "main");
  const { instance: after } = await migrated(instance, "Withdrawn");
  assertEquals(after.status?.activeCluster, "main");
  await tracesBecome(other, instance, []);
  outcomes.clear();
});

Deno.test("a cluster that nobody has, and one that is the same, are told, and the instance serves on", async () => {
  const instance = await running("lost");
  await moveTo(instance, "atlantis");
  const { condition } = await migrated(instance, "ClusterNotFound");
  assertEquals(condition.status, "Unknown");
  await moveTo(instance, "alias");
  await migrated(instance, "TargetDatabaseExists");
  assertEquals(await traces(rig.cluster.postgres, instance), ["database", "role"]);
});

Deno.test("an instance that is deleted in the midst of its migration leaves nothing on either cluster", async () => {
  const instance = await running("gone");
  const { namespace = "", name } = instance.metadata;
  outcomes.set("gone", { delayMs: 60_000 });
  await moveTo(instance, "other");
  await eventually("there is something on the other cluster", async () => {
    const found = await traces(other, instance);
    return found.some((trace) => trace.startsWith("database_new_"));
  }, PATIENCE);
  await rig.client.delete(OdooInstanceKind, { namespace, name });
  await rig.gone(OdooInstanceKind, namespace, name);
  assertEquals([await traces(rig.cluster.postgres, instance), await traces(other, instance)], [[], []]);
  outcomes.clear();
});

/** PostgreSQL's port, wherever the children of an instance have it. */
function portsIn(object: Stored<KubeObject>): string[] {
  const text = object.kind === "Secret"
    ? atob((object as Secret).data?.["odoo.conf"] ?? "").replaceAll(/db_port = (\d+)/g, '"db_port":"$1"')
    : JSON.stringify(object);
  return [...text.matchAll(/"name":"PGPORT","value":"(\d+)"|"db_port":"(\d+)"/g)]
    .map(([, variable, setting]) => variable ?? setting ?? "");
}

Deno.test("all children stay on the former cluster until the switch, and Recreate makes nothing empty on the new one", async () => {
  const instance = await running("calm");
  const { namespace = "", name, uid } = instance.metadata;
  const database = databaseName(instance, uid);
  const mark = "INSERT INTO ir_config_parameter (key, value) VALUES ('test.mark', 'mine')";
  await query(rig.cluster.postgres, mark, database);
  const children = [Deployment, ConfigMap, Secret] as const;
  await using versions = await followVersions(rig.client, namespace, [OdooInstanceKind, OdooInitJobKind, ...children]);
  outcomes.set(name, { delayMs: 2_000 });
  await rig.client.patch(OdooInstanceKind, { namespace, name }, [
    { op: "add", path: "/spec/database", value: { cluster: "other", missingPolicy: "Recreate" } },
  ]);
  await eventually("the copy is at work", async () => {
    const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
    return !!status?.dbMigrationJobName;
  }, PATIENCE);
  assertEquals((await traces(other, instance)).filter((trace) => trace === "database"), []);
  await migrated(instance, "Migrated");
  outcomes.clear();
  const history = versions.of<OdooInstance>(OdooInstanceKind);
  const switched = history.find(({ status }) => status?.activeCluster === "other");
  assert(switched, "no version of the instance is on the other cluster");
  for (const kind of children) {
    const named = versions.of<KubeObject>(kind).map((object) => ({ object, ports: portsIn(object) }))
      .filter(({ ports }) => ports.length > 0);
    const early = named.filter(({ object, ports }) =>
      revisionOf(object) < revisionOf(switched) && ports.includes(String(other.port))
    );
    assertEquals(early.map(({ object }) => object.metadata.name), [], kind.kind);
    assertEquals(
      new Set(named.flatMap(({ ports }) => ports)),
      new Set([rig.cluster.postgres.port, other.port].map(String)),
    );
  }
  assertEquals(history.map(({ status }) => status?.dbInitialized), history.map(() => true));
  assertEquals(new Set(versions.of(OdooInitJobKind).map(({ metadata }) => metadata.uid)).size, 1);
  assertEquals(await query(other, "SELECT value FROM ir_config_parameter WHERE key = 'test.mark'", database), [
    { value: "mine" },
  ]);
});

Deno.test("a stopped instance moves without a pod, is stopped afterwards, and keeps the former database until it has run", async () => {
  const instance = await running("idle");
  const { namespace = "", name } = instance.metadata;
  const replicas = (value: number) =>
    rig.client.patch(OdooInstanceKind, { namespace, name }, [{ op: "add", path: "/spec/replicas", value }]);
  await replicas(0);
  await inPhase(instance, "Stopped");
  await eventually("its pods are gone", async () => {
    const { items } = await rig.client.list(Pod, { namespace, labelSelector: `app in (${name},${name}-cron)` });
    return items.length === 0;
  }, PATIENCE);
  await using versions = await followVersions(rig.client, namespace, [Pod, OdooInstanceKind]);
  await moveTo(instance, "other");
  const moved = await eventually("it has moved, and is stopped", async () => {
    const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
    if (status?.phase !== "Stopped" || status.activeCluster !== "other") throw new Error(JSON.stringify(status));
    return status;
  }, PATIENCE);
  assertEquals(conditionOf(moved.conditions, "DatabaseMigrated")?.reason, "Migrated");
  const phases = versions.of<OdooInstance>(OdooInstanceKind).map(({ status }) => status?.phase);
  assertEquals([...new Set(phases)], ["Stopped", "MigratingDatabase", "FinalizingDatabaseMigration"]);
  const apps = versions.of(Pod).flatMap(({ metadata }) => metadata.labels?.app ?? []);
  assertEquals(apps, []);
  assertEquals(await traces(rig.cluster.postgres, instance), ["database", "role"]);
  await replicas(1);
  await migrated(instance, "Migrated");
  await tracesBecome(rig.cluster.postgres, instance, []);
});

Deno.test("the start, the end and the failure of a migration are told by events on the instance", async () => {
  const instance = await running("told");
  const { namespace = "", name } = instance.metadata;
  const events = (wanted: readonly string[]) =>
    eventually(`there are events ${wanted.join()}`, async () => {
      const { items } = await rig.client.list(Event, { namespace });
      const found = items.filter(({ regarding }) => regarding?.kind === "OdooInstance" && regarding.name === name)
        .flatMap(({ reason = "" }) => reason.startsWith("DatabaseMigrat") ? [reason] : []);
      assertEquals([...new Set(found)].sort(), [...wanted].sort());
      return true;
    }, PATIENCE);
  outcomes.set(name, { exitCode: 1, message: "no space left on device" });
  await moveTo(instance, "other");
  await migrated(instance, "JobFailed");
  await events(["DatabaseMigrationStarted", "DatabaseMigrationFailed"]);
  outcomes.clear();
  await moveTo(instance, "main");
  await tracesBecome(other, instance, []);
  await moveTo(instance, "other");
  await migrated(instance, "Migrated");
  await events(["DatabaseMigrationStarted", "DatabaseMigrationFailed", "DatabaseMigrated"]);
});

for (const moment of ["the copy is at work", "the switch is near"]) {
  Deno.test(`a migration goes on when the operator is killed while ${moment}`, async () => {
    const instance = await running(moment.includes("switch") ? "late" : "early");
    const { namespace = "", name } = instance.metadata;
    outcomes.set(name, { delayMs: 1_500 });
    await moveTo(instance, "other");
    await eventually(moment, async () => {
      const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
      return status?.phase === "MigratingDatabase" && !!status.dbMigrationJobName;
    }, PATIENCE);
    await rig.kill();
    if (moment.includes("switch")) {
      await eventually("the copy is complete", () => Promise.resolve(rig.jobs.finished > 0), PATIENCE);
    }
    await rig.start();
    const { instance: moved } = await migrated(instance, "Migrated");
    assertEquals(moved.status?.activeCluster, "other");
    await tracesBecome(rig.cluster.postgres, instance, []);
    assertEquals(await traces(other, instance), ["database", "role"]);
    outcomes.clear();
  });
}
