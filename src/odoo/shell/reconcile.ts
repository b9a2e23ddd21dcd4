/** The story: look, decide, act. */
import { done, type Outcome, type ReconcileContext, requeue, type Stored } from "../../kit/mod.ts";
import type { OdooInstance } from "../crd/mod.ts";
import { decide } from "../machine/decide.ts";
import type { PostgresClusters } from "../ports/postgres_clusters.ts";
import { execute } from "./execute.ts";
import { observe, type Sights } from "./observe.ts";

/** The only function that sees both the cluster and the plan. */
export async function reconcile(
  instance: Stored<OdooInstance>,
  context: ReconcileContext,
  { sights, postgres }: { readonly sights: Sights; readonly postgres: PostgresClusters },
): Promise<Outcome> {
  const world = observe(instance, context, sights);
  const plan = decide(world);
  await execute(plan, instance, context, postgres);
  return plan.requeueAfterMs ? requeue(plan.requeueAfterMs) : done();
}
