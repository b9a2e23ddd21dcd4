/**
 * TEST DOUBLE, used by odoo_jobs.ts: what scripts/init.sh, with Odoo in it, leaves in a database, as far as the operator and
 * its jobs look at it. Connects like Odoo does, with the tenant's own role; fails in the ways in which Odoo fails.
 */
import { pbkdf2Sync, randomBytes } from "node:crypto";
import pg from "pg";

/** The variables of the container, with the values of Secrets filled in. */
export type Environment = Readonly<Record<string, string>>;

/** What an image makes of the modules that it is asked for. */
export interface Image {
  /** Modules that it does not have. Odoo says so in its log, and ends with 0. */
  readonly unknown?: readonly string[];
  /** Modules that it knows and does not find on disk: left in `to install` or `to upgrade`. Odoo ends with 0. */
  readonly missing?: readonly string[];
  /** Odoo dies while it loads this module; what came before is committed. */
  readonly crashAt?: string;
  /** The version that an update brings a module to. @default {"19.0.1.0"} */
  readonly version?: string;
}

const CONNECT_TIMEOUT_MS = 10_000;
const VERSION = "19.0-20260101";

const NEEDED = [
  "PGHOST",
  "PGUSER",
  "PGDATABASE",
  "PGPASSWORD",
  "INIT_MODULES",
  "INIT_DEMO",
  "INIT_OWNER",
  "INIT_REPORT_URL",
  "INIT_BASE_URL",
  "INIT_ADMIN_PASSWORD",
];

const TABLES = `
CREATE TABLE ir_module_module (
  id serial PRIMARY KEY, name varchar NOT NULL UNIQUE, state varchar NOT NULL, latest_version varchar, demo boolean DEFAULT false);
CREATE TABLE ir_config_parameter (
  id serial PRIMARY KEY, key varchar NOT NULL UNIQUE, value text NOT NULL);
CREATE TABLE res_users (
  id serial PRIMARY KEY, login varchar NOT NULL UNIQUE, password varchar, active boolean DEFAULT true);
CREATE TABLE res_lang (
  id serial PRIMARY KEY, code varchar NOT NULL UNIQUE, active boolean DEFAULT true);
INSERT INTO ir_config_parameter (key, value)
VALUES ('database.uuid', gen_random_uuid()::text), ('database.create_date', now()::text);
INSERT INTO res_users (id, login, password) VALUES (2, 'admin', 'admin');
INSERT INTO res_lang (code) VALUES ('en_US')`;

const EMPTY = "DROP TABLE IF EXISTS ir_module_module, ir_config_parameter, res_users, res_lang CASCADE";

/** Installs the modules that the environment asks for, and returns the termination message, or throws it. */
export async function initializeDatabase(environment: Environment, image: Image = {}): Promise<string> {
  for (const name of NEEDED) if (!environment[name]) throw new Error(`${name}: parameter not set`);
  const client = tenantClient(environment);
  try {
    await client.connect();
    await prepare(client, environment);
    await install(client, environment, image);
    return await verify(client, environment);
  } finally {
    await client.end();
  }
}

