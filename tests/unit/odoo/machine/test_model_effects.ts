/** TEST MODEL: what carrying out a plan does, when all goes well, when one effect fails, and when somebody was faster. */
import type { OdooInstanceStatus } from "../../../../src/odoo/crd/mod.ts";
import { conditionOf } from "../../../../src/kit/conditions.ts";
import { type Effect, inSteps, type Plan } from "../../../../src/odoo/model/plan.ts";
import { deploymentIn, type ModelState, type ModelStatus } from "./test_model.ts";
import {
  isRepeatable,
  placeOf,
  type Places,
  swapped,
  unswapped,
  without as withoutPlace,
  workOf,
} from "./test_model_copies.ts";
import { flat } from "../../../support/flat_effects.ts";

/** The API server or PostgreSQL refuses an effect: the steps behind it wait for the next reconcile. */
const REFUSED = Symbol("refused");

/** The state after the whole plan. `decidedOn` is the state that the plan was made for, if that was another one. */
export function carriedOut(state: ModelState, plan: Plan, decidedOn: ModelState = state): ModelState {
  let now: Progress = { state, decidedOn, refused: false };
  for (const step of inSteps(plan.effects)) if (!now.refused) now = afterStep(now, step);
  return now.state;
}

/** Every state in which a crash, or one effect that fails, can leave a reconcile. */
export function interrupted(state: ModelState, plan: Plan): ModelState[] {
  const states: ModelState[] = [];
  let now: Progress = { state, decidedOn: state, refused: false };
  for (const step of inSteps(plan.effects)) {
    if (now.refused) break;
    states.push(now.state);
    if (step.length > 1) {
      for (const failing of step) states.push(afterStep(now, step.filter((effect) => effect !== failing)).state);
    }
    now = afterStep(now, step);
  }
  return states;
}

interface Progress {
  readonly state: ModelState;
  /** What our own writes have made of the state that the plan was made for. */
  readonly decidedOn: ModelState;
  readonly refused: boolean;
}

/** As execute() does it: of a step everything is tried, and a refusal ends the plan behind its step. */
function afterStep(before: Progress, step: readonly Effect[]): Progress {
  let { state, decidedOn, refused } = before;
  for (const effect of step) {
    const next = afterEffect(state, effect, decidedOn);
    if (next === REFUSED) refused = true;
    else {
      if (effect.type === "status") decidedOn = { ...decidedOn, status: next.status };
      if (effect.type === "jobStatus") decidedOn = { ...decidedOn, requests: next.requests };
      state = next;
    }
  }
  return { state, decidedOn, refused };
}

function afterEffect(state: ModelState, planned: Effect, decidedOn: ModelState): ModelState | typeof REFUSED {
  const effect = flat(planned);
  switch (effect.type) {
    case "ensureUserSecret":
      return { ...state, [effect.username === "admin" ? "adminSecret" : "userSecret"]: true };
    case "ensureRole":
      return state.postgres === "answers" && state.userSecret ? { ...state, role: true } : REFUSED;
    case "ensureDatabase":
      return state.role ? withDatabases(state, { [placeOf(effect.database)]: "empty", ...state.databases }) : REFUSED;
    case "swapDatabase":
      return withDatabases(state, swapped(state.databases));
    case "unswapDatabase":
      return withDatabases(state, unswapped(state.databases));
    case "dropDatabase":
      return withDatabases(state, withoutPlace(state.databases, placeOf(effect.database)));
    case "dropRole":
      return state.postgres === "answers" && !Object.keys(state.databases).length ? { ...state, role: false } : REFUSED;
    case "renderConfig":
      return state.userSecret ? { ...state, configSecret: true } : REFUSED;
    case "apply":
    case "applyIfPresent":
      return afterApply(state, effect);
    case "create":
      return afterCreate(state, effect);
    case "deleteChild":
      if (effect.object.kind === "Job") return withoutJob(state, effect.object.metadata.name);
      return withoutDeployment(state, effect.object.metadata.name === "shop" ? "web" : "cron");
    case "releaseJob": {
      const jobs = state.jobs.map((job) => job.name === effect.job.metadata.name ? { ...job, held: false } : job);
      return { ...state, jobs };
    }
    case "jobStatus":
      return afterJobStatus(state, effect, decidedOn);
    case "status": {
      const unchanged = state.wish === decidedOn.wish && state.status === decidedOn.status &&
        state.deleting === decidedOn.deleting;
      return unchanged ? { ...state, status: remembered(effect.status) } : REFUSED; // it names the resourceVersion
    }
    case "removeFinalizer":
      return { ...state, gone: true };
    case "deleteRequest":
      return { ...state, requests: state.requests.filter(({ uid }) => uid !== effect.cr.metadata.uid) };
    case "deletePod": // its ReplicaSet makes another one that is not ready either
    case "event":
      return state;
    default:
      throw new Error(`Cannot carry out ${effect.type}: nothing in this model asks for it`);
  }
}

