/**
 * An HTTPS proxy between a program and the API server that makes faults to order and remembers everything. It knows
 * Kubernetes' verbs and watches, and nothing of the program: any operator can be put behind it by its kubeconfig.
 *
 *     await using proxy = await startFaultProxy(await cluster.accessFor(OPERATOR_USER));
 *     const kubeconfig = await proxy.writeKubeconfig(`${cluster.directory}/proxy.kubeconfig`);
 *     await rig.start({ kubeconfig });
 *
 *     // requests: the first match of each rule is number 1; without `hits` every match is struck
 *     proxy.onRequest({ verb: "PATCH", path: /deployments/, hits: 1 }, { type: "answer", status: 429, retryAfterSeconds: 1 });
 *     proxy.onRequest({ verb: WRITE_VERBS, hits: 7 }, { type: "killBefore", kill: () => rig.kill() });
 *     proxy.onRequest({ hits: { fraction: 0.2, seed: 1 } }, { type: "answer", status: 503 });
 *     proxy.onRequest({ verb: "GET", query: /continue=/ }, { type: "answer", status: 410, reason: "Expired" });
 *
 *     // events of watches
 *     proxy.onEvent({ path: /jobs$/, object: /shop/, type: "MODIFIED", hits: { from: 2 } }, { type: "drop" });
 *     const held = proxy.holdWatches({ path: /odooinstances$/ });   // … later: held.release()
 *     proxy.endWatches("reset");                                    // or "end", or { code: 410 }
 *
 *     // what happened
 *     proxy.requests.filter(({ verb }) => verb === "PATCH").length; proxy.events; proxy.maxInFlight; proxy.openWatches
 *
 * Upstream everybody is whom the access says, whoever asks here; HTTP/1.1 on both sides, as our own client speaks it.
 * Answers other than watches are passed on whole, so neither `log --follow` nor `exec` work. Watches that are not JSON
 * (those of Go's own clients) can be held and ended, but their events are not seen.
 */
import { createServer, type Server } from "node:https";
import { stringify } from "yaml";
import type { ClusterAccess } from "../src/kit/credentials.ts";
import { pause } from "../src/kit/clock.ts";
import { createCertificateAuthority } from "./certificates.ts";
import { type Exchange, type HttpRequest, type HttpResponse, openExchange } from "./fault_exchange.ts";
import {
  type EventFault,
  type EventMatch,
  type Hits,
  matchesEvent,
  matchesRequest,
  type RequestFault,
  type RequestMatch,
  type Rule,
  RuleList,
  type SeenRequest,
  type WatchLine,
} from "./fault_rules.ts";
import { corruptMiddle, type EventRecord, FaultyWatch, type WatchEnd } from "./fault_watch.ts";

export type { EventFault, EventMatch, Hits, RequestFault, RequestMatch, Rule, SeenRequest } from "./fault_rules.ts";
export { type Verb, type WatchLine, WRITE_VERBS } from "./fault_rules.ts";
export type { EventRecord, WatchEnd } from "./fault_watch.ts";

/** A request, as the proxy saw it. */
export interface RequestRecord extends SeenRequest {
  /** Counted from 1 over all requests. */
  readonly id: number;
  /** When it had come in, in milliseconds of `performance.now()`. */
  readonly atMs: number;
  /** Until the answer, or the end of a watch, was passed on; undefined until then. */
  readonly tookMs: number | undefined;
  /** What the client was told; 0 if nothing, undefined if not yet. */
  readonly status: number | undefined;
  /** What the API server said; undefined if it was not asked, or did not answer (yet). */
  readonly serverStatus: number | undefined;
  /** What rules did to it. */
  readonly faults: readonly RequestFault["type"][];
}

/** Watches whose bytes are held. */
export interface Hold {
  /** What has waited is sent on, in order; new bytes wait no more. */
  release(): void;
}

type MutableRequest = { -readonly [K in keyof RequestRecord]: RequestRecord[K] };

interface OpenWatch {
  readonly request: SeenRequest;
  readonly watch: FaultyWatch;
}

/** Clients give up an idle connection after 90 s; a request on one that the proxy is just closing would fail by no fault. */
const KEPT_ALIVE_MS = 120_000;

/** Starts a proxy to an API server, as the user of `upstream`, on a free port of this machine. */
export async function startFaultProxy(upstream: ClusterAccess): Promise<FaultProxy> {
  const authority = await createCertificateAuthority();
  const { certPem, keyPem } = await authority.issueServer({ dnsNames: ["localhost"], ips: ["127.0.0.1"] });
  const { caCerts = [], cert, key } = await upstream.credentials();
  const identity = cert && key ? { cert, key } : {};
  const server = createServer({ cert: certPem, key: keyPem });
  server.keepAliveTimeout = KEPT_ALIVE_MS;
  const proxy = new FaultProxy({
    upstream,
    caPem: authority.certPem,
    http: Deno.createHttpClient({ caCerts: [...caCerts], http2: false, ...identity }),
    server,
  });
  await proxy.listen();
  return proxy;
}

