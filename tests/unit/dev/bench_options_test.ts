import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type BenchOptions,
  changedSizes,
  readOptions,
  splitCommand,
  STAGE_NAMES,
  UsageError,
} from "../../../dev/bench/options.ts";

function measured(...args: string[]): BenchOptions {
  const options = readOptions(args);
  assert(!("table" in options));
  return options;
}

Deno.test("readOptions() leaves out the thousand unless it is asked for", () => {
  assertEquals(measured().stages, STAGE_NAMES.filter((name) => name !== "thousand"));
  assertEquals(measured().operator, undefined);
  assertEquals(measured("--stages", "thousand").stages, ["thousand"]);
});

Deno.test("readOptions() runs stages in one order, each once, whatever was typed", () => {
  assertEquals(measured("--stages", "faults, single,faults").stages, ["single", "faults"]);
});

Deno.test("readOptions() takes every size by a flag of its name", () => {
  const { sizes } = measured("--count=3", "--idle-minutes", "0.5", "--rest-seconds=1");
  assertEquals([sizes.count, sizes.idleMinutes, sizes.restSeconds, sizes.rounds], [3, 0.5, 1, 5]);
});

Deno.test("changedSizes() are those that make a figure another one, not how often it is measured", () => {
  assertEquals(changedSizes(measured().sizes), {});
  assertEquals(changedSizes(measured("--count=3", "--runs=3", "--times=1", "--rounds=2").sizes), { count: 3 });
});

Deno.test("readOptions() reads a table instead of measuring", () => {
  assertEquals(readOptions(["--table", "figures.json"]), { table: "figures.json" });
});

for (
  const args of [
    ["--stages", "singel"],
    ["--stages", ""],
    ["--count", "0"],
    ["--count", "many"],
    ["--runs", "-1"],
    ["--restart", "100"],
    ["single"],
    ["--operator", ""],
  ]
) {
  Deno.test(`readOptions() refuses ${args.join(" ")}`, () => {
    assertThrows(() => readOptions(args), UsageError);
  });
}

const COMMANDS: Record<string, { given: string; want: readonly string[] }> = {
  "words are split at spaces": { given: "  deno run\t-A main.ts  run ", want: ["deno", "run", "-A", "main.ts", "run"] },
  "single quotes keep everything": { given: `a 'b  "c" \\'`, want: ["a", 'b  "c" \\'] },
  "double quotes keep spaces": { given: `"/my programs/operator" --x`, want: ["/my programs/operator", "--x"] },
  "double quotes let a quote be escaped, and little else": { given: `"a \\"b\\" \\n $x"`, want: [`a "b" \\n $x`] },
  "a backslash keeps the next": { given: "a\\ b c", want: ["a b", "c"] },
  "pieces without a space between are one word": { given: `--name='a b'"c"d e`, want: ["--name=a bcd", "e"] },
  "an empty word is a word": { given: "a '' b", want: ["a", "", "b"] },
};

for (const [sentence, { given, want }] of Object.entries(COMMANDS)) {
  Deno.test(`splitCommand(): ${sentence}`, () => assertEquals(splitCommand(given), want));
}

for (const open of ["a 'b", 'a "b', "a \\", "   "]) {
  Deno.test(`splitCommand() refuses ${JSON.stringify(open)}`, () => {
    assertThrows(() => splitCommand(open), UsageError);
  });
}
