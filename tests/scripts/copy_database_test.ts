/** scripts/copy_database.sh between two real PostgreSQL servers, with all that makes a copy go wrong or lie. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import {
  copyDatabase,
  type CopyEnding,
  type DatabaseCopy,
  HOSTILE_NAMES,
  noPrograms,
  type RunningCopy,
  startDatabaseCopy,
} from "../support/copy_database.ts";
import { debianPostgres } from "../support/debian_postgres.ts";
import { eventually } from "../support/eventually.ts";
import { HOSTILE_TEXT, makeOdooDatabase } from "../support/odoo_backup.ts";
import { query, valueOf } from "../support/sql.ts";
import { startTcpProxy } from "../support/tcp_proxy.ts";

const PASSWORD = "tenant-password";
const SOURCE_PASSWORD = "production-password";
const SIDE = "shop_side_1";

let old: PostgresServer;
let fresh: PostgresServer;
let programs: string;

Deno.test.beforeAll(async () => {
  programs = await debianPostgres();
  [old, fresh] = await Promise.all([startPostgres({ programs }), startPostgres({ programs })]);
  await makeOdooDatabase(old, "prod");
  await query(old, { sql: HOSTILE_NAMES, database: "prod" });
  await query(old, { sql: `create role production login password '${SOURCE_PASSWORD}'` });
  await query(old, { sql: "grant pg_read_all_data to production" });
  await query(old, { sql: "grant select on all tables in schema public to production", database: "prod" });
  await query(old, { sql: "select lo_from_bytea(0, '2')", database: "prod" });
  // as the operator has it: the role owns what is in its database
  await query(old, {
    sql: `do $$ declare o oid; begin
      for o in select oid from pg_largeobject_metadata loop execute format('alter large object %s owner to production', o); end loop;
    end $$`,
    database: "prod",
  });
  await query(fresh, { sql: `create role tenant login password '${PASSWORD}' nosuperuser nocreatedb` });
});
Deno.test.afterAll(async () => {
  await old[Symbol.asyncDispose]();
  await fresh[Symbol.asyncDispose]();
});

type Change = Partial<Omit<DatabaseCopy, "source" | "target">> & {
  readonly source?: Partial<DatabaseCopy["source"]>;
  readonly target?: Partial<DatabaseCopy["target"]>;
};

/** A copy to a new side database. */
async function prepared({ source, target, ...more }: Change = {}): Promise<DatabaseCopy> {
  await query(fresh, { sql: `drop database if exists ${SIDE} with (force)` });
  await query(fresh, { sql: `create database ${SIDE} owner tenant template template0 encoding 'UTF8' lc_collate 'C'` });
  return {
    programs,
    source: {
      host: old.host,
      port: old.port,
      user: "production",
      password: SOURCE_PASSWORD,
      database: "prod",
      ...source,
    },
    target: { host: fresh.host, port: fresh.port, user: "tenant", password: PASSWORD, database: SIDE, ...target },
    ...more,
  };
}

async function attempt(change: Change = {}): Promise<CopyEnding> {
  return told(await copyDatabase(await prepared(change)));
}

function told(ending: CopyEnding): CopyEnding {
  for (const secret of [PASSWORD, SOURCE_PASSWORD]) {
    assert(!JSON.stringify(ending).includes(secret), "a password is in the report or the log");
  }
  assert(!JSON.stringify(ending).includes("a customer"), "data are in the report or the log");
  return ending;
}

function side(sql: string): Promise<unknown> {
  return valueOf(fresh, { sql, database: SIDE });
}

Deno.test("copy_database.sh copies all of a database to another server, and another role owns the copy", async () => {
  const { report, code, output } = await attempt();
  assertEquals(code, 0, output);
  const { seconds, bytes, ...rest } = report;
  assert(Number(bytes) > 1e6 && Number(seconds) >= 0, output);
  const version = Number(await valueOf(old, { sql: "show server_version_num" }));
  assertEquals(rest, {
    ok: true,
    tables: 8,
    rows: 2000 + 3 + 30 + 5 + 3 + 7,
    sourceVersion: version,
    targetVersion: version,
    leftOut: [],
  });
  assertEquals(await side("select name from res_partner where id = 7"), `${HOSTILE_TEXT}7`);
  assertEquals(await side("select sum(length(body))::int from big"), 3 * 200_000 * 32);
  assertEquals(await side("select distinct tableowner from pg_tables where schemaname !~ '^(pg_|info)'"), "tenant");
  assertEquals(await side("select count(*)::int from pg_largeobject_metadata"), 2);
  assertEquals(await side("select nextval('backwards')::int"), -7);
  assertEquals(await side("select nextval('untouched')::int"), 1);
  assertEquals(await side("select count(*)::int from pg_publication"), 0);
  assertEquals(await side('select "count"::int from partners'), 2000);
  assertEquals(await Deno.stat("/tmp/copy-database-owned").then(() => "there", () => "absent"), "absent");
});

