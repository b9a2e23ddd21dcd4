/** OdooInstance: one Odoo with its database, filestore and addresses. What a user can say, and what we answer. */
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
    `HTTP path of the ${probe} probe; a failure ${effect}. Default /web/health.`,
  );
}

function surge(meaning: string) {
  return z.string().default("25%").describe(`${meaning}, as a number or a percentage of replicas. Default 25%.`);
}

const cron = z.object({
  replicas: replicas(
    "Pods for scheduled actions. Default 1.",
    "cron.replicas must be 0 or more: 0 stops scheduled actions",
  ),
  resources: resourceRequirements.nullish().describe(
    "CPU and memory of the cron container. Default: the operator's default.",
  ),
});

const ingress = z.object({
  hosts: z.array(z.string().max(HOST_NAME_LIMIT)).max(HOSTS_LIMIT)
    .describe("Host names that lead to this instance; the first one is its URL.")
    .meta(kubernetes({ rules: [HOSTS_RULE] })),
  issuer: z.string().nullish()
    .describe("cert-manager ClusterIssuer of the certificate. Default: the operator's default, if any."),
  class: z.string().nullish().describe("Ingress class. Default: the operator's default, else the cluster's."),
  annotations: z.record(z.string(), z.string()).nullish()
    .describe("Further annotations of the Ingress or HTTPRoute. They win over the operator's own."),
  gatewayRef: z.object({
    name: z.string().describe("Name of the Gateway."),
    namespace: z.string().describe("Namespace of the Gateway."),
  }).nullish().describe("Gateway that traffic comes through: an HTTPRoute is made instead of an Ingress."),
});

const filestore = z.object({
  storageSize: intOrString().nullish().describe(
    "Size of the volume, such as 10Gi. May only grow. Default: the operator's default, else 2Gi.",
  ).meta(kubernetes({ rules: STORAGE_SIZE_RULES })),
  storageClass: z.string().nullish()
    .describe("Storage class. A change moves the files while the instance is down. Default: the operator's default."),
  accessModes: z.array(z.enum(["ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"])).nullish()
    .describe("Access modes of a new volume. Without ReadWriteMany all pods share one node. Default: ReadWriteMany."),
});

const database = z.object({
  cluster: z.string().nullish()
    .describe("Key in the operator's list of PostgreSQL clusters. A change moves the database. Default: its default."),
  name: z.string().nullish().describe("Name of the database. Default: odoo_ and the uid of this object."),
  missingPolicy: z.enum(["Ignore", "Recreate"]).default("Ignore")
    .describe("When an initialised database is gone. Ignore (default): report it. Recreate: start with an empty one."),
});

const init = z.object({
  enabled: z.boolean().default(true).describe(
    "False: wait for a job that initialises, restores or clones. Default true.",
  ),
  modules: z.array(z.string()).default(["base"]).describe("Technical names of the modules to install. Default: base."),
  demo: z.boolean().default(false).describe("True: demo data is loaded too. Default false."),
  languages: z.array(z.string()).nullish().describe("Languages to load, such as fr_CA. Default: only English."),
  webhook: webhookConfig.nullish().describe("Who is told when the initialisation has completed or failed."),
});

const strategy = z.object({
  type: z.enum(["Recreate", "RollingUpdate"]).default("Recreate")
    .describe("Recreate (default): old pods end before new ones start. RollingUpdate: pods are replaced step by step."),
  rollingUpdate: z.object({
    maxUnavailable: surge("Pods that may be missing during an update"),
    maxSurge: surge("Pods that may exist beyond replicas during an update"),
  }).nullish().describe("Pace of a RollingUpdate."),
});

const probes = z.object({
  startupPath: probePath("startup", "delays the other two, and in the end restarts the container"),
  livenessPath: probePath("liveness", "restarts the container"),
  readinessPath: probePath("readiness", "takes the pod out of traffic"),
});

const readOnlySqlAccess = z.object({
  enabled: z.boolean().default(false)
    .describe(
      "True: a PostgreSQL role that may only read, with its password in Secret <name>-db-ro-password. Default false.",
    ),
  connectionLimit: z.int32().default(5).describe("Connections that the role may hold at once. Default 5."),
});

const jobDefaults = z.object({
  resources: resourceRequirements.nullish().describe(
    "CPU and memory of a job's containers. Default: the web container's.",
  ),
  nodeSelector: z.record(z.string(), z.string()).nullish().describe(
    "Labels of the nodes for jobs. Default: spec.nodeSelector.",
  ),
  affinity: affinity.nullish().describe("Which nodes and neighbours jobs want. Default: spec.affinity."),
  tolerations: z.array(toleration).nullish().describe("Taints that jobs accept. Default: spec.tolerations."),
});

