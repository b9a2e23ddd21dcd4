/** What a drop-in must keep of upstream 2.5.0's OdooInstance, written down by hand, against the CRD that we generate. */
import type {
  V1Affinity,
  V1EnvFromSource,
  V1EnvVar,
  V1ResourceRequirements,
  V1Toleration,
} from "@kubernetes/client-node";
import { assert, assertEquals } from "@std/assert";
import type { OdooInstance, OdooInstanceSpec, Phase } from "../../../../src/odoo/crd/mod.ts";
import {
  columns,
  CONDITIONS,
  crdNamed,
  type Facts,
  factsOf,
  object,
  QUANTITY,
  sorted,
  under,
  WEBHOOK,
} from "./crd_facts.ts";

const RESOURCES: Facts = {
  ...object("claims", "[object]", { name: "string!", request: "string" }),
  limits: `{${QUANTITY}}`,
  requests: `{${QUANTITY}}`,
};

const REQUIREMENTS: Facts = { key: "string!", operator: "string!", values: "[string]" };
const NODE_SELECTOR_TERM: Facts = {
  ...object("matchExpressions", "[object]", REQUIREMENTS),
  ...object("matchFields", "[object]", REQUIREMENTS),
};
const LABEL_SELECTOR: Facts = { ...object("matchExpressions", "[object]", REQUIREMENTS), matchLabels: "{string}" };
const POD_AFFINITY_TERM: Facts = {
  ...object("labelSelector", "object", LABEL_SELECTOR),
  matchLabelKeys: "[string]",
  mismatchLabelKeys: "[string]",
  ...object("namespaceSelector", "object", LABEL_SELECTOR),
  namespaces: "[string]",
  topologyKey: "string!",
};
const POD_AFFINITY: Facts = {
  ...object("preferredDuringSchedulingIgnoredDuringExecution", "[object]", {
    ...object("podAffinityTerm", "object!", POD_AFFINITY_TERM),
    weight: "int32!",
  }),
  ...object("requiredDuringSchedulingIgnoredDuringExecution", "[object]", POD_AFFINITY_TERM),
};
const AFFINITY: Facts = {
  ...object("nodeAffinity", "object", {
    ...object("preferredDuringSchedulingIgnoredDuringExecution", "[object]", {
      ...object("preference", "object!", NODE_SELECTOR_TERM),
      weight: "int32!",
    }),
    ...object("requiredDuringSchedulingIgnoredDuringExecution", "object", {
      ...object("nodeSelectorTerms", "[object]!", NODE_SELECTOR_TERM),
    }),
  }),
  ...object("podAffinity", "object", POD_AFFINITY),
  ...object("podAntiAffinity", "object", POD_AFFINITY),
};

const TOLERATION: Facts = {
  effect: "string",
  key: "string",
  operator: "string",
  tolerationSeconds: "int64",
  value: "string",
};

const KEY_REFERENCE: Facts = { key: "string!", name: "string!", optional: "boolean" };
const ENV_VAR: Facts = {
  name: "string!",
  value: "string",
  ...object("valueFrom", "object", {
    ...object("configMapKeyRef", "object", KEY_REFERENCE),
    ...object("fieldRef", "object", { apiVersion: "string", fieldPath: "string!" }),
    ...object("resourceFieldRef", "object", { containerName: "string", divisor: QUANTITY, resource: "string!" }),
    ...object("secretKeyRef", "object", KEY_REFERENCE),
  }),
};

const SOURCE: Facts = { name: "string!", optional: "boolean" };

