/**
 * Files, one after the other → a zip archive (Zip64 where it needs to be) as a stream, as Python's zipfile and unzip read it.
 *
 * Not zip.js: it keeps a record of every entry until the end, and an instance may have millions of attachments. Here what the
 * end of the archive must list is kept in a file, some 100 bytes per entry, so memory is the same for any number of them.
 */
import { crc32 } from "node:zlib";

/** Takes the archive, piece by piece. */
export type Sink = (piece: Uint8Array) => Promise<void>;

const [LOCAL_HEADER, DESCRIPTOR, CENTRAL_HEADER] = [0x04034b50, 0x08074b50, 0x02014b50];
const [END, ZIP64_END, ZIP64_LOCATOR] = [0x06054b50, 0x06064b50, 0x07064b50];
const [STORED, DEFLATED] = [0, 8];
const [VERSION, ZIP64_VERSION, MADE_ON_UNIX] = [20, 45, 3 << 8];
const [UTF8, SIZES_FOLLOW] = [1 << 11, 1 << 3];
const ZIP64_EXTRA = 1;
const [MOST_32, MOST_16] = [0xffff_ffff, 0xffff];
const REGULAR_FILE = 0o100644 * 2 ** 16;
/** Smaller files are in memory as a whole, so that their sizes stand before them. */
const SMALL_BYTES = 2 ** 20;
/** What does not get smaller than this at its beginning is stored as it is. */
const WORTHWHILE = 0.95;
const COPY_BYTES = 2 ** 16;

interface Entry {
  readonly name: Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly offset: number;
}

/** An archive that is being written. */
export class ZipWriter {
  readonly #sink: Sink;
  /** Open for reading and writing, and empty. */
  readonly #directory: Deno.FsFile;
  readonly #time: readonly [time: number, date: number];
  #offset = 0;
  #entries = 0;
  #directoryBytes = 0;

  constructor(sink: Sink, directory: Deno.FsFile, options: { readonly now: Date }) {
    this.#sink = sink;
    this.#directory = directory;
    this.#time = dosTime(options.now);
  }

  /** Adds a file; its name has slashes and is not checked here. Returns its size. */
  async add(name: string, content: ReadableStream<Uint8Array>): Promise<number> {
    const reader = content.getReader();
    const pieces: Uint8Array[] = [];
    let size = 0;
    while (size <= SMALL_BYTES) {
      const { done, value } = await reader.read();
      if (done) return await this.#addSmall(name, joined(pieces, size));
      pieces.push(value.slice()); // a reader may use its memory again
      size += value.length;
    }
    return await this.#addLarge(name, joined(pieces, size), reader);
  }

