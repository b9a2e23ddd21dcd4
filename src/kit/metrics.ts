/**
 * What the kit counts, in one prom-client registry, and the small HTTP server that shows it: `/metrics`, `/healthz`
 * (the process runs) and `/readyz` (it can do its work: every cache is synced; the body names what is missing).
 */
import { Counter, Gauge, Histogram, Registry } from "./prometheus.ts";

const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The kit's metrics; names follow client-go and controller-runtime where they have one. */
export interface Metrics {
  readonly registry: Registry;
  readonly apiRequests: Counter<"method" | "code">;
  readonly reconciles: Counter<"controller" | "result">;
  readonly reconcileSeconds: Histogram<"controller">;
  readonly queueSeconds: Histogram<"controller" | "urgency">;
  readonly queueDepth: Gauge<"controller">;
  readonly relists: Counter<"kind">;
  readonly watchEvents: Counter<"kind" | "type">;
  readonly cachedObjects: Gauge<"kind">;
  readonly eventLoopLagSeconds: Histogram;
}

/** A fresh registry with the kit's metrics and the process's own. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  // prom-client's own default metrics would load half of Node's compatibility layer, for a few megabytes.
  gauge(registers, "process_resident_memory_bytes", "Resident memory", () => Deno.memoryUsage().rss);
  gauge(registers, "process_heap_bytes", "Memory of the JavaScript heap in use", () => Deno.memoryUsage().heapUsed);
  return {
    registry,
    apiRequests: new Counter({
      name: "rest_client_requests_total",
      help: "Requests to the API server",
      labelNames: ["method", "code"],
      registers,
    }),
    reconciles: new Counter({
      name: "controller_reconcile_total",
      help: "Reconciles by result",
      labelNames: ["controller", "result"],
      registers,
    }),
    reconcileSeconds: new Histogram({
      name: "controller_reconcile_duration_seconds",
      help: "Time of one reconcile",
      labelNames: ["controller"],
      buckets: SECONDS,
      registers,
    }),
    queueSeconds: new Histogram({
      name: "workqueue_queue_duration_seconds",
      help: "Time a key waits before it is worked on: fresh changes, first reconciles of new objects, background work",
      labelNames: ["controller", "urgency"],
      buckets: SECONDS,
      registers,
    }),
    queueDepth: new Gauge({ name: "workqueue_depth", help: "Keys that wait", labelNames: ["controller"], registers }),
    relists: new Counter({
      name: "watch_relists_total",
      help: "Full lists, the first one included",
      labelNames: ["kind"],
      registers,
    }),
    watchEvents: new Counter({
      name: "watch_events_total",
      help: "Watch events",
      labelNames: ["kind", "type"],
      registers,
    }),
    cachedObjects: new Gauge({
      name: "cache_objects",
      help: "Objects held in memory",
      labelNames: ["kind"],
      registers,
    }),
    eventLoopLagSeconds: new Histogram({
      name: "event_loop_lag_seconds",
      help: "How late a timer was, by a sample each second",
      buckets: SECONDS,
      registers,
    }),
  };
}

/** What a part of the program counts. */
export interface CounterOptions<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly Label[];
}

/**
 * A further counter in the registry, for a part of the program.
 *
 * @example
 * ```ts
 * const mails = createCounter(metrics, { name: "mails_total", help: "Mails by result", labels: ["result"] });
 * mails.inc({ result: "sent" });
 * ```
 */
export function createCounter<Label extends string>(
  { registry }: Metrics,
  { name, help, labels = [] }: CounterOptions<Label>,
): Counter<Label> {
  return new Counter({ name, help, labelNames: [...labels], registers: [registry] });
}

function gauge(registers: Registry[], name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(read());
    },
  });
}

/** Options of {@linkcode serveHealth}. */
export interface HealthOptions {
  readonly hostname: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly metrics: Metrics;
  /** What is still missing before the program can work; empty means ready. */
  readonly problems: () => readonly string[];
}

/** A running health server. */
export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves `/healthz`, `/readyz` and `/metrics`. Rejects if the port is taken. */
export function serveHealth(options: HealthOptions): HealthServer {
  const { hostname, port, metrics, problems } = options;
  const server = Deno.serve({ hostname, port, onListen: () => {} }, async (request) => {
    switch (new URL(request.url).pathname) {
      case "/healthz":
        return new Response("ok\n");
      case "/readyz": {
        const missing = problems();
        return missing.length
          ? new Response(missing.map((line) => `${line}\n`).join(""), { status: 503 })
          : new Response("ok\n");
      }
      case "/metrics":
        return new Response(await metrics.registry.metrics(), {
          headers: { "content-type": metrics.registry.contentType },
        });
      default:
        return new Response("not found\n", { status: 404 });
    }
  });
  return { port: server.addr.port, close: () => server.shutdown() };
}