const INSTANCE: Facts = {
  ...object("spec", "object!", {
    image: "string?",
    imagePullSecret: "string?",
    adminPassword: "string!",
    replicas: "int32 = 1",
    ...object("cron", 'object = {"replicas":1}', {
      replicas: "int32 = 1",
      ...object("resources", "object?", RESOURCES),
    }),
    ...object("ingress", "object!", {
      hosts: "[string]!",
      issuer: "string?",
      class: "string?",
      ...object("gatewayRef", "object?", { name: "string!", namespace: "string!" }),
    }),
    ...object("resources", "object?", RESOURCES),
    ...object("filestore", "object?", { storageSize: `${QUANTITY}?`, storageClass: "string?" }),
    configOptions: "{string}?",
    ...object("database", "object?", {
      cluster: "string?",
      name: "string?",
      missingPolicy: 'Ignore|Recreate = "Ignore"',
    }),
    ...object("init", 'object = {"enabled":true,"modules":["base"],"demo":false}', {
      enabled: "boolean = true",
      modules: '[string] = ["base"]',
      demo: "boolean = false",
      ...object("webhook", "object?", WEBHOOK),
    }),
    environment: 'Staging|Production = "Staging"',
    ...object("productionInstanceRef", "object?", { name: "string!", namespace: "string?" }),
    ...object("strategy", "object?", {
      type: 'Recreate|RollingUpdate = "Recreate"',
      ...object("rollingUpdate", "object?", { maxUnavailable: 'string = "25%"', maxSurge: 'string = "25%"' }),
    }),
    ...object("webhook", "object?", { url: "string!" }),
    ...object("probes", "object?", {
      startupPath: 'string = "/web/health"',
      livenessPath: 'string = "/web/health"',
      readinessPath: 'string = "/web/health"',
    }),
    ...object("affinity", "object?", AFFINITY),
    ...object("tolerations", "[object]", TOLERATION),
    ...object("readOnlySqlAccess", "object?", { enabled: "boolean = false", connectionLimit: "int32 = 5" }),
    ...object("extraEnv", "[object]", ENV_VAR),
    ...object("extraEnvFrom", "[object]", {
      prefix: "string",
      ...object("configMapRef", "object", SOURCE),
      ...object("secretRef", "object", SOURCE),
    }),
  }),
  ...object("status", "object?", {
    phase: "Provisioning|Uninitialized|Initializing|InitFailed|Starting|Running|Degraded|Stopped|Upgrading|Restoring|" +
      "CloningFromSource|BackingUp|MigratingFilestore|FinalizingFilestoreMigration|MigratingDatabase|" +
      "FinalizingDatabaseMigration|Error?",
    message: "string?",
    ready: "boolean = false",
    readyReplicas: "int32 = 0",
    dbInitialized: "boolean = false",
    url: "string?",
    lastBackup: "string?",
    targetReplicas: "int32?",
    selector: "string?",
    ...CONDITIONS,
    migrationJobName: "string?",
    migrationPvName: "string?",
    migrationPreviousStorageClass: "string?",
    activeCluster: "string?",
    dbMigrationJobName: "string?",
    migrationPreviousCluster: "string?",
  }),
};

const KEY_TO_PATH = object("items", "[object]", { key: "string!", mode: "int32", path: "string!" });
const CONFIG_MAP_FILES: Facts = { ...KEY_TO_PATH, name: "string!", optional: "boolean" };
const VOLUME: Facts = {
  name: "string!",
  ...object("configMap", "object", { ...CONFIG_MAP_FILES, defaultMode: "int32" }),
  ...object("secret", "object", {
    ...KEY_TO_PATH,
    defaultMode: "int32",
    optional: "boolean",
    secretName: "string!",
  }),
  ...object("emptyDir", "object", { medium: "string", sizeLimit: QUANTITY }),
  ...object("persistentVolumeClaim", "object", { claimName: "string!", readOnly: "boolean" }),
  ...object("projected", "object", {
    defaultMode: "int32",
    ...object("sources", "[object]", {
      ...object("configMap", "object", CONFIG_MAP_FILES),
      ...object("secret", "object", CONFIG_MAP_FILES),
    }),
  }),
};