  /** Writes the list of all that was added; returns the size of the archive. */
  async close(): Promise<number> {
    const start = this.#offset;
    await this.#directory.seek(0, Deno.SeekMode.Start);
    for await (const piece of chunks(this.#directory)) await this.#write(piece);
    const large = this.#entries >= MOST_16 || start >= MOST_32 || this.#directoryBytes >= MOST_32;
    if (large) {
      const end = this.#offset;
      await this.#write(fields(
        [ZIP64_END, 4],
        [44, 8],
        [MADE_ON_UNIX | ZIP64_VERSION, 2],
        [ZIP64_VERSION, 2],
        [0, 4],
        [
          0,
          4,
        ],
        [this.#entries, 8],
        [this.#entries, 8],
        [this.#directoryBytes, 8],
        [start, 8],
      ));
      await this.#write(fields([ZIP64_LOCATOR, 4], [0, 4], [end, 8], [1, 4]));
    }
    const entries = Math.min(this.#entries, MOST_16);
    const [bytes, offset] = [Math.min(this.#directoryBytes, MOST_32), Math.min(start, MOST_32)];
    await this.#write(fields([END, 4], [0, 2], [0, 2], [entries, 2], [entries, 2], [bytes, 4], [offset, 4], [0, 2]));
    return this.#offset;
  }

  async #addSmall(name: string, content: Uint8Array<ArrayBuffer>): Promise<number> {
    const packed = await deflated(content);
    const [method, data] = packed.length < content.length ? [DEFLATED, packed] : [STORED, content];
    const entry: Entry = {
      name: new TextEncoder().encode(name),
      flags: UTF8,
      method,
      crc: crc32(content),
      packedBytes: data.length,
      bytes: content.length,
      offset: this.#offset,
    };
    await this.#write(this.#localHeader(entry));
    await this.#write(data);
    await this.#remember(entry);
    return content.length;
  }

  async #addLarge(
    name: string,
    beginning: Uint8Array<ArrayBuffer>,
    reader: ReadableStreamDefaultReader<Uint8Array>,
  ): Promise<number> {
    const sample = beginning.subarray(0, COPY_BYTES);
    const worthwhile = (await deflated(sample)).length < sample.length * WORTHWHILE;
    const unknown = { crc: 0, packedBytes: 0, bytes: 0, offset: this.#offset };
    const flags = UTF8 | SIZES_FOLLOW;
    const method = worthwhile ? DEFLATED : STORED;
    const begun: Entry = { name: new TextEncoder().encode(name), flags, method, ...unknown };
    await this.#write(this.#localHeader(begun));
    const dataOffset = this.#offset;
    let [crc, bytes] = [0, 0];
    async function* counted(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      let piece: Uint8Array | undefined = beginning;
      while (piece) {
        crc = crc32(piece, crc);
        bytes += piece.length;
        yield piece as Uint8Array<ArrayBuffer>;
        piece = (await reader.read()).value;
      }
    }
    const source = ReadableStream.from(counted());
    for await (const piece of worthwhile ? source.pipeThrough(new CompressionStream("deflate-raw")) : source) {
      await this.#write(piece);
    }
    const entry = { ...begun, crc, bytes, packedBytes: this.#offset - dataOffset };
    await this.#write(fields([DESCRIPTOR, 4], [crc, 4], [entry.packedBytes, 8], [bytes, 8]));
    await this.#remember(entry);
    return bytes;
  }

  /** With sizes that follow, the extra field says that they take eight bytes each. */
  #localHeader({ name, flags, method, crc, packedBytes, bytes }: Entry): Uint8Array {
    const later = (flags & SIZES_FOLLOW) !== 0;
    const extra = later ? fields([ZIP64_EXTRA, 2], [16, 2], [0, 8], [0, 8]) : new Uint8Array();
    const sizes: Field[] = later ? [[MOST_32, 4], [MOST_32, 4]] : [[packedBytes, 4], [bytes, 4]];
    const [time, date] = this.#time;
    const head = fields(
      [LOCAL_HEADER, 4],
      [later ? ZIP64_VERSION : VERSION, 2],
      [flags, 2],
      [method, 2],
      [time, 2],
      [
        date,
        2,
      ],
      [crc, 4],
      ...sizes,
      [name.length, 2],
      [extra.length, 2],
    );
    return joined([head, name, extra], head.length + name.length + extra.length);
  }

  async #remember({ name, flags, method, crc, packedBytes, bytes, offset }: Entry): Promise<void> {
    const large = packedBytes >= MOST_32 || bytes >= MOST_32 || offset >= MOST_32;
    const extra = large
      ? fields([ZIP64_EXTRA, 2], [24, 2], [bytes, 8], [packedBytes, 8], [offset, 8])
      : new Uint8Array();
    const sizes: Field[] = large ? [[MOST_32, 4], [MOST_32, 4]] : [[packedBytes, 4], [bytes, 4]];
    const [time, date] = this.#time;
    const head = fields(
      [CENTRAL_HEADER, 4],
      [MADE_ON_UNIX | ZIP64_VERSION, 2],
      [large ? ZIP64_VERSION : VERSION, 2],
      [
        flags,
        2,
      ],
      [method, 2],
      [time, 2],
      [date, 2],
      [crc, 4],
      ...sizes,
      [name.length, 2],
      [extra.length, 2],
      [0, 2],
      [0, 2],
      [
        0,
        2,
      ],
      [REGULAR_FILE, 4],
      [large ? MOST_32 : offset, 4],
    );
    const record = joined([head, name, extra], head.length + name.length + extra.length);
    for (let rest = record; rest.length > 0;) rest = rest.subarray(await this.#directory.write(rest));
    this.#directoryBytes += record.length;
    this.#entries++;
  }

  async #write(piece: Uint8Array): Promise<void> {
    await this.#sink(piece);
    this.#offset += piece.length;
  }
}

type Field = readonly [value: number, bytes: 2 | 4 | 8];

/** Numbers, the lowest byte first. */
function fields(...list: readonly Field[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(list.reduce((sum, [, bytes]) => sum + bytes, 0));
  const view = new DataView(result.buffer);
  let at = 0;
  for (const [value, bytes] of list) {
    if (bytes === 2) view.setUint16(at, value, true);
    else if (bytes === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += bytes;
  }
  return result;
}

function joined(pieces: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    result.set(piece, at);
    at += piece.length;
  }
  return result;
}

async function deflated(content: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function* chunks(file: Deno.FsFile): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(COPY_BYTES);
  for (let size = await file.read(buffer); size !== null; size = await file.read(buffer)) {
    yield buffer.subarray(0, size);
  }
}

/** MS-DOS's form, in steps of two seconds from 1980 on. */
function dosTime(date: Date): readonly [time: number, date: number] {
  const time = date.getUTCHours() << 11 | date.getUTCMinutes() << 5 | date.getUTCSeconds() >> 1;
  return [time, (date.getUTCFullYear() - 1980) << 9 | (date.getUTCMonth() + 1) << 5 | date.getUTCDate()];
}