Deno.test("copy_database.sh copies one point in time beside writers, blocks none of them, and writes nothing", async () => {
  await query(old, { sql: "alter role production set default_transaction_read_only = on" });
  await query(old, { sql: "create table ledger (id serial, amount int)", database: "prod" });
  await query(old, { sql: "grant select on ledger, ledger_id_seq to production", database: "prod" });
  const done = new AbortController();
  let written = 0;
  const writers = [1, 2, 3].map(async () => {
    while (!done.signal.aborted) {
      // all or none of it is in the copy, and the sum stays 0
      await query(old, {
        sql: `begin; set local lock_timeout = '5s';
          insert into ledger (amount) values (5), (-5); update res_partner set name = name where id = 5;
          commit`,
        database: "prod",
      });
      written++;
    }
  });
  const locks = new Set<unknown>();
  const watcher = (async () => {
    while (!done.signal.aborted) {
      const rows = await query(old, {
        // every login locks its database for a moment, and who reads a large object locks as if it were to be written
        sql: `select mode from pg_locks join pg_stat_activity using (pid)
          where usename = 'production' and locktype = 'relation'
          and relation not in ('pg_largeobject'::regclass, 'pg_largeobject_loid_pn_index'::regclass)`,
      });
      for (const { mode } of rows) locks.add(mode);
    }
  })();
  try {
    await eventually("the writers write", () => written > 20);
    const { report, output } = await attempt();
    assertEquals(report.ok, true, output);
    assertEquals(await side("select sum(amount)::int from ledger"), 0);
    assert(Number(await side("select count(*) from ledger")) > 20);
    assertEquals([...locks], ["AccessShareLock"]);
  } finally {
    done.abort();
    await Promise.all([...writers, watcher]);
    await query(old, { sql: "drop table ledger", database: "prod" });
  }
});

/** TEST DOUBLE of pg_restore: waits before it loads the structure or the data, until the test lets it go on. */
const gateBefore = (section: "pre-data" | "data") =>
  `#!/bin/sh
case "$*" in *--section=${section}*) echo >"$COPY_DIR/loading"; read -r _ <"$COPY_DIR/gate" ;; esac
exec "$REAL/pg_restore" "$@"
`;

const GATE_BEFORE_LOAD = gateBefore("data");

/** TEST DOUBLE of pg_dump: waits in the middle of the data. */
const GATE_IN_DUMP = `#!/bin/sh
case "$*" in *--section=data*) ;; *) exec "$REAL/pg_dump" "$@" ;; esac
"$REAL/pg_dump" "$@" | { head -c 3000000; echo >"$COPY_DIR/loading"; read -r _ <"$COPY_DIR/gate"; cat; }
`;

/** TEST DOUBLE of pg_restore: one that loses a row of one table and the last value of a sequence, and says nothing. */
const LOSSY = `#!/bin/sh
"$REAL/pg_restore" "$@" || exit
case "$*" in
*--section=data*) "$REAL/psql" -q -c "delete from res_partner where id = 9" -c "select setval('res_partner_id_seq', 3)" ;;
esac
`;

/** TEST DOUBLE of pg_dump: one that the kernel kills. */
const DEADLY = `#!/bin/sh
case "$*" in *--section=data*) kill -9 $$ ;; esac
exec "$REAL/pg_dump" "$@"
`;

/** TEST DOUBLE of pg_restore: says all that it should not. */
const TALKATIVE = `#!/bin/sh
case "$*" in *--section=data*) ;; *) exec "$REAL/pg_restore" "$@" ;; esac
cat >/dev/null
printf '%s\\n' "ERROR: $PGPASSWORD, $SOURCE_PGPASSWORD" 'CONTEXT:  COPY res_partner, line 1: "a customer"' >&2
exit 1
`;

