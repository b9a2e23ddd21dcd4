/**
 * Webhook notifications over HTTP: a body → a delivered POST, or the reason of the failure. The URL is a tenant's, so the host is
 * resolved here, every address is judged (model/webhook_target.ts), and the connection is made to an address that was
 * judged: a name that means something else a moment later gains nothing. Redirects are not followed, and of an answer
 * only the status is kept.
 *
 * HTTP/1.1 is written by hand over Deno.connect: fetch resolves again where NO_PROXY names the host, whatever proxy it is
 * given to pin the address (docs/decisions/0009).
 */
import { backoffMs, type Clock, pause, systemClock } from "../../kit/mod.ts";
import {
  addressProblem,
  type AllowedHosts,
  literalAddress,
  nameProblem,
  readWebhookUrl,
} from "../model/network/webhook_target.ts";

/** What is sent, and where to. */
export interface NotifyRequest {
  readonly url: string;
  /** The same for each attempt and each repetition; printable ASCII without spaces. */
  readonly id: string;
  /** JSON. */
  readonly body: string;
  readonly token?: string;
}

/** Why a notification was not delivered. */
export type NotifyReason =
  | "UrlRefused"
  | "AddressRefused"
  | "TokenUnusable"
  | "NameNotResolved"
  | "Unreachable"
  | "NoAnswer"
  | "Redirected"
  | "StatusRefused"
  | "Cancelled";

/** How it went. The message holds nothing of the answer but its status, and of the URL only the origin. */
export type NotifyResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: NotifyReason; readonly message: string };

/** Addresses of a name; none if it does not exist. */
export type ResolveName = (name: string, signal: AbortSignal) => Promise<readonly string[]>;

/** Options of {@linkcode Notifier}. */
export interface NotifierOptions {
  readonly allowedHosts: AllowedHosts;
  /** Host of the Kubernetes API server: a name or an address, which may be in brackets. */
  readonly apiServerHost?: string;
  /** @default what the system's DNS settings say */
  readonly resolve?: ResolveName;
  /** Certificate authorities besides the usual ones, as PEM. */
  readonly caCerts?: readonly string[];
  readonly clock?: Clock;
  readonly random?: () => number;
}

const ATTEMPTS = 5;
const ATTEMPT_MS = 10_000;
/** Waits of at most 10, 20, 40 and 80 seconds. */
const BACKOFF = { baseMs: 10_000, maxMs: 80_000 } as const;
const LONGEST_WAIT_MS = 120_000;
/** Of a name with many addresses, the others are judged, too, but not tried. */
const MOST_ADDRESSES = 4;
const LARGEST_HEAD_BYTES = 16_384;
const DISCARDED_BYTES = 65_536;
const DISCARD_MS = 1_000;

/** One attempt: its result, and when another one may help. */
type Attempt =
  | { readonly ok: true }
  | {
    readonly ok: false;
    readonly reason: NotifyReason;
    /** Completes "Cannot notify ORIGIN: …". */
    readonly why: string;
    readonly again?: { readonly afterMs: number };
  };

