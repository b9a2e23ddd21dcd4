/**
 * Workers that turn keys into reconciles. The one place where an error of a reconcile is handled: it is logged, counted,
 * and the key comes back after its backoff (or after the server's Retry-After).
 */
import { type Clock, systemClock } from "./clock.ts";
import { ApiError, isConflict, isOverQuota, isUnavailable, messageOf, sentAwayMs, TerminalError } from "./errors.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { RateLimitOptions, WorkItem, WorkQueue } from "./queue.ts";
import type { ObjectKey } from "./types.ts";

/** How a reconcile ended. */
export type Outcome =
  /** Nothing is left to do before the next change. */
  | { readonly type: "done" }
  /** Look again after this time, in milliseconds. */
  | { readonly type: "requeue"; readonly afterMs: number }
  /** Try again after the key's backoff. */
  | { readonly type: "failed"; readonly error: unknown };

/** {@linkcode Outcome}: nothing to wait for. */
export function done(): Outcome {
  return { type: "done" };
}

/** {@linkcode Outcome}: look again after `afterMs` milliseconds. */
export function requeue(afterMs: number): Outcome {
  return { type: "requeue", afterMs };
}

/** Works on one key; `reconcileId` appears in its log lines. */
export type Reconciler = (
  key: ObjectKey,
  context: { readonly log: Logger; readonly signal: AbortSignal },
) => Promise<Outcome>;

/** Options of {@linkcode Workers}. */
export interface WorkersOptions {
  readonly name: string;
  readonly queue: WorkQueue;
  readonly reconcile: Reconciler;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Reconciles at a time, of different keys. @default {8} */
  readonly concurrency?: number;
  readonly clock?: Clock;
  /** Wait so long after an error, in milliseconds, in place of the queue's backoff. @default {undefined} */
  readonly errorRequeueMs?: number;
}

/** Runs `concurrency` workers over a queue. */
export class Workers {
  readonly #options: WorkersOptions & Required<Pick<WorkersOptions, "concurrency" | "clock">>;
  #reconciles = 0;
  /** Resolves when the last reconcile that is to begin has its turn. */
  #lastTurn: Promise<void> = Promise.resolve();

  constructor(options: WorkersOptions) {
    const { concurrency = 8, clock = systemClock } = options;
    this.#options = { ...options, concurrency, clock };
  }

  /**
   * Works until `signal` is aborted, then takes no new key, and resolves when the running reconciles have ended.
   * They see `signal` aborted and may end early: everything they do may be interrupted anywhere.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { queue, concurrency } = this.#options;
    const stop = () => void queue.shutDown();
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    await Promise.all(Array.from({ length: concurrency }, () => this.#work(signal)));
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { queue } = this.#options;
    for (let item = await queue.take(); item; item = await queue.take()) {
      try {
        await this.#reconcile(item, signal);
      } finally {
        queue.done(item.key);
      }
    }
  }

  async #reconcile({ key, urgency, waitedMs }: WorkItem, signal: AbortSignal): Promise<void> {
    const { name: controller, queue, reconcile, metrics, clock } = this.#options;
    const log = this.#options.log.with({ key, reconcileId: ++this.#reconciles });
    const takenMs = clock.monotonicMs();
    await this.#turn();
    const started = clock.monotonicMs();
    metrics.queueSeconds.observe({ controller, urgency }, (waitedMs + started - takenMs) / 1000);
    metrics.queueDepth.set({ controller }, queue.length);
    const outcome = await this.#outcomeOf(() => reconcile(key, { log, signal }));
    metrics.reconcileSeconds.observe({ controller }, (clock.monotonicMs() - started) / 1000);
    if (signal.aborted) return;
    metrics.reconciles.inc({ controller, result: outcome.type });
    switch (outcome.type) {
      case "done":
        return queue.forget(key);
      case "requeue":
        queue.forget(key);
        return queue.addAfter(key, outcome.afterMs);
      case "failed":
        return this.#failed(key, outcome.error, log);
    }
  }

  /**
   * One reconcile begins each time the event loop comes round. Each has the program's one thread for some milliseconds until
   * it first waits; if all that may run began in one go, webhooks, probes and watches would wait for the sum of these.
   */
  #turn(): Promise<void> {
    this.#lastTurn = this.#lastTurn.then(() => new Promise((resolve) => setImmediate(resolve)));
    return this.#lastTurn;
  }

  async #outcomeOf(run: () => Promise<Outcome>): Promise<Outcome> {
    try {
      return await run();
    } catch (error) {
      return { type: "failed", error };
    }
  }

  /** Adds the key again after its backoff, or after `errorRequeueMs`. Returns the wait in milliseconds. */
  #retry(key: ObjectKey, error: unknown): number {
    const { queue, errorRequeueMs } = this.#options;
    const options = retryOptions(error);
    if (errorRequeueMs === undefined) return queue.addRateLimited(key, options);
    const waitMs = Math.max(errorRequeueMs, options.notBeforeMs ?? 0);
    queue.addAfter(key, waitMs);
    return waitMs;
  }

  #failed(key: ObjectKey, error: unknown, log: Logger): void {
    const { queue } = this.#options;
    if (isConflict(error)) {
      const waitMs = queue.addRateLimited(key); // another client wrote first; the watch brings its change
      return log.debug("Reconcile met a conflict", { error: messageOf(error), waitMs });
    }
    if (error instanceof TerminalError) return log.error("Reconcile cannot succeed", { error: messageOf(error) });
    const waitMs = this.#retry(key, error);
    log.error("Reconcile failed", { error: messageOf(error), waitMs: Math.round(waitMs) });
  }
}

/** No watch reports that a server is available again. */
const UNAVAILABLE_RETRY_MS = 2_000;
/** No watch reports that a quota has room again, and a user waits for it. */
const QUOTA_RETRY_MS = 8_000;
/** What else the server refuses (for want of a permission, or by a webhook) may be allowed without a change that a watch reports, too. */
const REFUSED_RETRY_MS = 60_000;

function retryOptions(error: unknown): RateLimitOptions {
  if (!(error instanceof ApiError)) return {};
  const atMostMs = isUnavailable(error) ? UNAVAILABLE_RETRY_MS : isOverQuota(error) ? QUOTA_RETRY_MS : REFUSED_RETRY_MS;
  return { notBeforeMs: sentAwayMs(error), atMostMs };
}