interface FaultProxyParts {
  readonly upstream: ClusterAccess;
  readonly caPem: string;
  readonly http: Deno.HttpClient;
  readonly server: Server;
}

/** What {@linkcode startFaultProxy} starts. */
export class FaultProxy implements AsyncDisposable {
  /** The authority of the proxy's certificate. */
  readonly caPem: string;
  readonly #parts: FaultProxyParts;
  readonly #requestRules = new RuleList<SeenRequest, RequestFault>();
  readonly #eventRules = new RuleList<{ request: SeenRequest; line: WatchLine }, EventFault>();
  readonly #requests: MutableRequest[] = [];
  readonly #events: EventRecord[] = [];
  readonly #watches = new Set<OpenWatch>();
  readonly #holds = new Set<RequestMatch>();
  readonly #work = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  #inFlight = 0;
  #maxInFlight = 0;
  #stopped: Promise<void> | undefined;

  constructor(parts: FaultProxyParts) {
    this.#parts = parts;
    this.caPem = parts.caPem;
  }

  /** `https://127.0.0.1:port`. */
  get baseUrl(): string {
    const address = this.#parts.server.address();
    if (address === null || typeof address === "string") throw new Error("Cannot use the proxy: it does not listen");
    return `https://127.0.0.1:${address.port}`;
  }

  /** The way in, for the kit's client. */
  get access(): ClusterAccess {
    const credentials = { headers: {}, caCerts: [this.caPem] };
    return { baseUrl: this.baseUrl, namespace: "default", credentials: () => Promise.resolve(credentials) };
  }

  /** All requests so far, in the order in which they came. */
  get requests(): readonly RequestRecord[] {
    return this.#requests;
  }

  /** All events of all watches so far, in the order in which they came. */
  get events(): readonly EventRecord[] {
    return this.#events;
  }

  /** The most requests that were under way at the same time; watches do not count. */
  get maxInFlight(): number {
    return this.#maxInFlight;
  }

