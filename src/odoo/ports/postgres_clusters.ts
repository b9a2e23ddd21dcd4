/**
 * What is known of the PostgreSQL clusters of clusters.yaml, held like informers, and the writes that keep it true.
 *
 * A cluster's inventory is read at the first request, changed by our own writes, read again slowly and after failures;
 * whatever number of instances asks, it is one reading. While a cluster does not answer, writes fail at once with the
 * reason and only the reading tries again. A server that hangs is found out in twice `doubtAfterMs`, and lets go then.
 */
import { backoffMs, type Clock, getLogger, type Logger, Slots, systemClock } from "../../kit/mod.ts";
import {
  afterWrite,
  type ClusterAddress,
  type ClusterFacts,
  type FactsChange,
  factsChange,
  type InventoryWrite,
  isPostgresFailure,
  isSameAddress,
  isSameServer,
  type KnownClusterFacts,
  type PostgresFailure,
} from "../model/postgres/database.ts";
import {
  describeWrite,
  inventoryWrite,
  isSwap,
  isWritten,
  type SqlWrite,
  writeProblem,
} from "../model/postgres/sql_writes.ts";

/** The connections to one server: `PostgresPool` of postgres.ts. Failures are thrown as {@linkcode PostgresFailure}. */
export interface AdminConnections {
  readInventory(): Promise<KnownClusterFacts>;
  write(write: SqlWrite): Promise<void>;
  onBroken(listener: () => void): void;
  hangUp(): void;
  close(): Promise<void>;
}

/** Options of {@linkcode PostgresClusters}. */
export interface PostgresClustersOptions {
  /** @default {systemClock} */
  readonly clock?: Clock;
  readonly log?: Logger;
  /** Between two readings of an inventory, give or take a tenth. @default {600_000} */
  readonly resyncMs?: number;
  /** How long a write may take before the server has to prove that it lives. @default {5_000} */
  readonly doubtAfterMs?: number;
  /** Between a failed attempt and the next, at least. @default {1_000} */
  readonly minRetryMs?: number;
  /** @default {4_000} */
  readonly maxRetryMs?: number;
  /** After a refused login: what cures it is a new entry, which starts at once. @default {30_000} */
  readonly maxLoginRetryMs?: number;
  /** One less than the connections, so that a reading never waits. @default {3} */
  readonly maxWrites?: number;
}

/** Options of {@linkcode PostgresCluster}. */
export interface PostgresClusterOptions extends PostgresClustersOptions {
  /** In logs. */
  readonly name?: string;
  /** Called after each change of the facts. */
  readonly onChange?: (change: FactsChange) => void;
  /** What is known of the same server from before. */
  readonly initialFacts?: KnownClusterFacts | undefined;
}

const DEFAULTS = {
  clock: systemClock,
  resyncMs: 600_000,
  doubtAfterMs: 5_000,
  minRetryMs: 1_000,
  maxRetryMs: 4_000,
  maxLoginRetryMs: 30_000,
  maxWrites: 3,
} as const satisfies PostgresClustersOptions;

/** One cluster: its facts, and the writes to it. */
export class PostgresCluster {
  readonly #name: string;
  readonly #connections: AdminConnections;
  readonly #options: Required<PostgresClustersOptions>;
  readonly #onChange: (change: FactsChange) => void;
  #facts: ClusterFacts;
  #closed = false;
  #everRead = false;
  #failure: PostgresFailure | undefined;
  #failures = 0;
  #failedAtMs = -Infinity;
  #timer: { readonly dueAtMs: number; readonly cancel: () => void } | undefined;
  #reading: Promise<ClusterFacts> | undefined;
  /** The reading after the one under way. */
  #next = Promise.withResolvers<ClusterFacts>();
  #nextWanted = false;
  /** Our own writes since the reading under way began: it may not have seen them. */
  #unread: InventoryWrite[] = [];
  readonly #writing: Slots;

  constructor(connections: AdminConnections, options: PostgresClusterOptions = {}) {
    const { name = "", onChange = () => {}, initialFacts, ...given } = options;
    this.#name = name;
    this.#connections = connections;
    this.#options = { ...DEFAULTS, log: getLogger(["odoo", "postgres"]), ...given };
    this.#onChange = onChange;
    this.#writing = new Slots(this.#options.maxWrites);
    this.#facts = initialFacts ?? { known: false, reason: "Connecting", message: "Connecting to PostgreSQL" };
    connections.onBroken(() => void this.refresh());
  }