/** What goes wrong by itself. */
const FAILED: Readonly<
  Record<string, {
    readonly change?: Change;
    /** Done to the source before, and undone. */
    readonly before?: readonly [string, string];
    readonly reason: string;
    readonly says: string;
  }>
> = {
  "the password of the copy is wrong": {
    change: { target: { password: "wrong" } },
    reason: "DatabaseUnreachable",
    says: "password authentication failed",
  },
  "the password of the source is wrong": {
    change: { source: { password: "wrong" } },
    reason: "SourceDatabaseUnreachable",
    says: "password authentication failed",
  },
  "the source is gone": {
    change: { source: { database: "host=elsewhere dbname=x" } },
    reason: "SourceDatabaseUnreachable",
    says: "does not exist",
  },
  "the source's server is gone": {
    change: { source: { port: 1 } },
    reason: "SourceDatabaseUnreachable",
    says: "Connection refused",
  },
  "the source wants encryption that its server lacks": {
    change: { env: { SOURCE_PGSSLMODE: "require" } },
    reason: "SourceDatabaseUnreachable",
    says: "SSL",
  },
  "the role may not read all of the source": {
    before: [
      "create table secret (id int); revoke pg_read_all_data from production",
      "drop table secret; grant pg_read_all_data to production",
    ],
    reason: "DumpNotAllowed",
    says: "permission denied",
  },
  "a column needs an extension that the role may not create": {
    before: [
      "create extension pg_freespacemap; create view uses as select pg_freespace('big', 0)",
      "drop extension pg_freespacemap cascade",
    ],
    reason: "ExtensionUnavailable",
    says: "pg_freespacemap",
  },
  "a row and a sequence's value are lost on the way": {
    change: { doubles: { pg_restore: LOSSY } },
    reason: "RowCountsDiffer",
    says:
      "in 2 places: sequence public.res_partner_id_seq: 2001, in the copy 4; rows public.res_partner: 2000, in the copy 1999",
  },
  "what is said has passwords and data in it": {
    change: { doubles: { pg_restore: TALKATIVE } },
    reason: "LoadFailed",
    says: "(ERROR: ***, ***)",
  },
  "pg_dump is killed": { change: { doubles: { pg_dump: DEADLY } }, reason: "DumpKilled", says: "memory" },
};

for (const [sentence, { change, before, reason, says }] of Object.entries(FAILED)) {
  Deno.test(`copy_database.sh says why when ${sentence}`, async () => {
    if (before) await query(old, { sql: before[0], database: "prod" });
    try {
      const { report, code, output } = await attempt(change);
      assertEquals([code, report.ok, report.reason], [1, false, reason], output);
      assertStringIncludes(String(report.error), says);
    } finally {
      if (before) await query(old, { sql: before[1], database: "prod" });
    }
  });
}

Deno.test("copy_database.sh leaves out an extension that nothing needs and the role may not create, and says which", async () => {
  await query(old, { sql: "create extension pg_surgery; comment on extension pg_surgery is 'x'", database: "prod" });
  try {
    const { report, output } = await attempt();
    assertEquals([report.ok, report.leftOut], [true, ["pg_surgery"]], output);
  } finally {
    await query(old, { sql: "drop extension pg_surgery", database: "prod" });
  }
});

Deno.test("copy_database.sh copies nothing into a database that has something in it", async () => {
  const copy = await prepared();
  await query(fresh, { sql: "create table mine (id int)", database: SIDE, user: "tenant", password: PASSWORD });
  const { report } = told(await copyDatabase(copy));
  assertEquals(report.reason, "TargetNotEmpty");
  assertEquals(await side("select count(*)::int from pg_tables where schemaname = 'public'"), 1);
});

Deno.test("copy_database.sh says so when its programs are older than the source's or the copy's server", async () => {
  await using newer = await startPostgres();
  await query(newer, { sql: `create role tenant login password '${PASSWORD}'` });
  await query(newer, { sql: `create database ${SIDE} owner tenant` });
  const login = { host: newer.host, port: newer.port, user: "tenant", password: PASSWORD, database: SIDE };
  for (const change of [{ source: login }, { target: login }]) {
    const { report, output } = await attempt(change);
    assertEquals(report.reason, "ClientTooOld", output);
    assertStringIncludes(String(report.error), "--postgres-client-image");
  }
});

