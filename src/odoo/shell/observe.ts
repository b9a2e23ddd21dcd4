/** Reads the caches into a World. No requests: what a cache does not hold does not exist. */
import {
  appliedKeys,
  ConfigMap,
  controllerOf,
  Deployment,
  HttpRoute,
  Ingress,
  Job,
  type KubeObject,
  type ObjectKey,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  type ReconcileContext,
  type ResourceType,
  Secret,
  type Stored,
  VolumeSnapshot,
} from "../../kit/mod.ts";
import type { JobRequest, OdooInstance } from "../crd/mod.ts";
import { FIELD_MANAGER } from "../api.ts";
import { chooseCluster, clusterNamed, type Clusters } from "../model/postgres/clusters.ts";
import type { ClusterFacts } from "../model/postgres/database.ts";
import { filestoreClaimName, isOlder, JOB_LABEL, objectNames, rivalNames } from "../model/names.ts";
import { isOfRefresh } from "../model/operations/copy/snapshot_step.ts";
import { adoptedOperation, isTerminal } from "../model/operations/requests.ts";
import { type Defaults, nameConflict, resolve, withClaim } from "../model/resolve.ts";
import type { StorageFacts } from "../model/world.ts";
import type {
  AdminPasswordFacts,
  AdoptedInstances,
  ChosenCluster,
  Delivery,
  EndingPod,
  JobState,
  Observed,
  PodTroubles,
  PullSecretFacts,
  SecretFacts,
  SourceInstance,
  StuckPod,
  World,
} from "../model/world.ts";
import { OdooInstanceKind, OdooStagingRefreshJobKind, REQUEST_KINDS } from "./kinds.ts";
import { versionOf } from "./secrets.ts";
import type { UpstreamChildren } from "./lookups/upstream_children.ts";

/** Index over objects of an instance: its key. */
export const BY_INSTANCE = "instance";
/** Index over refreshes: the key of the instance that they copy. */
export const BY_SOURCE = "source";
/** Index over pods: the key of the Job that they belong to. */
export const BY_JOB = "job";

/** What observe() looks at beside the caches. */
export interface Sights {
  readonly clusters: Clusters;
  readonly facts: (cluster: string) => ClusterFacts;
  readonly defaults: Defaults;
  readonly adoptedInstances: AdoptedInstances;
  readonly jobHistoryLimit: number;
  readonly pullSecret: (instance: OdooInstance) => PullSecretFacts | undefined;
  /** Of the Secret that the spec names, if it names one. */
  readonly adminPassword?: AdminPasswordFacts | undefined;
  /** How notifications ended. */
  readonly deliveries: ReadonlyMap<string, Delivery>;
  /** What the caches do not show. */
  readonly upstream?: UpstreamChildren;
}

/** The world as it is now. */
export function observe(instance: Stored<OdooInstance>, context: ReconcileContext, sights: Sights): World {
  const observed = { ...sights.upstream, ...observeObjects(instance, context, sights) };
  const operation = adoptedOperation(instance.status ?? {}, observed.requests);
  const status = { ...instance.status, ...(operation ? { operation } : {}) };
  const rival = olderRival(instance, context);
  const { resolved, problem } = rival ? { problem: nameConflict(rival) } : resolve(instance, sights.defaults);
  return {
    instance,
    status,
    phase: status.phase ?? "Provisioning",
    defaults: sights.defaults,
    adoptedInstances: sights.adoptedInstances,
    jobHistoryLimit: sights.jobHistoryLimit,
    ...(resolved ? { resolved: withClaim(resolved, observed.filestore) } : { problem }),
    cluster: observeCluster(instance, sights),
    otherClusters: observeOtherClusters(instance, sights),
    observed: { ...observed, ...(sights.adminPassword ? { adminPassword: sights.adminPassword } : {}) },
    now: context.clock.now(),
  };
}

