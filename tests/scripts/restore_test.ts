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
import { eventually } from "../support/eventually.ts";
import {
  type RestoreEnding,
  type RestorePodOptions,
  type RunningRestorePod,
  runRestorePod,
  startRestorePod,
} from "../support/restore_pod.ts";
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

const text = (content: string) => new TextEncoder().encode(content);
const FILE_NAME = `filestore/ab/ab${"0".repeat(38)}`;
const NO_DUMP = { name: "dump.sql", content: "--" };

/** What is refused before anything is written. `content` is asked for when the backups are there. */
const REFUSED: Readonly<
  Record<string, {
    readonly format: Attempt["format"];
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
    content: () => backups.dump,
    reason: "FormatMismatch",
    says: "its content is a custom dump of pg_dump",
  },
  "a zip is said to be SQL": {
    format: "sql",
    content: () => backups.zip,
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
    content: () => backups.zip.slice(0, backups.zip.length - 3000),
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
    content: () => zipped(backupEntries(text("--"), files, { version: "18.0" })),
    env: { RESTORE_ODOO_VERSION: "19.0-20260101" },
    reason: "OdooVersionDiffers",
    says: "The backup is of Odoo 18.0",
  },
  "the zip is not what was backed up": {
    format: "zip",
    content: () => backups.zip,
    metadata: { sha256: "0".repeat(64) },
    reason: "ChecksumMismatch",
    says: "SHA-256",
  },
};

for (const [sentence, { content, reason, says, ...rest }] of Object.entries(REFUSED)) {
  Deno.test(`job restore writes nothing and says why when ${sentence}`, async () => {
    const bytes = await content();
    const { report, codes, output } = await attempt({
      ...rest,
      ...(bytes ? { content: bytes } : {}),
      look: async (data) => assertEquals(await Array.fromAsync(Deno.readDir(data)), []),
    });
    assertEquals([report.ok, report.reason, codes], [false, reason, { restore: 1, load: 1 }], output);
    assertStringIncludes(String(report.error), says);
    assertEquals(await side("select count(*)::int from pg_tables where schemaname = 'public'"), 0);
  });
}

Deno.test("job restore believes a backup whose checksum is right, in the metadata or beside it", async () => {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(backups.zip)));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const zip = await attempt({ content: backups.zip, format: "zip", metadata: { sha256 } });
  assertEquals([zip.report.ok, zip.report.checksum], [true, "matched"], zip.output);
  using sidecar = object("shop/backup.json");
  await sidecar.put(text(JSON.stringify({ sha256, bytes: backups.zip.length })));
  const beside = await attempt({ content: backups.zip, format: "zip" });
  const other = await attempt({ content: backups.dump, format: "dump" }); // of another size: not this object's
  await sidecar.delete();
  assertEquals([beside.report.checksum, other.report.checksum], ["matched", "unknown"], beside.output + other.output);
});

/** SQL as pg_dump frames it. */
function framed(sql: string): Uint8Array {
  return text(`SET statement_timeout = 0;\n${sql}\n--\n-- PostgreSQL database dump complete\n--\n\n`);
}

/** What turns out to be wrong only while it is loaded. */
const FAILED: Readonly<
  Record<string, {
    readonly format: Attempt["format"];
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
    content: () => backups.sql.slice(0, backups.sql.length / 2),
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
    content: () => backups.dump.slice(0, backups.dump.length - 2000),
    reason: "DumpBroken",
    says: "make a new backup",
  },
  "a custom dump is cut off in its head": {
    format: "dump",
    content: () => backups.dump.slice(0, 300),
    reason: "DumpBroken",
    says: "make a new backup",
  },
  "a custom dump is of a newer pg_dump": {
    format: "dump",
    content: () => {
      const newer = backups.dump.slice();
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
    content: () => backups.dump,
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
    content: () => backups.dump,
    metadata: { sha256: "0".repeat(64) },
    reason: "ChecksumMismatch",
    says: "SHA-256",
  },
  "PostgreSQL refuses the login": {
    format: "dump",
    content: () => backups.dump,
    load: { PGPASSWORD: "wrong-password" },
    reason: "DatabaseUnreachable",
    says: "password authentication failed",
  },
};

for (const [sentence, { content, reason, says, ...rest }] of Object.entries(FAILED)) {
  Deno.test(`job restore says why when ${sentence}`, async () => {
    const { report, output } = await attempt({ ...rest, content: await content() });
    assertEquals([report.ok, report.reason], [false, reason], output);
    assertStringIncludes(String(report.error), says);
  });
}

Deno.test("job restore does not load into a database that has something in it", async () => {
  const data = await Deno.makeTempDir();
  const options = await prepared({ content: backups.zip, format: "zip" }, data);
  await query(server, { sql: "create table mine (id int)", database: SIDE, user: "tenant", password: PASSWORD });
  const { report } = await runRestorePod(options);
  assertEquals(report.reason, "SideDatabaseNotEmpty");
  assertEquals(await side("select count(*)::int from pg_tables where schemaname = 'public'"), 1);
  await Deno.remove(data, { recursive: true });
});

