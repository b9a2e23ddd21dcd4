/**
 * `odoo-operator job restore`: fetches a backup, checks it, loads its database by scripts/restore_load.sh into the side database
 * and unpacks its files into the side directory. The instance's own database and files are not touched.
 *
 * All that can be known of a backup beforehand is checked before anything is written. The order in which it is read is the
 * order in which it is stored, so a zip in a bucket takes one request and no room but that of the files themselves.
 */
import { createHash } from "node:crypto";
import { majorOf } from "../model/instance/version_profile.ts";
import { BackupZip, type ZipContent, type ZipTarget } from "./backup_zip.ts";
import { fileSink } from "./file_sink.ts";
import { JobError } from "./report.ts";
import { cancelLoad, LoadContainer, type LoadResult } from "./load_container.ts";
import { PlainDumpFilter } from "./plain_dump.ts";
import type { RestoreSettings } from "./restore_settings.ts";
import { openSource, type RestoreSource } from "./restore_source.ts";

/** What was restored. */
export interface RestoreSummary extends LoadResult {
  readonly format: string;
  /** Files unpacked; absent where the backup is a database only. */
  readonly unpackedFiles?: number;
  /** Of the server that the dump is from, if it is known. */
  readonly postgresVersion?: string;
  /** Whether a checksum was known, and right. */
  readonly checksum: "matched" | "unknown";
  /** What of the dump was not loaded, by kind. */
  readonly leftOut: readonly string[];
}

/** Does all of it. @throws {JobError} with what is wrong and what to do */
export async function restore(settings: RestoreSettings, signal: AbortSignal): Promise<RestoreSummary> {
  try {
    await using source = await openSource(settings, signal);
    return await restoreFrom(source, settings, signal);
  } catch (error) {
    await cancelLoad(settings.shared);
    throw asFailure(error, settings);
  }
}

async function restoreFrom(source: RestoreSource, settings: RestoreSettings, signal: AbortSignal) {
  await using zip = source.zip && new BackupZip(source.zip);
  const content = await zip?.check({ maxBytes: settings.maxBytes });
  checkVersion(content?.manifest?.odooVersion ?? "", settings);
  // a stream is checked while it is loaded; of a zip pieces are read, so it is read once more for its sum
  if (zip && source.sha256) { for await (const _ of checked(source)); // the sum is taken in passing
   }
  const peer = await LoadContainer.connect(settings.shared, { waitMs: settings.peerTimeoutMs, signal });
  const filter = new PlainDumpFilter(peer.server);
  if (settings.format === "dump") await peer.sendCustom(checked(source));
  else {
    await peer.sendPlain(() => filter.leftOut);
    const dump = dumpStream(peer, filter);
    if (zip) await zip.unpack(await zipTarget(dump, settings));
    else await ReadableStream.from(checked(source)).pipeTo(dump);
  }
  const result = await peer.finish();
  checkVersion(result.odooVersion, settings);
  return summaryOf({ result, content, settings, source, leftOut: peer.leftOut });
}

interface Done {
  readonly result: LoadResult;
  readonly content: ZipContent | undefined;
  readonly settings: RestoreSettings;
  readonly source: RestoreSource;
  readonly leftOut: readonly string[];
}

function summaryOf({ result, content, settings, source, leftOut }: Done): RestoreSummary {
  const postgresVersion = content?.manifest?.postgresVersion;
  return {
    ...result,
    format: settings.format,
    checksum: source.sha256 ? "matched" : "unknown",
    leftOut,
    ...(content ? { unpackedFiles: content.files } : {}),
    ...(postgresVersion ? { postgresVersion } : {}),
  };
}

/** The source's stream, which fails at its end if its checksum is known and another. */
async function* checked(source: RestoreSource): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  for await (const piece of source.stream()) {
    if (source.sha256) hash.update(piece);
    yield piece;
  }
  if (source.sha256 && hash.digest("hex") !== source.sha256) {
    throw new JobError(
      "ChecksumMismatch",
      "The backup is not what was backed up: its SHA-256 differs from the one that was written down with it; use another backup",
    );
  }
}

function dumpStream(peer: LoadContainer, filter: PlainDumpFilter): WritableStream<Uint8Array> {
  return new WritableStream({
    write: async (piece) => await peer.write(filter.push(piece)),
    close: () => {
      filter.end();
      peer.end();
    },
  });
}

async function zipTarget(dump: WritableStream<Uint8Array>, settings: RestoreSettings): Promise<ZipTarget> {
  const directory = `${settings.dataDirectory}/filestore/${settings.side}`;
  await Deno.mkdir(`${settings.dataDirectory}/filestore`, { recursive: true });
  try {
    await Deno.mkdir(directory);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw new JobError("SideDirectoryExists", "The side directory exists: another Job has begun to fill it");
  }
  const made = new Set<string>();
  return {
    dump: () => dump,
    file: async (path) => {
      const folder = path.slice(0, path.lastIndexOf("/"));
      if (!made.has(folder)) await Deno.mkdir(`${directory}/${folder}`, { recursive: true });
      made.add(folder);
      return await fileSink(`${directory}/${path}`);
    },
  };
}

/** Odoo opens no database of another major; an update can only go on from one that was opened by the old. */
function checkVersion(found: string, { odooVersion }: RestoreSettings): void {
  const [of, image] = [majorOf(found), majorOf(odooVersion)];
  if (!of || !image || of === image) return;
  throw new JobError(
    "OdooVersionDiffers",
    `The backup is of Odoo ${found}, the instance's image has Odoo ${odooVersion}: set spec.image to one of Odoo ${of}, or restore a backup of Odoo ${image}`,
  );
}

/** A full volume in the words of the report. */
function asFailure(error: unknown, { side }: RestoreSettings): unknown {
  if (error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT")) {
    return new JobError(
      "VolumeFull",
      `The volume of the files is full: beside the present files it must have room for those of the backup (${side}); raise spec.filestore.storageSize`,
      { cause: error },
    );
  }
  return error;
}