/** New fields, and old ones that take more than they did. */
const INSTANCE_ADDITIONS: Facts = {
  ...under("spec.", {
    imagePullPolicy: "Always|IfNotPresent|Never?",
    adminPassword: "string?", // upstream: required; now adminPasswordSecretRef may take its place
    ...object("adminPasswordSecretRef", "object?", { name: "string!", key: "string!" }),
    "ingress.annotations": "{string}?",
    "filestore.accessModes": "[ReadWriteMany|ReadWriteOnce|ReadWriteOncePod]?",
    "init.languages": "[string]?",
    nodeSelector: "{string}?",
    ...object("topologySpreadConstraints", "[object]?", {
      ...object("labelSelector", "object", LABEL_SELECTOR),
      matchLabelKeys: "[string]",
      maxSkew: "int32!",
      minDomains: "int32",
      nodeAffinityPolicy: "string",
      nodeTaintsPolicy: "string",
      topologyKey: "string!",
      whenUnsatisfiable: "string!",
    }),
    podAnnotations: "{string}?",
    ...object("service", "object?", { type: 'ClusterIP|NodePort|LoadBalancer = "ClusterIP"' }),
    ...object("extraVolumes", "[object]?", VOLUME),
    ...object("extraVolumeMounts", "[object]?", {
      mountPath: "string!",
      name: "string!",
      readOnly: "boolean",
      subPath: "string",
    }),
    ...object("jobDefaults", "object?", {
      ...object("resources", "object?", RESOURCES),
      nodeSelector: "{string}?",
      ...object("affinity", "object?", AFFINITY),
      ...object("tolerations", "[object]?", TOLERATION),
    }),
    deletionPolicy: 'Delete|Retain = "Delete"',
  }),
  "status.observedGeneration": "int64",
  "status.databaseName": "string",
  "status.restartedFor": "string?",
  "status.odooVersion": "string?",
  "status.lastMountRetryTime": "string?",
  ...object("status.filestore", "object", {
    claim: "string",
    copy: "string",
    storageClass: "string",
    former: "string",
    refused: "string",
  }),
  "status.migrationTargetCluster": "string?",
  ...object("status.pendingNotifications", "[object]", { phase: "string!", previousPhase: "string!", time: "string!" }),
  ...object("status.operation", "object", {
    kind: "string!",
    name: "string!",
    uid: "string!",
    jobName: "string",
    stage: "string",
    attempt: "int32",
  }),
};

Deno.test("ALL_CRDS has upstream's fields, types and defaults, and our additions, when the kind is OdooInstance", () => {
  assertEquals(sorted(factsOf("odoo-crd")), sorted({ ...INSTANCE, ...INSTANCE_ADDITIONS }));
});

Deno.test("ALL_CRDS keeps names, columns and scale when the kind is OdooInstance", () => {
  const { names, versions } = crdNamed("odoo-crd").spec;
  assertEquals(names, {
    kind: "OdooInstance",
    plural: "odooinstances",
    singular: "odooinstance",
    shortNames: ["odoo"],
  });
  assertEquals(columns(versions[1]?.additionalPrinterColumns), [
    "Image .spec.image string",
    "Replicas .status.readyReplicas string",
    "Phase .status.phase string",
    "URL .status.url string",
    "Age .metadata.creationTimestamp date",
  ]);
  const paths = { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.readyReplicas" };
  assertEquals(versions[0]?.subresources.scale, paths);
  assertEquals(versions[1]?.subresources.scale, { ...paths, labelSelectorPath: ".status.selector" });
  assertEquals(versions[1]?.selectableFields, undefined);
});

Deno.test("OdooInstanceSpec takes and gives Kubernetes types when core fields are read", () => {
  const given: OdooInstanceSpec = {
    adminPassword: "admin",
    ingress: { hosts: ["shop.example.com"] },
    affinity: { nodeAffinity: {} },
    resources: { limits: { cpu: "2" } },
    tolerations: [{ key: "odoo" }],
    extraEnv: [{ name: "A", value: "b" }],
    extraEnvFrom: [{ prefix: "X_" }],
    image: null, // stored objects hold explicit nulls, so the type says so
  };
  const affinity: V1Affinity | null | undefined = given.affinity;
  const resources: V1ResourceRequirements | null | undefined = given.resources;
  const tolerations: readonly V1Toleration[] | undefined = given.tolerations;
  const env: readonly V1EnvVar[] | undefined = given.extraEnv;
  const envFrom: readonly V1EnvFromSource[] | undefined = given.extraEnvFrom;
  assert(affinity && resources && tolerations && env && envFrom);
});

Deno.test("OdooInstance takes a status with an operation when one is in progress", () => {
  const phase: Phase = "Upgrading";
  const instance: OdooInstance = {
    apiVersion: "bemade.org/v1alpha1",
    kind: "OdooInstance",
    metadata: { name: "shop", namespace: "default" },
    spec: { adminPassword: "admin", ingress: { hosts: [] } },
    status: { phase, operation: { kind: "OdooUpgradeJob", name: "up", uid: "u-1", jobName: "up-u-1", attempt: 1 } },
  };
  assertEquals(instance.status?.operation?.attempt, 1);
});
