/**
 * The pods of Jobs that have ended. The termination message of its pod is the result of a Job, but pods come by another watch
 * than Jobs, which may be behind or broken. So where a Job has ended and the cache has no ended pod of it, the pods are listed
 * before the result is judged.
 */
import { Job, keyOf, Pod, type Stored } from "../../../kit/mod.ts";
import type { OdooInstance } from "../../crd/mod.ts";
import { INSTANCE_LABEL, JOB_LABEL, OUTCOME_FINALIZER } from "../../model/names.ts";
import { hasEnded, jobEnd } from "../../model/pods/job_state.ts";
import { BY_INSTANCE, BY_JOB } from "../indexes.ts";
import { type Lookup, NOTHING_TO_ASK } from "./lookup.ts";

/** Pods by the name of their Job; a Job whose pods the cache has is absent. */
export type JobPods = ReadonlyMap<string, readonly Stored<Pod>[]>;

/** The pods, missing from the cache, of the instance's ended Jobs whose outcome is not recorded yet. */
export const jobPodsLookup: Lookup<Stored<OdooInstance>, JobPods> = {
  async ask(instance, context) {
    const cached = context.store(Pod);
    const unread = context.store(Job).byIndex(BY_INSTANCE, keyOf(instance)).filter((job) =>
      jobEnd(job) && job.metadata.finalizers?.includes(OUTCOME_FINALIZER) &&
      !cached.byIndex(BY_JOB, keyOf(job)).some(hasEnded)
    );
    if (!unread.length) return NOTHING_TO_ASK;
    const lists = await Promise.all(unread.map(async ({ metadata: { name, namespace = "" } }) => {
      const labelSelector = `${INSTANCE_LABEL}=${instance.metadata.name},${JOB_LABEL}=${name}`;
      const { items } = await context.client.list(Pod, { namespace, labelSelector, signal: context.signal });
      return [name, items] as const;
    }));
    return { facts: new Map(lists) };
  },
};
