import { assertEquals, assertRejects } from "@std/assert";
import { readLines } from "../../../src/kit/lines.ts";

const TEXT = '{"note":"grün 🚢 œuf"}\n\n{"b":2}\nunfinished';
const LINES = ['{"note":"grün 🚢 œuf"}', '{"b":2}'];
const BYTES = new TextEncoder().encode(TEXT);

async function linesOf(chunks: readonly Uint8Array[]): Promise<string[]> {
  return await Array.fromAsync(readLines(ReadableStream.from(chunks)));
}

Deno.test("readLines() gives whole lines when the stream is cut in two anywhere, inside a character too", async () => {
  for (let cut = 0; cut <= BYTES.length; cut++) {
    assertEquals(await linesOf([BYTES.slice(0, cut), BYTES.slice(cut)]), LINES, `cut at ${cut}`);
  }
});

Deno.test("readLines() gives whole lines when every byte comes alone, or all at once", async () => {
  assertEquals(await linesOf([...BYTES].map((byte) => Uint8Array.of(byte))), LINES);
  assertEquals(await linesOf([BYTES]), LINES);
});

Deno.test("readLines() gives nothing when the stream is empty or has no line end", async () => {
  assertEquals([await linesOf([]), await linesOf([new TextEncoder().encode("half")])], [[], []]);
});

Deno.test("readLines() gives each line before the next chunk has come", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const lines = readLines(readable);
  void writer.write(new TextEncoder().encode("one\ntw"));
  assertEquals(await lines.next(), { done: false, value: "one" });
  void writer.write(new TextEncoder().encode("o\n"));
  assertEquals(await lines.next(), { done: false, value: "two" });
  await lines.return(undefined);
});

Deno.test("readLines() cancels the stream when the reader stops early", async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("line\n")),
    cancel: () => void (cancelled = true),
  });
  for await (const line of readLines(body)) {
    assertEquals(line, "line");
    break;
  }
  assertEquals(cancelled, true);
});

Deno.test("readLines() throws what the stream broke with", async () => {
  const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.error(new TypeError("reset")) });
  await assertRejects(() => Array.fromAsync(readLines(body)), TypeError, "reset");
});