const spec = z.object({
  image: z.string().nullish().describe("Container image of Odoo. Default: the operator's default image."),
  imagePullPolicy: z.enum(["Always", "IfNotPresent", "Never"]).nullish()
    .describe("When the image is pulled. Default IfNotPresent."),
  imagePullSecret: z.string().nullish()
    .describe(
      "Name of the Secret that the image is pulled with; if it is missing here, it is copied from the operator's namespace, where that allows it.",
    ),
  adminPassword: z.string().nullish().describe(
    "Master password of Odoo's database manager (admin_passwd), in plain text. Anyone who may read this object reads it: prefer adminPasswordSecretRef.",
  ),
  adminPasswordSecretRef: z.object({
    name: z.string().describe("Name of a Secret in this namespace."),
    key: z.string().describe("Key in that Secret."),
  }).nullish().describe("Where the master password is read from, instead of adminPassword."),
  replicas: replicas("Web pods. 0 stops the instance. Default 1.", "replicas must be 0 or more: 0 stops the instance"),
  cron: cron.default({ replicas: 1 }).describe("Pods that run Odoo's scheduled actions, apart from the web pods."),
  ingress: ingress.describe("How the instance is reached from outside."),
  resources: resourceRequirements.nullish().describe(
    "CPU and memory of the web container. Default: the operator's default.",
  ),
  filestore: filestore.nullish().describe("Volume for attachments and sessions, shared by all pods."),
  configOptions: z.record(z.string(), z.string().max(OPTION_VALUE_LIMIT)).nullish()
    .describe(
      'Further options of odoo.conf, such as workers: "4". They win over the operator\'s own, but for those that say where the data is. A change restarts pods.',
    ).meta(kubernetes({ rules: CONFIG_OPTIONS_RULES, maxProperties: OPTIONS_LIMIT })),
  database: database.nullish().describe("Where the database is."),
  init: init.default({ enabled: true, modules: ["base"], demo: false })
    .describe("How a new instance gets its first database, unless it is cloned or restored."),
  environment: z.enum(["Staging", "Production"]).default("Staging")
    .describe(
      "Staging (default): mail may be diverted, and data be replaced by a clone. Production: never cloned over.",
    ),
  productionInstanceRef: z.object({
    name: z.string().describe("Name of the OdooInstance that is cloned."),
    namespace: z.string().nullish().describe("Its namespace; must be this one. Default: this one."),
  }).nullish().describe(
    "Instance that a new staging instance is cloned from, instead of being initialised. Forbidden in Production.",
  ),
  strategy: strategy.nullish().describe("How pods are replaced when their template changes."),
  webhook: z.object({
    url: z.string().describe("Address that gets a POST with name, namespace, phase, previousPhase and url as JSON."),
  }).nullish().describe("Who is told of each change of phase."),
  probes: probes.nullish().describe("Where the kubelet asks how the web container is."),
  nodeSelector: z.record(z.string(), z.string()).nullish().describe("Labels of the nodes that all pods may run on."),
  topologySpreadConstraints: z.array(topologySpreadConstraint).nullish()
    .describe("How web pods are spread over nodes and zones."),
  podAnnotations: z.record(z.string(), z.string()).nullish().describe("Further annotations of web and cron pods."),
  service: z.object({
    type: z.enum(["ClusterIP", "NodePort", "LoadBalancer"]).default("ClusterIP")
      .describe("How the Service can be reached. Default ClusterIP."),
  }).nullish().describe("The Service in front of the web pods."),
  extraVolumes: z.array(volume).max(VOLUMES_LIMIT).nullish().describe("Further volumes of web, cron and init pods.")
    .meta(kubernetes({ rules: VOLUMES_RULES, listType: "map", listMapKeys: ["name"] })),
  extraVolumeMounts: z.array(volumeMount).nullish().describe("Where the Odoo containers mount extraVolumes."),
  jobDefaults: jobDefaults.nullish().describe("What jobs get, where they are not to be like the web pods."),
  deletionPolicy: z.enum(["Delete", "Retain"]).default("Delete").describe(
    "What becomes of role, database, volume and Secrets when this object is deleted. Delete (default): they go with it. Retain: they stay.",
  ),
  affinity: affinity.nullish().describe(
    "Which nodes and neighbours web and cron pods want. Default: the operator's default.",
  ),
  tolerations: z.array(toleration).optional().describe(
    "Taints that web and cron pods accept. Default: the operator's default.",
  ),
  readOnlySqlAccess: readOnlySqlAccess.nullish().describe("Read access to the database for reporting tools."),
  extraEnv: z.array(envVar).optional().describe("Further environment variables of the Odoo containers."),
  extraEnvFrom: z.array(envFromSource).optional().describe(
    "ConfigMaps and Secrets whose keys become environment variables of the Odoo containers.",
  ),
}).describe("What is wanted.").meta(kubernetes({ rules: SPEC_RULES }));

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
  kind: z.string().describe("Kind of the object that asked for it: a job kind, or OdooInstance for a migration."),
  name: z.string().describe("Name of that object."),
  uid: z.string().describe("uid of that object; the outcome is looked up by it."),
  jobName: z.string().optional().describe("Name of the batch/v1 Job that does the work of this stage."),
  stage: z.string().optional().describe("Step that is at work, for operations of several steps."),
  attempt: z.int32().optional().describe("Number of the attempt, from 1."),
});

