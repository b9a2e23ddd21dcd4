/**
 * The admin connections to one PostgreSQL server: reads its inventory, creates and drops the roles and databases of tenants.
 *
 * A write checks the owner comment of the role or database first, and is idempotent. Connections are opened one by one,
 * so a dead server sees one at a time, and none is left when nothing happens. What is known between two readings, and when
 * to try again, is the business of postgres_clusters.ts.
 * Caveat: `pg` wants to see PGOPTIONS, PGBINARY, PGREPLICATION, PGCLIENT_ENCODING and PGSSLNEGOTIATION.
 */
// @ts-types="@types/pg"
import type { Client, ClientConfig, Pool, PoolClient, QueryConfig } from "pg";
import {
  type ClusterAddress,
  clusterFacts,
  failureReason,
  type InventoryRow,
  type KnownClusterFacts,
  type PostgresFailure,
  type PostgresReason,
} from "../model/postgres/database.ts";
import { planWrite } from "../model/postgres/sql.ts";
import {
  type Findings,
  INVENTORY_SQL,
  LOOK_SQL,
  type SessionFindings,
  SESSIONS_SQL,
} from "../model/postgres/sql_inventory.ts";
import { planSwap, type SwapPlan } from "../model/postgres/sql_swap.ts";
import { describeWrite, isSwap, type SqlWrite, type SwapWrite } from "../model/postgres/sql_writes.ts";

/** Options of {@linkcode PostgresError}. */
export interface PostgresErrorOptions extends ErrorOptions {
  readonly reason: PostgresReason;
  /** Whether there was a connection. */
  readonly connected: boolean;
}

/** A connection or a statement failed. The message names host, port and user, never a password. */
export class PostgresError extends Error implements PostgresFailure {
  override readonly name = "PostgresError";
  readonly reason: PostgresReason;
  readonly connected: boolean;

  constructor(message: string, options: PostgresErrorOptions) {
    super(message, options);
    this.reason = options.reason;
    this.connected = options.connected;
  }
}

/** A role or database has no owner comment of this instance; nothing was changed. */
export class OwnershipError extends Error {
  override readonly name = "OwnershipError";
}

/** Databases are not as the write expects them; nothing was changed, and an administrator must resolve it. */
export class DatabaseConflictError extends Error {
  override readonly name = "DatabaseConflictError";
}

/** Options of {@linkcode PostgresPool}. */
export interface PostgresPoolOptions {
  /** Also for the inventory's query. @default {5_000} */
  readonly connectTimeoutMs?: number;
  /** @default {30_000} */
  readonly statementTimeoutMs?: number;
  /**
   * For CREATE and DROP DATABASE, which wait for a checkpoint and for every other session to take notice; one that stalls
   * in its login makes them wait for a minute. @default {300_000}
   */
  readonly databaseTimeoutMs?: number;
  /** @default {4} */
  readonly maxConnections?: number;
  /** @default {10_000} */
  readonly idleTimeoutMs?: number;
  /** With 1 the last connection stays: a server that stops is noticed at once, not at the next resync. @default {0} */
  readonly idleConnections?: 0 | 1;
  /** How often the connection that stays checks the server: a network that drops packets reports no error. @default {5_000} */
  readonly heartbeatMs?: number;
  /** How long {@linkcode PostgresPool.close} waits for what is under way. @default {1_000} */
  readonly closeTimeoutMs?: number;
}

const DEFAULTS = {
  connectTimeoutMs: 5_000,
  statementTimeoutMs: 30_000,
  databaseTimeoutMs: 300_000,
  maxConnections: 4,
  idleTimeoutMs: 10_000,
  idleConnections: 0,
  heartbeatMs: 5_000,
  closeTimeoutMs: 1_000,
} as const satisfies Required<PostgresPoolOptions>;

const KEEPALIVE_MS = 10_000;
/** For one answer without any work, before the connection is given up. */
const HEARTBEAT_TIMEOUT_MS = 3_000;
const SCRAM_ITERATIONS = 4096;

/** The connections to one server. */
export class PostgresPool {
  readonly #address: ClusterAddress;
  readonly #options: Required<PostgresPoolOptions>;
  #pool?: Promise<Pool>;
  #closed = false;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #onBroken = () => {};
  /** Every connection that is not closed, with its end. */
  readonly #clients = new Map<Client, Promise<void>>();
  /** The one that is being opened. */
  #opening: Client | undefined;
  /** The attempt to connect that was asked for last, if there is one under way; resolves with its failure. */
  #lastAttempt: Promise<PostgresError | undefined> | undefined;

