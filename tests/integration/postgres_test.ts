/** Roles and databases of tenants on a real PostgreSQL, as an admin and as a tenant see them. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { formatOwnership } from "../../src/odoo/model/postgres/database.ts";
import type { EnsureRoleOptions } from "../../src/odoo/model/postgres/sql_writes.ts";
import { OwnershipError, PostgresError, PostgresPool } from "../../src/odoo/ports/postgres.ts";
import { PostgresCluster } from "../../src/odoo/ports/postgres_clusters.ts";
import { eventually } from "../support/eventually.ts";
import { query, valueOf } from "../support/sql.ts";

let server: PostgresServer;
Deno.test.beforeAll(async () => {
  server = await startPostgres({ settings: { log_statement: "all", log_line_prefix: "%a|" } });
});
Deno.test.afterAll(() => server?.[Symbol.asyncDispose]());

interface Admin {
  readonly adminUser?: string;
  readonly adminPassword?: string;
}

/** A cluster as a freshly started operator has it. */
function aCluster(admin: Admin = {}): PostgresCluster & AsyncDisposable {
  const { host, port, adminUser, adminPassword } = server;
  const address = { name: "main", host, port, adminUser, adminPassword, ...admin };
  const cluster = new PostgresCluster(new PostgresPool(address), { name: "main" });
  return Object.assign(cluster, { [Symbol.asyncDispose]: () => cluster.close() });
}

function aRole(role: string, options: Partial<EnsureRoleOptions> = {}): EnsureRoleOptions {
  return { role, password: `pw of ${role}`, ownership: { uid: `uid-${role}`, secretVersion: "s/1" }, ...options };
}

/** What is asked as the admin. */
function ask(sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  return query(server, { sql, values });
}

async function canLogIn(user: string, options: { readonly password: string; readonly database?: string }) {
  const { password, database = "postgres" } = options;
  const outcome = await valueOf(server, { user, password, database, sql: "select current_user" }).catch((error) =>
    error.code
  );
  return outcome === user ? true : outcome;
}

async function hasSessions(database: string): Promise<boolean> {
  return (await ask("select 1 from pg_stat_activity where datname = $1 and wait_event = 'PgSleep'", [database]))
    .length > 0;
}

/** The statements that the operator has sent and that hold this text. */
async function sent(text: string): Promise<string[]> {
  const log = await Deno.readTextFile(server.logPath);
  return log.split("\n").filter((line) => line.startsWith("odoo-operator|") && line.includes(text));
}

Deno.test("ensureRole() makes a role that can log in and has no other right", async () => {
  await using cluster = aCluster();
  await cluster.write({ type: "ensureRole", ...aRole("plain") });
  const [role] = await ask(
    "select *, shobj_description(oid, 'pg_authid') as comment from pg_roles where rolname = 'plain'",
  );
  assertEquals(
    [
      role?.rolcanlogin,
      role?.rolsuper,
      role?.rolcreatedb,
      role?.rolcreaterole,
      role?.rolreplication,
      role?.rolbypassrls,
    ],
    [true, false, false, false, false, false],
  );
  assertEquals(role?.comment, formatOwnership({ uid: "uid-plain", secretVersion: "s/1" }));
  assertEquals(await canLogIn("plain", { password: "pw of plain" }), true);
  assertEquals(await canLogIn("plain", { password: "" }), undefined);
  assertEquals(await canLogIn("plain", { password: "other" }), "28P01");
});

Deno.test("ensureRole() and ensureDatabase() send nothing the second time, and change nothing after a restart", async () => {
  const role = aRole("twice");
  const database = { database: "twice_db", role: role.role, ownership: role.ownership };
  {
    await using cluster = aCluster();
    await cluster.write({ type: "ensureRole", ...role });
    await cluster.write({ type: "ensureDatabase", ...database });
    const before = (await sent("")).length;
    await cluster.write({ type: "ensureRole", ...role });
    await cluster.write({ type: "ensureDatabase", ...database });
    assertEquals((await sent("")).length, before);
  }
  const before = (await sent("twice")).length;
  await using restarted = aCluster();
  await restarted.write({ type: "ensureRole", ...role });
  await restarted.write({ type: "ensureDatabase", ...database });
  assertEquals((await sent("twice")).length, before, "the inventory has it all");
});

Deno.test("ensureRole() changes the password when the Secret has another version, to the new one only", async () => {
  await using cluster = aCluster();
  await cluster.write({ type: "ensureRole", ...aRole("changing", { password: "first" }) });
  await cluster.write({ type: "ensureRole", ...aRole("changing", { password: "ignored" }) });
  assertEquals(await canLogIn("changing", { password: "first" }), true);
  await cluster.write({
    type: "ensureRole",
    ...aRole("changing", { password: "second", ownership: { uid: "uid-changing", secretVersion: "s/2" } }),
  });
  assertEquals(await canLogIn("changing", { password: "second" }), true);
  assertEquals(await canLogIn("changing", { password: "first" }), "28P01");
});

