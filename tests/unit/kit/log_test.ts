import { assertEquals } from "@std/assert";
import { configureLogging, getLogger, type LoggingOptions } from "../../../src/kit/log.ts";

async function linesOf(options: LoggingOptions, write: () => void): Promise<string[]> {
  const lines: string[] = [];
  await configureLogging({ ...options, write: (line) => lines.push(line) });
  write();
  return lines;
}

const log = getLogger(["test"]);

const FIELDS: Readonly<Record<string, { readonly given: unknown; readonly want: string }>> = {
  "plain text as it is": { given: "shop/blue", want: "shop/blue" },
  "quotes around text with spaces": { given: "two words", want: '"two words"' },
  "quotes around text that would look like a field": { given: "a=b", want: '"a=b"' },
  "quotes around the empty text": { given: "", want: '""' },
  "line ends escaped": { given: 'a\nb "c"', want: '"a\\nb \\"c\\""' },
  "control characters escaped": { given: "\x1b[31m", want: '"\\u001b[31m"' },
  "numbers and booleans": { given: [1, true, null], want: "[1,true,null]" },
  "undefined": { given: undefined, want: "undefined" },
  "the message of an error on one line": { given: new Error("bad\nnews"), want: '"bad\\nnews"' },
  "what JSON cannot hold as text": { given: 10n, want: '"10"' },
};
for (const [sentence, { given, want }] of Object.entries(FIELDS)) {
  Deno.test(`configureLogging() writes ${sentence} when the format is text`, async () => {
    const lines = await linesOf({}, () => log.info("Did it", { field: given }));
    assertEquals(lines.map((line) => line.replace(/^\S+/, "TIME")), [`TIME info    Did it field=${want}\n`]);
  });
}

Deno.test("configureLogging() writes one JSON object per line when the format is json", async () => {
  const lines = await linesOf({ format: "json" }, () => {
    log.info("Did it", { key: "a\nb", error: new Error("bad\nnews") });
    log.warn("Again");
  });
  assertEquals(lines.map((line) => line.split("\n").length), [2, 2]);
  const [first] = lines.map((line) => JSON.parse(line));
  assertEquals([first.level, first.message, first.properties.key], ["INFO", "Did it", "a\nb"]);
  assertEquals(first.properties.error.message, "bad\nnews");
});

Deno.test("configureLogging() drops what is below the level, and replaces the former set-up", async () => {
  const first = await linesOf({ level: "debug" }, () => log.debug("seen"));
  const second = await linesOf({ level: "warning" }, () => {
    log.info("not seen");
    log.error("seen");
  });
  assertEquals([first.length, second.length], [1, 1]);
});
