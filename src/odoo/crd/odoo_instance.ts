/** OdooInstance: the schema of spec and status of one Odoo with its database, filestore and addresses. */
import { z } from "zod";
import { conditionSchema, customResourceDefinition, intOrString, kubernetes, type ManifestOf } from "../../kit/crd.ts";
import type { KubeObject } from "../../kit/types.ts";
import { GROUP, PLURALS, VERSION } from "../api.ts";
import {
  affinity,
  envFromSource,
  envVar,
  resourceRequirements,
  toleration,
  topologySpreadConstraint,
  volume,
  volumeMount,
} from "./core.ts";
import {
  CONFIG_OPTIONS_RULES,
  HOST_NAME_LIMIT,
  HOSTS_LIMIT,
  HOSTS_RULE,
  INSTANCE_RULES,
  OPTION_VALUE_LIMIT,
  OPTIONS_LIMIT,
  SPEC_RULES,
  STORAGE_SIZE_RULES,
  VOLUMES_LIMIT,
  VOLUMES_RULES,
} from "./instance_rules.ts";
import { AGE_COLUMN, KEEP_ON_UNINSTALL, legacyVersion, PHASE_COLUMN, ratcheting, webhookConfig } from "./shared.ts";

function replicas(description: string, message: string) {
  return z.int32().default(1).describe(description).meta(kubernetes({ rules: [ratcheting("self >= 0", message)] }));
}

function probePath(probe: string, effect: string) {
  return z.string().default("/web/health").describe(
    `HTTP path of the ${probe} probe. A failure ${effect}. Default: /web/health.`,
  );
}

function surge(meaning: string) {
  return z.string().default("25%").describe(`${meaning}, as a number or a percentage of replicas. Default: 25%.`);
}

const cron = z.object({
  replicas: replicas(
    "Number of cron pods, which run scheduled actions. Default: 1.",
    "cron.replicas must be 0 or more: 0 stops scheduled actions",
  ),
  resources: resourceRequirements.nullish().describe(
    "CPU and memory of the cron container. Default: the default of the operator.",
  ),
});

const ingress = z.object({
  hosts: z.array(z.string().max(HOST_NAME_LIMIT)).max(HOSTS_LIMIT)
    .describe("Host names of the instance. The first one is its URL.")
    .meta(kubernetes({ rules: [HOSTS_RULE] })),
  issuer: z.string().nullish()
    .describe(
      "Name of the cert-manager ClusterIssuer that issues the TLS certificate. Default: the default of the operator, if it has one.",
    ),
  class: z.string().nullish().describe(
    "Name of the IngressClass. Default: the default of the operator, otherwise that of the cluster.",
  ),
  annotations: z.record(z.string(), z.string()).nullish()
    .describe("Additional annotations of the Ingress or HTTPRoute. They override those of the operator."),
  gatewayRef: z.object({
    name: z.string().describe("Name of the Gateway."),
    namespace: z.string().describe("Namespace of the Gateway."),
  }).nullish().describe(
    "Gateway that receives the traffic. The operator creates an HTTPRoute for it instead of an Ingress.",
  ),
});

const filestore = z.object({
  storageSize: intOrString().nullish().describe(
    "Size of the volume, such as 10Gi. It can only be increased. Default: the default of the operator (2Gi unless configured).",
  ).meta(kubernetes({ rules: STORAGE_SIZE_RULES })),
  storageClass: z.string().nullish()
    .describe(
      "Name of the StorageClass. A change moves the files, and the instance is down meanwhile. Default: the default of the operator.",
    ),
  accessModes: z.array(z.enum(["ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"])).nullish()
    .describe("Access modes of a new volume. Without ReadWriteMany, all pods run on one node. Default: ReadWriteMany."),
});

const database = z.object({
  cluster: z.string().nullish()
    .describe(
      "Name of the PostgreSQL cluster, a key in the operator's clusters.yaml. A change moves the database. Default: the cluster that is marked as default.",
    ),
  name: z.string().nullish().describe(
    "Name of the database. It cannot change once the database is initialised. Default: odoo_ followed by the uid of this object.",
  ),
  missingPolicy: z.enum(["Ignore", "Recreate"]).default("Ignore")
    .describe(
      "What happens when the initialised database is missing. Ignore: it is reported in the conditions. Recreate: the operator creates and initialises a new one. Default: Ignore.",
    ),
});

