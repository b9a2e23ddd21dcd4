/** What turns out to be wrong of a backup only while it is loaded, on a real PostgreSQL and a real S3 service. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { runRestorePod } from "../support/restore_pod.ts";
import {
  type RestoreAttempt,
  type RestoreRig,
  SIDE,
  startRestoreRig,
  TENANT_PASSWORD,
  text,
} from "../support/restore_rig.ts";
import { query } from "../support/sql.ts";

let rig: RestoreRig;

Deno.test.beforeAll(async () => {
  rig = await startRestoreRig();
});
Deno.test.afterAll(() => rig?.[Symbol.asyncDispose]());

/** SQL as pg_dump frames it. */
function framed(sql: string): Uint8Array {
  return text(`SET statement_timeout = 0;\n${sql}\n--\n-- PostgreSQL database dump complete\n--\n\n`);
}

/** What turns out to be wrong only while it is loaded. */
const FAILED: Readonly<
  Record<string, {
    readonly format: RestoreAttempt["format"];
    readonly content: () => Promise<Uint8Array> | Uint8Array;
    readonly env?: Readonly<Record<string, string>>;
    readonly load?: Readonly<Record<string, string>>;
    readonly metadata?: Readonly<Record<string, string>>;
    readonly reason: string;
    readonly says: string;
  }>
> = {
  "plain SQL is cut off": {
    format: "sql",
    content: () => rig.backups.sql.slice(0, rig.backups.sql.length / 2),
    reason: "DumpTruncated",
    says: "cut off",
  },
  "plain SQL is cut off between two statements": {
    format: "sql",
    content: () => text("create table ir_module_module (id int);\n"),
    reason: "DumpTruncated",
    says: "cut off",
  },
  "a custom dump is cut off in its data": {
    format: "dump",
    content: () => rig.backups.dump.slice(0, rig.backups.dump.length - 2000),
    reason: "DumpBroken",
    says: "make a new backup",
  },
  "a custom dump is cut off in its head": {
    format: "dump",
    content: () => rig.backups.dump.slice(0, 300),
    reason: "DumpBroken",
    says: "make a new backup",
  },
  "a custom dump is of a newer pg_dump": {
    format: "dump",
    content: () => {
      const newer = rig.backups.dump.slice();
      newer[6] = 99; // the minor of the archive's version
      return newer;
    },
    reason: "DumpTooNew",
    says: "postgres-client-image",
  },
  "a statement fails half-way": {
    format: "sql",
    content: () => framed("create table a (id int);\ninsert into missing values (1);\ncreate table b (id int);"),
    reason: "LoadFailed",
    says: 'relation "missing" does not exist',
  },
  "a column needs an extension that the role may not create": {
    format: "sql",
    content: () => framed("CREATE EXTENSION IF NOT EXISTS adminpack;\ncreate table a (id adminpack_type);"),
    reason: "ExtensionUnavailable",
    says: "adminpack",
  },
  "a dump runs commands of psql": {
    format: "sql",
    content: () => framed("select 1;\n\\! touch /tmp/odoo-restore-owned"),
    reason: "DumpRefused",
    says: "a command of psql",
  },
  "the dump is of another major, as its modules tell": {
    format: "dump",
    content: () => rig.backups.dump,
    env: { RESTORE_ODOO_VERSION: "18.0" },
    reason: "OdooVersionDiffers",
    says: "The backup is of Odoo 19.0.1.3",
  },
  "the dump holds no Odoo": {
    format: "sql",
    content: () => framed("create table a (id int);"),
    reason: "NotOdoo",
    says: "ir_module_module",
  },
  "a stream is not what was backed up": {
    format: "dump",
    content: () => rig.backups.dump,
    metadata: { sha256: "0".repeat(64) },
    reason: "ChecksumMismatch",
    says: "SHA-256",
  },
  "PostgreSQL refuses the login": {
    format: "dump",
    content: () => rig.backups.dump,
    load: { PGPASSWORD: "wrong-password" },
    reason: "DatabaseUnreachable",
    says: "password authentication failed",
  },
};

for (const [sentence, { content, reason, says, ...rest }] of Object.entries(FAILED)) {
  Deno.test(`job restore says why when ${sentence}`, async () => {
    const { report, output } = await rig.attempt({ ...rest, content: await content() });
    assertEquals([report.ok, report.reason], [false, reason], output);
    assertStringIncludes(String(report.error), says);
  });
}

Deno.test("job restore does not load into a database that has something in it", async () => {
  const data = await Deno.makeTempDir();
  const options = await rig.prepared({ content: rig.backups.zip, format: "zip" }, data);
  await query(rig.server, {
    sql: "create table mine (id int)",
    database: SIDE,
    user: "tenant",
    password: TENANT_PASSWORD,
  });
  const { report } = await runRestorePod(options);
  assertEquals(report.reason, "SideDatabaseNotEmpty");
  assertEquals(await rig.side("select count(*)::int from pg_tables where schemaname = 'public'"), 1);
  await Deno.remove(data, { recursive: true });
});
