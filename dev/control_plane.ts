/**
 * A Kubernetes cluster on this machine, for tests, demos and measurements: real etcd, API server, controllers and
 * scheduler, fake nodes, a real PostgreSQL. Free ports, a temporary directory, nothing left behind.
 *
 *     deno run -A dev/control_plane.ts      starts one and keeps it until Ctrl-C
 */
import type { ClusterAccess } from "../src/kit/credentials.ts";
import { messageOf } from "../src/kit/errors.ts";
import { ADMIN, type ApiServer, startApiServer } from "./api_server.ts";
import { findBinaries, programsDirectory } from "./binaries.ts";
import type { KeyAndCertificate } from "./certificates.ts";
import { openClusterApi } from "./cluster_api.ts";
import { awaitFakeNodes, createFakeNodes, kwokConfig } from "./fake_nodes.ts";
import { stageDirectory } from "./go_build.ts";
import { type AuditLevel, FILES, spawnControllerManager, spawnKwok, spawnScheduler } from "./kube_processes.ts";
import { type PostgresOptions, type PostgresServer, startPostgres } from "./postgres.ts";
import { type ProcessGroup, startProcessGroup } from "./processes.ts";
import { type Progress, reporting, stderrProgress } from "./progress.ts";

const PROGRAM_NAMES = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"] as const;

/** Options of {@linkcode startLocalCluster}. */
export interface LocalClusterOptions {
  /** Breaks the start off. A running cluster is ended by {@linkcode LocalCluster.stop}. */
  readonly signal?: AbortSignal;
  /** Keeps the logs there. @default {a folder of the cluster's directory, gone with it} */
  readonly logsDir?: string;
  /** @default {stderrProgress()} */
  readonly progress?: Progress;
  /** How many fake nodes. @default {2} */
  readonly nodes?: number;
  readonly postgres?: Omit<PostgresOptions, "group" | "signal">;
  /** How much of each request is in the audit log. @default {"Metadata"} */
  readonly auditLevel?: AuditLevel;
  /** Controllers to run beside those that every cluster here has. @default {none} */
  readonly controllers?: readonly string[];
  /**
   * Done before the controllers start. The kinds that are installed here they know from their first moment; of others the
   * garbage collector learns within 30 seconds, and what it had to judge before that may wait for minutes.
   */
  readonly prepare?: (access: ClusterAccess) => Promise<void>;
}

/**
 * Starts a cluster. When this returns, pods are scheduled and run, Deployments, Jobs and volumes work.
 *
 * @example
 * ```ts
 * await using cluster = await startLocalCluster();
 * const client = createClient(cluster.access, { fieldManager: "test" });
 * ```
 */
export async function startLocalCluster(options: LocalClusterOptions = {}): Promise<LocalCluster> {
  const { signal, logsDir, progress = stderrProgress(), nodes = 2, postgres = {}, controllers = [] } = options;
  const paths = await findBinaries(PROGRAM_NAMES, { progress, ...(signal ? { signal } : {}) });
  const stages = await stageDirectory({ directory: await programsDirectory(), signal });
  signal?.throwIfAborted();
  const group = await startProcessGroup(logsDir ? { logsDirectory: logsDir } : {});
  const start = async () => {
    const [apiServer, database] = await Promise.all([
      startApiServer({ group, paths, signal, auditLevel: options.auditLevel }),
      startPostgres({ ...postgres, group, signal }),
    ]);
    await options.prepare?.(await apiServer.accessFor(ADMIN));
    await startControllers(apiServer, { group, paths, stages, nodes, controllers, signal });
    const kubeconfig = await apiServer.writeKubeconfig(ADMIN, `${group.directory}/${FILES.kubeconfig(ADMIN.user)}`);
    return new LocalCluster({
      group,
      apiServer,
      postgres: database,
      kubeconfig,
      access: await apiServer.accessFor(ADMIN),
      auditLog: `${group.directory}/${FILES.auditLog}`,
    });
  };
  try {
    return await reporting(progress, (elapsed) => `Starting the local cluster, ${elapsed}`, start());
  } catch (error) {
    const logs = signal?.aborted ? undefined : await group.keepLogs();
    await group.stop();
    throw logs ? new Error(`${messageOf(error)}\nLogs: ${logs}`, { cause: error }) : error;
  }
}

