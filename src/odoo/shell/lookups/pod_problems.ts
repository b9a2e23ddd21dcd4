/**
 * Why the pods that an instance waits for do not run. The operator does not watch the pods of Deployments: most of them are
 * healthy, and there are many. They are listed after an instance has waited for eight seconds, then at growing intervals, and
 * sooner when their state has changed. Of an instance that waits for no pod, nothing is read and nothing is kept.
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
import type { CachedWorld, PodTroubles, StuckPod } from "../../model/world.ts";
import { type Answer, type Lookup, NOTHING_TO_ASK } from "./lookup.ts";

const FIRST_READ_MS = 8_000;
const LONGEST_PAUSE_MS = 60_000;

/** Further pods are not read: they most likely have the same problem, and a spec may ask for any number of them. */
const MOST_PODS = 50;

/** Events of equal content are aggregated, so this is more than any object has. */
const MOST_EVENTS = 100;

/** The events of further pods are not read. */
const MOST_PODS_WITH_EVENTS = 8;

/** What is known of the pods that an instance waits for. */
export interface PodFindings {
  readonly troubles: PodTroubles;
  readonly stuckPods: readonly StuckPod[];
}

/** Reads pods and their events. */
export interface PodReader {
  /** All pods of an instance. */
  pods(namespace: string, instance: string): Promise<readonly Stored<Pod>[]>;
  /** Events about failed attempts of a Job to create its pod, in no particular order. */
  refusals(job: Stored<Job>): Promise<readonly Stored<Event>[]>;
  /** Events about a pod, in no particular order. */
  events(pod: Stored<Pod>): Promise<readonly Stored<Event>[]>;
}

interface Memory {
  readonly situation: string;
  readonly findings: PodFindings;
  readonly dueMs: number;
  readonly pauseMs: number;
}

const NOTHING: PodFindings = { troubles: {}, stuckPods: [] };

/** What keeps the pods of an instance from running; no facts if it waits for none. */
export class PodProblemsLookup implements Lookup<CachedWorld, PodFindings> {
  readonly #memories = new Map<ObjectKey, Memory>();
  readonly #readerOf: (context: ReconcileContext) => PodReader;

  constructor(readerOf: (context: ReconcileContext) => PodReader = podReader) {
    this.#readerOf = readerOf;
  }

  async ask(world: CachedWorld, context: ReconcileContext): Promise<Answer<PodFindings>> {
    const key = keyOf(world.instance);
    if (world.instance.metadata.deletionTimestamp || awaitedPods(world).length === 0) {
      this.forget(key);
      return NOTHING_TO_ASK;
    }
    const { now } = world;
    const situation = podSituation(world);
    const held = this.#memories.get(key);
    const current = held?.situation === situation ? held : {
      situation,
      findings: held?.findings ?? NOTHING,
      dueMs: Math.min(held?.dueMs ?? Infinity, now + FIRST_READ_MS),
      pauseMs: FIRST_READ_MS,
    };
    const memory = current.dueMs > now ? current : {
      situation,
      findings: await tryRead(world, this.#readerOf(context)) ?? current.findings,
      dueMs: now + current.pauseMs,
      pauseMs: Math.min(2 * current.pauseMs, LONGEST_PAUSE_MS),
    };
    this.#memories.set(key, memory);
    return { facts: memory.findings, recheckAfterMs: memory.dueMs - now };
  }

  forget(key: ObjectKey): void {
    this.#memories.delete(key);
  }
}

/** The findings only explain a state, so a failed read delays nothing. */
async function tryRead(world: CachedWorld, reader: PodReader): Promise<PodFindings | undefined> {
  try {
    return await read(world, reader);
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

async function read(world: CachedWorld, reader: PodReader): Promise<PodFindings> {
  const { name, namespace = "" } = world.instance.metadata;
  const awaited = new Set(awaitedPods(world));
  const pods = await reader.pods(namespace, name);
  const stuck = await stuckAmong(pods, reader);
  const { job, web, cron } = troublesOf(pods, name, new Map(stuck.map(({ pod, problem }) => [pod, problem])));
  const waiting = awaitedJob(world);
  const jobTrouble = job ?? (waiting && !waiting.status?.active ? await refusalOf(waiting, reader) : undefined);
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
async function stuckAmong(pods: readonly Stored<Pod>[], reader: PodReader) {
  const asked = pods.filter(awaitsContainers).slice(0, MOST_PODS_WITH_EVENTS);
  return (await Promise.all(asked.map(async (pod) => {
    const problem = mountProblem(pod, oldestFirst(await reader.events(pod)).map(mountEventOf));
    return problem ? [{ pod, problem }] : [];
  }))).flat();
}

function identityOf({ metadata: { name, namespace, uid, resourceVersion } }: Stored<Pod>) {
  return { name, ...(namespace ? { namespace } : {}), uid, resourceVersion };
}

function mountEventOf({ reason = "", note = "", series, deprecatedCount }: Event): PodEvent {
  return { reason, note, times: series?.count ?? deprecatedCount ?? 1 };
}

/** The Job controller reports a refused pod in events only. */
async function refusalOf(job: Stored<Job>, reader: PodReader) {
  const last = oldestFirst(await reader.refusals(job)).at(-1);
  return last?.note ? podsRefused(`Job ${job.metadata.name}`, last.note) : undefined;
}

function oldestFirst(events: readonly Stored<Event>[]): Stored<Event>[] {
  const timeOf = ({ eventTime, deprecatedLastTimestamp, series }: Event) =>
    series?.lastObservedTime ?? deprecatedLastTimestamp ?? eventTime ?? "";
  return events.toSorted((a, b) => timeOf(a) < timeOf(b) ? -1 : 1);
}

/** Reads from the API server. */
function podReader({ client, signal }: ReconcileContext): PodReader {
  const eventsAbout = async ({ metadata: { namespace = "", uid } }: Stored<KubeObject>, further: string) => {
    const fieldSelector = `regarding.uid=${uid}${further}`;
    return (await client.list(Event, { namespace, fieldSelector, limit: MOST_EVENTS, signal })).items;
  };
  return {
    pods: async (namespace, instance) => {
      const labelSelector = `${INSTANCE_LABEL}=${instance}`;
      return (await client.list(Pod, { namespace, labelSelector, limit: MOST_PODS, signal })).items;
    },
    refusals: (job) => eventsAbout(job, ",reason=FailedCreate"),
    events: (pod) => eventsAbout(pod, ""),
  };
}
