import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../../support/eventually.ts";
import { closingLine, countedBy, runTests, type Totals, unitFlags } from "../../../tools/run_tests.ts";

const PASSING = `Deno.test("passes", () => {}); Deno.test.ignore("is left out", () => {});`;
const FAILING =
  `Deno.test("fails", async (t) => { await t.step("in a step", () => { throw new Error("planted"); }); });`;
const NOT_COMPILING = `const text: string = 1; Deno.test("never runs", () => {});`;
const THROWING = `throw new Error("planted");`;

const RUNS: Readonly<
  Record<string, { readonly files: Record<string, string>; readonly filter?: string; readonly want: Totals }>
> = {
  "counts what passed": { files: { "a_test.ts": PASSING, "b_test.ts": PASSING }, want: { passed: 2, failed: 0 } },
  "counts a failed test with steps once": {
    files: { "a_test.ts": PASSING, "b_test.ts": FAILING },
    want: { passed: 1, failed: 1 },
  },
  "fails when a file does not compile": { files: { "a_test.ts": NOT_COMPILING }, want: { passed: 0, failed: 1 } },
  "fails when a file throws on import": {
    files: { "a_test.ts": PASSING, "b_test.ts": THROWING },
    want: { passed: 1, failed: 1 },
  },
  "fails when there is nothing to run": { files: {}, want: { passed: 0, failed: 1 } },
  "leaves out what the filter does": {
    files: { "a_test.ts": PASSING, "b_test.ts": FAILING },
    filter: "passes",
    want: { passed: 1, failed: 0 },
  },
};

