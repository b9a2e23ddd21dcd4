/** Reads the caches into a CachedWorld. Sends no requests: an object that a cache does not hold does not exist. */
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
import { filestoreClaimName, isOlder, objectNames, rivalNames } from "../model/names.ts";
import { isOfRefresh } from "../model/operations/copy/snapshot_step.ts";
import { isTerminal } from "../model/operations/request.ts";
import { adoptedOperation } from "../model/operations/requests.ts";
import { jobState, jobsWithPods } from "../model/pods/job_state.ts";
import { chooseCluster, clusterNamed, type Clusters } from "../model/postgres/clusters.ts";
import type { ClusterFacts } from "../model/postgres/database.ts";
import { type Defaults, nameConflict, resolve, withClaim } from "../model/resolve.ts";
import type {
  AdoptedInstances,
  CachedObservations,
  CachedWorld,
  ChosenCluster,
  Delivery,
  PullSecretFacts,
  SecretFacts,
  SourceInstance,
} from "../model/world.ts";
import { BY_INSTANCE, BY_JOB, BY_SOURCE } from "./indexes.ts";
import { OdooInstanceKind, OdooStagingRefreshJobKind, REQUEST_KINDS } from "./kinds.ts";
import type { JobPods } from "./lookups/job_pods.ts";
import type { UpstreamChildren } from "./lookups/upstream_children.ts";
import { versionOf } from "./secrets.ts";

/** What an observation reads beside the caches, all of it in memory. */
export interface Sources {
  readonly clusters: Clusters;
  readonly facts: (cluster: string) => ClusterFacts;
  readonly defaults: Defaults;
  readonly adoptedInstances: AdoptedInstances;
  readonly jobHistoryLimit: number;
  readonly pullSecret: (instance: OdooInstance) => PullSecretFacts | undefined;
  /** Results of notifications that are not recorded yet, by id. */
  readonly deliveries: ReadonlyMap<string, Delivery>;
}

/** What the caches lack, and what they are completed with before they are read. */
export interface CacheSupplements {
  readonly upstream: UpstreamChildren;
  readonly jobPods: JobPods;
}

/** The world as far as the caches hold it. */
export function readCaches(
  instance: Stored<OdooInstance>,
  context: ReconcileContext,
  sources: Sources,
  supplements: CacheSupplements,
): CachedWorld {
  const observed = { ...supplements.upstream, ...readObjects(instance, context, sources, supplements.jobPods) };
  const operation = adoptedOperation(instance.status ?? {}, observed.requests);
  const status = { ...instance.status, ...(operation ? { operation } : {}) };
  const rival = olderRival(instance, context);
  const { resolved, problem } = rival ? { problem: nameConflict(rival) } : resolve(instance, sources.defaults);
  return {
    instance,
    status,
    phase: status.phase ?? "Provisioning",
    defaults: sources.defaults,
    adoptedInstances: sources.adoptedInstances,
    jobHistoryLimit: sources.jobHistoryLimit,
    ...(resolved ? { resolved: withClaim(resolved, observed.filestore) } : { problem }),
    cluster: chosenCluster(instance, sources),
    otherClusters: otherClusters(instance, sources),
    observed,
    now: context.clock.now(),
  };
}

/** By name: the production instance that this one copies, and the sources of its refreshes that have not ended. */
function sourceInstances(
  target: Stored<OdooInstance>,
  requests: readonly Stored<JobRequest>[],
  context: ReconcileContext,
  sources: Sources,
): ReadonlyMap<string, SourceInstance> {
  const found = new Map<string, SourceInstance>();
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
    const { resolved } = resolve(instance, sources.defaults);
    if (!resolved) continue;
    found.set(name, {
      instance,
      resolved,
      cluster: chosenCluster(instance, sources),
      hasFiles: filestore !== undefined,
      ...(filestore ? { filestore } : {}),
      hasUserSecret: context.store(Secret).get(key(objectNames.userSecret(name))) !== undefined,
    });
  }
  return found;
}

/** The cluster that the instance uses, and what is known of it. */
export function chosenCluster(
  instance: Stored<OdooInstance>,
  sources: Pick<Sources, "clusters" | "facts">,
): ChosenCluster {
  const chosen = chooseCluster(instance, sources.clusters);
  if ("problem" in chosen) return { problem: chosen.problem };
  return { address: chosen.address, facts: sources.facts(chosen.address.name) };
}

/** By name: the clusters that a migration copies to or from. */
function otherClusters(
  { spec, status }: Stored<OdooInstance>,
  { clusters, facts }: Sources,
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

/** An older instance whose children have names that this instance needs. */
function olderRival(instance: Stored<OdooInstance>, context: ReconcileContext): Stored<OdooInstance> | undefined {
  const { name, namespace } = instance.metadata;
  return rivalNames(name).map((rival) => context.store(OdooInstanceKind).get(`${namespace}/${rival}`))
    .find((rival) => rival && isOlder(rival, instance));
}

function readObjects(
  instance: Stored<OdooInstance>,
  context: ReconcileContext,
  sources: Sources,
  jobPods: JobPods,
): CachedObservations {
  const { name, namespace = "", uid } = instance.metadata;
  const key = (child: string): ObjectKey => `${namespace}/${child}`;
  const instanceKey = key(name);
  const jobs = context.store(Job).byIndex(BY_INSTANCE, instanceKey);
  const requests = REQUEST_KINDS.flatMap((kind): Stored<JobRequest>[] =>
    context.store(kind).byIndex(BY_INSTANCE, instanceKey)
  ).sort(byAge);
  // A child that another instance controls is not read: it must not be deleted with this one.
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
    pullSecret: sources.pullSecret(instance),
    deliveries: sources.deliveries,
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
    sources: sourceInstances(instance, requests, context, sources),
    snapshots: context.store(VolumeSnapshot).byIndex(BY_INSTANCE, instanceKey),
    temporaryClaims: context.store(PersistentVolumeClaim).byIndex(BY_INSTANCE, instanceKey).filter(isOfRefresh),
    copiedBy: context.store<JobRequest>(OdooStagingRefreshJobKind).byIndex(BY_SOURCE, instanceKey),
    jobs,
    jobsWithPods: jobsWithPods(context.store(Pod).byIndex(BY_INSTANCE, instanceKey)),
    jobStates: new Map(
      jobs.map((job) => {
        const { name } = job.metadata;
        return [name, jobState(job, jobPods.get(name) ?? context.store(Pod).byIndex(BY_JOB, key(name)))];
      }),
    ),
  });
}

/** A Secret of `instance` as the cache holds it: its metadata only. */
export function secretFacts(
  secret: Stored<Secret> | undefined,
  instance: Stored<OdooInstance>,
): SecretFacts | undefined {
  if (!secret) return undefined;
  const { name, annotations = {}, creationTimestamp = "", managedFields = [] } = secret.metadata;
  // A Secret that a former instance of the same name has retained has no owner either, and must not be deleted with this one.
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
