/**
 * scripts/init.sh and init_check.py, run by the real shell, Python and PostgreSQL around a double of Odoo: a program of that
 * name on the PATH that writes down its arguments, does to the database what it is told, and ends as it is told.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { pbkdf2Sync } from "node:crypto";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { isRecord, listOf, numberOf, parseReport } from "../../src/odoo/model/operations/reports/report.ts";
import { formatOwnership, parseOwnership } from "../../src/odoo/model/postgres/database.ts";
import { lets } from "../support/odoo_hash.ts";
import { pythonWithPsycopg2 } from "../support/python.ts";
import { query } from "../support/sql.ts";

const SCRIPTS = decodeURIComponent(new URL("../../scripts/", import.meta.url).pathname);
const UID = "0b8f1f5e-7f2c-4f6e-9d3a-0000000000a1";
const ADMIN_PASSWORD = "generated-for-admin";

const ODOO_DOUBLE = `
import os, sys
if sys.argv[1:] == ["--version"]:
    print(os.environ["DOUBLE_VERSION"])
    sys.exit(int(os.environ["DOUBLE_VERSION_EXIT"]))
if "INIT_ADMIN_PASSWORD" in os.environ:
    sys.exit("the modules see the password")
with open(os.environ["DOUBLE_LOG"], "a") as log:
    log.writelines(word + "\\n" for word in sys.argv[1:])
if os.environ["DOUBLE_SQL"]:
    import psycopg2
    connection = psycopg2.connect(dbname=os.environ["PGDATABASE"])
    connection.cursor().execute(os.environ["DOUBLE_SQL"])
    connection.commit()
sys.exit(int(os.environ["DOUBLE_EXIT"]))
`;

/** What Odoo makes, as far as somebody looks at it, and things of the kinds that it makes beside tables. */
const TABLES = `
create table ir_module_module (id serial primary key, name varchar unique, state varchar, latest_version varchar);
create table ir_config_parameter (id serial primary key, key varchar unique, value text, create_uid int, write_uid int,
  create_date timestamp, write_date timestamp);
create table res_users (id serial primary key, login varchar unique, password varchar);
create table res_lang (id serial primary key, code varchar unique, active boolean);
create sequence ir_sequence_001;
create view report_users as select login from res_users;
insert into res_lang (code, active) values ('en_US', true), ('fr_CA', true), ('nl_BE', false);
`;
const BASE = "insert into ir_module_module (name, state, latest_version) values ('base', 'installed', '18.0.1.3')";

function installed(...names: readonly string[]): string {
  const literal = (name: string) => `'${name.replaceAll("'", "''")}'`;
  return names.map((name) =>
    `; insert into ir_module_module (name, state, latest_version) values (${literal(name)}, 'installed', '18.0.1.0')`
  ).join("");
}

const ADMIN = "; insert into res_users (id, login, password) values (1, '__system__', null), (2, 'admin', 'admin')";
const GOOD = `${TABLES}${BASE}${installed("sale", "crm", "account")}${ADMIN}`;

const STANDARD = [
  "-c",
  "/etc/odoo/odoo.conf",
  "-d",
  "shop",
  "-i",
  "sale,crm",
  "--stop-after-init",
  "--no-http",
  "--limit-memory-hard=0",
  "--limit-time-real=0",
  "--limit-time-cpu=0",
];

let server: PostgresServer;
let python: string;

Deno.test.beforeAll(async () => {
  python = await pythonWithPsycopg2();
  server = await startPostgres();
  await query(server, { sql: "create role tenant login password 'tenant-password' nosuperuser nocreatedb" });
});
Deno.test.afterAll(() => server?.[Symbol.asyncDispose]());

/** An empty database `shop` of the tenant, signed as the operator signs it. */
async function freshDatabase(comment: string = formatOwnership({ uid: UID })): Promise<void> {
  await query(server, { sql: "drop database if exists shop with (force)" });
  await query(server, { sql: "create database shop owner tenant encoding 'UTF8' lc_collate 'C' template template0" });
  await query(server, { sql: `comment on database shop is '${comment}'` });
}

function shop(sql: string): Promise<Record<string, unknown>[]> {
  return query(server, { sql, database: "shop" });
}

async function comment(): Promise<unknown> {
  const [row] = await shop(
    "select shobj_description(oid, 'pg_database') as text from pg_database where datname = 'shop'",
  );
  return row?.text;
}

const markOf = (progress: string, uid = UID) => JSON.stringify({ "bemade.org/owner": uid, init: progress });

