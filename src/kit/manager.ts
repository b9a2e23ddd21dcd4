/**
 * Runs controllers in one process: one client, one cache per kind and selection, metrics and health in one place. Each
 * controller has a queue, workers and a metrics label of its own, and waits only for the caches that it uses.
 */
import { loadAccess } from "./access.ts";
import { type Client, createClient } from "./client.ts";
import { type Clock, pause, systemClock } from "./clock.ts";
import type { Registration, WorkOptions } from "./controller.ts";
import type { ClusterAccess } from "./credentials.ts";
import { ApiError, messageOf, TerminalError } from "./errors.ts";
import { eventLoopLag } from "./event_loop_lag.ts";
import { EventRecorder } from "./events.ts";
import { configureLogging, getLogger, type Logger, type LoggingOptions } from "./log.ts";
import { garbageCollection } from "./memory.ts";
import { createMetrics, serveHealth } from "./metrics.ts";
import { packing } from "./packing.ts";
import { shareCaches } from "./shared_caches.ts";
import { runInStages, type Runnable, terminationSignal, untilAborted } from "./stages.ts";

/** Options of {@linkcode Manager.run}. */
export interface ManagerOptions {
  /** Stops the manager. @default SIGTERM and SIGINT */
  readonly signal?: AbortSignal;
  /** Sends the requests; the caller closes it. @default one for `access`, closed at the end */
  readonly client?: Client;
  /** @default what the environment gives: see loadAccess */
  readonly access?: ClusterAccess;
  /** Field manager and reporting controller. @default {"manager"} */
  readonly name?: string;
  /** Reporting instance of events. @default name */
  readonly instance?: string;
  /** Where /healthz, /readyz and /metrics are served; nowhere if absent. */
  readonly health?: { readonly hostname: string; readonly port: number };
  /** How long to wait at the start for an API server that does not answer, in milliseconds. @default {15_000} */
  readonly connectMs?: number;
  readonly clock?: Clock;
  /** How long all parts together may take to end, in milliseconds. @default {1_500} */
  readonly drainMs?: number;
  /** Sets up logging for the process: lines on stderr. @default logging is left as the program has set it up */
  readonly logging?: LoggingOptions;
  /** Parent of all loggers of the manager. @default getLogger(["kit", name]) */
  readonly log?: Logger;
}

/** Shortest timeout of an attempt to reach the API server at the start. */
const LEAST_ATTEMPT_MS = 1_000;

/** Controllers that run together; {@linkcode run} starts them. */
export class Manager {
  readonly #registrations: { readonly registration: Registration; readonly options: WorkOptions }[] = [];

  #problems: () => readonly string[] = () => [];

  /** What `/readyz` lists: caches that are not up to date and parts that have a problem, of all controllers. */
  get problems(): readonly string[] {
    return this.#problems();
  }

  /** Registers a controller; `options` override its own. */
  add(registration: Registration, options: WorkOptions = {}): this {
    this.#registrations.push({ registration, options });
    return this;
  }

  /**
   * Runs until stopped: resolves after a graceful stop.
   *
   * @throws {TerminalError} if there is no cluster, or it does not answer within `connectMs`.
   * @throws {RangeError} if two controllers define a shared cache differently.
   */
  async run(options: ManagerOptions = {}): Promise<void> {
    const { signal = terminationSignal(), clock = systemClock, connectMs = 15_000, name = "manager", health } = options;
    if (options.logging) await configureLogging(options.logging);
    const { log = getLogger(["kit", name]), drainMs } = options;
    const metrics = createMetrics();
    const client: Client & { close?(): void } = options.client ?? createClient(options.access ?? await loadAccess(), {
      fieldManager: name,
      onResponse: ({ method, code }) => metrics.apiRequests.inc({ method, code: String(code) }),
    });
    try {
      await this.#connect(client, { signal, clock, log, connectMs });
      const needs = this.#registrations.flatMap(({ registration }) => registration.needs);
      const { informers, informerFor } = shareCaches(client, needs, { metrics, clock, log });
      const events = new EventRecorder(client, { controller: name, instance: options.instance ?? name, log, clock });
      const tools = { client, clock, log, metrics, events, informerFor };
      const started = this.#registrations.map(({ registration, options }) => registration.start(tools, options));
      const parts = started.flatMap((one) => one.parts);
      const caches = informers.map((informer): Runnable => ({
        name: `watch of ${informer.type.kind}`,
        run: (stop) => informer.run(stop),
      }));
      const problems = this.#problems = () =>
        [...informers.map(({ problem }) => problem), ...parts.map((part) => part.problem?.())].filter((line) =>
          line !== undefined
        );
      await runInStages([
        [
          garbageCollection({ clock }),
          packing(informers.map(({ store }) => store), { clock }),
          eventLoopLag({ clock, observe: (seconds) => metrics.eventLoopLagSeconds.observe(seconds) }),
          ...(health ? [healthServer({ ...health, metrics, problems })] : []),
        ],
        [...caches, ...parts],
        [{
          name: "controllers",
          run: async (stop) => {
            await Promise.all(started.map(({ workers }) => workers.run(stop)));
            await events.flush();
          },
        }],
      ], { signal, log, clock, ...(drainMs === undefined ? {} : { drainMs }) });
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
