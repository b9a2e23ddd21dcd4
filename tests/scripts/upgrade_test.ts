/** scripts/upgrade.sh on a real PostgreSQL, around the double of Odoo that tests/support/upgrade_script.ts is. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { formatOwnership } from "../../src/odoo/model/postgres/database.ts";
import { eventually } from "../support/eventually.ts";
import { pythonWithPsycopg2 } from "../support/python.ts";
import { query } from "../support/sql.ts";
import {
  type Ending,
  ON_DISK,
  PASSWORD,
  reportOf,
  type RunOptions,
  runUpgrade,
  UID,
  UPDATED,
} from "../support/upgrade_script.ts";

const ODOO = `
create table ir_module_module (id serial primary key, name varchar unique, state varchar, latest_version varchar,
  imported boolean);
create table ir_config_parameter (id serial primary key, key varchar unique, value text);
insert into ir_module_module (name, state, latest_version) values ('base', 'installed', '18.0.1.3'),
  ('sale', 'installed', '18.0.1.0'), ('account', 'installed', '18.0.1.0'), ('crm', 'uninstalled', null),
  ('project', 'uninstalled', null);
insert into ir_module_module (name, state, imported) values ('studio_customization', 'installed', true)`;

const INSTALLED = "update ir_module_module set latest_version = '18.0.1.5', state = 'installed' where name = 'crm'";

const LIMITS = ["--limit-memory-hard=0", "--limit-time-real=0", "--limit-time-cpu=0"];

let server: PostgresServer;
let python: string;

Deno.test.beforeAll(async () => {
  python = await pythonWithPsycopg2();
  server = await startPostgres();
  await query(server, { sql: `create role tenant login password '${PASSWORD}' nosuperuser nocreatedb` });
});
Deno.test.afterAll(() => server?.[Symbol.asyncDispose]());

function run(options?: RunOptions): Promise<Ending> {
  return runUpgrade({ server, python }, options);
}

/** The database `shop` of the tenant, signed as the operator signs it, with Odoo in it. */
async function freshDatabase(
  { comment = formatOwnership({ uid: UID }), sql = ODOO }: { comment?: string; sql?: string } = {},
): Promise<void> {
  await query(server, { sql: "drop database if exists shop with (force)" });
  await query(server, { sql: "create database shop owner tenant encoding 'UTF8' lc_collate 'C' template template0" });
  await query(server, { sql: `comment on database shop is '${comment}'` });
  if (sql) await query(server, { sql, database: "shop", user: "tenant", password: PASSWORD });
}

async function states(): Promise<Record<string, unknown>> {
  const found = await query(server, {
    sql: "select name, state from ir_module_module order by name",
    database: "shop",
  });
  return Object.fromEntries(found.map(({ name, state }) => [name, state]));
}

const BEFORE = {
  account: "installed",
  base: "installed",
  crm: "uninstalled",
  project: "uninstalled",
  sale: "installed",
  studio_customization: "installed",
};

Deno.test("upgrade.sh updates and installs in one go, and tells which versions changed", async () => {
  await freshDatabase();
  const ending = await run({
    env: { UPGRADE_MODULES: "base,sale", UPGRADE_INSTALL: "crm", DOUBLE_SQL: `${UPDATED}; ${INSTALLED}` },
  });
  const standard = ["-c", "/odoo.conf", "-d", "shop", "-u", "base,sale", "-i", "crm", "--stop-after-init", "--no-http"];
  assertEquals(ending.args, [...standard, ...LIMITS]);
  const { ok, fields: { seconds, ...fields } } = reportOf(ending);
  assertEquals([ending.code, ok], [0, true], ending.log);
  assertEquals(fields, {
    odoo: "18.0-20260101",
    modules: [{ name: "crm", from: "", to: "18.0.1.5" }, { name: "sale", from: "18.0.1.0", to: "18.0.2.0" }],
  });
  assert(typeof seconds === "number" && seconds < 60, `it took ${seconds} seconds`);
  assertStringIncludes(ending.log, "Loading module sale (2/3)");
  assertEquals(await states(), { ...BEFORE, crm: "installed" });
});

const ARGUMENTS: Readonly<
  Record<string, { readonly given: Readonly<Record<string, string>>; readonly want: string[] }>
