/**
 * What the pod of a Job left behind is the Job's result, and pods come by another watch than Jobs: it may be behind, or
 * broken. So where a Job has ended and no pod of it has, its pods are read past the cache before anybody judges it.
 */
import { Job, keyOf, Pod, type ReconcileContext, type Stored } from "../../../kit/mod.ts";
import type { OdooInstance } from "../../crd/mod.ts";
import { INSTANCE_LABEL, JOB_LABEL, OUTCOME_FINALIZER } from "../../model/names.ts";
import { BY_INSTANCE, BY_JOB, jobEnd } from "../observe.ts";

/** Brings the cache up to the ends of the instance's Jobs whose outcome is not recorded yet. */
export async function catchUpWithPods(instance: Stored<OdooInstance>, context: ReconcileContext): Promise<void> {
  const ended = context.store(Job).byIndex(BY_INSTANCE, keyOf(instance)).filter((job) =>
    jobEnd(job) && job.metadata.finalizers?.includes(OUTCOME_FINALIZER)
  );
  await Promise.all(ended.map(async (job) => {
    const cache = context.store(Pod);
    if (cache.byIndex(BY_JOB, keyOf(job)).some(hasEnded)) return;
    const { name, namespace = "" } = job.metadata;
    const labelSelector = `${INSTANCE_LABEL}=${instance.metadata.name},${JOB_LABEL}=${name}`;
    const { items } = await context.client.list(Pod, { namespace, labelSelector, signal: context.signal });
    for (const pod of items) cache.observe(pod);
  }));
}

function hasEnded({ status }: Pod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed";
}
