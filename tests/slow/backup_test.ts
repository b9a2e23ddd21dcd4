/** What a backup must hold at any size and under any load: no file lost, memory small, an outage of S3 told as what it is. */
// deno-lint-ignore-file no-console -- figures are printed
// @ts-types="@types/pg"
import pg from "pg";
import { assert, assertEquals } from "@std/assert";
import { type BackupRig, DATABASE, startBackupRig } from "../support/backup_rig.ts";
import { eventually } from "../support/eventually.ts";
import { startS3Proxy } from "../support/s3_proxy.ts";

const MIB = 2 ** 20;
const WRITERS = 10;
const WRITING_MS = 60_000;
/** Longer than a writer takes from the file to the row. */
const YOUNG_MS = 15_000;
const MOST_MIB = 128;
const STREAMED_MIB = 2048;

async function text(program: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Attachments come, and older ones go: only their rows, as in Odoo. */
async function writeAttachments(rig: BackupRig, until: () => boolean): Promise<number> {
  let written = 0;
  while (!until()) {
    await rig.attach(crypto.getRandomValues(new Uint8Array(4096)));
    await rig.sql("delete from ir_attachment where id = (select min(id) from ir_attachment where id % 3 = 0)");
    written++;
  }
  return written;
}

/** What Odoo does with files that no row names: under a lock that shuts out every writer, or not at all. */
async function collectGarbage(rig: BackupRig): Promise<number | "refused"> {
  const { host, port, adminUser, adminPassword } = rig.server;
  const client = new pg.Client({ host, port, user: adminUser, password: adminPassword, database: DATABASE });
  await client.connect();
  try {
    await client.query("begin; set local lock_timeout = '500ms'; lock ir_attachment in share mode");
    const { rows } = await client.query("select distinct store_fname from ir_attachment");
    const known = new Set(rows.map(({ store_fname }) => store_fname));
    let removed = 0;
    for await (const folder of Deno.readDir(rig.filestore)) {
      for await (const { name } of Deno.readDir(`${rig.filestore}/${folder.name}`)) {
        const stored = `${folder.name}/${name}`;
        if (known.has(stored) || await isYoung(`${rig.filestore}/${stored}`)) continue;
        await Deno.remove(`${rig.filestore}/${stored}`);
        removed++;
      }
    }
    await client.query("commit");
    return removed;
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === "55P03") return "refused";
    throw error;
  } finally {
    await client.end();
  }
}

/** Written before its row is: Odoo knows such files by a list of its own. */
async function isYoung(path: string): Promise<boolean> {
  const { mtime } = await Deno.stat(path);
  return Date.now() - (mtime?.getTime() ?? 0) < YOUNG_MS;
}

Deno.test(`job backup loses no file when ${WRITERS} write for ${WRITING_MS / 1000} s and garbage is collected meanwhile (slow)`, async () => {
  await using rig = await startBackupRig();
  for (let n = 0; n < 500; n++) await rig.attach(crypto.getRandomValues(new Uint8Array(20_000)));
  const end = performance.now() + WRITING_MS;
  const over = () => performance.now() > end;
  const collections: (number | "refused")[] = [];
  const collect = async () => {
    while (!over()) collections.push(await collectGarbage(rig));
    return 0;
  };
  let [backups, rows] = [0, 0];
  const save = async () => {
    for (; !over(); backups++) rows += await namesInBackup(rig, `round-${backups}.zip`);
    return 0;
  };
  const work = Array.from({ length: WRITERS }, () => writeAttachments(rig, over));
  const ends = await Promise.allSettled([...work, collect(), save()]); // all are at rest before the servers go
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  const written = ends.reduce((sum, end) => sum + (end.status === "fulfilled" ? end.value : 0), 0);
  const removed = collections.reduce<number>((sum, count) => sum + (count === "refused" ? 0 : count), 0);
  const refused = collections.filter((count) => count === "refused").length;
  console.log(JSON.stringify({ backups, rows, missing: 0, written, collected: removed, collectionsRefused: refused }));
  assert(backups > 0 && removed > 0 && refused > 0, "the test did not do what it says");
});

