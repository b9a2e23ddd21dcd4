import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { STAGE_NAMES } from "../../../dev/bench/options.ts";
import { type Row, ROWS } from "../../../dev/bench/rows.ts";
import { misses, renderTable } from "../../../dev/bench/table.ts";

const one = (value: number) => ({ min: value, median: value, max: value });

Deno.test("misses() judges ≤ by the median: a slow run alone is noise", () => {
  const goal = { comparator: "≤", value: 10 } as const;
  assertEquals([one(10), one(10.1), { min: 1, median: 9, max: 99 }].map((range) => misses(goal, range)), [
    false,
    true,
    false,
  ]);
});

Deno.test("misses() judges = by every run: what must never happen has happened", () => {
  const goal = { comparator: "=", value: 0 } as const;
  assertEquals([one(0), { min: 0, median: 0, max: 1 }].map((range) => misses(goal, range)), [false, true]);
});

const row = (id: number, path: string, change: Partial<Row> = {}): Row => ({
  id,
  what: `what of ${id}`,
  path,
  goal: { comparator: "≤", value: 1000 },
  unit: "ms",
  peer: "",
  ...change,
});

Deno.test("renderTable() shows goal, median, range and peer, marks what is missed, and says what was not measured", () => {
  const rows = [
    row(1, "a", { peer: "12 s" }),
    row(2, "b", { unit: "" }),
    row(3, "c"),
    row(10, "d", { goal: { comparator: "=", value: 0 }, unit: "/min" }),
  ];
  const text = renderTable({ a: { min: 900, median: 1234.567, max: 1300 }, b: 0.5, d: 0 }, rows);
  assertEquals(text.split("\n").slice(0, 6), [
    "| #  | figure     | goal       | median            | range     | Rust operator 2.5.0 |",
    "| -- | ---------- | ---------- | ----------------- | --------- | ------------------- |",
    "| 1  | what of 1  | ≤ 1,000 ms | **1,234.57 ms** ✗ | 900–1,300 | 12 s                |",
    "| 2  | what of 2  | ≤ 1,000    | 0.5               |           | –                   |",
    "| 3  | what of 3  | ≤ 1,000 ms | –                 | –         | –                   |",
    "| 10 | what of 10 | = 0/min    | 0/min             |           | –                   |",
  ]);
  assertStringIncludes(text, "another machine");
});

Deno.test("renderTable() says when the sizes were not those of the goals", () => {
  assertStringIncludes(
    renderTable({ sizes: { count: 3, burst: 4 } }, []),
    "other sizes than the goals': count 3, burst 4.",
  );
  assert(!renderTable({ sizes: {} }, []).includes("other sizes"));
});

Deno.test("ROWS are those of the goals that a bench can measure, in their order", () => {
  const ids = [...new Set(ROWS.map(({ id }) => id))];
  assertEquals(ids, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 20, 21, 22, 23, 24]);
  assertEquals(ROWS.map(({ id }) => id), ROWS.map(({ id }) => id).toSorted((a, b) => a - b));
});

Deno.test("ROWS each have a path of their own, in a stage that there is", () => {
  assertEquals(new Set(ROWS.map(({ path }) => path)).size, ROWS.length);
  for (const { path } of ROWS) assert(STAGE_NAMES.some((stage) => path.startsWith(`${stage}.`)), path);
  assert(ROWS.every(({ what }) => what.length <= 60));
});