> = {
  "only what is to be updated": { given: { UPGRADE_MODULES: "sale,account" }, want: ["-u", "sale,account"] },
  "base when all is to be updated": { given: { UPGRADE_MODULES: "all" }, want: ["-u", "base"] },
  "only what is to be installed": {
    given: { UPGRADE_MODULES: "", UPGRADE_INSTALL: "crm", DOUBLE_SQL: INSTALLED },
    want: ["-i", "crm"],
  },
  "no module twice": { given: { UPGRADE_MODULES: "sale,sale", UPGRADE_INSTALL: "sale" }, want: ["-u", "sale"] },
  "nothing to install that is installed": {
    given: { UPGRADE_MODULES: "account", UPGRADE_INSTALL: "sale" },
    want: ["-u", "account"],
  },
};

for (const [sentence, { given, want }] of Object.entries(ARGUMENTS)) {
  Deno.test(`upgrade.sh gives Odoo ${sentence}`, async () => {
    await freshDatabase();
    const { code, args, log } = await run({ env: given });
    assertEquals([code, args.slice(4, -5)], [0, want], log);
  });
}

Deno.test("upgrade.sh does not run Odoo when all that is asked for is installed", async () => {
  await freshDatabase();
  const ending = await run({ env: { UPGRADE_MODULES: "", UPGRADE_INSTALL: "sale,account" } });
  assertEquals([ending.code, ending.args, reportOf(ending).fields.modules], [0, [], []]);
});

interface Refusal extends RunOptions {
  readonly database?: Parameters<typeof freshDatabase>[0];
  readonly reason: string;
  readonly says: string;
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  "a module to update is unknown": {
    env: { UPGRADE_MODULES: "sale,saleX" },
    reason: "UnknownModule",
    says: "The image has no module saleX: ",
  },
  "a module to install is unknown": {
    env: { UPGRADE_INSTALL: "no_module" },
    reason: "UnknownModule",
    says: "no module no_module: ",
  },
  "a module's name is code for a shell, SQL and Python": {
    env: { UPGRADE_MODULES: `sale,$(kill $PPID)'; drop table ir_module_module; --"""+quit()+"""` },
    reason: "UnknownModule",
    says: `no module $(kill $PPID)'; drop table ir_module_module; --"""+quit()+""": `,
  },
  "a module to update is missing on disk": {
    onDisk: ["base", "account"],
    reason: "ModuleMissingOnDisk",
    says: "that the image lacks: sale. ",
  },
  "a module to update is not installed": {
    env: { UPGRADE_MODULES: "sale,crm" },
    reason: "ModuleNotInstalled",
    says: "Only what is installed can be updated: crm. ",
  },
  "the database is another instance's": {
    database: { comment: formatOwnership({ uid: "another-uid" }) },
    reason: "DatabaseNotReady",
    says: "not marked as this instance's",
  },
  "the database has a comment of somebody else": {
    database: { comment: "the crown jewels" },
    reason: "DatabaseNotReady",
    says: "not marked as this instance's",
  },
  "the database is empty": { database: { sql: "" }, reason: "DatabaseNotReady", says: "holds no Odoo" },
  "PostgreSQL refuses the login": {
    env: { PGPASSWORD: "wrong" },
    reason: "DatabaseUnreachable",
    says: "password authentication failed",
  },
  "there is no PostgreSQL": { env: { PGPORT: "1" }, reason: "DatabaseUnreachable", says: "onnection refused" },
};

for (const [sentence, { database, reason, says, ...options }] of Object.entries(REFUSALS)) {
  Deno.test(`upgrade.sh refuses, with a reason, and touches nothing, when ${sentence}`, async () => {
    await freshDatabase(database);
    const ending = await run(options);
    const report = reportOf(ending);
    assertEquals([ending.code, report.ok, report.reason, ending.args], [1, false, reason, []], ending.log);
    assertStringIncludes(report.error, says);
    if (database?.sql !== "") assertEquals(await states(), BEFORE);
  });
}

interface Failing extends RunOptions {
  readonly sql: string;
  readonly exit?: string;
  readonly reason: string;
  readonly says: string;
  readonly left?: Readonly<Record<string, string>>;
}

const HALF_WAY = "update ir_module_module set state = 'to upgrade' where name in ('sale', 'account')";
const TRACEBACK = `INFO shop odoo.modules.loading: Loading module sale (2/3)
Traceback (most recent call last):
  File "/usr/lib/odoo/tools/convert.py", line 600, in parse
odoo.tools.convert.ParseError: while parsing /mnt/sale/views.xml:4
INFO shop odoo.service.server: Initiating shutdown`;

