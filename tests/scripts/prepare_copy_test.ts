/**
 * scripts/prepare_copy.sh and prepare_copy_check.py, run by the real shell, Python and PostgreSQL around a double of Odoo: a program
 * of that name on the PATH that writes down its arguments, does to the database what it is told, and ends as it is told.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { pythonWithPsycopg2 } from "../support/python.ts";
import { query } from "../support/sql.ts";

const SCRIPTS = decodeURIComponent(new URL("../../scripts/", import.meta.url).pathname);
const PASSWORD = "tenant-password";
const FILE = `ab/ab${"0".repeat(38)}`;
const OTHER = `cd/cd${"1".repeat(38)}`;

const ODOO_DOUBLE = `
import os, sys
if sys.argv[1:] == ["--version"]:
    print(os.environ["DOUBLE_VERSION"])
    sys.exit(0)
print("odoo says", os.environ["PGPASSWORD"])
with open(os.environ["DOUBLE_LOG"], "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
import psycopg2
connection = psycopg2.connect(dbname=os.environ["PGDATABASE"])
connection.cursor().execute(os.environ["DOUBLE_UPDATE" if "-u" in sys.argv else "DOUBLE_NEUTRALIZE"])
connection.commit()
sys.exit(int(os.environ["DOUBLE_EXIT"]))
`;

/** What Odoo keeps, as far as somebody looks at it, of an instance that is alive. */
const LIVE = `
create table ir_module_module (id serial primary key, name varchar unique, state varchar, latest_version varchar);
insert into ir_module_module (name, state, latest_version) values ('base', 'installed', '19.0.1.3'), ('crm', 'installed', '19.0.1.0');
create table ir_config_parameter (id serial primary key, key varchar unique, value text, create_uid int, write_uid int,
  create_date timestamp, write_date timestamp);
insert into ir_config_parameter (key, value) values ('database.uuid', 'old-uuid'), ('database.secret', 'old-secret'),
  ('database.create_date', '2020-01-01 00:00:00'), ('web.base.url', 'https://old.example.com'), ('report.url', 'http://old:8069');
create table ir_mail_server (id serial primary key, name varchar, smtp_host varchar, smtp_port int, smtp_encryption varchar,
  smtp_authentication varchar, active boolean);
insert into ir_mail_server (name, smtp_host, active) values ('real', 'smtp.example.com', true);
create table fetchmail_server (id serial primary key, name varchar, active boolean);
insert into fetchmail_server (name, active) values ('inbox', true);
create table ir_cron (id serial primary key, active boolean);
insert into ir_cron (active) values (true), (true);
create table ir_model_data (id serial primary key, model varchar, module varchar, name varchar, res_id int);
insert into ir_model_data (model, module, name, res_id) values ('ir.cron', 'base', 'autovacuum_job', 1);
create table ir_attachment (id serial primary key, store_fname varchar);
insert into ir_attachment (store_fname) values ('${FILE}'), ('${FILE}'), ('${OTHER}'), (null);
`;

/** As base/data/neutralize.sql of Odoo has it. */
const NEUTRALIZE = `
insert into ir_config_parameter (key, value) values ('database.is_neutralized', true) on conflict (key) do update set value = true;
update ir_mail_server set active = false;
insert into ir_mail_server (name, smtp_port, smtp_host, smtp_encryption, active, smtp_authentication)
  values ('neutralization - disable emails', 1025, 'invalid', 'none', true, 'login');
update fetchmail_server set active = false;
update ir_cron set active = false where id not in (select res_id from ir_model_data where model = 'ir.cron' and name = 'autovacuum_job')`;

let server: PostgresServer;
let python: string;

Deno.test.beforeAll(async () => {
  python = await pythonWithPsycopg2();
  server = await startPostgres();
  await query(server, { sql: `create role tenant login password '${PASSWORD}' nosuperuser nocreatedb` });
});
Deno.test.afterAll(() => server?.[Symbol.asyncDispose]());

interface Ending {
  readonly code: number;
  readonly report: Readonly<Record<string, unknown>>;
  /** Arguments of each call of Odoo. */
  readonly calls: readonly string[];
  readonly log: string;
}

interface Run {
  readonly env?: Readonly<Record<string, string>>;
  /** Done to the database before. */
  readonly sql?: string;
  /** Files that are there, below the directory of the copy. */
  readonly files?: readonly string[];
}