Deno.test("job restore loads what needs no extension though one may not be created, and says which", async () => {
  const sql = new TextDecoder().decode(backups.sql).replace(
    "\nSET default_tablespace",
    () =>
      "\nCREATE EXTENSION IF NOT EXISTS adminpack WITH SCHEMA pg_catalog;\nCOMMENT ON EXTENSION adminpack IS 'x';\nSET transaction_timeout = 0;\nSET default_tablespace",
  );
  const { report, output } = await attempt({ content: text(sql), format: "sql" });
  assertEquals(report.ok, true, output);
  assertEquals(
    (report.leftOut as string[]).filter((kind) => /adminpack|SET/.test(kind)),
    ["EXTENSION adminpack", "SET transaction_timeout"],
  );
});

interface OdooDouble extends AsyncDisposable {
  readonly url: string;
  /** Forms that it was sent. */
  readonly asked: URLSearchParams[];
}

/** TEST DOUBLE of another Odoo's database manager: answers as `answer` has it, and lists `databases`. */
function startOdoo(answer: (form: URLSearchParams) => Response, databases: readonly string[] = ["old"]): OdooDouble {
  const asked: URLSearchParams[] = [];
  const listener = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/web/database/list") return Response.json({ jsonrpc: "2.0", id: 1, result: databases });
    if (pathname !== "/web/database/backup") return new Response("moved here", { status: 404 });
    const form = new URLSearchParams(await request.text());
    asked.push(form);
    return answer(form);
  });
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    asked,
    [Symbol.asyncDispose]: () => listener.shutdown(),
  };
}

const MASTER_PASSWORD = "master & secret";

function fromOdoo(odoo: OdooDouble, format: Attempt["format"], database = ""): Attempt {
  return {
    format,
    env: { RESTORE_SOURCE: "odoo", SOURCE_URL: odoo.url, SOURCE_DATABASE: database, SOURCE_PASSWORD: MASTER_PASSWORD },
    look: async (data) => {
      const left = await Array.fromAsync(Deno.readDir(`${data}/filestore`)).catch(() => []);
      assertEquals(left.filter(({ name }) => name !== SIDE), [], "the download is still there");
    },
  };
}

for (const format of ["zip", "dump"] as const) {
  Deno.test(`job restore brings back a ${format} that another Odoo makes, by its only database's name`, async () => {
    await using odoo = startOdoo(() =>
      new Response(new Uint8Array(backups[format]), { headers: { "content-type": "application/octet-stream" } })
    );
    const { report, output } = await attempt(fromOdoo(odoo, format));
    assertEquals([report.ok, report.attachments], [true, 30], output);
    assertEquals(odoo.asked.map((form) => Object.fromEntries(form)), [
      { master_pwd: MASTER_PASSWORD, name: "old", backup_format: format },
    ]);
  });
}

function page(error: string): Response {
  return new Response(`<html><body><div class="alert">Database backup error: ${error}</div></body></html>`, {
    headers: { "content-type": "text/html; charset=utf-8" },
  });
}

/** How another Odoo fails. */
const ODOO_FAILURES: Readonly<
  Record<string, {
    readonly answer: () => Response;
    readonly databases?: readonly string[];
    readonly reason: string;
    readonly says: string;
  }>
> = {
  "the master password is wrong": {
    answer: () => page("Access Denied"),
    reason: "MasterPasswordWrong",
    says: "masterPassword",
  },
  "it fails otherwise": { answer: () => page("disk full"), reason: "SourceRefuses", says: "disk full" },
  "it redirects": {
    answer: () => new Response(null, { status: 303, headers: { location: "http://elsewhere.example.com/web?pwd=1" } }),
    reason: "SourceRedirects",
    says: "redirects to http://elsewhere.example.com/web,",
  },
  "its database manager is closed": {
    answer: () => new Response("no", { status: 403 }),
    reason: "SourceRefuses",
    says: "answers 403",
  },
  "it has two databases": {
    answer: () => page(""),
    databases: ["a", "b"],
    reason: "SourceDatabaseUnknown",
    says: "2 databases",
  },
  "it sends too much": {
    answer: () => new Response(new Uint8Array(backups.zip)),
    reason: "SourceTooLarge",
    says: "more than 5000 bytes",
  },
  "it sends a page as if it were a backup": {
    answer: () => new Response("<html>", { headers: { "content-type": "application/octet-stream" } }),
    reason: "FormatMismatch",
    says: "a page of HTML",
  },
};

