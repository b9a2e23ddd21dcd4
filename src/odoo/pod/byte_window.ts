/** Bytes that can be read from anywhere: an object in a bucket, a file. */
export interface ByteSource {
  readonly bytes: number;
  /** What follows `offset`. The caller cancels the stream when it has read enough. */
  open(offset: number): ReadableStream<Uint8Array>;
}

/** Gaps up to this size are skipped in the open stream; larger ones open another stream. */
const WORTH_SKIPPING_BYTES = 1 << 20;

/** Reads pieces of a source, in one stream as long as they follow each other: one request for a whole archive. */
export class ByteWindow implements AsyncDisposable {
  readonly #source: ByteSource;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** Where `#rest` begins in the source. */
  #position = 0;
  #rest: Uint8Array = new Uint8Array();
  #opened = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** How many streams it took so far. */
  get opened(): number {
    return this.#opened;
  }

  /** `length` bytes from `offset`; fewer only where the source ends. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset < this.#position || offset > this.#position + this.#rest.length + WORTH_SKIPPING_BYTES) {
      await this[Symbol.asyncDispose]();
    }
    if (!this.#reader) {
      this.#reader = this.#source.open(offset).getReader();
      this.#opened++;
      [this.#position, this.#rest] = [offset, new Uint8Array()];
    }
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.#source.bytes - offset)));
    for (let filled = 0; filled < bytes.length;) {
      const skipped = Math.min(this.#rest.length, offset + filled - this.#position);
      const part = this.#rest.subarray(skipped, skipped + bytes.length - filled);
      const here = this.#position + skipped === offset + filled;
      if (here && part.length > 0) bytes.set(part, filled);
      const used = skipped + (here ? part.length : 0);
      if (here) filled += part.length;
      this.#position += used;
      this.#rest = this.#rest.subarray(used);
      if (filled === bytes.length) break;
      if (this.#rest.length > 0) continue;
      const { value, done } = await this.#reader.read();
      if (done) return bytes.subarray(0, filled);
      this.#rest = value;
    }
    return bytes;
  }

  /** Ends the stream. */
  async [Symbol.asyncDispose](): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.cancel();
  }
}

/** A file as a source. */
export async function fileSource(path: string): Promise<ByteSource> {
  const { size: bytes } = await Deno.stat(path);
  return {
    bytes,
    open: (offset) => ReadableStream.from(pieces(path, offset)),
  };
}

async function* pieces(path: string, offset: number): AsyncGenerator<Uint8Array> {
  using file = await Deno.open(path);
  await file.seek(offset, Deno.SeekMode.Start);
  for (;;) {
    const buffer = new Uint8Array(1 << 18);
    const count = await file.read(buffer);
    if (count === null) return;
    yield buffer.subarray(0, count);
  }
}
