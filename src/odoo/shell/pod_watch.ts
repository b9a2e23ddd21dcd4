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
  type ObjectKey,
  Pod,
  type ReconcileContext,
  type Stored,
} from "../../kit/mod.ts";
import { INSTANCE_LABEL } from "../model/names.ts";
import { awaitedJob, awaitedPods, podSituation, podsRefused, troublesOf } from "../model/pods.ts";
import type { PodTroubles, World } from "../model/world.ts";

const FIRST_LOOK_MS = 8_000;
const LONGEST_PAUSE_MS = 60_000;

/** More are not read: what is wrong with one of them is wrong with others, and somebody may want a million. */
const MOST_PODS = 50;

/** What is known, and when to ask again unless something happens before. */
export interface PodLook {
  readonly troubles: PodTroubles;
  readonly againAfterMs: number;
}

/** How pods and events are seen. */
export interface PodEyes {
  /** All pods of an instance. */
  pods(namespace: string, instance: string): Promise<readonly Stored<Pod>[]>;
  /** What is told of a Job's attempts to make its pod, in no particular order. */
  refusals(job: Stored<Job>): Promise<readonly Stored<Event>[]>;
}

interface Memory {
  readonly situation: string;
  readonly troubles: PodTroubles;
  readonly dueMs: number;
  readonly pauseMs: number;
}

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
      troubles: held?.troubles ?? {},
      dueMs: Math.min(held?.dueMs ?? Infinity, now + FIRST_LOOK_MS),
      pauseMs: FIRST_LOOK_MS,
    };
    const memory = current.dueMs > now ? current : {
      situation,
      troubles: await tryReadTroubles(world, eyes) ?? current.troubles,
      dueMs: now + current.pauseMs,
      pauseMs: Math.min(2 * current.pauseMs, LONGEST_PAUSE_MS),
    };
    this.#memories.set(key, memory);
    return { troubles: memory.troubles, againAfterMs: memory.dueMs - now };
  }

  /** Of an instance that is gone. */
  forget(key: ObjectKey): void {
    this.#memories.delete(key);
  }
}

/** An explanation that cannot be had must not keep anything from being done. */
async function tryReadTroubles(world: World, eyes: PodEyes): Promise<PodTroubles | undefined> {
  try {
    return await readTroubles(world, eyes);
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

async function readTroubles(world: World, eyes: PodEyes): Promise<PodTroubles> {
  const { name, namespace = "" } = world.instance.metadata;
  const awaited = new Set(awaitedPods(world));
  const pods = await eyes.pods(namespace, name);
  const { job, web, cron } = troublesOf(pods, name);
  const waiting = awaitedJob(world);
  const jobTrouble = job ?? (waiting && !waiting.status?.active ? await refusalOf(waiting, eyes) : undefined);
  return {
    ...(jobTrouble && awaited.has("job") ? { job: jobTrouble } : {}),
    ...(web && awaited.has("web") ? { web } : {}),
    ...(cron && awaited.has("cron") ? { cron } : {}),
  };
}

/** The Job controller tells of a refused pod in events only. */
async function refusalOf(job: Stored<Job>, eyes: PodEyes) {
  const events = [...await eyes.refusals(job)];
  const timeOf = ({ eventTime, deprecatedLastTimestamp, series }: Event) =>
    series?.lastObservedTime ?? deprecatedLastTimestamp ?? eventTime ?? "";
  const last = events.sort((a, b) => timeOf(a) < timeOf(b) ? -1 : 1).at(-1);
  return last?.note ? podsRefused(`Job ${job.metadata.name}`, last.note) : undefined;
}

/** Eyes that ask the API server. */
export function podEyes({ client, signal }: ReconcileContext): PodEyes {
  return {
    pods: async (namespace, instance) => {
      const labelSelector = `${INSTANCE_LABEL}=${instance}`;
      return (await client.list(Pod, { namespace, labelSelector, limit: MOST_PODS, signal })).items;
    },
    refusals: async ({ metadata: { namespace = "", uid } }) => {
      const fieldSelector = `regarding.uid=${uid},reason=FailedCreate`;
      const { items } = await client.list(Event, { namespace, fieldSelector, signal });
      return items;
    },
  };
}
