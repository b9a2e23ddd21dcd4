/** A side database takes the place of the live one on a real PostgreSQL, among sessions, crashes and strangers. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import type { SwapDatabaseOptions } from "../../src/odoo/model/postgres/sql_writes.ts";
import { DatabaseConflictError, OwnershipError, PostgresError, PostgresPool } from "../../src/odoo/ports/postgres.ts";
import { PostgresCluster } from "../../src/odoo/ports/postgres_clusters.ts";
import { eventually } from "../support/eventually.ts";
import { query, valueOf } from "../support/sql.ts";

let server: PostgresServer;
Deno.test.beforeAll(async () => {
  server = await startPostgres();
  await query(server, { sql: "create role modest login createrole createdb noinherit password 'modest'" });
});
Deno.test.afterAll(() => server?.[Symbol.asyncDispose]());

interface Admin {
  readonly adminUser?: string;
  readonly adminPassword?: string;
}

const MODEST: Admin = { adminUser: "modest", adminPassword: "modest" };

/** A cluster as a freshly started operator has it. */
function aCluster(admin: Admin = {}): PostgresCluster & AsyncDisposable {
  const { host, port, adminUser, adminPassword } = server;
  const address = { name: "main", host, port, adminUser, adminPassword, ...admin };
  const cluster = new PostgresCluster(new PostgresPool(address), { name: "main" });
  return Object.assign(cluster, { [Symbol.asyncDispose]: () => cluster.close() });
}

function swapOf(name: string): SwapDatabaseOptions {
  return { live: name, side: `${name}.side`, old: `${name}.old`, role: name, ownership: { uid: `uid-${name}` } };
}

const passwordOf = (name: string) => `pw of ${name}`;

/** A role with databases, each of which tells in a table what it was made as. */
async function aTenant(cluster: PostgresCluster, name: string, ...databases: string[]): Promise<SwapDatabaseOptions> {
  const ownership = { uid: `uid-${name}`, secretVersion: "s/1" };
  await cluster.write({ type: "ensureRole", role: name, password: passwordOf(name), ownership });
  for (const database of databases) {
    await cluster.write({ type: "ensureDatabase", database, role: name, ownership });
    await asTenant(name, {
      database,
      sql: `create table made_as as select '${database.replaceAll("'", "''")}'::text as name`,
    });
  }
  return swapOf(name);
}

function asTenant(name: string, { database, sql }: { database: string; sql: string }) {
  return query(server, { user: name, password: passwordOf(name), database, sql });
}

/** What each of the three databases was made as; who is let in, sees it as the tenant, else "closed" or "absent". */
async function placesOf({ live, side, old, role }: SwapDatabaseOptions): Promise<unknown[]> {
  const look = async (database: string) => {
    const [found] = await query(server, {
      sql: "select datallowconn from pg_database where datname = $1",
      values: [database],
    });
    if (!found) return "absent";
    if (found.datallowconn === false) return "closed";
    const sql = "select name from made_as";
    return await valueOf(server, { user: role, password: passwordOf(role), database, sql });
  };
  return [await look(live), await look(side), await look(old)];
}

/** A session that sleeps until it is ended; resolves when it sleeps. */
async function sleeper(user: string, { password, database }: { password: string; database: string }) {
  const ended = assertRejects(
    () => query(server, { user, password, database, sql: "select pg_sleep(600)" }),
    Error,
    "terminat",
  );
  await eventually(`${user} is connected`, async () => {
    const sql = "select 1 from pg_stat_activity where datname = $1 and usename = $2 and wait_event = 'PgSleep'";
    return (await query(server, { sql, values: [database, user] })).length > 0;
  });
  return { ended };
}

