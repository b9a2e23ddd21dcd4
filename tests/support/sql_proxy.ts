/**
 * A proxy in front of PostgreSQL, without TLS, that knows the writes of the administrator: they can be listed, and somebody
 * can be called before one of them reaches the server, or when it is done and nobody has heard of it yet.
 */
import type { SqlServer } from "./sql.ts";

/** When somebody is called, counted from the moment at which it is asked for. */
export interface SqlStrikeOptions {
  readonly nth: number;
  readonly side: "before" | "after";
  readonly strike: () => Promise<unknown>;
}

/** The writes that came through some proxies, in their order. */
export class SqlWrites {
  readonly #seen: { readonly atMs: number; readonly text: string }[] = [];
  readonly #strikes = new Set<SqlStrike>();

  /** The first words of those since a moment. */
  since(atMs: number): string[] {
    return this.#seen.filter((write) => write.atMs >= atMs).map(({ text }) => text.split(/\s+/, 2).join(" "));
  }

  onWrite(options: SqlStrikeOptions): SqlStrike {
    const strike = new SqlStrike(options, () => this.#strikes.delete(strike));
    this.#strikes.add(strike);
    return strike;
  }

  /** Called by a proxy for each write: the strike that is due, if one is. */
  add(text: string): SqlStrike | undefined {
    this.#seen.push({ atMs: performance.now(), text });
    return [...this.#strikes].filter((strike) => strike.isDue()).at(0);
  }
}

/** What {@linkcode SqlWrites.onWrite} returns. */
export class SqlStrike {
  readonly side: SqlStrikeOptions["side"];
  struck = false;
  readonly remove: () => void;
  readonly #strike: SqlStrikeOptions["strike"];
  #left: number;

  constructor({ nth, side, strike }: SqlStrikeOptions, remove: () => void) {
    this.side = side;
    this.remove = remove;
    this.#strike = strike;
    this.#left = nth;
  }

  /** Counts one more write. */
  isDue(): boolean {
    return --this.#left === 0;
  }

  async call(): Promise<void> {
    this.struck = true;
    await this.#strike();
  }
}

/** Starts a proxy to `server` on a free port of this machine. */
export function startSqlProxy(server: SqlServer, writes: SqlWrites): SqlProxy {
  return new SqlProxy(server, writes);
}

const SSL_REQUEST = 80_877_103;
const WRITE = /(^|;)\s*(create|alter|drop|comment|grant|revoke|reassign|do)\b/i;

/** What {@linkcode startSqlProxy} starts. */
export class SqlProxy implements AsyncDisposable {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly #server: SqlServer;
  readonly #writes: SqlWrites;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #sockets = new Set<Deno.TcpConn>();
  readonly #work = new Set<Promise<void>>();

  constructor(server: SqlServer, writes: SqlWrites) {
    this.#server = server;
    this.#writes = writes;
    this.port = this.#listener.addr.port;
    this.#track(this.#accept());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const socket of this.#sockets) this.#close(socket);
    await Promise.all(this.#work);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) this.#track(this.#serve(client));
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    this.#sockets.add(client);
    const { host: hostname, port } = this.#server;
    const server = await Deno.connect({ hostname, port }).catch(() => undefined);
    if (!server) return this.#close(client);
    this.#sockets.add(server);
    const done: { strike?: SqlStrike } = {};
    await Promise.all([this.#ask(client, server, done), this.#answer(server, client, done)]);
  }

  /** What the client says, message by message. */
  async #ask(client: Deno.TcpConn, server: Deno.TcpConn, done: { strike?: SqlStrike }): Promise<void> {
    let user: string | undefined;
    for await (const message of messagesOf(client, () => user === undefined)) {
      if (user === undefined) user = userIn(message);
      const text = message[0] === 0x51 ? new TextDecoder().decode(message.subarray(5, -1)) : ""; // Q: a simple query
      const strike = user === this.#server.adminUser && WRITE.test(text) ? this.#writes.add(text) : undefined;
      if (strike?.side === "after") done.strike = strike;
      if (strike?.side === "before") await strike.call();
      if (strike?.side === "before" || !await sent(server, message)) break;
    }
    this.#close(client);
    this.#close(server);
  }

  async #answer(server: Deno.TcpConn, client: Deno.TcpConn, done: { strike?: SqlStrike }): Promise<void> {
    const buffer = new Uint8Array(65_536);
    for (let size = await read(server, buffer); size; size = await read(server, buffer)) {
      if (done.strike) await done.strike.call(); // an answer is sent when the whole message is carried out
      if (done.strike || !await sent(client, buffer.subarray(0, size))) break;
    }
    this.#close(client);
    this.#close(server);
  }

  #close(socket: Deno.TcpConn): void {
    if (this.#sockets.delete(socket)) socket.close();
  }

  #track(work: Promise<void>): void {
    this.#work.add(work);
    work.finally(() => this.#work.delete(work));
  }
}

/** Whole messages; those before the login have no letter in front of their length. */
async function* messagesOf(socket: Deno.TcpConn, isBeforeLogin: () => boolean): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(65_536);
  let held = new Uint8Array();
  for (let size = await read(socket, buffer); size; size = await read(socket, buffer)) {
    const grown = new Uint8Array(held.length + size);
    grown.set(held);
    grown.set(buffer.subarray(0, size), held.length);
    held = grown;
    for (;;) {
      const letter = isBeforeLogin() ? 0 : 1;
      if (held.length < letter + 4) break;
      const length = letter + new DataView(held.buffer, held.byteOffset).getInt32(letter);
      if (held.length < length) break;
      yield held.slice(0, length);
      held = held.slice(length);
    }
  }
}

/** Who logs in; `undefined` for a question that comes before. */
function userIn(message: Uint8Array): string | undefined {
  if (new DataView(message.buffer, message.byteOffset).getInt32(4) === SSL_REQUEST) return undefined;
  const words = new TextDecoder().decode(message.subarray(8)).split("\0");
  return words[words.indexOf("user") + 1] ?? "";
}

/** A connection that breaks ends for both sides. */
function read(socket: Deno.TcpConn, buffer: Uint8Array): Promise<number | null> {
  return socket.read(buffer).catch(() => null);
}

async function sent(socket: Deno.TcpConn, bytes: Uint8Array): Promise<boolean> {
  for (let at = 0; at < bytes.length;) {
    const size = await socket.write(bytes.subarray(at)).catch(() => 0);
    if (size === 0) return false;
    at += size;
  }
  return true;
}
