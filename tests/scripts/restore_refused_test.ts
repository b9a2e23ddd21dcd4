/** What `job restore` refuses before anything is written, on a real PostgreSQL and a real S3 service. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { backupEntries, zipped } from "../support/odoo_backup.ts";
import { type RestoreAttempt, type RestoreRig, startRestoreRig, text } from "../support/restore_rig.ts";

let rig: RestoreRig;

Deno.test.beforeAll(async () => {
  rig = await startRestoreRig();
});
Deno.test.afterAll(() => rig?.[Symbol.asyncDispose]());

const FILE_NAME = `filestore/ab/ab${"0".repeat(38)}`;
const NO_DUMP = { name: "dump.sql", content: "--" };

/** What is refused before anything is written. `content` is asked for when the backups are there. */
const REFUSED: Readonly<
  Record<string, {
    readonly format: RestoreAttempt["format"];
    readonly content: () => Promise<Uint8Array> | Uint8Array | undefined;
    readonly env?: Readonly<Record<string, string>>;
    readonly metadata?: Readonly<Record<string, string>>;
    readonly reason: string;
    readonly says: string;
  }>
> = {
  "there is no object": { format: "zip", content: () => undefined, reason: "ObjectMissing", says: "shop/backup" },
  "the bucket is missing": {
    format: "zip",
    content: () => undefined,
    env: { S3_BUCKET: "nowhere" },
    reason: "BucketMissing",
    says: "nowhere",
  },
  "the object is empty": { format: "sql", content: () => text(""), reason: "SourceEmpty", says: "empty" },
  "a dump is said to be a zip": {
    format: "zip",
    content: () => rig.backups.dump,
    reason: "FormatMismatch",
    says: "its content is a custom dump of pg_dump",
  },
  "a zip is said to be SQL": {
    format: "sql",
    content: () => rig.backups.zip,
    reason: "FormatMismatch",
    says: "its content is a zip",
  },
  "the object is a page": {
    format: "sql",
    content: () => text("<!doctype html><p>Not here"),
    reason: "FormatMismatch",
    says: "a page of HTML",
  },
  "the zip is cut off": {
    format: "zip",
    content: () => rig.backups.zip.slice(0, rig.backups.zip.length - 3000),
    reason: "ZipBroken",
    says: "make a new backup",
  },
  "the zip has a path that leads upwards": {
    format: "zip",
    content: () => zipped([NO_DUMP, { name: "filestore/../../etc/passwd", content: "x" }]),
    reason: "ZipRefused",
    says: "filestore/../../etc/passwd",
  },
  "the zip has an absolute path": {
    format: "zip",
    content: () => zipped([NO_DUMP, { name: `/${FILE_NAME}`, content: "x" }]),
    reason: "ZipRefused",
    says: `/${FILE_NAME}`,
  },
  "the zip has a link": {
    format: "zip",
    content: () => zipped([NO_DUMP, { name: FILE_NAME, content: "/etc/passwd", mode: 0o120777 }]),
    reason: "ZipRefused",
    says: "is a link",
  },
  "the zip has a name twice": {
    format: "zip",
    content: () => zipped([NO_DUMP, { name: FILE_NAME, content: "x" }, { name: FILE_NAME, content: "y" }]),
    reason: "ZipRefused",
    says: "twice",
  },
  "the zip has a file whose folder is another": {
    format: "zip",
    content: () => zipped([NO_DUMP, { name: FILE_NAME.replace("/ab/", "/cd/"), content: "x" }]),
    reason: "ZipRefused",
    says: "is no file of a backup",
  },
  "the zip has no dump": {
    format: "zip",
    content: () => zipped([{ name: FILE_NAME, content: "x" }]),
    reason: "ZipRefused",
    says: "no dump.sql",
  },
  "the zip unpacks to more than the limit": {
    format: "zip",
    content: () => zipped([NO_DUMP, { name: FILE_NAME, content: "", zeros: 50_000_000 }]),
    env: { RESTORE_MAX_BYTES: "40000000" },
    reason: "ZipBomb",
    says: "more than 40000000 bytes",
  },
  "the zip unpacks to hundreds of times its size": {
    format: "zip",
    content: () => zipped([NO_DUMP, { name: FILE_NAME, content: "", zeros: 80 << 20 }]),
    reason: "ZipBomb",
    says: "times its size",
  },
  "the zip is of another major": {
    format: "zip",
    content: () => zipped(backupEntries(text("--"), rig.files, { version: "18.0" })),
    env: { RESTORE_ODOO_VERSION: "19.0-20260101" },
    reason: "OdooVersionDiffers",
    says: "The backup is of Odoo 18.0",
  },
  "the zip is not what was backed up": {
    format: "zip",
    content: () => rig.backups.zip,
    metadata: { sha256: "0".repeat(64) },
    reason: "ChecksumMismatch",
    says: "SHA-256",
  },
};

for (const [sentence, { content, reason, says, ...rest }] of Object.entries(REFUSED)) {
  Deno.test(`job restore writes nothing and says why when ${sentence}`, async () => {
    const bytes = await content();
    const { report, codes, output } = await rig.attempt({
      ...rest,
      ...(bytes ? { content: bytes } : {}),
      look: async (data) => assertEquals(await Array.fromAsync(Deno.readDir(data)), []),
    });
    assertEquals([report.ok, report.reason, codes], [false, reason, { restore: 1, load: 1 }], output);
    assertStringIncludes(String(report.error), says);
    assertEquals(await rig.side("select count(*)::int from pg_tables where schemaname = 'public'"), 0);
  });
}
