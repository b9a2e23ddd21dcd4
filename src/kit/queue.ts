/**
 * A work queue of keys, after client-go's: `dirty` says what is wanted, `processing` what is being worked on, `queue`
 * in which order. Adding a key twice is once; adding a key that is being worked on brings it back when it is done.
 *
 * Guarantees: a key is never handed out twice at a time; every `add` is followed by a `take` of that key. Fresh work goes
 * before first work (of objects that are new) and that before background work (initial lists, resyncs). Neither is
 * starved: once it has waited long enough, one in sixteen keys is of it.
 * Work that can wait is done together with the next fresh work on its key, or after `lazyMs`.
 */
import { backoffMs, type Clock, systemClock } from "./clock.ts";
import type { ObjectKey } from "./types.ts";

/** Options of {@linkcode WorkQueue}. */
export interface WorkQueueOptions {
  /** @default {systemClock} */
  readonly clock?: Clock;
  /** First backoff of a failing key. @default {5} */
  readonly baseBackoffMs?: number;
  /** Longest backoff of a failing key. @default {300_000} */
  readonly maxBackoffMs?: number;
  /** A first or background key that has waited so long goes before fresh ones, one in sixteen. @default {1_000} */
  readonly backgroundPatienceMs?: number;
  /** How long a lazy key waits for others of its key. @default {3_000} */
  readonly lazyMs?: number;
  /** In [0, 1). @default {Math.random} */
  readonly random?: () => number;
}

/** Options of {@linkcode WorkQueue.addRateLimited}. */
export interface RateLimitOptions {
  /** The key is not worked on before, even if it is added meanwhile. @default {0} */
  readonly notBeforeMs?: number;
  /** Longest backoff. @default the queue's */
  readonly atMostMs?: number;
}

/**
 * `fresh`: as soon as a worker is free. `lazy`: within three seconds. `first`: when there is no fresh work, so that what has begun
 * and what is edited does not wait for all that is created at once. `background`: when there is neither.
 */
export type Urgency = "fresh" | "lazy" | "first" | "background";

const BY_URGENCY: readonly Urgency[] = ["background", "first", "lazy", "fresh"];

/** Between two impatient keys that go before fresh ones. */
const FRESH_BETWEEN = 15;

/** The urgencies of keys that wait for a worker, most urgent first. */
const QUEUED = ["fresh", "first", "background"] as const;
type QueuedUrgency = typeof QUEUED[number];

/** A key handed out, and how long it had waited. */
export interface WorkItem {
  readonly key: ObjectKey;
  readonly urgency: QueuedUrgency;
  readonly waitedMs: number;
}

