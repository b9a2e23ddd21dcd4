/** The composition root: which kinds are watched, what maps to which instance, and what runs beside the controller. */
import {
  ConfigMap,
  controller,
  Deployment,
  getLogger,
  HttpRoute,
  Ingress,
  Job,
  keyFromLabel,
  keyOf,
  type KubeObject,
  loadAccess,
  Manager,
  nameOfKey,
  type ObjectKey,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  Secret,
  Service,
  type Stored,
  VolumeSnapshot,
} from "../../kit/mod.ts";
import type { JobRequest, OdooInstance } from "../crd/mod.ts";
import { FIELD_MANAGER } from "../api.ts";
import {
  copyStem,
  databaseName,
  INSTANCE_LABEL,
  JOB_LABEL,
  OUTCOME_FINALIZER,
  readOnlyRoleName,
  rivalNames,
  roleName,
  stemOf,
} from "../model/names.ts";
import { readAllowedHosts } from "../model/network/webhook_target.ts";
import { Notifier } from "../ports/notify.ts";
import { PostgresPool } from "../ports/postgres.ts";
import { PostgresClusters } from "../ports/postgres_clusters.ts";
import { ClustersSecret } from "./clusters.ts";
import type { Config } from "./config.ts";
import { releaseJob } from "./execute.ts";
import { CHILD_FAILURES } from "./failures.ts";
import {
  OdooInstanceKind,
  REQUEST_KINDS,
  slimDeployment,
  slimJob,
  slimPod,
  slimSecret,
  withoutStatus,
} from "./kinds.ts";
import { BY_INSTANCE, BY_JOB, BY_SOURCE } from "./indexes.ts";
import { Observer } from "./observe.ts";
import { Notifications } from "./notifications.ts";
import { isJobProgress, isPodProgress, isRolloutProgress } from "./progress.ts";
import { PullSecrets } from "./pull_secrets.ts";
import { reconcile } from "./reconcile.ts";
import { requestControllers, targetKeys } from "./request_controllers.ts";
import { planWebhook } from "./webhook.ts";

/** Only objects of instances are watched; other objects never enter this process. */
const OURS = { labelSelector: INSTANCE_LABEL };

/** They wait most of the time, for the API server and PostgreSQL; with 8, a burst of finished Jobs waits for them. */
const WORKERS = 16;

