/**
 * What a reconcile may do: read the caches, write with ownership and without waste, tell people. Made per reconcile.
 *
 * Every write goes through here, so every write is seen by the caches at once, and an object that is not ours is
 * refused ({@linkcode NotOursError}) before anything is sent that could change it.
 */
import { controllerReference, isCurrent, wasAppliedFor, withLastApplied } from "./apply.ts";
import { type Informer, isNewer, type Store, type StoreReader } from "./cache.ts";
import type { Client } from "./client.ts";
import type { Clock } from "./clock.ts";
import { isConflict, isNotFound, NotOursError } from "./errors.ts";
import type { EventNote, EventRecorder } from "./events.ts";
import { hashOf } from "./hash.ts";
import type { Logger } from "./log.ts";
import {
  apiVersionOf,
  type Condition,
  controllerOf,
  type JsonPatchOperation,
  keyOf,
  type KubeObject,
  nameOf,
  type ObjectKey,
  type ObjectName,
  type ResourceType,
  type Stored,
} from "./types.ts";

/** A custom resource with a status. */
export interface CustomObject<Spec, Status> extends KubeObject {
  readonly spec: Spec;
  readonly status?: Status;
}

/** The parts that all reconciles of an operator share. */
export interface ContextParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly events: EventRecorder;
  /** Every watched kind, the operator's own first. */
  // deno-lint-ignore no-explicit-any -- informers of many object types in one list
  readonly informers: readonly Informer<any>[];
  /** Annotation that holds the hash of the last apply. */
  readonly lastAppliedAnnotation: string;
}

/** Options of {@linkcode ReconcileContext.apply}. */
export interface ApplyChildOptions {
  /** Whose child it is. @default the reconciled object */
  readonly owner?: Stored<KubeObject>;
}

/** A reconcile's hands and eyes. */
export class ReconcileContext {
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly client: Client;
  readonly #parts: ContextParts;
  #object: Stored<KubeObject>;
  /** What this context has written, as the server returned it, by uid. */
  readonly #written = new Map<string, Stored<KubeObject>>();

  constructor(
    parts: ContextParts,
    object: Stored<KubeObject>,
    options: { readonly log: Logger; readonly signal: AbortSignal },
  ) {
    this.#parts = parts;
    this.#object = object;
    this.log = options.log;
    this.signal = options.signal;
    this.clock = parts.clock;
    this.client = parts.client;
  }

