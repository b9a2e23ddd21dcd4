/**
 * TEST DOUBLE, used by odoo_jobs.ts: what scripts/upgrade.sh, with Odoo in it, does to a database and says of it, as far as
 * the operator looks. Connects like Odoo does, with the tenant's own role; fails in the ways in which Odoo fails.
 */
import type pg from "pg";
import { type Environment, type Image, tenantClient, wordsOf } from "./odoo_init.ts";

const NEEDED = ["PGHOST", "PGUSER", "PGDATABASE", "PGPASSWORD", "UPGRADE_OWNER"];
const VERSION = "19.0-20260101";

interface Module {
  readonly name: string;
  readonly state: string;
  readonly version: string;
}

/** Updates and installs the modules that the environment asks for, and returns the termination message, or throws it. */
export async function upgradeDatabase(environment: Environment, image: Image = {}): Promise<string> {
  for (const name of NEEDED) if (!environment[name]) throw new Error(`${name}: parameter not set`);
  const client = tenantClient(environment);
  try {
    await client.connect();
    return await upgrade(client, environment, image);
  } finally {
    await client.end();
  }
}

async function upgrade(client: pg.Client, environment: Environment, image: Image): Promise<string> {
  const { unknown = [], missing = [], crashAt, version = "19.0.1.0" } = image;
  const install = wordsOf(environment.UPGRADE_INSTALL);
  const before = await modulesOf(client, environment);
  const update = wordsOf(environment.UPGRADE_MODULES);
  const strange = [...update, ...install].filter((name) => unknown.includes(name));
  if (strange.length) {
    throw failure(
      "UnknownModule",
      `The image has no module ${strange.join(", ")}: check the name. Nothing was touched`,
    );
  }
  const names = update.includes("base") ? before.map(({ name }) => name) : update;
  const idle = update.filter((name) => !before.some((module) => module.name === name));
  if (idle.length) throw failure("ModuleNotInstalled", `Only what is installed can be updated: ${idle.join(", ")}`);
  if (crashAt && [...names, ...install].includes(crashAt)) {
    throw failure(
      "LoadFailed",
      `Odoo ended with code 255 while it loaded ${crashAt}: ParseError: Field does not exist`,
    );
  }
  await client.query(
    `INSERT INTO ir_module_module (name, state, latest_version)
     SELECT name, 'installed', $3 FROM unnest($1::text[] || $2::text[]) AS name WHERE NOT name = ANY ($4)
     ON CONFLICT (name) DO UPDATE SET state = 'installed', latest_version = excluded.latest_version`,
    [names, install, version, missing],
  );
  const after = await modulesOf(client, environment);
  const lost = [...names, ...install].filter((name) => missing.includes(name));
  if (lost.length) {
    throw failure("ModuleMissingOnDisk", `The database has modules that the image lacks: ${lost.join(", ")}`);
  }
  const versionIn = (modules: readonly Module[], name: string) =>
    modules.find((module) => module.name === name && module.state === "installed")?.version ?? "";
  const modules = after.map(({ name }) => ({ name, from: versionIn(before, name), to: versionIn(after, name) }))
    .filter(({ from, to }) => from !== to);
  return JSON.stringify({ ok: true, odoo: VERSION, seconds: 1, modules });
}

/** The modules of a database that is the instance's and holds Odoo. */
async function modulesOf(client: pg.Client, { UPGRADE_OWNER, PGDATABASE }: Environment): Promise<Module[]> {
  const { rows: [found] } = await client.query(
    `SELECT to_regclass('ir_module_module') IS NOT NULL AS filled, shobj_description(oid, 'pg_database') AS comment
     FROM pg_database WHERE datname = current_database()`,
  );
  if (!found.filled) throw failure("DatabaseNotReady", `Database ${PGDATABASE} holds no Odoo that could be updated`);
  if (JSON.parse(found.comment ?? "{}")["bemade.org/owner"] !== UPGRADE_OWNER) {
    throw failure("DatabaseNotReady", `Database ${PGDATABASE} is not marked as this instance's: nothing was touched`);
  }
  const { rows } = await client.query<Module>(
    "SELECT name, state, coalesce(latest_version, '') AS version FROM ir_module_module ORDER BY name",
  );
  return rows;
}

function failure(reason: string, error: string): Error {
  return new Error(JSON.stringify({ ok: false, reason, error, log: "odoo.modules.loading: loading modules…" }));
}
