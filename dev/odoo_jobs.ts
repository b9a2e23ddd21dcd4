/**
 * TEST DOUBLE: stands in for Odoo's containers on fake nodes. kwok starts the pods of our Jobs and leaves them running;
 * this does in the real PostgreSQL what the container would have done there, and then ends the pod like a kubelet.
 *
 * A pod ends as `outcomeOf` says, or as its annotation {@linkcode OUTCOME_ANNOTATION} (the same as JSON), else with
 * success after `delayMs`. If its work fails (a refused login, a missing Secret), the pod fails with that message.
 */
import type { ClusterAccess } from "../src/kit/credentials.ts";
import { Pod, Secret } from "../src/kit/builders/kinds.ts";
import { Informer } from "../src/kit/cache.ts";
import { createClient } from "../src/kit/client.ts";
import { pause } from "../src/kit/clock.ts";
import { INSTANCE_LABEL } from "../src/odoo/model/names.ts";
import { isNotFound, messageOf } from "../src/kit/errors.ts";
import { Slots } from "../src/kit/slots.ts";
import type { ObjectName, Stored } from "../src/kit/types.ts";
import { CopiesDouble } from "./odoo_copies.ts";
import { type Environment, type Image, initializeDatabase } from "./odoo_init.ts";
import { pretendBackup } from "./odoo_backup.ts";
import { upgradeDatabase } from "./odoo_upgrade.ts";

/** Pod annotation with an {@linkcode Outcome} as JSON. */
export const OUTCOME_ANNOTATION = "bemade.org/test-outcome";

/** PostgreSQL has 200 connections by default, and the operator wants some, too. */
const MAX_WORKING = 40;

/** After a refused status write. */
const RETRY_MS = 250;

/** How a pod ends. */
export interface Outcome {
  /** Other than 0: the pod fails and nothing is done. @default {0} */
  readonly exitCode?: number;
  /** The termination message. @default {what the work returned} */
  readonly message?: string;
  /** What the kubelet calls the end. @default {"Completed" or "Error"} */
  readonly reason?: string;
  /** What the image makes of the modules. @default {it has them all} */
  readonly image?: Image;
  /** @default {the `delayMs` of all pods} */
  readonly delayMs?: number;
}

interface End {
  readonly exitCode: number;
  readonly message: string;
  readonly reason?: string | undefined;
}

/** What a container does: the termination message, or an error that becomes one. */
export type Work = (environment: Environment, image: Image, pod: Stored<Pod>) => Promise<string>;

/** Options of {@linkcode startOdooJobs}. */
export interface OdooJobsOptions {
  /** Between the start of a container and its end. @default {200} */
  readonly delayMs?: number;
  /** How this pod ends; undefined for the default. */
  readonly outcomeOf?: (pod: Stored<Pod>) => Outcome | undefined;
  /** By name of the container; added to those of the doubles. */
  readonly work?: Readonly<Record<string, Work>>;
}

/** The running double. */
export interface OdooJobs extends AsyncDisposable {
  /** What restores and refreshes have done to files. */
  readonly copies: CopiesDouble;
  /** How many pods it has ended. */
  readonly finished: number;
  /** Leaves the pods that still run as they are. */
  stop(): Promise<void>;
}

/** Starts ending the pods of Jobs that belong to an instance, those that run already included. */
export async function startOdooJobs(
  cluster: { readonly access: ClusterAccess },
  options: OdooJobsOptions = {},
): Promise<OdooJobs> {
  const double = new OdooJobsDouble(cluster.access, options);
  await double.start();
  return double;
}

class OdooJobsDouble implements OdooJobs {
  finished = 0;
  readonly copies = new CopiesDouble();
  readonly #client: ReturnType<typeof createClient>;
  readonly #pods: Informer<Pod>;
  readonly #options: OdooJobsOptions;
  readonly #work: Readonly<Record<string, Work>>;
  readonly #ending = new AbortController();
  /** By uid, so that an event that repeats "running" starts nothing. */
  readonly #seen = new Map<string, Promise<void>>();
  readonly #slots = new Slots(MAX_WORKING);
  #watching: Promise<void> | undefined;

