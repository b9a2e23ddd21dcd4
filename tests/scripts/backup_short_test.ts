/**
 * `job backup` never says that it is complete when less arrived than there is: of pg_dump, or at the service. Both are real; a
 * double stands in place of pg_dump alone, and a proxy changes single answers of the service.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { type BackupEnd, type BackupRig, startBackupRig } from "../support/backup_rig.ts";
import { debianPostgres } from "../support/debian_postgres.ts";
import { type S3Edit, startS3Proxy } from "../support/s3_proxy.ts";

let rig: BackupRig;

Deno.test.beforeAll(async () => {
  rig = await startBackupRig();
});
Deno.test.afterAll(() => rig?.[Symbol.asyncDispose]());

/** A backup with a double of pg_dump, which writes something and says that all is well. */
async function backUpWith(pgDump: string, environment: Readonly<Record<string, string>>): Promise<BackupEnd> {
  const folder = await Deno.makeTempDir({ prefix: "doubles-" });
  try {
    await Deno.writeTextFile(`${folder}/pg_dump`, `#!/bin/sh\n${pgDump}\nexit 0\n`, { mode: 0o755 });
    return await rig.run({ PATH: `${folder}:${await debianPostgres()}/bin:${Deno.env.get("PATH")}`, ...environment });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

interface Short {
  readonly pgDump: string;
  readonly format: string;
  readonly want: readonly [reason: string, error: string];
}

const SHORT: Readonly<Record<string, Short>> = {
  "pg_dump writes nothing for a zip": { pgDump: ":", format: "zip", want: ["DumpEmpty", "wrote nothing"] },
  "pg_dump writes nothing for SQL text": { pgDump: ":", format: "sql", want: ["DumpEmpty", "wrote nothing"] },
  "pg_dump writes nothing for a dump": { pgDump: ":", format: "dump", want: ["DumpEmpty", "wrote nothing"] },
  "the SQL of a zip ends early": {
    pgDump: "echo '-- PostgreSQL database dump'; echo 'CREATE TABLE a ();'",
    format: "zip",
    want: ["DumpFailed", "its dump has no end"],
  },
  "the SQL text ends early": {
    pgDump: "echo '-- PostgreSQL database dump'; echo 'CREATE TABLE a ();'",
    format: "sql",
    want: ["DumpFailed", "its dump has no end"],
  },
  "the dump does not begin as one": {
    pgDump: "echo hello",
    format: "dump",
    want: ["DumpFailed", "its dump has no end"],
  },
};

for (const [sentence, { pgDump, format, want: [reason, error] }] of Object.entries(SHORT)) {
  Deno.test(`job backup reports ${reason} and leaves nothing when ${sentence}`, async () => {
    const { job } = await backUpWith(pgDump, { BACKUP_FORMAT: format, S3_KEY: "short.bin" });
    assertEquals([job.code, job.report.ok, job.report.reason], [1, false, reason], job.log);
    assertStringIncludes(job.report.error ?? "", error);
    const isThere = await Deno.lstat(rig.stored("short.bin")).then(() => true, () => false);
    assertEquals([isThere, await rig.s3.orphans()], [false, []]);
  });
}

const OBJECT = /\/backups\/spoilt\.sql$/;

interface Spoilt {
  readonly edit: S3Edit;
  readonly want: readonly [reason: string, error: string];
}

const SPOILT: Readonly<Record<string, Spoilt>> = {
  "the service has fewer bytes than were sent": {
    edit: (answer, request) =>
      /^HEAD /.test(request) && OBJECT.test(request) && answer.startsWith("HTTP/1.1 200")
        ? answer.replace(/(content-length: )\d+/i, "$17")
        : answer,
    want: ["ObjectChanged", "it has 7 bytes after an upload of "],
  },
  "the service has no object after the upload": {
    edit: (answer, request) =>
      OBJECT.test(request) && answer.startsWith("HTTP/1.1 200") && /^HEAD /.test(request)
        ? answer.replace("200 OK", "404 Not Found").replace(/(content-length: )\d+/i, "$10")
        : answer,
    want: ["ObjectMissing", "Cannot look at "],
  },
  "the description tells of another object": {
    edit: (answer, request) => /^GET .*\.sql\.json$/.test(request) ? answer.replace(/("sha256":")./, "$1z") : answer,
    want: ["ObjectChanged", "is not the one that was written"],
  },
};

for (const [sentence, { edit, want: [reason, error] }] of Object.entries(SPOILT)) {
  Deno.test(`job backup reports ${reason} when ${sentence}`, async () => {
    await using proxy = startS3Proxy(rig.s3);
    proxy.spoil(edit);
    const { job } = await rig.run({ BACKUP_FORMAT: "sql", S3_KEY: "spoilt.sql", S3_ENDPOINT: proxy.endpoint });
    assertEquals([job.code, job.report.ok, job.report.reason], [1, false, reason], job.log);
    assertStringIncludes(job.report.error ?? "", error);
    await Deno.remove(rig.stored("spoilt.sql"));
  });
}
