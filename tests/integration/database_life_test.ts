/** What becomes of an instance's data when it is lost, taken hostage, or to be kept, on a real cluster and PostgreSQL. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  conditionOf,
  Deployment,
  type JsonPatchOperation,
  type KubeObject,
  PersistentVolumeClaim,
  type ResourceType,
  Secret,
} from "../../src/kit/mod.ts";
import { CONFIG_HASH_ANNOTATION } from "../../src/odoo/model/names.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";

import { committedCrds, establish, withoutRules } from "../support/crds.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";
import { query, type SqlServer } from "../support/sql.ts";

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig({ ownPostgres: true });
});
Deno.test.afterAll(() => rig?.stop());

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

/** The admin's address, to ask as somebody else. */
function server(): SqlServer {
  const { host, port, adminUser, adminPassword } = rig.cluster.postgres;
  return { host, port, adminUser, adminPassword };
}

async function textOf(namespace: string, name: string, key: string): Promise<string> {
  return atob((await rig.client.get(Secret, { namespace, name })).data?.[key] ?? "");
}

/** Whether PostgreSQL lets somebody in: true, or the SQLSTATE of its refusal. */
async function login(user: string, password: string, database: string): Promise<unknown> {
  const rows = query(server(), { user, password, database, sql: "select 1" });
  return await rows.then(() => true, ({ code }) => code);
}

Deno.test("deleting the Secret makes a new password: the role has it, the pods roll, the old one is refused", async () => {
  const namespace = await rig.namespace();
  const { metadata } = await rig.create(namespace, "leaky");
  await rig.inPhase(namespace, "leaky", "Running");
  const [database, role] = [`odoo_${metadata.uid.replaceAll("-", "_")}`, `odoo.${namespace}.leaky`];
  const old = await textOf(namespace, "leaky-odoo-user", "password");
  assertEquals(await login(role, old, database), true);
  const before = await rig.client.get(Deployment, { namespace, name: "leaky" });
  const secret = await rig.client.get(Secret, { namespace, name: "leaky-odoo-user" });
  await rig.client.delete(Secret, secret.metadata);
  await eventually("the old password is refused", async () => await login(role, old, database) === "28P01");
  const fresh = await eventually("there is a new one", () => textOf(namespace, "leaky-odoo-user", "password"));
  assert(fresh !== old && fresh.length === 48);
  assertEquals(await login(role, fresh, database), true);
  await eventually("the pods roll", async () => {
    const after = await rig.client.get(Deployment, { namespace, name: "leaky" });
    const hash = (deployment: Deployment) => deployment.spec?.template.metadata?.annotations?.[CONFIG_HASH_ANNOTATION];
    return hash(after) !== hash(before);
  });
});

Deno.test("what others edit in the Secret of odoo.conf is taken back once, and no pod rolls for it", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "drift");
  await rig.inPhase(namespace, "drift", "Running");
  const at = { namespace, name: "drift-odoo-conf" };
  const original = await rig.client.get(Secret, at);
  const web = await rig.client.get(Deployment, { namespace, name: "drift" });
  const edits: readonly JsonPatchOperation[] = [
    { op: "replace", path: "/data/odoo.conf", value: btoa("[options]\nlist_db = True\n") },
    { op: "remove", path: "/data/odoo.conf" },
  ];
  for (const edit of edits) {
    await rig.client.patch(Secret, at, [edit]);
    await eventually(
      `odoo.conf is as it was after ${edit.op}`,
      async () => JSON.stringify((await rig.client.get(Secret, at)).data) === JSON.stringify(original.data),
    );
  }
  const labelled = await rig.client.patch(Secret, at, [{ op: "add", path: "/metadata/labels/team", value: "blue" }]);
  const theirs = await rig.client.patch(Secret, at, [{ op: "add", path: "/data/theirs", value: btoa("x") }]);
  const { metadata } = await rig.client.patch(OdooInstanceKind, { namespace, name: "drift" }, [
    { op: "replace", path: "/spec/replicas", value: 2 },
  ]);
  await eventually("the operator has looked at all of it", async () => {
    const { status } = await rig.client.get(OdooInstanceKind, { namespace, name: "drift" });
    return status?.observedGeneration === metadata.generation;
  });
  const after = await rig.client.get(Secret, at);
  assertEquals(after.metadata.labels, labelled.metadata.labels);
  assertEquals(after.data, { ...original.data, theirs: btoa("x") }, "what is theirs stays");
  assertEquals(after.metadata.resourceVersion, theirs.metadata.resourceVersion, "nothing is written for it");
  const ours = after.metadata.managedFields?.filter(({ manager }) => manager === "odoo-operator");
  assertEquals(ours?.map(({ operation }) => operation), ["Apply"]);
  const { spec } = await rig.client.get(Deployment, { namespace, name: "drift" });
  assertEquals(spec?.template, web.spec?.template);
});

