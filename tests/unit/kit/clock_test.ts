import { assert, assertEquals } from "@std/assert";
import { backoffMs, pause, systemClock } from "../../../src/kit/clock.ts";
import { FakeClock, settled } from "../../support/clock.ts";
import { countListeners } from "../../support/listeners.ts";

Deno.test("backoffMs() doubles per failure up to the maximum, between half and all of it", () => {
  const bounds = (failures: number) => [
    backoffMs(failures, { baseMs: 100, maxMs: 1_000, random: () => 0 }),
    backoffMs(failures, { baseMs: 100, maxMs: 1_000, random: () => 1 }),
  ];
  assertEquals([0, 1, 3, 4, 1_000_000].map(bounds), [[50, 100], [100, 200], [400, 800], [500, 1_000], [500, 1_000]]);
});

Deno.test("pause() resolves when the time is over, and takes its listener off the signal", async () => {
  const clock = new FakeClock();
  const { signal } = new AbortController();
  const listeners = countListeners(signal);
  let over = false;
  const waiting = pause(1_000, { clock, signal }).then(() => over = true);
  await clock.advance(999);
  assertEquals([over, listeners()], [false, 1]);
  await clock.advance(1);
  await waiting;
  assertEquals([listeners(), clock.pending], [0, 0]);
});

Deno.test("pause() resolves at once and cancels its timer when the signal is aborted", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const waiting = pause(1_000, { clock, signal: stop.signal });
  await settled();
  stop.abort();
  await waiting;
  assertEquals(clock.pending, 0);
  await pause(1_000, { clock, signal: stop.signal });
  assertEquals(clock.pending, 0);
});

Deno.test("systemClock.setTimeout() does not fire when it was cancelled", async () => {
  let fired = false;
  const cancel = systemClock.setTimeout(() => fired = true, 0);
  cancel();
  await settled();
  assertEquals(fired, false);
  assert(Math.abs(systemClock.now() - Date.now()) < 1_000);
});
