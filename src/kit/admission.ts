/**
 * An admission server: the API server asks over HTTPS whether an object may be written, and a validator answers.
 *
 * Certificates are replaced without a pause: new handshakes get the new pair, open connections go on. A caller is
 * not known to be the API server, so every request is bounded in size and time, and so is the memory of all together.
 * A request without a verdict (a time-out, no review) is answered by an HTTP error: `failurePolicy` decides then. A
 * validator that throws denies, because a failure policy for outages must not admit what could not be judged.
 */
import type { Server } from "node:https";
import { Counter, Gauge } from "./prometheus.ts";
import {
  type AdmissionRequest,
  formatAdmissionReview,
  parseAdmissionReview,
  type Validator,
} from "./admission_review.ts";
import { type Clock, pause, systemClock } from "./clock.ts";
import { messageOf } from "./errors.ts";
import type { Logger } from "./log.ts";
import type { Runnable } from "./stages.ts";
import type { Metrics } from "./metrics.ts";
import { type CertificatePaths, readServingCertificate, type ServingCertificate } from "./serving_certificate.ts";

type Listener = NonNullable<Parameters<typeof import("node:https")["createServer"]>[1]>;
type HttpRequest = Parameters<Listener>[0];
type HttpResponse = Parameters<Listener>[1];
type Socket = HttpRequest["socket"];

/** Longer than the 90 seconds after which the API server closes an idle connection: it is never closed under a request. */
const KEEP_ALIVE_MS = 120_000;
const HANDSHAKE_MS = 10_000;

/** Of all bodies that are arriving, in bodies of the greatest size: strangers cannot fill the memory. */
const BODIES_IN_MEMORY = 4;

/** Options of {@linkcode AdmissionServer}. */
export interface AdmissionOptions extends CertificatePaths {
  /** Who judges, by the path of the URL that is called. */
  readonly validators: Readonly<Record<string, Validator>>;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** @default {"0.0.0.0"} */
  readonly hostname?: string;
  /** 0 picks a free port. @default {9443} */
  readonly port?: number;
  /** How often the files are looked at. @default {10_000} */
  readonly reloadMs?: number;
  /** Greatest body that is taken. @default {3 MiB} */
  readonly bodyLimitBytes?: number;
  /** How long a request may take, its body and the validator together. @default {10_000} */
  readonly deadlineMs?: number;
  /** How long requests may go on after the stop. @default {1_000} */
  readonly drainMs?: number;
  readonly clock?: Clock;
}

interface AdmissionMetrics {
  readonly requests: Counter<"path" | "result">;
  readonly handshakeFailures: Counter;
  readonly reloads: Counter<"result">;
  readonly reloadFailed: Gauge;
}

/** An answer that is no verdict. */
class HttpProblem extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/**
 * Serves validators; a part of an operator, which starts it with its caches and lets it finish its requests at the stop.
 *
 * @example
 * ```ts
 * operator(WebApp).uses(({ log, metrics }) =>
 *   new AdmissionServer({
 *     certPath: "/certs/tls.crt",
 *     keyPath: "/certs/tls.key",
 *     validators: { "/validate": ({ object }) => object?.metadata?.labels ? allowed() : denied("metadata.labels: missing") },
 *     log,
 *     metrics,
 *   })
 * );
 * ```
 */
