/** What the bench sees by watching: when each instance reached what, and what the Deployments are set to. */
import {
  type Client,
  type Deployment,
  Deployment as Deployments,
  Job as Jobs,
  type KubeObject,
  type ResourceType,
  type Stored,
  watchObjects,
} from "../../src/kit/mod.ts";
import type { OdooInstance } from "../../src/odoo/crd/mod.ts";
import { INSTANCE_LABEL } from "../../src/odoo/model/names.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";

/** When each instance was first seen to reach something, in milliseconds of performance.now(). */
export class Sightings implements AsyncDisposable {
  readonly phases = new Map<string, Map<string, number>>();
  readonly jobDone = new Map<string, number>();
  readonly webReady = new Map<string, number>();
  /** The phase of each instance that is there. */
  readonly current = new Map<string, string>();
  /** How many web pods serve, as the status of each Running instance says. */
  readonly serving = new Map<string, number>();
  /** What each Deployment's spec asks for. */
  readonly replicas = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  readonly #ending = new AbortController();
  readonly #watches: readonly Promise<void>[];

  constructor(client: Client) {
    const { signal } = this.#ending;
    this.#watches = [
      follow(client, OdooInstanceKind, (object, deleted) => this.#instance(object, deleted), signal),
      follow(client, Jobs, (object) => this.#job(object), signal),
      follow(client, Deployments, (object) => this.#deployment(object), signal),
    ];
  }

  /** From a sighting to the phase that answers it, for all instances that have both. */
  latencies(from: ReadonlyMap<string, number>, phase: string): number[] {
    return [...from].flatMap(([name, at]) => {
      const reached = this.phases.get(name)?.get(phase);
      return reached === undefined ? [] : [Math.max(0, reached - at)];
    });
  }

  /** Resolves as soon as `isSo`, asked whenever something was seen, or when the time is over; with whether it is so. */
  async until(isSo: () => boolean, timeoutMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const listener = () => isSo() && resolve();
    const timer = setTimeout(resolve, timeoutMs);
    this.#listeners.add(listener);
    listener();
    await promise;
    this.#listeners.delete(listener);
    clearTimeout(timer);
    return isSo();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#watches);
  }

  #instance(instance: Stored<OdooInstance>, deleted: boolean): void {
    const { name } = instance.metadata;
    const phase = instance.status?.phase ?? "";
    if (deleted) this.current.delete(name);
    else this.current.set(name, phase);
    this.serving.set(name, phase === "Running" && !deleted ? instance.status?.readyReplicas ?? 0 : 0);
    const phases = this.phases.get(name) ?? new Map<string, number>();
    if (!phases.has(phase)) phases.set(phase, performance.now());
    this.phases.set(name, phases);
    this.#tell();
  }

  #job(job: Stored<Jobs>): void {
    const done = job.status?.conditions?.some(({ type, status }) => type === "Complete" && status === "True");
    const name = job.metadata.labels?.[INSTANCE_LABEL] ?? "";
    if (done && !this.jobDone.has(name)) this.jobDone.set(name, performance.now());
  }

  #deployment({ metadata: { name }, spec, status }: Stored<Deployment>): void {
    this.replicas.set(name, spec?.replicas ?? 0);
    const ready = (spec?.replicas ?? 0) > 0 && (status?.readyReplicas ?? 0) >= (spec?.replicas ?? 0);
    if (ready && !name.endsWith("-cron") && !this.webReady.has(name)) this.webReady.set(name, performance.now());
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

async function follow<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  tell: (object: Stored<T>, deleted: boolean) => void,
  signal: AbortSignal,
): Promise<void> {
  for await (const event of watchObjects(client, type, { signal })) {
    if (event.type === "restarted") { for (const object of event.objects) tell(object, false); }
    if (event.type === "applied" || event.type === "deleted") tell(event.object, event.type === "deleted");
  }
}