interface Ending {
  readonly code: number;
  /** Arguments of the call that installs; empty if there was none. */
  readonly args: readonly string[];
  /** What the kubelet would read; `undefined` if nothing was written. */
  readonly message: string | undefined;
  /** All that was printed. */
  readonly log: string;
}

async function run(environment: Readonly<Record<string, string>> = {}): Promise<Ending> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/odoo`, `#!${python}${ODOO_DOUBLE}`, { mode: 0o755 });
    await Deno.symlink(python, `${folder}/python3`);
    const [shared, check] = [await scriptText("job_database.py"), await scriptText("init_check.py")];
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", await scriptText("init.sh"), "init.sh", shared, check],
      clearEnv: true,
      env: {
        PATH: `${folder}:${Deno.env.get("PATH")}`,
        INIT_MODULES: "sale,crm",
        INIT_LANGUAGES: "",
        INIT_DEMO: "false",
        INIT_OWNER: UID,
        INIT_REPORT_URL: "http://shop:8069",
        INIT_BASE_URL: "https://shop.example.com",
        INIT_ADMIN_PASSWORD: ADMIN_PASSWORD,
        PGHOST: server.host,
        PGPORT: String(server.port),
        PGUSER: "tenant",
        PGPASSWORD: "tenant-password",
        PGDATABASE: "shop",
        DOUBLE_VERSION: "Odoo Server 18.0-20260101",
        DOUBLE_VERSION_EXIT: "0",
        DOUBLE_SQL: GOOD,
        DOUBLE_EXIT: "0",
        DOUBLE_LOG: `${folder}/arguments`,
        TERMINATION_LOG: `${folder}/message`,
        ...environment,
      },
    }).output();
    const args = (await textOf(`${folder}/arguments`))?.trimEnd().split("\n") ?? [];
    const log = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return { code, args, message: await textOf(`${folder}/message`), log };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function scriptText(name: string): Promise<string> {
  return Deno.readTextFile(`${SCRIPTS}${name}`);
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The report; throws where the kubelet would find none, or more than it reads. */
function reportOf({ message = "", log }: Ending) {
  const report = parseReport(message);
  assert(report, `no report: ${message}\n${log}`);
  assert(new TextEncoder().encode(message).length <= 4000, "the kubelet would cut it");
  const { ok, error, fields } = report;
  const { odoo, seconds, installed, languages } = fields;
  const modules = listOf(fields.modules).filter(isRecord);
  return { ok, error, odoo, seconds, installed, languages, modules };
}

/** `admin`, as Odoo hashes it. */
const HASH_OF_ADMIN = `$pbkdf2-sha512$25000$c2FsdHNhbHRzYWx0c2FsdA$${
  pbkdf2Sync("admin", "saltsaltsaltsalt", 25_000, 64, "sha512").toString("base64").replaceAll("+", ".")
    .replaceAll("=", "")
}`;

const FLAGS: Readonly<
  Record<string, { readonly version: string; readonly demo: string; readonly want: readonly string[] }>
> = {
  "16 without demo data": { version: "Odoo Server 16.0-20260101", demo: "false", want: ["--without-demo=all"] },
  "16 with demo data": { version: "Odoo Server 16.0-20260101", demo: "true", want: [] },
  "17 without demo data": { version: "Odoo Server 17.0-20260101", demo: "false", want: ["--without-demo=all"] },
  "18 with demo data": { version: "Odoo Server 18.0-20260101", demo: "true", want: [] },
  "19 without demo data": { version: "Odoo Server 19.0-20260101", demo: "false", want: [] },
  "19 with demo data": { version: "Odoo Server 19.0-20260101", demo: "true", want: ["--with-demo"] },
  "20 without demo data": { version: "Odoo Server 20.0", demo: "false", want: [] },
  "20 with demo data": { version: "Odoo Server 20.0", demo: "true", want: ["--with-demo"] },
  "an online version of 17": {
    version: "Odoo Server saas~17.4+e-20260101",
    demo: "false",
    want: ["--without-demo=all"],
  },
};

for (const [sentence, { version, demo, want }] of Object.entries(FLAGS)) {
  Deno.test(`init.sh passes ${want.join(" ") || "nothing more"} to Odoo when it is ${sentence}`, async () => {
    await freshDatabase();
    const ending = await run({ DOUBLE_VERSION: version, INIT_DEMO: demo });
    assertEquals(ending.args, [...STANDARD, ...want]);
    assertEquals([ending.code, reportOf(ending).odoo], [0, version.replace("Odoo Server ", "")], ending.log);
  });
}

Deno.test("init.sh tells what is installed, and leaves settings and a login that nobody knows when all went well", async () => {
  await freshDatabase();
  const ending = await run({ INIT_LANGUAGES: "fr_CA" });
  assertEquals(ending.args.at(-1), "--load-language=fr_CA");
  const { seconds, ...report } = reportOf(ending);
  assertEquals(report, {
    ok: true,
    error: "",
    odoo: "18.0-20260101",
    installed: 4,
    languages: ["en_US", "fr_CA"],
    modules: [
      { name: "sale", state: "installed", version: "18.0.1.0" },
      { name: "crm", state: "installed", version: "18.0.1.0" },
    ],
  });
  assert(numberOf(seconds) < 60, `it took ${seconds} seconds`);
  assertEquals(await shop("select key, value, write_uid from ir_config_parameter order by key"), [
    { key: "report.url", value: "http://shop:8069", write_uid: 1 },
    { key: "web.base.url", value: "https://shop.example.com", write_uid: 1 },
    { key: "web.base.url.freeze", value: "True", write_uid: 1 },
  ]);
  const [user] = await shop("select password from res_users where login = 'admin'");
  assertEquals([lets(user?.password, ADMIN_PASSWORD), lets(user?.password, "admin")], [true, false]);
  assertEquals(await comment(), markOf("finished"));
  assertEquals(parseOwnership(String(await comment())), { uid: UID });
  for (const secret of [ADMIN_PASSWORD, "tenant-password"]) {
    assert(!JSON.stringify(ending).includes(secret), "a password is in the log, the message or an argument");
  }
});

const PASSWORDS: Readonly<Record<string, { readonly given: string; readonly replaced: boolean }>> = {
  "replaces the hash of admin": { given: HASH_OF_ADMIN, replaced: true },
  "keeps a password that a module has set": {
    given: HASH_OF_ADMIN.replace("c2FsdHNhbHRzYWx0c2FsdA", "b3RoZXJvdGhlcm90aGVybw"),
    replaced: false,
  },
};

for (const [sentence, { given, replaced }] of Object.entries(PASSWORDS)) {
  Deno.test(`init_check.py ${sentence}`, async () => {
    await freshDatabase();
    const ending = await run({ DOUBLE_SQL: `${GOOD}; update res_users set password = '${given}' where id = 2` });
    assertEquals(ending.code, 0, ending.log);
    const [user] = await shop("select password from res_users where id = 2");
    assertEquals(user?.password !== given, replaced);
    assertEquals(lets(user?.password, ADMIN_PASSWORD), replaced);
  });
}

const LIES: Readonly<
  Record<string, { readonly sql: string; readonly env?: Record<string, string>; readonly says: string }>
> = {
  "a module is unknown to the image": {
    sql: `${TABLES}${BASE}${installed("sale")}${ADMIN}`,
    says: "the image has no module crm",
  },
  "a module of an awkward name is unknown to the image": {
    sql: GOOD,
    env: { INIT_MODULES: `sale,"quoted\\",it's` },
    says: `the image has no module "quoted\\", it's`,
  },
  "a module was not installed": {
    sql: `${GOOD}; update ir_module_module set state = 'uninstalled' where name = 'crm'`,
    says: "not installed: crm",
  },
  "a module that nobody asked for is left half-way": {
    sql: `${GOOD}; update ir_module_module set state = 'to upgrade' where name = 'account'`,
    says: "left half-way: account (to upgrade)",
  },
  "a language was not loaded": { sql: GOOD, env: { INIT_LANGUAGES: "nl_BE" }, says: "languages not loaded: nl_BE" },
  "the login admin has a password in an unknown form": {
    sql: `${GOOD}; update res_users set password = '$argon2id$v=19$whatever'`,
    says: "it may be admin",
  },
};

for (const [sentence, { sql, env = {}, says }] of Object.entries(LIES)) {
  Deno.test(`init.sh fails and says so, though Odoo ends with 0, when ${sentence}`, async () => {
    await freshDatabase();
    const ending = await run({ DOUBLE_SQL: sql, ...env });
    const { ok, error } = reportOf(ending);
    assertEquals([ending.code, ok], [1, false]);
    assertStringIncludes(error, says);
    assertEquals(await shop("select key from ir_config_parameter"), []);
    assertEquals(await comment(), markOf("started"));
  });
}

Deno.test("init_check.py leaves modules out of its message, and counts them, when they do not fit", async () => {
  await freshDatabase();
  const names = Array.from({ length: 300 }, (_, index) => `module_with_a_rather_long_name_${index}`);
  const good = await run({ INIT_MODULES: names.join(","), DOUBLE_SQL: `${GOOD}${installed(...names)}` });
  const { modules } = reportOf(good);
  assertEquals(good.code, 0, good.log);
  assert(modules.length > 20, `only ${modules.length} modules are named`);
  assertEquals(JSON.parse(good.message ?? "").more, 300 - modules.length);
  await freshDatabase();
  const bad = await run({ INIT_MODULES: names.slice(0, 60).map((name) => `${name}é`.repeat(20)).join(",") });
  assertStringIncludes(reportOf(bad).error, "the image has no module module_with_a_rather_long_name_0");
});

Deno.test("init.sh ends as Odoo ends, without a message, when the installation fails", async () => {
  await freshDatabase();
  const { code, args, message } = await run({ DOUBLE_EXIT: "7" });
  assertEquals([code, args.length > 0, message], [7, true, undefined]);
  assertEquals(await comment(), markOf("started"));
});

Deno.test("init.sh begins again with nothing when its last attempt was not finished", async () => {
  await freshDatabase();
  const many = Array.from({ length: 230 }, (_, index) => `create table t${index} (id serial primary key)`).join("; ");
  await run({ DOUBLE_EXIT: "1", DOUBLE_SQL: `${GOOD}; ${many}` });
  assertEquals((await shop("select count(*)::int as n from pg_tables where tablename ~ '^t[0-9]'"))[0]?.n, 230);
  const ending = await run(); // its tables, sequence and view would collide with what is left
  assertEquals([ending.code, reportOf(ending).ok], [0, true], ending.log);
  assertEquals((await shop("select count(*)::int as n from pg_tables where tablename ~ '^t[0-9]'"))[0]?.n, 0);
  assertEquals(await comment(), markOf("finished"));
});

const FOREIGN: Readonly<Record<string, string>> = {
  "that no initialisation began": formatOwnership({ uid: UID }),
  "whose initialisation was finished": markOf("finished"),
  "that another instance began": markOf("started", "another-uid"),
  "with a comment of somebody else": "the crown jewels",
};

for (const [which, mark] of Object.entries(FOREIGN)) {
  Deno.test(`init.sh refuses a database with Odoo in it ${which}, and touches nothing`, async () => {
    await freshDatabase(mark);
    await query(server, { sql: GOOD, database: "shop", user: "tenant", password: "tenant-password" });
    const ending = await run();
    const { ok, error } = reportOf(ending);
    assertEquals([ending.code, ok, ending.args], [1, false, []]);
    assertStringIncludes(error, "Set spec.database.name to another name");
    assertEquals((await shop("select count(*)::int as n from ir_module_module"))[0]?.n, 4);
    assertEquals(await comment(), mark);
  });
}

Deno.test("init.sh installs nothing when PostgreSQL refuses the login, and its words are in the log", async () => {
  await freshDatabase();
  const { code, args, message, log } = await run({ PGPASSWORD: "wrong" });
  assertEquals([code, args, message], [1, [], undefined]);
  assertStringIncludes(log, "password authentication failed");
});

for (
  const [what, environment, code] of [
    ["cannot say its version", { DOUBLE_VERSION_EXIT: "3" }, 3],
    ["has a version that cannot be read", { DOUBLE_VERSION: "Open ERP" }, 1],
  ] as const
) {
  Deno.test(`init.sh installs nothing when Odoo ${what}`, async () => {
    await freshDatabase();
    const ending = await run(environment);
    assertEquals([ending.code, ending.args, ending.message], [code, [], undefined]);
  });
}

for (
  const missing of [
    "INIT_MODULES",
    "INIT_DEMO",
    "INIT_OWNER",
    "INIT_REPORT_URL",
    "INIT_BASE_URL",
    "INIT_ADMIN_PASSWORD",
    "PGDATABASE",
  ]
) {
  Deno.test(`init.sh installs nothing when ${missing} is empty, and names it`, async () => {
    const { code, args, message, log } = await run({ [missing]: "" });
    assertEquals([code !== 0, args, message], [true, [], undefined]);
    assertStringIncludes(log, missing);
  });
}

Deno.test("init.sh gives modules to Odoo as one word, whatever is in it", async () => {
  await freshDatabase();
  const hostile = "base; exit 0 $(id) *";
  const { args } = await run({ INIT_MODULES: hostile });
  assertEquals(args[args.indexOf("-i") + 1], hostile);
});
