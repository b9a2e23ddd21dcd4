/**
 * What init.sh, upgrade.sh and prepare_copy.sh ask before they touch a database: whether the image's Odoo may work on this
 * server. Real shell, Python and PostgreSQL 15, around a double of Odoo: a program that tells its version, and a package of
 * that name that tells, or does not, what it needs.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { formatOwnership } from "../../src/odoo/model/postgres/database.ts";
import { parseReport } from "../../src/odoo/model/operations/reports/report.ts";
import { MIN_POSTGRES } from "../../src/odoo/model/instance/version_profile.ts";
import { debianPostgres } from "../support/debian_postgres.ts";
import { pythonWithPsycopg2 } from "../support/python.ts";
import { query } from "../support/sql.ts";

const SCRIPTS = decodeURIComponent(new URL("../../scripts/", import.meta.url).pathname);
const UID = "0b8f1f5e-7f2c-4f6e-9d3a-0000000000a1";

/** Runs with what a database must have for init.sh to call itself done. */
const ODOO_DOUBLE = `
import os, sys
if sys.argv[1:] == ["--version"]:
    print("Odoo Server " + os.environ["DOUBLE_VERSION"])
    sys.exit(0)
import psycopg2
connection = psycopg2.connect(dbname=os.environ["PGDATABASE"])
connection.cursor().execute("""
create table ir_module_module (name varchar, state varchar, latest_version varchar);
insert into ir_module_module values ('base', 'installed', '1.3');
create table ir_config_parameter (key varchar unique, value text, create_uid int, write_uid int, create_date timestamp,
  write_date timestamp);
create table res_users (id int, login varchar, password varchar);
create table res_lang (code varchar, active boolean)""")
connection.commit()
`;

const CHECKS = { init: "init_check.py", upgrade: "upgrade_run.py", prepare_copy: "prepare_copy_check.py" } as const;
type Script = keyof typeof CHECKS;

const SETTINGS: Readonly<Record<Script, Readonly<Record<string, string>>>> = {
  init: {
    INIT_MODULES: "base",
    INIT_LANGUAGES: "",
    INIT_DEMO: "false",
    INIT_OWNER: UID,
    INIT_REPORT_URL: "http://shop:8069",
    INIT_BASE_URL: "https://shop.example.com",
    INIT_ADMIN_PASSWORD: "generated",
  },
  upgrade: { UPGRADE_MODULES: "base", UPGRADE_INSTALL: "", UPGRADE_OWNER: UID },
  prepare_copy: {
    PREPARE_NEUTRALIZE: "true",
    PREPARE_UPDATE: "true",
    PREPARE_REPORT_URL: "http://shop:8069",
    PREPARE_BASE_URL: "https://shop.example.com",
  },
};

let server: PostgresServer;
let python: string;

Deno.test.beforeAll(async () => {
  python = await pythonWithPsycopg2();
  server = await startPostgres({ programs: await debianPostgres() });
  await query(server, { sql: "create role tenant login password 'tenant-password' nosuperuser nocreatedb" });
});
Deno.test.afterAll(() => server?.[Symbol.asyncDispose]());

interface Image {
  readonly version: string;
  /** What its code says that it needs. @default {nothing: it cannot be asked} */
  readonly needs?: number;
}