function afterApply(state: ModelState, effect: Effect & { type: "apply" | "applyIfPresent" }): ModelState {
  if (effect.object.kind === "PersistentVolumeClaim") {
    return effect.type === "apply" ? { ...state, claim: true } : state;
  }
  const deployment = deploymentIn(effect.object);
  if (!deployment) return state;
  const { name, replicas } = deployment;
  const former = name === "shop" ? state.web : state.cron;
  const next = replicas === 0 && former?.replicas ? withEnding(state, name) : state;
  if (name !== "shop") return { ...next, cron: { replicas } };
  return { ...next, web: { replicas, ready: Math.min(state.web?.ready ?? 0, replicas) } };
}

function withDatabases(state: ModelState, databases: Places | undefined): ModelState | typeof REFUSED {
  return state.postgres === "answers" && databases ? { ...state, databases } : REFUSED;
}

function afterCreate(state: ModelState, { object, owner }: Effect & { type: "create" }): ModelState {
  const name = object.metadata?.name ?? "";
  if (object.kind === "OdooInitJob") {
    if (state.requests.some((request) => request.name === name)) return state;
    const uid = `${state.spent.length}-${name}`; // one that is made again after it was withdrawn has another uid
    return { ...state, requests: [...state.requests, { name, uid }] };
  }
  if (state.jobs.some((job) => job.name === name)) return state;
  const work = workOf(name, owner.kind);
  return {
    ...state,
    jobs: [...state.jobs, { name, owner: owner.metadata.uid, work, state: "active", held: true }],
    created: isRepeatable(work) ? state.created : { ...state.created, [name]: (state.created[name] ?? 0) + 1 },
  };
}

function afterJobStatus(
  state: ModelState,
  { cr, status }: Effect & { type: "jobStatus" },
  decidedOn: ModelState,
): ModelState | typeof REFUSED {
  const { uid } = cr.metadata;
  const request = state.requests.find((other) => other.uid === uid);
  if (!request || request !== decidedOn.requests.find((other) => other.uid === uid)) return REFUSED;
  const { phase, jobName, message, progress } = status;
  const kept = {
    ...(phase ? { phase } : {}),
    ...(jobName ? { jobName } : {}),
    ...(message ? { message } : {}),
    ...(progress?.step ? { progress: { step: progress.step } } : {}),
  };
  return { ...state, requests: state.requests.map((other) => other === request ? { ...other, status: kept } : other) };
}

function remembered({ phase, dbInitialized, activeCluster, operation, conditions }: OdooInstanceStatus): ModelStatus {
  const ready = conditionOf(conditions ?? [], "Ready");
  return {
    ...(phase ? { phase } : {}),
    dbInitialized: dbInitialized === true,
    ...(activeCluster ? { activeCluster } : {}),
    ...(operation ? { operation } : {}),
    ...(ready?.reason === "DatabaseMissing" ? { missing: ready.message } : {}),
  };
}

/** As if somebody had deleted it: its pods end in their own time. */
export function withoutDeployment(state: ModelState, which: "web" | "cron"): ModelState {
  const { [which]: deployment, ...rest } = state;
  const name = which === "web" ? "shop" : "shop-cron";
  return deployment?.replicas ? withEnding(rest, name) : rest;
}

/** As if somebody had deleted it, finalizer and all: its pod ends in its own time. */
export function withoutJob(state: ModelState, name: string): ModelState {
  const job = state.jobs.find((job) => job.name === name);
  if (!job) return state;
  const jobs = state.jobs.filter((other) => other !== job);
  const lingers = state.lingering && job.state === "active";
  return lingers ? { ...state, jobs, orphans: [...state.orphans, job] } : { ...state, jobs };
}

function withEnding(state: ModelState, deployment: string): ModelState {
  return state.lingering ? { ...state, ending: [...new Set([...state.ending, deployment])].sort() } : state;
}
