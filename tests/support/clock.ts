/** Time that stands still until a test moves it. */
import type { Clock } from "../../src/kit/clock.ts";

interface Timer {
  readonly dueMs: number;
  readonly fn: () => void;
}

/** A {@linkcode Clock} that moves by {@linkcode advance} only. */
export class FakeClock implements Clock {
  #nowMs: number;
  #jumpedMs = 0;
  readonly #timers = new Set<Timer>();

  /** @param startMs Milliseconds since the epoch. @default 2026-01-01T00:00:00Z */
  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  /** Timers that have neither fired nor been cancelled. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#nowMs + this.#jumpedMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** Somebody sets the wall clock: nothing has passed. */
  jump(ms: number): void {
    this.#jumpedMs += ms;
  }

  setTimeout(fn: () => void, ms: number): () => void {
    const timer = { dueMs: this.#nowMs + Math.max(0, ms), fn };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Lets `ms` milliseconds pass: timers fire in order, each after what the one before it set off has settled. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settled();
    for (let timer = this.#next(endMs); timer; timer = this.#next(endMs)) {
      this.#timers.delete(timer);
      this.#nowMs = timer.dueMs;
      timer.fn();
      await settled();
    }
    this.#nowMs = endMs;
  }

  #next(endMs: number): Timer | undefined {
    const [first] = [...this.#timers].filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs);
    return first;
  }
}

/** Resolves when every promise callback that could run has run, and what waited for its turn at the event loop, too. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  for (let round = 0; round < 2; round++) await new Promise((resolve) => setImmediate(resolve));
}
