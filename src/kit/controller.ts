/**
 * A controller: a kind, the kinds that its objects own, and a reconcile. It describes; a {@linkcode Manager} runs it beside
 * others, each with a queue, workers and a metrics label of its own.
 */
import type { Change, IndexFunction, Informer, InformerOptions, StoreReader } from "./cache.ts";
import type { Client } from "./client.ts";
import type { Clock } from "./clock.ts";
import { type ContextParts, type CustomObject, ReconcileContext, storeOf } from "./context.ts";
import { messageOf } from "./errors.ts";
import type { EventRecorder } from "./events.ts";
import { type FailureReport, isOnlyReport, RECONCILED_REPORT } from "./failure_report.ts";
import { FailureReporter } from "./failure_reporter.ts";
import { addFinalizer, finalizerStep, removeFinalizer } from "./finalizer.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { WorkQueue, type WorkQueueOptions } from "./queue.ts";
import type { AnyInformer, CacheNeed } from "./shared_caches.ts";
import type { Runnable } from "./stages.ts";
import { controllerOf, keyOf, type KubeObject, type ObjectKey, type ResourceType, type Stored } from "./types.ts";
import { done, type Outcome, requeue, Workers } from "./workers.ts";

/** A custom resource as a {@linkcode ResourceType}; its schema lives in a CustomResourceDefinition, not in the program. */
export function customResource<Spec, Status>(
  names: Omit<ResourceType, "objectType">,
): ResourceType<CustomObject<Spec, Status>> {
  return names;
}

/** Options of {@linkcode Controller.watches}. */
export interface WatchKindOptions<T extends KubeObject> extends
  Pick<
    InformerOptions<T>,
    | "labelSelector"
    | "fieldSelector"
    | "namespace"
    | "metadataOnly"
    | "optional"
    | "indexes"
    | "transform"
    | "keepManagers"
    | "keepOwnershipOf"
  > {
  /** Keys of the controller's own objects that a changed object concerns. @default its controller, if that is one of them */
  readonly map?: (object: Stored<T>, tools: MapTools) => readonly ObjectKey[];
  /** Whether a change may wait for three seconds: a change that follows is reconciled together with it. @default {none may} */
  readonly mayWait?: (change: Change<T>) => boolean;
}

/** What a map of {@linkcode Controller.watches} reads besides the changed object. */
export interface MapTools {
  /** The caches of the controller. They may not be complete yet. */
  readonly store: <T extends KubeObject>(type: ResourceType<T>) => StoreReader<T>;
}

/** Which objects of its kind a controller reconciles. @default all */
export type PrimaryOptions = Pick<InformerOptions<KubeObject>, "namespace" | "labelSelector" | "fieldSelector">;

/** How a controller works through its queue. */
export interface WorkOptions {
  /** Label of its metrics. @default kind in lower case */
  readonly name?: string;
  /** Reconciles at a time. @default {8} */
  readonly concurrency?: number;
  /** Backoff of failing keys and patience of background keys. */
  readonly queue?: Omit<WorkQueueOptions, "clock">;
  /** Reconcile an object again so long after a success that asks for nothing, in milliseconds. @default never */
  readonly requeueAfterMs?: number;
  /** Wait so long after an error, in milliseconds, in place of the backoff. @default the queue's backoff */
  readonly errorRequeueMs?: number;
}

/** Options of {@linkcode controller}. */
export interface ControllerOptions<T extends KubeObject> extends PrimaryOptions, WorkOptions {
  /** Indexes of the cache of its own kind. */
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
}

/** What a further part of the program gets from the controller that it belongs to. */
export interface PartTools {
  readonly client: Client;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Have an object reconciled. */
  readonly enqueue: (key: ObjectKey) => void;
  /** Have every object reconciled. */
  readonly enqueueAll: () => void;
}

/** A part that must be ready before the first reconcile; `problem` keeps `/readyz` from saying ok. */
export interface Part extends Runnable {
  problem?(): string | undefined;
}

/** What to do when children of an object that does not exist (any more) changed. */
export type GoneHandler = (
  key: ObjectKey,
  tools: { readonly client: Client; readonly store: <T extends KubeObject>(type: ResourceType<T>) => StoreReader<T> },
) => Promise<void>;

/** Cleans up for an object that is being deleted; an outcome other than `done` keeps the finalizer. */
export type CleanUp<T extends KubeObject> = (
  object: Stored<T>,
  context: ReconcileContext,
) => Promise<Outcome | void>;

type Handler<T extends KubeObject> = (object: Stored<T>, context: ReconcileContext) => Promise<Outcome>;

