/** Newline-delimited JSON off the wire, in whatever chunks it arrives. */

const NEWLINE = 10;
const decoder = new TextDecoder();

/** The lines of a byte stream, without their ends; an unfinished last line is dropped. Stopping early cancels the stream. */
export async function* readLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader(); // half the cost of the stream's own iterator
  let rest: Uint8Array[] = [];
  try {
    for (
      let { value: chunk, done } = await reader.read();
      !done && chunk;
      { value: chunk, done } = await reader.read()
    ) {
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        const piece = chunk.subarray(start, end);
        const line = rest.length === 0 ? decoder.decode(piece) : joined([...rest, piece]);
        rest = [];
        start = end + 1;
        if (line) yield line;
      }
      if (start < chunk.length) rest.push(chunk.subarray(start));
    }
  } finally {
    await reader.cancel().catch(() => {}); // a stream that broke is cancelled already, and its error is on its way
    reader.releaseLock();
  }
}

function joined(parts: readonly Uint8Array[]): string {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return decoder.decode(bytes);
}
