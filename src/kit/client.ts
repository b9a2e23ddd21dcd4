/**
 * The API server over fetch: typed requests with a deadline each, errors as {@linkcode ApiError}, watches as streams of
 * events. One HttpClient per set of TLS credentials, HTTP/1.1, no cache and no retry: those belong to the callers.
 */
import type { ClusterAccess, Credentials } from "./credentials.ts";
import { Deadline } from "./deadline.ts";
import { ApiError, messageOf } from "./errors.ts";
import { readLines } from "./lines.ts";
import {
  apiVersionOf,
  type JsonPatchOperation,
  type KubeObject,
  nameOf,
  type ObjectName,
  type ResourceType,
  type Stored,
} from "./types.ts";

/** Which objects of a kind. */
export interface Selection {
  /** All namespaces if absent. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Only `metadata` is sent: the bodies never enter this process. */
  readonly metadataOnly?: boolean;
}

/** Options of {@linkcode Client.list}. */
export interface ListOptions extends Selection {
  readonly limit?: number;
  readonly continueToken?: string;
  readonly signal?: AbortSignal;
}

/** One page of objects. */
export interface ObjectList<T extends KubeObject> {
  readonly items: readonly Stored<T>[];
  readonly resourceVersion: string;
  /** Present if there are more pages. */
  readonly continueToken?: string;
}

/** Options of {@linkcode Client.watch}. */
export interface WatchOptions extends Selection {
  readonly resourceVersion?: string;
  /** After this time the server ends the watch. */
  readonly timeoutSeconds: number;
  /** Ask for the present objects first, then a bookmark annotated `k8s.io/initial-events-end` (WatchList). */
  readonly sendInitialEvents?: boolean;
  /** Called when the server has accepted the watch, which may be long before the first event. */
  readonly onOpen?: () => void;
  readonly signal: AbortSignal;
}

/** A line of a watch. */
export interface RawWatchEvent<T extends KubeObject> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: Stored<T>;
}

/** Options of the writes. */
export interface WriteOptions {
  readonly signal?: AbortSignal;
}

/** Options of {@linkcode Client.serverVersion}. */
export interface VersionOptions extends WriteOptions {
  /** Deadline of this request. @default {that of the client} */
  readonly timeoutMs?: number;
}

/** Options of {@linkcode Client.apply}. */
export interface ApplyOptions extends WriteOptions {
  /** Take fields over from other managers. @default {true} */
  readonly force?: boolean;
  readonly subresource?: "status" | "scale";
}

/** Options of {@linkcode Client.delete}. */
export interface DeleteOptions extends WriteOptions {
  /** Delete only the object with this uid; another one gives a 409. */
  readonly uid?: string;
  /** @default {"Background"} */
  readonly propagation?: "Background" | "Foreground" | "Orphan";
}

/** What controllers need of an API server. All methods throw {@linkcode ApiError}. */
export interface Client {
  get<T extends KubeObject>(type: ResourceType<T>, name: ObjectName, options?: WriteOptions): Promise<Stored<T>>;
  list<T extends KubeObject>(type: ResourceType<T>, options?: ListOptions): Promise<ObjectList<T>>;
  watch<T extends KubeObject>(type: ResourceType<T>, options: WatchOptions): AsyncIterable<RawWatchEvent<T>>;
  create<T extends KubeObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<Stored<T>>;
  /** Server-side apply with the client's field manager. */
  apply<T extends KubeObject>(type: ResourceType<T>, object: T, options?: ApplyOptions): Promise<Stored<T>>;
  patch<T extends KubeObject>(
    type: ResourceType<T>,
    name: ObjectName,
    operations: readonly JsonPatchOperation[],
    options?: ApplyOptions,
  ): Promise<Stored<T>>;
  delete(type: ResourceType, name: ObjectName, options?: DeleteOptions): Promise<void>;
  /** `gitVersion` of the server. */
  serverVersion(options?: VersionOptions): Promise<string>;
}

/** Options of {@linkcode createClient}. */
export interface ClientOptions {
  /** Recorded in `metadata.managedFields` of all that is written. */
  readonly fieldManager: string;
  /** Deadline of one request, body included; for a watch, until its first byte. @default {30_000} */
  readonly timeoutMs?: number;
  /** Called with every answer; code 0 means that none came. */
  readonly onResponse?: (request: { readonly method: string; readonly code: number }) => void;
}

/** A {@linkcode Client} over fetch. `close()` it to free its sockets. */
export function createClient(access: ClusterAccess, options: ClientOptions): Client & { close(): void } {
  return new FetchClient(access, options);
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** @default {that of the client} */
  readonly timeoutMs?: number | undefined;
}

