import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { checkCycles, findCycles, importGraph } from "../../../tools/check_cycles.ts";

const CASES: Readonly<Record<string, { readonly imports: Record<string, string[]>; readonly want: string[][] }>> = {
  "accepts a tree": { imports: { a: ["b", "c"], b: ["d"], c: ["d"], d: [] }, want: [] },
  "accepts an import that leads out of the graph": { imports: { a: ["elsewhere"] }, want: [] },
  "finds two files that import each other": { imports: { a: ["b"], b: ["a"] }, want: [["a", "b", "a"]] },
  "finds a file that imports itself": { imports: { a: ["a"] }, want: [["a", "a"]] },
  "finds a circle behind an innocent entry": {
    imports: { a: ["b"], b: ["c"], c: ["d"], d: ["b"] },
    want: [["b", "c", "d", "b"]],
  },
  "prints the shortest way round": {
    imports: { a: ["b", "c"], b: ["c"], c: ["a"] },
    want: [["a", "c", "a"], ["b", "c", "a", "b"]],
  },
  "finds two separate circles": {
    imports: { a: ["b"], b: ["a"], x: ["y"], y: ["x"] },
    want: [["a", "b", "a"], ["x", "y", "x"]],
  },
};

for (const [sentence, { imports, want }] of Object.entries(CASES)) {
  Deno.test(`findCycles() ${sentence}`, () => assertEquals(findCycles(new Map(Object.entries(imports))), want));
}

Deno.test("importGraph() counts code and types, and leaves packages out", () => {
  const graph = importGraph({
    modules: [
      {
        specifier: "file:///a.ts",
        dependencies: [
          { code: { specifier: "file:///b.ts" } },
          { type: { specifier: "file:///c.ts" } },
          { code: { specifier: "npm:zod@4" } },
        ],
      },
      { specifier: "npm:zod@4" },
    ],
  });
  assertEquals([...graph], [["file:///a.ts", ["file:///b.ts", "file:///c.ts"]]]);
});

Deno.test("importGraph() throws when a file is missing", () => {
  assertThrows(
    () => importGraph({ modules: [{ specifier: "file:///a.ts", error: "no such file" }] }),
    Error,
    "no such file",
  );
});

Deno.test("checkCycles() finds a planted circle of types in real files", async () => {
  const folder = await Deno.makeTempDir();
  const root = new URL(`file://${folder}/`);
  try {
    await Deno.writeTextFile(new URL("main.ts", root), `import { b } from "./b.ts"; export type Main = typeof b;`);
    await Deno.writeTextFile(
      new URL("b.ts", root),
      `import type { Main } from "./main.ts"; export const b: Main | 1 = 1;`,
    );
    await Deno.writeTextFile(new URL("alone.ts", root), `export const alone = 1;`);
    assertEquals(await checkCycles(root, ["alone.ts"]), []);
    assertEquals(await checkCycles(root, ["alone.ts", "main.ts"]), [["b.ts", "main.ts", "b.ts"]]);
    await assertRejects(() => checkCycles(root, ["missing.ts"]), Error, "missing.ts");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
