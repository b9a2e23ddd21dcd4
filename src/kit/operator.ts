/**
 * The front door: an operator is a custom resource, the kinds it owns, and a reconcile. Everything else (caches, queue,
 * workers, events, metrics, health, signals) is put together here.
 *
 * @example
 * ```ts
 * const WebApp = customResource<WebAppSpec, WebAppStatus>({ group: "example.com", version: "v1", kind: "WebApp", plural: "webapps" });
 * await operator(WebApp)
 *   .owns(Deployment)
 *   .reconcile(async (app, ctx) => {
 *     await ctx.apply(deployment({ name: nameOf(app) }, { replicas: app.spec.replicas, selector: { app: nameOf(app) }, pod }));
 *     return done();
 *   })
 *   .run({ signal });
 * ```
 */
import { loadAccess } from "./access.ts";
import type { ClusterAccess } from "./credentials.ts";
import { Informer, type InformerOptions, type StoreReader } from "./cache.ts";
import { type Client, createClient } from "./client.ts";
import { type Clock, pause, systemClock } from "./clock.ts";
import { type ContextParts, type CustomObject, ReconcileContext, storeOf } from "./context.ts";
import { Controller, done, type Outcome, requeue } from "./controller.ts";
import { ApiError, messageOf, TerminalError } from "./errors.ts";
import { eventLoopLag } from "./event_loop_lag.ts";
import { EventRecorder } from "./events.ts";
import { type FailureReport, isOnlyReport, RECONCILED_REPORT } from "./failure_report.ts";
import { FailureReporter } from "./failure_reporter.ts";
import { addFinalizer, finalizerStep, removeFinalizer } from "./finalizer.ts";
import { configureLogging, getLogger, type Logger, type LoggingOptions } from "./log.ts";
import { runInStages, type Runnable, terminationSignal, untilAborted } from "./manager.ts";
import { garbageCollection } from "./memory.ts";
import { createMetrics, type Metrics, serveHealth } from "./metrics.ts";
import { packing } from "./packing.ts";
import { WorkQueue, type WorkQueueOptions } from "./queue.ts";
import { controllerOf, keyOf, type KubeObject, type ObjectKey, type ResourceType, type Stored } from "./types.ts";

/** A custom resource as a {@linkcode ResourceType}; its schema lives in a CustomResourceDefinition, not in the program. */
export function customResource<Spec, Status>(
  names: Omit<ResourceType, "objectType">,
): ResourceType<CustomObject<Spec, Status>> {
  return names;
}

/** Options of {@linkcode Operator.watches}. */
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
  /** Keys of the operator's own objects that a changed object concerns. @default its controller, if that is one of them */
  readonly map?: (object: Stored<T>) => readonly ObjectKey[];
}

/** Options of {@linkcode operator}: which objects of its kind it reconciles. @default all */
export type PrimaryOptions = Pick<InformerOptions<KubeObject>, "namespace" | "labelSelector" | "fieldSelector">;

/** What a further part of the program gets from the operator that it belongs to. */
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

/** Options of {@linkcode Operator.run}. */
export interface RunOptions {
  /** Stops the operator. @default SIGTERM and SIGINT */
  readonly signal?: AbortSignal;
  /** Sends the requests; the caller closes it. @default one for `access`, closed at the end */
  readonly client?: Client;
  /** @default what the environment gives: see loadAccess */
  readonly access?: ClusterAccess;
  /** Field manager and reporting controller. @default {`${kind in lower case}-operator`} */
  readonly name?: string;
  /** Reporting instance of events. @default name */
  readonly instance?: string;
  /** Reconciles at a time. @default {8} */
  readonly concurrency?: number;
  /** Where /healthz, /readyz and /metrics are served; nowhere if absent. */
  readonly health?: { readonly hostname: string; readonly port: number };
  /** How long to wait for an API server that does not answer at the start. @default {15_000} */
  readonly connectMs?: number;
  readonly clock?: Clock;
  /** Backoff of failing keys and patience of background keys. */
  readonly queue?: Omit<WorkQueueOptions, "clock">;
  /** How long all parts together may take to end, in milliseconds. @default {1_500} */
  readonly drainMs?: number;
  /** Sets up logging for the process: lines on stderr. @default logging is left as the program has set it up */
  readonly logging?: LoggingOptions;
  /** Parent of all loggers of the operator. @default getLogger(["kit", name]) */
  readonly log?: Logger;
  /** Reconcile an object again so long after a success that asks for nothing, in milliseconds. @default never */
  readonly requeueAfterMs?: number;
  /** Wait so long after an error, in milliseconds, in place of the backoff. @default the queue's backoff */
  readonly errorRequeueMs?: number;
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

/** What an attempt to reach the API server at the start is given at least. */
const LEAST_ATTEMPT_MS = 1_000;

/** Begins an operator for `type`. */
export function operator<Spec, Status>(
  type: ResourceType<CustomObject<Spec, Status>>,
  options: PrimaryOptions = {},
): Operator<Spec, Status> {
  return new Operator(type, options);
}

/** An operator being described; {@linkcode run} starts it. */
export class Operator<Spec, Status> {
  readonly #type: ResourceType<CustomObject<Spec, Status>>;
  readonly #selection: PrimaryOptions;
  readonly #watched: ((client: Client, common: CommonOptions) => WatchedKind)[] = [];
  readonly #parts: ((tools: PartTools) => Part)[] = [];
  #finalizer: {
    readonly name: string;
    readonly cleanUp: CleanUp<CustomObject<Spec, Status>>;
  } | undefined;
  #reconcile: Handler<CustomObject<Spec, Status>> = () => Promise.resolve(done());
  #gone: GoneHandler = () => Promise.resolve();
  #report: FailureReport = RECONCILED_REPORT;