Deno.test("ensureRole() touches no role that is not the owner's, even if asked to take it over", async () => {
  await ask(
    `create role dba superuser login password 'x'; create role strange login password 'x'; create role bobs login password 'x'`,
  );
  await ask(
    `comment on role bobs is 'Bob says: mine'; comment on role strange is '${formatOwnership({ uid: "other" })}'`,
  );
  const facts = () =>
    ask(
      "select rolname, rolpassword, rolsuper, shobj_description(oid, 'pg_authid') as comment from pg_authid order by 1",
    );
  const before = await facts();
  await using cluster = aCluster();
  for (const role of ["dba", "strange", "bobs", "postgres"]) {
    await assertRejects(() => cluster.write({ type: "ensureRole", ...aRole(role) }), OwnershipError, role);
    const ownership = { uid: "uid-1" };
    await assertRejects(() => cluster.write({ type: "adoptRole", role, ownership }), OwnershipError, role);
    await assertRejects(() => cluster.write({ type: "restrictRole", role, ownership }), OwnershipError, role);
    await assertRejects(
      () => cluster.write({ type: "ensureDatabase", database: "grab", role, ownership: { uid: "uid-1" } }),
      OwnershipError,
    );
    await assertRejects(
      () => cluster.write({ type: "dropRole", role, ownership: { uid: "uid-1" } }),
      OwnershipError,
      role,
    );
  }
  assertEquals(await facts(), before);
});

Deno.test("a role of the former operator is signed, gets its password, and keeps its rights until it is restricted", async () => {
  await ask("create role former login createdb password 'unknown'");
  await using cluster = aCluster();
  const { role, ownership: { uid } } = aRole("former");
  const known = async () => {
    const facts = await cluster.refresh();
    return facts.known && facts.roles.get(role);
  };
  const changed = { type: "adoptRole", role, ownership: { uid } } as const;
  await assertRejects(() => cluster.write({ type: "ensureRole", ...aRole("former") }), OwnershipError);
  assertEquals(await known(), { name: role, createsDatabases: true });
  await cluster.write(changed);
  assertEquals(await canLogIn("former", { password: "unknown" }), true);
  await cluster.write({ type: "ensureRole", ...aRole("former") });
  assertEquals(await canLogIn("former", { password: "pw of former" }), true);
  const ownership = { uid, secretVersion: "s/1" };
  assertEquals(await known(), { name: role, ownership, createsDatabases: true });
  await cluster.write({ ...changed, type: "restrictRole" });
  assertEquals(await known(), { name: role, ownership, createsDatabases: false });
  const mine = await sent('role "former"');
  await cluster.write(changed);
  await cluster.write({ ...changed, type: "restrictRole" });
  assertEquals(await sent('role "former"'), mine);
});

const HOSTILE = [
  `'; DROP ROLE victim; --`,
  `"; DROP ROLE victim; --`,
  `' SUPERUSER --`,
  `back\\slash`,
  `ends with \\`,
  `E'\\'; DROP ROLE victim; --`,
  `two words`,
  `line\nbreak`,
  `$1 $$ :"x" %s \${x}`,
  `-- comment`,
  `/* comment`,
  `x host=evil`,
  `UPPER lower`,
  `Grüße, Ελλάδα 🐘`,
  `SCRAM-SHA-256$4096:AAAA`,
  `md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`,
];

Deno.test("ensureRole() and ensureDatabase() take hostile names and passwords as they are", async () => {
  await ask("create role victim");
  await using cluster = aCluster();
  for (const [index, text] of HOSTILE.entries()) {
    const database = `${text} db`;
    const ownership = { uid: `uid-h${index}`, secretVersion: `${text}/1` };
    await cluster.write({ type: "ensureRole", role: text, password: text, ownership });
    await cluster.write({ type: "ensureDatabase", database, role: text, ownership });
    assertEquals(await canLogIn(text, { password: text, database }), true, text);
    const facts = await cluster.refresh();
    assert(facts.known);
    assertEquals(facts.roles.get(text)?.ownership, ownership);
    assertEquals(facts.databases.get(database), { name: database, owner: text, ownership: { uid: ownership.uid } });
    await cluster.write({ type: "dropDatabase", database, ownership });
    await cluster.write({ type: "dropRole", role: text, ownership });
    const [left] = await ask("select count(*)::int as n from pg_roles where rolname = $1", [text]);
    assertEquals(left?.n, 0, text);
  }
  assertEquals((await ask("select rolsuper from pg_roles where rolname = 'victim'")).length, 1);
});

