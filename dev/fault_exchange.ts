/** A request to the fault proxy and everything that can become of its connection: an answer, a stream, a break. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { RequestFault, SeenRequest, Verb } from "./fault_rules.ts";
import type { WatchSink } from "./fault_watch.ts";

/** What node:https gives. */
export type HttpRequest = IncomingMessage;
export type HttpResponse = ServerResponse;

/** Reads the request whole; undefined if its sender went away meanwhile. `ending` breaks it off at any time. */
export async function openExchange(
  request: HttpRequest,
  response: HttpResponse,
  ending: AbortSignal,
): Promise<Exchange | undefined> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return undefined;
  }
  const [path = "", query = ""] = (request.url ?? "/").split("?");
  const seen: SeenRequest = {
    verb: verbOf(request.method, query),
    path: decodeURIComponent(path),
    query: decodeURIComponent(query),
    userAgent: request.headers["user-agent"] ?? "",
    body: await new Blob(chunks).text(),
  };
  return new Exchange({ request, response, ending, seen });
}

interface ExchangeParts {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly ending: AbortSignal;
  readonly seen: SeenRequest;
}

/** One request and its answer. */
export class Exchange {
  readonly seen: SeenRequest;
  readonly request: HttpRequest;
  /** Resolves when nothing more can be sent: all was, or the connection is broken. */
  readonly gone: Promise<void>;
  readonly #parts: ExchangeParts;
  readonly #over = new AbortController();
  readonly #abort = () => this.#over.abort();
  #status: number | undefined;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.seen = parts.seen;
    this.request = parts.request;
    const { response, ending } = parts;
    for (const event of ["finish", "close", "error"]) response.on(event, this.#abort);
    ending.addEventListener("abort", this.#abort);
    this.gone = new Promise((resolve) => this.signal.addEventListener("abort", () => resolve()));
    if (response.destroyed || ending.aborted) this.#abort();
  }

  /** Aborted when nothing more can be sent. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** What the client was told; 0 if its connection broke before it was told anything. */
  get status(): number {
    return this.#status ?? 0;
  }

  /** Sends the API server's answer. */
  answer(
    status: number,
    { headers, body }: { readonly headers: Headers; readonly body: Uint8Array },
  ): void {
    if (this.signal.aborted) return;
    this.#status = status;
    this.#parts.response.writeHead(status, { ...passedOn(headers), "content-length": String(body.length) });
    this.#parts.response.end(body);
  }

  /** Sends an answer that a rule made up, in the shape of the API server's. */
  answerFault(fault: RequestFault & { readonly type: "answer" }): void {
    const { status: code, reason = "Fault", message = "put in by the fault proxy", retryAfterSeconds, body } = fault;
    const status = { apiVersion: "v1", kind: "Status", metadata: {}, status: "Failure", message, reason, code };
    const headers = new Headers({ "content-type": "application/json" });
    if (retryAfterSeconds !== undefined) headers.set("retry-after", String(retryAfterSeconds));
    this.answer(code, { headers, body: new TextEncoder().encode(body ?? JSON.stringify(status)) });
  }

  /** Sends the head of a watch's answer, and gives the way to send the rest. */
  openStream({ status, headers }: Response): WatchSink {
    const { response } = this.#parts;
    this.#status = status;
    response.writeHead(status, passedOn(headers));
    response.flushHeaders();
    return {
      write: (bytes) => void (this.signal.aborted || response.write(bytes)),
      end: () => void response.end(),
      reset: () => this.reset(),
    };
  }

  /** Breaks the connection. */
  reset(): void {
    this.#parts.request.socket.destroy();
    this.#abort();
  }

  /** Lets go of the proxy's signal. */
  close(): void {
    this.#parts.ending.removeEventListener("abort", this.#abort);
  }
}

function verbOf(method: string | undefined, query: string): Verb {
  switch (method) {
    case "POST":
    case "PUT":
    case "PATCH":
    case "DELETE":
      return method;
    default:
      return /(^|&)watch=(true|1)(&|$)/.test(query) ? "WATCH" : "GET";
  }
}

/** What is the client's business; the rest is about the connection to the API server. */
function passedOn(headers: Headers): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of ["content-type", "retry-after", "warning", "audit-id"]) {
    const value = headers.get(name);
    if (value !== null) passed[name] = value;
  }
  return passed;
}
