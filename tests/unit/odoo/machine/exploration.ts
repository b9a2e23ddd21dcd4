/** TEST MODEL: every moment that events, reconciles, crashes and races in any order can lead to. */
import { decide } from "../../../../src/odoo/machine/decide.ts";
import type { Plan } from "../../../../src/odoo/model/plan.ts";
import { type ModelState, worldOf } from "./test_model.ts";
import { carriedOut, interrupted } from "./test_model_effects.ts";
import { type ModelEvent, ORDINARY, patience, TROUBLES } from "./test_model_events.ts";

/** A moment, what may follow, and what does follow if nothing more happens than what comes by itself. */
export interface Moment {
  readonly state: ModelState;
  /** How it came to this, for people; empty at the start. */
  readonly story: () => string[];
  /** Moments that one step leads to. */
  readonly next: readonly number[];
  /** The moment after a whole reconcile and some patience. */
  readonly calm: number;
}

/** A machine that goes on making new things for ever is told so, before the memory is full. */
const MOST_MOMENTS = 400_000;

/** Told of each moment once, with the decision made in it. */
export type Visitor = (moment: { readonly state: ModelState; readonly plan: Plan; readonly index: number }) => void;

interface Step {
  readonly how: string;
  readonly after: ModelState;
  readonly troubles: number;
}

interface Found {
  readonly state: ModelState;
  readonly from?: number;
  readonly how: string;
  troubles: number;
}

/** Where a walk begins, and how many troubles there have been before. */
export interface Start {
  readonly state: ModelState;
  readonly troubles: number;
}

/**
 * Walks from `starts` to every moment that at most `troubles` troubles lead to. An instance that is gone leads nowhere.
 * Moments are expanded with the fewest troubles that lead there, so the walk is complete within its bound.
 */
export function explore(
  starts: readonly Start[],
  { troubles: most, visit }: { readonly troubles: number; readonly visit: Visitor },
): Moment[] {
  const indexes = new Map<string, number>();
  const found: Found[] = [];
  const moments: Moment[] = [];
  const waiting: number[][] = Array.from({ length: most + 1 }, () => []);
  const indexOf = (state: ModelState, reached: Omit<Found, "state">): number => {
    const key = keyOf(state);
    const known = indexes.get(key);
    const entry = known === undefined ? undefined : found[known];
    if (known !== undefined && entry && entry.troubles <= reached.troubles) return known;
    const index = known ?? found.length;
    if (index >= MOST_MOMENTS) throw new Error(`Cannot end the walk: ${storyOf(found, found.length - 1).join(", ")} …`);
    indexes.set(key, index);
    found[index] = { state, ...reached };
    waiting[reached.troubles]?.push(index);
    return index;
  };
  for (const { state, troubles } of starts) indexOf(state, { how: "", troubles });
  for (const level of waiting) {
    for (const index of level) { // grows on the way
      const { state, troubles } = found[index] ?? {};
      if (!state || troubles === undefined || moments[index]) continue;
      const story = () => storyOf(found, index);
      if (state.gone) {
        moments[index] = { state, story, next: [], calm: index };
        continue;
      }
      const plan = decide(worldOf(state));
      visit({ state, plan, index });
      const steps = stepsFrom(state, plan).filter((step) => troubles + step.troubles <= most);
      const next = new Set(
        steps.map(({ how, after, troubles: more }) => indexOf(after, { from: index, how, troubles: troubles + more })),
      );
      const how = "a reconcile, and patience";
      const calm = indexOf(patience(carriedOut(state, plan)), { from: index, how, troubles });
      moments[index] = { state, story, next: [...next], calm };
    }
  }
  return moments;
}

function stepsFrom(state: ModelState, plan: Plan): Step[] {
  const happenings = [...happeningsIn(state, ORDINARY, 0), ...happeningsIn(state, TROUBLES, 1)];
  return [
    { how: "a reconcile", after: carriedOut(state, plan), troubles: 0 },
    ...happenings,
    ...interrupted(state, plan).map((after) => ({ how: "a reconcile that breaks off", after, troubles: 1 })),
    ...happenings.map(({ how, after }) => ({
      how: `${how} while a reconcile is under way`,
      after: carriedOut(after, plan, state),
      troubles: 1,
    })),
  ];
}

function happeningsIn(state: ModelState, events: Readonly<Record<string, ModelEvent>>, troubles: number): Step[] {
  return Object.entries(events).flatMap(([how, event]) => {
    const after = event(state);
    return after ? [{ how, after, troubles }] : [];
  });
}

function storyOf(found: readonly Found[], index: number): string[] {
  const entry = found[index];
  return entry?.from === undefined ? [] : [...storyOf(found, entry.from), entry.how];
}

/** The same for equal states. Most parts of a state are those of the one before: their texts are kept. */
function keyOf(state: ModelState): string {
  const { wish, status, deleting, gone, postgres, role, web, cron, requests, jobs, created, spent } = state;
  const { userSecret, configSecret, adminSecret, claim, databases, files, ending, orphans, lingering } = state;
  const flags = [deleting, gone, role, userSecret, configSecret, adminSecret, claim, lingering].map(Number).join("");
  const parts = [wish, status, requests, jobs, created, spent, ending, orphans].map(textOf);
  const places = [databases, files].flatMap(({ live, side, old }) => [live, side, old]);
  return [postgres, flags, web?.replicas, web?.ready, cron?.replicas, ...places, ...parts].join(" ");
}

const TEXTS = new WeakMap<object, string>();

function textOf(part: object): string {
  const known = TEXTS.get(part);
  if (known !== undefined) return known;
  const text = JSON.stringify(part);
  TEXTS.set(part, text);
  return text;
}
