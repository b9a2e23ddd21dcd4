/**
 * `odoo-operator job restore` and scripts/restore_load.sh together, as in a pod, on a real PostgreSQL and a real S3 service. What is
 * missing is Odoo: the other Odoo that a backup is fetched from is a double that answers as its database manager does.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { type S3Server, startS3 } from "../../dev/s3.ts";
import { S3Object } from "../../src/odoo/ports/s3.ts";
import { debianPostgres } from "../support/debian_postgres.ts";
import {
  backupEntries,
  dumped,
  type Filestore,
  HOSTILE_TEXT,
  makeOdooDatabase,
  zipped,
} from "../support/odoo_backup.ts";
import { type RestoreEnding, type RestorePodOptions, runRestorePod } from "../support/restore_pod.ts";
import { query, valueOf } from "../support/sql.ts";

const PASSWORD = "tenant-password";
const SIDE = "shop_side_1";

let server: PostgresServer;
let s3: S3Server;
let programs: string;
let files: Filestore;
/** Backups of the same database. */
const backups: Record<"sql" | "dump" | "zip", Uint8Array> = {
  sql: new Uint8Array(),
  dump: backupless(),
  zip: backupless(),
};

function backupless(): Uint8Array {
  return new Uint8Array();
}

Deno.test.beforeAll(async () => {
  programs = await debianPostgres();
  [server, s3] = await Promise.all([startPostgres({ programs }), startS3()]);
  files = await makeOdooDatabase(server, "old");
  await query(server, { sql: `create role tenant login password '${PASSWORD}' nosuperuser nocreatedb` });
  const plain = await dumped(server, { programs, database: "old", args: ["--no-owner"] });
  backups.sql = await dumped(server, { programs, database: "old", args: [] });
  backups.dump = await dumped(server, { programs, database: "old", args: ["-Fc"] });
  backups.zip = await zipped(backupEntries(plain, files));
});
Deno.test.afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
});

function object(key: string): S3Object {
  return new S3Object({ endpoint: s3.endpoint, bucket: "backups", key, credentials: s3.credentials });
}

interface Attempt {
  /** What the object holds; absent: there is none. */
  readonly content?: Uint8Array;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly format: "zip" | "dump" | "sql";
  readonly env?: Readonly<Record<string, string>>;
  readonly load?: Readonly<Record<string, string>>;
  /** Looks at what is left, before it is removed. */
  readonly look?: (data: string) => Promise<void>;
}

/** A fresh side database, the object in the bucket, and what the pod needs to know. */
async function prepared({ content, metadata, format, env, load }: Attempt, data: string): Promise<RestorePodOptions> {
  await query(server, { sql: `drop database if exists ${SIDE} with (force)` });
  await query(server, {
    sql: `create database ${SIDE} owner tenant template template0 encoding 'UTF8' lc_collate 'C'`,
  });
  using target = object("shop/backup");
  if (content) await target.put(content, metadata ? { metadata } : {});
  else await target.delete();
  return {
    programs,
    data,
    restore: {
      RESTORE_SOURCE: "s3",
      RESTORE_FORMAT: format,
      RESTORE_SIDE: SIDE,
      S3_ENDPOINT: s3.endpoint,
      S3_BUCKET: "backups",
      S3_KEY: "shop/backup",
      S3_ACCESS_KEY: s3.accessKey,
      S3_SECRET_KEY: s3.secretKey,
      ...env,
    },
    load: {
      PGHOST: server.host,
      PGPORT: String(server.port),
      PGUSER: "tenant",
      PGPASSWORD: PASSWORD,
      PGDATABASE: SIDE,
      ...load,
    },
  };
}

async function attempt(what: Attempt): Promise<RestoreEnding> {
  const data = await Deno.makeTempDir();
  try {
    const ending = await runRestorePod(await prepared(what, data));
    for (const secret of [s3.secretKey, PASSWORD]) {
      assert(!JSON.stringify(ending).includes(secret), "a secret is in the report or the log");
    }
    await what.look?.(data);
    return ending;
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}

function side(sql: string): Promise<unknown> {
  return valueOf(server, { sql, database: SIDE });
}

const LEFT_OUT: Readonly<Record<keyof typeof backups, readonly string[]>> = {
  sql: ["ACL", "COMMENT", "DEFAULT ACL", "OWNER", "PUBLICATION"],
  dump: ["ACL", "COMMENT", "PUBLICATION"],
  zip: ["ACL", "COMMENT", "DEFAULT ACL", "PUBLICATION"],
};

for (const format of ["zip", "dump", "sql"] as const) {
  Deno.test(`job restore brings back all data of a ${format} that another role owned`, async () => {
    const { report, codes, output } = await attempt({
      content: backups[format],
      format,
      env: { RESTORE_ODOO_VERSION: "19.0-20260101" },
      look: async (data) => {
        if (format !== "zip") return;
        for (const [path, content] of Object.entries(files)) {
          assertEquals(await Deno.readTextFile(`${data}/filestore/${SIDE}/${path}`), content);
        }
      },
    });
    assertEquals(codes, { restore: 0, load: 0 }, output);
    assertEquals(report, {
      ok: true,
      tables: 4,
      modules: 2,
      odooVersion: "19.0.1.3",
      attachments: 30,
      files: 30,
      format,
      checksum: "unknown",
      leftOut: LEFT_OUT[format],
      ...(format === "zip" ? { unpackedFiles: 30, postgresVersion: "15.0" } : {}),
    });
    assertEquals(await side(`select count(*)::int from res_partner`), 2000);
    assertEquals(await side("select name from res_partner where id = 7"), `${HOSTILE_TEXT}7`);
    assertEquals(await side("select twice(21)"), 42);
    assertEquals(await side("select distinct tableowner from pg_tables where schemaname = 'public'"), "tenant");
    assertEquals(await side("select count(*)::int from pg_publication"), 0);
    assertEquals(await side("select obj_description('res_partner'::regclass)"), "it's; GRANT");
  });
}
