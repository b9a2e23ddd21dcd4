/** What becomes of an instance's data when it is lost, taken hostage, or to be kept, on a real cluster and PostgreSQL. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  conditionOf,
  Deployment,
  type KubeObject,
  PersistentVolumeClaim,
  type ResourceType,
  Secret,
} from "../../src/kit/mod.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";

import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";
import { query } from "../support/sql.ts";

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig();
});
Deno.test.afterAll(() => rig.stop());

/** Drops an instance's database as an absent-minded administrator would. */
async function loseDatabase(namespace: string, name: string): Promise<string> {
  const { metadata } = await rig.client.get(OdooInstanceKind, { namespace, name });
  const database = `odoo_${metadata.uid.replaceAll("-", "_")}`;
  await rig.sql(`drop database "${database}" with (force)`);
  return database;
}

/** A fresh operator has a fresh inventory. */
async function restartOperator(): Promise<void> {
  await rig.kill();
  await rig.start();
}

async function hasDatabase(database: string): Promise<boolean> {
  return (await rig.sql("select 1 from pg_database where datname = $1", [database])).length > 0;
}

interface Event extends KubeObject {
  readonly reason?: string;
  readonly note?: string;
  readonly series?: { readonly count: number };
}

async function eventsOf(namespace: string, reason: string): Promise<readonly Event[]> {
  const type: ResourceType<Event> = { group: "events.k8s.io", version: "v1", kind: "Event", plural: "events" };
  const { items } = await rig.client.list(type, { namespace });
  return items.filter((event) => event.reason === reason);
}

Deno.test("a lost database is told once and nothing is touched, unless the spec wants a new one: then all begins anew", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "shop");
  await rig.inPhase(namespace, "shop", "Running");
  const before = await rig.client.get(Deployment, { namespace, name: "shop" });
  const database = await loseDatabase(namespace, "shop");
  await restartOperator();
  const { status } = await rig.inPhase(namespace, "shop", "Running", { reason: "DatabaseMissing" });
  assertStringIncludes(status?.message ?? "", "missingPolicy");
  const told = async () => (await eventsOf(namespace, "DatabaseMissing")).map(({ series }) => series?.count ?? 1);
  await eventually("the event is written", async () => (await told()).length > 0);
  await restartOperator();
  await rig.inPhase(namespace, "shop", "Running", { reason: "DatabaseMissing" });
  const after = await rig.client.get(Deployment, { namespace, name: "shop" });
  assertEquals([after.spec, after.metadata.generation], [before.spec, before.metadata.generation]);
  assertEquals(await told(), [1]);
  assert(!await hasDatabase(database), "an empty database is not in the place of the lost one");

  await rig.client.patch(OdooInstanceKind, { namespace, name: "shop" }, [
    { op: "add", path: "/spec/database", value: { missingPolicy: "Recreate" } },
  ]);
  await rig.inPhase(namespace, "shop", "Running", { reason: "Running", timeoutMs: 40_000 });
  const requests = (await rig.client.list(OdooInitJobKind, { namespace })).items;
  assertEquals(
    requests.map(({ metadata, status }) => [metadata.name, status?.phase]).sort(),
    [["shop-auto-init", "Completed"], ["shop-auto-init-2", "Completed"]],
  );
  const [modules] = await rig.sql("select count(*)::int as n from ir_module_module", [], database);
  assert(Number(modules?.n) > 0, "the modules are in the new database");
});

Deno.test("a database of which nothing is known is never begun anew, and is found again with all that is in it", async () => {
  const namespace = await rig.namespace();
  const { metadata } = await rig.create(namespace, "kept", { database: { missingPolicy: "Recreate" } });
  await rig.inPhase(namespace, "kept", "Running");
  const database = `odoo_${metadata.uid.replaceAll("-", "_")}`;
  await rig.sql("create table precious (x int)", [], database);
  const before = await rig.client.get(Deployment, { namespace, name: "kept" });
  await rig.cluster.postgres.stop();
  await restartOperator(); // with nothing in its memory
  await eventually("the operator knows that it knows nothing", async () => {
    const { status } = await rig.client.get(OdooInstanceKind, { namespace, name: "kept" });
    assertEquals([status?.phase, status?.dbInitialized], ["Running", true]);
    return conditionOf(status?.conditions, "DatabaseReachable")?.reason === "DatabaseUnreachable";
  });
  await rig.cluster.postgres.start();
  await eventually("the database is reachable again", async () => {
    const { status } = await rig.client.get(OdooInstanceKind, { namespace, name: "kept" });
    assertEquals([status?.phase, status?.dbInitialized], ["Running", true]);
    return conditionOf(status?.conditions, "DatabaseReachable")?.status === "True";
  });
  assertEquals(await rig.sql("select * from precious", [], database), []);
  const after = await rig.client.get(Deployment, { namespace, name: "kept" });
  assertEquals([after.spec, after.metadata.generation], [before.spec, before.metadata.generation]);
});

Deno.test("deletionPolicy Retain keeps role, database, volume and Secrets, and an event says so", async () => {
  const namespace = await rig.namespace();
  const { metadata } = await rig.create(namespace, "kept", { deletionPolicy: "Retain" });
  await rig.inPhase(namespace, "kept", "Running");
  const database = `odoo_${metadata.uid.replaceAll("-", "_")}`;
  await rig.client.delete(OdooInstanceKind, { namespace, name: "kept" });
  await rig.gone(OdooInstanceKind, namespace, "kept");
  await rig.gone({ group: "", version: "v1", kind: "Service", plural: "services" }, namespace, "kept"); // collected
  const children = await Promise.all([
    rig.client.get(PersistentVolumeClaim, { namespace, name: "kept-filestore-pvc" }),
    rig.client.get(Secret, { namespace, name: "kept-odoo-user" }),
    rig.client.get(Secret, { namespace, name: "kept-odoo-conf" }),
  ]);
  for (const { metadata } of children) assertEquals(metadata.ownerReferences ?? [], [], metadata.name);
  const password = atob(children[1].data?.password ?? "");
  const { host, port, adminUser, adminPassword } = rig.cluster.postgres;
  const server = { host, port, adminUser, adminPassword };
  const tables = await query(server, {
    user: `odoo.${namespace}.kept`,
    password,
    database,
    sql: "select 1 from ir_module_module limit 1",
  });
  assertEquals(tables.length, 1, "the kept password opens the kept database");
  const [event] = await eventsOf(namespace, "Retained");
  assertStringIncludes(event?.note ?? "", database);
});