/** What a manager gives to a controller that starts. */
export interface ControllerTools {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly events: EventRecorder;
  readonly informerFor: (need: CacheNeed) => AnyInformer;
}

/** A controller as a manager sees it. */
export interface Registration {
  /** The caches that it uses, its own kind's first. */
  readonly needs: readonly CacheNeed[];
  /** Connects it with the caches; the result runs it. */
  start(tools: ControllerTools, options?: WorkOptions): { readonly parts: readonly Part[]; readonly workers: Runnable };
}

/** Begins a controller for `type`. */
export function controller<Spec, Status>(
  type: ResourceType<CustomObject<Spec, Status>>,
  options: ControllerOptions<CustomObject<Spec, Status>> = {},
): Controller<Spec, Status> {
  return new Controller(type, options);
}

interface WatchedKind {
  readonly need: CacheNeed;
  // deno-lint-ignore no-explicit-any -- kinds of many object types in one list
  readonly map: (object: Stored<any>, tools: MapTools) => readonly ObjectKey[];
  // deno-lint-ignore no-explicit-any -- as above
  readonly mayWait: (change: Change<any>) => boolean;
}

/** A controller being described. */
export class Controller<Spec, Status> implements Registration {
  readonly type: ResourceType<CustomObject<Spec, Status>>;
  readonly #primary: CacheNeed;
  readonly #work: WorkOptions;
  readonly #watched: WatchedKind[] = [];
  readonly #parts: ((tools: PartTools) => Part)[] = [];
  #finalizer: { readonly name: string; readonly cleanUp: CleanUp<CustomObject<Spec, Status>> } | undefined;
  #reconcile: Handler<CustomObject<Spec, Status>> = () => Promise.resolve(done());
  #gone: GoneHandler = () => Promise.resolve();
  #report: FailureReport = RECONCILED_REPORT;