const JSON_PATCH = "application/json-patch+json";
const APPLY_PATCH = "application/apply-patch+yaml"; // JSON is YAML, and JSON is what we send

class FetchClient implements Client {
  readonly #access: ClusterAccess;
  readonly #fieldManager: string;
  readonly #timeoutMs: number;
  readonly #onResponse: NonNullable<ClientOptions["onResponse"]>;
  #http: { readonly identity: string; readonly client: Deno.HttpClient } | undefined;

  constructor(access: ClusterAccess, options: ClientOptions) {
    const { fieldManager, timeoutMs = 30_000, onResponse = () => {} } = options;
    this.#access = access;
    this.#fieldManager = fieldManager;
    this.#timeoutMs = timeoutMs;
    this.#onResponse = onResponse;
  }

  close(): void {
    this.#http?.client.close();
    this.#http = undefined;
  }

  async get<T extends KubeObject>(
    type: ResourceType<T>,
    name: ObjectName,
    options: WriteOptions = {},
  ): Promise<Stored<T>> {
    return await this.#json({ method: "GET", path: pathOf(type, name), signal: options.signal }) as Stored<T>;
  }

  async list<T extends KubeObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const { limit, continueToken, signal } = options;
    const answer = await this.#json({
      method: "GET",
      path: pathOf(type, { namespace: options.namespace }),
      query: { ...selectionQuery(options), limit: limit?.toString(), continue: continueToken },
      accept: options.metadataOnly ? "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1" : undefined,
      signal,
    }) as { metadata: { resourceVersion: string; continue?: string }; items?: Stored<T>[] };
    const next = answer.metadata.continue;
    const items = (answer.items ?? []).map((item) => ({ ...item, apiVersion: apiVersionOf(type), kind: type.kind }));
    return { items, resourceVersion: answer.metadata.resourceVersion, ...(next ? { continueToken: next } : {}) };
  }

  async *watch<T extends KubeObject>(type: ResourceType<T>, options: WatchOptions): AsyncGenerator<RawWatchEvent<T>> {
    const { signal, sendInitialEvents = false } = options;
    using deadline = new Deadline(this.#timeoutMs, { signal });
    const response = await this.#send({
      method: "GET",
      path: pathOf(type, { namespace: options.namespace }),
      query: {
        ...selectionQuery(options),
        watch: "true",
        allowWatchBookmarks: "true",
        resourceVersion: options.resourceVersion,
        timeoutSeconds: String(options.timeoutSeconds),
        ...(sendInitialEvents ? { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" } : {}),
      },
      accept: options.metadataOnly ? "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1" : undefined,
    }, deadline.signal);
    deadline.extend();
    options.onOpen?.();
    for await (const line of readLines(response.body ?? new ReadableStream())) {
      const event = JSON.parse(line) as RawWatchEvent<T>;
      if (options.metadataOnly && event.type !== "ERROR") {
        yield { type: event.type, object: { ...event.object, apiVersion: apiVersionOf(type), kind: type.kind } };
      } else yield event;
    }
  }

  async create<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<Stored<T>> {
    return await this.#json({
      method: "POST",
      path: pathOf(type, { namespace: object.metadata?.namespace }),
      query: { fieldManager: this.#fieldManager },
      body: { apiVersion: apiVersionOf(type), kind: type.kind, ...object },
      signal: options.signal,
    }) as Stored<T>;
  }

  async apply<T extends KubeObject>(type: ResourceType<T>, object: T, options: ApplyOptions = {}): Promise<Stored<T>> {
    const { force = true, subresource, signal } = options;
    return await this.#json({
      method: "PATCH",
      path: pathOf(type, { namespace: object.metadata?.namespace, name: nameOf(object), subresource }),
      query: { fieldManager: this.#fieldManager, force: String(force) },
      body: { apiVersion: apiVersionOf(type), kind: type.kind, ...object },
      contentType: APPLY_PATCH,
      signal,
    }) as Stored<T>;
  }

  async patch<T extends KubeObject>(
    type: ResourceType<T>,
    name: ObjectName,
    operations: readonly JsonPatchOperation[],
    options: ApplyOptions = {},
  ): Promise<Stored<T>> {
    return await this.#json({
      method: "PATCH",
      path: pathOf(type, { ...name, subresource: options.subresource }),
      query: { fieldManager: this.#fieldManager },
      body: operations,
      contentType: JSON_PATCH,
      signal: options.signal,
    }) as Stored<T>;
  }

  async delete(type: ResourceType, name: ObjectName, options: DeleteOptions = {}): Promise<void> {
    const { uid, propagation = "Background", signal } = options;
    const preconditions = uid ? { preconditions: { uid } } : {};
    await this.#json({
      method: "DELETE",
      path: pathOf(type, name),
      body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: propagation, ...preconditions },
      signal,
    });
  }

  async serverVersion({ signal, timeoutMs }: VersionOptions = {}): Promise<string> {
    const answer = await this.#json({ method: "GET", path: "/version", signal, timeoutMs }) as { gitVersion: string };
    return answer.gitVersion;
  }

  async #json(request: Request): Promise<unknown> {
    using deadline = new Deadline(request.timeoutMs ?? this.#timeoutMs, { signal: request.signal });
    const response = await this.#send(request, deadline.signal);
    return await response.json().catch((cause) => this.#fail(request, cause, deadline.signal));
  }

  /** Resolves with a 2xx answer whose body is unread; everything else is thrown. */
  async #send(request: Request, signal: AbortSignal): Promise<Response> {
    const { method, path, query = {}, body, contentType = "application/json", accept = "application/json" } = request;
    const url = `${this.#access.baseUrl}${path}${searchOf(query)}`;
    const credentials = await this.#access.credentials();
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        signal,
        headers: { ...credentials.headers, accept, ...(body === undefined ? {} : { "content-type": contentType }) },
        client: this.#httpClient(credentials),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      this.#onResponse({ method, code: 0 });
      return this.#fail(request, cause, signal);
    }
    this.#onResponse({ method, code: response.status });
    if (!response.ok) throw await apiErrorOf(request, response);
    return response;
  }

  #fail(request: Request, cause: unknown, signal: AbortSignal): never {
    if (signal.aborted && !isTimeout(signal.reason)) throw signal.reason;
    const what = `Cannot ${request.method} ${request.path}`;
    if (isTimeout(signal.reason)) {
      throw new ApiError(0, "Timeout", `${what}: no answer in ${request.timeoutMs ?? this.#timeoutMs} ms`, { cause });
    }
    const detail = cause instanceof TypeError && cause.cause ? cause.cause : cause; // fetch itself says "fetch failed"
    throw new ApiError(0, "Unreachable", `${what}: ${messageOf(detail)}`, { cause });
  }

  #httpClient(credentials: Credentials): Deno.HttpClient {
    const { caCerts = [], cert, key } = credentials;
    const identity = [...caCerts, cert, key].join("\n");
    if (this.#http?.identity !== identity) {
      this.#http?.client.close();
      const client = Deno.createHttpClient({
        http2: false,
        caCerts: [...caCerts],
        ...(cert && key ? { cert, key } : {}),
      });
      this.#http = { identity, client };
    }
    return this.#http.client;
  }
}

