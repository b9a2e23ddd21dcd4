/** Time as a parameter: everything that waits or stamps takes a {@linkcode Clock}, so a test can hold it. */

/** The wall clock, a stopwatch, and timers. */
export interface Clock {
  /** Milliseconds since the Unix epoch, to stamp what is written. It may jump, in either direction: never wait by it. */
  now(): number;
  /** Milliseconds since some moment, at an even pace: for all that waits and measures. */
  monotonicMs(): number;
  /** Calls `fn` once after `ms` milliseconds; the returned function cancels it. */
  setTimeout(fn: () => void, ms: number): () => void;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimeout: (fn, ms) => {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
};

/**
 * Resolves after `ms` milliseconds, or as soon as `signal` is aborted. Never rejects: the caller looks at its signal.
 */
export function pause(
  ms: number,
  options: { readonly clock?: Clock; readonly signal?: AbortSignal } = {},
): Promise<void> {
  const { clock = systemClock, signal } = options;
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.setTimeout(end, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}

/** How long to wait before attempt `failures + 1`: `baseMs` doubled per failure up to `maxMs`, between half and all of it. */
export function backoffMs(
  failures: number,
  options: { readonly baseMs: number; readonly maxMs: number; readonly random?: () => number },
): number {
  const { baseMs, maxMs, random = Math.random } = options;
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(failures, 40));
  return full * (0.5 + 0.5 * random());
}
