import { assertEquals, assertThrows } from "@std/assert";
import { parseArgs, type ParseOptions } from "../../../src/std/parse_args.ts";

const OPTIONS: ParseOptions = { string: ["port", "name"], boolean: ["verbose"] };

const CASES: Readonly<
  Record<string, { readonly given: readonly string[]; readonly want: Readonly<Record<string, unknown>> }>
> = {
  "has only positionals when there are no flags": { given: ["run", "now"], want: { _: ["run", "now"] } },
  "takes values after a space or an equals sign": {
    given: ["--port", "80", "--name=a=b"],
    want: { _: [], port: "80", name: "a=b" },
  },
  "does not take a positional as the value of a boolean": {
    given: ["--verbose", "run"],
    want: { _: ["run"], verbose: true },
  },
  "reads an explicit boolean": { given: ["--verbose=false"], want: { _: [], verbose: false } },
  "takes everything after -- as positionals": {
    given: ["--verbose", "--", "--port"],
    want: { _: ["--port"], verbose: true },
  },
  "gives the empty text when the value is missing": { given: ["--port"], want: { _: [], port: "" } },
  "keeps the last of several values": { given: ["--port=1", "--port=2"], want: { _: [], port: "2" } },
};
for (const [sentence, { given, want }] of Object.entries(CASES)) {
  Deno.test(`parseArgs() ${sentence}`, () => assertEquals<unknown>({ ...parseArgs(given, OPTIONS) }, want));
}

Deno.test("parseArgs() asks about flags that it does not know, and drops those that are refused", () => {
  const asked: unknown[] = [];
  const unknown = (...args: unknown[]) => {
    asked.push(args);
    return args[1] === "keep";
  };
  assertEquals<unknown>({ ...parseArgs(["--keep=1", "--drop"], { ...OPTIONS, unknown }) }, { _: [], keep: "1" });
  assertEquals(asked, [["--keep", "keep", "1"], ["--drop", "drop", true]]);
});

Deno.test("parseArgs() lets the caller throw about a flag", () => {
  const unknown = (argument: string) => {
    throw new RangeError(`Cannot understand ${argument}`);
  };
  assertThrows(() => parseArgs(["--nope"], { unknown }), RangeError, "Cannot understand --nope");
});