Deno.test("the Secrets get their owner back, so that they go with the instance", async () => {
  const namespace = await rig.namespace();
  const { metadata: { uid } } = await rig.create(namespace, "shop", { readOnlySqlAccess: { enabled: true } });
  await rig.inPhase(namespace, "shop", "Running");
  for (const name of ["shop-odoo-user", "shop-admin", "shop-db-ro-password", "shop-odoo-conf"]) {
    const { data } = await rig.client.get(Secret, { namespace, name });
    await rig.client.patch(Secret, { namespace, name }, [{ op: "remove", path: "/metadata/ownerReferences" }]);
    const now = await eventually(`Secret ${name} has its owner`, async () => {
      const secret = await rig.client.get(Secret, { namespace, name });
      return secret.metadata.ownerReferences?.[0]?.uid === uid && secret;
    });
    assertEquals(now.data, data, name);
  }
});

const TAMPERED: Readonly<Record<string, { readonly username?: string; readonly password: string }>> = {
  "another user": { username: "postgres", password: "stolen" },
  "no password": { password: "" },
  "a password of a megabyte": { password: "x".repeat(1_000_000) },
  "a NUL": { password: "a\0b" },
};

Deno.test("a Secret that a tenant has edited is not obeyed, and the condition says what to do", async () => {
  const namespace = await rig.namespace();
  const { metadata } = await rig.create(namespace, "mallory");
  await rig.inPhase(namespace, "mallory", "Running");
  const [database, role] = [`odoo_${metadata.uid.replaceAll("-", "_")}`, `odoo.${namespace}.mallory`];
  const old = await textOf(namespace, "mallory-odoo-user", "password");
  const others = () =>
    rig.sql("select rolname, rolpassword, rolsuper from pg_authid where rolname <> $1 order by 1", [role]);
  const before = await others();
  for (const [what, { username = role, password }] of Object.entries(TAMPERED)) {
    await rig.client.patch(Secret, { namespace, name: "mallory-odoo-user" }, [
      { op: "replace", path: "/data", value: { username: btoa(username), password: btoa(password) } },
    ]);
    await eventually(`the condition speaks of ${what}`, async () => {
      const instance = await rig.client.get(OdooInstanceKind, { namespace, name: "mallory" });
      const applied = conditionOf(instance.status?.conditions, "ChildrenApplied");
      assertStringIncludes(applied?.message ?? "", "the operator creates it again with a new password");
      assertStringIncludes(applied?.message ?? "", username === role ? "password" : "username");
      assert(!applied?.message.includes("stolen"));
      return applied?.status === "False";
    });
    assertEquals(await login(role, old, database), true, what);
  }
  const quotes = `' superuser; drop role "${role}"; -- "\\`;
  await rig.client.patch(Secret, { namespace, name: "mallory-odoo-user" }, [
    { op: "replace", path: "/data", value: { username: btoa(role), password: btoa(quotes) } },
  ]);
  await eventually("quotes are a password", async () => await login(role, quotes, database) === true);
  assertEquals(await others(), before);
  assertEquals(await rig.sql("select rolsuper from pg_roles where rolname = $1", [role]), [{ rolsuper: false }]);
});

Deno.test("readOnlySqlAccess gives a login that may read, from the first modules on, and takes it back", async () => {
  const namespace = await rig.namespace();
  const readOnlySqlAccess = { enabled: true, connectionLimit: 3 };
  const { metadata } = await rig.create(namespace, "shop", { readOnlySqlAccess });
  await rig.inPhase(namespace, "shop", "Running");
  const [database, role] = [`odoo_${metadata.uid.replaceAll("-", "_")}`, `odoo.${namespace}.shop_ro`];
  const secret = { namespace, name: "shop-db-ro-password" };
  assertEquals(await textOf(namespace, secret.name, "username"), role);
  const password = await textOf(namespace, secret.name, "password");
  assertEquals(password.length, 48);
  await eventually("it may read", async () => await login(role, password, database) === true);
  const rows = await query(server(), { user: role, password, database, sql: "select name from ir_module_module" });
  assert(rows.length > 0);
  const web = await rig.client.get(Deployment, { namespace, name: "shop" });
  assertStringIncludes(JSON.stringify(web.spec?.template), "ODOO_RO_DB_PASSWORD");

  await rig.client.delete(Secret, secret);
  await eventually("it has a new password", async () => await login(role, password, database) === "28P01");

  await rig.client.patch(OdooInstanceKind, { namespace, name: "shop" }, [
    { op: "replace", path: "/spec/readOnlySqlAccess/enabled", value: false },
  ]);
  await rig.gone(Secret, namespace, secret.name);
  assertEquals(await rig.sql("select 1 from pg_roles where rolname = $1", [role]), []);
  await eventually(
    "the pods do not know it",
    async () =>
      !JSON.stringify((await rig.client.get(Deployment, { namespace, name: "shop" })).spec).includes("ODOO_RO_DB"),
  );
  await rig.client.delete(OdooInstanceKind, { namespace, name: "shop" });
  await rig.gone(OdooInstanceKind, namespace, "shop");
});