  constructor(type: ResourceType<CustomObject<Spec, Status>>, selection: PrimaryOptions = {}) {
    this.#type = type;
    this.#selection = selection;
  }

  /** Kinds whose objects the operator creates: cached, and mapped back through their controller. */
  owns(...types: readonly ResourceType[]): this {
    for (const type of types) this.watches(type);
    return this;
  }

  /** A further kind to cache and to react to. */
  watches<T extends KubeObject>(type: ResourceType<T>, options: WatchKindOptions<T> = {}): this {
    const { map = (object) => this.#ownerKey(object), ...selection } = options;
    this.#watched.push((client, common) => {
      const informer = newInformer(client, type, { ...selection, ...common });
      const wire = (queue: WorkQueue) =>
        informer.store.onChange(({ object, previous, initial }) => {
          const keys = new Set([...map(object), ...(previous ? map(previous) : [])]);
          for (const key of keys) queue.add(key, initial ? "background" : "fresh");
        });
      return { informer, wire };
    });
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

  /** How people are told of reconciles that fail. @default RECONCILED_REPORT */
  reportsFailures(report: FailureReport): this {
    this.#report = report;
    return this;
  }

  /**
   * Runs until stopped: resolves after a graceful stop.
   *
   * @throws {TerminalError} if there is no cluster, or it does not answer within `connectMs`.
   */
  async run(options: RunOptions = {}): Promise<void> {
    const { signal = terminationSignal(), clock = systemClock, concurrency = 8, connectMs = 15_000, health } = options;
    const name = options.name ?? `${this.#type.kind.toLowerCase()}-operator`;
    if (options.logging) await configureLogging(options.logging);
    const { log = getLogger(["kit", name]), requeueAfterMs, errorRequeueMs } = options;
    const metrics = createMetrics();
    const client: Client & { close?(): void } = options.client ?? createClient(options.access ?? await loadAccess(), {
      fieldManager: name,
      onResponse: ({ method, code }) => metrics.apiRequests.inc({ method, code: String(code) }),
    });
    try {
      await this.#connect(client, { signal, clock, log, connectMs });
      const queue = new WorkQueue({ ...options.queue, clock });
      const primary = newInformer(client, this.#type, { ...this.#selection, metrics, clock, log, keepManagers: true });
      const others = this.#watched.map((watched) => watched(client, { metrics, clock, log }));
      primary.store.onChange((change) => {
        if (!isOnlyReport(change, this.#report.types)) queue.add(change.key, change.initial ? "background" : "fresh");
      });
      for (const { wire } of others) wire(queue);
      const events = new EventRecorder(client, { controller: name, instance: options.instance ?? name, log, clock });
      const parts: ContextParts = {
        client,
        clock,
        events,
        informers: [primary, ...others.map(({ informer }) => informer)],
        lastAppliedAnnotation: `${this.#type.group}/last-applied`,
      };
      const enqueueAll = () => {
        for (const key of primary.store.keys()) queue.add(key, "background");
      };
      const further = this.#parts.map((part) =>
        part({ client, log, metrics, clock, enqueue: (key) => queue.add(key), enqueueAll })
      );
      const controller = new Controller({
        name,
        queue,
        log,
        metrics,
        concurrency,
        clock,
        ...(errorRequeueMs === undefined ? {} : { errorRequeueMs }),
        reconcile: async (key, run) => {
          const outcome = await this.#reconcileKey(key, primary, parts, run);
          const isAgain = outcome.type === "done" && requeueAfterMs !== undefined &&
            primary.store.get(key) !== undefined;
          return isAgain ? requeue(requeueAfterMs) : outcome;
        },
      });
      const caches: Runnable[] = parts.informers.map((informer) => ({
        name: `watch of ${informer.type.kind}`,
        run: (stop: AbortSignal) => informer.run(stop),
        ready: (stop: AbortSignal) => informer.whenSynced(stop),
      }));
      const problems = () =>
        [...parts.informers.map((informer) => informer.problem), ...further.map((part) => part.problem?.())].filter((
          line,
        ) => line !== undefined);
      await runInStages([
        [
          garbageCollection({ clock }),
          packing(parts.informers.map(({ store }) => store), { clock }),
          eventLoopLag({ clock, observe: (seconds) => metrics.eventLoopLagSeconds.observe(seconds) }),
          ...(health ? [healthServer({ ...health, metrics, problems })] : []),
        ],
        [...caches, ...further],
        [{
          name: "controller",
          run: async (stop) => {
            log.info("Working", { kind: this.#type.kind, objects: primary.store.size, concurrency });
            await controller.run(stop);
            await events.flush();
          },
        }],
      ], { signal, log, clock, ...(options.drainMs === undefined ? {} : { drainMs: options.drainMs }) });
      log.info("Stopped");
    } finally {
      if (!options.client) client.close?.();
    }
  }

  async #connect(
    client: Client,
    { signal, clock, log, connectMs }: { signal: AbortSignal; clock: Clock; log: Logger; connectMs: number },
  ): Promise<void> {
    const giveUpAtMs = clock.monotonicMs() + connectMs;
    while (!signal.aborted) {
      try {
        // A server that takes the connection and says nothing must not use up more than that, either; but a last attempt in
        // the milliseconds that are left would only say that they were too few.
        const timeoutMs = Math.max(LEAST_ATTEMPT_MS, Math.ceil(giveUpAtMs - clock.monotonicMs()));
        return log.info("Connected", { server: await client.serverVersion({ signal, timeoutMs }) });
      } catch (error) {
        if (signal.aborted) return;
        const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
        if (refused || clock.monotonicMs() >= giveUpAtMs) {
          throw new TerminalError(`Cannot use the Kubernetes API: ${messageOf(error)}`, { cause: error });
        }
        log.warn("Waiting for the Kubernetes API", { error: messageOf(error) });
        await pause(1_000, { clock, signal });
      }
    }
  }

  #ownerKey(object: Stored<KubeObject>): ObjectKey[] {
    const owner = controllerOf(object);
    if (owner?.kind !== this.#type.kind || !owner.apiVersion.startsWith(`${this.#type.group}/`)) return [];
    if (this.#type.namespaced === false) return [owner.name];
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
    const reporter = new FailureReporter(this.#type, this.#report);
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
        primary.store.observe(await addFinalizer(context.client, this.#type, object, finalizer.name));
        return done(); // that change brings us back
      case "reconcile":
        return await this.#reconcile(object, context);
      case "cleanUp": {
        const outcome = await finalizer.cleanUp(object, context);
        if (outcome && outcome.type !== "done") return outcome;
        primary.store.observe(await removeFinalizer(context.client, this.#type, object, finalizer.name));
        return done();
      }
      case "ignore":
        return done();
    }
  }
}

interface CommonOptions {
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Logger;
}

interface WatchedKind {
  // deno-lint-ignore no-explicit-any -- informers of many object types in one list
  readonly informer: Informer<any>;
  readonly wire: (queue: WorkQueue) => void;
}

function newInformer<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  options: InformerOptions<T> & CommonOptions,
): Informer<T> {
  const { log } = options;
  return new Informer(client, type, {
    ...options,
    onFailure: (failure) => log.warn("Watch failed, trying again", { kind: type.kind, error: messageOf(failure) }),
  });
}

function healthServer(options: Parameters<typeof serveHealth>[0]): Runnable {
  return {
    name: "health server",
    async run(stop) {
      const server = serveHealth(options);
      await untilAborted(stop);
      await server.close();
    },
  };
}