const init = z.object({
  enabled: z.boolean().default(true).describe(
    "False: the instance waits for an OdooInitJob, OdooRestoreJob or OdooStagingRefreshJob that a user creates. Default: true.",
  ),
  modules: z.array(z.string()).default(["base"]).describe(
    "Technical names of the Odoo modules to install. Default: base.",
  ),
  demo: z.boolean().default(false).describe("True: demo data is loaded. Default: false."),
  languages: z.array(z.string()).nullish().describe(
    "Codes of the languages to load, such as fr_CA. Default: only English.",
  ),
  webhook: webhookConfig.nullish().describe(
    "Webhook that is notified when the initialisation has completed or failed.",
  ),
});

const strategy = z.object({
  type: z.enum(["Recreate", "RollingUpdate"]).default("Recreate")
    .describe(
      "Recreate: all old pods end before new ones start. RollingUpdate: pods are replaced step by step. Default: Recreate.",
    ),
  rollingUpdate: z.object({
    maxUnavailable: surge("Number of pods that may be unavailable during an update"),
    maxSurge: surge("Number of pods that may exist in addition to replicas during an update"),
  }).nullish().describe("Limits of a RollingUpdate."),
});

const probes = z.object({
  startupPath: probePath("startup", "delays the other two probes; repeated failures restart the container"),
  livenessPath: probePath("liveness", "restarts the container"),
  readinessPath: probePath("readiness", "removes the pod from the endpoints of the Service"),
});

const readOnlySqlAccess = z.object({
  enabled: z.boolean().default(false)
    .describe(
      "True: the operator creates a read-only PostgreSQL role, with its password in the Secret <name>-db-ro-password. Default: false.",
    ),
  connectionLimit: z.int32().default(5).describe("Largest number of simultaneous connections of the role. Default: 5."),
});

const jobDefaults = z.object({
  resources: resourceRequirements.nullish().describe(
    "CPU and memory of the containers of Jobs. Default: those of the web container.",
  ),
  nodeSelector: z.record(z.string(), z.string()).nullish().describe(
    "Labels of the nodes that Jobs may run on. Default: spec.nodeSelector.",
  ),
  affinity: affinity.nullish().describe("Affinity of the pods of Jobs. Default: spec.affinity."),
  tolerations: z.array(toleration).nullish().describe("Tolerations of the pods of Jobs. Default: spec.tolerations."),
});

const spec = z.object({
  image: z.string().nullish().describe("Container image of Odoo. Default: the default image of the operator."),
  imagePullPolicy: z.enum(["Always", "IfNotPresent", "Never"]).nullish()
    .describe("When the image is pulled: Always, IfNotPresent or Never. Default: IfNotPresent."),
  imagePullSecret: z.string().nullish()
    .describe(
      "Name of the Secret with the registry credentials for the image. If this namespace lacks it, the operator copies it from its own namespace, provided that its flag --allowed-pull-secrets lists it.",
    ),
  adminPassword: z.string().nullish().describe(
    "Master password of Odoo's database manager (admin_passwd), in plain text. Every user who may read this object can read it: prefer adminPasswordSecretRef.",
  ),
  adminPasswordSecretRef: z.object({
    name: z.string().describe("Name of a Secret in this namespace."),
    key: z.string().describe("Key in that Secret."),
  }).nullish().describe("Secret with the master password, instead of adminPassword."),
  replicas: replicas(
    "Number of web pods. 0 stops the instance. Default: 1.",
    "replicas must be 0 or more: 0 stops the instance",
  ),
  cron: cron.default({ replicas: 1 }).describe(
    "Pods that run the scheduled actions of Odoo, separate from the web pods.",
  ),
  ingress: ingress.describe("Host names, TLS and route by which clients reach the instance."),
  resources: resourceRequirements.nullish().describe(
    "CPU and memory of the web container. Default: the default of the operator.",
  ),
  filestore: filestore.nullish().describe("Volume for attachments and sessions, which all pods mount."),
  configOptions: z.record(z.string(), z.string().max(OPTION_VALUE_LIMIT)).nullish()
    .describe(
      'Additional options of odoo.conf, such as workers: "4". They override those of the operator, except the options that locate the data. A change restarts the pods.',
    ).meta(kubernetes({ rules: CONFIG_OPTIONS_RULES, maxProperties: OPTIONS_LIMIT })),
  database: database.nullish().describe("PostgreSQL cluster and name of the database."),
  init: init.default({ enabled: true, modules: ["base"], demo: false })
    .describe("How the operator initialises the database of a new instance that is neither cloned nor restored."),
  environment: z.enum(["Staging", "Production"]).default("Staging")
    .describe(
      "Staging: outgoing mail may be redirected, and a refresh may replace the data. Production: no refresh replaces the data. Default: Staging.",
    ),
  productionInstanceRef: z.object({
    name: z.string().describe("Name of the OdooInstance whose data is copied."),
    namespace: z.string().nullish().describe(
      "Namespace of that OdooInstance; it must be the namespace of this object. Default: the namespace of this object.",
    ),
  }).nullish().describe(
    "OdooInstance whose data a new staging instance receives instead of being initialised. Not allowed while environment is Production.",
  ),
  strategy: strategy.nullish().describe("How web and cron pods are replaced when their template changes."),
  webhook: z.object({
    url: z.string().describe("URL that receives a POST with name, namespace, phase, previousPhase and url as JSON."),
  }).nullish().describe("Webhook that is notified of each change of phase."),
  probes: probes.nullish().describe("HTTP paths of the probes of the web container."),
  nodeSelector: z.record(z.string(), z.string()).nullish().describe("Labels of the nodes that all pods may run on."),
  topologySpreadConstraints: z.array(topologySpreadConstraint).nullish()
    .describe("How the scheduler spreads the web pods over nodes and zones."),
  podAnnotations: z.record(z.string(), z.string()).nullish().describe("Additional annotations of web and cron pods."),
  service: z.object({
    type: z.enum(["ClusterIP", "NodePort", "LoadBalancer"]).default("ClusterIP")
      .describe("Type of the Service: ClusterIP, NodePort or LoadBalancer. Default: ClusterIP."),
  }).nullish().describe("The Service in front of the web pods."),
  extraVolumes: z.array(volume).max(VOLUMES_LIMIT).nullish().describe("Additional volumes of web, cron and init pods.")
    .meta(kubernetes({ rules: VOLUMES_RULES, listType: "map", listMapKeys: ["name"] })),
  extraVolumeMounts: z.array(volumeMount).nullish().describe("Paths at which the Odoo containers mount extraVolumes."),
  jobDefaults: jobDefaults.nullish().describe("Settings of the pods of Jobs that differ from those of the web pods."),
  deletionPolicy: z.enum(["Delete", "Retain"]).default("Delete").describe(
    "What happens to role, database, volume and Secrets when this object is deleted. Delete: they are deleted too. Retain: they are kept. Default: Delete.",
  ),
  affinity: affinity.nullish().describe(
    "Affinity of web and cron pods. Default: the default of the operator.",
  ),
  tolerations: z.array(toleration).optional().describe(
    "Tolerations of web and cron pods. Default: the default of the operator.",
  ),
  readOnlySqlAccess: readOnlySqlAccess.nullish().describe("Read-only PostgreSQL role for reporting tools."),
  extraEnv: z.array(envVar).optional().describe("Additional environment variables of the Odoo containers."),
  extraEnvFrom: z.array(envFromSource).optional().describe(
    "ConfigMaps and Secrets whose keys become environment variables of the Odoo containers.",
  ),
}).describe("Desired state of the instance.").meta(kubernetes({ rules: SPEC_RULES }));