Deno.test("deletionPolicy Retain keeps role, database, volume and Secrets, and an event says so", async () => {
  const namespace = await rig.namespace();
  const readOnlySqlAccess = { enabled: true };
  const { metadata } = await rig.create(namespace, "kept", { deletionPolicy: "Retain", readOnlySqlAccess });
  await rig.inPhase(namespace, "kept", "Running");
  const database = `odoo_${metadata.uid.replaceAll("-", "_")}`;
  await rig.client.delete(OdooInstanceKind, { namespace, name: "kept" });
  await rig.gone(OdooInstanceKind, namespace, "kept");
  await rig.gone({ group: "", version: "v1", kind: "Service", plural: "services" }, namespace, "kept"); // collected
  const children = await Promise.all([
    rig.client.get(PersistentVolumeClaim, { namespace, name: "kept-filestore-pvc" }),
    rig.client.get(Secret, { namespace, name: "kept-odoo-user" }),
    ...["admin", "db-ro-password", "odoo-conf"].map((name) =>
      rig.client.get(Secret, { namespace, name: `kept-${name}` })
    ),
  ]);
  for (const { metadata } of children) assertEquals(metadata.ownerReferences ?? [], [], metadata.name);
  const password = atob(children[1].data?.password ?? "");
  const tables = await query(server(), {
    user: `odoo.${namespace}.kept`,
    password,
    database,
    sql: "select 1 from ir_module_module limit 1",
  });
  assertEquals(tables.length, 1, "the kept password opens the kept database");
  const [event] = await eventsOf(namespace, "Retained");
  assertStringIncludes(event?.note ?? "", database);
});

Deno.test("a changed spec.database.name that nobody refuses begins no other database: the former one is served", async () => {
  const namespace = await rig.namespace();
  const { metadata } = await rig.create(namespace, "fixed", { database: { missingPolicy: "Recreate" } });
  const { status } = await rig.inPhase(namespace, "fixed", "Running");
  const database = `odoo_${metadata.uid.replaceAll("-", "_")}`;
  assertEquals(status?.databaseName, database);
  const web = await rig.client.get(Deployment, { namespace, name: "fixed" });
  for (const crd of await committedCrds()) await establish(rig.client, withoutRules(crd));
  const rename = (name: string) =>
    rig.client.patch(OdooInstanceKind, { namespace, name: "fixed" }, [
      { op: "add", path: "/spec/database/name", value: name },
    ]);
  await eventually("the schema lets another name pass", () => rename("other").then(() => true));
  const told = await eventually("the condition says that the name is fixed", async () => {
    const { status } = await rig.client.get(OdooInstanceKind, { namespace, name: "fixed" });
    return conditionOf(status?.conditions, "SpecAccepted")?.reason === "DatabaseNameFixed" && status;
  });
  assertEquals([told?.phase, told?.ready, told?.dbInitialized, told?.databaseName], ["Running", true, true, database]);
  assertEquals([await hasDatabase(database), await hasDatabase("other")], [true, false]);
  const { spec } = await rig.client.get(Deployment, { namespace, name: "fixed" });
  assertEquals(spec?.template, web.spec?.template);

  for (const crd of await committedCrds()) await establish(rig.client, crd);
  await eventually(
    "the schema refuses a third name",
    () => rename("third").then(() => false, ({ status }) => status === 422),
  );
  await rename(database);
  await eventually("the spec is accepted", async () => {
    const { status } = await rig.client.get(OdooInstanceKind, { namespace, name: "fixed" });
    return conditionOf(status?.conditions, "SpecAccepted")?.status === "True";
  });
});
