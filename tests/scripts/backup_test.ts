/**
 * A backup as a pod makes it: scripts/backup_dump.sh by the real shell, psql and pg_dump, and `job backup` by deno, between a
 * real PostgreSQL and a real S3 service. What they make is judged by Debian's unzip, Python's zipfile and psql.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ensureSystemPackages } from "../../tools/system_packages.ts";
import { type BackupRig, type Report, type RunningBackup, startBackupRig } from "../support/backup_rig.ts";
import { eventually } from "../support/eventually.ts";
import { descendantsOf } from "../support/process_table.ts";
import { startS3Proxy } from "../support/s3_proxy.ts";
import { query } from "../support/sql.ts";

const MIB = 2 ** 20;
let rig: BackupRig;

Deno.test.beforeAll(async () => {
  await ensureSystemPackages(["unzip"]);
  rig = await startBackupRig();
});
Deno.test.afterAll(() => rig?.[Symbol.asyncDispose]());

/** What a program prints; throws unless it succeeds. */
async function output(program: string, args: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  assert(success, `${program} failed: ${new TextDecoder().decode(stderr)}`);
  return new Uint8Array(stdout);
}

async function textOf(program: string, args: readonly string[]): Promise<string> {
  return new TextDecoder().decode(await output(program, args));
}

async function sha256(content: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", content)).toHex();
}

function random(bytes: number): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536) crypto.getRandomValues(content.subarray(at, at + 65_536));
  return content;
}

async function leavesNothing(key: string): Promise<void> {
  assertEquals(await rig.s3.orphans(), []);
  const there = await Deno.lstat(rig.stored(key)).then(() => true, () => false);
  assertEquals(there, false, `an object is left: ${key}`);
}

/** The dump waits for this lock: until then a test may do what is to happen half-way. */
async function whileDumping(
  environment: Readonly<Record<string, string>>,
  meanwhile: (running: RunningBackup, begun: { readonly sentBytes: () => number }) => Promise<void>,
): Promise<{ readonly report: Report; readonly dumpCode: number; readonly jobCode: number }> {
  await rig.sql(
    "create table if not exists big as select i, repeat(md5(i::text), 8) as text from generate_series(1, 400000) i",
  );
  await rig.sql("alter table big owner to tenant");
  try {
    const running = await rig.begin(environment);
    // pg_dump has begun to copy rows: it is in the middle of its work, and held there by the full pipe for a while
    await eventually("pg_dump copies rows", async () => {
      const rows = await query(rig.server, {
        sql: "select 1 from pg_stat_activity where query like 'COPY public.big%'",
      });
      return rows.length > 0;
    }, { timeoutMs: 30_000, intervalMs: 5 });
    await meanwhile(running, { sentBytes: () => 0 });
    const { job, dump } = await running.end;
    return { report: job.report, dumpCode: dump.code, jobCode: job.code };
  } finally {
    await rig.sql("drop table big");
  }
}

Deno.test("job backup makes a zip that unzip, Python and psql read when the format is zip", async () => {
  const contents = [
    new TextEncoder().encode("hello"),
    new Uint8Array(3 * MIB).fill(7),
    random(2 * MIB),
    new Uint8Array(),
  ];
  const names = [];
  for (const content of contents) names.push(await rig.attach(content));
  await rig.sql(
    "insert into ir_attachment (name, store_fname, file_size) values ('lost', 'ff/ff00', 5), ('twin', 'ff/ff00', 5)",
  );
  const key = "shop/k$(id) é.zip";
  const { job, dump } = await rig.run({ S3_KEY: key });
  assertEquals([dump.code, job.code], [0, 0], job.log + dump.log);
  const path = rig.stored(key);
  const archive = await Deno.readFile(path);
  const { seconds, ...report } = job.report;
  assert(Number(seconds) >= 0);
  assertEquals(report, {
    ok: true,
    bytes: archive.length,
    sha256: await sha256(archive),
    format: "zip",
    odooVersion: "19.0",
    pgVersion: "15.0",
    modules: 2,
    attachments: 6,
    files: 4,
    missingFiles: 1,
  });
  const described = JSON.parse(await Deno.readTextFile(`${path}.json`));
  assertEquals([described.sha256, described.bytes, described.database], [report.sha256, report.bytes, "shop"]);
  await output("unzip", ["-tq", path]);
  assertEquals(
    await textOf("python3", ["-c", "import sys,zipfile; print(zipfile.ZipFile(sys.argv[1]).testzip())", path]),
    "None\n",
  );
  for (const [index, name] of names.entries()) {
    assertEquals(await output("unzip", ["-p", path, `filestore/${name}`]), contents[index]);
  }
  assertEquals(JSON.parse(await textOf("unzip", ["-p", path, "manifest.json"])), {
    odoo_dump: "1",
    db_name: "shop",
    version: "19.0",
    version_info: [19, 0, 0, "final", 0, ""],
    major_version: "19.0",
    pg_version: "15.0",
    modules: { base: "19.0.1.3", sale: "19.0.1.2" },
  });
  const sql = await textOf("unzip", ["-p", path, "dump.sql"]);
  assertStringIncludes(sql, "Ünïcode & 'quotes'");
  assert(!/OWNER TO|GRANT/.test(sql), "owners and rights are those of whoever restores");
  await rig.sql("delete from ir_attachment");
});

