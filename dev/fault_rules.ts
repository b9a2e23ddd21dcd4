/**
 * The vocabulary of the fault proxy: which requests and watch events a rule is about, on which of its hits it strikes,
 * and what a strike does. Nothing here speaks to a network.
 */

/** An HTTP method, but reading on and on is WATCH. */
export type Verb = "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "WATCH";

/** The verbs that change something. */
export const WRITE_VERBS: readonly Verb[] = ["POST", "PUT", "PATCH", "DELETE"];

/** What is known of a request when it has come in whole. */
export interface SeenRequest {
  readonly verb: Verb;
  /** Without the query. */
  readonly path: string;
  /** What follows the `?`, decoded; empty if there is none. */
  readonly query: string;
  readonly userAgent: string;
  readonly body: string;
}

/** Which requests; what is absent matches all. */
export interface RequestMatch {
  readonly verb?: Verb | readonly Verb[];
  readonly path?: RegExp;
  readonly query?: RegExp;
  readonly userAgent?: RegExp;
  readonly where?: (request: SeenRequest) => boolean;
}

/** A line of a watch. */
export interface WatchLine {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: {
    readonly kind?: string;
    readonly metadata?: {
      readonly namespace?: string;
      readonly name?: string;
      readonly uid?: string;
      readonly resourceVersion?: string;
      readonly [field: string]: unknown;
    };
    readonly [field: string]: unknown;
  };
}

/** Which events of which watches; what is absent matches all, bookmarks included. */
export interface EventMatch {
  /** Of the watch's request. */
  readonly path?: RegExp;
  readonly userAgent?: RegExp;
  readonly type?: WatchLine["type"] | readonly WatchLine["type"][];
  /** Tried on `namespace/name`, or on `name` where there is no namespace. */
  readonly object?: RegExp;
  readonly where?: (line: WatchLine) => boolean;
}

/**
 * Which hits of a rule are strikes, counted from 1: the n-th alone, a range (both ends included), every k-th, or a share
 * of them, chosen by a generator that gives the same choice for the same seed.
 */
export type Hits =
  | number
  | { readonly from: number; readonly to?: number }
  | { readonly every: number }
  | { readonly fraction: number; readonly seed: number };

/** What a strike does to a request. */
export type RequestFault =
  /** The API server is not asked. `body` replaces the usual `Status`. */
  | {
    readonly type: "answer";
    readonly status: number;
    readonly reason?: string;
    readonly message?: string;
    readonly retryAfterSeconds?: number;
    readonly body?: string;
  }
  /** Goes on after a while, with the next rule or to the API server. */
  | { readonly type: "delay"; readonly ms: number }
  /** The API server is not asked, and the connection breaks. */
  | { readonly type: "drop" }
  /** The API server has done what it was asked for, and the connection breaks before it can say so. */
  | { readonly type: "loseAnswer" }
  /** `kill` is called and awaited, then as `drop`: the request is never forwarded. */
  | { readonly type: "killBefore"; readonly kill: () => Promise<void> | void }
  /** As `loseAnswer`, but that `kill` is called and awaited before the connection breaks. */
  | { readonly type: "killAfter"; readonly kill: () => Promise<void> | void }
  /** One byte in the middle of the answer becomes a NUL, which JSON does not know. Of a watch: corrupt its events. */
  | { readonly type: "corrupt" };

/** What a strike does to an event. */
export type EventFault =
  /** It is not delivered. */
  | { readonly type: "drop" }
  /** It is delivered, and again after so many further events of its watch. @default {0} */
  | { readonly type: "replay"; readonly afterEvents?: number }
  /** An ERROR comes in its place, and the watch ends, as the API server does it. @default {410, "Expired"} */
  | { readonly type: "error"; readonly code?: number; readonly reason?: string }
  /** A byte in its middle becomes a NUL. */
  | { readonly type: "corrupt" }
  /** The connection breaks in its place. */
  | { readonly type: "cut" };

/** A rule that was added to a proxy. */
export interface Rule {
  /** How many requests or events matched. */
  readonly hits: number;
  /** How many of them it struck. */
  readonly strikes: number;
  /** It no longer counts and no longer strikes. */
  remove(): void;
}

/** Rules in the order in which they were added. Each counts every subject that it matches, whatever the others do. */
export class RuleList<Subject, Fault> {
  readonly #rules = new Set<CountedRule<Subject, Fault>>();

  add(matches: (subject: Subject) => boolean, fault: Fault, hits: Hits | undefined): Rule {
    const rule = new CountedRule(matches, fault, { isStrike: strikes(hits), remove: () => this.#rules.delete(rule) });
    this.#rules.add(rule);
    return rule;
  }

  /** What happens to this one. */
  faultsFor(subject: Subject): Fault[] {
    return [...this.#rules].filter((rule) => rule.meets(subject)).map(({ fault }) => fault);
  }

  clear(): void {
    this.#rules.clear();
  }
}

interface RuleParts {
  readonly isStrike: (hit: number) => boolean;
  readonly remove: () => void;
}

class CountedRule<Subject, Fault> implements Rule {
  hits = 0;
  strikes = 0;
  readonly fault: Fault;
  readonly #matches: (subject: Subject) => boolean;
  readonly #parts: RuleParts;

  constructor(matches: (subject: Subject) => boolean, fault: Fault, parts: RuleParts) {
    this.#matches = matches;
    this.fault = fault;
    this.#parts = parts;
  }

  /** Counts the subject if it matches; whether it is struck. */
  meets(subject: Subject): boolean {
    if (!this.#matches(subject) || !this.#parts.isStrike(++this.hits)) return false;
    this.strikes++;
    return true;
  }

  remove(): void {
    this.#parts.remove();
  }
}

/** Whether a request is one of those that `match` is about. */
export function matchesRequest(request: SeenRequest, match: RequestMatch): boolean {
  return isOneOf(request.verb, match.verb) && finds(request.path, match.path) && finds(request.query, match.query) &&
    finds(request.userAgent, match.userAgent) && (match.where?.(request) ?? true);
}

/** The same for an event of the watch that `request` asked for. */
export function matchesEvent(request: SeenRequest, line: WatchLine, match: EventMatch): boolean {
  return finds(request.path, match.path) && finds(request.userAgent, match.userAgent) &&
    isOneOf(line.type, match.type) && finds(objectKeyOf(line), match.object) && (match.where?.(line) ?? true);
}

/** `namespace/name`, or what there is of it. */
export function objectKeyOf({ object: { metadata } }: WatchLine): string {
  return [metadata?.namespace, metadata?.name].filter(Boolean).join("/");
}

function isOneOf<T extends string>(value: T, wanted: T | readonly T[] | undefined): boolean {
  return wanted === undefined || [wanted].flat().includes(value);
}

/** `search` and not `test`: a pattern with the flag g would remember where it was. */
function finds(text: string, pattern: RegExp | undefined): boolean {
  return pattern === undefined || text.search(pattern) >= 0;
}

function strikes(hits: Hits | undefined): (hit: number) => boolean {
  if (hits === undefined) return () => true;
  if (typeof hits === "number") return (hit) => hit === hits;
  if ("from" in hits) return (hit) => hit >= hits.from && hit <= (hits.to ?? Infinity);
  if ("every" in hits) return (hit) => hit % hits.every === 0;
  const random = seededRandom(hits.seed);
  return () => random() < hits.fraction;
}

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