/** What this instance is a copy of, and what its requests copy that are still to be carried out. */
function observeSources(
  target: Stored<OdooInstance>,
  requests: readonly Stored<JobRequest>[],
  context: ReconcileContext,
  sights: Sights,
): ReadonlyMap<string, SourceInstance> {
  const sources = new Map<string, SourceInstance>();
  const { namespace } = target.metadata;
  const key = (child: string): ObjectKey => `${namespace}/${child}`;
  const asked = requests.flatMap((cr) =>
    cr.kind === "OdooStagingRefreshJob" && !isTerminal(cr) ? [cr.spec.source.instanceName] : []
  );
  for (
    const name of [...asked, ...(target.spec.productionInstanceRef ? [target.spec.productionInstanceRef.name] : [])]
  ) {
    const instance = context.store(OdooInstanceKind).get(key(name));
    if (!instance || instance.metadata.deletionTimestamp) continue;
    const filestore = context.store(PersistentVolumeClaim).get(key(filestoreClaimName(instance)));
    const { resolved } = resolve(instance, sights.defaults);
    if (!resolved) continue;
    sources.set(name, {
      instance,
      resolved,
      cluster: observeCluster(instance, sights),
      hasFiles: filestore !== undefined,
      ...(filestore ? { filestore } : {}),
      hasUserSecret: context.store(Secret).get(key(objectNames.userSecret(name))) !== undefined,
    });
  }
  return sources;
}

/** The world, with what was found out by asking. */
export function withLooks(
  world: World,
  looks: {
    readonly podTroubles?: PodTroubles | undefined;
    readonly stuckPods?: readonly StuckPod[] | undefined;
    readonly endingPods?: readonly EndingPod[] | undefined;
    readonly storageFacts?: StorageFacts | undefined;
  },
): World {
  return { ...world, observed: { ...world.observed, ...given(looks) } };
}

/** Where the instance's database is to be, and what is known of that cluster. */
export function observeCluster(
  instance: Stored<OdooInstance>,
  sights: Pick<Sights, "clusters" | "facts">,
): ChosenCluster {
  const chosen = chooseCluster(instance, sights.clusters);
  if ("problem" in chosen) return { problem: chosen.problem };
  return { address: chosen.address, facts: sights.facts(chosen.address.name) };
}

/** Clusters that a migration goes to or comes from. */
function observeOtherClusters(
  { spec, status }: Stored<OdooInstance>,
  { clusters, facts }: Sights,
): ReadonlyMap<string, ChosenCluster> {
  const { activeCluster, migrationPreviousCluster, migrationTargetCluster } = status ?? {};
  const names = [spec.database?.cluster, migrationPreviousCluster, migrationTargetCluster].flatMap((name) =>
    name ?? []
  );
  return new Map(
    names.filter((name) => activeCluster && name !== activeCluster).map((name): [string, ChosenCluster] => {
      const found = clusterNamed(name, clusters);
      return [name, "problem" in found ? found : { ...found, facts: facts(found.address.name) }];
    }),
  );
}

/** An older instance some of whose children are called as some of ours would be. */
function olderRival(instance: Stored<OdooInstance>, context: ReconcileContext): Stored<OdooInstance> | undefined {
  const { name, namespace } = instance.metadata;
  return rivalNames(name).map((rival) => context.store(OdooInstanceKind).get(`${namespace}/${rival}`))
    .find((rival) => rival && isOlder(rival, instance));
}

function observeObjects(instance: Stored<OdooInstance>, context: ReconcileContext, sights: Sights): Observed {
  const { name, namespace = "", uid } = instance.metadata;
  const key = (child: string): ObjectKey => `${namespace}/${child}`;
  const instanceKey = key(name);
  const jobs = context.store(Job).byIndex(BY_INSTANCE, instanceKey);
  const requests = REQUEST_KINDS.flatMap((kind): Stored<JobRequest>[] =>
    context.store(kind).byIndex(BY_INSTANCE, instanceKey)
  ).sort(byAge);
  // What another instance controls is not ours to look at: its Deployment must not be ended with us.
  const child = <T extends KubeObject>(type: ResourceType<T>, called: string): Stored<T> | undefined => {
    const object = context.store(type).get(key(called));
    return object && (controllerOf(object)?.uid ?? uid) === uid ? object : undefined;
  };
  const secret = (child: string) => secretFacts(context.store(Secret).get(key(child)), instance);
  return given({
    userSecret: secret(objectNames.userSecret(name)),
    adminSecret: secret(objectNames.adminSecret(name)),
    readOnlySecret: secret(objectNames.readOnlySecret(name)),
    configSecret: secret(objectNames.config(name)),
    pullSecret: sights.pullSecret(instance),
    deliveries: sights.deliveries,
    web: child(Deployment, objectNames.web(name)),
    cron: child(Deployment, objectNames.cron(name)),
    configMap: child(ConfigMap, objectNames.config(name)),
    filestore: child(PersistentVolumeClaim, filestoreClaimName(instance)),
    filestoreCopy: child(PersistentVolumeClaim, instance.status?.filestore?.copy ?? ""),
    formerFilestore: child(PersistentVolumeClaim, instance.status?.filestore?.former ?? ""),
    ingress: child(Ingress, objectNames.route(name)),
    route: child(HttpRoute, objectNames.route(name)),
    disruptionBudget: child(PodDisruptionBudget, objectNames.disruptionBudget(name)),
    requests,
    sources: observeSources(instance, requests, context, sights),
    snapshots: context.store(VolumeSnapshot).byIndex(BY_INSTANCE, instanceKey),
    temporaryClaims: context.store(PersistentVolumeClaim).byIndex(BY_INSTANCE, instanceKey).filter(isOfRefresh),
    copiedBy: context.store<JobRequest>(OdooStagingRefreshJobKind).byIndex(BY_SOURCE, instanceKey),
    jobs,
    jobsWithPods: jobsWithPods(context.store(Pod).byIndex(BY_INSTANCE, instanceKey)),
    jobStates: new Map(
      jobs.map((job) => [job.metadata.name, jobState(job, context.store(Pod).byIndex(BY_JOB, key(job.metadata.name)))]),
    ),
  });
}

