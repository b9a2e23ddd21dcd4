import { assertEquals } from "@std/assert";
import { checkSizes, MAX_LINES, sizeProblems } from "../../../tools/check_sizes.ts";

const CASES: Readonly<Record<string, { readonly path: string; readonly lines: number; readonly want: number }>> = {
  "accepts a file of the greatest length": { path: "src/kit/queue.ts", lines: MAX_LINES, want: 0 },
  "reports a file one line longer": { path: "src/kit/queue.ts", lines: MAX_LINES + 1, want: 1 },
  "reports helpers.ts": { path: "src/kit/helpers.ts", lines: 1, want: 1 },
  "reports utils.ts": { path: "tests/unit/utils.ts", lines: 1, want: 1 },
  "reports common.ts": { path: "common.ts", lines: 1, want: 1 },
  "reports string_utils.ts": { path: "dev/string_utils.ts", lines: 1, want: 1 },
  "reports helper_test.ts": { path: "tests/unit/helper_test.ts", lines: 1, want: 1 },
  "accepts a word that only begins alike": { path: "src/odoo/model/common_name.ts", lines: 1, want: 0 },
  "reports both faults": { path: "tools/utils.ts", lines: MAX_LINES + 1, want: 2 },
};

for (const [sentence, { path, lines, want }] of Object.entries(CASES)) {
  Deno.test(`sizeProblems() ${sentence}`, () => {
    const withFinalNewline = sizeProblems(path, "x\n".repeat(lines));
    assertEquals(withFinalNewline.length, want);
    assertEquals(sizeProblems(path, "x\n".repeat(lines).trimEnd()), withFinalNewline);
  });
}

Deno.test("checkSizes() reads the folders of code and leaves other folders alone", async () => {
  const root = await Deno.makeTempDir();
  try {
    for (const folder of ["src/kit", "dev/node_modules/x", "dist", "examples"]) {
      await Deno.mkdir(`${root}/${folder}`, { recursive: true });
    }
    const long = "x\n".repeat(MAX_LINES + 1);
    await Deno.writeTextFile(`${root}/src/kit/long.ts`, long);
    await Deno.writeTextFile(`${root}/src/kit/long.md`, long);
    await Deno.writeTextFile(`${root}/dist/long.ts`, long);
    await Deno.writeTextFile(`${root}/dev/node_modules/x/long.ts`, long);
    await Deno.writeTextFile(`${root}/main.ts`, long);
    await Deno.writeTextFile(`${root}/examples/short.ts`, "x\n");
    const found = await checkSizes(root);
    assertEquals(found.map((problem) => problem.split(":")[0]), ["main.ts", "src/kit/long.ts"]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