/** A copy that stands still in its middle, and what happens to it there. */
async function interrupted(change: Change, happens: (copy: RunningCopy) => Promise<void>): Promise<CopyEnding> {
  const copy = await startDatabaseCopy(await prepared(change));
  const { directory, ended } = copy;
  const gate = `${directory}/work/gate`;
  const { success } = await new Deno.Command("mkfifo", { args: [gate] }).output();
  assert(success);
  using held = await Deno.open(gate, { read: true, write: true }); // so it waits for nobody
  await eventually("the data are on the way", () => Deno.stat(`${directory}/work/loading`), { timeoutMs: 30_000 });
  await happens(copy);
  await held.write(new TextEncoder().encode("\n"));
  return told(await ended);
}

Deno.test("copy_database.sh says that the source went away when its server is restarted in the middle", async () => {
  const { report, output } = await interrupted({ doubles: { pg_restore: GATE_BEFORE_LOAD } }, () => old.restart());
  assertEquals(report.reason, "SourceDatabaseUnreachable", output);
});

Deno.test("copy_database.sh says that the copy's server went away when it is restarted in the middle", async () => {
  const { report, output } = await interrupted({ doubles: { pg_dump: GATE_IN_DUMP } }, () => fresh.restart());
  assertEquals(report.reason, "DatabaseUnreachable", output);
});

Deno.test("copy_database.sh says that the source went away when its connections are cut", async () => {
  const proxy = startTcpProxy(old);
  const { report, output } = await interrupted(
    { source: { port: proxy.port }, doubles: { pg_restore: GATE_BEFORE_LOAD } },
    () => proxy[Symbol.asyncDispose](),
  );
  assertEquals(report.reason, "SourceDatabaseUnreachable", output);
});

Deno.test("copy_database.sh keeps tables from being emptied between their dump and their count", async () => {
  const truncate = "set lock_timeout = '300ms'; truncate empty_one";
  const { report, output } = await interrupted({ doubles: { pg_restore: gateBefore("pre-data") } }, async () => {
    await assertRejects(() => query(old, { sql: truncate, database: "prod" }), Error, "lock timeout");
  });
  assertEquals(report.ok, true, output);
});

Deno.test("copy_database.sh ends by its deadline when the source falls silent, and leaves no program behind", async () => {
  await using proxy = startTcpProxy(old);
  const change = {
    source: { port: proxy.port },
    doubles: { pg_restore: GATE_BEFORE_LOAD },
    env: { COPY_SECONDS: "8" },
  };
  const { report, output } = await interrupted(change, async ({ directory, ended }) => {
    proxy.freeze();
    await ended;
    await noPrograms(directory); // its server cannot know, and keeps their sessions
  });
  assertEquals(report.reason, "DeadlineExceeded", output);
});

Deno.test("copy_database.sh ends when it is told to, and leaves no program behind", async () => {
  const { code, report, output } = await interrupted(
    { doubles: { pg_dump: GATE_IN_DUMP } },
    async ({ directory, script }) => {
      script.kill("SIGTERM");
      await noPrograms(directory);
    },
  );
  assertEquals([code, report.reason], [1, "Stopped"], output);
});

Deno.test("copy_database.sh says that the copy's server is full", { ignore: Deno.uid() !== 0 }, async () => {
  const folder = await Deno.makeTempDir();
  const run = async (command: string, ...args: string[]) => {
    const { success, stderr } = await new Deno.Command(command, { args }).output();
    assert(success, new TextDecoder().decode(stderr));
  };
  await run("mount", "-t", "tmpfs", "-o", "size=16m,uid=65534,mode=700", "tmpfs", folder);
  try {
    const copy = await prepared();
    await query(fresh, { sql: `create tablespace small location '${folder}'` });
    await query(fresh, { sql: `alter database ${SIDE} set tablespace small` });
    const { report, output } = told(await copyDatabase(copy));
    assertEquals(report.reason, "DatabaseFull", output);
    await query(fresh, { sql: `drop database ${SIDE} with (force)` });
    await query(fresh, { sql: "drop tablespace small" });
  } finally {
    await run("umount", folder);
    await Deno.remove(folder);
  }
});