  constructor(
    type: ResourceType<CustomObject<Spec, Status>>,
    options: ControllerOptions<CustomObject<Spec, Status>> = {},
  ) {
    const { namespace, labelSelector, fieldSelector, indexes = {}, ...work } = options;
    const selection = {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
    this.type = type;
    this.#primary = { type, options: { ...selection, indexes, keepManagers: true } };
    this.#work = work;
  }

  /** Kinds whose objects the controller creates: cached, and mapped back through their controller. */
  owns(...types: readonly ResourceType[]): this {
    for (const type of types) this.watches(type);
    return this;
  }

  /** A further kind to cache and to react to. */
  watches<T extends KubeObject>(type: ResourceType<T>, selection: WatchKindOptions<T> = {}): this {
    const { map = (object) => this.#ownerKey(object), mayWait = () => false, ...options } = selection;
    this.#watched.push({ need: { type, options }, map, mayWait });
    return this;
  }

  /** A further part of the program, with its own watches or timers. */
  uses(part: (tools: PartTools) => Part): this {
    this.#parts.push(part);
    return this;
  }

  /**
   * What must be done before an object is deleted. The finalizer is put on every object before its first reconcile, and is
   * removed when `cleanUp` has resolved; it stays when `cleanUp` resolves with `requeue(afterMs)`, to run again later.
   */
  finalizer(name: string, cleanUp: CleanUp<CustomObject<Spec, Status>>): this {
    this.#finalizer = { name, cleanUp };
    return this;
  }

  /** What to do for an object. Called with the cached object, any number of times. */
  reconcile(handler: Handler<CustomObject<Spec, Status>>): this {
    this.#reconcile = handler;
    return this;
  }

  /** What to do when something happened to the children of an object that does not exist (any more). */
  gone(handler: GoneHandler): this {
    this.#gone = handler;
    return this;
  }

  /** How failing reconciles are reported. @default RECONCILED_REPORT */
  reportsFailures(report: FailureReport): this {
    this.#report = report;
    return this;
  }

  get needs(): readonly CacheNeed[] {
    return [this.#primary, ...this.#watched.map(({ need }) => need)];
  }

  start(
    tools: ControllerTools,
    options: WorkOptions = {},
  ): { readonly parts: readonly Part[]; readonly workers: Runnable } {
    const { client, clock, metrics, log, events, informerFor } = tools;
    const work = { ...this.#work, ...options };
    const { name = this.type.kind.toLowerCase(), concurrency = 8, requeueAfterMs, errorRequeueMs } = work;
    const queue = new WorkQueue({ ...work.queue, clock });
    const primary: Informer<CustomObject<Spec, Status>> = informerFor(this.#primary);
    const informers = this.needs.map(informerFor);
    primary.store.onChange((change) => {
      const urgency = change.initial ? "background" : change.previous ? "fresh" : "first";
      if (!isOnlyReport(change, this.#report.types)) queue.add(change.key, urgency);
    });
    const lastAppliedAnnotation = `${this.type.group}/last-applied`;
    const context: ContextParts = { client, clock, events, informers, lastAppliedAnnotation };
    const mapTools: MapTools = { store: (type) => storeOf(context, type) };
    for (const { need, map, mayWait } of this.#watched) {
      // The cache may be shared: an error of this controller's map must not end the watch for the others.
      const keysOf = (object: Stored<KubeObject>): readonly ObjectKey[] => {
        try {
          return map(object, mapTools);
        } catch (error) {
          log.error("Cannot map a changed object", { controller: name, kind: need.type.kind, error: messageOf(error) });
          return [];
        }
      };
      informerFor(need).store.onChange((change) => {
        const { object, previous, initial } = change;
        const keys = new Set([...keysOf(object), ...(previous ? keysOf(previous) : [])]);
        const urgency = initial ? "background" : mayWait(change) ? "lazy" : "fresh";
        for (const key of keys) queue.add(key, urgency);
      });
    }
    const enqueueAll = () => {
      for (const key of primary.store.keys()) queue.add(key, "background");
    };
    const enqueue = (key: ObjectKey) => queue.add(key);
    const parts = this.#parts.map((part) => part({ client, log, metrics, clock, enqueue, enqueueAll }));
    const workers = new Workers({
      name,
      queue,
      log,
      metrics,
      concurrency,
      clock,
      ...(errorRequeueMs === undefined ? {} : { errorRequeueMs }),
      reconcile: async (key, run) => {
        const outcome = await this.#reconcileKey(key, primary, context, run);
        const isAgain = outcome.type === "done" && requeueAfterMs !== undefined && primary.store.get(key) !== undefined;
        return isAgain ? requeue(requeueAfterMs) : outcome;
      },
    });
    return {
      parts,
      workers: {
        name: `controller ${name}`,
        run: async (stop) => {
          await Promise.all(informers.map((informer) => informer.whenSynced(stop)));
          log.info("Working", { kind: this.type.kind, objects: primary.store.size, concurrency });
          await workers.run(stop);
        },
      },
    };
  }

  #ownerKey(object: Stored<KubeObject>): ObjectKey[] {
    const owner = controllerOf(object);
    if (owner?.kind !== this.type.kind || !owner.apiVersion.startsWith(`${this.type.group}/`)) return [];
    if (this.type.namespaced === false) return [owner.name];
    const { namespace } = object.metadata;
    return [keyOf({ name: owner.name, ...(namespace ? { namespace } : {}) })];
  }

  async #reconcileKey(
    key: ObjectKey,
    primary: Informer<CustomObject<Spec, Status>>,
    parts: ContextParts,
    run: { readonly log: Logger; readonly signal: AbortSignal },
  ): Promise<Outcome> {
    const object = primary.store.get(key);
    if (!object) {
      await this.#gone(key, { client: parts.client, store: (type) => storeOf(parts, type) });
      return done();
    }
    const context = new ReconcileContext(parts, object, run);
    const reporter = new FailureReporter(this.type, this.#report);
    try {
      const outcome = await this.#step(object, primary, context);
      const now = primary.store.get(key);
      if (outcome.type === "failed") await reporter.tryFailed(now, context, outcome.error);
      else await reporter.succeeded(now, context);
      return outcome;
    } catch (error) {
      await reporter.tryFailed(primary.store.get(key), context, error);
      throw error;
    }
  }

  async #step(
    object: Stored<CustomObject<Spec, Status>>,
    primary: Informer<CustomObject<Spec, Status>>,
    context: ReconcileContext,
  ): Promise<Outcome> {
    const finalizer = this.#finalizer;
    if (!finalizer) return await this.#reconcile(object, context);
    switch (finalizerStep(object, finalizer.name)) {
      case "add":
        primary.store.observe(await addFinalizer(context.client, this.type, object, finalizer.name));
        return done(); // that change brings us back
      case "reconcile":
        return await this.#reconcile(object, context);
      case "cleanUp": {
        const outcome = await finalizer.cleanUp(object, context);
        if (outcome && outcome.type !== "done") return outcome;
        primary.store.observe(await removeFinalizer(context.client, this.type, object, finalizer.name));
        return done();
      }
      case "ignore":
        return done();
    }
  }
}
