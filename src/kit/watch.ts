/**
 * List and watch of one kind as an explicit state machine: `step(state)` does one thing against the server and says
 * which state comes next; {@linkcode watchObjects} runs it for ever, with a backoff of its own per watch.
 *
 * Expected flow: empty → (streaming | listing…) → connecting → watching → connecting → …
 * Guarantees: the first event is `restarted` with the full set, and so is the first after every gap that could have
 * lost something (410, three connections that ended at once); in between `applied` and `deleted` come in the server's
 * order. A watch that is silent for `idleTimeoutMs` (no event, no bookmark) is cut and resumed where it was.
 * Errors: none are thrown; each is reported to `onFailure` and retried until `signal` is aborted.
 */
import type { Client, ObjectList, RawWatchEvent, Selection } from "./client.ts";
import { backoffMs, type Clock, pause, systemClock } from "./clock.ts";
import { ApiError, isGone, sentAwayMs } from "./errors.ts";
import { keyOf, type KubeObject, type ObjectKey, type ResourceType, type Stored } from "./types.ts";

/** What a watch delivers to a cache. */
export type WatchEvent<T extends KubeObject> =
  | { readonly type: "restarted"; readonly objects: readonly Stored<T>[]; readonly resourceVersion: string }
  | { readonly type: "applied" | "deleted"; readonly object: Stored<T> }
  | { readonly type: "bookmark"; readonly resourceVersion: string };

/** A watch connection. `next()` resolves with `undefined` when the server has ended it. */
export interface OpenWatch<T extends KubeObject> {
  next(): Promise<RawWatchEvent<T> | undefined>;
  close(): Promise<void>;
}

/** The server as the state machine sees it. */
export interface WatchSource<T extends KubeObject> {
  list(continueToken: string | undefined): Promise<ObjectList<T>>;
  /** From a resourceVersion, or with the present objects first. */
  open(from: { readonly resourceVersion: string } | "initialEvents"): OpenWatch<T>;
}

/** Where a watch stands. */
export type WatchState<T extends KubeObject> =
  | { readonly name: "empty"; readonly paged?: boolean }
  | { readonly name: "listing"; readonly objects: readonly Stored<T>[]; readonly continueToken: string }
  | { readonly name: "streaming"; readonly objects: ReadonlyMap<ObjectKey, Stored<T>>; readonly watch: OpenWatch<T> }
  | { readonly name: "connecting"; readonly resourceVersion: string; readonly quickEnds: number }
  | {
    readonly name: "watching";
    readonly resourceVersion: string;
    readonly quickEnds: number;
    readonly watch: OpenWatch<T>;
  };

/** The outcome of one {@linkcode step}. */
export interface Step<T extends KubeObject> {
  readonly state: WatchState<T>;
  readonly event?: WatchEvent<T>;
  /** What went wrong; the caller waits before the next step. */
  readonly failure?: unknown;
}

/** So many connections that end without one event mean that the resourceVersion is no longer served. */
const QUICK_ENDS_BEFORE_RELIST = 3;
const INITIAL_EVENTS_END = "k8s.io/initial-events-end";

/** Does the next thing that `state` asks for. Never throws. */
export async function step<T extends KubeObject>(state: WatchState<T>, source: WatchSource<T>): Promise<Step<T>> {
  switch (state.name) {
    case "empty":
      if (!state.paged) {
        return { state: { name: "streaming", objects: new Map(), watch: source.open("initialEvents") } };
      }
      return await listPage(source, [], undefined);
    case "listing":
      return await listPage(source, state.objects, state.continueToken);
    case "streaming":
      return await readInitial(state);
    case "connecting": {
      const { resourceVersion, quickEnds } = state;
      return { state: { name: "watching", resourceVersion, quickEnds, watch: source.open({ resourceVersion }) } };
    }
    case "watching":
      return await readNext(state);
  }
}

async function listPage<T extends KubeObject>(
  source: WatchSource<T>,
  former: readonly Stored<T>[],
  token: string | undefined,
): Promise<Step<T>> {
  try {
    const { items, resourceVersion, continueToken } = await source.list(token);
    const objects = [...former, ...items];
    if (continueToken) return { state: { name: "listing", objects, continueToken } };
    return {
      state: { name: "connecting", resourceVersion, quickEnds: 0 },
      event: { type: "restarted", objects, resourceVersion },
    };
  } catch (failure) {
    return { state: { name: "empty", paged: true }, failure };
  }
}

