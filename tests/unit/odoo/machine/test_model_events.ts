/** TEST MODEL: what users, Kubernetes and PostgreSQL may do to an instance at any moment, by a sentence. */
import type { ModelJob, ModelPostgres, ModelRequest, ModelState, ModelWish } from "./test_model.ts";

/** What happens; `undefined` where it cannot happen now. */
export type ModelEvent = (state: ModelState) => ModelState | undefined;

const BY_HAND: ModelRequest = { name: "by-hand", uid: "by-hand-uid" };

/** What nobody need fear: work that comes to its end, and repairs. */
export const ORDINARY: Readonly<Record<string, ModelEvent>> = {
  "a web pod becomes ready": (state) => withReady(state, 1),
  "a Job succeeds": (state) => state.database ? withJobEnded(state, "succeeded") : undefined,
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
    !state.database && state.role && state.status.dbInitialized ? { ...state, database: true } : undefined,
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
  "somebody deletes the web Deployment": ({ web, ...rest }) => web && rest,
  "a Job fails": (state) => withJobEnded(state, "failed"),
  "somebody removes a Job, its finalizer too": once("removed", withoutFirstJob),
  "PostgreSQL is silent": (state) => withPostgres(state, "silent"),
  "PostgreSQL refuses the login": (state) => withPostgres(state, "refuses"),
  "the cluster leaves the clusters Secret": (state) => withPostgres(state, "unlisted"),
  "the database is lost": once("lost", (state) => state.database ? { ...state, database: false } : undefined),
};

/** What comes by itself, given time: pods become ready, Jobs come to an end, what nobody owns is collected. */
export function patience(state: ModelState): ModelState {
  const { web } = state;
  const ready = web ? { ...state, web: { ...web, ready: web.replicas } } : state;
  const ended = withJobEnded(ready, ready.database ? "succeeded" : "failed") ?? ready;
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

function withJobEnded(state: ModelState, end: ModelJob["state"]): ModelState | undefined {
  const active = state.jobs.find((job) => job.state === "active");
  return active && { ...state, jobs: state.jobs.map((job) => job === active ? { ...job, state: end } : job) };
}

/** One that no status speaks of yet was never seen, for all that anybody can know: it may be created again. */
function withoutFirstJob(state: ModelState): ModelState | undefined {
  const [job, ...jobs] = state.jobs;
  if (!job) return undefined;
  const isRecorded = state.requests.some((cr) => (cr.status as { jobName?: string } | undefined)?.jobName === job.name);
  return { ...state, jobs, spent: isRecorded ? state.spent : [...state.spent, "unrecorded"] };
}

/** Jobs that we have let go, once they have ended or their request is gone. */
function collected(state: ModelState): ModelState | undefined {
  const kept = state.jobs.filter((job) =>
    job.held || job.state === "active" && state.requests.some(({ uid }) => uid === job.owner)
  );
  return kept.length === state.jobs.length ? undefined : { ...state, jobs: kept };
}
