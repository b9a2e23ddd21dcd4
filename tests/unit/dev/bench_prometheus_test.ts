import { assertEquals } from "@std/assert";
import { createMetrics } from "../../../src/kit/mod.ts";
import { counterIn, histogramIn, histogramNames, percentileBetween } from "../../../dev/bench/prometheus.ts";

const NAME = "workqueue_queue_duration_seconds";

/** What our own operator would say after these waits. */
async function textAfter(waits: Record<string, readonly number[]>): Promise<string> {
  const { registry, queueSeconds } = createMetrics();
  for (const [controller, values] of Object.entries(waits)) {
    for (const seconds of values) queueSeconds.observe({ controller }, seconds);
  }
  return await registry.metrics();
}

Deno.test("histogramIn() counts over all labels", async () => {
  const text = await textAfter({ a: [0.003, 0.2], b: [0.2, 60] });
  const histogram = histogramIn(text, NAME);
  assertEquals([0.001, 0.005, 0.1, 0.25, 30, Infinity].map((bound) => histogram.get(bound)), [0, 1, 1, 3, 3, 4]);
  assertEquals(histogramIn(text, "no_such_thing").size, 0);
});

Deno.test("histogramIn() counts only what has the label when there is one", async () => {
  const text = await textAfter({ a: [0.003, 0.2], b: [0.2] });
  assertEquals(histogramIn(text, NAME, 'controller="a"').get(Infinity), 2);
  assertEquals(histogramIn(text, NAME, 'controller="c"').size, 0);
});

Deno.test("counterIn() adds up all labels, and is 0 of what is not there", async () => {
  const { registry, reconciles } = createMetrics();
  reconciles.inc({ controller: "a", result: "done" }, 3);
  reconciles.inc({ controller: "a", result: "failed" }, 2);
  const text = await registry.metrics();
  assertEquals(["controller_reconcile_total", "controller_reconcile"].map((name) => counterIn(text, name)), [5, 0]);
});

Deno.test("histogramNames() names histograms only", async () => {
  assertEquals(histogramNames(await textAfter({})), [
    "controller_reconcile_duration_seconds",
    NAME,
    "event_loop_lag_seconds",
  ]);
});

Deno.test("percentileBetween() is of what came between two readings, on a line through its bucket", async () => {
  const [before, after] = [[20, 20, 20], [20, 20, 20, 0.003, 0.2, 0.2, 0.2]];
  const between = async (p: number) =>
    percentileBetween(
      histogramIn(await textAfter({ a: before }), NAME),
      histogramIn(await textAfter({ a: after }), NAME),
      p,
    );
  assertEquals(await between(25), 0.005);
  assertEquals(await between(50), 0.1 + 0.15 / 3);
  assertEquals(await between(100), 0.25);
});

Deno.test("percentileBetween() knows no more than the highest bound, and nothing of nothing", async () => {
  const none = histogramIn(await textAfter({}), NAME);
  assertEquals(percentileBetween(none, histogramIn(await textAfter({ a: [99] }), NAME), 99), 30);
  assertEquals(percentileBetween(none, none, 99), null);
  assertEquals(percentileBetween(new Map(), new Map(), 99), null);
});