async function readInitial<T extends KubeObject>(state: WatchState<T> & { name: "streaming" }): Promise<Step<T>> {
  const { watch, objects } = state;
  try {
    const event = await watch.next();
    if (!event || event.type === "ERROR") {
      await watch.close();
      return {
        state: { name: "empty" },
        failure: event
          ? errorOf(event)
          : new ApiError(0, "Ended", "Cannot read the initial list: the server ended it early"),
      };
    }
    if (event.type !== "BOOKMARK") return { state: { ...state, objects: withEvent(objects, event) } };
    if (event.object.metadata.annotations?.[INITIAL_EVENTS_END] !== "true") return { state };
    const { resourceVersion } = event.object.metadata;
    return {
      state: { name: "watching", resourceVersion, quickEnds: 0, watch },
      event: { type: "restarted", objects: [...objects.values()], resourceVersion },
    };
  } catch (failure) {
    await watch.close();
    // Servers before 1.34, or with the feature off, refuse sendInitialEvents: ask for pages from now on.
    const refused = failure instanceof ApiError && (failure.status === 400 || failure.status === 422);
    return refused ? { state: { name: "empty", paged: true } } : { state: { name: "empty" }, failure };
  }
}

/** Mutates the map in place: it is private to one initial list, and a copy per object would be quadratic. */
function withEvent<T extends KubeObject>(
  objects: ReadonlyMap<ObjectKey, Stored<T>>,
  event: RawWatchEvent<T>,
): ReadonlyMap<ObjectKey, Stored<T>> {
  const map = objects as Map<ObjectKey, Stored<T>>;
  if (event.type === "DELETED") map.delete(keyOf(event.object));
  else map.set(keyOf(event.object), event.object);
  return map;
}

async function readNext<T extends KubeObject>(state: WatchState<T> & { name: "watching" }): Promise<Step<T>> {
  const { watch, resourceVersion, quickEnds } = state;
  let event: RawWatchEvent<T> | undefined;
  try {
    event = await watch.next();
  } catch (failure) {
    await watch.close();
    return {
      state: isGone(failure) ? { name: "empty" } : { name: "connecting", resourceVersion, quickEnds: 0 },
      failure,
    };
  }
  if (!event) {
    await watch.close();
    if (quickEnds + 1 < QUICK_ENDS_BEFORE_RELIST) {
      return { state: { name: "connecting", resourceVersion, quickEnds: quickEnds + 1 } };
    }
    return {
      state: { name: "empty" },
      failure: new ApiError(410, "Gone", "Cannot resume the watch: the server ends it at once"),
    };
  }
  if (event.type === "ERROR") {
    await watch.close();
    const failure = errorOf(event);
    return { state: isGone(failure) ? { name: "empty" } : { name: "connecting", resourceVersion, quickEnds }, failure };
  }
  const seen = event.object.metadata.resourceVersion;
  const next = { name: "watching", resourceVersion: seen, quickEnds: 0, watch } as const;
  if (event.type === "BOOKMARK") return { state: next, event: { type: "bookmark", resourceVersion: seen } };
  return { state: next, event: { type: event.type === "DELETED" ? "deleted" : "applied", object: event.object } };
}

function errorOf(event: { readonly object: unknown }): ApiError {
  const status = event.object as { code?: number; reason?: string; message?: string };
  return new ApiError(
    status.code ?? 500,
    status.reason ?? "Unknown",
    `Cannot go on watching: ${status.message ?? "the server sent an error"}`,
  );
}

/** Options of {@linkcode watchObjects}. */
export interface WatchObjectsOptions<T extends KubeObject = KubeObject> extends Selection {
  readonly signal: AbortSignal;
  /** @default {systemClock} */
  readonly clock?: Clock;
  /** Silence after which a connection counts as dead; the server sends a bookmark every minute. @default {100_000} */
  readonly idleTimeoutMs?: number;
  /** Objects per page where the server cannot stream. @default {500} */
  readonly pageSize?: number;
  /** Ask for pages even where the server could stream. @default {false} */
  readonly paged?: boolean;
  /**
   * Reduces each object when it is read. A first list holds all objects of a kind at a time, for all kinds at the same
   * time: as they come, with their managedFields, they would be the program's largest memory. @default {as it comes}
   */
  readonly reduce?: (object: Stored<T>) => Stored<T>;
  /** How long to wait after a 404 (the kind is not installed). @default {2_000} */
  readonly absentRetryMs?: number;
  /** Called with each failure before it is retried. */
  readonly onFailure?: (failure: unknown) => void;
  /** Called for each connection that the server has accepted. */
  readonly onOpen?: () => void;
}