/** The condition by which a Job has ended, if it has: conditions count its retries. */
export function jobEnd(job: Job) {
  return job.status?.conditions?.find(({ type, status }) =>
    status === "True" && (type === "Complete" || type === "Failed")
  );
}

/** A Job is judged by its conditions. The message is what its container left behind. */
export function jobState(job: Stored<Job>, pods: readonly Stored<Pod>[]): JobState {
  const ended = jobEnd(job);
  if (!ended) return { state: "active" };
  const end = endOf(pods);
  const message = end?.message?.trim() ?? "";
  if (ended.type === "Complete") return { state: "succeeded", message };
  const reason = ended.reason ?? "Failed";
  if (reason !== "BackoffLimitExceeded") return { state: "failed", message: `${reason}: ${message || ended.message}` };
  return { state: "failed", message: message || wordlessEnd(end) || `${reason}: ${ended.message}` };
}

function jobsWithPods(pods: readonly Stored<Pod>[]): ReadonlySet<string> {
  const alive = pods.filter(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed");
  return new Set(alive.flatMap(({ metadata }) => metadata.labels?.[JOB_LABEL] ?? []));
}

function endOf(pods: readonly Stored<Pod>[]) {
  const ends = pods.flatMap((pod) => pod.status?.containerStatuses ?? []).flatMap(({ state }) =>
    state?.terminated ?? []
  );
  return ends.find(({ exitCode }) => exitCode !== 0) ?? ends[0];
}

/** Of a container that was ended before it could say anything. */
function wordlessEnd(end: ReturnType<typeof endOf>): string {
  if (!end) return "";
  const advice = end.reason === "OOMKilled"
    ? ": it used more memory than its limit, raise spec.resources.limits.memory"
    : "";
  return `${end.reason ?? "Error"} (exit code ${end.exitCode})${advice}`;
}

/** What the cache tells of a Secret of `instance`, its metadata being all that is in it. */
export function secretFacts(
  secret: Stored<Secret> | undefined,
  instance: Stored<OdooInstance>,
): SecretFacts | undefined {
  if (!secret) return undefined;
  const { name, annotations = {}, creationTimestamp = "", managedFields = [] } = secret.metadata;
  // One that an instance of this name before it has left has no owner either, and must not go with this one.
  const isYounger = creationTimestamp >= (instance.metadata.creationTimestamp ?? "");
  const isMade = managedFields.some(({ manager }) => manager === FIELD_MANAGER);
  return {
    name,
    version: versionOf(secret),
    annotations,
    ownKeys: appliedKeys(secret, { field: "data", manager: FIELD_MANAGER }),
    isOrphan: !controllerOf(secret) && isMade && isYounger,
  };
}

function byAge(a: Stored<JobRequest>, b: Stored<JobRequest>): number {
  const [left, right] = [a, b].map(({ metadata }) => `${metadata.creationTimestamp}/${metadata.name}`);
  return (left ?? "") < (right ?? "") ? -1 : 1;
}

type Given<T> =
  & { [K in keyof T as undefined extends T[K] ? never : K]: T[K] }
  & { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> };

/** Without the entries that are undefined. */
function given<T extends object>(values: T): Given<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>;
}
