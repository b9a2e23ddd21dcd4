/** The operator's own kinds, as the kit knows them, and how much of other kinds is worth keeping in memory. */
import { customResource, type Job, type Pod, type ResourceType, type Secret, type Stored } from "../../kit/mod.ts";
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

/** A Secret's metadata without what others have written in it: whether that is ours is all that is asked. */
export function slimSecret(secret: Stored<Secret>): Stored<Secret> {
  const { managedFields, ...metadata } = secret.metadata;
  const own = managedFields?.filter(({ manager }) => manager === FIELD_MANAGER);
  return { ...secret, metadata: own ? { ...metadata, managedFields: own } : metadata };
}

/** A Job without its pods' template, scripts and all: a Job is made once, and compared with nothing. */
export function slimJob(job: Stored<Job>): Stored<Job> {
  const { spec, ...rest } = job;
  return spec ? { ...rest, spec: { ...spec, template: {} } } : job;
}

/** A pod without what nobody asks it: how it ended is what a Job is judged by. */
export function slimPod(pod: Stored<Pod>): Stored<Pod> {
  const { name, namespace, uid, resourceVersion, labels, deletionTimestamp } = pod.metadata;
  const { phase, containerStatuses, initContainerStatuses } = pod.status ?? {};
  const statuses = [...initContainerStatuses ?? [], ...containerStatuses ?? []].map(({ name, state }) => ({
    name,
    image: "",
    imageID: "",
    ready: false,
    restartCount: 0,
    ...(state?.terminated ? { state: { terminated: state.terminated } } : {}),
  }));
  return {
    metadata: {
      name,
      uid,
      resourceVersion,
      ...(namespace ? { namespace } : {}),
      ...(labels ? { labels } : {}),
      ...(deletionTimestamp ? { deletionTimestamp } : {}),
    },
    status: { ...(phase ? { phase } : {}), containerStatuses: statuses },
  };
}
