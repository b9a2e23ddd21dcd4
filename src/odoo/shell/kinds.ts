/**
 * The kinds of the group, as the kit's types, and the functions that reduce objects of other kinds before they are cached.
 * A change of a field that is not cached causes no reconcile: controllers write often into a status of which the plan
 * reads a field or two.
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
import { FIELD_MANAGER, namesOf } from "../api.ts";
import type { JobRequest, OdooInstanceSpec, OdooInstanceStatus, RequestKind } from "../crd/mod.ts";

export const OdooInstanceKind = customResource<OdooInstanceSpec, OdooInstanceStatus | null>(namesOf("OdooInstance"));
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

/** The resource type of a job CR, for requests to the API server. @throws {RangeError} for another kind */
export function requestTypeOf(cr: JobRequest): ResourceType<JobRequest> {
  const type = REQUEST_KINDS.find(({ kind }) => kind === cr.kind);
  if (!type) throw new RangeError(`Cannot write a ${cr.kind}: it is not a job kind of this operator`);
  return type;
}

function requestType<K extends RequestKind>(kind: K): ResourceType<Extract<JobRequest, { readonly kind?: K }>> {
  return namesOf(kind);
}

/** An object without its status, for kinds of which the plan reads only the applied fields. */
export function withoutStatus<T extends KubeObject>(object: Stored<T>): Stored<T> {
  if (!("status" in object)) return object;
  const { status: _, ...rest } = object;
  return rest as Stored<T>;
}

/** A Deployment whose status has only the numbers of pods and the condition ReplicaFailure. */
export function slimDeployment(deployment: Stored<Deployment>): Stored<Deployment> {
  const { status, ...rest } = deployment;
  if (!status) return deployment;
  const { conditions = [], ...counts } = status;
  const failures = conditions.filter(({ type }) => type === "ReplicaFailure");
  return { ...rest, status: { ...counts, ...(failures.length ? { conditions: failures } : {}) } };
}

/** The metadata of a Secret, with the managed fields of this operator only. */
export function slimSecret(secret: Stored<Secret>): Stored<Secret> {
  const { managedFields, ...metadata } = secret.metadata;
  const own = managedFields?.filter(({ manager }) => manager === FIELD_MANAGER);
  return { ...secret, metadata: own ? { ...metadata, managedFields: own } : metadata };
}

/** A Job with its outcome and without its pod template: the Job is created once, and the template is never compared. */
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
 * A pod with what the outcome of a Job is derived from: the phase and the statuses of the containers, if they have ended.
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
