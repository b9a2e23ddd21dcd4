/**
 * Changes from which no decision follows: how far controllers have come with what was applied. A rollout is four such
 * changes, and a Job three; a reconcile of each would find nothing to do. They may wait for a change from which one follows.
 */
import type { Change, Deployment, Job, KubeObject, Pod, Stored } from "../../kit/mod.ts";
import { INSTANCE_LABEL, objectNames } from "../model/names.ts";

/** Written by the Deployment controller. */
const REVISION_ANNOTATION = "deployment.kubernetes.io/revision";

/** Whether only counts of pods have changed: not how many web pods are ready, nor whether pods are refused or are all gone. */
export function isRolloutProgress({ object, previous, deleted }: Change<Deployment>): boolean {
  if (deleted || !previous || !hasSameMetadata(object, previous) || !object.spec?.replicas) return false;
  const { name, labels } = object.metadata;
  const isCron = name === objectNames.cron(labels?.[INSTANCE_LABEL] ?? "");
  return (isCron || object.status?.readyReplicas === previous.status?.readyReplicas) &&
    isEqual(object.status?.conditions, previous.status?.conditions);
}

/** Whether a Job that has not ended only has started or ended pods. */
export function isJobProgress({ object, previous, deleted }: Change<Job>): boolean {
  if (deleted || !previous || !hasSameMetadata(object, previous)) return false;
  return !object.status?.conditions?.length;
}

/** Whether a pod of a Job is there and has not ended. */
export function isPodProgress({ object, deleted }: Change<Pod>): boolean {
  return !deleted && !object.metadata.deletionTimestamp && !object.status?.phase;
}

function hasSameMetadata(a: Stored<KubeObject>, b: Stored<KubeObject>): boolean {
  return isEqual(decisiveMetadata(a), decisiveMetadata(b));
}

function decisiveMetadata({ metadata }: Stored<KubeObject>) {
  const { labels, ownerReferences, finalizers, deletionTimestamp, generation, annotations = {} } = metadata;
  const { [REVISION_ANNOTATION]: _, ...others } = annotations;
  return [labels, ownerReferences, finalizers, deletionTimestamp, generation, others];
}

/** Of two readings of one object: the API server writes fields in one order. */
function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
