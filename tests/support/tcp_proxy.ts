/** A TCP proxy that a test can make deaf, to see how a client bears a network that swallows everything. */

/** Options of {@linkcode startTcpProxy}. */
export interface TcpProxyOptions {
  readonly host: string;
  readonly port: number;
}

/** Starts a proxy to an address on a free port of this machine. */
export function startTcpProxy(target: TcpProxyOptions): TcpProxy {
  return new TcpProxy(target);
}

/** What {@linkcode startTcpProxy} starts. */
export class TcpProxy implements AsyncDisposable {
  readonly host = "127.0.0.1";
  readonly port: number;
  /** When each connection came, in milliseconds. */
  readonly acceptedAtMs: number[] = [];
  readonly #target: TcpProxyOptions;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #sockets = new Set<Deno.TcpConn>();
  readonly #work = new Set<Promise<void>>();
  #heard = Promise.withResolvers<void>();

  constructor(target: TcpProxyOptions) {
    this.#target = target;
    this.port = this.#listener.addr.port;
    this.#heard.resolve();
    this.#track(this.#accept());
  }

  /** From now on connections are accepted, and nothing that is said on any of them arrives. */
  freeze(): void {
    this.#heard = Promise.withResolvers();
  }

  /** Everything goes through again, what was held back first. */
  thaw(): void {
    this.#heard.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.thaw();
    for (const socket of this.#sockets) this.#close(socket);
    await Promise.all(this.#work);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      this.acceptedAtMs.push(performance.now());
      this.#track(this.#serve(client));
    }
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    this.#sockets.add(client);
    await this.#heard.promise;
    const server = await Deno.connect({ hostname: this.#target.host, port: this.#target.port }).catch(() => undefined);
    if (!server) return this.#close(client);
    this.#sockets.add(server);
    await Promise.all([this.#copy(client, server), this.#copy(server, client)]);
  }

  async #copy(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    // a connection that breaks while it is read or written ends for both sides
    for (let size = await this.#read(from, buffer); size; size = await this.#read(from, buffer)) {
      await this.#heard.promise;
      const sent = await to.write(buffer.subarray(0, size)).catch(() => 0);
      if (sent === 0) break;
    }
    this.#close(from);
    this.#close(to);
  }

  #read(from: Deno.TcpConn, buffer: Uint8Array): Promise<number | null> {
    return from.read(buffer).catch(() => null);
  }

  #close(socket: Deno.TcpConn): void {
    if (this.#sockets.delete(socket)) socket.close();
  }

  #track(work: Promise<void>): void {
    this.#work.add(work);
    work.finally(() => this.#work.delete(work));
  }
}