const BROKEN_DATA = `INFO shop odoo.modules.loading: Loading module sale (2/3)
Traceback (most recent call last):
ValueError: External ID not found in the system: sale.nowhere

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
odoo.tools.convert.ParseError: while parsing /mnt/sale/views.xml:4, somewhere inside
INFO shop odoo.service.server: Initiating shutdown`;

const FAILURES: Readonly<Record<string, Failing>> = {
  "a module raises": {
    sql: HALF_WAY,
    exit: "255",
    env: { DOUBLE_LOG: TRACEBACK },
    reason: "LoadFailed",
    says: "code 255 while it loaded sale: odoo.tools.convert.ParseError: while parsing /mnt/sale/views.xml:4",
  },
  "a module's data are broken": {
    sql: HALF_WAY,
    exit: "255",
    env: { DOUBLE_LOG: BROKEN_DATA },
    reason: "LoadFailed",
    says: "views.xml:4, somewhere inside, because of ValueError: External ID not found in the system: sale.nowhere",
  },
  "Odoo is killed": {
    sql: HALF_WAY,
    exit: "SIGKILL",
    reason: "LoadFailed",
    says: "ended by SIGKILL while it loaded sale",
  },
  "Odoo ends with 0 and leaves a module half-way": {
    sql: `${UPDATED}; update ir_module_module set state = 'to install' where name = 'crm'`,
    reason: "LoadFailed",
    says: "Left half-way, and put back: crm (to install)",
  },
  "Odoo ends with 0 and leaves a module that was to go": {
    sql: "update ir_module_module set state = 'to remove' where name = 'account'",
    reason: "LoadFailed",
    says: "account (to remove)",
  },
  "Odoo ends with 0 and an installed module is missing on disk": {
    sql: `${UPDATED}; update ir_module_module set state = 'to upgrade' where name = 'account'`,
    env: { UPGRADE_MODULES: "base" },
    onDisk: ["base", "sale"],
    reason: "ModuleMissingOnDisk",
    says: "that the image lacks: account. ",
  },
  "Odoo ends with 0 and has not installed what was asked for": {
    sql: UPDATED,
    env: { UPGRADE_INSTALL: "crm" },
    reason: "ModuleNotInstalled",
    says: "Not installed: crm (uninstalled)",
  },
  "Odoo ends with 0, does not know a module, and cannot be asked before": {
    sql: UPDATED,
    env: { UPGRADE_INSTALL: "nowhere" },
    package: "no",
    reason: "UnknownModule",
    says: "no module nowhere: ",
  },
  "a module is missing on disk, and the addons path cannot be asked for": {
    sql: "update ir_module_module set state = 'to upgrade' where name = 'sale'",
    onDisk: [],
    package: "no",
    reason: "LoadFailed",
    says: "sale (to upgrade)",
  },
};

for (const [sentence, { sql, exit = "0", reason, says, env = {}, ...options }] of Object.entries(FAILURES)) {
  Deno.test(`upgrade.sh fails, with a reason, and puts back what is half-way, when ${sentence}`, async () => {
    await freshDatabase();
    const parameter = "insert into ir_config_parameter (key, value) values ('base.partially_updated_database', '1')";
    const ending = await run({ ...options, env: { DOUBLE_SQL: `${sql}; ${parameter}`, DOUBLE_EXIT: exit, ...env } });
    const report = reportOf(ending);
    assertEquals([ending.code, report.ok, report.reason], [1, false, reason], ending.log);
    assertStringIncludes(report.error, says);
    assertStringIncludes(report.log, "Loading module sale (2/3)");
    assertEquals(await states(), BEFORE);
    if (sql.includes("'to ")) {
      const left = await query(server, { sql: "select 1 from ir_config_parameter", database: "shop" });
      assertEquals(left, [], "the next start of Odoo would update again");
    }
  });
}

Deno.test("upgrade.sh ends Odoo and puts back what is half-way when the kubelet ends the Job", async () => {
  await freshDatabase();
  const ending = await run({
    env: { DOUBLE_SQL: HALF_WAY, DOUBLE_EXIT: "wait for SIGTERM" },
    meanwhile: async (script) => {
      await eventually("Odoo has begun", async () => (await states()).sale === "to upgrade");
      script.kill("SIGTERM");
    },
  });
  assertEquals([ending.code, reportOf(ending).reason], [1, "Interrupted"], ending.log);
  assertEquals(await states(), BEFORE);
});

