/** Effects with SQL writes as effects of their own, so that a test can tell all writes of a plan by one type. */
import type { Effect } from "../../src/odoo/model/plan.ts";
import type { PlannedWrite } from "../../src/odoo/model/postgres/sql_writes.ts";

type FlatWrite = PlannedWrite extends infer W
  ? W extends PlannedWrite ? Omit<W, "ownership"> & { readonly cluster: string; readonly uid: string } : never
  : never;

/** An effect whose type is that of its SQL write, if it is one; `uid` is the owner of what is written. */
export type FlatEffect = Exclude<Effect, { readonly type: "sql" }> | FlatWrite;

/** The effect as a {@linkcode FlatEffect}. */
export function flat(effect: Effect): FlatEffect {
  if (effect.type !== "sql") return effect;
  const { write: { ownership, ...write }, cluster } = effect;
  return { ...write, cluster, uid: ownership.uid } as FlatWrite;
}

/** The effects as {@linkcode FlatEffect}s. */
export function flattened(effects: readonly Effect[]): FlatEffect[] {
  return effects.map(flat);
}