/** A connection as the container's environment has it, to be opened and ended. */
export function tenantClient({ PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD }: Environment): pg.Client {
  const client = new pg.Client({
    host: PGHOST,
    port: Number(PGPORT ?? "5432"),
    user: PGUSER,
    password: PGPASSWORD,
    database: PGDATABASE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  client.on("error", () => {}); // a connection that breaks also fails the query under way, which is what is reported
  return client;
}

/** Refuses a database that was filled by somebody else, and empties one that was never finished. */
async function prepare(client: pg.Client, { INIT_OWNER, PGDATABASE }: Environment): Promise<void> {
  const { rows: [found] } = await client.query(
    `SELECT to_regclass('ir_module_module') IS NOT NULL AS filled, shobj_description(oid, 'pg_database') AS comment
     FROM pg_database WHERE datname = current_database()`,
  );
  const unfinished = found.comment === markOf(INIT_OWNER, "started");
  if (found.filled && !unfinished) {
    const error = `Database ${PGDATABASE} holds an Odoo that no initialisation of this instance left unfinished: ` +
      "nothing was touched. Set spec.database.name to another name";
    throw new Error(JSON.stringify({ ok: false, error }));
  }
  await client.query(
    unfinished ? `${EMPTY}; ${marking(client, INIT_OWNER, "started")}` : marking(client, INIT_OWNER, "started"),
  );
}

/** What Odoo does: base first, committed, then the others. */
async function install(client: pg.Client, environment: Environment, image: Image): Promise<void> {
  const { unknown = [], missing = [], crashAt } = image;
  const modules = wordsOf(environment.INIT_MODULES).filter((name) => !unknown.includes(name));
  const demo = environment.INIT_DEMO === "true";
  await client.query(`BEGIN; ${TABLES}`);
  await client.query(
    `INSERT INTO ir_module_module (name, state, latest_version, demo)
     SELECT name, CASE name WHEN 'base' THEN 'installed' ELSE 'to install' END, '19.0.1.0', $2
     FROM unnest($1::text[]) AS name`,
    [[...new Set(["base", ...modules])], demo],
  );
  await client.query("INSERT INTO res_lang (code) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", [
    wordsOf(environment.INIT_LANGUAGES),
  ]);
  await client.query("COMMIT");
  if (crashAt && modules.includes(crashAt)) {
    throw new Error(`odoo.tools.convert.ParseError: while parsing ${crashAt}/views/views.xml:4\nField does not exist`);
  }
  await client.query("UPDATE ir_module_module SET state = 'installed' WHERE NOT name = ANY ($1)", [missing]);
}

async function verify(client: pg.Client, environment: Environment): Promise<string> {
  const { INIT_MODULES, INIT_OWNER, INIT_REPORT_URL, INIT_BASE_URL, INIT_ADMIN_PASSWORD = "" } = environment;
  const { rows } = await client.query<{ name: string; state: string; version: string }>(
    "SELECT name, state, latest_version AS version FROM ir_module_module ORDER BY name",
  );
  const modules = wordsOf(INIT_MODULES).map((name) =>
    rows.find((row) => row.name === name) ?? { name, state: "unknown", version: "" }
  );
  const unknown = modules.filter(({ state }) => state === "unknown").map(({ name }) => name);
  const left = rows.filter(({ state }) => state.startsWith("to ")).map(({ name, state }) => `${name} (${state})`);
  const problems = [
    ...(unknown.length ? [`the image has no module ${unknown.join(", ")}: check the name`] : []),
    ...(left.length ? [`left half-way: ${left.join(", ")}`] : []),
  ];
  const found = { odoo: VERSION, seconds: 1, languages: ["en_US", ...wordsOf(environment.INIT_LANGUAGES)], modules };
  if (problems.length) throw new Error(JSON.stringify({ ok: false, error: problems.join("; "), ...found }));
  const parameters = { "report.url": INIT_REPORT_URL, "web.base.url": INIT_BASE_URL, "web.base.url.freeze": "True" };
  await client.query("BEGIN");
  await client.query(
    `INSERT INTO ir_config_parameter (key, value) SELECT * FROM unnest($1::text[], $2::text[])
     ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
    [Object.keys(parameters), Object.values(parameters)],
  );
  await client.query("UPDATE res_users SET password = $1 WHERE login = 'admin' AND password = 'admin'", [
    hashed(INIT_ADMIN_PASSWORD),
  ]);
  await client.query(`${marking(client, INIT_OWNER, "finished")}; COMMIT`);
  return JSON.stringify({ ok: true, ...found, installed: rows.length });
}

function markOf(uid: string | undefined, progress: "started" | "finished"): string {
  return JSON.stringify({ "bemade.org/owner": uid, init: progress });
}

function marking(client: pg.Client, uid: string | undefined, progress: "started" | "finished"): string {
  const name = client.escapeIdentifier(client.database ?? "");
  return `COMMENT ON DATABASE ${name} IS ${client.escapeLiteral(markOf(uid, progress))}`;
}

/** The form of Odoo's hashes, with so few rounds that a thousand of them cost nothing. */
function hashed(password: string): string {
  const salt = randomBytes(16);
  const text = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes)).replaceAll("+", ".").replaceAll("=", "");
  return `$pbkdf2-sha512$100$${text(salt)}$${text(pbkdf2Sync(password, salt, 100, 64, "sha512"))}`;
}

/** The words of a list with commas. */
export function wordsOf(list = ""): string[] {
  return list.split(",").filter((word) => word !== "");
}