  /** The cache of a kind, to read. Throws RangeError if the operator does not watch it. */
  store<T extends KubeObject>(type: ResourceType<T>): StoreReader<T> {
    return storeOf(this.#parts, type);
  }

  /** Reads an object from the API server and puts it into the kind's cache; `undefined` if there is no such object. */
  async refresh<T extends KubeObject>(type: ResourceType<T>, name: ObjectName): Promise<Stored<T> | undefined> {
    const store = storeOf(this.#parts, type);
    const object = await this.read(type, name);
    if (object) store.observe(object);
    return object;
  }

  /**
   * Makes `child` so, owned by the reconciled object; sends nothing if it is so already.
   *
   * @throws {NotOursError} if an object of that name exists that was not made for the owner.
   */
  async apply<T extends KubeObject>(child: T, options: ApplyChildOptions = {}): Promise<Stored<T>> {
    const { owner = this.#object } = options;
    const { lastAppliedAnnotation: annotation } = this.#parts;
    const { type, store } = informerOf(this.#parts, child.apiVersion ?? "", child.kind ?? "") as Informer<T>;
    const ownerReferences = [controllerReference(owner)];
    const desired = withLastApplied(
      { ...child, metadata: { ...child.metadata, ownerReferences } },
      annotation,
      owner.metadata.uid,
    );
    const held = store.get(keyOf(child));
    const created = held ? undefined : await this.#tryCreateByApply(type, store, desired);
    if (created) return created;
    const live = held ? this.#checkOurs(type, held, owner) : await this.#getOurs(type, store, { child, owner });
    if (isCurrent(desired, live)) return live;
    this.log.debug("Applying", { kind: type.kind, name: nameOf(child) });
    const sameObject = { ...desired, metadata: { ...desired.metadata, uid: live.metadata.uid } }; // else a 409
    const applied = await this.client.apply(type, sameObject, { signal: this.signal });
    store.observe(applied);
    return applied;
  }

  /** {@linkcode apply} for several children, in order. */
  async applyAll(children: readonly KubeObject[], options: ApplyChildOptions = {}): Promise<void> {
    for (const child of children) await this.apply(child, options);
  }

  /**
   * Creates `child` unless it exists; what exists is left as it is.
   *
   * @throws {NotOursError} if it exists and another object controls it.
   */
  async createOnce<T extends KubeObject>(child: T, options: ApplyChildOptions = {}): Promise<Stored<T>> {
    const { owner = this.#object } = options;
    const { type, store } = informerOf(this.#parts, child.apiVersion ?? "", child.kind ?? "") as Informer<T>;
    const cached = store.get(keyOf(child));
    if (cached) return this.#checkOurs(type, cached, owner);
    const ownerReferences = [controllerReference(owner)];
    try {
      const created = await this.client.create(type, { ...child, metadata: { ...child.metadata, ownerReferences } }, {
        signal: this.signal,
      });
      store.observe(created);
      return created;
    } catch (error) {
      if (!isConflict(error)) throw error;
      return await this.#getOurs(type, store, { child, owner });
    }
  }

  /** What the API server has now, past the caches; `undefined` if there is no such object. */
  async read<T extends KubeObject>(type: ResourceType<T>, name: ObjectName): Promise<Stored<T> | undefined> {
    try {
      return await this.client.get(type, name, { signal: this.signal });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Applies a JSON patch; it should carry a `test`. */
  async patch<T extends KubeObject>(
    type: ResourceType<T>,
    object: Stored<T>,
    operations: readonly JsonPatchOperation[],
  ): Promise<Stored<T>> {
    const patched = await this.client.patch(type, object.metadata, operations, { signal: this.signal });
    this.#observe(type, patched);
    return patched;
  }

  /** Deletes exactly the object that was seen; one that is gone, or was replaced, is left alone. */
  async delete<T extends KubeObject>(type: ResourceType<T>, object: Stored<T>): Promise<void> {
    try {
      await this.client.delete(type, object.metadata, { uid: object.metadata.uid, signal: this.signal });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  /**
   * Makes `status` the status of `object`, if it is not; refused with a 409 if another client changed the object since it was
   * read. Writes of this context are no such change: `object` may be the one that was read before them.
   */
  async setStatus<T extends KubeObject & { readonly status?: unknown }>(
    type: ResourceType<T>,
    object: Stored<T>,
    status: NonNullable<T["status"]>,
  ): Promise<void> {
    await this.#writeStatus(type, object, status);
  }

  /** {@linkcode setStatus} with only the conditions changed. */
  async setConditions<T extends KubeObject & { readonly status?: unknown }>(
    type: ResourceType<T>,
    object: Stored<T>,
    conditions: readonly Condition[],
  ): Promise<void> {
    await this.#writeStatus(type, object, { ...this.#latest(object).status ?? {}, conditions });
  }

  async #writeStatus<T extends KubeObject & { readonly status?: unknown }>(
    type: ResourceType<T>,
    object: Stored<T>,
    status: unknown,
  ): Promise<void> {
    const latest = this.#latest(object);
    if (hashOf(latest.status ?? {}) === hashOf(status)) return;
    const { name, namespace, resourceVersion } = latest.metadata;
    const metadata = { name, resourceVersion, ...(namespace ? { namespace } : {}) };
    const desired: KubeObject & { status: unknown } = { metadata, status };
    this.#observe(
      type,
      await this.client.apply<KubeObject>(type, desired, { subresource: "status", signal: this.signal }) as Stored<T>,
    );
  }

  /** Tells people, under `kubectl describe` of the reconciled object or of `about`. */
  event(note: EventNote, about: Stored<KubeObject> = this.#object): void {
    this.#parts.events.record(about, note);
  }

  /** The object as this context has last written it, if that is newer than `object`. */
  #latest<T extends KubeObject>(object: Stored<T>): Stored<T> {
    const written = this.#written.get(object.metadata.uid);
    return written && isNewer(written.metadata.resourceVersion, object.metadata.resourceVersion)
      ? written as Stored<T>
      : object;
  }

  #observe<T extends KubeObject>(type: ResourceType<T>, written: Stored<T>): void {
    storeOf(this.#parts, type).observe(written);
    this.#written.set(written.metadata.uid, written);
    if (written.metadata.uid === this.#object.metadata.uid) this.#object = written;
  }

  /** Creates by server-side apply, which is refused if the name is taken: then there is no result. */
  async #tryCreateByApply<T extends KubeObject>(
    type: ResourceType<T>,
    store: Store<T>,
    desired: T,
  ): Promise<Stored<T> | undefined> {
    const onlyNew = { ...desired, metadata: { ...desired.metadata, resourceVersion: NO_SUCH_VERSION } };
    try {
      const created = await this.client.apply(type, onlyNew, { signal: this.signal });
      store.observe(created);
      return created;
    } catch (error) {
      if (!isConflict(error)) throw error;
      return undefined;
    }
  }

  /** What a write of ours made whose answer was lost, or a watch has yet to bring: the next decision must see it, too. */
  async #getOurs<T extends KubeObject>(
    type: ResourceType<T>,
    store: Store<T>,
    { child, owner }: { readonly child: T; readonly owner: Stored<KubeObject> },
  ): Promise<Stored<T>> {
    const live = this.#checkOurs(type, await this.client.get(type, addressOf(child), { signal: this.signal }), owner);
    store.observe(live);
    return live;
  }

  #checkOurs<T extends KubeObject>(type: ResourceType<T>, live: Stored<T>, owner: Stored<KubeObject>): Stored<T> {
    const controller = controllerOf(live);
    const ours = controller
      ? controller.uid === owner.metadata.uid
      : wasAppliedFor(live, this.#parts.lastAppliedAnnotation, owner.metadata.uid);
    if (ours) return live;
    throw new NotOursError(type.kind, keyOf(live), controller && `${controller.kind} ${controller.name}`);
  }
}

/** The cache of a kind. Throws RangeError if the operator does not watch it. */
export function storeOf<T extends KubeObject>(parts: ContextParts, type: ResourceType<T>): Store<T> {
  return informerOf(parts, apiVersionOf(type), type.kind).store as Store<T>;
}

function informerOf(parts: ContextParts, apiVersion: string, kind: string) {
  const informer = parts.informers.find(({ type }) => type.kind === kind && apiVersionOf(type) === apiVersion);
  if (!informer) throw new RangeError(`Cannot use ${apiVersion} ${kind}: the operator does not watch it`);
  return informer;
}

/** A resourceVersion that no object has: an apply that names it succeeds only where nothing exists. */
const NO_SUCH_VERSION = "1";

function addressOf(object: KubeObject): ObjectName {
  const { namespace } = object.metadata ?? {};
  return { name: nameOf(object), ...(namespace ? { namespace } : {}) };
}

/** The key that a label on the object names, in the object's own namespace. */
export function keyFromLabel(object: KubeObject, label: string): ObjectKey[] {
  const name = object.metadata?.labels?.[label];
  return name ? [keyOf({ name, ...(object.metadata?.namespace ? { namespace: object.metadata.namespace } : {}) })] : [];
}