/** Runs the operator until `signal` is aborted. */
export async function runOperator(config: Config, signal: AbortSignal): Promise<void> {
  const log = getLogger(["odoo"]);
  const webhook = await planWebhook(config.webhook, log);
  const postgres = new PostgresClusters((address) => new PostgresPool(address, { idleConnections: 1 }));
  const instancesBySqlName = new Map<string, ObjectKey>();
  let secret: ClustersSecret;
  let pullSecrets: PullSecrets;
  let notifications: Notifications;
  const access = await loadAccess();
  const notifier = new Notifier({
    allowedHosts: readAllowedHosts(config.allowedWebhookHosts),
    apiServerHost: new URL(access.baseUrl).hostname,
  });
  let enqueue: (key: ObjectKey) => void = () => {};
  const observer = new Observer(() => ({
    clusters: secret.clusters,
    facts: (cluster) => postgres.facts(cluster),
    defaults: config.defaults,
    adoptedInstances: config.adoptedInstances,
    jobHistoryLimit: config.jobHistoryLimit,
    pullSecret: (instance) => pullSecrets.facts(instance),
    deliveries: notifications.results,
  }));

  const program = controller(OdooInstanceKind, { name: FIELD_MANAGER, concurrency: WORKERS })
    .watches(Deployment, { ...OURS, keepManagers: true, transform: slimDeployment, mayWait: isRolloutProgress })
    .watches(Service, { ...OURS, transform: withoutStatus })
    .watches(Ingress, { ...OURS, transform: withoutStatus })
    .watches(HttpRoute, { ...OURS, optional: true, transform: withoutStatus })
    .watches(ConfigMap, OURS)
    .watches(PersistentVolumeClaim, { // one that a person puts back has no owner yet
      ...OURS,
      map: instanceKeys,
      indexes: { [BY_INSTANCE]: instanceKeys },
    })
    .watches(VolumeSnapshot, {
      ...OURS,
      optional: true,
      map: instanceKeys,
      indexes: { [BY_INSTANCE]: instanceKeys },
    })
    .watches(PodDisruptionBudget, { ...OURS, transform: withoutStatus })
    .watches(Secret, { // by label: it may be on a user's Secret, too
      ...OURS,
      map: instanceKeys,
      metadataOnly: true,
      keepOwnershipOf: ["data"],
      transform: slimSecret,
    })
    .watches(Job, {
      ...OURS,
      map: instanceKeys,
      indexes: { [BY_INSTANCE]: instanceKeys },
      transform: slimJob,
      mayWait: isJobProgress,
    })
    .watches(Pod, {
      labelSelector: `${INSTANCE_LABEL},${JOB_LABEL}`,
      map: instanceKeys,
      indexes: { [BY_INSTANCE]: instanceKeys, [BY_JOB]: jobKeys },
      transform: slimPod,
      mayWait: isPodProgress,
    })
    .uses((tools) =>
      secret = new ClustersSecret(tools, postgres, config, (change) => {
        if (change === "all") return tools.enqueueAll();
        for (const name of change) {
          const key = instancesBySqlName.get(name) ?? instancesBySqlName.get(stemOf(name) ?? name);
          if (key) tools.enqueue(key);
        }
      })
    )
    .uses((tools) => {
      enqueue = tools.enqueue;
      return pullSecrets = new PullSecrets(tools, config);
    })
    .uses((tools) => {
      const clustersSecret = { name: config.clustersSecret, namespace: config.operatorNamespace };
      const onResult = (_id: string, _result: unknown, key: ObjectKey) => tools.enqueue(key);
      return notifications = new Notifications(tools, notifier, { clustersSecret, onResult });
    })
    .reportsFailures(CHILD_FAILURES)
    .reconcile((instance, context) => {
      for (const name of sqlNamesOf(instance)) instancesBySqlName.set(name, keyOf(instance));
      return reconcile(instance, context, { observer, postgres, pullSecrets, notifications });
    })
    .gone(async (key, { client, store }) => {
      pullSecrets.forget(key);
      observer.forget(key);
      const { name, namespace } = nameOfKey(key);
      for (const rival of rivalNames(name)) { // its names are free now
        if (store(OdooInstanceKind).get(`${namespace}/${rival}`)) enqueue(`${namespace}/${rival}`);
      }
      // The outcome of its Jobs is not needed any more: with the finalizer they could never be deleted.
      for (const job of store(Job).byIndex(BY_INSTANCE, key)) {
        if (job.metadata.finalizers?.includes(OUTCOME_FINALIZER)) {
          await releaseJob(job, (operations) => client.patch(Job, job.metadata, operations));
        }
      }
      for (const [name, owner] of instancesBySqlName) if (owner === key) instancesBySqlName.delete(name);
    });
  for (const kind of REQUEST_KINDS) {
    const map = (cr: JobRequest) => [...targetKeys(cr), ...sourceKeys(cr)];
    program.watches(kind, { map, indexes: { [BY_INSTANCE]: targetKeys, [BY_SOURCE]: sourceKeys } });
  }
  if (webhook) program.uses(webhook);
  const manager = new Manager().add(program);
  for (const requests of requestControllers()) manager.add(requests);
  await manager.run({
    signal,
    access,
    name: FIELD_MANAGER,
    instance: config.podName,
    health: config.health,
  });
}

function instanceKeys(object: KubeObject): ObjectKey[] {
  return keyFromLabel(object, INSTANCE_LABEL);
}

function jobKeys(pod: KubeObject): ObjectKey[] {
  return keyFromLabel(pod, JOB_LABEL);
}

/** Of what is copied: it must not be replaced meanwhile. */
function sourceKeys(cr: JobRequest): ObjectKey[] {
  return cr.kind === "OdooStagingRefreshJob" ? [`${cr.metadata?.namespace}/${cr.spec.source.instanceName}`] : [];
}

function sqlNamesOf(instance: Stored<OdooInstance>): string[] {
  const { name, namespace = "", uid } = instance.metadata;
  const database = databaseName(instance, uid);
  return [roleName({ name, namespace }), readOnlyRoleName({ name, namespace }), database, copyStem(database)];
}