Deno.test("ensureRole() sets a password beyond ASCII as PostgreSQL and its clients normalise it", async () => {
  await using cluster = aCluster();
  await cluster.write({ type: "ensureRole", ...aRole("ligature", { password: "\ufb01ve" }) });
  assertEquals(await canLogIn("ligature", { password: "five" }), true, "psql sends this for the ligature");
});

Deno.test("ensureRole() never shows a password to the server's log", async () => {
  await using cluster = aCluster();
  await cluster.write({ type: "ensureRole", ...aRole("discreet", { password: "swordfish-one" }) });
  await cluster.write({
    type: "ensureRole",
    ...aRole("discreet", { password: "swordfish-two", ownership: { uid: "uid-discreet", secretVersion: "s/2" } }),
  });
  assertEquals(await canLogIn("discreet", { password: "swordfish-two" }), true);
  assertEquals(await sent("swordfish"), []);
  assert((await sent(`alter role "discreet" password`)).length === 2);
});

Deno.test("ensureDatabase() makes a database as Odoo does, of which only its role knows", async () => {
  await using cluster = aCluster();
  for (const role of ["shop", "rival"]) {
    await cluster.write({ type: "ensureRole", ...aRole(role) });
    await cluster.write({ type: "ensureDatabase", database: `${role}_db`, role, ownership: { uid: `uid-${role}` } });
  }
  const [database] = await ask(
    `select pg_encoding_to_char(encoding) as encoding, datcollate, pg_get_userbyid(datdba) as owner,
    shobj_description(oid, 'pg_database') as comment from pg_database where datname = 'shop_db'`,
  );
  const comment = formatOwnership({ uid: "uid-shop" });
  assertEquals(database, { encoding: "UTF8", datcollate: "C", owner: "shop", comment });
  assertEquals(await canLogIn("shop", { password: "pw of shop", database: "shop_db" }), true);
  assertEquals(await canLogIn("rival", { password: "pw of rival", database: "shop_db" }), "42501");
  const asTenant = { user: "shop", password: "pw of shop", database: "shop_db" };
  await query(server, { ...asTenant, sql: "create table t (x int); create extension pg_trgm" });
  await assertRejects(() => query(server, { ...asTenant, sql: "create database more" }), Error, "permission denied");
});

Deno.test("ensureDatabase() finishes what a crash interrupted and makes anew what was half dropped", async () => {
  await using cluster = aCluster();
  const role = aRole("phoenix");
  await cluster.write({ type: "ensureRole", ...role });
  await ask(`create database phoenix_db owner phoenix`); // and then the operator died
  await ask(`create database ashes_db owner phoenix`);
  await ask(`update pg_database set datconnlimit = -2 where datname = 'ashes_db'`); // as an interrupted DROP leaves it
  for (const database of ["phoenix_db", "ashes_db"]) {
    await cluster.write({ type: "ensureDatabase", database, role: role.role, ownership: role.ownership });
    assertEquals(await canLogIn("phoenix", { password: role.password, database }), true);
    const [found] = await ask(
      `select has_database_privilege('public', oid, 'CONNECT') as public, shobj_description(oid, 'pg_database') as comment
      from pg_database where datname = $1`,
      [database],
    );
    assertEquals(found, { public: false, comment: formatOwnership({ uid: "uid-phoenix" }) });
  }
});

Deno.test("ensureDatabase() leaves the public in an old database that it signs", async () => {
  await ask("create role old login createdb");
  await ask("create database old_db owner old");
  await using cluster = aCluster();
  await cluster.write({ type: "adoptRole", role: "old", ownership: { uid: "uid-old" } });
  await cluster.write({
    type: "ensureDatabase",
    database: "old_db",
    role: "old",
    ownership: { uid: "uid-old" },
    adopt: true,
  });
  const [found] = await ask(`select has_database_privilege('public', oid, 'CONNECT') as public,
    shobj_description(oid, 'pg_database') as comment from pg_database where datname = 'old_db'`);
  assertEquals(found, { public: true, comment: formatOwnership({ uid: "uid-old" }) });
});