for (const [sentence, { answer, databases, reason, says }] of Object.entries(ODOO_FAILURES)) {
  Deno.test(`job restore says why when of another Odoo ${sentence}`, async () => {
    await using odoo = startOdoo(answer, databases);
    const what = fromOdoo(odoo, "zip");
    const { report, codes, output } = await attempt({
      ...what,
      env: { ...what.env, ...(reason === "SourceTooLarge" ? { RESTORE_MAX_BYTES: "5000" } : {}) },
    });
    assertEquals([report.reason, codes], [reason, { restore: 1, load: 1 }], output);
    assertStringIncludes(String(report.error), says);
    assert(
      !output.includes(MASTER_PASSWORD) && !output.includes(encodeURIComponent(MASTER_PASSWORD)),
      "the master password",
    );
  });
}

Deno.test("job restore says why when another Odoo breaks off", async () => {
  await using odoo = startOdoo(() => {
    const pieces = async function* () {
      yield backups.dump.slice(0, 4000);
      await Promise.reject(new Error("gone"));
    };
    return new Response(ReadableStream.from(pieces()), { headers: { "content-type": "application/octet-stream" } });
  });
  const { report, output } = await attempt(fromOdoo(odoo, "dump", "old"));
  assertEquals([report.ok, report.reason], [false, "SourceUnreachable"], output);
});

Deno.test("job restore says that the volume is full, and how to help it", { ignore: Deno.uid() !== 0 }, async () => {
  const data = await Deno.makeTempDir();
  const mount = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command(args[0] ?? "", { args: args.slice(1) }).output();
    assert(success, new TextDecoder().decode(stderr));
  };
  await mount("mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", data);
  try {
    const { report, codes, output } = await runRestorePod(
      await prepared({ content: backups.zip, format: "zip" }, data),
    );
    assertEquals([report.reason, codes.restore], ["VolumeFull", 1], output);
    assertStringIncludes(String(report.error), "storageSize");
  } finally {
    await mount("umount", data);
    await Deno.remove(data);
  }
});

/** A restore that stands still in the middle of its load, and what happens to it there. */
async function interrupted(happens: (pod: RunningRestorePod) => Promise<void>): Promise<RestoreEnding> {
  const released = Promise.withResolvers<void>();
  const middle = backups.dump.length - 5000;
  await using odoo = startOdoo(() => {
    const pieces = async function* () {
      yield backups.dump.slice(0, middle);
      await released.promise;
      yield backups.dump.slice(middle);
    };
    return new Response(ReadableStream.from(pieces()), { headers: { "content-type": "application/octet-stream" } });
  });
  const data = await Deno.makeTempDir();
  try {
    const pod = await startRestorePod(await prepared(fromOdoo(odoo, "dump", "old"), data));
    await eventually("the load has begun", async () => {
      return await side("select count(*)::int from pg_tables where tablename = 'res_partner'") === 1;
    }, { timeoutMs: 30_000 });
    await happens(pod);
    released.resolve();
    return await pod.ended;
  } finally {
    released.resolve();
    await Deno.remove(data, { recursive: true });
  }
}

Deno.test("job restore says that PostgreSQL went away when it is restarted during the load", async () => {
  const { report, output } = await interrupted(() => server.restart());
  assertEquals(report.reason, "DatabaseUnreachable", output);
});

Deno.test("job restore says that the container load was killed when it was", async () => {
  const { report, output } = await interrupted(({ load }) => Promise.resolve(load.kill("SIGKILL")));
  assertEquals(report.reason, "LoadKilled", output);
});

Deno.test("restore_load.sh ends by itself when the container that sends was killed", async () => {
  const { codes, output } = await interrupted(({ restore }) => Promise.resolve(restore.kill("SIGKILL")));
  assertEquals([codes.restore, codes.load > 0], [137, true], output);
});

Deno.test("restore_load.sh ends when it is told to, and so does job restore", async () => {
  const { report, codes, output } = await interrupted(({ load }) => Promise.resolve(load.kill("SIGTERM")));
  assertEquals([codes.load, report.ok], [143, false], output);
});

Deno.test("job restore and restore_load.sh wait no longer than they are told when the other does not come", async () => {
  const data = await Deno.makeTempDir();
  const options = await prepared({ content: backups.zip, format: "zip" }, data);
  const [restore, load] = [{ ...options.restore, RESTORE_PEER_SECONDS: "2" }, {
    ...options.load,
    RESTORE_PEER_SECONDS: "2",
  }];
  const alone = await runRestorePod({ ...options, restore, script: "exit 0" });
  assertEquals(alone.report.reason, "LoadContainerAbsent", alone.output);
  const lonely = await runRestorePod({ ...options, restore: { ...restore, RESTORE_SHARED: data }, load });
  assertEquals(lonely.codes.load, 1);
  assertStringIncludes(lonely.output, "The other container gave no order in 2 s");
  await Deno.remove(data, { recursive: true });
});
