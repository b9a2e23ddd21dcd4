/** TEST MODEL: one walk through all moments within a bound, and what it finds against the laws of the machine. */
import { conditionOf } from "../../../../src/kit/conditions.ts";
import type { OdooInstanceStatus, Phase } from "../../../../src/odoo/crd/mod.ts";
import { assess, transitionOf } from "../../../../src/odoo/machine/assess.ts";
import { guards } from "../../../../src/odoo/machine/guards.ts";
import { type PhaseRow, PHASES } from "../../../../src/odoo/model/phases.ts";
import { type Transition, TRANSITIONS } from "../../../../src/odoo/machine/transitions.ts";
import type { Plan } from "../../../../src/odoo/model/plan.ts";
import { explore, type Moment, type Start } from "./exploration.ts";
import { COPY_CALM_LAWS, COPY_MOMENT_LAWS, dropsOnlyLeftovers } from "./model_copy_laws.ts";
import {
  deploymentIn,
  FIRST_DATA_ASKED,
  type ModelState,
  NEW,
  OPERATIONS_ASKED,
  WEDGED_BY_UPSTREAM,
  worldOf,
} from "./test_model.ts";
import { ALL_PHASES, SERVING_PHASES } from "./worlds.ts";
import { flattened } from "../../../support/flat_effects.ts";

/** What a walk has seen. */
export interface ModelSurvey {
  readonly moments: readonly Moment[];
  readonly reached: ReadonlySet<Phase>;
  readonly fired: ReadonlySet<Transition>;
  /** By law: how many moments break it, and the story of the first. */
  readonly broken: ReadonlyMap<string, { readonly moments: number; readonly first: readonly string[] }>;
}

/** A sentence that is true of every moment and the decision made in it. */
type MomentLaw = (state: ModelState, plan: Plan) => boolean;

/** A sentence that is true of where a moment leads, if from then on nothing comes but what comes by itself. */
type CalmLaw = (calm: ModelState, status: OdooInstanceStatus | undefined) => boolean;

export const MOMENT_LAWS: Readonly<Record<string, MomentLaw>> = {
  ...COPY_MOMENT_LAWS,
  "creates one Job for a request, or one for each of its steps, even if somebody removes it": ({ created, spent }) =>
    spent.includes("unrecorded") || Object.values(created).every((jobs) => jobs === 1),
  "lets one Job at a time work in the database": ({ jobs }) =>
    jobs.filter(({ state }) => state === "active").length <= 1,
  "asks for no initialisation of what is initialised": ({ status }, plan) =>
    !status.dbInitialized ||
    plan.effects.every((effect) => effect.type !== "create" || effect.object.kind !== "OdooInitJob"),
  "does nothing that cannot be undone while PostgreSQL is not seen": (state, plan) =>
    state.postgres === "answers" ||
    flattened(plan.effects).every(({ type }) => !/^(drop|disown|deleteSecret)/.test(type)),
  "deletes nothing of an instance that stays, but what is history or was left by a copy": ({ deleting }, plan) =>
    deleting ||
    dropsOnlyLeftovers(plan) &&
      flattened(plan.effects).every((effect) =>
        effect.type === "deleteChild"
          ? effect.object.kind === "Job"
          : !/^(dropRole|delete(?!Request)|disown|removeFinalizer)/.test(effect.type)
      ),
  "stops no pod for something that is not seen": (state, plan) => {
    const { web } = state;
    const stops = plan.effects.some((effect) => {
      const applied = effect.type === "apply" ? deploymentIn(effect.object) : undefined;
      return applied?.name === "shop" && applied.replicas === 0 && (web?.replicas ?? 0) > 0;
    });
    const isWanted = state.wish.replicas === 0 || state.status.phase === "Stopped"; // that is what Stopped means
    return !stops || isSeen(state) || isWanted || !isServing(state.status.phase);
  },
  "takes no phase back for something that is not seen": (state, plan) => {
    const next = statusOf(plan)?.phase ?? state.status.phase;
    return isSeen(state) || !isServing(state.status.phase) || isServing(next);
  },
  "forgets that there is data only when the database is seen to be gone": (state, plan) =>
    !state.status.dbInitialized || statusOf(plan)?.dbInitialized !== false ||
    state.postgres === "answers" && !state.databases.live && state.wish.recreate,
  "keeps the finalizer of an instance whose database cannot be reached": (state, plan) =>
    state.postgres === "answers" || !state.status.activeCluster ||
    plan.effects.every(({ type }) => type !== "removeFinalizer"),
};