/** Lets nobody in, for as long as `work` takes. */
async function lockedOut(work: () => Promise<void>): Promise<void> {
  const refusals = async () => (await Deno.readTextFile(server.logPath)).split("too many connections for role").length;
  const before = await refusals();
  await query(server, { sql: "alter role tenant connection limit 0" });
  await work();
  await eventually("the script was refused", async () => await refusals() > before);
}

function letIn(): Promise<unknown> {
  return query(server, { sql: "alter role tenant connection limit -1" });
}

Deno.test("upgrade.sh waits for a PostgreSQL that lets nobody in, and then puts back what is half-way", async () => {
  await freshDatabase();
  const ending = await run({
    env: { DOUBLE_SQL: HALF_WAY, DOUBLE_EXIT: "wait for SIGTERM" },
    meanwhile: async (script) => {
      await eventually("Odoo has begun", async () => (await states()).sale === "to upgrade");
      await lockedOut(() => Promise.resolve(script.kill("SIGTERM")));
      await letIn();
    },
  });
  assertEquals([ending.code, reportOf(ending).reason], [1, "Interrupted"], ending.log);
  assertEquals(await states(), BEFORE);
});

Deno.test("upgrade.sh says that modules may be left half-way when PostgreSQL does not come back", async () => {
  await freshDatabase();
  const ending = await run({
    env: { DOUBLE_SQL: HALF_WAY, DOUBLE_EXIT: "wait for SIGTERM", UPGRADE_PATIENCE: "0.1" },
    meanwhile: async (script) => {
      await eventually("Odoo has begun", async () => (await states()).sale === "to upgrade");
      await lockedOut(() => Promise.resolve(script.kill("SIGTERM")));
    },
  }).finally(letIn);
  const { reason, error } = reportOf(ending);
  assertEquals([ending.code, reason], [1, "DatabaseUnreachable"], ending.log);
  assertStringIncludes(error, "modules may be left half-way: PostgreSQL says: ");
});

Deno.test("upgrade.sh leaves modules and the beginning of the log out of its message when they do not fit", async () => {
  const names = Array.from({ length: 300 }, (_, index) => `module_with_a_rather_long_name_${index}`);
  await freshDatabase();
  const insert = names.map((name) =>
    `insert into ir_module_module (name, state, latest_version)
    values ('${name}', 'installed', '18.0.1.0')`
  ).join("; ");
  const good = await run({ onDisk: [...ON_DISK, ...names], env: { DOUBLE_SQL: insert } });
  const { modules, more } = reportOf(good).fields;
  assert(Array.isArray(modules) && modules.length > 20, good.log);
  assertEquals(more, 300 - modules.length);
  await freshDatabase();
  const lines = Array.from({ length: 500 }, (_, index) => `line ${index} é ${"x".repeat(100)}`).join("\n");
  const bad = await run({ env: { DOUBLE_EXIT: "1", DOUBLE_LOG: `${lines}\nthe last words` } });
  const { log } = reportOf(bad);
  assert(log.length > 1000 && log.endsWith("the last words"), log);
});

Deno.test("upgrade.sh masks in its message what is secret in environment, configuration and addresses", async () => {
  await freshDatabase();
  const secrets = [PASSWORD, "smtp-secret-1", "pbkdf2-hash-of-master", "key-0123456789", "pw-in-url"];
  const log = `KeyError: ${secrets.slice(0, 4).join(" and ")} at https://user:pw-in-url@example.com/`;
  const ending = await run({
    env: { DOUBLE_EXIT: "255", DOUBLE_LOG: log, SMTP_PASSWORD: "smtp-secret-1", STRIPE_API_KEY: "key-0123456789" },
    config: "[options]\nadmin_passwd = pbkdf2-hash-of-master\nlist_db = False\n",
  });
  const { error } = reportOf(ending);
  assertStringIncludes(error, "KeyError: *** and *** and *** and *** at https://user:***@example.com/");
  for (const secret of secrets) assert(!ending.message?.includes(secret), secret);
});

for (const missing of ["UPGRADE_OWNER", "PGDATABASE"]) {
  Deno.test(`upgrade.sh does nothing when ${missing} is empty, and names it`, async () => {
    const { code, args, message, log } = await run({ env: { [missing]: "" } });
    assertEquals([code !== 0, args, message], [true, [], undefined]);
    assertStringIncludes(log, missing);
  });
}
