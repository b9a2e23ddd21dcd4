/** What a bench stands on: one cluster with PostgreSQL and the double, one operator at a time, and eyes on all of it. */
import { type Client, pause, type Pod, type Stored } from "../../src/kit/mod.ts";
import { INSTANCE_LABEL, JOB_LABEL } from "../../src/odoo/model/names.ts";
import { type LocalCluster, startLocalCluster } from "../control_plane.ts";
import { AuditLog, cpuSeconds, cpuSecondsOf, matchingLines, memoryOf } from "../measure.ts";
import type { CopiesDouble } from "../odoo_copies.ts";
import { type OdooJobs, type Outcome, startOdooJobs } from "../odoo_jobs.ts";
import {
  adminClient,
  ensureNamespace,
  OPERATOR_NAMESPACE,
  OPERATOR_USER,
  type OperatorProcess,
  prepareForOperator,
  startOperator,
} from "../operator.ts";
import { type PodAccess, podAccess } from "../pod_access.ts";
import { type ProcessGroup, startProcessGroup } from "../processes.ts";
import type { Progress } from "../progress.ts";
import { bundleOperator } from "./bundle.ts";
import type { BenchOptions, Sizes } from "./options.ts";
import { Sightings } from "./sightings.ts";

/** Where the instances are. */
export const NAMESPACE = "bench";

/** Jobs of instances whose names begin so take a second. */
export const SLOW_PREFIX = "slow-";

/** Of instances whose names begin so, and end with a number, one Job ends after the other. */
export const STAGGERED_PREFIX = "staggered-";

/** The first of them ends when all have begun, the others at this pace. */
const FIRST_END_MS = 30_000;
const END_PACE_MS = 250;

/** Jobs of requests whose names begin so take half a minute. */
export const LONG_PREFIX = "long-";

/** How the bench calls itself at PostgreSQL, where everybody else with the administrator's name is the operator. */
export const BENCH_APPLICATION = "bench";

/** No request for so long means that the operator is quiet. */
const QUIET_MS = 3_000;