/** Keys that want work. */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #options: Required<Omit<WorkQueueOptions, "clock">>;
  /** Keys that wait for a worker, and since when. A key waits once. */
  readonly #waiting: Readonly<Record<QueuedUrgency, Map<ObjectKey, number>>> = {
    fresh: new Map(),
    first: new Map(),
    background: new Map(),
  };
  #freshInARow = FRESH_BETWEEN;
  readonly #processing = new Set<ObjectKey>();
  readonly #dirtyWhileProcessing = new Map<ObjectKey, Urgency>();
  readonly #delayed = new Map<ObjectKey, { readonly dueMs: number; readonly cancel: () => void }>();
  /** Keys that can wait, with what ends the wait. */
  readonly #lazy = new Map<ObjectKey, () => void>();
  readonly #failures = new Map<ObjectKey, number>();
  /** Keys that must wait, and until when. */
  readonly #heldUntilMs = new Map<ObjectKey, number>();
  readonly #takers: ((item: WorkItem | undefined) => void)[] = [];
  readonly #idle: (() => void)[] = [];
  #closed = false;

  constructor(options: WorkQueueOptions = {}) {
    const {
      clock = systemClock,
      baseBackoffMs = 5,
      maxBackoffMs = 300_000,
      backgroundPatienceMs = 1_000,
      lazyMs = 3_000,
      random = Math.random,
    } = options;
    this.#clock = clock;
    this.#options = { baseBackoffMs, maxBackoffMs, backgroundPatienceMs, lazyMs, random };
  }

  /** Keys that wait for a worker; delayed ones do not count. */
  get length(): number {
    return QUEUED.reduce((sum, urgency) => sum + this.#waiting[urgency].size, 0);
  }

  /** Wants `key` to be worked on as soon as a worker is free. */
  add(key: ObjectKey, urgency: Urgency = "fresh"): void {
    if (this.#closed) return;
    if (this.#processing.has(key)) {
      this.#dirtyWhileProcessing.set(key, moreUrgent(urgency, this.#dirtyWhileProcessing.get(key)));
      return;
    }
    const present = QUEUED.find((queued) => this.#waiting[queued].has(key));
    if (present && moreUrgent(present, urgency) === present) return;
    if (urgency === "lazy") return this.#addLazy(key);
    const heldMs = (this.#heldUntilMs.get(key) ?? 0) - this.#clock.monotonicMs();
    if (heldMs > 0) return this.addAfter(key, heldMs);
    this.#heldUntilMs.delete(key);
    const since = present && this.#waiting[present].get(key);
    if (present) this.#waiting[present].delete(key);
    this.#waiting[urgency].set(key, since ?? this.#clock.monotonicMs());
    this.#handOut();
  }

  #addLazy(key: ObjectKey): void {
    if (this.#lazy.has(key)) return;
    const cancel = this.#clock.setTimeout(() => {
      this.#lazy.delete(key);
      this.add(key);
    }, this.#options.lazyMs);
    this.#lazy.set(key, cancel);
  }

  /** Adds `key` after `ms` milliseconds; of several such calls the earliest time counts. */
  addAfter(key: ObjectKey, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) return this.add(key);
    const dueMs = this.#clock.monotonicMs() + ms;
    const present = this.#delayed.get(key);
    if (present && present.dueMs <= dueMs) return;
    present?.cancel();
    const cancel = this.#clock.setTimeout(() => {
      this.#delayed.delete(key);
      this.add(key);
    }, Math.min(ms, 2 ** 31 - 1)); // longer timers would fire at once; waking early is harmless
    this.#delayed.set(key, { dueMs, cancel });
  }

  /** Wants `key` after its backoff, which doubles with each call until {@linkcode forget}. Returns the wait in milliseconds. */
  addRateLimited(key: ObjectKey, options: RateLimitOptions = {}): number {
    const { notBeforeMs = 0, atMostMs = Infinity } = options;
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const { baseBackoffMs: baseMs, maxBackoffMs, random } = this.#options;
    const maxMs = Math.min(maxBackoffMs, atMostMs);
    const waitMs = Math.max(notBeforeMs, backoffMs(failures, { baseMs, maxMs, random }));
    if (notBeforeMs > 0) this.#heldUntilMs.set(key, this.#clock.monotonicMs() + notBeforeMs);
    this.addAfter(key, waitMs);
    return waitMs;
  }

  /** Ends the backoff of `key` and what {@linkcode addAfter} was called with before: a reconcile of it succeeded. */
  forget(key: ObjectKey): void {
    this.#failures.delete(key);
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
  }

  /** How often in a row `key` was rate limited. */
  failuresOf(key: ObjectKey): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The next key, as soon as there is one; `undefined` once the queue is shut down. {@linkcode done} must follow. */
  take(): Promise<WorkItem | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#handOut();
    });
  }

  /** Ends the work on `key`; it comes back at once if it was added meanwhile. */
  done(key: ObjectKey): void {
    this.#processing.delete(key);
    const again = this.#dirtyWhileProcessing.get(key);
    this.#dirtyWhileProcessing.delete(key);
    if (again) this.add(key, again);
    if (this.#processing.size === 0) { for (const resolve of this.#idle.splice(0)) resolve(); }
  }

  /** Takes no more keys and ends all waiting; resolves when nothing is being worked on any more. */
  shutDown(): Promise<void> {
    this.#closed = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    for (const cancel of this.#lazy.values()) cancel();
    this.#lazy.clear();
    for (const resolve of this.#takers.splice(0)) resolve(undefined);
    if (this.#processing.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #handOut(): void {
    while (this.#takers.length > 0) {
      const next = this.#next();
      if (!next) return;
      this.#processing.add(next.key);
      this.#takers.shift()?.(next);
    }
  }

  #next(): WorkItem | undefined {
    const now = this.#clock.monotonicMs();
    const heads = QUEUED.flatMap((urgency) => {
      const [head] = this.#waiting[urgency];
      return head ? { urgency, key: head[0], since: head[1] } : [];
    });
    const oldest = heads.reduce<typeof heads[number] | undefined>((a, b) => a && a.since <= b.since ? a : b, undefined);
    const isImpatient = oldest && now - oldest.since >= this.#options.backgroundPatienceMs;
    const head = isImpatient && this.#freshInARow >= FRESH_BETWEEN ? oldest : heads[0];
    if (!head) return undefined;
    const { urgency, key, since } = head;
    this.#freshInARow = urgency === "fresh" ? this.#freshInARow + 1 : 0;
    this.#waiting[urgency].delete(key);
    this.#lazy.get(key)?.();
    this.#lazy.delete(key);
    return { key, urgency, waitedMs: now - since };
  }
}

function moreUrgent(a: Urgency, b: Urgency | undefined): Urgency {
  return b !== undefined && BY_URGENCY.indexOf(b) > BY_URGENCY.indexOf(a) ? b : a;
}