/** Makes a backup in which every attachment has its file; returns how many there are. */
async function namesInBackup(rig: BackupRig, key: string): Promise<number> {
  const { job, dump } = await rig.run({ S3_KEY: key });
  assertEquals([job.report.ok, job.report.missingFiles], [true, 0], job.log + dump.log);
  const sql = await text("unzip", ["-p", rig.stored(key), "dump.sql"]);
  const files = new Set((await text("unzip", ["-Z1", rig.stored(key)])).split("\n"));
  const [, table = ""] = /COPY public\.ir_attachment [^\n]*\n([\s\S]*?)\n\\\./.exec(sql) ?? [];
  const names = table.split("\n").map((line) => line.split("\t")[2]);
  assertEquals(names.filter((name) => !files.has(`filestore/${name}`)), [], "attachments without a file");
  return names.length;
}

Deno.test(`job backup stays within ${MOST_MIB} MiB when it streams ${STREAMED_MIB} MiB (slow)`, async () => {
  await using rig = await startBackupRig();
  // kept as they are: neither the server nor pg_dump is to be what is measured
  await rig.sql(
    "create table noise (content text); alter table noise owner to tenant; alter table noise alter content set storage external",
  );
  await rig.sql(
    `insert into noise select repeat(md5(i::text), ${MIB / 32}) from generate_series(1, ${STREAMED_MIB}) i`,
  );
  const running = await rig.begin({ S3_KEY: "large.sql", BACKUP_FORMAT: "sql" });
  const status = `/proc/${running.job.pid}/status`;
  let peakKib = 0;
  let over = false;
  const watching = (async () => {
    while (!over) {
      const found = /VmHWM:\s+(\d+)/.exec(await Deno.readTextFile(status).catch(() => ""))?.[1];
      peakKib = Math.max(peakKib, Number(found ?? 0));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const { job } = await running.end;
  over = true;
  await watching;
  assertEquals(job.report.ok, true, job.log);
  const uploaded = Number(job.report.bytes) / MIB;
  const mibPerSecond = uploaded / Number(job.report.seconds);
  const started = performance.now();
  await text(
    "sh",
    [
      "-c",
      'curl -sS -f -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" --aws-sigv4 "aws:amz:us-east-1:s3" -u "$1" -T "$2" "$3"',
      "sh",
    ].concat([
      `${rig.s3.accessKey}:${rig.s3.secretKey}`,
      rig.stored("large.sql"),
      `${rig.s3.endpoint}/backups/baseline`,
    ]),
  );
  const baseline = uploaded / ((performance.now() - started) / 1000);
  console.log(
    JSON.stringify({ uploadedMib: uploaded, peakMib: peakKib / 1024, mibPerSecond, curlMibPerSecond: baseline }),
  );
  assert(uploaded >= STREAMED_MIB);
  assert(peakKib > 0 && peakKib / 1024 <= MOST_MIB, `${peakKib / 1024} MiB`);
});

Deno.test("job backup reports S3Unreachable when S3 is cut off for good (slow)", async () => {
  await using rig = await startBackupRig();
  await using proxy = startS3Proxy(rig.s3);
  await rig.sql("create table big as select repeat(md5(i::text), 100) as text from generate_series(1, 100000) i");
  await rig.sql("alter table big owner to tenant");
  const running = await rig.begin({ S3_KEY: "cut.sql", BACKUP_FORMAT: "sql", S3_ENDPOINT: proxy.endpoint });
  await eventually("parts go", () => proxy.sentBytes > MIB, { timeoutMs: 60_000 });
  proxy.turn("cut");
  const { job, dump } = await running.end;
  assertEquals([job.report.ok, job.report.reason], [false, "S3Unreachable"], job.log);
  assert(job.code !== 0 && dump.code !== 0);
});
