/**
 * One backup: the dump, the files and the manifest → an object in S3 and its description beside it, while they come into
 * being. Nothing is kept but what is under way. The object appears only when the other container has said that its
 * transaction held to the end, and counts only when the service says that it has all of it.
 */
import { createHash } from "node:crypto";
import type { BackupFormat } from "../crd/mod.ts";
import { DESCRIPTION_SUFFIX } from "../model/s3/s3_location.ts";
import { S3Object } from "../ports/s3.ts";
import type { BackupSettings } from "./backup_settings.ts";
import { withAuthority } from "./certificate_authority.ts";
import {
  copiedText,
  type DatabaseFacts,
  isFileName,
  manifest,
  odooVersion,
  parseFacts,
  pgVersion,
} from "./database_facts.ts";
import { type DumpPipes, openDumpPipes } from "./dump_pipes.ts";
import { openStored } from "./filestore.ts";
import { JobError } from "./report.ts";
import { assertServiceHost } from "./service_host.ts";
import { type Sink, ZipWriter } from "./zip_writer.ts";

/** What a backup holds. */
export interface BackupSummary {
  readonly bytes: number;
  readonly sha256: string;
  readonly format: BackupFormat;
  readonly odooVersion: string;
  readonly pgVersion: string;
  /** Installed ones. */
  readonly modules: number;
  readonly attachments: number;
  readonly files: number;
  /** Named by attachments, and not there. */
  readonly missingFiles: number;
  readonly seconds: number;
}

/** The JSON object beside a backup; a restore reads it. */
export interface BackupDescription extends Omit<BackupSummary, "modules" | "seconds"> {
  /** Of the object that is described: a description of another one says nothing. */
  readonly etag: string;
  readonly database: string;
  readonly modules: Readonly<Record<string, string>>;
  readonly createdAt: string;
}

/** How a dump that is complete begins, and ends. */
const MARKS = {
  plain: { begins: "", ends: "-- PostgreSQL database dump complete" },
  custom: { begins: "PGDMP", ends: "" },
} as const;
const MARGIN_BYTES = 4096;

/** Makes the backup; resolves when it is where it should be and all of it is. */
export async function backUp(settings: BackupSettings, signal: AbortSignal): Promise<BackupSummary> {
  const startedAt = performance.now();
  const { directory, format, peerTimeoutMs } = settings;
  using pipes = await openDumpPipes(directory, { timeoutMs: peerTimeoutMs, signal });
  using object = await openTarget(settings, { pipes, signal });
  await pipes.say("ready");
  const facts = parseFacts(await pipes.factsLine());
  const about = { format, odooVersion: odooVersion(facts), pgVersion: pgVersion(facts) };
  const { attachments } = facts;
  await using writer = await object.writer({
    metadata: {
      format,
      "odoo-version": about.odooVersion,
      "pg-version": about.pgVersion,
      modules: String(Object.keys(facts.modules).length),
      attachments: String(attachments),
    },
    expectedBytes: facts.databaseBytes + (settings.withFilestore ? facts.fileBytes : 0),
  });
  const hash = createHash("sha256");
  const sink: Sink = async (piece) => {
    signal.throwIfAborted();
    hash.update(piece);
    await writer.write(piece);
  };
  const counts = format === "zip"
    ? await writeZip(settings, { pipes, facts, sink })
    : await writeDump(format, { pipes, sink });
  await pipes.reached("complete");
  const { bytes, etag } = await writer.close();
  const found = { bytes, sha256: hash.digest("hex"), ...about, attachments, ...counts };
  const { database, modules } = facts;
  await describe(object, { ...found, etag, database, modules, createdAt: new Date().toISOString() });
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  return { ...found, modules: Object.keys(modules).length, seconds };
}

interface Opening {
  readonly pipes: DumpPipes;
  readonly signal: AbortSignal;
}

/** What is wrong with the bucket, or the way to it, is known before the database has any work. */
async function openTarget(
  { target, caFile, apiServer }: BackupSettings,
  { pipes, signal }: Opening,
): Promise<S3Object> {
  try {
    await assertServiceHost(target.endpoint, { apiServer });
    const object = new S3Object(await withAuthority(target, caFile), { signal });
    await object.head();
    return object;
  } catch (error) {
    await pipes.say("never");
    throw error;
  }
}

