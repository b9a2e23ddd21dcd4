/**
 * An operator behind a fault proxy that shows it its own namespaces only: several of them share one cluster and know
 * nothing of each other. It can be killed in the middle of a request, and comes back by itself.
 */
import type { LocalCluster } from "../../dev/control_plane.ts";
import { type FaultProxy, type RequestRecord, startFaultProxy, WRITE_VERBS } from "../../dev/fault_proxy.ts";
import { OPERATOR_NAMESPACE, OPERATOR_USER, type OperatorProcess, startOperator } from "../../dev/operator.ts";
import { type ProcessGroup, startProcessGroup } from "../../dev/processes.ts";
import { eventually } from "./eventually.ts";

/** Options of {@linkcode startIsolatedOperator}. */
export interface IsolatedOperatorOptions {
  /** The program with its first arguments. @default {from source} */
  readonly command?: readonly string[];
}

/** Starts one; it sees the namespaces whose names begin with `prefix`, and its own. */
export async function startIsolatedOperator(
  cluster: LocalCluster,
  prefix: string,
  { command }: IsolatedOperatorOptions = {},
): Promise<IsolatedOperator> {
  const proxy = await startFaultProxy(await cluster.accessFor(OPERATOR_USER));
  const isForeign = (namespace: string | undefined) =>
    namespace !== undefined && namespace !== OPERATOR_NAMESPACE && !namespace.startsWith(prefix);
  proxy.onEvent({ where: ({ object }) => isForeign(object.metadata?.namespace) }, { type: "drop" });
  const kubeconfig = await proxy.writeKubeconfig(`${cluster.directory}/${prefix}.kubeconfig`);
  const operator = new IsolatedOperator({
    cluster,
    prefix,
    proxy,
    kubeconfig,
    command,
    group: await startProcessGroup(),
  });
  await operator.start();
  return operator;
}

interface IsolatedOperatorParts {
  readonly cluster: LocalCluster;
  readonly prefix: string;
  readonly proxy: FaultProxy;
  readonly kubeconfig: string;
  readonly command: readonly string[] | undefined;
  readonly group: ProcessGroup;
}

/** What {@linkcode startIsolatedOperator} starts. */
export class IsolatedOperator implements AsyncDisposable {
  /** What the names of its namespaces begin with. */
  readonly prefix: string;
  readonly proxy: FaultProxy;
  readonly #parts: IsolatedOperatorParts;
  readonly #logs: string[] = [];
  #running: Promise<OperatorProcess> | undefined;
  #readyAtMs = 0;

  constructor(parts: IsolatedOperatorParts) {
    this.#parts = parts;
    this.prefix = parts.prefix;
    this.proxy = parts.proxy;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    this.#running = this.#start();
    await this.#running;
  }

  /** Ends it with SIGKILL. When this returns it is dead, and the next one is starting. */
  async crash(): Promise<void> {
    const { process } = await this.#mustRun();
    await process.stop({ signal: "SIGKILL" });
    this.#running = this.#start();
    this.#running.catch(() => {}); // whoever waits for it is told
  }

  /** When the one that runs now was ready, in milliseconds of `performance.now()`. */
  async readyAtMs(): Promise<number> {
    await this.#mustRun();
    return this.#readyAtMs;
  }

  /** Its writes about a namespace since a moment; events for people, which it records in the background, do not count. */
  writes(namespace: string, sinceMs = 0): RequestRecord[] {
    const path = writesIn(namespace);
    return this.proxy.requests.filter((request) =>
      request.atMs >= sinceMs && WRITE_VERBS.includes(request.verb) && path.test(request.path)
    );
  }

  /** Resolves when nothing was written about a namespace for a while. */
  async quiet(namespace: string, forMs: number): Promise<void> {
    await eventually(`nothing is written about ${namespace} for ${forMs} ms`, () => {
      const last = this.writes(namespace, performance.now() - forMs).at(-1);
      if (last) throw new Error(`${last.verb} ${last.path}`);
      return true;
    }, { timeoutMs: 30_000 });
  }

  /** What all of its lives have logged as a warning or worse, but that they have no certificate for a webhook. */
  async complaints(): Promise<string[]> {
    const texts = await Promise.all(this.#logs.map((path) => Deno.readTextFile(path)));
    return texts.flatMap((text) => text.split("\n")).filter((line) =>
      !/^(\S+ (debug|info) .*)?$/.test(line) && !line.includes("there is no certificate")
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.group.stop();
    await this.proxy[Symbol.asyncDispose]();
  }

  async #start(): Promise<OperatorProcess> {
    const { cluster, kubeconfig, group, command } = this.#parts;
    const operator = await startOperator(cluster, { kubeconfig, group, ...(command ? { command } : {}) });
    this.#logs.push(operator.process.logPath);
    this.#readyAtMs = performance.now();
    return operator;
  }

  async #mustRun(): Promise<OperatorProcess> {
    if (!this.#running) throw new Error(`Cannot use operator ${this.prefix}: it was not started`);
    return await this.#running;
  }
}

/** Paths of the requests about a namespace's objects, events left out. */
export function writesIn(namespace: string): RegExp {
  return new RegExp(`^(?!.*/events).*/namespaces/${namespace}/`);
}
