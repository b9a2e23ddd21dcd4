/** The story: look, decide, act. */
import { done, type Outcome, type ReconcileContext, requeue, Secret, type Stored } from "../../kit/mod.ts";
import type { OdooInstance } from "../crd/mod.ts";
import { decide } from "../machine/decide.ts";
import type { AdminPasswordSecrets } from "./lookups/admin_passwords.ts";
import { execute, type ExecutionParts } from "./execute.ts";
import { lookForEndingPods } from "./lookups/ending_pods.ts";
import { catchUpWithPods } from "./lookups/job_ends.ts";
import { observe, observeCluster, type Sights, withLooks } from "./observe.ts";
import { podEyes, type PodWatch } from "./lookups/pod_watch.ts";
import { lookForStorage } from "./lookups/storage_facts.ts";
import { SecretBodies } from "./secrets.ts";
import { findUpstreamChildren } from "./lookups/upstream_children.ts";

/** What a reconcile works with, beside the caches. */
export interface ReconcileTools extends ExecutionParts {
  readonly sights: Sights;
  readonly adminPasswords: AdminPasswordSecrets;
  readonly pods: PodWatch;
}

/** The only function that sees both the cluster and the plan. */
export async function reconcile(
  instance: Stored<OdooInstance>,
  context: ReconcileContext,
  { sights, adminPasswords, pods, ...parts }: ReconcileTools,
): Promise<Outcome> {
  const { namespace = "" } = instance.metadata;
  const adminPassword = await adminPasswords.look(instance, {
    cached: (name) => context.store(Secret).get(`${namespace}/${name}`),
    read: (name) => new SecretBodies(context, namespace).read(name),
    now: context.clock.monotonicMs(),
  });
  const upstream = await findUpstreamChildren(instance, context, observeCluster(instance, sights).facts);
  await catchUpWithPods(instance, context);
  const world = observe(instance, context, { ...sights, adminPassword: adminPassword?.facts, upstream });
  const waiting = await pods.look(world, podEyes(context));
  const ending = await lookForEndingPods(world, context);
  const { troubles: podTroubles, stuckPods } = waiting ?? {};
  const storageFacts = await lookForStorage(world, context);
  const plan = decide(withLooks(world, { podTroubles, stuckPods, endingPods: ending?.pods, storageFacts }));
  await execute(plan, instance, context, parts);
  const afterMs = Math.min(
    plan.requeueAfterMs ?? Infinity,
    adminPassword?.againAfterMs ?? Infinity,
    waiting?.againAfterMs ?? Infinity,
    ending?.againAfterMs ?? Infinity,
  );
  return afterMs < Infinity ? requeue(afterMs) : done();
}
