/**
 * The few requests that setting up a cluster needs, by bare fetch: a fault of the kit's client must not look like a
 * cluster that does not start.
 */
import type { ClusterAccess } from "../src/kit/credentials.ts";

/** How long one request may take. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Options of {@linkcode ClusterApi.request}. */
export interface RequestOptions {
  /** @default {"GET"} */
  readonly method?: "GET" | "POST" | "DELETE";
  readonly body?: unknown;
}

/** Requests to one API server as one user. */
export class ClusterApi implements Disposable {
  readonly #access: ClusterAccess;
  readonly #http: Deno.HttpClient;

  constructor(access: ClusterAccess, http: Deno.HttpClient) {
    this.#access = access;
    this.#http = http;
  }

  /** The status and the parsed answer, whatever they are. */
  async request(
    path: string,
    options: RequestOptions = {},
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const { method = "GET", body } = options;
    const response = await fetch(this.#access.baseUrl + path, {
      method,
      client: this.#http,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: parse(text) };
  }

  /** Creates an object in the collection `path`; one of the same name is as good. */
  async create(path: string, body: unknown): Promise<void> {
    const answer = await this.request(path, { method: "POST", body });
    if (answer.status !== 201 && answer.status !== 409) {
      throw new Error(`Cannot create an object in ${path}: ${JSON.stringify(answer.body)}`);
    }
  }

  [Symbol.dispose](): void {
    this.#http.close();
  }
}

/** Opens a {@linkcode ClusterApi}; dispose of it to free its sockets. */
export async function openClusterApi(access: ClusterAccess): Promise<ClusterApi> {
  const { caCerts = [], cert, key } = await access.credentials();
  const identity = cert && key ? { cert, key } : {};
  return new ClusterApi(access, Deno.createHttpClient({ caCerts: [...caCerts], ...identity, http2: false }));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // /readyz answers in plain text
  }
}