export class AdmissionServer implements Runnable {
  readonly name = "admission server";
  readonly #options: AdmissionOptions;
  readonly #clock: Clock;
  readonly #bodyLimitBytes: number;
  readonly #metrics: AdmissionMetrics;
  readonly #listening = Promise.withResolvers<number>();
  readonly #sockets = new Set<Socket>();
  readonly #handshakes = new Map<string, () => void>();
  #bufferedBytes = 0;
  #pair: ServingCertificate | undefined;
  #reloadProblem: string | undefined;
  #isListening = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#bodyLimitBytes = options.bodyLimitBytes ?? 3 * 1024 * 1024;
    this.#metrics = admissionMetrics(options.metrics);
  }

  /** Resolves with the port as soon as requests are taken. */
  get port(): Promise<number> {
    return this.#listening.promise;
  }

  /** Why requests are not served yet. */
  problem(): string | undefined {
    return this.#isListening ? undefined : "the admission server is not listening";
  }

  async ready(): Promise<void> {
    await this.#listening.promise;
  }

  /**
   * Serves until `signal` is aborted.
   *
   * @throws {TerminalError} if there is no usable certificate, or an Error if the port is taken.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { hostname = "0.0.0.0", port = 9443, log, reloadMs = 10_000 } = this.#options;
    this.#pair = await readServingCertificate(this.#options);
    const { createServer } = await import("node:https"); // costs memory, so only where it is used
    const server = createServer(
      { ...this.#pair, minVersion: "TLSv1.2", keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HANDSHAKE_MS },
      (request, response) => void this.#answer(request, response, signal),
    );
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => {}); // raced below
    server.on(
      "error",
      (error) => failed.reject(new Error(`Cannot serve admission: ${error.message}`, { cause: error })),
    );
    this.#watchSockets(server);
    server.listen(port, hostname, () => {
      const address = server.address();
      this.#isListening = true;
      this.#listening.resolve(address !== null && typeof address === "object" ? address.port : port);
      log.info("Serving admission", { hostname, port });
    });
    const stop = new AbortController();
    try {
      const reloading = this.#reloadUntil(AbortSignal.any([signal, stop.signal]), { server, reloadMs });
      await Promise.race([failed.promise, reloading]);
    } finally {
      stop.abort();
      await this.#drain(server);
    }
  }

  async #reloadUntil(signal: AbortSignal, options: { readonly server: Server; readonly reloadMs: number }) {
    const { server, reloadMs } = options;
    for (;;) {
      await pause(reloadMs, { clock: this.#clock, signal });
      if (signal.aborted) return;
      await this.#reload(server);
    }
  }

  /** Takes up the pair in the files if it is another one; keeps the present one if they hold none. */
  async #reload(server: Server): Promise<void> {
    const { log, certPath } = this.#options;
    try {
      const pair = await readServingCertificate(this.#options);
      if (pair.cert !== this.#pair?.cert || pair.key !== this.#pair.key) {
        server.setSecureContext({ ...pair, minVersion: "TLSv1.2" });
        this.#pair = pair;
        this.#metrics.reloads.inc({ result: "success" });
        log.info("Serving with another certificate", { certPath });
      }
      this.#reloadProblem = undefined;
      this.#metrics.reloadFailed.set(0);
    } catch (error) {
      this.#metrics.reloads.inc({ result: "failure" });
      this.#metrics.reloadFailed.set(1);
      const problem = messageOf(error);
      if (problem !== this.#reloadProblem) log.error("Keeping the former certificate", { error: problem });
      this.#reloadProblem = problem;
    }
  }

  /** Sockets that never finish their handshake are not known to the HTTP server: they are counted and ended here. */
  #watchSockets(server: Server): void {
    server.on("connection", (duplex) => {
      const socket = duplex as Socket; // as node says; its types have room for other transports
      const key = `${socket.remoteAddress} ${socket.remotePort}`;
      const cancel = this.#clock.setTimeout(() => socket.destroy(), HANDSHAKE_MS);
      this.#sockets.add(socket);
      this.#handshakes.set(key, cancel);
      socket.once("close", () => {
        cancel();
        this.#sockets.delete(socket);
        if (this.#handshakes.get(key) === cancel) this.#handshakes.delete(key);
      });
    });
    server.on("secureConnection", ({ remoteAddress, remotePort }) => {
      const key = `${remoteAddress} ${remotePort}`;
      this.#handshakes.get(key)?.();
      this.#handshakes.delete(key);
    });
    server.on("tlsClientError", (error, socket) => {
      this.#metrics.handshakeFailures.inc();
      this.#options.log.debug("TLS handshake failed", { error: error.message });
      socket.destroy();
    });
    server.on("clientError", (_error, socket) => void socket.destroy());
  }

  async #drain(server: Server): Promise<void> {
    this.#isListening = false;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    for (const cancel of this.#handshakes.values()) cancel();
    const late = new AbortController();
    await Promise.race([closed, pause(this.#options.drainMs ?? 1_000, { clock: this.#clock, signal: late.signal })]);
    late.abort();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #answer(request: HttpRequest, response: HttpResponse, signal: AbortSignal): Promise<void> {
    const { log, deadlineMs = 10_000 } = this.#options;
    const path = pathOf(request);
    const expired = Promise.withResolvers<never>();
    expired.promise.catch(() => {}); // raced below
    const cancel = this.#clock.setTimeout(
      () => expired.reject(new HttpProblem(503, `No verdict within ${deadlineMs} ms`)),
      deadlineMs,
    );
    request.on("error", () => {}); // a client that disconnects: noticed at the end of the body
    if (signal.aborted) response.setHeader("connection", "close");
    try {
      const { text, result } = await Promise.race([expired.promise, this.#judge(request, path)]);
      this.#metrics.requests.inc({ path, result });
      if (signal.aborted && !response.headersSent) response.setHeader("connection", "close");
      response.writeHead(200, { "content-type": "application/json" }).end(text);
    } catch (error) {
      const status = error instanceof HttpProblem ? error.status : 500;
      const known = path in this.#options.validators;
      this.#metrics.requests.inc({ path: known ? path : "other", result: "unanswered" });
      log.debug("No verdict", { path, status, error: messageOf(error) });
      // The connection is closed behind the answer, whatever of the body is still to come.
      response.writeHead(status, { "content-type": "text/plain", connection: "close" }).end(`${messageOf(error)}\n`);
    } finally {
      cancel();
    }
  }

  async #judge(
    request: HttpRequest,
    path: string,
  ): Promise<{ readonly text: string; readonly result: "allowed" | "denied" | "failed" }> {
    const validator = Object.hasOwn(this.#options.validators, path) ? this.#options.validators[path] : undefined;
    if (!validator) throw new HttpProblem(404, `Nothing is served at ${path}`);
    if (request.method !== "POST") throw new HttpProblem(405, "An AdmissionReview is sent by POST");
    const review = readReview(await this.#readBody(request));
    const { log } = this.#options;
    const fields = { operation: review.operation, key: `${review.namespace ?? ""}/${review.name ?? ""}` };
    try {
      const verdict = await validator(review);
      if (!verdict.allowed) log.info("Denied a write", { ...fields, message: verdict.message });
      return { text: formatAdmissionReview(review.uid, verdict), result: verdict.allowed ? "allowed" : "denied" };
    } catch (error) {
      log.error("Validator failed, the write is denied", { ...fields, error });
      const message = `The write cannot be judged, because the validator failed: ${messageOf(error)}`;
      return { text: formatAdmissionReview(review.uid, { allowed: false, message }), result: "failed" };
    }
  }

  /** The whole body. One that is too large is received to its end, so that the client hears why, but not kept. */
  async #readBody(request: HttpRequest): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    let bytes = 0;
    let kept = 0;
    let problem: HttpProblem | undefined;
    try {
      for await (const chunk of request as AsyncIterable<Uint8Array>) {
        bytes += chunk.byteLength;
        if (bytes > this.#bodyLimitBytes) {
          problem = new HttpProblem(413, `The body is larger than ${this.#bodyLimitBytes} bytes`);
        } else if (this.#bufferedBytes + chunk.byteLength > BODIES_IN_MEMORY * this.#bodyLimitBytes) {
          problem ??= new HttpProblem(429, "Too many large requests at a time");
        }
        if (problem) {
          text = "";
          continue;
        }
        kept += chunk.byteLength;
        this.#bufferedBytes += chunk.byteLength;
        text += decoder.decode(chunk, { stream: true });
      }
    } finally {
      this.#bufferedBytes -= kept;
    }
    if (problem) throw problem;
    return text + decoder.decode();
  }
}

function readReview(text: string): AdmissionRequest {
  try {
    return parseAdmissionReview(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw new HttpProblem(400, error.message);
    throw error;
  }
}

function pathOf(request: HttpRequest): string {
  return (request.url ?? "/").replace(/\?.*$/s, "");
}

function admissionMetrics({ registry }: Metrics): AdmissionMetrics {
  const registers = [registry];
  return {
    requests: new Counter({
      name: "admission_requests_total",
      help: "Admission requests by result",
      labelNames: ["path", "result"],
      registers,
    }),
    handshakeFailures: new Counter({
      name: "admission_tls_handshake_failures_total",
      help: "TLS handshakes that failed, for example because the caller does not trust the certificate",
      registers,
    }),
    reloads: new Counter({
      name: "admission_certificate_reloads_total",
      help: "Attempts to take up another certificate",
      labelNames: ["result"],
      registers,
    }),
    reloadFailed: new Gauge({
      name: "admission_certificate_reload_failed",
      help: "1 while the certificate files hold nothing usable and the former certificate is served",
      registers,
    }),
  };
}
