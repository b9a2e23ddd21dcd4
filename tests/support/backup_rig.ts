/**
 * What a backup pod has, on this machine: a database with what a backup looks at of Odoo's, a filestore, an S3 service; and
 * the two containers as two processes, the real script under /bin/sh and the real `job backup` under deno.
 */
import { denoDirectory } from "../../dev/cache_directory.ts";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { type S3Server, startS3 } from "../../dev/s3.ts";
import { debianPostgres } from "./debian_postgres.ts";
import { query } from "./sql.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);
export const DATABASE = "shop";

/** As the image's binary has it (tools/build.ts). */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=4,--max-old-space-size=128,--max-opt=1,--expose-gc";

const TABLES = `
create table ir_module_module (id serial primary key, name varchar unique, state varchar, latest_version varchar);
create table ir_attachment (id serial primary key, name varchar, store_fname varchar, file_size int);
create table res_partner (id serial primary key, name text);
insert into ir_module_module (name, state, latest_version)
values ('base', 'installed', '19.0.1.3'), ('sale', 'installed', '19.0.1.2'), ('crm', 'uninstalled', null);
insert into res_partner (name) values ('Ünïcode & ''quotes'' \\ backslash');
`;

/** How the processes of a backup ended. */
export interface BackupEnd {
  readonly dump: { readonly code: number; readonly log: string };
  readonly job: { readonly code: number; readonly log: string; readonly report: Report };
}

/** The termination message. */
export interface Report {
  readonly ok?: boolean;
  readonly reason?: string;
  readonly error?: string;
  readonly log?: string;
  readonly [field: string]: unknown;
}

/** A backup under way. */
export interface RunningBackup {
  readonly dump: Deno.ChildProcess;
  readonly job: Deno.ChildProcess;
  /** The folder that both share. */
  readonly directory: string;
  readonly end: Promise<BackupEnd>;
}

/** Starts the servers, and fills database and filestore. */
export async function startBackupRig(): Promise<BackupRig> {
  const programs = await debianPostgres();
  const server = await startPostgres({ programs });
  const s3 = await startS3();
  const filestore = await Deno.makeTempDir({ prefix: "filestore-" });
  await query(server, { sql: `create role tenant login password 'tenant-password' nosuperuser nocreatedb` });
  await query(server, { sql: `create database ${DATABASE} owner tenant encoding 'UTF8' template template0` });
  const rig = new BackupRig({ server, s3, filestore, programs });
  await rig.sql(`set role tenant; ${TABLES}`);
  return rig;
}

interface RigParts {
  readonly server: PostgresServer;
  readonly s3: S3Server;
  readonly filestore: string;
  readonly programs: string;
}

/** What {@linkcode startBackupRig} starts. */
export class BackupRig implements AsyncDisposable {
  readonly server: PostgresServer;
  readonly s3: S3Server;
  readonly filestore: string;
  readonly #programs: string;

  constructor({ server, s3, filestore, programs }: RigParts) {
    this.server = server;
    this.s3 = s3;
    this.filestore = filestore;
    this.#programs = programs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.s3[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await Deno.remove(this.filestore, { recursive: true });
  }

  sql(sql: string): Promise<Record<string, unknown>[]> {
    return query(this.server, { sql, database: DATABASE });
  }

  /** Stores an attachment as Odoo does: the file under its SHA-1, then the row. Returns the name of the file. */
  async attach(content: Uint8Array<ArrayBuffer>): Promise<string> {
    const sha1 = new Uint8Array(await crypto.subtle.digest("SHA-1", content)).toHex();
    const name = `${sha1.slice(0, 2)}/${sha1}`;
    await Deno.mkdir(`${this.filestore}/${sha1.slice(0, 2)}`, { recursive: true });
    await Deno.writeFile(`${this.filestore}/${name}`, content);
    await this.sql(
      `insert into ir_attachment (name, store_fname, file_size) values ('a', '${name}', ${content.length})`,
    );
    return name;
  }

  /** Starts both containers. `environment` goes to both. */
  async begin(environment: Readonly<Record<string, string>> = {}): Promise<RunningBackup> {
    const directory = await Deno.makeTempDir({ prefix: "backup-" });
    const { host, port } = this.server;
    const env = {
      PATH: `${this.#programs}/bin:${Deno.env.get("PATH")}`,
      HOME: directory,
      DENO_DIR: denoDirectory(),
      BACKUP_DIR: directory,
      BACKUP_FORMAT: "zip",
      BACKUP_FILESTORE: this.filestore,
      BACKUP_PEER_SECONDS: "30",
      TERMINATION_LOG: `${directory}/message`,
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: "tenant",
      PGPASSWORD: "tenant-password",
      PGDATABASE: DATABASE,
      S3_ENDPOINT: this.s3.endpoint,
      S3_BUCKET: "backups",
      S3_KEY: "shop.zip",
      S3_ACCESS_KEY: this.s3.accessKey,
      S3_SECRET_KEY: this.s3.secretKey,
      ...environment,
    };
    const piped = { clearEnv: true, env, stdin: "null", stdout: "piped", stderr: "piped" } as const;
    const script = await Deno.readTextFile(`${ROOT}scripts/backup_dump.sh`);
    const dump = new Deno.Command("/bin/sh", { args: ["-c", script, "backup_dump.sh"], ...piped }).spawn();
    const flags = ["--no-prompt", "--frozen", "--allow-net", "--allow-env", "--allow-read", "--allow-write"];
    const job = new Deno.Command(Deno.execPath(), {
      args: ["run", ...flags, "--allow-sys", V8_FLAGS, `${ROOT}main.ts`, "job", "backup"],
      ...piped,
    }).spawn();
    return { dump, job, directory, end: this.#ended(directory, { dump, job }) };
  }

  /** A backup from its beginning to its end. */
  async run(environment: Readonly<Record<string, string>> = {}): Promise<BackupEnd> {
    const { end } = await this.begin(environment);
    return await end;
  }

  /** The path of the file in which the S3 service keeps an object. */
  stored(key: string): string {
    return `${this.s3.directory}/backups/${key}`;
  }

  async #ended(directory: string, { dump, job }: Pick<RunningBackup, "dump" | "job">): Promise<BackupEnd> {
    const [dumpEnd, jobEnd] = await Promise.all([dump.output(), job.output()]);
    const message = await Deno.readTextFile(`${directory}/message`).catch(() => "{}"); // a process that was killed leaves none
    await Deno.remove(directory, { recursive: true });
    return {
      dump: { code: dumpEnd.code, log: printed(dumpEnd) },
      job: { code: jobEnd.code, log: printed(jobEnd), report: JSON.parse(message) as Report },
    };
  }
}

function printed({ stdout, stderr }: Deno.CommandOutput): string {
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}
