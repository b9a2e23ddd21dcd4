/** Asks a web page again and again, as visitors would, and counts what comes of it. */
import type { Fetch } from "./odoo_session.ts";

const EVERY_MS = 100;
const PATIENCE_MS = 60_000;
/** More would be an overload, which is not what is measured. */
const MOST_AT_ONCE = 16;
const SLOW_MS = 2_000;

/** What became of the requests. */
export interface ProbeCounts {
  readonly requests: number;
  /** No answer, or one that says that nobody is there (502 to 504): what, and when (seconds after the start), first and last. */
  readonly bad: Readonly<Record<string, string>>;
  /** Errors of Odoo's own (500), in the same way. */
  readonly odooErrors: string;
  /** More than two seconds, in the same way. */
  readonly slow: string;
  readonly slowestMs: number;
}

/** A probe that is asking. */
export interface Probe {
  stop(): Promise<ProbeCounts>;
}

/** Begins to ask for `path`, every 100 ms, whether or not the last answers are there, up to a limit. */
export function startProbe(fetch: Fetch, path: string): Probe {
  const startedAt = performance.now();
  const running = new Set<Promise<void>>();
  const bad = new Map<string, number[]>();
  const slow: number[] = [];
  const odooErrors: number[] = [];
  let requests = 0;
  let slowestMs = 0;
  const ask = async () => {
    const askedAt = performance.now();
    const second = (askedAt - startedAt) / 1000;
    const complain = (what: string) => bad.set(what, [...bad.get(what) ?? [], second]);
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const response = await fetch(path, { signal, redirect: "manual", headers: { connection: "close" } });
      await response.body?.cancel();
      if (response.status > 500) complain(String(response.status));
      if (response.status === 500) odooErrors.push(second);
    } catch (error) {
      complain(error instanceof Error ? error.message : String(error));
    }
    const tookMs = Math.round(performance.now() - askedAt);
    slowestMs = Math.max(slowestMs, tookMs);
    if (tookMs > SLOW_MS) slow.push(second);
  };
  const timer = setInterval(() => {
    if (running.size >= MOST_AT_ONCE) return;
    requests++;
    const asking = ask().finally(() => running.delete(asking));
    running.add(asking);
  }, EVERY_MS);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(running);
      const told = [...bad].map(([what, seconds]) => [what, range(seconds)]);
      return { requests, bad: Object.fromEntries(told), odooErrors: range(odooErrors), slow: range(slow), slowestMs };
    },
  };
}

function range(seconds: readonly number[]): string {
  if (seconds.length === 0) return "none";
  return `${seconds.length}, ${Math.min(...seconds).toFixed(1)} to ${Math.max(...seconds).toFixed(1)} s`;
}