for (const [who, admin] of Object.entries({ "a superuser": {}, "an admin who is none": MODEST })) {
  const name = who === "a superuser" ? "super" : "plain";

  Deno.test(`swapDatabase() by ${who} puts the side in the place of the live one, whoever is connected; twice is once`, async () => {
    await using cluster = aCluster(admin);
    const swap = await aTenant(cluster, name, name, `${name}.side`);
    const reader = { role: `${name}_ro`, password: "pw", ownership: { uid: `uid-${name}`, secretVersion: "v" } };
    await cluster.write({ type: "ensureReadOnlyRole", ...reader, database: name, connectionLimit: 5 });
    const sessions = [
      await sleeper(name, { password: passwordOf(name), database: name }),
      await sleeper(name, { password: passwordOf(name), database: `${name}.side` }),
      await sleeper(`${name}_ro`, { password: "pw", database: name }),
    ];
    for (let time = 0; time < 2; time++) {
      await cluster.write({ type: "swapDatabase", ...swap });
      assertEquals(await placesOf(swap), [`${name}.side`, "absent", "closed"]);
    }
    for (const { ended } of sessions) await ended;
    const facts = cluster.facts();
    assert(facts.known);
    assertEquals([...facts.databases.keys()].filter((key) => key.startsWith(name)).sort(), [name, `${name}.old`]);
    assertEquals(facts.databases.get(name), { name, owner: name, ownership: { uid: `uid-${name}` } });
    await cluster.write({ type: "ensureDatabase", database: name, role: name, ownership: { uid: `uid-${name}` } });
    assertEquals(await placesOf(swap), [`${name}.side`, "absent", "closed"]);
  });

  Deno.test(`unswapDatabase() by ${who} gives the place back; twice is once, and the old one can be dropped after a swap`, async () => {
    await using cluster = aCluster(admin);
    const swap = swapOf(name);
    const { ended } = await sleeper(name, { password: passwordOf(name), database: name });
    for (let time = 0; time < 2; time++) {
      await cluster.write({ type: "unswapDatabase", ...swap });
      assertEquals(await placesOf(swap), [name, `${name}.side`, "absent"]);
    }
    await ended;
    await cluster.write({ type: "swapDatabase", ...swap });
    await cluster.write({ type: "dropDatabase", database: swap.old, ownership: swap.ownership });
    assertEquals(await placesOf(swap), [`${name}.side`, "absent", "absent"]);
    await cluster.write({ type: "swapDatabase", ...swap });
    const error = await assertRejects(() => cluster.write({ type: "unswapDatabase", ...swap }), DatabaseConflictError);
    assertEquals(
      error.message,
      `Cannot unswap database "${name}": database "${name}.old" does not exist any more: no rollback is possible`,
    );
    assertEquals(await placesOf(swap), [`${name}.side`, "absent", "absent"]);
  });
}

Deno.test("swapDatabase() and unswapDatabase() work where there was no live database", async () => {
  await using cluster = aCluster(MODEST);
  const swap = await aTenant(cluster, "first", "first.side");
  for (let time = 0; time < 2; time++) {
    await cluster.write({ type: "swapDatabase", ...swap });
    assertEquals(await placesOf(swap), ["first.side", "absent", "absent"]);
  }
  for (let time = 0; time < 2; time++) {
    await cluster.write({ type: "unswapDatabase", ...swap });
    assertEquals(await placesOf(swap), ["absent", "first.side", "absent"]);
  }
});

Deno.test("swapDatabase() goes on where an operator died with the doors closed, and unswapDatabase() opens them", async () => {
  await using cluster = aCluster(MODEST);
  const swap = await aTenant(cluster, "doors", "doors", "doors.side");
  const close = () =>
    query(server, {
      sql: `alter database doors allow_connections false; alter database "doors.side" allow_connections false`,
    });
  await close();
  await cluster.write({ type: "unswapDatabase", ...swap });
  assertEquals(await placesOf(swap), ["doors", "closed", "absent"]);
  await close();
  await cluster.write({ type: "swapDatabase", ...swap });
  assertEquals(await placesOf(swap), ["doors.side", "absent", "closed"]);
});