interface ControllerOptions {
  readonly group: ProcessGroup;
  readonly paths: Readonly<Record<typeof PROGRAM_NAMES[number], string>>;
  readonly stages: string;
  readonly nodes: number;
  readonly controllers: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/** Starts what makes objects come true, and waits until a pod runs. */
async function startControllers(apiServer: ApiServer, options: ControllerOptions): Promise<void> {
  const { group, paths, stages, nodes, controllers, signal } = options;
  await Deno.writeTextFile(`${group.directory}/${FILES.kwokConfig}`, await kwokConfig(stages));
  const programs = [
    { user: "kube-controller-manager", spawn: spawnControllerManager, groups: [] },
    { user: "kube-scheduler", spawn: spawnScheduler, groups: [] },
    { user: "kwok", spawn: spawnKwok, groups: ADMIN.groups ?? [] },
  ] as const;
  const started = await Promise.all(programs.map(async ({ user, spawn, groups }) => {
    // The bootstrap roles of RBAC know the first two by this prefix.
    const subject = { user: `system:${user}`, groups };
    await apiServer.writeKubeconfig(subject, `${group.directory}/${FILES.kubeconfig(user)}`);
    return await spawn({ group, command: paths[user], controllers });
  }));
  using api = await openClusterApi(await apiServer.accessFor(ADMIN));
  await createFakeNodes(api, nodes);
  await awaitFakeNodes(api, { processes: started, signal });
}

/** What {@linkcode LocalCluster} is made from. */
export interface LocalClusterParts {
  /** All that runs in it is ended by {@linkcode LocalCluster.stop}. */
  readonly group: ProcessGroup;
  readonly apiServer: ApiServer;
  readonly postgres: PostgresServer;
  readonly kubeconfig: string;
  readonly access: ClusterAccess;
  readonly auditLog: string;
}

/** A running cluster. */
export class LocalCluster implements AsyncDisposable {
  /** `https://127.0.0.1:port`. */
  readonly baseUrl: string;
  readonly caPem: string;
  /** The administrator, for the kit's client. */
  readonly access: ClusterAccess;
  /** The administrator, as a file. */
  readonly kubeconfig: string;
  /** JSON lines (audit.k8s.io/v1), one per answered request. */
  readonly auditLog: string;
  /** Removed by {@linkcode stop}. */
  readonly directory: string;
  /** A file for each process; gone with the directory, unless it was asked for elsewhere. */
  readonly logsDirectory: string;
  readonly postgres: PostgresServer;
  readonly #parts: LocalClusterParts;
  #kubeconfigs = 0;

  constructor(parts: LocalClusterParts) {
    this.#parts = parts;
    this.baseUrl = parts.apiServer.baseUrl;
    this.caPem = parts.apiServer.caPem;
    this.access = parts.access;
    this.kubeconfig = parts.kubeconfig;
    this.auditLog = parts.auditLog;
    this.directory = parts.group.directory;
    this.logsDirectory = parts.group.logsDirectory;
    this.postgres = parts.postgres;
  }

  /** The key and certificate that signed all others of this cluster, and the port of its API server. */
  get apiServer(): { readonly port: number; readonly authority: KeyAndCertificate } {
    return this.#parts.apiServer;
  }

  /** Someone else's way in, for the kit's client. What they may do is up to RBAC. */
  async accessFor(user: string, groups: readonly string[] = []): Promise<ClusterAccess> {
    return await this.#parts.apiServer.accessFor({ user, groups });
  }

  /** The same as a kubeconfig file, whose path is returned. */
  async kubeconfigFor(user: string, groups: readonly string[] = []): Promise<string> {
    const path = `${this.directory}/user-${++this.#kubeconfigs}.kubeconfig`;
    return await this.#parts.apiServer.writeKubeconfig({ user, groups }, path);
  }

  /** Ends the API server, or stops (SIGSTOP) and continues (SIGCONT) it. @default {"SIGKILL"} */
  async killApiServer(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    await this.#parts.apiServer.kill(signal);
  }

  /** Starts the API server again, on the same port; ends it first if it still runs. */
  async restartApiServer(): Promise<void> {
    await this.killApiServer();
    await this.#parts.apiServer.start();
  }

  /** Stops etcd (SIGSTOP), so that the API server answers nobody, or lets it go on (SIGCONT). */
  signalEtcd(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#parts.apiServer.signalEtcd(signal);
  }

  /** Saves the log files from {@linkcode stop}, for when something failed; resolves with the folder that stays. */
  async keepLogs(): Promise<string> {
    return await this.#parts.group.keepLogs();
  }

  /** Ends everything and removes the directory. */
  async stop(): Promise<void> {
    await this.#parts.group.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Runs a cluster until Ctrl-C. */
async function main(): Promise<void> {
  const ending = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(name, () => ending.abort());
  const interrupted = new Promise<void>((resolve) => ending.signal.addEventListener("abort", () => resolve()));
  const print = async (text: string, to = Deno.stdout) => void await to.write(new TextEncoder().encode(`${text}\n`));
  const startedAt = performance.now();
  try {
    await using cluster = await startLocalCluster({ signal: ending.signal });
    const { host, port, adminUser, adminPassword } = cluster.postgres;
    await print(`# Ready in ${((performance.now() - startedAt) / 1000).toFixed(1)} s; Ctrl-C ends it all`);
    await print(`export KUBECONFIG=${cluster.kubeconfig}`);
    await print(`export PGHOST=${host} PGPORT=${port} PGUSER=${adminUser} PGPASSWORD=${adminPassword}`);
    await print(`# Logs: ${cluster.directory}/logs   Requests: ${cluster.auditLog}`);
    await interrupted;
  } catch (error) {
    if (ending.signal.aborted) return;
    await print(error instanceof Error ? error.message : String(error), Deno.stderr);
    Deno.exitCode = 1;
  }
}

if (import.meta.main) {
  await main();
  Deno.exit();
}