export const CALM_LAWS: Readonly<Record<string, CalmLaw>> = {
  ...COPY_CALM_LAWS,
  "leaves neither database nor role behind": ({ gone, role, databases }) =>
    !gone || !role && Object.keys(databases).length === 0,
  "comes to serve, or says why not": ({ gone }, status) => gone || isServingWell(status) || isExplained(status),
  "does not stay on its way without a reason": ({ gone }, status) => {
    const row: PhaseRow | undefined = status?.phase ? PHASES[status.phase] : undefined;
    const ready = conditionOf(status?.conditions ?? [], "Ready");
    const reachable = conditionOf(status?.conditions ?? [], "DatabaseReachable");
    return gone || !row?.progressing || ready?.reason !== status?.phase || reachable?.status !== "True";
  },
};

/** Where a calm that does not end would be told. */
export const COMES_TO_REST = "comes to rest: a reconcile after the last change changes nothing";
/** From wherever it is, repairs must help. */
export const HAS_A_WAY_BACK = "has a way to Running while it is not deleted, and an end when it is";

/**
 * Where stories begin: with lives, and with operations, before which a trouble has its turn in the lives already. Those in
 * which pods linger go a trouble further than the others, which are here for the phase that they begin in.
 */
export function startsOf(troubles: number): Start[] {
  return [
    { state: NEW, troubles: 0 },
    { state: WEDGED_BY_UPSTREAM, troubles: 0 },
    ...[...OPERATIONS_ASKED, ...FIRST_DATA_ASKED].map((state) => ({
      state,
      troubles: Math.min(state.lingering ? 1 : 2, troubles),
    })),
  ];
}

/** Walks through everything that at most `troubles` troubles can lead to. */
export function surveyModel(troubles: number, starts: readonly Start[] = startsOf(troubles)): ModelSurvey {
  const reached = new Set<Phase>();
  const fired = new Set<Transition>();
  const broken = new Map<string, { moments: number; first: readonly string[] }>();
  const suspects: (readonly [law: string, index: number])[] = [];
  const statuses: (OdooInstanceStatus | undefined)[] = [];
  const moments = explore(starts, {
    troubles,
    visit({ state, plan, index }) {
      statuses[index] = statusOf(plan);
      reached.add(state.status.phase ?? "Provisioning");
      const transition = state.deleting ? undefined : transitionOf(assess(worldOf(state)));
      if (transition && (transition.to === "settled" || statusOf(plan)?.phase === transition.to)) fired.add(transition);
      for (const [law, holds] of Object.entries(MOMENT_LAWS)) if (!holds(state, plan)) suspects.push([law, index]);
    },
  });
  const rests = restsOf(moments);
  moments.forEach((_, index) => {
    const rest = rests[index];
    if (rest === undefined) suspects.push([COMES_TO_REST, index]);
    const calm = rest === undefined ? undefined : moments[rest]?.state;
    if (!calm || rest === undefined) return;
    for (const [law, holds] of Object.entries(CALM_LAWS)) {
      if (!holds(calm, statuses[rest])) suspects.push([law, index]);
    }
  });
  for (const index of withoutWayBack(moments)) suspects.push([HAS_A_WAY_BACK, index]);
  for (const [law, index] of suspects) {
    const former = broken.get(law);
    broken.set(law, {
      moments: (former?.moments ?? 0) + 1,
      first: former?.first ?? [...moments[index]?.story() ?? [], JSON.stringify(moments[index]?.state)],
    });
  }
  return { moments, reached, fired, broken };
}