  constructor(access: ClusterAccess, options: OdooJobsOptions) {
    this.#options = options;
    this.#work = {
      init: initializeDatabase,
      upgrade: upgradeDatabase,
      backup: pretendBackup,
      ...this.copies.work,
      ...options.work,
    };
    this.#client = createClient(access, { fieldManager: "odoo-jobs" });
    this.#pods = new Informer(this.#client, Pod, { labelSelector: INSTANCE_LABEL });
  }

  async start(): Promise<void> {
    this.#pods.store.onChange(({ object, deleted }) => this.#podChanged(object, deleted));
    this.#watching = this.#pods.run(this.#ending.signal);
    await this.#pods.whenSynced(this.#ending.signal);
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#watching;
    await Promise.all(this.#seen.values());
    this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #podChanged(pod: Stored<Pod>, deleted: boolean): void {
    const { uid } = pod.metadata;
    if (deleted) this.#seen.delete(uid);
    if (deleted || this.#seen.has(uid) || !isRunningJobPod(pod)) return;
    this.#seen.set(uid, this.#play(pod));
  }

  async #play(pod: Stored<Pod>): Promise<void> {
    const end = await this.#endOf(pod).catch((error) => ({ exitCode: 1, message: messageOf(error) }));
    await this.#finish(pod, end);
  }

  /** Waits and works as the container would, and tells how it ended. */
  async #endOf(pod: Stored<Pod>): Promise<End> {
    const outcome = this.#options.outcomeOf?.(pod) ?? annotatedOutcome(pod);
    const { exitCode = 0, message, reason, delayMs = this.#options.delayMs ?? 200 } = outcome;
    await this.#pause(delayMs);
    if (exitCode !== 0 || this.#ending.signal.aborted) return { exitCode, message: message ?? "", reason };
    const done = await this.#slots.use(() => this.#workOf(pod, outcome.image ?? {}));
    return { exitCode, message: message ?? done, reason };
  }

  async #workOf(pod: Stored<Pod>, image: Image): Promise<string> {
    const container = pod.spec?.containers[0];
    const work = this.#work[container?.name ?? ""];
    if (!work) throw new Error(`dev/odoo_jobs.ts has no double for a container named ${container?.name}`);
    return await work(await this.#environmentOf(pod), image, pod);
  }

  /** The variables of all containers, of the first one before the others: plain values and those from Secrets, as the kubelet resolves them. */
  async #environmentOf(pod: Stored<Pod>): Promise<Environment> {
    const { namespace = "default" } = pod.metadata;
    const environment: Record<string, string> = {};
    const variables = pod.spec?.containers.toReversed().flatMap(({ env = [] }) => env) ?? [];
    for (const { name, value, valueFrom } of variables) {
      const ref = valueFrom?.secretKeyRef;
      if (!ref) {
        environment[name] = value ?? "";
        continue;
      }
      const secret = await this.#secret({ namespace, name: ref.name ?? "" });
      const encoded = secret.data?.[ref.key];
      if (encoded === undefined) throw new Error(`couldn't find key ${ref.key} in Secret ${namespace}/${ref.name}`);
      environment[name] = new TextDecoder().decode(Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)));
    }
    return environment;
  }

  /** Like a kubelet, waits for an API server that is away. */
  async #secret(name: ObjectName): Promise<Secret> {
    for (;;) {
      try {
        return await this.#client.get(Secret, name);
      } catch (error) {
        if (isNotFound(error) || this.#ending.signal.aborted) throw error;
        await this.#pause(RETRY_MS);
      }
    }
  }

  /** Writes the end of the pod into its status, again and again until the server takes it or the pod is gone. */
  async #finish(pod: Stored<Pod>, end: End): Promise<void> {
    const { namespace = "default", name, uid } = pod.metadata;
    while (!this.#ending.signal.aborted && this.#seen.has(uid)) {
      try {
        await this.#client.patch(Pod, { namespace, name }, [
          { op: "test", path: "/metadata/uid", value: uid },
          { op: "replace", path: "/status/phase", value: end.exitCode === 0 ? "Succeeded" : "Failed" },
          { op: "replace", path: "/status/conditions", value: endedConditions(pod) },
          { op: "replace", path: "/status/containerStatuses", value: terminatedStatuses(pod, end) },
        ], { subresource: "status" });
        this.finished++;
        return;
      } catch {
        await this.#pause(RETRY_MS); // the server is away, or someone wrote at the same moment
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return pause(ms, { signal: this.#ending.signal });
  }
}

function isRunningJobPod({ metadata, status }: Stored<Pod>): boolean {
  const ofJob = metadata.ownerReferences?.some(({ kind }) => kind === "Job") ?? false;
  return ofJob && status?.phase === "Running" && !metadata.deletionTimestamp;
}

function annotatedOutcome(pod: Stored<Pod>): Outcome {
  const text = pod.metadata.annotations?.[OUTCOME_ANNOTATION];
  return text ? JSON.parse(text) as Outcome : {};
}

function terminatedStatuses(pod: Stored<Pod>, { exitCode, message, reason }: End) {
  const finishedAt = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  return (pod.status?.containerStatuses ?? []).map((container) => ({
    ...container,
    ready: false,
    started: false,
    state: {
      terminated: {
        exitCode,
        message,
        reason: reason ?? (exitCode === 0 ? "Completed" : "Error"),
        startedAt: container.state?.running?.startedAt ?? finishedAt,
        finishedAt,
      },
    },
  }));
}

function endedConditions(pod: Stored<Pod>) {
  return (pod.status?.conditions ?? []).map((condition) =>
    condition.type === "Ready" || condition.type === "ContainersReady"
      ? { ...condition, status: "False", reason: "PodCompleted" }
      : condition
  );
}
