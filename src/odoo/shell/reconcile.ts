/** The story: look, decide, act. */
import { done, type Outcome, type ReconcileContext, requeue, type Stored } from "../../kit/mod.ts";
import type { OdooInstance } from "../crd/mod.ts";
import { decide } from "../machine/decide.ts";
import { execute, type ExecutionParts } from "./execute.ts";
import { observe, type Sights } from "./observe.ts";

/** The only function that sees both the cluster and the plan. */
export async function reconcile(
  instance: Stored<OdooInstance>,
  context: ReconcileContext,
  { sights, ...parts }: ExecutionParts & { readonly sights: Sights },
): Promise<Outcome> {
  const world = observe(instance, context, sights);
  const plan = decide(world);
  await execute(plan, instance, context, parts);
  return plan.requeueAfterMs ? requeue(plan.requeueAfterMs) : done();
}
