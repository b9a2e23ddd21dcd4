/** What tests look at in a plan. */
import { assert } from "@std/assert";
import type { Effect, Plan } from "../../../../src/odoo/model/plan.ts";

/** The effects of one type. */
export function only<T extends Effect["type"]>(plan: Plan, type: T): (Effect & { readonly type: T })[] {
  return plan.effects.filter((effect): effect is Effect & { readonly type: T } => effect.type === type);
}

/** The status that the plan writes. */
export function statusOf(plan: Plan) {
  const [status] = only(plan, "status");
  assert(status);
  return status.status;
}
