/**
 * A PostgreSQL 18 server for tests and demos: its own data in a temporary directory, a free loopback port, passwords by
 * SCRAM, no fsync. It can be stopped and started again on the same port, with or without a crash.
 */
import pg from "pg";
import { findPostgres } from "./postgres_binaries.ts";
import {
  freePort,
  type ManagedProcess,
  PortTakenError,
  type ProcessGroup,
  startProcessGroup,
  waitUntilReady,
} from "./processes.ts";

const HOST = "127.0.0.1";
const ADMIN_USER = "postgres";
const START_TIMEOUT_MS = 30_000;
const PORT_ATTEMPTS = 5;

/** PostgreSQL refuses to run as root; these ids need no account of their own on the machine. */
const UNPRIVILEGED = { uid: 65534, gid: 65534 };

/** Options of {@linkcode startPostgres}. */
export interface PostgresOptions {
  /** @default {200} */
  readonly maxConnections?: number;
  /** Further settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Lines of pg_hba.conf that come before ours, which lets everyone in from this machine with a password. */
  readonly hba?: readonly string[];
  /** The folder with PostgreSQL's `bin`. @default {PostgreSQL 18 from the npm package} */
  readonly programs?: string;
  /** Where it runs. @default {a group of its own} */
  readonly group?: ProcessGroup;
  readonly signal?: AbortSignal | undefined;
}

/** How a server ends: `fast` loses nothing; `immediate` is a crash, the next start recovers. */
export type StopMode = "fast" | "immediate";

/** Starts a server; it answers when this returns. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const group = options.group ?? await startProcessGroup();
  try {
    const programs = options.programs ?? await findPostgres();
    const adminPassword = crypto.randomUUID();
    const dataDirectory = await createDataDirectory(group, { programs, adminPassword, hba: options.hba ?? [] });
    for (let attempt = 1;; attempt++) {
      const port = freePort();
      const server = new PostgresServer({
        adminPassword,
        port,
        logPath: `${group.logsDirectory}/postgres.log`,
        processes: { ...options, group, ownsGroup: !options.group, programs, dataDirectory },
      });
      try {
        await server.start({ signal: options.signal });
        return server;
      } catch (error) {
        if (!(error instanceof PortTakenError) || attempt === PORT_ATTEMPTS) throw error;
      }
    }
  } catch (error) {
    if (!options.group) await group.stop();
    throw error;
  }
}

interface ServerProcesses extends PostgresOptions {
  readonly group: ProcessGroup;
  readonly programs: string;
  readonly dataDirectory: string;
  /** Whether the group ends with the server. */
  readonly ownsGroup: boolean;
}

/** What {@linkcode PostgresServer} is made from. */
export interface ServerSettings {
  readonly adminPassword: string;
  readonly port: number;
  readonly logPath: string;
  /** Absent: another process started the server and others use it, so it can be neither started nor stopped here. */
  readonly processes?: ServerProcesses;
}

/** A server that {@linkcode startPostgres} started, here or in another process; its data stay until it is disposed of. */
export class PostgresServer implements AsyncDisposable {
  readonly host = HOST;
  readonly adminUser = ADMIN_USER;
  readonly port: number;
  readonly adminPassword: string;
  readonly logPath: string;
  readonly #settings: ServerSettings;
  #process: ManagedProcess | undefined;

  constructor(settings: ServerSettings) {
    this.#settings = settings;
    this.port = settings.port;
    this.adminPassword = settings.adminPassword;
    this.logPath = settings.logPath;
  }

  /** `postgres://` with the administrator's password. */
  get adminUrl(): string {
    return `postgres://${this.adminUser}:${this.adminPassword}@${this.host}:${this.port}/postgres`;
  }

  /** Starts it again after {@linkcode stop}, on the same port. */
  async start(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.#process && !this.#process.exit) return;
    const { group, programs, dataDirectory, maxConnections = 200, settings = {} } = this.#own("start");
    const all = {
      listen_addresses: this.host,
      port: String(this.port),
      unix_socket_directories: "",
      max_connections: String(maxConnections),
      fsync: "off", // a power cut may take the data; a crash of the server may not
      full_page_writes: "off",
      shared_buffers: "32MB",
      jit: "off",
      ...settings,
    };
    this.#process = await group.spawn({
      name: "postgres",
      command: `${programs}/bin/postgres`,
      args: ["-D", dataDirectory, ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
      cwd: dataDirectory,
      endSignal: "SIGQUIT", // its children are in sessions of their own: only the server can end them
      ...unprivileged(),
    });
    await waitUntilReady(this.#process, () => this.#answers(), { timeoutMs: START_TIMEOUT_MS, signal: options.signal });
  }

  /** Stops it. The data stay. */
  async stop(mode: StopMode = "fast"): Promise<void> {
    this.#own("stop");
    await this.#process?.stop({ signal: mode === "fast" ? "SIGINT" : "SIGQUIT", graceMs: 10_000 });
  }

  /** {@linkcode stop}, {@linkcode start}. */
  async restart(mode: StopMode = "fast"): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** Ends it and, if its process group is its own, removes its data. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { group, ownsGroup } = this.#own("stop");
    await this.stop("immediate");
    if (ownsGroup) await group.stop();
  }

  #own(verb: string): ServerProcesses {
    const { processes } = this.#settings;
    if (!processes) {
      throw new Error(`Cannot ${verb} a PostgreSQL server that other test files use: start one for this file`);
    }
    return processes;
  }

  async #answers(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.adminUrl, connectionTimeoutMillis: 2000 });
    client.on("error", () => {}); // a server that goes away while we ask is simply not ready
    try {
      await client.connect();
      await client.query("SELECT 1");
      return true;
    } finally {
      await client.end();
    }
  }
}

interface InitOptions {
  readonly programs: string;
  readonly adminPassword: string;
  readonly hba: readonly string[];
}

async function createDataDirectory(group: ProcessGroup, options: InitOptions): Promise<string> {
  const { programs, adminPassword, hba } = options;
  const home = await Deno.makeTempDir({ dir: group.directory, prefix: "postgres-" });
  const [dataDirectory, passwordFile] = [`${home}/data`, `${home}/admin-password`];
  await Deno.writeTextFile(passwordFile, adminPassword, { mode: 0o600 });
  const { runAs } = unprivileged();
  if (runAs) { for (const path of [home, passwordFile]) await Deno.chown(path, runAs.uid, runAs.gid); }
  const initdb = await group.spawn({
    name: "initdb",
    command: `${programs}/bin/initdb`,
    args: ["-D", dataDirectory, "-U", ADMIN_USER, `--pwfile=${passwordFile}`, "--auth=scram-sha-256", "--encoding=UTF8"]
      .concat(["--no-locale", "--no-sync", "--no-instructions"]),
    cwd: home,
    ...unprivileged(),
  });
  const { code } = await initdb.ended();
  if (code !== 0) {
    throw new Error(`Cannot create a PostgreSQL data directory: initdb failed\n${await initdb.logTail()}`);
  }
  await Deno.remove(passwordFile);
  const rules = [...hba, "host all all 127.0.0.1/32 scram-sha-256"];
  await Deno.writeTextFile(`${dataDirectory}/pg_hba.conf`, `${rules.join("\n")}\n`);
  return dataDirectory;
}

function unprivileged(): { readonly runAs?: { readonly uid: number; readonly gid: number } } {
  return Deno.uid() === 0 ? { runAs: UNPRIVILEGED } : {};
}
