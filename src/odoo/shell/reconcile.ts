/** One reconcile: observe, assess, plan, apply. */
import { done, type Outcome, type ReconcileContext, requeue, type Stored } from "../../kit/mod.ts";
import type { OdooInstance } from "../crd/mod.ts";
import { decide } from "../machine/decide.ts";
import type { Plan } from "../model/plan.ts";
import { execute, type ExecutionParts } from "./execute.ts";
import type { Observer } from "./observe.ts";

/** What a reconcile needs beside its context. */
export interface ReconcileTools extends ExecutionParts {
  readonly observer: Observer;
}

/** The only function that sees both the cluster and the plan. May run at any time and any number of times. */
export async function reconcile(
  instance: Stored<OdooInstance>,
  context: ReconcileContext,
  { observer, ...parts }: ReconcileTools,
): Promise<Outcome> {
  const { world, recheckAfterMs } = await observer.observe(instance, context);
  const plan = decide(world);
  await execute(plan, instance, context, parts);
  return requeueAfter(plan, recheckAfterMs);
}

/** The next change of a watched object triggers a reconcile; these times are for what no watch reports. */
function requeueAfter({ requeueAfterMs = Infinity }: Plan, recheckAfterMs = Infinity): Outcome {
  const afterMs = Math.min(requeueAfterMs, recheckAfterMs);
  return afterMs < Infinity ? requeue(afterMs) : done();
}