Deno.test("job backup makes a dump that pg_restore lists, or SQL text, when the format says so", async () => {
  for (const format of ["dump", "sql"]) {
    const { job } = await rig.run({ BACKUP_FORMAT: format, S3_KEY: `shop.${format}` });
    assertEquals([job.report.ok, job.report.format, job.report.files], [true, format, 0], job.log);
    const content = await Deno.readFile(rig.stored(`shop.${format}`));
    assertEquals(job.report.sha256, await sha256(content));
  }
  assertStringIncludes(
    await textOf("pg_restore", ["--list", rig.stored("shop.dump")]),
    "TABLE DATA public res_partner",
  );
  assertStringIncludes(await Deno.readTextFile(rig.stored("shop.sql")), "PostgreSQL database dump complete");
});

Deno.test("job backup leaves files out when withFilestore is false", async () => {
  await rig.attach(new TextEncoder().encode("not me"));
  const { job } = await rig.run({ BACKUP_WITH_FILESTORE: "false", S3_KEY: "bare.zip" });
  assertEquals([job.report.ok, job.report.files, job.report.missingFiles], [true, 0, 0], job.log);
  assertEquals((await textOf("unzip", ["-Z1", rig.stored("bare.zip")])).trim().split("\n"), [
    "dump.sql",
    "manifest.json",
  ]);
  await rig.sql("delete from ir_attachment");
});

Deno.test("job backup takes no file from elsewhere when the filestore holds links and the database names that lead out", async () => {
  const outside = await Deno.makeTempDir();
  await Deno.writeTextFile(`${outside}/secret`, "not yours");
  await Deno.symlink(`${outside}/secret`, `${rig.filestore}/link`);
  await Deno.symlink(outside, `${rig.filestore}/folder`);
  await output("mkfifo", [`${rig.filestore}/pipe`]);
  const names = [
    "link",
    "folder/secret",
    "pipe",
    `../${outside.split("/").at(-1)}/secret`,
    `${outside}/secret`,
    "a\\b",
    "a\nb",
  ];
  for (const name of names) {
    await query(rig.server, {
      sql: "insert into ir_attachment (store_fname) values ($1)",
      values: [name],
      database: "shop",
    });
  }
  const { job } = await rig.run({ S3_KEY: "links.zip" });
  assertEquals([job.report.ok, job.report.files, job.report.missingFiles], [true, 0, names.length], job.log);
  assertEquals((await textOf("unzip", ["-Z1", rig.stored("links.zip")])).trim().split("\n"), [
    "dump.sql",
    "manifest.json",
  ]);
  await rig.sql("delete from ir_attachment");
  for (const name of ["link", "folder", "pipe"]) await Deno.remove(`${rig.filestore}/${name}`);
  await Deno.remove(outside, { recursive: true });
});

interface Failure {
  readonly given: Readonly<Record<string, string>>;
  readonly want: { readonly reason: string; readonly error: string };
}

