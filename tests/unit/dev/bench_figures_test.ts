import { assertEquals, assertThrows } from "@std/assert";
import { type Figure, figureAt, mergeRuns, percentile, rangeOf, summaryOf } from "../../../dev/bench/figures.ts";

Deno.test("percentile() is a value that was measured, by nearest rank", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  assertEquals([50, 99, 100, 0].map((p) => percentile(values, p)), [50, 99, 100, 1]);
  assertEquals(percentile([7], 99), 7);
  assertEquals(percentile([], 50), NaN);
});

Deno.test("summaryOf() says that there was nothing, and does not make up a number", () => {
  assertEquals(summaryOf([1.04, 3, 2]), { count: 3, p50: 2, p99: 3, max: 3 });
  assertEquals(summaryOf([]), { count: 0, p50: null, p99: null, max: null });
});

Deno.test("rangeOf() has the middle one as median, or the mean of the middle two", () => {
  assertEquals(rangeOf([3, 1, 10]), { min: 1, median: 3, max: 10 });
  assertEquals(rangeOf([4, 1, 10, 2]), { min: 1, median: 3, max: 10 });
  assertEquals(rangeOf([5]), { min: 5, median: 5, max: 5 });
  assertThrows(() => rangeOf([]), RangeError);
});

const RUNS: Record<string, { given: readonly Figure[]; want: Figure }> = {
  "one run stays as it is": { given: [{ a: 1, b: [2] }], want: { a: 1, b: [2] } },
  "numbers become ranges, however deep": {
    given: [{ a: { b: 1 } }, { a: { b: 3 } }, { a: { b: 2 } }],
    want: { a: { b: { min: 1, median: 2, max: 3 } } },
  },
  "lists are merged item by item": {
    given: [[1, 2], [3]],
    want: [{ min: 1, median: 2, max: 3 }, { min: 2, median: 2, max: 2 }],
  },
  "what only some runs have is of those": {
    given: [{ a: 1 }, { a: null, b: 2 }],
    want: { a: { min: 1, median: 1, max: 1 }, b: { min: 2, median: 2, max: 2 } },
  },
  "what none has stays unknown": { given: [{ a: null }, { a: null }], want: { a: null } },
  "words that differ are all told": { given: [{ a: "x" }, { a: "y" }, { a: "x" }], want: { a: "x, y" } },
};

for (const [sentence, { given, want }] of Object.entries(RUNS)) {
  Deno.test(`mergeRuns(): ${sentence}`, () => assertEquals(mergeRuns(given), want));
}

const FIGURES: Figure = {
  single: { noOp: { requests: 0 }, login: "kubeconfig", floor: null },
  rounds: { each: [{ seconds: 3 }, { seconds: 1 }, { seconds: 2 }, {}] },
  merged: { each: [{ seconds: { min: 1, median: 2, max: 9 } }, { seconds: { min: 3, median: 4, max: 5 } }] },
};

const PATHS: Record<string, { path: string; want: unknown }> = {
  "a number is a range of its own": { path: "single.noOp.requests", want: { min: 0, median: 0, max: 0 } },
  "a star gathers the items of a list": { path: "rounds.each.*.seconds", want: { min: 1, median: 2, max: 3 } },
  "ranges of several items become one": { path: "merged.each.*.seconds", want: { min: 1, median: 3, max: 9 } },
  "what is null was not measured": { path: "single.floor", want: undefined },
  "what is missing was not measured": { path: "webhook.reviewMs.p99", want: undefined },
  "a word is no figure": { path: "single.login", want: undefined },
  "a group is no figure": { path: "single.noOp", want: undefined },
};

for (const [sentence, { path, want }] of Object.entries(PATHS)) {
  Deno.test(`figureAt(): ${sentence}`, () => assertEquals(figureAt(FIGURES, path), want));
}
