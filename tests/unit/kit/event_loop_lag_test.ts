import { assert, assertEquals } from "@std/assert";
import { eventLoopLag } from "../../../src/kit/event_loop_lag.ts";
import { FakeClock } from "../../support/clock.ts";

Deno.test("eventLoopLag() takes one sample each interval and ends when told", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const samples: number[] = [];
  const ended = eventLoopLag({ clock, observe: (seconds) => samples.push(seconds) }).run(stop.signal);
  await clock.advance(999);
  assertEquals(samples, []);
  await clock.advance(2_001);
  assertEquals(samples, [0, 0, 0]);
  assertEquals(clock.pending, 1);
  stop.abort();
  await ended;
  assertEquals([samples.length, clock.pending], [3, 0]);
});

Deno.test("eventLoopLag() observes how long the thread was busy when its timer was due", async () => {
  const stop = new AbortController();
  const seen = new Promise<number>((resolve) => {
    const part = eventLoopLag({ intervalMs: 20, observe: resolve });
    part.run(stop.signal);
  });
  const startedMs = performance.now();
  while (performance.now() - startedMs < 220); // somebody reads a large list
  const seconds = await seen;
  stop.abort();
  assert(seconds >= 0.19, `${seconds} s`);
});
