/**
 * A zip of Odoo's database manager: dump.sql, manifest.json, filestore/xx/<sha1>. All of its directory is checked before any of
 * its content is read; every entry is checked again when it is read, and its CRC with it.
 *
 * Read by ranges, in the order of the directory, which is the order of the content: one request for all of it.
 */
import { type Entry, Reader, ZipReader } from "@zip.js/zip.js";
import { type ByteSource, ByteWindow } from "./byte_window.ts";
import { JobError } from "./report.ts";

/** What manifest.json says, as far as it matters here. */
export interface Manifest {
  /** Such as "19.0"; empty if it is not said. */
  readonly odooVersion: string;
  /** Such as "15.0"; empty if it is not said. */
  readonly postgresVersion: string;
}

/** What the directory promises. */
export interface ZipContent {
  readonly files: number;
  /** Of all entries, unpacked. */
  readonly bytes: number;
  readonly manifest: Manifest | undefined;
}

/** Limits of {@linkcode BackupZip.check}. */
export interface ZipLimits {
  /** Unpacked. */
  readonly maxBytes: number;
}

/** Where the parts of a zip go. */
export interface ZipTarget {
  /** The plain dump. */
  dump(): WritableStream<Uint8Array>;
  /** A file of the filestore, `path` relative to it. */
  file(path: string): Promise<WritableStream<Uint8Array>>;
}

const FILE = /^filestore\/((?:checklist\/)?([0-9a-f]{2})\/\2[0-9a-f]{38})$/;
const FOLDER = /^filestore\/(checklist\/)?([0-9a-f]{2}\/)?$/;
const [STORED, DEFLATED] = [0, 8];
const FILE_TYPE = 0o170000;
const REGULAR_TYPES: readonly number[] = [0, 0o100000];
const LONGEST_MANIFEST_BYTES = 4 << 20;
const LONGEST_DIRECTORY_BYTES = 256 << 20;
const LOCAL_HEADER_BYTES = 30;

/** Text and files do not shrink so much; only a bomb does. */
const HIGHEST_RATIO = 200;
const HARMLESS_BYTES = 64 << 20;

/** A zip to be restored. */
export class BackupZip implements AsyncDisposable {
  readonly #window: ByteWindow;
  readonly #source: ByteSource;
  /** A failure that is not the zip's: of what it is read from, or of what it is unpacked to. */
  readonly #elsewhere: Elsewhere = {};

  constructor(source: ByteSource) {
    this.#source = source;
    this.#window = new ByteWindow(source);
  }

  /** How many requests it took so far. */
  get requests(): number {
    return this.#window.opened;
  }