interface Path {
  readonly namespace?: string | undefined;
  readonly name?: string;
  readonly subresource?: string | undefined;
}

function pathOf(type: ResourceType, { namespace, name, subresource }: Path): string {
  const root = type.group ? `/apis/${type.group}/${type.version}` : `/api/${type.version}`;
  const parts = [
    ...(namespace ? ["namespaces", namespace] : []),
    type.plural,
    ...(name ? [name] : []),
    ...(subresource ? [subresource] : []),
  ];
  return `${root}/${parts.map(encodeURIComponent).join("/")}`;
}

/** As text, since fetch reads every URL anyway: one made by URLSearchParams is read again for each of its parameters. */
function searchOf(query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return given.map(([name, value = ""], at) => `${at ? "&" : "?"}${name}=${encodeURIComponent(value)}`).join("");
}

function selectionQuery({ labelSelector, fieldSelector }: Selection): Record<string, string | undefined> {
  return { labelSelector, fieldSelector };
}

async function apiErrorOf(request: Request, response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  const { reason = response.statusText, message = text.slice(0, 500) } = parseStatus(text);
  const seconds = Number(response.headers.get("retry-after") ?? NaN);
  const retry = Number.isFinite(seconds) ? { retryAfterMs: seconds * 1000 } : {};
  return new ApiError(
    response.status,
    reason,
    `Cannot ${request.method} ${request.path}: ${message || response.status}`,
    retry,
  );
}

function parseStatus(text: string): { reason?: string; message?: string } {
  try {
    const status = JSON.parse(text);
    return {
      ...(status.reason ? { reason: status.reason } : {}),
      ...(status.message ? { message: status.message } : {}),
    };
  } catch {
    return {}; // a proxy's HTML page or an empty body: the HTTP status says enough
  }
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === "TimeoutError";
}