const FAILURES: Readonly<Record<string, Failure>> = {
  "the bucket is missing": {
    given: { S3_BUCKET: "nobodys" },
    want: { reason: "BucketMissing", error: "create the bucket" },
  },
  "the credentials are wrong": {
    given: { S3_SECRET_KEY: "s3cr3t-of-nobody" },
    want: { reason: "CredentialsWrong", error: "accessKey and secretKey" },
  },
  "the password of the database is wrong": {
    given: { PGPASSWORD: "s3cr3t-of-nobody" },
    want: { reason: "DatabaseUnreachable", error: "connection to PostgreSQL failed" },
  },
  "the database has no Odoo in it": {
    given: { PGDATABASE: "postgres" },
    want: { reason: "NotOdoo", error: "no Odoo" },
  },
  "a setting is missing": { given: { S3_ENDPOINT: "" }, want: { reason: "InvalidSettings", error: "S3_ENDPOINT" } },
};

for (const [sentence, { given, want }] of Object.entries(FAILURES)) {
  Deno.test(`job backup reports ${want.reason} when ${sentence}`, async () => {
    const { job, dump } = await rig.run({ S3_KEY: "failed.zip", BACKUP_PEER_SECONDS: "8", ...given });
    assertEquals([job.report.ok, job.report.reason], [false, want.reason], job.log + dump.log);
    assertStringIncludes(job.report.error ?? "", want.error);
    assert(job.code !== 0 && dump.code !== 0);
    assert(!(job.log + dump.log).includes("s3cr3t-of-nobody"), "a secret was printed");
    await leavesNothing("failed.zip");
  });
}

Deno.test("job backup reports DumpFailed when pg_dump is killed half-way", async () => {
  const { report, jobCode } = await whileDumping({ S3_KEY: "killed.zip" }, async ({ dump }) => {
    const parents = [dump.pid, ...await descendantsOf(dump.pid)]; // another test may run a pg_dump at the same time
    const pids = await textOf("pgrep", ["-x", "pg_dump", "--parent", parents.join()]);
    Deno.kill(Number(pids.trim().split("\n")[0]), "SIGKILL");
  });
  assertEquals([report.ok, report.reason, jobCode], [false, "DumpFailed", 1], JSON.stringify(report));
  await leavesNothing("killed.zip");
});

Deno.test("job backup reports DumpFailed with the words of PostgreSQL when the server restarts half-way", async () => {
  const { report } = await whileDumping(
    { S3_KEY: "restarted.zip", BACKUP_FORMAT: "sql" },
    () => rig.server.restart("immediate"),
  );
  assertEquals([report.ok, report.reason], [false, "DumpFailed"], JSON.stringify(report));
  assertStringIncludes(report.log ?? "", "pg_dump: error");
  await leavesNothing("restarted.zip");
});

Deno.test("backup_dump.sh ends when the program that it feeds dies", async () => {
  const { dumpCode } = await whileDumping({ S3_KEY: "dead.zip" }, ({ job }) => Promise.resolve(job.kill("SIGKILL")));
  assertEquals(dumpCode, 1);
  const open = await query(rig.server, {
    sql: "select 1 from pg_locks join pg_class on pg_class.oid = relation where relname = 'ir_attachment'",
  });
  assertEquals(open, [], "a lock is left");
});

Deno.test("job backup reports DumpMissing when the script never comes up, or dies as soon as the pipes are there", async () => {
  const nobody = { S3_KEY: "alone.zip", BACKUP_PEER_SECONDS: "1", PATH: "/nonexistent" };
  const { job } = await rig.run(nobody);
  assertEquals(job.report.reason, "DumpMissing", job.log);
  const directory = await Deno.makeTempDir();
  await Deno.mkdir(`${directory}/pipes`);
  await output("mkfifo", ["status", "facts", "peer", "dump"].map((name) => `${directory}/pipes/${name}`));
  const { job: second } = await rig.run({ ...nobody, BACKUP_DIR: directory });
  assertEquals(second.report.reason, "DumpMissing", second.log);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("job backup completes when S3 answers 503 for 30 s", async () => {
  await using proxy = startS3Proxy(rig.s3);
  const storm = { S3_KEY: "stormy.sql", BACKUP_FORMAT: "sql", S3_ENDPOINT: proxy.endpoint };
  const { report } = await whileDumping(storm, async () => {
    proxy.turn("busy");
    const began = performance.now();
    await eventually("30 s of refusals", () => proxy.refused > 3 && performance.now() - began > 30_000, {
      timeoutMs: 60_000,
    });
    proxy.turn("fair");
  });
  assertEquals(report.ok, true, JSON.stringify(report));
  assertEquals(report.sha256, await sha256(await Deno.readFile(rig.stored("stormy.sql"))));
});