/** Sends notifications. Nothing stays open between two of them. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #clock: Clock;
  readonly #resolve: ResolveName;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#resolve = options.resolve ?? resolveByDns;
  }

  /** Sends until it is delivered, cannot be, or has failed five times in about two minutes. Does not throw for a target's faults. */
  async send(request: NotifyRequest, signal: AbortSignal): Promise<NotifyResult> {
    if (!isHeaderValue(request.id)) throw new RangeError("Cannot notify: the id is not printable ASCII");
    const read = readWebhookUrl(request.url);
    if ("problem" in read) return { ok: false, reason: "UrlRefused", message: `Cannot notify: ${read.problem}` };
    const { url } = read;
    const failed = (reason: NotifyReason, why: string): NotifyResult => ({
      ok: false,
      reason,
      message: `Cannot notify ${url.origin}: ${why}`,
    });
    const { token } = request;
    if (token !== undefined && !isHeaderValue(token)) {
      return failed("TokenUnusable", "the token holds more than printable ASCII without spaces");
    }
    const bytes = await requestBytes(url, request);
    for (let attempts = 1;; attempts++) {
      const attempt = await this.#attempt(url, bytes, signal);
      if (attempt.ok) return attempt;
      if (signal.aborted) return failed("Cancelled", "the operator stops");
      const { reason, why, again } = attempt;
      if (!again) return failed(reason, why);
      if (attempts === ATTEMPTS) return failed(reason, `${why} (${ATTEMPTS} attempts)`);
      const { random } = this.#options;
      const waitMs = Math.max(again.afterMs, backoffMs(attempts - 1, { ...BACKOFF, ...(random ? { random } : {}) }));
      await pause(Math.min(waitMs, LONGEST_WAIT_MS), { clock: this.#clock, signal });
      if (signal.aborted) return failed("Cancelled", "the operator stops");
    }
  }

  /** Resolves the host for each attempt: the checked addresses are the ones that are connected to. */
  async #attempt(url: URL, bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<Attempt> {
    const deadline = new AbortController();
    const cancel = this.#clock.setTimeout(() => deadline.abort(), ATTEMPT_MS);
    const stop = AbortSignal.any([signal, deadline.signal]);
    try {
      const judged = await this.#judge(url.hostname, stop);
      return "refused" in judged
        ? judged.refused
        : await this.#sendToOne(judged.addresses, { url, bytes, signal: stop });
    } catch (error) {
      if (deadline.signal.aborted) {
        return retriable("NoAnswer", `no answer within ${ATTEMPT_MS / 1_000} seconds`);
      }
      return retriable("Unreachable", describe(error));
    } finally {
      cancel();
    }
  }

  /** The addresses of a host, if all of them may be connected to. */
  async #judge(
    host: string,
    signal: AbortSignal,
  ): Promise<{ readonly refused: Attempt } | { readonly addresses: readonly string[] }> {
    const badName = nameProblem(host);
    if (badName) return { refused: { ok: false, reason: "AddressRefused", why: badName } };
    let addresses: readonly string[];
    let apiServer: readonly string[];
    try {
      addresses = await this.#addressesOf(host, signal);
      apiServer = await this.#addressesOf(this.#options.apiServerHost ?? "", signal);
    } catch (error) {
      if (signal.aborted) throw error;
      return { refused: retriable("NameNotResolved", "its name cannot be looked up at present") };
    }
    if (!addresses.length) return { refused: retriable("NameNotResolved", "its name does not exist") };
    const rules = { host, allowed: this.#options.allowedHosts, apiServer };
    for (const address of addresses) {
      const why = addressProblem(address, rules);
      if (why) return { refused: { ok: false, reason: "AddressRefused", why } };
    }
    return { addresses: addresses.slice(0, MOST_ADDRESSES) };
  }

  async #addressesOf(host: string, signal: AbortSignal): Promise<readonly string[]> {
    if (!host) return [];
    const literal = literalAddress(host);
    return literal ? [literal] : await this.#resolve(host, signal);
  }

  /** The first address that takes a connection gets the request; one that answers is not replaced by another. */
  async #sendToOne(
    addresses: readonly string[],
    { url, bytes, signal }: {
      readonly url: URL;
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly signal: AbortSignal;
    },
  ): Promise<Attempt> {
    let failure: unknown;
    for (const hostname of addresses) {
      let tcp: Deno.TcpConn;
      try {
        tcp = await Deno.connect({ hostname, port: portOf(url), signal });
      } catch (error) {
        if (signal.aborted) throw error;
        failure = error;
        continue;
      }
      return await this.#exchange(tcp, { url, bytes, signal });
    }
    throw failure;
  }

  async #exchange(
    tcp: Deno.TcpConn,
    { url, bytes, signal }: {
      readonly url: URL;
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly signal: AbortSignal;
    },
  ): Promise<Attempt> {
    const connection = await this.#secured(tcp, url);
    let open = true;
    const hangUp = () => {
      if (open) connection.close();
      open = false;
    };
    signal.addEventListener("abort", hangUp, { once: true });
    try {
      signal.throwIfAborted();
      for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
      const head = await readHead(connection);
      const attempt = judgeHead(head, this.#clock.now());
      const cancel = this.#clock.setTimeout(hangUp, DISCARD_MS);
      await tryDiscard(connection, head.bodyBytes);
      cancel();
      return attempt;
    } finally {
      signal.removeEventListener("abort", hangUp);
      hangUp();
    }
  }

  async #secured(tcp: Deno.TcpConn, url: URL): Promise<Deno.Conn> {
    if (url.protocol === "http:") return tcp;
    const { caCerts = [] } = this.#options;
    const hostname = literalAddress(url.hostname) ?? url.hostname.replace(/\.$/, "");
    return await Deno.startTls(tcp, { hostname, caCerts: [...caCerts] });
  }
}

function retriable(reason: NotifyReason, why: string, afterMs = 0): Attempt {
  return { ok: false, reason, why, again: { afterMs } };
}

/** Printable ASCII without spaces: it cannot end a header. */
function isHeaderValue(text: string): boolean {
  return /^[\x21-\x7e]{1,4096}$/.test(text);
}