Deno.test("a tenant that signs its database with another's name gains and spoils nothing", async () => {
  await using cluster = aCluster();
  for (const role of ["mallory", "alice"]) await cluster.write({ type: "ensureRole", ...aRole(role) });
  await cluster.write({ type: "ensureDatabase", database: "bait", role: "mallory", ownership: { uid: "uid-mallory" } });
  const sql = `comment on database bait is '${formatOwnership({ uid: "uid-alice" })}'`;
  await query(server, { user: "mallory", password: "pw of mallory", database: "bait", sql });
  await cluster.refresh();
  const alice = { uid: "uid-alice" };
  await assertRejects(
    () => cluster.write({ type: "ensureDatabase", database: "bait", role: "alice", ownership: alice }),
    OwnershipError,
  );
  await assertRejects(
    () => cluster.write({ type: "dropDatabase", database: "bait", ownership: alice }),
    OwnershipError,
  );
  const own = { database: "bait", role: "mallory", ownership: { uid: "uid-mallory" } };
  await cluster.write({ type: "ensureDatabase", ...own });
  const facts = await cluster.refresh();
  assertEquals(facts.known && facts.databases.get("bait")?.ownership, { uid: "uid-mallory" });
  await cluster.write({ type: "dropDatabase", ...own });
});

Deno.test("dropDatabase() ends open sessions; dropping twice is the same as once", async () => {
  await using cluster = aCluster();
  const role = aRole("leaving");
  await cluster.write({ type: "ensureRole", ...role });
  await cluster.write({ type: "ensureDatabase", database: "leaving_db", role: "leaving", ownership: role.ownership });
  const sleeping = query(server, {
    user: "leaving",
    password: role.password,
    database: "leaving_db",
    sql: "select pg_sleep(60)",
  });
  const ended = assertRejects(() => sleeping, Error, "terminat");
  await eventually("the session is there", () => hasSessions("leaving_db"));
  await assertRejects(() => cluster.write({ type: "dropRole", ...role }), PostgresError, "some objects depend on it");
  for (let time = 0; time < 2; time++) {
    await cluster.write({ type: "dropDatabase", database: "leaving_db", ownership: role.ownership });
    await cluster.write({ type: "dropRole", ...role });
  }
  await ended;
  const facts = cluster.facts();
  assert(facts.known && !facts.roles.has("leaving") && !facts.databases.has("leaving_db"));
  assertEquals(await ask("select 1 from pg_roles where rolname = 'leaving'"), []);
  assertEquals(await ask("select 1 from pg_database where datname = 'leaving_db'"), []);
});

Deno.test("an admin that may only create roles and databases is enough", async () => {
  await ask("create role modest login createrole createdb noinherit password 'modest'");
  await using cluster = aCluster({ adminUser: "modest", adminPassword: "modest" });
  const role = aRole("tenant");
  await cluster.write({ type: "ensureRole", ...role });
  await cluster.write({ type: "ensureDatabase", database: "tenant_db", role: "tenant", ownership: role.ownership });
  await cluster.write({
    type: "ensureRole",
    ...aRole("tenant", { password: "new", ownership: { uid: "uid-tenant", secretVersion: "s/2" } }),
  });
  assertEquals(await canLogIn("tenant", { password: "new", database: "tenant_db" }), true);
  const open = query(server, { user: "tenant", password: "new", database: "tenant_db", sql: "select pg_sleep(60)" });
  const ended = assertRejects(() => open, Error, "terminat");
  await eventually("the session is there", () => hasSessions("tenant_db"));
  await assertRejects(() => cluster.write({ ...role, type: "adoptRole", role: "postgres" }), OwnershipError);
  await cluster.write({ type: "dropDatabase", database: "tenant_db", ownership: role.ownership });
  await ended;
  await cluster.write({ type: "dropRole", ...role });
  await ask("create role beyond login password 'x'");
  const error = await assertRejects(() => cluster.write({ ...role, type: "adoptRole", role: "beyond" }), PostgresError);
  assertEquals([error.reason, error.connected], ["DatabaseRefused", true]);
  assert(cluster.facts().known, "a refused statement says nothing of the server");
});

Deno.test("50 tenants at once get their roles and databases over four connections", async () => {
  await using cluster = aCluster();
  const names = Array.from({ length: 50 }, (_, index) => `many_${index}`);
  let most = 0;
  let done = false;
  const watching = (async () => {
    while (!done) {
      const [row] = await ask(
        "select count(*)::int as n from pg_stat_activity where application_name = 'odoo-operator'",
      );
      most = Math.max(most, Number(row?.n));
    }
  })();
  await Promise.all(names.map(async (name) => {
    await cluster.write({ type: "ensureRole", ...aRole(name) });
    await cluster.write({ type: "ensureDatabase", database: name, role: name, ownership: { uid: `uid-${name}` } });
  }));
  done = true;
  await watching;
  assert(most >= 1 && most <= 4, `${most} connections`);
  const held = cluster.facts();
  assertEquals(held, await cluster.refresh(), "what is held is what is there");
  assert(held.known && names.every((name) => held.databases.get(name)?.ownership?.uid === `uid-${name}`));
});