for (const [sentence, { files, filter, want }] of Object.entries(RUNS)) {
  Deno.test(`runTests() ${sentence}`, async () => {
    const folder = await Deno.makeTempDir();
    let shown = "";
    const output = new WritableStream<Uint8Array>({
      write: (bytes) => void (shown += new TextDecoder().decode(bytes)),
    });
    try {
      for (const [name, code] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, code);
      const options = { output, stderr: "null", ...(filter === undefined ? {} : { filter }) } as const;
      assertEquals(await runTests([folder], options), want);
      if (want.passed > 0) assertStringIncludes(shown, "passes ... ");
      assertEquals(/^Failed above: .*b_test\.ts$/m.test(shown), want.passed > 0 && want.failed > 0, shown);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

const CLOSINGS: Readonly<
  Record<string, { readonly output: string; readonly success: boolean; readonly want: Totals }>
> = {
  "reads the plain line": {
    output: "\nok | 12 passed | 0 failed (7ms)\n",
    success: true,
    want: { passed: 12, failed: 0 },
  },
  "reads steps and filtered tests past": {
    output: "FAILED | 3 passed (4 steps) | 2 failed (1 step) | 1 ignored | 5 filtered out (1s)\n",
    success: false,
    want: { passed: 3, failed: 2 },
  },
  "reads a coloured line": {
    output: "\x1b[0m\x1b[32mok\x1b[0m | 1 passed | 0 failed \x1b[0m\x1b[38;5;245m(7ms)\x1b[0m\n",
    success: true,
    want: { passed: 1, failed: 0 },
  },
  "believes the last line": {
    output: "ok | 99 passed | 0 failed\nFAILED | 1 passed | 1 failed\n",
    success: false,
    want: { passed: 1, failed: 1 },
  },
  "believes the exit code before the line": {
    output: "ok | 4 passed | 0 failed\n",
    success: false,
    want: { passed: 4, failed: 1 },
  },
};

for (const [sentence, { output, success, want }] of Object.entries(CLOSINGS)) {
  Deno.test(`countedBy() ${sentence}`, () => assertEquals(countedBy(output, success), want));
}

Deno.test("closingLine() is what CI reads", () => {
  assertEquals(closingLine({ passed: 12, failed: 0 }), "12 passed, 0 failed");
});

Deno.test("unitFlags() lets tests run in parallel, watched for leaks, without a way to the network or to other programs", () => {
  const flags = unitFlags();
  for (const flag of ["--parallel", "--trace-leaks", "--sanitize-ops", "--sanitize-resources"]) {
    assert(flags.includes(flag), flag);
  }
  assert(!flags.some((flag) => ["--allow-all", "-A", "--allow-net", "--allow-run"].includes(flag)));
});

Deno.test("runTests() runs a file that measures time when the others have ended", async () => {
  const folder = await Deno.makeTempDir();
  const ended = `${folder}/ended`;
  const other = `Deno.test("other", async () => {
    await new Promise((resolve) => setTimeout(resolve, 500)); // long enough to be overtaken
    await Deno.writeTextFile("${ended}", "");
  });`;
  try {
    await Deno.writeTextFile(`${folder}/other_test.ts`, other);
    await Deno.writeTextFile(`${folder}/kill_test.ts`, `Deno.test("timed", () => void Deno.statSync("${ended}"));`);
    const output = new WritableStream<Uint8Array>();
    assertEquals(await runTests([folder], { output, stderr: "null" }), { passed: 2, failed: 0 });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("runTests() runs two files at once, each in a process of its own, and shows each without a break", async () => {
  const folder = await Deno.makeTempDir();
  /** Passes when the other has begun: alone it waits in vain. */
  const meeting = (own: string, other: string) =>
    `Deno.test("${own} meets ${other}", async () => {
       console.log("from ${own}", Deno.pid);
       await Deno.writeTextFile("${folder}/${own}", "");
       for await (const { name } of poll()) if (name === "${other}") break;
       console.log("from ${own}", Deno.pid);
     });
     async function* poll() {
       const deadline = Date.now() + 60_000;
       while (Date.now() < deadline) {
         yield* Deno.readDir("${folder}");
         await new Promise((resolve) => setTimeout(resolve, 20));
       }
       throw new Error("${other} has not begun within a minute");
     }`;
  let shown = "";
  const output = new WritableStream<Uint8Array>({ write: (bytes) => void (shown += new TextDecoder().decode(bytes)) });
  try {
    await Deno.writeTextFile(`${folder}/a_test.ts`, meeting("a", "b"));
    await Deno.writeTextFile(`${folder}/b_test.ts`, meeting("b", "a"));
    assertEquals(await runTests([folder], { output, stderr: "null" }), { passed: 2, failed: 0 });
    const lines = [...shown.matchAll(/^from ([ab]) (\d+)$/gm)];
    const [first, second, third, fourth] = lines.map(([, file]) => file);
    assert(first === second && third === fourth && first !== third, shown);
    assertEquals(new Set(lines.map(([, , pid]) => pid)).size, 2);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** What a run asks of the clusters of its lanes, in its order. */
class ClustersDouble {
  readonly asked: string[] = [];

  environmentOf(lane: number): Readonly<Record<string, string>> {
    return { LANE_OF_TEST: `lane ${lane}` };
  }

  discard(lane: number): Promise<string | undefined> {
    this.asked.push(`discard ${lane}`);
    return Promise.resolve("/kept/logs");
  }

  keepOnly(lanes: number): Promise<void> {
    this.asked.push(`keep only ${lanes}`);
    return Promise.resolve();
  }
}

Deno.test("runTests() gives each file the environment of its lane, replaces the cluster of a failed file, and keeps one for files that measure time", async () => {
  const folder = await Deno.makeTempDir();
  const clusters = new ClustersDouble();
  let shown = "";
  const output = new WritableStream<Uint8Array>({ write: (bytes) => void (shown += new TextDecoder().decode(bytes)) });
  const files = {
    "a_test.ts": FAILING,
    "b_test.ts":
      `Deno.test("has a lane", () => { if (Deno.env.get("LANE_OF_TEST") !== "lane 0") throw new Error(); });`,
    "kill_test.ts": PASSING,
  };
  try {
    for (const [name, code] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, code);
    const totals = await runTests([folder], { output, stderr: "null", atOnce: 1, clusters });
    assertEquals(totals, { passed: 2, failed: 1 }, shown);
    assertEquals(clusters.asked, ["discard 0", "keep only 1"]);
    assertStringIncludes(shown, `Logs of the cluster of ${folder}/a_test.ts: /kept/logs`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("runTests() ends the file that runs and begins no other one when its signal is aborted", async () => {
  const folder = await Deno.makeTempDir();
  const begun = `${folder}/begun`;
  const endless = `Deno.test("endless", async () => {
    await Deno.writeTextFile("${begun}", "");
    await new Promise((resolve) => setTimeout(resolve, 600_000));
  });`;
  const ending = new AbortController();
  try {
    await Deno.writeTextFile(`${folder}/a_test.ts`, endless);
    await Deno.writeTextFile(`${folder}/b_test.ts`, PASSING);
    const output = new WritableStream<Uint8Array>();
    const totals = runTests([folder], { output, stderr: "null", atOnce: 1, signal: ending.signal });
    await eventually("the first file runs", () => Deno.stat(begun), { timeoutMs: 60_000 });
    ending.abort();
    assertEquals(await totals, { passed: 0, failed: 1 });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
