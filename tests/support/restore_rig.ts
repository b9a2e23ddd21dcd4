/**
 * What a restore has, on this machine: a real PostgreSQL with a side database, a real S3 service, and backups of one database in
 * all three forms; and the pod that restores one of them.
 */
import { assert } from "@std/assert";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { type S3Server, startS3 } from "../../dev/s3.ts";
import { S3Object } from "../../src/odoo/ports/s3.ts";
import { debianPostgres } from "./debian_postgres.ts";
import { backupEntries, dumped, type Filestore, makeOdooDatabase, zipped } from "./odoo_backup.ts";
import { type RestoreEnding, type RestorePodOptions, runRestorePod } from "./restore_pod.ts";
import { query, valueOf } from "./sql.ts";

/** The database that a backup is loaded into. */
export const SIDE = "shop_side_1";
export const TENANT_PASSWORD = "tenant-password";

export type BackupKind = "zip" | "dump" | "sql";

/** A restore that is tried. */
export interface RestoreAttempt {
  /** What the object holds; absent: there is none. */
  readonly content?: Uint8Array;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly format: BackupKind;
  readonly env?: Readonly<Record<string, string>>;
  readonly load?: Readonly<Record<string, string>>;
  /** Looks at what is left, before it is removed. */
  readonly look?: (data: string) => Promise<void>;
}

/** Text as bytes. */
export function text(content: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(content);
}

/** Starts the servers, and makes the backups. */
export async function startRestoreRig(): Promise<RestoreRig> {
  const programs = await debianPostgres();
  const [server, s3] = await Promise.all([startPostgres({ programs }), startS3()]);
  const files = await makeOdooDatabase(server, "old");
  await query(server, { sql: `create role tenant login password '${TENANT_PASSWORD}' nosuperuser nocreatedb` });
  const plain = await dumped(server, { programs, database: "old", args: ["--no-owner"] });
  const backups = {
    sql: await dumped(server, { programs, database: "old", args: [] }),
    dump: await dumped(server, { programs, database: "old", args: ["-Fc"] }),
    zip: await zipped(backupEntries(plain, files)),
  };
  return new RestoreRig({ server, s3, programs, files, backups });
}

interface RigParts {
  readonly server: PostgresServer;
  readonly s3: S3Server;
  readonly programs: string;
  /** The files that the attachments of the database name. */
  readonly files: Filestore;
  /** Backups of the same database. */
  readonly backups: Readonly<Record<BackupKind, Uint8Array>>;
}

/** What {@linkcode startRestoreRig} starts. */
export class RestoreRig implements AsyncDisposable {
  readonly server: PostgresServer;
  readonly files: Filestore;
  readonly backups: Readonly<Record<BackupKind, Uint8Array>>;
  readonly #s3: S3Server;
  readonly #programs: string;

  constructor({ server, s3, programs, files, backups }: RigParts) {
    this.server = server;
    this.files = files;
    this.backups = backups;
    this.#s3 = s3;
    this.#programs = programs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.#s3[Symbol.asyncDispose]();
  }

  object(key: string): S3Object {
    const { endpoint, credentials } = this.#s3;
    return new S3Object({ endpoint, bucket: "backups", key, credentials });
  }

  /** What a query of the side database yields. */
  side(sql: string): Promise<unknown> {
    return valueOf(this.server, { sql, database: SIDE });
  }

  /** A fresh side database, the object in the bucket, and what the pod needs to know. */
  async prepared({ content, metadata, format, env, load }: RestoreAttempt, data: string): Promise<RestorePodOptions> {
    await query(this.server, { sql: `drop database if exists ${SIDE} with (force)` });
    await query(this.server, {
      sql: `create database ${SIDE} owner tenant template template0 encoding 'UTF8' lc_collate 'C'`,
    });
    using target = this.object("shop/backup");
    if (content) await target.put(content, metadata ? { metadata } : {});
    else await target.delete();
    return {
      programs: this.#programs,
      data,
      restore: {
        RESTORE_SOURCE: "s3",
        RESTORE_FORMAT: format,
        RESTORE_SIDE: SIDE,
        S3_ENDPOINT: this.#s3.endpoint,
        S3_BUCKET: "backups",
        S3_KEY: "shop/backup",
        S3_ACCESS_KEY: this.#s3.accessKey,
        S3_SECRET_KEY: this.#s3.secretKey,
        ...env,
      },
      load: {
        PGHOST: this.server.host,
        PGPORT: String(this.server.port),
        PGUSER: "tenant",
        PGPASSWORD: TENANT_PASSWORD,
        PGDATABASE: SIDE,
        ...load,
      },
    };
  }

  /** A restore from its beginning to its end, which tells no secret. */
  async attempt(what: RestoreAttempt): Promise<RestoreEnding> {
    const data = await Deno.makeTempDir();
    try {
      const ending = await runRestorePod(await this.prepared(what, data));
      for (const secret of [this.#s3.secretKey, TENANT_PASSWORD]) {
        assert(!JSON.stringify(ending).includes(secret), "a secret is in the report or the log");
      }
      await what.look?.(data);
      return ending;
    } finally {
      await Deno.remove(data, { recursive: true });
    }
  }
}
