/** A way to an S3 service that a test can spoil: answers of 503 to everything, no connection at all, or other answers. */

/** What becomes of requests. */
export type S3Weather = "fair" | "busy" | "cut";

/** What the client gets in place of a piece of an answer; `request` is like `HEAD /bucket/key`. */
export type S3Edit = (answer: string, request: string) => string;

const HOST = "127.0.0.1";
const SLOW_DOWN = "<Error><Code>SlowDown</Code><Message>Later</Message></Error>";
const BUSY = "HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n" +
  `Content-Length: ${SLOW_DOWN.length}\r\n\r\n${SLOW_DOWN}`;

/** Starts a proxy to an address on a free port of this machine. */
export function startS3Proxy(target: { readonly host: string; readonly port: number }): S3Proxy {
  return new S3Proxy(target);
}

/** What {@linkcode startS3Proxy} starts. */
export class S3Proxy implements AsyncDisposable {
  readonly endpoint: string;
  /** How many connections were answered with 503. */
  refused = 0;
  /** Bytes that have gone to the service. */
  sentBytes = 0;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #listener = Deno.listen({ hostname: HOST, port: 0 });
  readonly #sockets = new Set<Deno.TcpConn>();
  readonly #work = new Set<Promise<void>>();
  #weather: S3Weather = "fair";
  #edit: S3Edit | undefined;

  constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.endpoint = `http://${HOST}:${this.#listener.addr.port}`;
    this.#track(this.#accept());
  }

  /** From now on; connections that there are break. */
  turn(weather: S3Weather): void {
    this.#weather = weather;
    for (const socket of this.#sockets) this.#close(socket);
  }

  /** From now on; `edit` sees a character for each byte. */
  spoil(edit: S3Edit): void {
    this.#edit = edit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.turn("cut");
    await Promise.all(this.#work);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) this.#track(this.#serve(client));
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    this.#sockets.add(client);
    if (this.#weather === "cut") return this.#close(client);
    if (this.#weather === "busy") return await this.#refuse(client);
    const server = await Deno.connect({ hostname: this.#target.host, port: this.#target.port }).catch(() => undefined);
    if (!server) return this.#close(client);
    this.#sockets.add(server);
    let request = "";
    await Promise.all([
      this.#copy(client, server, (piece) => {
        this.sentBytes += piece.length;
        request = /^[A-Z]{3,7} [^ ?]+/.exec(textOf(piece.subarray(0, 2048)))?.[0] ?? request;
        return piece;
      }),
      this.#copy(server, client, (piece) => this.#edit ? bytesOf(this.#edit(textOf(piece), request)) : piece),
    ]);
  }

  async #refuse(client: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    if (await client.read(buffer).catch(() => null)) {
      this.refused++;
      await client.write(new TextEncoder().encode(BUSY)).catch(() => {}); // who hangs up first is none of our business
    }
    this.#close(client);
  }

  async #copy(from: Deno.TcpConn, to: Deno.TcpConn, pass: (piece: Uint8Array) => Uint8Array): Promise<void> {
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const size = await from.read(buffer).catch(() => null); // a connection that breaks ends for both sides
      if (!size) break;
      let rest = pass(buffer.subarray(0, size));
      while (rest.length > 0) {
        const sent = await to.write(rest).catch(() => 0);
        if (sent === 0) return this.#close(from);
        rest = rest.subarray(sent);
      }
    }
    this.#close(from);
    this.#close(to);
  }

  #close(socket: Deno.TcpConn): void {
    if (this.#sockets.delete(socket)) socket.close();
  }

  #track(work: Promise<void>): void {
    this.#work.add(work);
    work.finally(() => this.#work.delete(work));
  }
}

function textOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
