/**
 * How long everybody waits who needs the program's one thread: how late it is for a timer of its own. A sample each
 * second is as likely to fall into a stall as a request that comes by chance, and keeps an idle program asleep.
 */
import { type Clock, pause, systemClock } from "./clock.ts";
import type { Runnable } from "./stages.ts";

/** Options of {@linkcode eventLoopLag}. */
export interface EventLoopLagOptions {
  /** Called with each sample, in seconds. */
  readonly observe: (seconds: number) => void;
  readonly clock?: Clock;
  /** Time between two samples. @default {1_000} */
  readonly intervalMs?: number;
}

/** A part of the program that samples the lag of its event loop. */
export function eventLoopLag({ observe, clock = systemClock, intervalMs = 1_000 }: EventLoopLagOptions): Runnable {
  return {
    name: "event loop lag",
    async run(stop) {
      while (!stop.aborted) {
        const dueMs = clock.monotonicMs() + intervalMs;
        await pause(intervalMs, { clock, signal: stop });
        if (!stop.aborted) observe(Math.max(0, clock.monotonicMs() - dueMs) / 1000);
      }
    },
  };
}
