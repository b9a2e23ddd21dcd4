/**
 * scripts/cron_startup_probe.py and cron_liveness_probe.py as the kubelet runs them in cron pods, on a real PostgreSQL with
 * the table that Odoo makes. Only the age of the container is a double: nobody can make process 1 older.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import pg from "pg";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { PROBES } from "../../src/odoo/resources/scripts.ts";
import { eventually } from "../support/eventually.ts";
import { pythonWithPsycopg2 } from "../support/python.ts";
import { query } from "../support/sql.ts";
import { startTcpProxy } from "../support/tcp_proxy.ts";

/** After this time the kubelet takes a probe for failed. */
const KUBELET_PATIENCE_MS = 5_000;
const OLD_SECONDS = 301;
const YOUNG_SECONDS = 299;

let server: PostgresServer;
let python: string;

Deno.test.beforeAll(async () => {
  python = await pythonWithPsycopg2();
  server = await startPostgres();
  await query(server, { sql: "create role tenant login password 'tenant-password'" });
  await query(server, { sql: "create role neighbour login password 'neighbour-password'" });
  await query(server, { sql: "create database shop owner tenant" });
});
Deno.test.afterAll(() => server?.[Symbol.asyncDispose]());

function shop(sql: string): Promise<Record<string, unknown>[]> {
  return query(server, { sql, database: "shop", user: "tenant", password: "tenant-password" });
}

interface Cron {
  readonly active?: boolean;
  /** Since when it should have run. */
  readonly overdue: string;
  /** When it ran last. */
  readonly last: string;
}

/** The scheduled actions of the database, and no others. */
async function withCrons(...crons: readonly Cron[]): Promise<void> {
  await shop("drop table if exists ir_cron");
  await shop("create table ir_cron (id serial primary key, active boolean, nextcall timestamp, lastcall timestamp)");
  for (const { active = true, overdue, last } of crons) {
    const ago = (interval: string) => `now() at time zone 'UTC' - interval '${interval}'`;
    await shop(`insert into ir_cron (active, nextcall, lastcall) values (${active}, ${ago(overdue)}, ${ago(last)})`);
  }
}

/** The kernel's files about a process 1 of this age; its name is as odd as names may be. */
function agedBy(seconds: number): string {
  const uptime = 100_000;
  const started = (uptime - seconds) * 100; // SC_CLK_TCK is 100 wherever Linux runs
  const stat = `1 (a) b (c) S ${Array.from({ length: 18 }, () => "0").join(" ")} ${started} 0 0`;
  const files = JSON.stringify({ "/proc/uptime": `${uptime}.00 1.00\n`, "/proc/1/stat": stat });
  return `
import builtins, io
kept_open, kernel_files = builtins.open, ${files}
def open(path, *rest):
    return io.StringIO(kernel_files[path]) if path in kernel_files else kept_open(path, *rest)
`;
}

interface Verdict {
  readonly healthy: boolean;
  readonly says: string;
}

/** Runs a probe, which is killed when it is late, against the database, or what `environment` makes of it. */
async function probe(
  which: keyof typeof PROBES,
  environment: Readonly<Record<string, string>> = {},
  ageSeconds = OLD_SECONDS,
): Promise<Verdict> {
  const startedMs = performance.now();
  const { success, stderr } = await new Deno.Command(python, {
    args: ["-c", agedBy(ageSeconds) + PROBES[which]],
    clearEnv: true,
    signal: AbortSignal.timeout(KUBELET_PATIENCE_MS),
    env: {
      PGHOST: server.host,
      PGPORT: String(server.port),
      PGUSER: "tenant",
      PGPASSWORD: "tenant-password",
      PGDATABASE: "shop",
      ...environment,
    },
  }).output();
  const tookMs = performance.now() - startedMs;
  assert(tookMs < KUBELET_PATIENCE_MS, `${which} took ${Math.round(tookMs)} ms`);
  return { healthy: success, says: new TextDecoder().decode(stderr) };
}

/** Runs `work` while `user` has a session in the database in which `sql` was sent; it need not have been answered. */
async function during<T>(user: string, sql: readonly string[], work: () => Promise<T>): Promise<T> {
  const { host, port } = server;
  const client = new pg.Client({ host, port, user, password: `${user}-password`, database: "shop" });
  client.on("error", () => {});
  await client.connect();
  const sent = sql.map((text) => client.query(text).catch(() => undefined));
  try {
    const last = sql.at(-1) ?? "";
    await eventually("the session has come so far", async () => {
      const seen = await query(server, {
        sql: "select query from pg_stat_activity where usename = $1",
        values: [user],
      });
      return seen.some((row) => row.query === last);
    });
    return await work();
  } finally {
    await query(server, {
      sql: "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1",
      values: [user],
    });
    await Promise.all(sent);
    await client.end().catch(() => {});
  }
}