/** The server ends a connection after this and up to half as much again; one that is dead is found by its silence, before. */
const SHORTEST_CONNECTION_S = 600;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 1_000;

/**
 * The objects of a kind, now and from now on, until `signal` is aborted.
 *
 * @example
 * ```ts
 * for await (const event of watchObjects(client, Deployment, { signal })) {
 *   if (event.type === "applied") names.add(event.object.metadata.name);
 * }
 * ```
 */
export async function* watchObjects<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  options: WatchObjectsOptions<T>,
): AsyncGenerator<WatchEvent<T>> {
  const { signal, clock = systemClock, paged = false, absentRetryMs = 2_000, onFailure = () => {} } = options;
  const source = sourceOf(client, type, options);
  let state: WatchState<T> = { name: "empty", paged };
  let failures = 0;
  try {
    while (!signal.aborted) {
      const result: Step<T> = await step(state, source);
      state = paged && result.state.name === "empty" ? { name: "empty", paged } : result.state;
      if (signal.aborted) return;
      if (result.event) {
        if (result.event.type !== "restarted") failures = 0; // a list proves nothing about the watch that follows
        yield result.event;
      }
      if (result.failure !== undefined) {
        onFailure(result.failure);
        await pause(waitMs(result.failure, failures++, absentRetryMs), { clock, signal });
      }
    }
  } finally {
    if ("watch" in state) await state.watch.close();
  }
}

function waitMs(failure: unknown, failures: number, absentRetryMs: number): number {
  const backoff = backoffMs(failures, { baseMs: FIRST_RETRY_MS, maxMs: LONGEST_RETRY_MS });
  if (!(failure instanceof ApiError)) return backoff;
  return Math.max(
    backoff,
    sentAwayMs(failure),
    failure.status === 404 ? backoffMs(0, { baseMs: absentRetryMs, maxMs: absentRetryMs }) : 0,
  );
}

function sourceOf<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  options: WatchObjectsOptions<T>,
): WatchSource<T> {
  const { signal, clock = systemClock, idleTimeoutMs = 100_000, pageSize = 500, reduce = (object) => object } = options;
  return {
    async list(continueToken) {
      const page = await client.list(type, {
        ...options,
        limit: pageSize,
        ...(continueToken ? { continueToken } : {}),
      });
      return { ...page, items: page.items.map(reduce) };
    },
    open: (from) => {
      const connection = new AbortController();
      const abort = () => connection.abort();
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort);
      const silence = watchSilence(
        { clock, idleTimeoutMs },
        () =>
          connection.abort(new ApiError(0, "Silent", `Cannot hear the watch: nothing came for ${idleTimeoutMs} ms`)),
      );
      const events = client.watch(type, {
        ...options,
        signal: connection.signal,
        timeoutSeconds: Math.floor(SHORTEST_CONNECTION_S * (1 + Math.random() / 2)), // spread: not all end together
        ...(from === "initialEvents" ? { sendInitialEvents: true } : from),
      })[Symbol.asyncIterator]();
      return {
        async next() {
          silence.begins();
          try {
            const { value, done } = await events.next();
            if (done) return undefined;
            return value.type === "ADDED" || value.type === "MODIFIED"
              ? { ...value, object: reduce(value.object) }
              : value;
          } finally {
            silence.ends();
          }
        },
        async close() {
          signal.removeEventListener("abort", abort);
          silence.stop();
          connection.abort();
          await events.return?.(undefined)?.catch(() => {}); // the connection is gone either way
        },
      };
    },
  };
}

/**
 * Calls `onTooLong` when a silence has lasted for `idleTimeoutMs`. One timer for all silences of a connection: a first list
 * has thousands of them, none longer than a millisecond.
 */
function watchSilence(
  { clock, idleTimeoutMs }: { readonly clock: Clock; readonly idleTimeoutMs: number },
  onTooLong: () => void,
) {
  let sinceMs: number | undefined;
  const check = () => {
    const leftMs = sinceMs === undefined ? idleTimeoutMs : sinceMs + idleTimeoutMs - clock.monotonicMs();
    if (leftMs <= 0) onTooLong();
    else cancel = clock.setTimeout(check, leftMs);
  };
  let cancel = clock.setTimeout(check, idleTimeoutMs);
  return {
    begins: () => void (sinceMs = clock.monotonicMs()),
    ends: () => void (sinceMs = undefined),
    stop: () => cancel(),
  };
}
