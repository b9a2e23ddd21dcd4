/**
 * The operator's own kinds, as the kit knows them, and how much of other kinds is worth keeping in memory: what is not kept
 * is no news, either. Controllers write many times into a status of which a decision reads a field or two.
 */
import {
  customResource,
  type Deployment,
  type Job,
  type KubeObject,
  type Pod,
  type ResourceType,
  type Secret,
  type Stored,
} from "../../kit/mod.ts";
import type { JobRequest, OdooInstanceSpec, OdooInstanceStatus, RequestKind } from "../crd/mod.ts";
import { FIELD_MANAGER } from "../machine/decide.ts";

const GROUP = { group: "bemade.org", version: "v1alpha1" } as const;

export const OdooInstanceKind = customResource<OdooInstanceSpec, OdooInstanceStatus | null>({
  ...GROUP,
  kind: "OdooInstance",
  plural: "odooinstances",
});
export const OdooInitJobKind = requestType("OdooInitJob");
export const OdooUpgradeJobKind = requestType("OdooUpgradeJob");
export const OdooBackupJobKind = requestType("OdooBackupJob");
export const OdooRestoreJobKind = requestType("OdooRestoreJob");
export const OdooStagingRefreshJobKind = requestType("OdooStagingRefreshJob");

/** The kinds of job CRs. */
export const REQUEST_KINDS: readonly ResourceType<JobRequest>[] = [
  OdooInitJobKind,
  OdooUpgradeJobKind,
  OdooBackupJobKind,
  OdooRestoreJobKind,
  OdooStagingRefreshJobKind,
];

/** The kind of a job CR, for requests about it. */
export function requestTypeOf(cr: JobRequest): ResourceType<JobRequest> {
  const type = REQUEST_KINDS.find(({ kind }) => kind === cr.kind);
  if (!type) throw new RangeError(`Cannot write a ${cr.kind}: it is no kind of job`);
  return type;
}

function requestType<K extends RequestKind>(kind: K): ResourceType<Extract<JobRequest, { readonly kind?: K }>> {
  return { ...GROUP, kind, plural: `${kind.toLowerCase()}s` };
}

/** An object of which only what we have applied is of interest. */
export function withoutStatus<T extends KubeObject>(object: Stored<T>): Stored<T> {
  if (!("status" in object)) return object;
  const { status: _, ...rest } = object;
  return rest as Stored<T>;
}

/** A Deployment with how many pods it has, and why it has fewer. */
export function slimDeployment(deployment: Stored<Deployment>): Stored<Deployment> {
  const { status, ...rest } = deployment;
  if (!status) return deployment;
  const { conditions = [], ...counts } = status;
  const failures = conditions.filter(({ type }) => type === "ReplicaFailure");
  return { ...rest, status: { ...counts, ...(failures.length ? { conditions: failures } : {}) } };
}

/** A Secret's metadata without what others have written in it: whether that is ours is all that is asked. */
export function slimSecret(secret: Stored<Secret>): Stored<Secret> {
  const { managedFields, ...metadata } = secret.metadata;
  const own = managedFields?.filter(({ manager }) => manager === FIELD_MANAGER);
  return { ...secret, metadata: own ? { ...metadata, managedFields: own } : metadata };
}

/** A Job without its pods' template, scripts and all (it is made once, and compared with nothing), and with its end. */
export function slimJob(job: Stored<Job>): Stored<Job> {
  const { spec, status, ...rest } = job;
  const { active, ready, conditions = [] } = status ?? {};
  const ends = conditions.filter(({ type }) => type === "Complete" || type === "Failed");
  const seen = {
    ...(active === undefined ? {} : { active }),
    ...(ready === undefined ? {} : { ready }),
    ...(ends.length ? { conditions: ends } : {}),
  };
  return { ...rest, ...(spec ? { spec: { ...spec, template: {} } } : {}), ...(status ? { status: seen } : {}) };
}

/**
 * A pod with nothing but how it ended, which is what a Job is judged by: `status.phase` and the statuses of its containers
 * are there only if they have ended.
 */
export function slimPod(pod: Stored<Pod>): Stored<Pod> {
  const { name, namespace, uid, resourceVersion, labels, deletionTimestamp } = pod.metadata;
  const { phase, containerStatuses, initContainerStatuses } = pod.status ?? {};
  const hasEnded = phase === "Succeeded" || phase === "Failed";
  const statuses = [...initContainerStatuses ?? [], ...containerStatuses ?? []].flatMap(({ name, state }) => {
    if (!state?.terminated) return [];
    const { terminated } = state;
    return [{ name, image: "", imageID: "", ready: false, restartCount: 0, state: { terminated } }];
  });
  return {
    metadata: {
      name,
      uid,
      resourceVersion,
      ...(namespace ? { namespace } : {}),
      ...(labels ? { labels } : {}),
      ...(deletionTimestamp ? { deletionTimestamp } : {}),
    },
    status: { ...(hasEnded ? { phase } : {}), containerStatuses: statuses },
  };
}