  /** Ends with the signal. */
  start(signal: AbortSignal): void {
    if (signal.aborted) void this.close();
    else signal.addEventListener("abort", () => void this.close(), { once: true });
  }

  /** Ends the connections; the facts stay what they are. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    await this.#connections.close();
    this.#next.resolve(this.#facts);
  }

  /** What is known now. The first question begins the first reading. */
  facts(): ClusterFacts {
    if (!this.#everRead) void this.refresh();
    return this.#facts;
  }

  /** Reads the inventory as soon as former failures allow; resolves with what is known then. */
  refresh(): Promise<ClusterFacts> {
    if (this.#closed) return Promise.resolve(this.#facts);
    this.#everRead = this.#nextWanted = true;
    const { promise } = this.#next;
    const { clock, minRetryMs } = this.#options;
    this.#readAfter(this.#failures === 0 ? 0 : this.#failedAtMs + minRetryMs - clock.monotonicMs());
    return promise;
  }

  /** Writes to the cluster. Nothing is sent if the inventory already has the result. */
  async write(write: SqlWrite): Promise<void> {
    const problem = writeProblem(write);
    if (problem) throw new RangeError(`Cannot ${describeWrite(write)}: ${problem}`);
    if (!this.#facts.known && !this.#failure) await (this.#reading ?? this.refresh());
    if (isWritten(this.#known(), write)) return;
    await this.#writing.use(() => {
      this.#known(); // the server may have gone while we waited
      return this.#send(write);
    });
    if (isSwap(write)) return void await this.refresh();
    const done = inventoryWrite(write);
    if (this.#reading) this.#unread.push(done);
    if (this.#facts.known) this.#setFacts(afterWrite(this.#facts, done));
  }

  async #send(write: SqlWrite): Promise<void> {
    const { clock, doubtAfterMs } = this.#options;
    const stopDoubting = clock.setTimeout(() => void this.refresh(), doubtAfterMs);
    try {
      await this.#connections.write(write);
    } catch (error) {
      if (isPostgresFailure(error)) this.#failed(error);
      throw error;
    } finally {
      stopDoubting();
    }
  }

  /** What a failed write says of the server: either no client can connect, or the server must prove that it responds. */
  #failed(failure: PostgresFailure): void {
    if (failure.connected) {
      if (failure.reason === "DatabaseUnreachable") void this.refresh();
    } else if (failure !== this.#failure) this.#fail(failure); // who waited behind an attempt to connect has the same error
  }

  #known(): KnownClusterFacts {
    if (this.#closed) throw new Error("Cannot write to PostgreSQL: the connections are closed");
    if (this.#facts.known) return this.#facts;
    throw this.#failure ?? new Error(`Cannot write to PostgreSQL: ${this.#facts.message}`);
  }

  #readAfter(delayMs: number): void {
    if (this.#reading || this.#closed) return; // the reading in progress checks #nextWanted when it ends
    const { clock } = this.#options;
    const dueAtMs = clock.monotonicMs() + delayMs;
    if (this.#timer && this.#timer.dueAtMs <= dueAtMs) return;
    this.#timer?.cancel();
    if (delayMs <= 0) void this.#read();
    else this.#timer = { dueAtMs, cancel: clock.setTimeout(() => void this.#read(), delayMs) };
  }

  async #read(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#nextWanted = false;
    this.#unread = [];
    const { promise, resolve } = this.#next;
    this.#next = Promise.withResolvers();
    this.#reading = promise;
    const outcome = await this.#connections.readInventory().catch((error: unknown) => {
      if (isPostgresFailure(error)) return error;
      throw error;
    });
    this.#reading = undefined;
    if (isPostgresFailure(outcome)) this.#fail(outcome);
    else this.#succeed(this.#unread.reduce(afterWrite, outcome));
    resolve(this.#facts);
  }

  #succeed(facts: KnownClusterFacts): void {
    const { log, resyncMs } = this.#options;
    if (this.#failures > 0) log.info("PostgreSQL answers again", { cluster: this.#name, failures: this.#failures });
    this.#failures = 0;
    this.#failure = undefined;
    this.#setFacts(facts);
    this.#readAfter(this.#nextWanted ? 0 : resyncMs * (0.9 + 0.2 * Math.random()));
  }

  #fail(failure: PostgresFailure): void {
    const { clock, log, minRetryMs, maxRetryMs, maxLoginRetryMs } = this.#options;
    const { reason, message } = failure;
    this.#failedAtMs = clock.monotonicMs();
    if (this.#failures === 0 && !this.#closed) {
      log.warn("PostgreSQL failed", { cluster: this.#name, reason, error: message });
    }
    this.#failures++;
    this.#failure = failure;
    if (reason === "DatabaseUnreachable") this.#connections.hangUp(); // what hangs on a dead server lets go
    this.#setFacts({ known: false, reason, message });
    const maxMs = reason === "DatabaseLoginFailed" ? maxLoginRetryMs : maxRetryMs;
    this.#readAfter(Math.max(minRetryMs, backoffMs(this.#failures - 1, { baseMs: 2 * minRetryMs, maxMs })));
  }

  #setFacts(facts: ClusterFacts): void {
    const change = factsChange(this.#facts, facts);
    if (change === undefined || this.#closed) return;
    this.#facts = facts;
    this.#onChange(change);
  }
}

/** The clusters of clusters.yaml, as they are now. */
export class PostgresClusters {
  readonly #open: (address: ClusterAddress) => AdminConnections;
  readonly #options: PostgresClustersOptions;
  readonly #clusters = new Map<string, { readonly address: ClusterAddress; readonly cluster: PostgresCluster }>();
  readonly #listeners = new Set<(cluster: string, change: FactsChange) => void>();
  readonly #closing = new Set<Promise<void>>();
  #updated = false;
  #closed = false;

  constructor(open: (address: ClusterAddress) => AdminConnections, options: PostgresClustersOptions = {}) {
    this.#open = open;
    this.#options = options;
  }

  /** Ends with the signal. */
  start(signal: AbortSignal): void {
    if (signal.aborted) void this.close();
    else signal.addEventListener("abort", () => void this.close(), { once: true });
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const name of [...this.#clusters.keys()]) this.#remove(name);
    await Promise.all(this.#closing);
  }

  /** Opens what is new, closes what is gone, replaces what changed. The rest keeps its connections and its facts. */
  update(entries: readonly ClusterAddress[]): void {
    if (this.#closed) return;
    this.#updated = true;
    const wanted = new Map(entries.map((address) => [address.name, address]));
    const gone = [...this.#clusters.keys()].filter((name) => !wanted.has(name));
    const changed = [...wanted.values()].filter((address) =>
      !isSameAddress(this.#clusters.get(address.name)?.address, address)
    );
    for (const name of gone) this.#remove(name);
    for (const address of changed) this.#add(address);
    for (const name of [...gone, ...changed.map((address) => address.name)]) this.#notify(name, "all");
  }

  /** What is known of a cluster. The first call starts the first reading. */
  facts(name: string): ClusterFacts {
    const cluster = this.get(name);
    if (cluster) return cluster.facts();
    return this.#updated
      ? {
        known: false,
        reason: "ClusterNotConfigured",
        message: `No PostgreSQL cluster is named ${JSON.stringify(name)}`,
      }
      : { known: false, reason: "Connecting", message: "The clusters Secret has not been read yet" };
  }

  /** The cluster to write to, if there is one of this name. Ask again for each write: an entry may have been replaced. */
  get(name: string): PostgresCluster | undefined {
    return this.#clusters.get(name)?.cluster;
  }

  /** Calls `listener` after each change of a cluster's facts; the returned function ends that. */
  onChange(listener: (cluster: string, change: FactsChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #add(address: ClusterAddress): void {
    const { name } = address;
    const former = this.#clusters.get(name);
    const facts = former && isSameServer(former.address, address) ? former.cluster.facts() : undefined;
    const initialFacts = facts?.known ? facts : undefined;
    if (former) this.#remove(name);
    const onChange = (change: FactsChange) => this.#notify(name, change);
    const cluster = new PostgresCluster(this.#open(address), { ...this.#options, name, onChange, initialFacts });
    this.#clusters.set(name, { address, cluster });
    if (initialFacts) void cluster.refresh(); // a new password must not make every instance's condition flicker
  }

  #remove(name: string): void {
    const cluster = this.#clusters.get(name)?.cluster;
    this.#clusters.delete(name);
    if (!cluster) return;
    const closing = cluster.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #notify(cluster: string, change: FactsChange): void {
    for (const listener of this.#listeners) listener(cluster, change);
  }
}