async function run({ env = {}, sql = "", files = [FILE, OTHER] }: Run = {}): Promise<Ending> {
  await query(server, { sql: "drop database if exists side with (force)" });
  await query(server, { sql: "create database side owner tenant template template0" });
  await query(server, { sql: LIVE + sql, database: "side", user: "tenant", password: PASSWORD });
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/odoo`, `#!${python}${ODOO_DOUBLE}`, { mode: 0o755 });
    await Deno.symlink(python, `${folder}/python3`);
    for (const name of files) {
      await Deno.mkdir(`${folder}/files/${name.slice(0, 2)}`, { recursive: true });
      await Deno.writeTextFile(`${folder}/files/${name}`, "x");
    }
    const [script = "", ...texts] = await Promise.all(
      ["prepare_copy.sh", "job_database.py", "prepare_copy_check.py"].map((name) =>
        Deno.readTextFile(`${SCRIPTS}${name}`)
      ),
    );
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", script, "prepare_copy.sh", ...texts],
      clearEnv: true,
      env: {
        PATH: `${folder}:${Deno.env.get("PATH")}`,
        DOUBLE_VERSION: "Odoo Server 19.0-20260101",
        PREPARE_NEUTRALIZE: "true",
        PREPARE_UPDATE: "false",
        PREPARE_REPORT_URL: "http://shop:8069",
        PREPARE_BASE_URL: "https://shop.example.com",
        PREPARE_FILES: `${folder}/files`,
        PREPARE_FILES_EXPECTED: "2",
        PGHOST: server.host,
        PGPORT: String(server.port),
        PGUSER: "tenant",
        PGPASSWORD: PASSWORD,
        PGDATABASE: "side",
        DOUBLE_UPDATE: "select 1",
        DOUBLE_NEUTRALIZE: NEUTRALIZE,
        DOUBLE_EXIT: "0",
        DOUBLE_LOG: `${folder}/calls`,
        TERMINATION_LOG: `${folder}/message`,
        ...env,
      },
    }).output();
    const log = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    const message = await textOf(`${folder}/message`);
    assert(message.length > 0 && message.length <= 4096, `no report that the kubelet would keep: ${log}`);
    assert(!message.includes(PASSWORD), "the password is in the report");
    const calls = (await textOf(`${folder}/calls`)).split("\n").filter(Boolean);
    return { code, report: JSON.parse(message), calls, log };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

function side(sql: string): Promise<Record<string, unknown>[]> {
  return query(server, { sql, database: "side" });
}

async function parameters(): Promise<Record<string, unknown>> {
  const rows = await side("select key, value from ir_config_parameter order by key");
  return Object.fromEntries(rows.map(({ key, value }) => [String(key), value]));
}

Deno.test("prepare_copy.sh leaves a copy that sends nothing, runs nothing and is nobody else", async () => {
  const { code, report, calls, log } = await run();
  assertEquals(code, 0, log);
  const { seconds, ...rest } = report;
  assert(Number(seconds) < 60);
  assertEquals(rest, {
    ok: true,
    neutralized: true,
    updated: false,
    odoo: "19.0.1.3",
    modules: 2,
    attachments: 2,
    missingFiles: 0,
    missing: [],
  });
  assertEquals(calls, ["neutralize -c /etc/odoo/odoo.conf -d side"]);
  const after = await parameters();
  assertEquals([after["web.base.url"], after["report.url"]], ["https://shop.example.com", "http://shop:8069"]);
  for (const [key, old] of [["uuid", "old-uuid"], ["secret", "old-secret"], ["create_date", "2020-01-01 00:00:00"]]) {
    assert(after[`database.${key}`] !== old, `${key} is that of the original`);
  }
  assertEquals(await side("select smtp_host from ir_mail_server where active"), [{ smtp_host: "invalid" }]);
  assertEquals(await side("select id from ir_cron where active"), [{ id: 1 }]);
  assertEquals(await side("select id from fetchmail_server where active"), []);
});

Deno.test("prepare_copy.sh leads mail to the sink, and keeps one server only, when a sink is given", async () => {
  const { code, log } = await run({
    env: { PREPARE_MAIL_HOST: "mail.sink", PREPARE_MAIL_PORT: "2525", PREPARE_MAIL_ENCRYPTION: "starttls" },
    sql: NEUTRALIZE, // of a copy of a copy
  });
  assertEquals(code, 0, log);
  assertEquals(await side("select name, smtp_host, smtp_port, smtp_encryption from ir_mail_server where active"), [
    { name: "Mail sink (odoo-operator)", smtp_host: "mail.sink", smtp_port: 2525, smtp_encryption: "starttls" },
  ]);
});