const phase = z.enum([
  "Provisioning",
  "Uninitialized",
  "Initializing",
  "InitFailed",
  "Starting",
  "Running",
  "Degraded",
  "Stopped",
  "Upgrading",
  "Restoring",
  "CloningFromSource",
  "BackingUp",
  "MigratingFilestore",
  "FinalizingFilestoreMigration",
  "MigratingDatabase",
  "FinalizingDatabaseMigration",
  "Error",
]);

const operation = z.object({
  kind: z.string().describe(
    "Kind of the object that requested the operation: a job kind, or OdooInstance for a migration.",
  ),
  name: z.string().describe("Name of that object."),
  uid: z.string().describe("uid of that object, by which the operator finds the outcome."),
  jobName: z.string().optional().describe("Name of the batch/v1 Job that runs this stage."),
  stage: z.string().optional().describe("Step that is running, for operations of several steps."),
  attempt: z.int32().optional().describe("Number of the attempt, counted from 1."),
});

const filestorePlace = z.object({
  claim: z.string().optional().describe(
    "Name of the PersistentVolumeClaim that holds the files. Absent: <name>-filestore-pvc.",
  ),
  copy: z.string().optional().describe(
    "Name of the PersistentVolumeClaim that the files are copied to, or that is deleted because the migration failed or was cancelled.",
  ),
  storageClass: z.string().optional().describe("Name of the StorageClass of the copy."),
  former: z.string().optional().describe(
    "Name of the PersistentVolumeClaim that held the files before the migration. It is deleted once the instance runs with the copy.",
  ),
  refused: z.string().optional().describe(
    "Hash of the desired state whose migration failed. The operator tries again once spec.filestore, the image or spec.jobDefaults changes.",
  ),
});

const pendingNotification = z.object({
  phase: z.string().describe("Phase that the instance entered."),
  previousPhase: z.string().describe("Phase that the instance left."),
  time: z.string().describe("When the phase changed, in RFC 3339."),
});