Deno.test("swapDatabase() that is killed among its renames leaves both databases as they were, and goes through next time", async () => {
  await using cluster = aCluster();
  const swap = await aTenant(cluster, "killed", "killed", "killed.side");
  // whoever comments a database holds it until the end of the transaction: the first rename goes through, the second waits
  const sql = `begin; comment on database "killed.side" is 'held'; select pg_sleep(600)`;
  const holding = assertRejects(() => query(server, { sql }), Error, "terminat");
  const waiting = async (sql: string) => (await query(server, { sql })).length > 0;
  await eventually(
    "the side is held",
    () => waiting("select 1 from pg_stat_activity where query like 'begin; comment%' and wait_event = 'PgSleep'"),
  );
  const swapping = assertRejects(() => cluster.write({ type: "swapDatabase", ...swap }), PostgresError, "terminat");
  const blocked = `from pg_stat_activity where application_name = 'odoo-operator' and wait_event_type = 'Lock'`;
  await eventually("the swap waits for a lock", () => waiting(`select 1 ${blocked}`));
  await query(server, { sql: `select pg_terminate_backend(pid) ${blocked}` });
  await swapping;
  await query(server, {
    sql:
      "select pg_terminate_backend(pid) from pg_stat_activity where query like 'begin; comment%' and pid <> pg_backend_pid()",
  });
  await holding;
  const names = await query(server, { sql: "select datname from pg_database where datname ~ '^killed' order by 1" });
  assertEquals(names.map(({ datname }) => datname), ["killed", "killed.side"]);
  await cluster.refresh();
  await cluster.write({ type: "swapDatabase", ...swap });
  assertEquals(await placesOf(swap), ["killed.side", "absent", "closed"]);
});

Deno.test("swapDatabase() touches nothing when something is another's, missing or in the way", async () => {
  await using cluster = aCluster(MODEST);
  const swap = await aTenant(cluster, "careful", "careful", "careful.side");
  await aTenant(cluster, "mallory", "mallory", "mallory.side");
  const comment = `comment on database mallory is '{"bemade.org/owner":"uid-careful","side":"nowhere"}'`;
  await asTenant("mallory", { database: "mallory", sql: comment });
  await cluster.refresh();
  const before = await query(server, {
    sql: "select datname, datallowconn, shobj_description(oid, 'pg_database') as comment from pg_database order by 1",
  });
  const refused: Readonly<Record<string, Partial<SwapDatabaseOptions>>> = {
    "another's live database": { live: "mallory" },
    "another's side": { side: "mallory.side" },
    "another's database under the old name": { old: "mallory" },
    "another's role": { role: "mallory" },
    "another's everything": { ...swapOf("mallory"), ownership: swap.ownership },
  };
  for (const change of Object.values(refused)) {
    await assertRejects(() => cluster.write({ type: "swapDatabase", ...swap, ...change }), OwnershipError);
    await assertRejects(() => cluster.write({ type: "unswapDatabase", ...swap, ...change }), OwnershipError);
  }
  await assertRejects(
    () => cluster.write({ type: "swapDatabase", ...swap, side: "nowhere" }),
    DatabaseConflictError,
    "no database",
  );
  await assertRejects(
    () => cluster.write({ type: "swapDatabase", ...swap, old: "careful" }),
    RangeError,
    "the same name",
  );
  const password = "pw of the dba";
  await query(server, { sql: `create role dba superuser login password '${password}'` });
  const { ended } = await sleeper("dba", { password, database: "careful" });
  await assertRejects(
    () => cluster.write({ type: "swapDatabase", ...swap }),
    DatabaseConflictError,
    `role "dba" is connected`,
  );
  const after = await query(server, {
    sql: "select datname, datallowconn, shobj_description(oid, 'pg_database') as comment from pg_database order by 1",
  });
  assertEquals(after, before);
  assert(cluster.facts().known, "a refused swap says nothing of the server");
  await query(server, { sql: "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'dba'" });
  await ended;
});

Deno.test("swapDatabase() takes hostile names as they are", async () => {
  await using cluster = aCluster();
  const hostile = `'; drop database postgres; -- " \\ $1`;
  const swap = await aTenant(cluster, "hostile", hostile);
  const side = `${hostile} side`;
  await cluster.write({ type: "ensureDatabase", database: side, role: "hostile", ownership: swap.ownership });
  await cluster.write({ type: "swapDatabase", ...swap, live: hostile, side, old: `${hostile} old` });
  const names = await query(server, { sql: "select datname from pg_database where datname ~ '^''; drop' order by 1" });
  assertEquals(names.map(({ datname }) => datname), [hostile, `${hostile} old`]);
});
