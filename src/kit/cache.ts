/**
 * A kind's objects in memory: a {@linkcode Store} with indexes, fed by a watch through an {@linkcode Informer}.
 *
 * Guarantees: reads are synchronous and never see half a relist. Our own writes are put in with `observe()` as soon as
 * the server has answered, so the next decision sees them although the watch is behind; an older event never undoes them.
 * Every reader gets a copy of their own: objects are held as JSON text, a third of the memory, and parsed when read. What
 * has not changed for a while can be packed; nothing else differs then.
 * Nobody is told of a change that leaves what is held as it was, such as that of a field that `transform` drops.
 * Caveat: nothing may be concluded from absence before `synced`.
 */
import type { Client, Selection } from "./client.ts";
import type { Clock } from "./clock.ts";
import { isNotFound, messageOf } from "./errors.ts";
import type { Metrics } from "./metrics.ts";
import { pack, unpack } from "./packing.ts";
import { keyOf, type KubeObject, type ObjectKey, type ResourceType, type Stored } from "./types.ts";
import { watchObjects } from "./watch.ts";

/** Maps an object to the values under which an index finds it. */
export type IndexFunction<T extends KubeObject> = (object: Stored<T>) => readonly string[];

/** Something became different in a store. */
export interface Change<T extends KubeObject> {
  readonly key: ObjectKey;
  /** The object now; after a deletion, as it last was. */
  readonly object: Stored<T>;
  readonly previous?: Stored<T>;
  readonly deleted: boolean;
  /** Part of a full list, not news. */
  readonly initial: boolean;
}

/** Options of {@linkcode Store}. */
export interface StoreOptions<T extends KubeObject> {
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
  /** Reduces an object to what is worth its memory; may be called again with its result. managedFields are always dropped. */
  readonly transform?: (object: Stored<T>) => Stored<T>;
  /** Keep who wrote an object, without what they wrote: `managedFields` without its fields. @default {false} */
  readonly keepManagers?: boolean;
  /** Only metadata comes from the server: another version may be all that tells of other data. @default {false} */
  readonly metadataOnly?: boolean;
  /** Keep who wrote these fields (`data`, say), too: so much of the fields in `managedFields`. @default {none} */
  readonly keepOwnershipOf?: readonly string[];
}

interface Held {
  /** JSON without the resourceVersion, so that texts are equal where there is no news. */
  readonly text: string;
  readonly isPacked?: true;
  readonly resourceVersion: string;
}

/** A {@linkcode Store} as a reconcile sees it: only the kit writes. */
export interface StoreReader<T extends KubeObject> {
  readonly size: number;
  get(key: ObjectKey): Stored<T> | undefined;
  list(): Stored<T>[];
  keys(): ObjectKey[];
  byIndex(index: string, value: string): Stored<T>[];
}

/** Objects by key and by index. */
export class Store<T extends KubeObject> implements StoreReader<T> {
  readonly #objects = new Map<ObjectKey, Held>();
  readonly #indexes: ReadonlyMap<
    string,
    { readonly valuesOf: IndexFunction<T>; readonly keys: Map<string, Set<ObjectKey>> }
  >;
  /** Reduces an object as this store does when it takes one; doing it twice makes no difference. */
  readonly reduce: (object: Stored<T>) => Stored<T>;
  readonly #listeners: ((change: Change<T>) => void)[] = [];
  readonly #versionIsNews: boolean;
  /** What is not packed: what may be, and what was put in after that was said. */
  readonly #settled = new Set<ObjectKey>();
  readonly #young = new Set<ObjectKey>();
  #seenVersion = "0";

  constructor(options: StoreOptions<T> = {}) {
    const { indexes = {}, transform = (object) => object, metadataOnly = false } = options;
    const { keepManagers = false, keepOwnershipOf = [] } = options;
    this.#versionIsNews = metadataOnly;
    this.#indexes = new Map(Object.entries(indexes).map(([name, valuesOf]) => [name, { valuesOf, keys: new Map() }]));
    this.reduce = (object) => transform(withSlimManagedFields(object, { keepManagers, keepOwnershipOf }));
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: ObjectKey): Stored<T> | undefined {
    const held = this.#objects.get(key);
    return held && copyOf<T>(held);
  }

