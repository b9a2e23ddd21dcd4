/** Waiting in tests: for a state, never for a time. */
import { isNotFound } from "../../src/kit/errors.ts";

/** Options of {@linkcode eventually}. */
export interface EventuallyOptions {
  /** @default {10_000} */
  readonly timeoutMs?: number;
  /** Between the first probes. A long wait probes less often, up to {@linkcode LONGEST_INTERVAL_MS}. @default {20} */
  readonly intervalMs?: number;
}

/** Probes are requests: a test that has waited for {@linkcode LONG_MS} leaves the API server more time between them. */
const LONGEST_INTERVAL_MS = 60;
const LONG_MS = 3_000;

/**
 * Asks `probe` until it answers with something other than undefined and false, and returns that. A probe that throws
 * (an assertion, a 404) is asked again.
 *
 * @throws after `timeoutMs`, with what the probe said last.
 *
 * @example
 * ```ts
 * const pod = await eventually("the pod runs", async () => {
 *   const pod = await client.get(Pod, { namespace, name });
 *   assertEquals(pod.status?.phase, "Running");
 *   return pod;
 * });
 * ```
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T> | T,
  options: EventuallyOptions = {},
): Promise<Exclude<T, undefined | false>> {
  const { timeoutMs = 10_000, intervalMs = 20 } = options;
  const startedMs = performance.now();
  for (;;) {
    let last: unknown;
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
      last = `the probe answered ${answer}`;
    } catch (error) {
      last = error;
    }
    const elapsedMs = performance.now() - startedMs;
    if (elapsedMs > timeoutMs) {
      const seen = last instanceof Error ? last.message : String(last);
      throw new Error(`Not seen in ${timeoutMs} ms: ${what}; last: ${seen}`, { cause: last });
    }
    const nextMs = elapsedMs < LONG_MS ? intervalMs : Math.max(intervalMs, LONGEST_INTERVAL_MS);
    await new Promise((resolve) => setTimeout(resolve, nextMs));
  }
}

/** Whether what `get` asks for is not there any more; an error that says something else is thrown. */
export async function isGone(get: () => Promise<unknown>): Promise<boolean> {
  try {
    await get();
    return false;
  } catch (error) {
    if (isNotFound(error)) return true;
    throw error;
  }
}
