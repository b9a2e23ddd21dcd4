/**
 * TEST DOUBLE, used by odoo_jobs.ts: the Jobs of restores and refreshes. What they do to databases is done to the real ones;
 * fake nodes have no volumes, so of files only the names of directories are kept, by claim. tests/scripts runs the real
 * programs.
 */
import type { Pod } from "../src/kit/builders/kinds.ts";
import type { Stored } from "../src/kit/types.ts";
import { type Environment, tenantClient } from "./odoo_init.ts";

const TABLES = `
CREATE TABLE ir_module_module (
  id serial PRIMARY KEY, name varchar NOT NULL UNIQUE, state varchar NOT NULL, latest_version varchar, demo boolean DEFAULT false);
CREATE TABLE ir_config_parameter (
  id serial PRIMARY KEY, key varchar NOT NULL UNIQUE, value text NOT NULL);
CREATE TABLE res_users (
  id serial PRIMARY KEY, login varchar NOT NULL UNIQUE, password varchar, active boolean DEFAULT true);
INSERT INTO ir_module_module (name, state, latest_version) VALUES ('base', 'installed', '19.0.1.3')`;

/** Parameter in ir_config_parameter that says where the data came from: the object key of the backup. */
export const ORIGIN_PARAMETER = "test.origin";

/** What the Jobs find and leave: directories in the filestores, by namespace and claim. */
export class CopiesDouble {
  readonly #directories = new Map<string, Set<string>>();

  /** Names of the directories in the filestore of a claim. */
  directories(namespace: string, claim: string): string[] {
    return [...this.#of(`${namespace}/${claim}`)].sort();
  }

  /** As if pods had written there. */
  addDirectory(namespace: string, claim: string, directory: string): void {
    this.#of(`${namespace}/${claim}`).add(directory);
  }

  /** By name of the container. */
  readonly work = {
    restore: async (environment: Environment, _image: unknown, pod: Stored<Pod>): Promise<string> => {
      const { RESTORE_SIDE: side = "", RESTORE_FORMAT: format, S3_KEY: key, SOURCE_PASSWORD: password } = environment;
      const origin = key || `odoo with ${password}`;
      await inDatabase(environment, TABLES, [ORIGIN_PARAMETER, origin]);
      if (format === "zip") this.#of(claimOf(pod)).add(side);
      const files = format === "zip" ? { unpackedFiles: 12 } : {};
      return report({ tables: 3, modules: 1, odooVersion: "19.0.1.3", attachments: 12, ...files, leftOut: [] });
    },
    copy: async (environment: Environment, _image: unknown, pod: Stored<Pod>): Promise<string> => {
      if (environment.SOURCE_PGHOST) return report({ tables: 3, rows: await copyParameters(environment) });
      const [source, target] = ["source", "target"].map((name) => this.#of(claimOf(pod, name)));
      if (!environment.SOURCE_DIR?.includes("/filestore/")) return this.#mirror(pod);
      const directory = nameOf(environment.SOURCE_DIR);
      if (!source?.has(directory)) throw new Error(`There is no directory '${directory}' in the source`);
      target?.add(nameOf(environment.TARGET_DIR));
      return report({ files: 12, bytes: 1_234, vanished: 0 });
    },
    prepare: async (environment: Environment): Promise<string> => {
      const neutralized = environment.PREPARE_NEUTRALIZE === "true";
      await inDatabase(environment, "", ["database.is_neutralized", String(neutralized)]);
      return report({ neutralized, updated: false, odoo: "19.0.1.3", modules: 1, attachments: 12, missingFiles: 0 });
    },
    swap: (environment: Environment, _image: unknown, pod: Stored<Pod>): Promise<string> => {
      const { SWAP_DIRECTION: direction, SWAP_LIVE: live = "", SWAP_SIDE: side = "", SWAP_OLD: old = "" } = environment;
      const directories = this.#of(claimOf(pod));
      if (direction === "forward") {
        if (directories.has(side)) rename(directories, [[live, old], [side, live]]);
        if (!directories.has(live)) throw new Error(`'${side}' is not in the filestore`);
      } else if (directories.has(old)) rename(directories, [[live, side], [old, live]]);
      return Promise.resolve(report({ direction, renamed: 2 }));
    },
    remove: ({ REMOVE_NAME: name = "" }: Environment, _image: unknown, pod: Stored<Pod>): Promise<string> => {
      return Promise.resolve(report({ removed: this.#of(claimOf(pod)).delete(name) }));
    },
  };

  /** A whole volume. */
  #mirror(pod: Stored<Pod>): string {
    const [source, target] = ["source", "target"].map((name) => this.#of(claimOf(pod, name)));
    target?.clear();
    for (const directory of source ?? []) target?.add(directory);
    return report({ files: source?.size, bytes: 1_234, vanished: 0 });
  }

  #of(claim: string): Set<string> {
    const directories = this.#directories.get(claim) ?? new Set();
    this.#directories.set(claim, directories);
    return directories;
  }
}

/** Of an instance that never wrote a file there is no directory, and none is renamed. */
function rename(directories: Set<string>, pairs: readonly (readonly [from: string, to: string])[]): void {
  for (const [from, to] of pairs) if (directories.delete(from) || to.includes("_old_")) directories.add(to);
}

function claimOf({ metadata, spec }: Stored<Pod>, called = "filestore"): string {
  const volume = spec?.volumes?.find(({ name }) => name === called);
  return `${metadata.namespace}/${volume?.persistentVolumeClaim?.claimName}`;
}

function nameOf(path = ""): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Of the source only what tests look at: its parameters, and where they came from. */
async function copyParameters(environment: Environment): Promise<number> {
  const from = Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => name.startsWith("SOURCE_") ? [[name.slice(7), value]] : []),
  );
  const client = tenantClient(from);
  try {
    await client.connect();
    const { rows } = await client.query<{ key: string; value: string }>("SELECT key, value FROM ir_config_parameter");
    const uuid = rows.find(({ key }) => key === "database.uuid")?.value;
    await inDatabase(environment, TABLES, [ORIGIN_PARAMETER, `${uuid}`]);
    for (const { key, value } of rows) {
      if (key !== ORIGIN_PARAMETER) await inDatabase(environment, "", [key, value]);
    }
    return rows.length;
  } finally {
    await client.end();
  }
}

async function inDatabase(environment: Environment, sql: string, parameter: readonly [key: string, value: string]) {
  const client = tenantClient(environment);
  try {
    await client.connect();
    if (sql) await client.query(sql);
    const write =
      "INSERT INTO ir_config_parameter (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2";
    await client.query(write, [...parameter]);
  } finally {
    await client.end();
  }
}

function report(fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ok: true, ...fields, seconds: 1 });
}