async function requestBytes(url: URL, { id, body, token }: NotifyRequest): Promise<Uint8Array<ArrayBuffer>> {
  const payload = new TextEncoder().encode(body);
  const head = [
    `POST ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    "User-Agent: odoo-operator",
    "Content-Type: application/json",
    `Content-Length: ${payload.length}`,
    `Idempotency-Key: ${id}`,
    ...(token === undefined ? [] : [
      `Authorization: Bearer ${token}`,
      `X-Signature-256: sha256=${await signature(payload, token)}`,
    ]),
    "Connection: close",
    "\r\n",
  ].join("\r\n");
  return new Uint8Array([...new TextEncoder().encode(head), ...payload]);
}

async function signature(payload: Uint8Array<ArrayBuffer>, token: string): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(token), algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, payload)).toHex();
}

/** What is kept of an answer. */
interface AnswerHead {
  readonly status: number;
  readonly retryAfter: string;
  /** Bytes of the body that are still to come; infinite if the answer does not say. */
  readonly bodyBytes: number;
}

/** Reads up to the end of the final head. @throws if that does not come, or is not HTTP. */
async function readHead(connection: Deno.Conn): Promise<AnswerHead> {
  const buffer = new Uint8Array(4_096);
  const decoder = new TextDecoder("latin1"); // one character per byte, whatever they are
  let text = "";
  for (let total = 0; total < LARGEST_HEAD_BYTES;) {
    const size = await connection.read(buffer);
    if (size === null) throw new AnswerError("it closes the connection without an answer");
    total += size;
    text += decoder.decode(buffer.subarray(0, size));
    for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
      const head = text.slice(0, end);
      text = text.slice(end + 4);
      const status = Number(/^HTTP\/1\.[01] ([1-5]\d\d)(?: |\r|$)/.exec(head)?.[1]);
      if (!status) throw new AnswerError("its answer is not HTTP/1.1");
      if (status < 200) continue;
      const length = /^\d{1,12}$/.exec(headerOf(head, "content-length"))?.[0];
      const bodyBytes = status === 204 || status === 304 ? 0 : length === undefined ? Infinity : Number(length);
      return { status, retryAfter: headerOf(head, "retry-after"), bodyBytes: bodyBytes - text.length };
    }
  }
  throw new AnswerError("its answer is not HTTP/1.1");
}

function headerOf(head: string, name: string): string {
  const line = head.split("\r\n").find((line) => line.toLowerCase().startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim() ?? "";
}

function judgeHead({ status, retryAfter }: AnswerHead, now: number): Attempt {
  if (status < 300) return { ok: true };
  if (status < 400) {
    return {
      ok: false,
      reason: "Redirected",
      why: `it answers ${status}, and redirects are not followed: name the final URL`,
    };
  }
  const why = `it answers ${status}`;
  if (status !== 408 && status !== 429 && status < 500) return { ok: false, reason: "StatusRefused", why };
  return retriable("StatusRefused", why, retryAfterMs(retryAfter, now));
}

/** Seconds or a date → milliseconds; 0 for anything else. */
function retryAfterMs(text: string, now: number): number {
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? 0 : Math.max(0, atMs - now);
}

/** A receiver that is still writing when the connection closes may record a failure: a short body is read and dropped. */
async function tryDiscard(connection: Deno.Conn, bytes: number): Promise<void> {
  const buffer = new Uint8Array(8_192);
  const wanted = Math.min(bytes, DISCARDED_BYTES);
  try {
    for (let read = 0; read < wanted;) {
      const size = await connection.read(buffer);
      if (size === null) return;
      read += size;
    }
  } catch {
    // the answer is known: how the connection ends does not matter
  }
}

/** What came is no answer. The message completes a sentence and quotes nothing. */
class AnswerError extends Error {
  override readonly name = "AnswerError";
}

/** Never quotes the text of a library's error: that of a certificate names other hosts. */
function describe(error: unknown): string {
  if (error instanceof AnswerError) return error.message;
  if (error instanceof Deno.errors.InvalidData) return "its certificate is not valid for this host, or not trusted";
  if (error instanceof Deno.errors.ConnectionRefused) return "it refuses the connection";
  return "the connection fails";
}

function portOf(url: URL): number {
  return url.port ? Number(url.port) : url.protocol === "https:" ? 443 : 80;
}

/** IPv4 first: some clusters resolve AAAA records without an IPv6 route. */
async function resolveByDns(name: string, signal: AbortSignal): Promise<readonly string[]> {
  const answers = await Promise.allSettled([
    Deno.resolveDns(name, "A", { signal }),
    Deno.resolveDns(name, "AAAA", { signal }),
  ]);
  const addresses = answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
  if (addresses.length) return addresses;
  for (const answer of answers) {
    const isUnknown = answer.status === "rejected" && !(answer.reason instanceof Deno.errors.NotFound);
    if (isUnknown) throw answer.reason;
  }
  return [];
}