const filestorePlace = z.object({
  claim: z.string().optional().describe(
    "PersistentVolumeClaim that holds the files. Absent: the name of the instance and -filestore-pvc.",
  ),
  copy: z.string().optional().describe(
    "PersistentVolumeClaim that the files are being copied to, or that is being removed after that was given up.",
  ),
  storageClass: z.string().optional().describe("Storage class that the copy is for."),
  former: z.string().optional().describe(
    "PersistentVolumeClaim that held the files before. It is deleted when the instance runs without it.",
  ),
  refused: z.string().optional().describe(
    "Hash of the wish that a migration has failed for: that is not tried again before the wish is another one.",
  ),
});

const pendingNotification = z.object({
  phase: z.string().describe("Phase that was entered."),
  previousPhase: z.string().describe("Phase that was left."),
  time: z.string().describe("When the phase changed, in RFC 3339."),
});

const status = z.object({
  phase: phase.nullish().describe("Where the instance stands in its life. Absent: not seen by the operator yet."),
  message: z.string().nullish().describe("What a migration is doing, or why it was taken back."),
  ready: z.boolean().default(false).describe("True: all wanted web pods serve."),
  readyReplicas: z.int32().default(0).describe("Web pods that serve."),
  dbInitialized: z.boolean().default(false).describe("True: the database exists and Odoo is installed in it."),
  url: z.string().nullish().describe("Public address: https:// and the first of spec.ingress.hosts."),
  lastBackup: z.string().nullish().describe("When the last backup was completed."),
  targetReplicas: z.int32().nullish().describe("spec.replicas as the operator has last seen it."),
  selector: z.string().nullish().describe("Label selector of the web pods, for autoscalers."),
  conditions: z.array(conditionSchema).optional().describe(
    "Facts about the instance, each with its reason and the next step.",
  ),
  migrationJobName: z.string().nullish().describe("Job that copies the files of a filestore migration in progress."),
  migrationPvName: z.string().nullish().describe("PersistentVolume that the files are copied to."),
  migrationPreviousStorageClass: z.string().nullish().describe(
    "Storage class before the filestore migration in progress.",
  ),
  activeCluster: z.string().nullish().describe("PostgreSQL cluster that holds the database now."),
  databaseName: z.string().optional().describe(
    "Name of the database, once it has data and was seen: from then on it does not change with spec.database.name.",
  ),
  dbMigrationJobName: z.string().nullish().describe("Job that copies the data of a database migration in progress."),
  migrationPreviousCluster: z.string().nullish().describe(
    "PostgreSQL cluster before the database migration in progress.",
  ),
  observedGeneration: z.int().optional().describe("metadata.generation that the operator has last acted on."),
  restartedFor: z.string().nullish().describe("uid of the OdooUpgradeJob after which the pods were started anew."),
  odooVersion: z.string().nullish().describe(
    "Version of Odoo, as the code in the image told the last OdooInitJob, OdooUpgradeJob or OdooRestoreJob.",
  ),
  lastMountRetryTime: z.string().nullish().describe(
    "When pods that waited for a volume were last deleted, so that they are placed anew.",
  ),
  filestore: filestorePlace.optional().describe("Where the files are, if they have ever been moved."),
  migrationTargetCluster: z.string().nullish().describe(
    "PostgreSQL cluster that a database migration copies to, until nothing of a failed one is left there.",
  ),
  operation: operation.optional().describe("The operation in progress. It stays until its outcome is recorded."),
  pendingNotifications: z.array(pendingNotification).optional().describe(
    "Changes of phase that are not yet reported to spec.webhook, the oldest first. At most 20 are kept.",
  ),
}).describe("What is the case. Written by the operator only.");

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

/** Where an instance stands in its life. */
export type Phase = z.infer<typeof phase>;

/** The operation in progress, as status remembers it across restarts. */
export type OperationStatus = ManifestOf<typeof operation>;

/** A change of phase that is not yet reported to the instance's webhook, as status remembers it. */
export type PendingNotification = ManifestOf<typeof pendingNotification>;

/** Where the files of an instance are, as status remembers it. */
export type FilestorePlace = ManifestOf<typeof filestorePlace>;

/** An OdooInstance as the API server stores it. */
export interface OdooInstance extends KubeObject {
  readonly spec: OdooInstanceSpec;
  readonly status?: OdooInstanceStatus | null;
}