Deno.test("prepare_copy.sh changes only where reports are fetched when it is not to neutralize", async () => {
  const { code, report, calls, log } = await run({ env: { PREPARE_NEUTRALIZE: "false" } });
  assertEquals([code, report.neutralized, calls], [0, false, []], log);
  assertEquals(await parameters(), {
    "database.uuid": "old-uuid",
    "database.secret": "old-secret",
    "database.create_date": "2020-01-01 00:00:00",
    "web.base.url": "https://old.example.com",
    "report.url": "http://shop:8069",
  });
  assertEquals(await side("select count(*)::int as n from ir_mail_server where active"), [{ n: 1 }]);
});

Deno.test("prepare_copy.sh updates before it neutralizes, with all mail off", async () => {
  const { code, calls, log } = await run({
    env: {
      PREPARE_UPDATE: "true",
      DOUBLE_UPDATE:
        "do $$ begin if exists (select from ir_mail_server where active) then raise 'mail is on'; end if; end $$",
    },
  });
  assertEquals(code, 0, log);
  assertEquals(calls, [
    "-c /etc/odoo/odoo.conf -d side -u all --stop-after-init --no-http --limit-memory-hard=0 --limit-time-real=0 --limit-time-cpu=0",
    "neutralize -c /etc/odoo/odoo.conf -d side",
  ]);
});

Deno.test("prepare_copy.sh counts files that are not there, and names some", async () => {
  const hostile = "insert into ir_attachment (store_fname) values ('../../../etc/passwd')";
  const { code, report } = await run({ files: [FILE], sql: hostile });
  assertEquals([code, report.attachments, report.missingFiles], [0, 3, 2]);
  assertEquals([...report.missing as string[]].sort(), ["../../../etc/passwd", OTHER]);
});

Deno.test("prepare_copy.sh does not ask for files when the copy has none", async () => {
  const { code, report, log } = await run({ files: [], env: { PREPARE_FILES: "", PREPARE_FILES_EXPECTED: "" } });
  assertEquals([code, report.attachments, report.missingFiles], [0, 2, 0], log);
});

/** Copies that must not be served. */
const REFUSED: Readonly<Record<string, Run & { readonly reason: string; readonly says: string }>> = {
  "no file is there though the backup had some": { files: [], reason: "FilestoreMissing", says: "None of the 2 files" },
  "odoo neutralize says nothing and does nothing": {
    env: { DOUBLE_NEUTRALIZE: "select 1" },
    reason: "NotNeutralized",
    says: "database.is_neutralized is not set",
  },
  "a mail server is still active": {
    env: { DOUBLE_NEUTRALIZE: `${NEUTRALIZE}; update ir_mail_server set active = true` },
    reason: "NotNeutralized",
    says: "mail server smtp.example.com",
  },
  "mail is still fetched": {
    env: { DOUBLE_NEUTRALIZE: `${NEUTRALIZE}; update fetchmail_server set active = true` },
    reason: "NotNeutralized",
    says: "incoming mail server inbox",
  },
  "a scheduled action is still active": {
    env: { DOUBLE_NEUTRALIZE: `${NEUTRALIZE}; update ir_cron set active = true` },
    reason: "NotNeutralized",
    says: "scheduled action 2",
  },
  "odoo neutralize fails": { env: { DOUBLE_EXIT: "7" }, reason: "NeutralizeFailed", says: "ended with code 7" },
  "the update fails": {
    env: { PREPARE_UPDATE: "true", DOUBLE_EXIT: "255" },
    reason: "UpdateFailed",
    says: "ended with code 255",
  },
  "the update leaves a module half-way": {
    env: {
      PREPARE_UPDATE: "true",
      DOUBLE_UPDATE: "update ir_module_module set state = 'to upgrade' where name = 'crm'",
    },
    reason: "ModulesLeftHalfWay",
    says: "crm (to upgrade)",
  },
  "the copy holds no Odoo": {
    sql: "; drop table ir_module_module",
    env: { DOUBLE_NEUTRALIZE: "select 1" },
    reason: "NotOdoo",
    says: "ir_module_module",
  },
  "PostgreSQL refuses the login": {
    env: { PGPASSWORD: "wrong" },
    reason: "DatabaseUnreachable",
    says: "refused the connection",
  },
};

for (const [sentence, { reason, says, ...what }] of Object.entries(REFUSED)) {
  Deno.test(`prepare_copy.sh fails, and says so, when ${sentence}`, async () => {
    const { code, report, log } = await run(what);
    assertEquals([code, report.ok, report.reason], [1, false, reason], log);
    assertStringIncludes(String(report.error), says);
    if (reason.endsWith("Failed")) assertStringIncludes(String(report.log), "odoo says ***");
    if (reason === "NotNeutralized") assertEquals((await parameters())["database.uuid"], "old-uuid");
  });
}