/** Migrations are not in the model, which has one cluster and one volume: tests/integration walks through them. */
export const MIGRATIONS: readonly Phase[] = [
  "FinalizingDatabaseMigration",
  "FinalizingFilestoreMigration",
  "MigratingDatabase",
  "MigratingFilestore",
];

/** Names of guards that fire no row of `fired`, but those of migrations. */
export function idleGuards({ fired }: Pick<ModelSurvey, "fired">): string[] {
  const used = new Set<string>([...fired].map(({ when }) => when));
  return Object.keys(guards).filter((guard) =>
    !used.has(guard) && !/database(Migration|Copied)|filestore/i.test(guard)
  );
}

/** Rows that no moment fires, but those of migrations. */
export function idleRows({ fired }: Pick<ModelSurvey, "fired">): Transition[] {
  const isOfMigration = (phase: string) => MIGRATIONS.some((migration) => migration === phase);
  return TRANSITIONS.filter((row) => !fired.has(row) && !isOfMigration(row.from) && !isOfMigration(row.to));
}

/** Phases that no moment is in. */
export function unreachedPhases({ reached }: ModelSurvey): Phase[] {
  return ALL_PHASES.filter((phase) => !reached.has(phase));
}

/** For each moment, the one where its calm ends; `undefined` if it goes round in circles. */
function restsOf(moments: readonly Moment[]): (number | undefined)[] {
  const rests: (number | undefined)[] = [];
  const known: boolean[] = [];
  moments.forEach((_, start) => {
    const path: number[] = [];
    const onPath = new Set<number>();
    let index = start;
    while (!known[index] && !onPath.has(index) && moments[index]?.calm !== index) {
      path.push(index);
      onPath.add(index);
      index = moments[index]?.calm ?? index;
    }
    const rest = known[index] ? rests[index] : onPath.has(index) ? undefined : index;
    for (const passed of [...path, index]) {
      rests[passed] = rest;
      known[passed] = true;
    }
  });
  return rests;
}

/** Moments from which no steps lead to an instance that runs well, or that is gone if it is being deleted. */
function withoutWayBack(moments: readonly Moment[]): number[] {
  const before: number[][] = moments.map(() => []);
  moments.forEach(({ next, calm }, index) => {
    for (const after of [...next, calm]) before[after]?.push(index);
  });
  const good = moments.flatMap(({ state }, index) => isGood(state) ? [index] : []);
  const saved = new Set(good);
  for (const index of saved) for (const former of before[index] ?? []) saved.add(former); // visits what is added
  return moments.flatMap((_, index) => saved.has(index) ? [] : [index]);
}

function isGood({ gone, deleting, status, web, spent }: ModelState): boolean {
  if (gone || deleting) return gone;
  // A person can ask for an initialisation again and again; in the model that is once.
  const waits = (status.phase === "InitFailed" || status.phase === "Uninitialized") && spent.includes("asked");
  return waits || status.phase === "Running" && !status.missing && (web?.ready ?? 0) > 0;
}

function isSeen({ postgres, wish }: ModelState): boolean {
  return postgres === "answers" && wish.valid;
}

function isServing(phase: Phase | null | undefined): boolean {
  return SERVING_PHASES.some((serving) => serving === phase);
}

function isServingWell(status: OdooInstanceStatus | undefined): boolean {
  return conditionOf(status?.conditions ?? [], "Ready")?.status === "True";
}

function isExplained(status: OdooInstanceStatus | undefined): boolean {
  const ready = conditionOf(status?.conditions ?? [], "Ready");
  return ready?.status === "False" && /^[A-Z]\w+$/.test(ready.reason) && ready.message.length > 0;
}

function statusOf(plan: Plan): OdooInstanceStatus | undefined {
  const effect = plan.effects.find(({ type }) => type === "status");
  return effect?.type === "status" ? effect.status : undefined;
}
