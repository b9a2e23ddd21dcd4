/** A small database such as Odoo makes, with what is hard to restore in it, and backups of it in all three forms. */
import type { PostgresServer } from "../../dev/postgres.ts";
import { query } from "./sql.ts";

/** Text that a filter by lines would take for statements. */
export const HOSTILE_TEXT =
  "it's\nGRANT ALL ON TABLE res_partner TO public;\n\\.\n\\restrict abc\n$$ /* \\! id\nALTER TABLE x OWNER TO y;";

const SCHEMA = `
create extension pg_trgm;
create table ir_module_module (id serial primary key, name varchar unique, state varchar, latest_version varchar);
insert into ir_module_module (name, state, latest_version)
  values ('base', 'installed', '19.0.1.3'), ('sale', 'installed', '19.0.1.2'), ('crm', 'uninstalled', null);
create table ir_attachment (id serial primary key, name varchar, store_fname varchar);
create table res_partner (id serial primary key, name text, upper_name text generated always as (upper(name)) stored);
create index on res_partner using gin (name gin_trgm_ops);
create function twice(a int) returns int language sql as $_$
  -- GRANT it;
  select a * 2; $_$;
create view partner_names as select name from res_partner where name <> ';
GRANT x';
comment on table res_partner is 'it''s; GRANT';
create schema extra;
create table extra.t (id int);
grant select on res_partner to reporter;
alter default privileges grant select on tables to reporter;
create publication everything for all tables;`;

/** The files that its attachments name: path below the filestore, and content. */
export type Filestore = Readonly<Record<string, string>>;

/** Makes the database `name`, owned by the role `former`, which the server gets if it lacks it. */
export async function makeOdooDatabase(server: PostgresServer, name: string): Promise<Filestore> {
  await query(server, { sql: "create role former superuser login password 'former'" });
  await query(server, { sql: "create role reporter" });
  await query(server, {
    sql: `create database ${name} owner former template template0 encoding 'UTF8' lc_collate 'C'`,
  });
  const asFormer = { database: name, user: "former", password: "former" };
  await query(server, { ...asFormer, sql: SCHEMA });
  await query(server, {
    ...asFormer,
    sql: "insert into res_partner (name) select $1::text || i from generate_series(1, 2000) i",
    values: [HOSTILE_TEXT],
  });
  const files: Record<string, string> = {};
  for (let index = 0; index < 30; index++) {
    const content = `attachment ${index} ${"x".repeat(index * 100)}`;
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(content)));
    const sha1 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    files[`${sha1.slice(0, 2)}/${sha1}`] = content;
  }
  await query(server, {
    ...asFormer,
    sql: "insert into ir_attachment (name, store_fname) select f, f from unnest($1::text[]) f",
    values: [Object.keys(files)],
  });
  return files;
}

/** What pg_dump makes of a database. */
export async function dumped(
  server: PostgresServer,
  { programs, database, args }: {
    readonly programs: string;
    readonly database: string;
    readonly args: readonly string[];
  },
): Promise<Uint8Array> {
  const { stdout, stderr, success } = await new Deno.Command(`${programs}/bin/pg_dump`, {
    args: [...args, "-d", database],
    env: {
      PGHOST: server.host,
      PGPORT: String(server.port),
      PGUSER: server.adminUser,
      PGPASSWORD: server.adminPassword,
    },
  }).output();
  if (!success) throw new Error(`Cannot dump ${database}: ${new TextDecoder().decode(stderr)}`);
  return stdout;
}

/** An entry of a zip that {@linkcode zipped} is to make. */
export interface ZipEntry {
  readonly name: string;
  readonly content: Uint8Array | string;
  /** Of a Unix file, such as 0o120777 for a link. @default {0o100644} */
  readonly mode?: number;
  /** The content is this many zeros instead. */
  readonly zeros?: number;
}

const PACK = `
import json, sys, zipfile, base64
zip = zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, allowZip64=True)
for line in sys.stdin:
    entry = json.loads(line)
    info = zipfile.ZipInfo(entry["name"])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = entry["mode"] << 16
    content = base64.b64decode(entry["content"])
    zip.writestr(info, content or b"\\0" * entry["zeros"])
zip.close()
`;

/** A zip by Python's library, as Odoo makes it, with whatever names and modes. */
export async function zipped(entries: readonly ZipEntry[]): Promise<Uint8Array> {
  const path = await Deno.makeTempFile();
  try {
    const python = new Deno.Command("python3", { args: ["-W", "ignore", "-c", PACK, path], stdin: "piped" }).spawn();
    const writer = python.stdin.getWriter();
    for (const { name, content, mode = 0o100644, zeros = 0 } of entries) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      let binary = "";
      for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
      await writer.write(new TextEncoder().encode(`${JSON.stringify({ name, mode, zeros, content: btoa(binary) })}\n`));
    }
    await writer.close();
    const { success } = await python.status;
    if (!success) throw new Error("Cannot make a zip: Python failed");
    return await Deno.readFile(path);
  } finally {
    await Deno.remove(path);
  }
}

/** The entries of a backup as Odoo's database manager makes it. */
export function backupEntries(sql: Uint8Array, files: Filestore, { version = "19.0" } = {}): ZipEntry[] {
  const manifest = {
    odoo_dump: "1",
    db_name: "old",
    version: `${version}-20260101`,
    major_version: version,
    pg_version: "15.0",
  };
  return [
    ...Object.entries(files).map(([path, content]) => ({ name: `filestore/${path}`, content })),
    { name: "manifest.json", content: JSON.stringify(manifest) },
    { name: "dump.sql", content: sql },
  ];
}
