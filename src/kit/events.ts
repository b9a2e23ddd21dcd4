/**
 * Kubernetes events for people: `kubectl describe` shows them under the object. Recording never waits and never fails a
 * reconcile; the same event again raises a count instead of making a new object, and a noisy object is held back.
 */
import type { Client } from "./client.ts";
import { type Clock, systemClock } from "./clock.ts";
import { messageOf } from "./errors.ts";
import type { Logger } from "./log.ts";
import { type KubeObject, nameOf, type ResourceType, type Stored } from "./types.ts";

/** What happened. */
export interface EventNote {
  /** @default {"Normal"} */
  readonly type?: "Normal" | "Warning";
  /** PascalCase constant. */
  readonly reason: string;
  /** What was being done, PascalCase. @default {"Reconcile"} */
  readonly action?: string;
  /** One sentence for a person, at most 1,024 bytes. */
  readonly note: string;
}

/** `events.k8s.io/v1`. Those of others may lack what ours have. */
export interface Event extends KubeObject {
  readonly eventTime?: string;
  readonly reportingController?: string;
  readonly reportingInstance?: string;
  readonly regarding?: Readonly<Record<string, string | undefined>>;
  readonly type?: string;
  readonly reason?: string;
  readonly action?: string;
  readonly note?: string;
  readonly series?: { readonly count: number; readonly lastObservedTime: string };
  /** How often it was so, in the words of older recorders. */
  readonly deprecatedCount?: number;
  /** When it was last so, in their words. */
  readonly deprecatedLastTimestamp?: string;
}

export const Event: ResourceType<Event> = { group: "events.k8s.io", version: "v1", kind: "Event", plural: "events" };

/** The same event within this time is one series. */
const SERIES_MS = 600_000;
/** Events per object before it is held back, and the time after which it may emit one more. */
const BURST = 25;
const REFILL_MS = 300_000;
const LONGEST_NOTE_BYTES = 1_024;

/** Options of {@linkcode EventRecorder}. */
export interface EventRecorderOptions {
  /** `reportingController`. */
  readonly controller: string;
  /** `reportingInstance`, the pod's name. */
  readonly instance: string;
  readonly log: Logger;
  /** @default {systemClock} */
  readonly clock?: Clock;
}

/** Of an event that was created, what an update of it needs: a series is remembered for minutes, and there are many. */
interface EventReference {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

interface Series {
  readonly startedMs: number;
  readonly created: Promise<EventReference | undefined>;
  count: number;
  /** The count at which the next update is sent: doubling, so a loop costs few requests. */
  nextUpdate: number;
}

/** Sends events in the background. */
export class EventRecorder {
  readonly #client: Client;
  readonly #options: Required<EventRecorderOptions>;
  readonly #series = new Map<string, Series>();
  readonly #budgets = new Map<string, { tokens: number; sinceMs: number }>();
  readonly #sending = new Set<Promise<unknown>>();

  constructor(client: Client, options: EventRecorderOptions) {
    this.#client = client;
    this.#options = { clock: systemClock, ...options };
  }

  /** Emits `note` about `object`. */
  record(object: Stored<KubeObject>, note: EventNote): void {
    const now = this.#options.clock.monotonicMs();
    this.#forgetOld(now);
    const key = [object.metadata.uid, note.type, note.reason, note.note].join("\n");
    const series = this.#series.get(key);
    if (!series) {
      if (!this.#mayTell(object.metadata.uid, now)) return;
      const created = this.#try(async () => {
        const { metadata: { name, namespace = "", uid } } = await this.#client.create(
          Event,
          this.#eventOf(object, note),
        );
        return { name, namespace, uid };
      });
      const begun = { startedMs: now, created, count: 1, nextUpdate: 2 };
      this.#series.set(key, begun);
      void created.then((event) => { // a refused event does not exist: the next one is a first one
        if (!event && this.#series.get(key) === begun) this.#series.delete(key);
      });
    } else if (++series.count >= series.nextUpdate) {
      series.nextUpdate *= 2;
      this.#try(() => this.#update(series));
    }
  }

  /** Resolves when all that was recorded has been sent or given up. */
  async flush(): Promise<void> {
    while (this.#sending.size) await Promise.all(this.#sending);
  }

  async #update(series: Series): Promise<void> {
    const lastObservedTime = this.#microTime();
    const event = await series.created;
    if (!event) return;
    const value = { count: series.count, lastObservedTime };
    await this.#client.patch(Event, event, [
      { op: "test", path: "/metadata/uid", value: event.uid },
      { op: "add", path: "/series", value },
    ]);
  }

  #eventOf(object: Stored<KubeObject>, note: EventNote): Event {
    const { apiVersion, kind, metadata: { namespace = "default", uid, resourceVersion } } = object;
    const name = nameOf(object);
    const { type = "Normal", reason, action = "Reconcile" } = note;
    return {
      metadata: { namespace, name: `${name.slice(0, 220)}.${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}` },
      eventTime: this.#microTime(),
      reportingController: this.#options.controller,
      reportingInstance: this.#options.instance,
      regarding: { apiVersion, kind, namespace: object.metadata.namespace, name, uid, resourceVersion },
      type,
      reason,
      action,
      note: cutToBytes(note.note, LONGEST_NOTE_BYTES),
    };
  }

  #try<R>(send: () => Promise<R>): Promise<R | undefined> {
    const sent = send().catch((error) => {
      this.#options.log.warn("Cannot record an event", { error: messageOf(error) });
      return undefined;
    });
    this.#sending.add(sent);
    void sent.then(() => this.#sending.delete(sent));
    return sent;
  }

  #microTime(): string {
    return new Date(this.#options.clock.now()).toISOString().replace("Z", "000Z");
  }

  #mayTell(uid: string, now: number): boolean {
    const { tokens, sinceMs } = this.#budgets.get(uid) ?? { tokens: BURST, sinceMs: now };
    const refilled = Math.min(BURST, tokens + (now - sinceMs) / REFILL_MS);
    this.#budgets.set(uid, { tokens: refilled >= 1 ? refilled - 1 : refilled, sinceMs: now });
    return refilled >= 1;
  }

  #forgetOld(now: number): void {
    for (const [key, { startedMs }] of this.#series) {
      if (now - startedMs < SERIES_MS) break; // a Map keeps insertion order: the rest is younger
      this.#series.delete(key);
    }
    for (const [uid, { tokens, sinceMs }] of this.#budgets) {
      if (tokens + (now - sinceMs) / REFILL_MS >= BURST) this.#budgets.delete(uid);
    }
  }
}

/** The beginning of a text, at most so long as UTF-8, cut between characters. */
function cutToBytes(text: string, bytes: number): string {
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(bytes)).read);
}
