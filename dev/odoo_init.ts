/**
 * TEST DOUBLE, used by odoo_jobs.ts: what `odoo -i … --stop-after-init` leaves in a database, as far as the operator and
 * its jobs look at it. Connects like Odoo does, with the tenant's own role.
 */
import pg from "pg";

/** The variables of the container, with the values of Secrets filled in. */
export type Environment = Readonly<Record<string, string>>;

const CONNECT_TIMEOUT_MS = 10_000;

const TABLES = `
CREATE TABLE IF NOT EXISTS ir_module_module (
  id serial PRIMARY KEY, name varchar NOT NULL UNIQUE, state varchar NOT NULL, latest_version varchar, demo boolean DEFAULT false);
CREATE TABLE IF NOT EXISTS ir_config_parameter (
  id serial PRIMARY KEY, key varchar NOT NULL UNIQUE, value text NOT NULL);
CREATE TABLE IF NOT EXISTS res_users (
  id serial PRIMARY KEY, login varchar NOT NULL UNIQUE, password varchar, active boolean DEFAULT true);
`;

const PARAMETERS = `
INSERT INTO ir_config_parameter (key, value)
VALUES ('database.uuid', gen_random_uuid()::text), ('database.create_date', now()::text)
ON CONFLICT (key) DO NOTHING`;

const USERS = "INSERT INTO res_users (login, password) VALUES ('admin', 'admin') ON CONFLICT (login) DO NOTHING";

const MODULES = `
INSERT INTO ir_module_module (name, state, latest_version, demo)
SELECT name, 'installed', '19.0.1.0', $2 FROM unnest($1::text[]) AS name
ON CONFLICT (name) DO UPDATE SET state = 'installed'`;

/** Installs the modules that the environment asks for, and returns the termination message of scripts/init.sh. */
export async function initializeDatabase(environment: Environment): Promise<string> {
  const { PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD, ODOO_MODULES, ODOO_DEMO } = environment;
  for (const [name, value] of Object.entries({ PGHOST, PGUSER, PGDATABASE, PGPASSWORD, ODOO_MODULES, ODOO_DEMO })) {
    if (!value) throw new Error(`${name}: parameter not set`);
  }
  const modules = (ODOO_MODULES ?? "").split(",");
  const client = new pg.Client({
    host: PGHOST,
    port: Number(PGPORT ?? "5432"),
    user: PGUSER,
    password: PGPASSWORD,
    database: PGDATABASE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  client.on("error", () => {}); // a connection that breaks also fails the query under way, which is what is reported
  try {
    await client.connect();
    await client.query(`BEGIN; ${TABLES}`);
    await client.query(PARAMETERS);
    await client.query(USERS);
    await client.query(MODULES, [[...new Set(["base", ...modules])], ODOO_DEMO === "true"]);
    await client.query("COMMIT");
  } finally {
    await client.end();
  }
  return JSON.stringify({ ok: true, modules });
}
