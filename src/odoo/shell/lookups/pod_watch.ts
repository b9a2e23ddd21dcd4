/**
 * Pods that somebody waits for → why they do not work. Nobody watches the pods of Deployments: most of them are healthy,
 * and there are many. They are read when an instance has waited for eight seconds, then after ever longer pauses, and
 * sooner when something has moved. Of an instance that waits for nothing, nothing is read and nothing is kept.
 */
import {
  ApiError,
  Event,
  type Job,
  keyOf,
  type KubeObject,
  type ObjectKey,
  Pod,
  type ReconcileContext,
  type Stored,
} from "../../../kit/mod.ts";
import { INSTANCE_LABEL } from "../../model/names.ts";
import { awaitsContainers, isRecreated, mountProblem, type PodEvent } from "../../model/pods/mounts.ts";
import { awaitedJob, awaitedPods, podSituation, podsRefused, troublesOf } from "../../model/pods/pods.ts";
import type { PodTroubles, StuckPod, World } from "../../model/world.ts";

const FIRST_LOOK_MS = 8_000;
const LONGEST_PAUSE_MS = 60_000;

/** More are not read: what is wrong with one of them is wrong with others, and somebody may want a million. */
const MOST_PODS = 50;

/** Equal events are one, so this is more than anything has. */
const MOST_EVENTS = 100;

/** Of more nobody asks what is told of them. */
const MOST_PODS_ASKED = 8;

/** What is known. */
interface PodFindings {
  readonly troubles: PodTroubles;
  readonly stuckPods: readonly StuckPod[];
}

/** What is known, and when to ask again unless something happens before. */
export interface PodLook extends PodFindings {
  readonly againAfterMs: number;
}

/** How pods and events are seen. */
export interface PodEyes {
  /** All pods of an instance. */
  pods(namespace: string, instance: string): Promise<readonly Stored<Pod>[]>;
  /** What is told of a Job's attempts to make its pod, in no particular order. */
  refusals(job: Stored<Job>): Promise<readonly Stored<Event>[]>;
  /** What is told of a pod, in no particular order. */
  news(pod: Stored<Pod>): Promise<readonly Stored<Event>[]>;
}

interface Memory {
  readonly situation: string;
  readonly findings: PodFindings;
  readonly dueMs: number;
  readonly pauseMs: number;
}

const NOTHING: PodFindings = { troubles: {}, stuckPods: [] };

/** Looks at the pods, as seldom as a person's patience allows. */
export class PodWatch {
  readonly #memories = new Map<ObjectKey, Memory>();

  /** What keeps the pods of an instance; `undefined` if nobody waits for them. */
  async look(world: World, eyes: PodEyes): Promise<PodLook | undefined> {
    const key = keyOf(world.instance);
    if (world.instance.metadata.deletionTimestamp || awaitedPods(world).length === 0) {
      this.forget(key);
      return undefined;
    }
    const { now } = world;
    const situation = podSituation(world);
    const held = this.#memories.get(key);
    const current = held?.situation === situation ? held : {
      situation,
      findings: held?.findings ?? NOTHING,
      dueMs: Math.min(held?.dueMs ?? Infinity, now + FIRST_LOOK_MS),
      pauseMs: FIRST_LOOK_MS,
    };
    const memory = current.dueMs > now ? current : {
      situation,
      findings: await tryRead(world, eyes) ?? current.findings,
      dueMs: now + current.pauseMs,
      pauseMs: Math.min(2 * current.pauseMs, LONGEST_PAUSE_MS),
    };
    this.#memories.set(key, memory);
    return { ...memory.findings, againAfterMs: memory.dueMs - now };
  }

  /** Of an instance that is gone. */
  forget(key: ObjectKey): void {
    this.#memories.delete(key);
  }
}

/** An explanation that cannot be had must not keep anything from being done. */
async function tryRead(world: World, eyes: PodEyes): Promise<PodFindings | undefined> {
  try {
    return await read(world, eyes);
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

async function read(world: World, eyes: PodEyes): Promise<PodFindings> {
  const { name, namespace = "" } = world.instance.metadata;
  const awaited = new Set(awaitedPods(world));
  const pods = await eyes.pods(namespace, name);
  const stuck = await stuckAmong(pods, eyes);
  const { job, web, cron } = troublesOf(pods, name, new Map(stuck.map(({ pod, problem }) => [pod, problem])));
  const waiting = awaitedJob(world);
  const jobTrouble = job ?? (waiting && !waiting.status?.active ? await refusalOf(waiting, eyes) : undefined);
  return {
    troubles: {
      ...(jobTrouble && awaited.has("job") ? { job: jobTrouble } : {}),
      ...(web && awaited.has("web") ? { web } : {}),
      ...(cron && awaited.has("cron") ? { cron } : {}),
    },
    stuckPods: stuck.filter(({ pod }) => isRecreated(pod, name)).map(({ pod, problem }) => ({
      pod: { metadata: identityOf(pod) },
      message: problem.message,
    })),
  };
}

/** The pods that wait for a volume, and why. */
async function stuckAmong(pods: readonly Stored<Pod>[], eyes: PodEyes) {
  const asked = pods.filter(awaitsContainers).slice(0, MOST_PODS_ASKED);
  return (await Promise.all(asked.map(async (pod) => {
    const problem = mountProblem(pod, inOrder(await eyes.news(pod)).map(newsOf));
    return problem ? [{ pod, problem }] : [];
  }))).flat();
}

function identityOf({ metadata: { name, namespace, uid, resourceVersion } }: Stored<Pod>) {
  return { name, ...(namespace ? { namespace } : {}), uid, resourceVersion };
}

function newsOf({ reason = "", note = "", series, deprecatedCount }: Event): PodEvent {
  return { reason, note, times: series?.count ?? deprecatedCount ?? 1 };
}

/** The Job controller tells of a refused pod in events only. */
async function refusalOf(job: Stored<Job>, eyes: PodEyes) {
  const last = inOrder(await eyes.refusals(job)).at(-1);
  return last?.note ? podsRefused(`Job ${job.metadata.name}`, last.note) : undefined;
}

/** Oldest first. */
function inOrder(events: readonly Stored<Event>[]): Stored<Event>[] {
  const timeOf = ({ eventTime, deprecatedLastTimestamp, series }: Event) =>
    series?.lastObservedTime ?? deprecatedLastTimestamp ?? eventTime ?? "";
  return events.toSorted((a, b) => timeOf(a) < timeOf(b) ? -1 : 1);
}

/** Eyes that ask the API server. */
export function podEyes({ client, signal }: ReconcileContext): PodEyes {
  const events = async ({ metadata: { namespace = "", uid } }: Stored<KubeObject>, further: string) => {
    const fieldSelector = `regarding.uid=${uid}${further}`;
    return (await client.list(Event, { namespace, fieldSelector, limit: MOST_EVENTS, signal })).items;
  };
  return {
    pods: async (namespace, instance) => {
      const labelSelector = `${INSTANCE_LABEL}=${instance}`;
      return (await client.list(Pod, { namespace, labelSelector, limit: MOST_PODS, signal })).items;
    },
    refusals: (job) => events(job, ",reason=FailedCreate"),
    news: (pod) => events(pod, ""),
  };
}