  /** What the watches that are open now were asked for by. */
  get openWatches(): readonly SeenRequest[] {
    return [...this.#watches].map(({ request }) => request);
  }

  /** From now on `fault` happens to the requests that match. */
  onRequest(match: RequestMatch & { readonly hits?: Hits }, fault: RequestFault): Rule {
    return this.#requestRules.add((request) => matchesRequest(request, match), fault, match.hits);
  }

  /** From now on `fault` happens to the events that match, in watches that are open, too. */
  onEvent(match: EventMatch & { readonly hits?: Hits }, fault: EventFault): Rule {
    return this.#eventRules.add(({ request, line }) => matchesEvent(request, line, match), fault, match.hits);
  }

  /** From now on nothing comes out of these watches, neither of the open ones nor of new ones. */
  holdWatches(match: RequestMatch = {}): Hold {
    const hold = { ...match };
    this.#holds.add(hold);
    const release = () => {
      this.#holds.delete(hold);
      for (const { watch } of this.#watches) watch.flush();
    };
    return { release };
  }

  /** Ends the open watches that match, and returns how many. */
  endWatches(how: WatchEnd, match: RequestMatch = {}): number {
    const ended = [...this.#watches].filter(({ request }) => matchesRequest(request, match));
    for (const { watch } of ended) watch.finish(how);
    return ended.length;
  }

  /** Takes all rules away, and releases what is held. */
  heal(): void {
    this.#requestRules.clear();
    this.#eventRules.clear();
    this.#holds.clear();
    for (const { watch } of this.#watches) watch.flush();
  }

  /** Writes a kubeconfig that leads here to `path`, which is returned. */
  async writeKubeconfig(path: string): Promise<string> {
    const name = "proxy";
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name, cluster: { "server": this.baseUrl, "certificate-authority-data": btoa(this.caPem) } }],
      users: [{ name, user: {} }],
      contexts: [{ name, context: { cluster: name, user: name, namespace: "default" } }],
      "current-context": name,
    };
    await Deno.writeTextFile(path, stringify(config), { mode: 0o600 });
    return path;
  }

  /** Takes requests; {@linkcode startFaultProxy} has called it. */
  async listen(): Promise<void> {
    const { server } = this.#parts;
    server.on("request", (request: HttpRequest, response: HttpResponse) => {
      const work = this.#serve(request, response);
      this.#work.add(work);
      work.finally(() => this.#work.delete(work));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  }

  /** Breaks all connections and waits until nothing of it is left. May be called more than once. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  async #stop(): Promise<void> {
    const { server, http } = this.#parts;
    this.#ending.abort();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await Promise.all(this.#work);
    await closed;
    http.close();
  }

  async #serve(request: HttpRequest, response: HttpResponse): Promise<void> {
    const exchange = await openExchange(request, response, this.#ending.signal);
    if (!exchange) return;
    const record: MutableRequest = {
      id: this.#requests.length + 1,
      ...exchange.seen,
      atMs: performance.now(),
      tookMs: undefined,
      status: undefined,
      serverStatus: undefined,
      faults: [],
    };
    this.#requests.push(record);
    const isWatch = record.verb === "WATCH";
    if (!isWatch) this.#maxInFlight = Math.max(this.#maxInFlight, ++this.#inFlight);
    try {
      await this.#answer(record, exchange);
    } catch {
      exchange.reset(); // either side has broken off: so does the other
    } finally {
      if (!isWatch) this.#inFlight--;
      record.status = exchange.status;
      record.tookMs = performance.now() - record.atMs;
      exchange.close();
    }
  }

  async #answer(record: MutableRequest, exchange: Exchange): Promise<void> {
    const faults = this.#requestRules.faultsFor(record);
    record.faults = faults.map(({ type }) => type);
    for (const fault of faults) if (!await goesOn(fault, exchange)) return;
    const answer = await this.#forward(exchange);
    record.serverStatus = answer.status;
    if (record.verb === "WATCH" && answer.ok) return await this.#stream(record, { exchange, answer, faults });
    const body = new Uint8Array(await answer.arrayBuffer());
    for (const fault of faults) {
      if (fault.type === "killAfter") await fault.kill();
      if (fault.type === "killAfter" || fault.type === "loseAnswer") return exchange.reset();
      if (fault.type === "corrupt") corruptMiddle(body);
    }
    exchange.answer(answer.status, { headers: answer.headers, body });
  }

  async #forward({ seen, request, signal }: Exchange): Promise<Response> {
    const { upstream, http } = this.#parts;
    const credentials = await upstream.credentials();
    const headers = new Headers(credentials.headers);
    for (const name of FORWARDED_HEADERS) {
      const value = request.headers[name];
      if (typeof value === "string") headers.set(name, value);
    }
    headers.set("accept-encoding", "identity"); // what is compressed cannot be corrupted in the middle, or read by lines
    const { method = "GET", url = "/" } = request;
    const body = seen.body ? { body: seen.body } : {};
    return await fetch(upstream.baseUrl + url, { method, headers, signal, client: http, ...body });
  }

  async #stream(
    record: RequestRecord,
    { exchange, answer, faults }: { exchange: Exchange; answer: Response; faults: readonly RequestFault[] },
  ): Promise<void> {
    const lost = faults.find(({ type }) => type === "killAfter" || type === "loseAnswer");
    if (lost?.type === "killAfter") await lost.kill();
    if (lost) {
      await answer.body?.cancel();
      return exchange.reset();
    }
    const watch = new FaultyWatch({
      requestId: record.id,
      path: record.path,
      sink: exchange.openStream(answer),
      faultsFor: (line) => this.#eventRules.faultsFor({ request: record, line }),
      onEvent: (event) => this.#events.push(event),
      isHeld: () => [...this.#holds].some((match) => matchesRequest(record, match)),
    });
    const open = { request: record, watch };
    this.#watches.add(open);
    const body = answer.body ?? new ReadableStream<Uint8Array>();
    const isJson = answer.headers.get("content-type")?.includes("json") ?? false;
    try {
      await (isJson ? watch.run(body) : watch.runRaw(body));
    } catch {
      watch.finish("reset"); // the API server broke off, or the client did, to whom it makes no difference
    }
    await exchange.gone;
    this.#watches.delete(open);
  }
}

/** What the API server must know of a request; who asks is settled by the access. */
const FORWARDED_HEADERS = ["accept", "content-type", "user-agent", "impersonate-user", "impersonate-group"] as const;

/** Does what a fault does before the API server is asked; whether it is to be asked. */
async function goesOn(fault: RequestFault, exchange: Exchange): Promise<boolean> {
  switch (fault.type) {
    case "delay":
      await pause(fault.ms, { signal: exchange.signal });
      return !exchange.signal.aborted;
    case "answer":
      exchange.answerFault(fault);
      return false;
    case "killBefore":
      await fault.kill();
      exchange.reset();
      return false;
    case "drop":
      exchange.reset();
      return false;
    case "loseAnswer":
    case "killAfter":
    case "corrupt":
      return true;
  }
}
