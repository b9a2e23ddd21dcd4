import { assert, assertEquals, assertThrows } from "@std/assert";
import { floors, type Point, trendOf } from "../../support/trend.ts";

/** A value per second that climbs by `perHour`, with the given noise on top. */
function series(perHour: number, noise: (index: number) => number): Point[] {
  return Array.from({ length: 900 }, (_, i) => ({ atMs: i * 1000, value: 60 + perHour * i / 3600 + noise(i) }));
}

Deno.test("trendOf() finds the slope of a line without a doubt when nothing disturbs it", () => {
  const { perHour, doubtPerHour } = trendOf(series(4, () => 0));
  assertEquals([perHour.toFixed(6), doubtPerHour.toFixed(4)], ["4.000000", "0.0000"]);
});

Deno.test("trendOf() has the true slope within its doubt when there is noise", () => {
  const { perHour, doubtPerHour } = trendOf(series(4, (i) => ((i * 7919) % 100) / 100));
  assert(doubtPerHour > 0.1, `${doubtPerHour}`);
  assert(Math.abs(perHour - 4) <= doubtPerHour, `${perHour} ± ${doubtPerHour}`);
});

Deno.test("trendOf() throws when there are too few points to doubt", () => {
  assertThrows(() => trendOf(series(1, () => 0).slice(0, 2)), RangeError);
});

Deno.test("floors() keeps the least value of each window when garbage comes and goes", () => {
  const points = [5, 3, 9, 8, 2].map((value, i) => ({ atMs: i * 10, value }));
  assertEquals(floors(points, 20), [{ atMs: 10, value: 3 }, { atMs: 30, value: 8 }, { atMs: 50, value: 2 }]);
});