  list(): Stored<T>[] {
    return [...this.#objects.values()].map((held) => copyOf<T>(held));
  }

  /** The keys of all objects, for those who need no more than that. */
  keys(): ObjectKey[] {
    return [...this.#objects.keys()];
  }

  /** The objects that `index` files under `value`, in no particular order. */
  byIndex(index: string, value: string): Stored<T>[] {
    const keys = this.#indexOf(index).keys.get(value) ?? [];
    return [...keys].flatMap((key) => this.get(key) ?? []);
  }

  /** Calls `listener` for every change from now on. */
  onChange(listener: (change: Change<T>) => void): void {
    this.#listeners.push(listener);
  }

  /** Takes the answer to a write of ours, unless the watch has already brought it or something newer. */
  observe(object: Stored<T>): void {
    const { resourceVersion } = object.metadata;
    if (!wasLetGo(object)) {
      if (isNewer(resourceVersion, this.#seenVersion)) this.#put(object, false);
      return;
    }
    // It is told with its last version: what is held under it is as it was before, and may not be decided upon again.
    const held = this.#objects.get(keyOf(object));
    if (held && !isNewer(held.resourceVersion, resourceVersion)) this.#hold(object, false);
  }

  /** A full list: what it lacks is gone, except our own writes that are newer than the list. */
  replace(objects: readonly Stored<T>[], resourceVersion: string): void {
    this.#saw(resourceVersion);
    const listed = new Set(objects.map(keyOf));
    for (const [key, held] of [...this.#objects]) {
      const gone = !listed.has(key) && !isNewer(held.resourceVersion, resourceVersion);
      if (gone) this.#drop(key, { initial: true });
    }
    for (const object of objects) this.#put(object, true);
  }

  /** The kind itself is gone from the server, and every object with it. */
  clear(): void {
    for (const key of this.keys()) this.#drop(key, { initial: true });
  }

  /** An event of the watch: the object is so now. */
  put(object: Stored<T>): void {
    this.#saw(object.metadata.resourceVersion);
    this.#put(object, false);
  }

  /** An event of the watch: the object is gone (or no longer selected). */
  remove(object: Stored<T>): void {
    this.#saw(object.metadata.resourceVersion);
    const held = this.#objects.get(keyOf(object));
    if (held && !isNewer(held.resourceVersion, object.metadata.resourceVersion)) {
      this.#drop(keyOf(object), { last: this.reduce(object), initial: false });
    }
  }

  /** A bookmark: the watch has come so far. */
  bookmark(resourceVersion: string): void {
    this.#saw(resourceVersion);
  }

  /** What has been put in since the last call may be packed from now on, unless it changes. */
  settle(): void {
    for (const key of this.#young) this.#settled.add(key);
    this.#young.clear();
  }

  /** Packs up to `limit` of the objects that may be, and says of how many. */
  pack(limit: number): number {
    const keys = [...this.#settled.keys().take(limit)];
    for (const key of keys) {
      this.#settled.delete(key);
      const held = this.#objects.get(key);
      if (held) this.#objects.set(key, { ...held, text: pack(held.text), isPacked: true });
    }
    return keys.length;
  }

  #saw(resourceVersion: string): void {
    if (isNewer(resourceVersion, this.#seenVersion)) this.#seenVersion = resourceVersion;
  }

  #put(raw: Stored<T>, initial: boolean): void {
    const held = this.#objects.get(keyOf(raw));
    if (isNewer(raw.metadata.resourceVersion, held?.resourceVersion ?? "")) this.#hold(raw, initial);
  }

  #hold(raw: Stored<T>, initial: boolean): void {
    const key = keyOf(raw);
    const { resourceVersion } = raw.metadata;
    const object = this.reduce(raw);
    const held = this.#objects.get(key);
    const former = held && unpacked(held);
    const text = textOf(object);
    this.#objects.set(key, { text, resourceVersion });
    this.#settled.delete(key);
    this.#young.add(key);
    if (former?.text === text && !this.#versionIsNews) return;
    const previous = former && copyOf<T>(former);
    if (previous) this.#unindex(key, previous);
    for (const { valuesOf, keys } of this.#indexes.values()) {
      for (const value of valuesOf(object)) keys.set(value, (keys.get(value) ?? new Set()).add(key));
    }
    this.#tell({ key, object, deleted: false, initial, ...(previous ? { previous } : {}) });
  }

  #drop(key: ObjectKey, { last, initial }: { readonly last?: Stored<T>; readonly initial: boolean }): void {
    const previous = this.get(key);
    if (!previous) return;
    this.#unindex(key, previous);
    this.#objects.delete(key);
    for (const keys of [this.#young, this.#settled]) keys.delete(key);
    this.#tell({ key, object: last ?? previous, previous, deleted: true, initial });
  }

  #unindex(key: ObjectKey, object: Stored<T>): void {
    for (const { valuesOf, keys } of this.#indexes.values()) {
      for (const value of valuesOf(object)) {
        const set = keys.get(value);
        set?.delete(key);
        if (set?.size === 0) keys.delete(value);
      }
    }
  }

  #indexOf(name: string) {
    const index = this.#indexes.get(name);
    if (!index) {
      throw new RangeError(
        `Cannot read index '${name}': the store has ${[...this.#indexes.keys()].join(", ") || "none"}`,
      );
    }
    return index;
  }

  #tell(change: Change<T>): void {
    for (const listener of this.#listeners) listener(change);
  }
}

function textOf({ metadata: { resourceVersion: _, ...metadata }, ...rest }: Stored<KubeObject>): string {
  return JSON.stringify({ ...rest, metadata });
}

function unpacked(held: Held): Held {
  return held.isPacked ? { text: unpack(held.text), resourceVersion: held.resourceVersion } : held;
}

function copyOf<T extends KubeObject>(held: Held): Stored<T> {
  const { text, resourceVersion } = unpacked(held);
  const copy = JSON.parse(text);
  copy.metadata.resourceVersion = resourceVersion;
  return copy;
}

/** Whether resourceVersion `a` is later than `b`: they are decimal numbers of any length. */
export function isNewer(a: string, b: string): boolean {
  return a.length === b.length ? a > b : a.length > b.length;
}

/** Whether this is the answer to the write that took the last finalizer off: the object is gone with it. */
function wasLetGo(
  { metadata: { deletionTimestamp, finalizers, deletionGracePeriodSeconds } }: Stored<KubeObject>,
): boolean {
  return deletionTimestamp !== undefined && !finalizers?.length && !deletionGracePeriodSeconds;
}

function withSlimManagedFields<T extends KubeObject>(
  object: Stored<T>,
  { keepManagers, keepOwnershipOf }: Required<Pick<StoreOptions<T>, "keepManagers" | "keepOwnershipOf">>,
): Stored<T> {
  if (!object.metadata.managedFields) return object;
  const { managedFields, ...metadata } = object.metadata;
  const names = keepOwnershipOf.map((field) => `f:${field}`);
  const managers = managedFields.map(({ manager, operation, subresource, fieldsV1 = {} }) => ({
    ...(manager === undefined ? {} : { manager }),
    ...(operation === undefined ? {} : { operation }),
    ...(subresource === undefined ? {} : { subresource }),
    ...(names.length
      ? { fieldsV1: Object.fromEntries(Object.entries(fieldsV1).filter(([f]) => names.includes(f))) }
      : {}),
  }));
  return { ...object, metadata: keepManagers || names.length ? { ...metadata, managedFields: managers } : metadata };
}

/** Options of {@linkcode Informer}. */
export interface InformerOptions<T extends KubeObject> extends StoreOptions<T>, Selection {
  /** The kind may be missing from the cluster: then the store is empty and synced, and is looked for every few minutes. */
  readonly optional?: boolean;
  readonly clock?: Clock;
  readonly metrics?: Metrics;
  readonly idleTimeoutMs?: number;
  readonly paged?: boolean;
  /** Told of each failure, once per run of equal ones. */
  readonly onFailure?: (failure: unknown) => void;
}

const OPTIONAL_KIND_RETRY_MS = 300_000;

/** Keeps a {@linkcode Store} equal to what the server has. */
export class Informer<T extends KubeObject> {
  readonly type: ResourceType<T>;
  readonly store: Store<T>;
  readonly #client: Client;
  readonly #options: InformerOptions<T>;
  #synced = false;
  #failure: string | undefined;
  #waiting: (() => void)[] = [];

  constructor(client: Client, type: ResourceType<T>, options: InformerOptions<T> = {}) {
    this.#client = client;
    this.#options = options;
    this.type = type;
    this.store = new Store<T>(options);
  }

  /** Whether the store has held the full set once. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Why the store is not up to date, if it is not. */
  get problem(): string | undefined {
    if (this.#failure) return `${this.type.kind}: ${this.#failure}`;
    return this.#synced ? undefined : `${this.type.kind}: first list not complete`;
  }

  /** Resolves when the store holds the full set, or when `signal` is aborted. */
  whenSynced(signal: AbortSignal): Promise<void> {
    if (this.#synced || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
      this.#waiting.push(resolve);
    });
  }

  /** Watches until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { optional = false, metrics } = this.#options;
    const { kind } = this.type;
    const events = watchObjects(this.#client, this.type, {
      ...this.#options,
      signal,
      reduce: this.store.reduce,
      ...(optional ? { absentRetryMs: OPTIONAL_KIND_RETRY_MS } : {}),
      onFailure: (failure) => this.#failed(failure),
      onOpen: () => void (this.#failure = undefined),
    });
    for await (const event of events) {
      this.#failure = undefined;
      metrics?.watchEvents.inc({ kind, type: event.type });
      switch (event.type) {
        case "restarted":
          metrics?.relists.inc({ kind });
          this.store.replace(event.objects, event.resourceVersion);
          this.#becomeSynced();
          break;
        case "applied":
          this.store.put(event.object);
          break;
        case "deleted":
          this.store.remove(event.object);
          break;
        case "bookmark":
          this.store.bookmark(event.resourceVersion);
      }
      metrics?.cachedObjects.set({ kind }, this.store.size);
    }
  }

  #failed(failure: unknown): void {
    const { optional = false, onFailure } = this.#options;
    if (optional && isNotFound(failure)) {
      this.#failure = undefined;
      this.store.clear();
      return this.#becomeSynced();
    }
    const message = isNotFound(failure) ? "the kind is not installed in this cluster" : messageOf(failure);
    if (message !== this.#failure) onFailure?.(failure);
    this.#failure = message;
  }

  #becomeSynced(): void {
    this.#synced = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