async function run(script: Script, { version, needs }: Image) {
  await query(server, { sql: "drop database if exists shop with (force)" });
  await query(server, { sql: "create database shop owner tenant encoding 'UTF8' lc_collate 'C' template template0" });
  await query(server, { sql: `comment on database shop is '${formatOwnership({ uid: UID })}'` });
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/odoo`, `#!${python}${ODOO_DOUBLE}`, { mode: 0o755 });
    await Deno.symlink(python, `${folder}/python3`);
    await Deno.mkdir(`${folder}/python/odoo`, { recursive: true });
    await Deno.writeTextFile(`${folder}/python/odoo/__init__.py`, needs ? "" : "raise ImportError");
    await Deno.writeTextFile(`${folder}/python/odoo/release.py`, `MIN_PG_VERSION = ${needs ?? 0}`);
    const texts = await Promise.all(
      [`${script}.sh`, "job_database.py", CHECKS[script]].map((name) => Deno.readTextFile(`${SCRIPTS}${name}`)),
    );
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", texts[0] ?? "", `${script}.sh`, ...texts.slice(1)],
      clearEnv: true,
      env: {
        ...SETTINGS[script],
        PATH: `${folder}:${Deno.env.get("PATH")}`,
        PYTHONPATH: `${folder}/python`,
        PGHOST: server.host,
        PGPORT: String(server.port),
        PGUSER: "tenant",
        PGPASSWORD: "tenant-password",
        PGDATABASE: "shop",
        DOUBLE_VERSION: version,
        TERMINATION_LOG: `${folder}/message`,
      },
    }).output();
    const log = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    const message = await Deno.readTextFile(`${folder}/message`).catch(() => "");
    return { code, log, report: parseReport(message) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const TOO_OLD = "PostgresTooOld";

/** What the image has, and how it is refused. */
const REFUSED: Readonly<
  Record<string, { readonly given: Image; readonly reason: string; readonly says: string }>
> = {
  "the server is too old for 20": {
    given: { version: "20.0-20261001" },
    reason: TOO_OLD,
    says: "Odoo 20.0-20261001 needs PostgreSQL 16, and the server is PostgreSQL 15",
  },
  "the code needs more than its version does": {
    given: { version: "19.0", needs: 17 },
    reason: TOO_OLD,
    says: "Odoo 19.0 needs PostgreSQL 17, and the server is PostgreSQL 15",
  },
  "the server is too old for a version that nobody knows": {
    given: { version: "saas~22.1+e" },
    reason: TOO_OLD,
    says: "needs PostgreSQL 16",
  },
  "Odoo is older than all that are known": {
    given: { version: "15.0-20221001" },
    reason: "OdooVersionUnsupported",
    says: "The image has Odoo 15.0-20221001, and the operator runs 16 to 20",
  },
};

for (const script of ["init", "upgrade", "prepare_copy"] as const) {
  for (const [sentence, { given, reason, says }] of Object.entries(REFUSED)) {
    Deno.test(`${script}.sh touches nothing and says why when ${sentence}`, async () => {
      const { code, report, log } = await run(script, given);
      assertEquals([code, report?.ok, report?.reason], [1, false, reason], log);
      assertStringIncludes(report?.error ?? "", says);
      const [mark] = await query(server, {
        sql: "select shobj_description(oid, 'pg_database') as text from pg_database where datname = 'shop'",
      });
      assertEquals(mark?.text, formatOwnership({ uid: UID }));
      const tables = await query(server, {
        sql: "select 1 from pg_tables where schemaname = 'public'",
        database: "shop",
      });
      assertEquals(tables, []);
    });
  }
}

/** What the image has, and whether its version is told to be unknown. */
const GOES_ON: Readonly<Record<string, { readonly given: Image; readonly want: string | undefined }>> = {
  "the code needs less than its version does": { given: { version: "20.0", needs: 15 }, want: undefined },
  "the server is new enough for 19": { given: { version: "19.0" }, want: undefined },
  "Odoo is newer than all that are known": {
    given: { version: "21.0", needs: 15 },
    want: "Odoo 21.0 is newer than 20, the newest that the operator knows",
  },
};

for (const [sentence, { given, want }] of Object.entries(GOES_ON)) {
  Deno.test(`init.sh ${want ? "warns and " : ""}goes on when ${sentence}`, async () => {
    const { code, report, log } = await run("init", given);
    assertEquals([code, report?.ok, report?.fields.warning], [0, true, want], log);
  });
}

Deno.test("job_database.py knows the versions that the operator knows", async () => {
  const text = await Deno.readTextFile(`${SCRIPTS}job_database.py`);
  const table = Object.entries(MIN_POSTGRES).map(([odoo, postgres]) => `${odoo}: ${postgres}`).join(", ");
  assertStringIncludes(text, `MIN_POSTGRES = {${table}}\n`);
});