interface Counts {
  readonly files: number;
  readonly missingFiles: number;
}

interface ZipParts {
  readonly pipes: DumpPipes;
  readonly facts: DatabaseFacts;
  readonly sink: Sink;
}

/** In the order of Odoo's own: the dump first. */
async function writeZip(settings: BackupSettings, { pipes, facts, sink }: ZipParts): Promise<Counts> {
  const listed = await Deno.open(`${settings.directory}/zip.list`, {
    create: true,
    read: true,
    write: true,
    truncate: true,
  });
  try {
    const zip = new ZipWriter(sink, listed, { now: new Date() });
    const dump = watched(await pipes.dump(), "plain");
    await zip.add("dump.sql", dump.stream);
    await pipes.reached("dumped");
    dump.assertWhole();
    const folder = settings.withFilestore ? await realFolder(settings.filestore) : undefined;
    let [files, missingFiles] = [0, 0];
    for await (const line of pipes.files()) {
      if (!settings.withFilestore) continue;
      const name = copiedText(line);
      const file = folder && isFileName(name) ? await openStored(folder, name) : undefined;
      if (file) {
        await zip.add(`filestore/${name}`, file.readable);
        files++;
      } else missingFiles++;
    }
    await pipes.reached("listed");
    await pipes.say("read");
    const text = JSON.stringify(manifest(facts), undefined, 4);
    await zip.add("manifest.json", new Blob([text]).stream());
    await zip.close();
    return { files, missingFiles };
  } finally {
    listed.close();
  }
}

/** The dump alone. What the script lists is of no use here, but it writes it all the same. */
async function writeDump(format: "sql" | "dump", { pipes, sink }: Omit<ZipParts, "facts">): Promise<Counts> {
  const dump = watched(await pipes.dump(), format === "sql" ? "plain" : "custom");
  for await (const piece of dump.stream) await sink(piece);
  await pipes.reached("dumped");
  dump.assertWhole();
  for await (const _name of pipes.files()) { /* until its end */ }
  await pipes.reached("listed");
  await pipes.say("read");
  return { files: 0, missingFiles: 0 };
}

interface WatchedDump {
  readonly stream: ReadableStream<Uint8Array>;
  /** Throws if what has gone by is no whole dump. */
  assertWhole(): void;
}

/** The same stream, of whose beginning and end something is kept. */
function watched(dump: ReadableStream<Uint8Array>, form: keyof typeof MARKS): WatchedDump {
  const { begins, ends } = MARKS[form];
  const decoder = new TextDecoder("latin1");
  let [head, tail] = ["", ""];
  const look = new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, controller) {
      if (head.length < begins.length) head += decoder.decode(piece.subarray(0, begins.length));
      tail = (tail + decoder.decode(piece.subarray(-MARGIN_BYTES))).slice(-MARGIN_BYTES);
      controller.enqueue(piece);
    },
  });
  return {
    stream: dump.pipeThrough(look),
    assertWhole() {
      if (tail === "") throw new JobError("DumpEmpty", "pg_dump wrote nothing, and says that all is well");
      if (head.startsWith(begins) && tail.includes(ends)) return;
      throw new JobError("DumpFailed", "pg_dump says that all is well, but its dump has no end");
    },
  };
}

/** The folder by its real name, which the names of its files are compared with; `undefined` if there is none. */
async function realFolder(path: string): Promise<string | undefined> {
  try {
    return await Deno.realPath(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined; // an instance that never stored a file
    throw error;
  }
}

/** Writes the description, and reads it back, to verify what the service stored. */
async function describe(object: S3Object, description: BackupDescription): Promise<void> {
  using beside = object.sibling(object.address.Key + DESCRIPTION_SUFFIX);
  await beside.put(new TextEncoder().encode(JSON.stringify(description)));
  const stored = JSON.parse(await new Response(beside.read()).text()) as Partial<BackupDescription>;
  if (stored.sha256 !== description.sha256 || stored.etag !== description.etag) {
    throw new JobError("ObjectChanged", `The description beside ${object.address.Key} is not the one that was written`);
  }
}