const status = z.object({
  phase: phase.nullish().describe("Current phase of the instance. Absent: the operator has not reconciled it yet."),
  message: z.string().nullish().describe("What the migration in progress does, or why the last one was rolled back."),
  ready: z.boolean().default(false).describe("True: all desired web pods are ready."),
  readyReplicas: z.int32().default(0).describe("Number of web pods that are ready."),
  dbInitialized: z.boolean().default(false).describe("True: the database exists and Odoo is installed in it."),
  url: z.string().nullish().describe("Public URL: https:// and the first of spec.ingress.hosts."),
  lastBackup: z.string().nullish().describe("When the last backup completed, in RFC 3339."),
  targetReplicas: z.int32().nullish().describe("Value of spec.replicas at the last reconcile."),
  selector: z.string().nullish().describe(
    "Label selector of the web pods, which the scale subresource reports to autoscalers.",
  ),
  conditions: z.array(conditionSchema).optional().describe(
    "Conditions of the instance, each with a reason and, when something is wrong, the next step.",
  ),
  migrationJobName: z.string().nullish().describe(
    "Name of the Job that copies the files of the filestore migration in progress.",
  ),
  migrationPvName: z.string().nullish().describe("Name of the PersistentVolume that the files are copied to."),
  migrationPreviousStorageClass: z.string().nullish().describe(
    "Name of the StorageClass before the filestore migration in progress.",
  ),
  activeCluster: z.string().nullish().describe("Name of the PostgreSQL cluster that holds the database."),
  databaseName: z.string().optional().describe(
    "Name of the database, recorded once the database has data. A change of spec.database.name has no effect on it.",
  ),
  dbMigrationJobName: z.string().nullish().describe(
    "Name of the Job that copies the data of the database migration in progress.",
  ),
  migrationPreviousCluster: z.string().nullish().describe(
    "Name of the PostgreSQL cluster before the database migration in progress.",
  ),
  observedGeneration: z.int().optional().describe("Value of metadata.generation at the last reconcile."),
  restartedFor: z.string().nullish().describe("uid of the OdooUpgradeJob after which the pods were last restarted."),
  odooVersion: z.string().nullish().describe(
    "Version of Odoo in the image, as the last completed job reported it.",
  ),
  lastMountRetryTime: z.string().nullish().describe(
    "When pods that waited for a volume were last deleted so that they are scheduled again, in RFC 3339.",
  ),
  filestore: filestorePlace.optional().describe(
    "PersistentVolumeClaims of the filestore. Absent: the files were never moved.",
  ),
  migrationTargetCluster: z.string().nullish().describe(
    "Name of the PostgreSQL cluster that a database migration copies to. It stays until the cleanup after a failed migration is done.",
  ),
  operation: operation.optional().describe("Operation in progress. It stays until its outcome is recorded."),
  pendingNotifications: z.array(pendingNotification).optional().describe(
    "Changes of phase that are not yet reported to spec.webhook, the oldest first. At most 20 are kept.",
  ),
}).describe("Observed state of the instance. Only the operator writes it.");

const printerColumns = [
  { name: "Image", jsonPath: ".spec.image" },
  { name: "Replicas", jsonPath: ".status.readyReplicas" },
  PHASE_COLUMN,
  { name: "URL", jsonPath: ".status.url" },
  AGE_COLUMN,
];

const scale = { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.readyReplicas" };

export const ODOO_INSTANCE_CRD = customResourceDefinition({
  group: GROUP,
  kind: "OdooInstance",
  plural: PLURALS.OdooInstance,
  shortNames: ["odoo"],
  annotations: KEEP_ON_UNINSTALL,
  versions: [legacyVersion({ printerColumns, scale }), {
    name: VERSION,
    description: "One Odoo: web and cron pods, a database, a filestore and public addresses.",
    rules: INSTANCE_RULES,
    spec,
    status,
    printerColumns,
    scale: { ...scale, labelSelectorPath: ".status.selector" },
  }],
});

export type OdooInstanceSpec = ManifestOf<typeof spec>;
export type OdooInstanceStatus = ManifestOf<typeof status>;

/** The phase of an instance. */
export type Phase = z.infer<typeof phase>;

/** The operation in progress, as status records it across restarts of the operator. */
export type OperationStatus = ManifestOf<typeof operation>;

/** A change of phase that is not yet reported to the instance's webhook, as status records it. */
export type PendingNotification = ManifestOf<typeof pendingNotification>;

/** The PersistentVolumeClaims of the files of an instance, as status records them. */
export type FilestorePlace = ManifestOf<typeof filestorePlace>;

/** An OdooInstance as the API server stores it. */
export interface OdooInstance extends KubeObject {
  readonly spec: OdooInstanceSpec;
  readonly status?: OdooInstanceStatus | null;
}