  /** Looks at everything before anything is unpacked. @throws {JobError} */
  async check({ maxBytes }: ZipLimits): Promise<ZipContent> {
    const names = new Set<string>();
    const spans: { readonly from: number; readonly to: number }[] = [];
    let [files, bytes] = [0, 0];
    let manifest: Entry | undefined;
    for await (const entry of this.#entries()) {
      if (names.has(entry.filename)) throw hostile(entry, "is in it twice");
      names.add(entry.filename);
      spans.push({ from: entry.offset, to: entry.offset + LOCAL_HEADER_BYTES + entry.compressedSize });
      bytes += entry.uncompressedSize;
      if (bytes > maxBytes) {
        throw new JobError(
          "ZipBomb",
          `The zip unpacks to more than ${maxBytes} bytes, which is the limit; nothing was written`,
        );
      }
      if (FILE.test(entry.filename)) files++;
      if (entry.filename === "manifest.json") manifest = entry;
    }
    if (bytes > HARMLESS_BYTES && bytes > HIGHEST_RATIO * this.#source.bytes) {
      const ratio = Math.round(bytes / this.#source.bytes);
      throw new JobError(
        "ZipBomb",
        `The zip unpacks to ${ratio} times its size, as no backup does; nothing was written`,
      );
    }
    if (!names.has("dump.sql")) {
      throw new JobError("ZipRefused", "The zip has no dump.sql: it is not a backup of Odoo's database manager");
    }
    refuseOverlap(spans);
    return { files, bytes, manifest: manifest && await this.#manifest(manifest) };
  }

  /** Unpacks all of it. @throws {JobError} */
  async unpack(target: ZipTarget): Promise<void> {
    for await (const entry of this.#entries()) {
      const path = FILE.exec(entry.filename)?.[1];
      if (path !== undefined) await this.#content(entry, await target.file(path));
      else if (entry.filename === "dump.sql") {
        await this.#content(entry, target.dump());
      }
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#window[Symbol.asyncDispose]();
  }

  /** The entries, each one found to be harmless by itself. */
  async *#entries(): AsyncGenerator<Entry> {
    const reader = new ZipReader(new WindowReader(this.#source.bytes, this.#read), {
      useWebWorkers: false,
      filenameValidation: "tolerant", // what is refused is said in our words
    });
    try {
      for await (const entry of reader.getEntriesGenerator()) {
        refuseHostile(entry);
        yield entry;
      }
    } catch (error) {
      throw this.#failure(error);
    }
  }

  readonly #read = async (offset: number, length: number): Promise<Uint8Array> => {
    if (length > LONGEST_DIRECTORY_BYTES) {
      throw new JobError("ZipRefused", "The directory of the zip is too long: it has too many entries, or is broken");
    }
    return await noted(this.#elsewhere, this.#window.read(offset, length));
  };

  async #content(entry: Entry, target: WritableStream<Uint8Array>): Promise<void> {
    if (!("getData" in entry) || !entry.getData) throw hostile(entry, "has no content");
    let left = entry.uncompressedSize;
    const writer = target.getWriter();
    const counted = new WritableStream<Uint8Array>({
      write: async (piece) => {
        left -= piece.length;
        if (left < 0) throw hostile(entry, "is longer than the directory says");
        await noted(this.#elsewhere, writer.write(piece));
      },
      close: () => noted(this.#elsewhere, writer.close()),
      abort: (reason) => writer.abort(reason),
    });
    try {
      await entry.getData(counted, { checkSignature: true, useWebWorkers: false });
    } catch (error) {
      throw this.#failure(error, entry);
    }
    if ("error" in this.#elsewhere) throw this.#elsewhere.error; // the library lets a target fail in silence
    if (left > 0) throw hostile(entry, "is shorter than the directory says");
  }

  #failure(cause: unknown, entry?: Entry): unknown {
    if ("error" in this.#elsewhere) return this.#elsewhere.error;
    if (cause instanceof JobError) return cause;
    const where = entry ? ` at ${JSON.stringify(entry.filename)}` : "";
    const said = cause instanceof Error ? cause.message : String(cause);
    const message = `The zip is broken or cut off${where} (${said}): make a new backup, or upload this one again`;
    return new JobError("ZipBroken", message, { cause });
  }

  async #manifest(entry: Entry): Promise<Manifest> {
    if (entry.uncompressedSize > LONGEST_MANIFEST_BYTES) throw hostile(entry, "is longer than a manifest");
    let text = "";
    const decoder = new TextDecoder();
    await this.#content(
      entry,
      new WritableStream({ write: (piece) => void (text += decoder.decode(piece, { stream: true })) }),
    );
    return parseManifest(text);
  }
}

/** Reads manifest.json; what it does not say is empty. */
export function parseManifest(text: string): Manifest {
  try {
    const fields: unknown = JSON.parse(text);
    const { major_version: odoo, pg_version: postgres } = (fields ?? {}) as Readonly<Record<string, unknown>>;
    return { odooVersion: versionOf(odoo), postgresVersion: versionOf(postgres) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new JobError(
      "ZipRefused",
      "manifest.json in the zip is no JSON: the zip is no backup of Odoo's database manager",
    );
  }
}

function versionOf(value: unknown): string {
  return typeof value === "string" && /^[\w.~+-]{1,40}$/.test(value) ? value : "";
}

class WindowReader extends Reader<void> {
  readonly #read: (offset: number, length: number) => Promise<Uint8Array>;

  constructor(bytes: number, read: (offset: number, length: number) => Promise<Uint8Array>) {
    super();
    this.size = bytes;
    this.#read = read;
  }

  override readUint8Array(index: number, length: number): Promise<Uint8Array> {
    return this.#read(index, length);
  }
}

interface Elsewhere {
  error?: unknown;
}

/** Waits, and remembers a failure: the library makes its own error of it. */
async function noted<T>(elsewhere: Elsewhere, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!("error" in elsewhere)) elsewhere.error = error;
    throw error;
  }
}

function refuseHostile(entry: Entry): void {
  const { filename, directory, encrypted, compressionMethod } = entry;
  const type = entry.versionMadeBy >> 8 === 3 || entry.externalFileAttributes > 0xffff
    ? (entry.externalFileAttributes >>> 16) & FILE_TYPE
    : 0;
  if (directory) {
    if (!FOLDER.test(filename)) throw hostile(entry, "is no folder of a filestore");
    return;
  }
  if (!REGULAR_TYPES.includes(type)) throw hostile(entry, "is a link or a device, not a file");
  const known = filename === "dump.sql" || filename === "manifest.json" || FILE.test(filename);
  if (!known) throw hostile(entry, "is no file of a backup: only dump.sql, manifest.json and filestore/xx/<sha1> are");
  if (encrypted) throw hostile(entry, "is encrypted");
  if (compressionMethod !== STORED && compressionMethod !== DEFLATED) {
    throw hostile(entry, `is packed in a way (${compressionMethod}) that Odoo does not use`);
  }
}

/** Entries that share content make a small zip that unpacks for ever. */
function refuseOverlap(spans: { readonly from: number; readonly to: number }[]): void {
  spans.sort((a, b) => a.from - b.from);
  if (spans.some(({ from }, index) => from < (spans[index - 1]?.to ?? 0))) {
    throw new JobError(
      "ZipBomb",
      "Entries of the zip overlap, as in no zip that was made honestly; nothing was written",
    );
  }
}

function hostile(entry: Entry, what: string): JobError {
  const name = JSON.stringify(entry.filename.slice(0, 100));
  return new JobError("ZipRefused", `The zip is refused: ${name} ${what}`);
}
