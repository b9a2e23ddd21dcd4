/** An HTTP server on raw sockets: it counts connections, and may answer as no decent server would. */

/**
 * What {@linkcode Receiver} does with a request: an answer to write, bytes without end, a head and then nothing, or nothing
 * at all.
 */
export type Answer = string | "silence" | "endless" | "unfinished";

/** Options of {@linkcode startReceiver}. */
export interface ReceiverOptions {
  /** The answer to the n-th request, counted from 1. @default 204 to all */
  readonly answer?: (request: string, n: number) => Answer;
  /** @default {"127.0.0.1"} */
  readonly hostname?: string;
  /** @default a free one */
  readonly port?: number;
  /** Certificate and key: it speaks TLS. */
  readonly tls?: { readonly certPem: string; readonly keyPem: string };
}

export const NO_CONTENT = "HTTP/1.1 204 No Content\r\n\r\n";

const UNFINISHED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/** Starts a server on this machine. */
export function startReceiver(options: ReceiverOptions = {}): Receiver {
  return new Receiver(options);
}

/** What {@linkcode startReceiver} starts. */
export class Receiver implements AsyncDisposable {
  readonly port: number;
  /** Head and body of each request. */
  readonly requests: string[] = [];
  connections = 0;
  /** Connections that the other side has ended. */
  ended = 0;
  readonly #answer: NonNullable<ReceiverOptions["answer"]>;
  readonly #listener: Deno.Listener<Deno.Conn>;
  readonly #open = new Set<Deno.Conn>();
  readonly #work: Promise<void>[] = [];

  constructor({ answer = () => NO_CONTENT, hostname = "127.0.0.1", port = 0, tls }: ReceiverOptions) {
    this.#answer = answer;
    const listener = tls
      ? Deno.listenTls({ hostname, port, cert: tls.certPem, key: tls.keyPem })
      : Deno.listen({ hostname, port });
    this.#listener = listener;
    this.port = listener.addr.port;
    this.#work.push(this.#accept());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) this.#close(connection);
    await Promise.all(this.#work);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.connections++;
      this.#open.add(connection);
      this.#work.push(this.#serve(connection));
    }
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    try {
      const request = await readRequest(connection);
      if (request !== undefined) {
        this.requests.push(request);
        const answer = this.#answer(request, this.requests.length);
        if (answer === "endless") await writeForEver(connection);
        else if (answer !== "silence") await writeAll(connection, answer === "unfinished" ? UNFINISHED : answer);
        // until the other side gives up
        if (answer === "silence" || answer === "unfinished") await connection.read(new Uint8Array(1));
      }
    } catch {
      // a handshake or connection that breaks is what some tests are about
    }
    this.ended++;
    this.#close(connection);
  }

  #close(connection: Deno.Conn): void {
    if (this.#open.delete(connection)) connection.close();
  }
}

async function readRequest(connection: Deno.Conn): Promise<string | undefined> {
  const buffer = new Uint8Array(65_536);
  let text = "";
  for (;;) {
    const size = await connection.read(buffer);
    if (size === null) return undefined;
    text += new TextDecoder().decode(buffer.subarray(0, size));
    const [head, body] = text.split("\r\n\r\n", 2);
    const length = Number(/^content-length: (\d+)$/im.exec(head ?? "")?.[1]);
    if (body !== undefined && new TextEncoder().encode(body).length >= length) return text;
  }
}

async function writeForEver(connection: Deno.Conn): Promise<never> {
  await writeAll(connection, UNFINISHED);
  const chunk = new Uint8Array(1 << 20).fill(97);
  for (;;) await connection.write(chunk);
}

async function writeAll(connection: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}