  constructor(address: ClusterAddress, options: PostgresPoolOptions = {}) {
    this.#address = address;
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Ends the connections. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#heartbeat);
    const timer = setTimeout(() => this.hangUp(), this.#options.closeTimeoutMs);
    await (await this.#pool)?.end();
    await Promise.all(this.#clients.values());
    clearTimeout(timer);
  }

  /** Cuts off every connection: what is under way fails. */
  hangUp(): void {
    for (const client of this.#clients.keys()) client.connection.stream.destroy();
  }

  /** Calls `listener` when an idle connection breaks. */
  onBroken(listener: () => void): void {
    this.#onBroken = listener;
  }

  /** All roles and databases, by one query. */
  async readInventory(): Promise<KnownClusterFacts> {
    return await this.#use("read the inventory", async (client) => {
      const { rows } = await client.query<InventoryRow>(timed(INVENTORY_SQL, this.#options.connectTimeoutMs));
      return clusterFacts(rows);
    });
  }

  /**
   * Applies the write. Throws {@linkcode OwnershipError} if the role or database is another's, {@linkcode DatabaseConflictError}
   * if something stands in its way.
   */
  async write(write: SqlWrite): Promise<void> {
    const { databaseTimeoutMs, statementTimeoutMs } = this.#options;
    const login = write.type === "ensureRole" || write.type === "ensureReadOnlyRole";
    const secret = login ? await passwordVerifier(write.password) : "";
    await this.#use(describeWrite(write), async (client) => {
      const plan = isSwap(write)
        ? await swapPlan(client, write)
        : planWrite(await findings(client, write), write, secret);
      if ("foreign" in plan) {
        throw new OwnershipError(`Cannot ${describeWrite(write)}: ${plan.foreign} has no owner comment of this owner`);
      }
      if ("conflict" in plan) throw new DatabaseConflictError(`Cannot ${describeWrite(write)}: ${plan.conflict}`);
      for (const { text, slow, database } of plan) {
        if (database !== undefined) {
          await this.#sendTo(database, { text, insteadOf: client });
          continue;
        }
        if (slow) await client.query(`set statement_timeout = ${databaseTimeoutMs}`);
        await client.query(timed(text, (slow ? databaseTimeoutMs : statementTimeoutMs) + 1_000));
        if (slow) await client.query(`set statement_timeout = ${statementTimeoutMs}`);
      }
    });
  }

  /** Lends a connection and takes it back, unless its state is uncertain. */
  async #use<T>(verb: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    let certain = false;
    try {
      const result = await work(client);
      certain = true;
      return result;
    } catch (error) {
      certain = error instanceof OwnershipError || error instanceof DatabaseConflictError;
      throw certain ? error : this.#errorOf(error, { verb, connected: true });
    } finally {
      client.release(!certain);
    }
  }

  /**
   * Runs a text in a tenant's database, on a connection that is opened for it and closed at once. It takes the place of a
   * lent one, so there are never more than the maximum.
   */
  async #sendTo(database: string, { text, insteadOf }: { text: string; insteadOf: PoolClient }): Promise<void> {
    const lent = insteadOf as PoolClient & Pick<Client, "end">;
    await lent.end();
    // @ts-types="@types/pg"
    const { default: pg } = await import("pg");
    const client = this.#track(new pg.Client({ ...this.#clientConfig(), database }));
    try {
      await client.connect();
      await client.query(`set search_path = pg_catalog; set statement_timeout = ${this.#options.statementTimeoutMs}`);
      await client.query(timed(text, this.#options.statementTimeoutMs + 1_000));
    } finally {
      await client.end();
    }
  }

  /** Connects one caller at a time. Callers that wait behind a failed attempt fail with the same error. */
  async #connect(): Promise<PoolClient> {
    const before = this.#lastAttempt;
    const { promise, resolve } = Promise.withResolvers<PostgresError | undefined>();
    this.#lastAttempt = promise;
    let failure = await before;
    try {
      if (failure) throw failure;
      if (this.#closed) throw new Error("the connections are closed");
      this.#pool ??= this.#openPool();
      const client = await (await this.#pool).connect();
      this.#opening = undefined;
      return client;
    } catch (error) {
      this.#opening?.connection.stream.destroy(); // pg leaves it to the server to end a login that it gave up itself
      this.#opening = undefined;
      failure = this.#errorOf(error, { verb: "connect to PostgreSQL", connected: false });
      throw failure;
    } finally {
      resolve(failure);
      if (this.#lastAttempt === promise) this.#lastAttempt = undefined;
    }
  }

  async #openPool(): Promise<Pool> {
    // @ts-types="@types/pg"
    const { default: pg } = await import("pg"); // late: a process that never needs PostgreSQL stays small
    const { statementTimeoutMs, maxConnections, idleTimeoutMs, idleConnections } = this.#options;
    const opening = (client: Client) => this.#opening = this.#track(client);
    class TrackedClient extends pg.Client {
      constructor(config?: string | ClientConfig) {
        super(config);
        opening(this);
      }
    }
    const pool = new pg.Pool({
      ...this.#clientConfig(),
      Client: TrackedClient,
      max: maxConnections,
      min: idleConnections,
      idleTimeoutMillis: idleTimeoutMs,
      // not as start-up parameters, which pgbouncer refuses; this path keeps tenants' functions from shadowing PostgreSQL's own
      onConnect: (client) =>
        client.query(`set search_path = pg_catalog; set statement_timeout = ${statementTimeoutMs}`),
    });
    pool.on("error", () => this.#onBroken());
    if (idleConnections > 0 && !this.#closed) {
      this.#heartbeat = setInterval(() => void this.#sendHeartbeat(pool), this.#options.heartbeatMs);
    }
    return pool;
  }

  /** Sends a heartbeat on an idle connection; without one, a running query detects a broken server. */
  async #sendHeartbeat(pool: Pool): Promise<void> {
    if (pool.idleCount === 0) return;
    const client = await pool.connect() as PoolClient & Client;
    try {
      await client.query(timed("select 1", HEARTBEAT_TIMEOUT_MS));
      client.release();
    } catch {
      client.connection.stream.destroy();
      client.release(true);
      this.#onBroken();
    }
  }

  #clientConfig(): ClientConfig {
    const { host, port, adminUser, adminPassword } = this.#address;
    const { connectTimeoutMs } = this.#options;
    return {
      host,
      port,
      user: adminUser,
      password: () => adminPassword, // as a function it is never taken from PGPASSWORD or a file
      database: "postgres",
      ssl: tlsOptions(this.#address),
      application_name: "odoo-operator",
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_MS,
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: connectTimeoutMs,
    };
  }

  #track(client: Client): Client {
    client.on("error", () => {}); // the query in hand or the next one fails with it
    const ended = new Promise<void>((resolve) => client.once("end", () => resolve(void this.#clients.delete(client))));
    this.#clients.set(client, ended);
    return client;
  }

  #errorOf(error: unknown, context: { readonly verb: string; readonly connected: boolean }): PostgresError {
    if (error instanceof PostgresError) return error;
    const { host, port, adminUser } = this.#address;
    const cause = error instanceof AggregateError ? error.errors[0] : error;
    const text = cause instanceof Error ? cause.message : String(cause);
    const sqlState = sqlStateOf(cause);
    const reason = text.startsWith("SASL") ? "DatabaseLoginFailed" : failureReason(sqlState); // pg has no code for these
    const state = sqlState ? `${text} (${sqlState})` : /timeout/i.test(text) ? "no answer in time" : text;
    const message = `Cannot ${context.verb} at ${host}:${port} as ${JSON.stringify(adminUser)}: ${state.slice(0, 300)}`;
    return new PostgresError(message, { reason, connected: context.connected, cause: error });
  }
}

/** What is there of a role and a database. */
async function findings(
  client: PoolClient,
  names: { readonly role?: string; readonly database?: string },
): Promise<Findings> {
  const { rows: [found] } = await client.query<Findings>(LOOK_SQL, [names.role ?? null, names.database ?? null]);
  if (!found) throw new TypeError("the server gave no row");
  return found;
}

async function swapPlan(client: PoolClient, write: SwapWrite): Promise<SwapPlan> {
  const { role } = write;
  const live = await findings(client, { role, database: write.live });
  const side = await findings(client, { role, database: write.side });
  const old = await findings(client, { role, database: write.old });
  const names = [write.live, write.side, write.old];
  const { rows: sessions } = await client.query<SessionFindings>(SESSIONS_SQL, [names]);
  return planSwap({ live, side, old, sessions }, write);
}

/** The SQLSTATE of an error that the server sent. */
function sqlStateOf(error: unknown): string | undefined {
  return error instanceof Error && "severity" in error && "code" in error ? String(error.code) : undefined;
}

/** A query that is given up on this side too: a server that hangs does not keep to its statement_timeout. */
function timed(text: string, timeoutMs: number): QueryConfig & { readonly query_timeout: number } {
  return { text, query_timeout: timeoutMs };
}

function tlsOptions(address: ClusterAddress): NonNullable<ClientConfig["ssl"]> {
  const { sslMode = "disable", sslRootCert } = address;
  const trust = sslRootCert === undefined ? {} : { ca: sslRootCert };
  switch (sslMode) {
    case "disable":
      return false;
    case "require":
      return { rejectUnauthorized: false };
    case "verify-ca":
      return { ...trust, checkServerIdentity: () => undefined };
    case "verify-full":
      return { ...trust };
  }
}

/**
 * What PostgreSQL would store for a password, so that the password itself never shows in the server's log.
 * Beyond ASCII PostgreSQL first normalises (SASLprep), so it gets those as they are.
 */
async function passwordVerifier(password: string): Promise<string> {
  if (/\P{ASCII}/u.test(password)) return password;
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(password), "PBKDF2", false, ["deriveBits"]);
  const algorithm = { name: "PBKDF2", hash: "SHA-256", salt, iterations: SCRAM_ITERATIONS };
  const salted = await crypto.subtle.deriveBits(algorithm, key, 256);
  const storedKey = await crypto.subtle.digest("SHA-256", await hmac(salted, "Client Key"));
  const serverKey = await hmac(salted, "Server Key");
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${base64(salt)}$${base64(storedKey)}:${base64(serverKey)}`;
}

async function hmac(key: ArrayBuffer, text: string): Promise<ArrayBuffer> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return await crypto.subtle.sign("HMAC", imported, new TextEncoder().encode(text));
}

function base64(bytes: ArrayBuffer | Uint8Array): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}
