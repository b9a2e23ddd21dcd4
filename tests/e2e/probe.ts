/** Asks a web page again and again, as visitors would, and counts what comes of it. */
import type { Fetch } from "./odoo_session.ts";

const EVERY_MS = 100;
const PATIENCE_MS = 10_000;

/** What became of the requests. */
export interface ProbeCounts {
  readonly requests: number;
  /** No answer, or one of 500 and more: when (seconds after the start) and what. */
  readonly bad: readonly string[];
  readonly slowestMs: number;
}

/** A probe that is asking. */
export interface Probe {
  stop(): Promise<ProbeCounts>;
}

/** Begins to ask for `path`, every 100 ms, whether or not the last answer is there. */
export function startProbe(fetch: Fetch, path: string): Probe {
  const startedAt = performance.now();
  const running = new Set<Promise<void>>();
  const bad: string[] = [];
  let requests = 0;
  let slowestMs = 0;
  const ask = async () => {
    const askedAt = performance.now();
    const complain = (what: string) => bad.push(`${((askedAt - startedAt) / 1000).toFixed(1)} s: ${what}`);
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const response = await fetch(path, { signal, redirect: "manual", headers: { connection: "close" } });
      await response.body?.cancel();
      if (response.status >= 500) complain(String(response.status));
    } catch (error) {
      complain(error instanceof Error ? error.message : String(error));
    }
    slowestMs = Math.max(slowestMs, Math.round(performance.now() - askedAt));
  };
  const timer = setInterval(() => {
    requests++;
    const asking = ask().finally(() => running.delete(asking));
    running.add(asking);
  }, EVERY_MS);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(running);
      return { requests, bad, slowestMs };
    },
  };
}