const HOUR: Cron = { overdue: "1 hour", last: "2 hours" };

const LIVENESS: Readonly<Record<string, { readonly crons: readonly Cron[]; readonly want: boolean }>> = {
  "takes a database whose actions are on time for healthy": {
    crons: [{ overdue: "-5 minutes", last: "1 hour" }, { overdue: "9 minutes", last: "1 day" }],
    want: true,
  },
  "finds out that an action is overdue and none was run": { crons: [HOUR], want: false },
  "finds out the same beside actions that are on time": {
    crons: [{ overdue: "-1 hour", last: "1 day" }, HOUR],
    want: false,
  },
  "takes it for healthy while others are run": { crons: [HOUR, { overdue: "-1 hour", last: "9 minutes" }], want: true },
  "leaves out actions that are switched off": { crons: [{ ...HOUR, active: false }], want: true },
  "does not count the runs of actions that are switched off": {
    crons: [HOUR, { active: false, overdue: "1 hour", last: "1 minute" }],
    want: false,
  },
  "takes a database without actions for healthy": { crons: [], want: true },
};

for (const [sentence, { crons, want }] of Object.entries(LIVENESS)) {
  Deno.test(`cron_liveness_probe.py ${sentence}`, async () => {
    await withCrons(...crons);
    const { healthy, says } = await probe("cronLiveness");
    assertEquals(healthy, want, says);
    if (!want) assertStringIncludes(says, "scheduled actions are overdue and none is running");
  });
}

Deno.test("cron_liveness_probe.py takes one long action for healthy, but not that of somebody else", async () => {
  await withCrons(HOUR);
  const working = ["select pg_sleep(60)"];
  assertEquals((await during("tenant", working, () => probe("cronLiveness"))).healthy, true);
  assertEquals((await during("neighbour", working, () => probe("cronLiveness"))).healthy, false);
});

Deno.test("cron_liveness_probe.py takes an idle session of ours for no work", async () => {
  await withCrons(HOUR);
  assertEquals((await during("tenant", ["begin", "select 1 as idle"], () => probe("cronLiveness"))).healthy, false);
});

Deno.test("cron_liveness_probe.py leaves a container alone that is younger than five minutes", async () => {
  await withCrons(HOUR);
  assertEquals((await probe("cronLiveness", {}, YOUNG_SECONDS)).healthy, true);
  assertEquals((await probe("cronLiveness", { PGPASSWORD: "wrong" }, YOUNG_SECONDS)).healthy, true);
});

Deno.test("cron_startup_probe.py waits for the table of actions, and for nothing else", async () => {
  await shop("drop table if exists ir_cron");
  const { healthy, says } = await probe("cronStartup");
  assertEquals(healthy, false);
  assertStringIncludes(says, "not ready: UndefinedTable");
  await withCrons();
  assertEquals(await probe("cronStartup"), { healthy: true, says: "" });
});

const BROKEN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "there is no database": { PGDATABASE: "nowhere" },
  "the password is wrong": { PGPASSWORD: "wrong-canary-password" },
  "nobody listens": { PGPORT: "1" },
  "the host does not exist": { PGHOST: "nowhere.invalid" },
};

for (const which of ["cronStartup", "cronLiveness"] as const) {
  for (const [sentence, environment] of Object.entries(BROKEN)) {
    Deno.test(`${which} fails in one line without a secret when ${sentence}`, async () => {
      await withCrons(HOUR);
      const { healthy, says } = await probe(which, environment);
      assertEquals(healthy, false);
      assertEquals(says.trim().split("\n").length, 1, says);
      assertStringIncludes(says, "OperationalError");
      assert(!says.includes("password"), says);
    });
  }

  Deno.test(`${which} ends before the kubelet's patience does when PostgreSQL takes the connection and says nothing`, async () => {
    await using proxy = startTcpProxy(server);
    proxy.freeze();
    assertEquals((await probe(which, { PGHOST: proxy.host, PGPORT: String(proxy.port) })).healthy, false);
  });

  Deno.test(`${which} ends before the kubelet's patience does when somebody keeps the table locked`, async () => {
    await withCrons(HOUR);
    const lock = ["begin", "lock table ir_cron in access exclusive mode"];
    assertEquals((await during("tenant", lock, () => probe(which))).healthy, false);
  });
}