interface RigParts {
  readonly cluster: LocalCluster;
  readonly client: Client & { close(): void };
  readonly jobs: OdooJobs;
  readonly group: ProcessGroup;
  readonly command: readonly string[];
  readonly kubeconfig: string;
  readonly pod: PodAccess | undefined;
  readonly isOurs: boolean;
  readonly sizes: Sizes;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Options of {@linkcode startRig}. */
export interface RigOptions {
  readonly progress: Progress;
  /** Breaks the bench off, at the next wait. */
  readonly signal: AbortSignal;
}

/** Starts everything; the operator runs when this returns, and has run before: a first start reads cold files. */
export async function startRig(
  { operator, sizes }: BenchOptions,
  { progress, signal }: RigOptions,
): Promise<BenchRig> {
  const command = operator ?? await bundleOperator();
  const cluster = await startLocalCluster({
    signal,
    progress,
    nodes: 4,
    postgres: { maxConnections: 300, settings: { log_connections: "on" } },
  });
  const client = adminClient(cluster);
  try {
    await prepareForOperator(client, cluster);
    await ensureNamespace(client, NAMESPACE);
    const rig = new BenchRig({
      cluster,
      client,
      jobs: await startOdooJobs(cluster, { outcomeOf }),
      group: await startProcessGroup(),
      command,
      kubeconfig: await cluster.kubeconfigFor(OPERATOR_USER),
      pod: operator ? undefined : await podAccess(cluster, { namespace: OPERATOR_NAMESPACE, name: OPERATOR_USER }),
      isOurs: !operator,
      sizes,
      progress,
      signal,
    });
    await rig.restart();
    await rig.restart();
    return rig;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

function outcomeOf({ metadata: { labels } }: Stored<Pod>): Outcome | undefined {
  const { [INSTANCE_LABEL]: instance = "", [JOB_LABEL]: job = "" } = labels ?? {};
  if (job.startsWith(LONG_PREFIX)) return { delayMs: 30_000 };
  if (instance.startsWith(STAGGERED_PREFIX)) {
    return { delayMs: FIRST_END_MS + END_PACE_MS * Number(instance.slice(STAGGERED_PREFIX.length)) };
  }
  return instance.startsWith(SLOW_PREFIX) ? { delayMs: 1_000 } : undefined;
}

/** A cluster that is being measured. */
export class BenchRig implements AsyncDisposable {
  readonly cluster: LocalCluster;
  readonly client: Client;
  readonly seen: Sightings;
  readonly audit: AuditLog;
  readonly sizes: Sizes;
  readonly signal: AbortSignal;
  readonly group: ProcessGroup;
  /** How our own operator logs in, where this machine lets it log in as a pod. */
  readonly pod: PodAccess | undefined;
  /** Whether the operator is ours: others have neither our metrics nor our floor. */
  readonly isOurs: boolean;
  readonly #parts: RigParts;
  #operator: OperatorProcess | undefined;

  constructor(parts: RigParts) {
    this.#parts = parts;
    this.cluster = parts.cluster;
    this.client = parts.client;
    this.sizes = parts.sizes;
    this.signal = parts.signal;
    this.group = parts.group;
    this.pod = parts.pod;
    this.isOurs = parts.isOurs;
    this.audit = new AuditLog(parts.cluster.auditLog, OPERATOR_USER, ...(parts.pod ? [parts.pod.user] : []));
    this.seen = new Sightings(parts.client);
  }

  /** Of the running operator. */
  get pid(): number {
    if (!this.#operator) throw new Error("Cannot measure the operator: it does not run");
    return this.#operator.process.pid;
  }

  /**
   * Kills the operator if it runs, starts it, and resolves with the milliseconds until /readyz said ok.
   * `kubeconfig` replaces its own way in; `args` are further flags.
   */
  async restart(options: { readonly kubeconfig?: string; readonly args?: readonly string[] } = {}): Promise<number> {
    const { command, kubeconfig, group, pod } = this.#parts;
    this.signal.throwIfAborted();
    await this.#operator?.process.stop({ signal: "SIGKILL" });
    this.#operator = undefined;
    const startedMs = performance.now();
    this.#operator = await startOperator(this.cluster, {
      command,
      group,
      kubeconfig: options.kubeconfig ?? kubeconfig,
      pod: options.kubeconfig === undefined ? pod : undefined,
      args: options.args ?? [],
    });
    return performance.now() - startedMs;
  }

  /** What the Jobs of restores and refreshes find in the filestores. */
  get copies(): CopiesDouble {
    return this.#parts.jobs.copies;
  }

  /** Says where the bench is. */
  say(line: string): void {
    this.#parts.progress(line);
  }

  /** Waits until the operator has sent nothing for a while. */
  async untilQuiet(): Promise<void> {
    for (let mark = await this.audit.mark();; mark = await this.audit.mark()) {
      await this.pause(QUIET_MS);
      if ((await this.audit.since(mark)).requests === 0) return;
    }
  }

  /** Resident memory when the operator has been quiet for the time that is called rest. */
  async rssAtRestMiB(): Promise<number> {
    await this.untilQuiet();
    await this.pause(this.sizes.restSeconds * 1000);
    return (await memoryOf(this.pid)).rssMiB;
  }

  async pause(ms: number): Promise<void> {
    await pause(ms, { signal: this.signal });
    this.signal.throwIfAborted();
  }

  /** CPU seconds so far: of the cluster's programs, the operator, and this process, which is the bench and its double. */
  async workSoFar(): Promise<Readonly<Record<string, number>>> {
    const [programs, operator, bench] = await Promise.all([
      cpuSeconds(),
      cpuSecondsOf(this.pid),
      cpuSecondsOf(Deno.pid),
    ]);
    return { ...programs, operator, bench };
  }

  /** How often somebody logged in at PostgreSQL as its administrator, the bench aside. */
  async connectionsSoFar(): Promise<number> {
    const { logPath, adminUser } = this.cluster.postgres;
    const pattern = new RegExp(`authorized: user=${adminUser} (?!.*application_name=${BENCH_APPLICATION}( |$))`);
    return await matchingLines(logPath, pattern);
  }

  /** The text of /metrics; `undefined` of an operator that has other metrics than ours, or none. */
  async metrics(): Promise<string | undefined> {
    if (!this.isOurs || !this.#operator) return undefined;
    const response = await fetch(`${this.#operator.healthUrl}/metrics`);
    const text = await response.text();
    if (!response.ok) throw new Error(`Cannot read /metrics: HTTP ${response.status}`);
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { client, group, jobs } = this.#parts;
    await group.stop();
    await this.seen[Symbol.asyncDispose]();
    await jobs.stop();
    client.close();
    await this.cluster.stop();
  }
}
