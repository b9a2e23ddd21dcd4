/** Newline-delimited JSON off the wire, in whatever chunks it arrives. */

const NEWLINE = 10;
const decoder = new TextDecoder();

/** The lines of a byte stream, without their ends; an unfinished last line is dropped. Stopping early cancels the stream. */
export async function* readLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest: Uint8Array[] = [];
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = joined([...rest, chunk.subarray(start, end)]);
      rest = [];
      start = end + 1;
      if (line) yield line;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
}

function joined(parts: readonly Uint8Array[]): string {
  if (parts.length === 1) return decoder.decode(parts[0]);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return decoder.decode(bytes);
}
