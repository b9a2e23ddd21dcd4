/** TEST MODEL: what users, Kubernetes and PostgreSQL may do to an instance at any moment, by a sentence. */
import { INSTANCE_UID } from "../../../support/builders.ts";
import type { ModelJob, ModelPostgres, ModelRequest, ModelState, ModelWish } from "./test_model.ts";
import { without, workDone, workHalfDone } from "./test_model_copies.ts";
import { withoutDeployment, withoutJob } from "./test_model_effects.ts";

/** What happens; `undefined` where it cannot happen now. */
export type ModelEvent = (state: ModelState) => ModelState | undefined;

const BY_HAND: ModelRequest = { name: "by-hand", uid: "by-hand-uid" };

/** What nobody need fear: work that comes to its end, and repairs. */
export const ORDINARY: Readonly<Record<string, ModelEvent>> = {
  "a web pod becomes ready": (state) => withReady(state, 1),
  "a Job succeeds": withJobSucceeded,
  "the last pods end": (state) => state.ending.length ? { ...state, ending: [] } : undefined,
  "a pod without a Job ends": ({ orphans: [orphan, ...orphans], ...state }) => orphan && { ...state, orphans },
  "the garbage collector comes by": collected,
  "the user wants pods": (state) => wishing(state, { replicas: 2 }),
  "the user wants a new database for a lost one": (state) => wishing(state, { recreate: true }),
  "the user mends the spec": (state) => wishing(state, { valid: true }),
  "the user asks for an initialisation": once("asked", (state) => ({
    ...state,
    requests: [...state.requests, BY_HAND],
  })),
  "PostgreSQL answers": (state) => withPostgres(state, "answers"),
  "the database is restored": (state) =>
    !state.databases.live && !state.status.operation && state.role && state.status.dbInitialized
      ? { ...state, databases: { ...state.databases, live: state.files.live === "copy" ? "copy" : "former" } }
      : undefined,
};

/** What may come between. */
export const TROUBLES: Readonly<Record<string, ModelEvent>> = {
  "the user wants no pods": (state) => wishing(state, { replicas: 0 }),
  "the user breaks the spec": (state) => wishing(state, { valid: false }),
  "the user deletes the last request": once(
    "withdrawn",
    (state) => state.requests.length ? { ...state, requests: state.requests.slice(0, -1) } : undefined,
  ),
  "the user deletes the instance": (state) => state.deleting ? undefined : { ...state, deleting: true },
  "a web pod fails": (state) => withReady(state, -1),
  "somebody deletes the web Deployment": (state) => state.web && withoutDeployment(state, "web"),
  "a Job fails": (state) => remembered(withJobEnded(state, "failed"), activeJob(state)),
  "a Job fails half-way": (state) => halfDone(state, activeJob(state)) && withJobFailedHalfWay(state),
  "a pod without a Job ends in the middle of its work": (state) => {
    const [orphan, ...orphans] = state.orphans;
    return halfDone({ ...state, orphans }, orphan);
  },
  "a pod without a Job does all its work": (state) => {
    const [orphan, ...orphans] = state.orphans;
    const after = orphan && workDone(state, orphan.work);
    return after && { ...state, ...after, orphans };
  },
  "somebody removes a Job, its finalizer too": once("removed", withoutFirstJob),
  "somebody deletes the instance that is copied": once(
    "no source",
    (state) => state.requests.some(({ kind }) => kind === "OdooStagingRefreshJob") ? state : undefined,
  ),
  "PostgreSQL is silent": (state) => withPostgres(state, "silent"),
  "PostgreSQL refuses the login": (state) => withPostgres(state, "refuses"),
  "the cluster leaves the clusters Secret": (state) => withPostgres(state, "unlisted"),
  "the database is lost": once(
    "lost",
    (state) => state.databases.live ? { ...state, databases: without(state.databases, "live") } : undefined,
  ),
};

/** What comes by itself, given time: pods become ready, Jobs come to an end, what nobody owns is collected. */
export function patience(state: ModelState): ModelState {
  const { web } = state;
  const ready = web ? { ...state, web: { ...web, ready: web.replicas } } : state;
  const alone = { ...ready, ending: [], orphans: [] };
  const ended = withJobSucceeded(alone) ?? withJobEnded(alone, "failed") ?? alone;
  return collected(ended) ?? ended;
}

/** An event that happens once in a story: again and again it would never end. */
function once(name: string, event: ModelEvent): ModelEvent {
  return (state) => {
    const after = state.spent.includes(name) ? undefined : event(state);
    return after && { ...after, spent: [...after.spent, name].toSorted() };
  };
}

function wishing(state: ModelState, change: Partial<ModelWish>): ModelState | undefined {
  const wish = { ...state.wish, ...change };
  return JSON.stringify(wish) === JSON.stringify(state.wish) ? undefined : { ...state, wish };
}

function withReady(state: ModelState, more: number): ModelState | undefined {
  const { web } = state;
  const ready = (web?.ready ?? 0) + more;
  return web && ready >= 0 && ready <= web.replicas ? { ...state, web: { ...web, ready } } : undefined;
}

function withPostgres(state: ModelState, postgres: ModelPostgres): ModelState | undefined {
  return state.postgres === postgres ? undefined : { ...state, postgres };
}

function activeJob({ jobs }: ModelState): ModelJob | undefined {
  return jobs.find(({ state }) => state === "active");
}

function withJobEnded(state: ModelState, end: ModelJob["state"]): ModelState | undefined {
  const active = activeJob(state);
  return active && { ...state, jobs: state.jobs.map((job) => job === active ? { ...job, state: end } : job) };
}

/** A removal that has failed, or was itself removed, leaves what nothing may tell of later. */
function remembered(after: ModelState | undefined, lost: ModelJob | undefined): ModelState | undefined {
  if (!after || !lost?.work.startsWith("clean-")) return after;
  return { ...after, spent: [...new Set([...after.spent, `${lost.work} lost`])].toSorted() };
}

function withJobSucceeded(state: ModelState): ModelState | undefined {
  const active = activeJob(state);
  const after = active && workDone(state, active.work);
  return after && withJobEnded({ ...state, ...after }, "succeeded");
}

function withJobFailedHalfWay(state: ModelState): ModelState | undefined {
  return withJobEnded(halfDone(state, activeJob(state)) ?? state, "failed");
}

function halfDone(state: ModelState, job: ModelJob | undefined): ModelState | undefined {
  const after = job && workHalfDone(state, job.work);
  return after && { ...state, ...after };
}

/** One that no status speaks of yet was never seen, for all that anybody can know: it may be created again. */
function withoutFirstJob(state: ModelState): ModelState | undefined {
  const [job] = state.jobs;
  if (!job) return undefined;
  const isRecorded = state.requests.some((cr) => (cr.status as { jobName?: string } | undefined)?.jobName === job.name);
  const after = remembered(withoutJob(state, job.name), job);
  return isRecorded || !after ? after : { ...after, spent: [...after.spent, "unrecorded"] };
}

/** Jobs that we have let go, once they have ended or their owner is gone. */
function collected(state: ModelState): ModelState | undefined {
  const isOwned = ({ owner }: ModelJob) => owner === INSTANCE_UID || state.requests.some(({ uid }) => uid === owner);
  const going = state.jobs.filter((job) => !job.held && (job.state !== "active" || !isOwned(job)));
  return going.length ? going.reduce((rest, { name }) => withoutJob(rest, name), state) : undefined;
}
