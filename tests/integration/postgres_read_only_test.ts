/** The whole life of roles and databases with the admins that clouds give out, on two versions of PostgreSQL. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { OwnershipError, PostgresPool } from "../../src/odoo/ports/postgres.ts";
import { PostgresCluster } from "../../src/odoo/ports/postgres_clusters.ts";
import { eventually } from "../support/eventually.ts";
import { query } from "../support/sql.ts";

/** Where Debian puts a version. */
const DEBIAN_15 = "/usr/lib/postgresql/15";

const SERVERS: Readonly<Record<string, { readonly programs?: string }>> = {
  "PostgreSQL 18": {},
  ...(await isInstalled(DEBIAN_15) ? { "PostgreSQL 15": { programs: DEBIAN_15 } } : {}),
};

async function isInstalled(programs: string): Promise<boolean> {
  return await Deno.stat(`${programs}/bin/initdb`).then(() => true, () => false);
}

const ADMINS = ["superuser", "createrole createdb"] as const;

const UID = { uid: "uid-1" };
const OWNER = { role: "odoo.blue.shop", password: 'it\'s \\ the "owner"', ownership: { ...UID, secretVersion: "s/1" } };
const READER = {
  role: "odoo.blue.shop_ro",
  password: 'it\'s \\ the "reader"',
  database: "shop; drop",
  connectionLimit: 2,
  ownership: { ...UID, secretVersion: "v1" },
};

for (const [version, options] of Object.entries(SERVERS)) {
  for (const rights of ADMINS) {
    Deno.test(`a tenant and its reader live and die under an admin that is ${rights}, on ${version}`, async () => {
      await using server = await startPostgres(options);
      await query(server, { sql: `create role keeper login ${rights} password 'two words''\\'` });
      const { host, port } = server;
      const address = { name: "main", host, port, adminUser: "keeper", adminPassword: "two words'\\" };
      const cluster = new PostgresCluster(new PostgresPool(address, { idleConnections: 1 }));
      try {
        const most = await mostConnections(server, () => life(server, cluster));
        assert(most >= 1 && most <= 4, `${most} connections at once`);
      } finally {
        await cluster.close();
      }
    });
  }
}

async function life(server: PostgresServer, cluster: PostgresCluster): Promise<void> {
  const { database } = READER;
  const asOwner = (sql: string) => query(server, { user: OWNER.role, password: OWNER.password, database, sql });
  const asReader = (sql: string, password = READER.password) =>
    query(server, { user: READER.role, password, database, sql });
  await cluster.write({ type: "ensureRole", ...OWNER });
  await cluster.write({ type: "ensureDatabase", database, role: OWNER.role, ownership: UID });
  await asOwner("create table before (x int); insert into before values (1)");
  await assertRejects(
    () => cluster.write({ type: "ensureReadOnlyRole", ...READER, ownership: { uid: "other", secretVersion: "v" } }),
    OwnershipError,
  );
  await assertRejects(
    () => cluster.write({ type: "ensureReadOnlyRole", ...READER, role: OWNER.role, database: "postgres" }),
    OwnershipError,
  );
  await cluster.write({ type: "ensureReadOnlyRole", ...READER });
  await asOwner("create table after (x int)");
  assertEquals(await asReader("select x from before union all select x from after"), [{ x: 1 }]);
  for (
    const sql of [
      "insert into before values (2)",
      "create table mine (x int)",
      "drop table before",
      `set role "${OWNER.role}"`,
    ]
  ) {
    assertEquals(await asReader(sql).catch(({ code }) => code), "42501", sql);
  }
  const [rights] = await query(server, {
    sql:
      "select rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolinherit, rolconnlimit from pg_roles where rolname = $1",
    values: [READER.role],
  });
  assertEquals(rights, {
    rolcanlogin: true,
    rolsuper: false,
    rolcreatedb: false,
    rolcreaterole: false,
    rolinherit: false,
    rolconnlimit: 2,
  });
  await cluster.write({
    type: "ensureReadOnlyRole",
    ...READER,
    password: "new",
    ownership: { ...UID, secretVersion: "v2" },
  });
  await assertRejects(() => asReader("select 1"), Error, "password authentication failed");
  assertEquals((await asReader("select 1 as one", "new")).length, 1);
  const held = cluster.facts();
  assertEquals(held, await cluster.refresh(), "what is held is what is there");

  const reading = assertRejects(() => asReader("select pg_sleep(60)", "new"), Error, "terminat");
  await eventually(
    "the reader reads",
    async () =>
      (await query(server, { sql: "select 1 from pg_stat_activity where wait_event = 'PgSleep'" })).length > 0,
  );
  await cluster.write({ type: "dropReadOnlyRole", role: READER.role, database, ownership: UID });
  await reading;
  await cluster.write({ type: "dropReadOnlyRole", role: READER.role, database, ownership: UID });
  assertEquals(await query(server, { sql: "select 1 from pg_roles where rolname like '%_ro'" }), []);
  const acls =
    "select coalesce(datacl::text, '') || coalesce((select string_agg(defaclacl::text, '') from pg_default_acl), '') as acl from pg_database where datname = current_database()";
  const [{ acl } = {}] = await query(server, { database, sql: acls });
  assert(!String(acl).includes("_ro"), `nothing is left of the grants: ${acl}`);

  await cluster.write({ type: "ensureReadOnlyRole", ...READER }); // and with it there the instance goes
  await cluster.write({ type: "dropDatabase", database, ownership: UID });
  await cluster.write({ type: "dropRole", role: READER.role, ownership: UID });
  await cluster.write({ type: "dropRole", role: OWNER.role, ownership: UID });
  assertEquals(await query(server, { sql: "select 1 from pg_roles where rolname like 'odoo.%'" }), []);
}

/** How many connections the operator had at once, at most, while the work was done. */
async function mostConnections(server: PostgresServer, work: () => Promise<unknown>): Promise<number> {
  const sql = "select count(*)::int as n from pg_stat_activity where application_name = 'odoo-operator'";
  let [most, working] = [0, true];
  const watching = (async () => {
    while (working) most = Math.max(most, Number((await query(server, { sql }))[0]?.n));
  })();
  try {
    await work();
  } finally {
    working = false;
    await watching;
  }
  return most;
}

Deno.test("20 readers at once are made over four connections, and a reading never waits for them", async () => {
  await using server = await startPostgres();
  const { host, port, adminUser, adminPassword } = server;
  const cluster = new PostgresCluster(new PostgresPool({ name: "main", host, port, adminUser, adminPassword }));
  const names = Array.from({ length: 20 }, (_, index) => `t${index}`);
  for (const name of names) {
    const ownership = { uid: `uid-${name}`, secretVersion: "s/1" };
    await cluster.write({ type: "ensureRole", role: name, password: "x", ownership });
    await cluster.write({ type: "ensureDatabase", database: name, role: name, ownership });
  }
  const making = () =>
    Promise.all(
      names.map((name) =>
        cluster.write({
          type: "ensureReadOnlyRole",
          role: `${name}_ro`,
          password: "x",
          database: name,
          connectionLimit: 1,
          ownership: { uid: `uid-${name}`, secretVersion: "v" },
        })
      ),
    );
  const most = await mostConnections(server, making);
  assert(most >= 1 && most <= 4, `${most} connections at once`);
  assertEquals(cluster.facts(), await cluster.refresh());
  await cluster.close();
});
