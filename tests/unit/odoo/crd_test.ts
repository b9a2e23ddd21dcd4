/**
 * The facts about upstream 2.5.0 that a drop-in must keep, written down by hand, against the CRDs that we generate.
 * Notation of a field: type, `!` required, `?` nullable, ` = default`; `[]` list, `{}` map. Upstream had strings where
 * we take a `Quantity`.
 */
import type {
  V1Affinity,
  V1EnvFromSource,
  V1EnvVar,
  V1ResourceRequirements,
  V1Toleration,
} from "@kubernetes/client-node";
import { assert, assertEquals } from "@std/assert";
import type { CustomResourceDefinition, StructuralSchema } from "../../../src/kit/crd.ts";
import { ALL_CRDS, type OdooInstance, type OdooInstanceSpec, type Phase } from "../../../src/odoo/crd/mod.ts";

type Facts = Readonly<Record<string, string>>;

const QUANTITY = "Quantity";

function under(prefix: string, facts: Facts): Facts {
  return Object.fromEntries(Object.entries(facts).map(([path, fact]) => [`${prefix}${path}`, fact]));
}

function object(path: string, own: string, facts: Facts): Facts {
  return { [path]: own, ...under(own.startsWith("[") ? `${path}[].` : `${path}.`, facts) };
}

const WEBHOOK: Facts = {
  url: "string!",
  token: "string?",
  ...object("secretTokenSecretRef", "object?", { name: "string!", key: "string!" }),
};

const CONDITIONS = object("conditions", "[object]", {
  type: "string!",
  status: "string!",
  reason: "string!",
  message: "string!",
  lastTransitionTime: "date-time!",
  observedGeneration: "int64",
});

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
    ...object("tolerations", "[object]", {
      effect: "string",
      key: "string",
      operator: "string",
      tolerationSeconds: "int64",
      value: "string",
    }),
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

const INSTANCE_ADDITIONS: Facts = {
  "status.observedGeneration": "int64",
  ...object("status.operation", "object", {
    kind: "string!",
    name: "string!",
    uid: "string!",
    jobName: "string",
    stage: "string",
    attempt: "int32",
  }),
};

const INIT_JOB: Facts = {
  ...object("spec", "object!", {
    ...object("odooInstanceRef", "object!", { name: "string!", namespace: "string?" }),
    modules: '[string] = ["base"]',
    demo: "boolean = false",
    ...object("webhook", "object?", WEBHOOK),
  }),
  ...object("status", "object?", {
    phase: "Pending|Running|Completed|Failed?",
    jobName: "string?",
    startTime: "string?",
    completionTime: "string?",
    message: "string?",
    ...CONDITIONS,
  }),
};

const INIT_JOB_ADDITIONS: Facts = { "status.observedGeneration": "int64" };

const FIELDS: Readonly<Record<string, { readonly crd: string; readonly upstream: Facts; readonly additions: Facts }>> =
  {
    OdooInstance: { crd: "odoo-crd", upstream: INSTANCE, additions: INSTANCE_ADDITIONS },
    OdooInitJob: { crd: "initjob-crd", upstream: INIT_JOB, additions: INIT_JOB_ADDITIONS },
  };

for (const [kind, { crd, upstream, additions }] of Object.entries(FIELDS)) {
  Deno.test(`ALL_CRDS has upstream's fields, types and defaults, and our additions, when the kind is ${kind}`, () => {
    const facts = Object.fromEntries(fieldsOf(schemaOf(crdNamed(crd))).map(({ path, fact }) => [path, fact]));
    assertEquals(sorted(facts), sorted({ ...upstream, ...additions }));
  });

  Deno.test(`ALL_CRDS explains every field when the kind is ${kind}`, () => {
    const silent = fieldsOf(schemaOf(crdNamed(crd))).filter(({ description }) => !description?.endsWith("."));
    assertEquals(silent.map(({ path }) => path), []);
  });

  Deno.test(`ALL_CRDS keeps the legacy version and the group when the kind is ${kind}`, () => {
    const { metadata, spec } = crdNamed(crd);
    const [legacy, current] = spec.versions;
    assertEquals(metadata?.annotations, { "helm.sh/resource-policy": "keep" });
    assertEquals([spec.group, spec.scope, spec.names.kind], ["bemade.org", "Namespaced", kind]);
    assertEquals([legacy?.name, legacy?.served, legacy?.storage, legacy?.deprecated], ["v1", false, false, true]);
    assertEquals(legacy?.additionalPrinterColumns, current?.additionalPrinterColumns);
    assertEquals([current?.name, current?.served, current?.storage], ["v1alpha1", true, true]);
    assertEquals(spec.versions.length, 2);
  });
}

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

Deno.test("ALL_CRDS keeps names, columns and selectable fields when the kind is OdooInitJob", () => {
  const { names, versions } = crdNamed("initjob-crd").spec;
  assertEquals(names, {
    kind: "OdooInitJob",
    plural: "odooinitjobs",
    singular: "odooinitjob",
    shortNames: ["initjob"],
  });
  assertEquals(columns(versions[1]?.additionalPrinterColumns), [
    "Target .spec.odooInstanceRef.name string",
    "Phase .status.phase string",
    "Age .metadata.creationTimestamp date",
  ]);
  assertEquals(versions[1]?.selectableFields, [
    { jsonPath: ".spec.odooInstanceRef.name" },
    { jsonPath: ".status.phase" },
  ]);
  assertEquals(versions[1]?.subresources, { status: {} });
});

Deno.test("ALL_CRDS judges only new and changed values when a rule is not upstream's", () => {
  const { spec } = schemaOf(crdNamed("odoo-crd")).properties ?? {};
  const rules = fieldsOf(spec ?? {}).flatMap(({ path, rules }) => rules.map((rule) => ({ path, rule })));
  assertEquals(rules.map(({ path }) => path), ["replicas", "cron.replicas", "ingress.hosts"]);
  assert(rules.every(({ rule }) => rule.optionalOldSelf && rule.rule.includes("oldSelf.value() == self")));
  assertEquals(spec?.["x-kubernetes-validations"]?.map(({ rule }) => rule), [
    "self.environment != 'Production' || !has(self.productionInstanceRef)",
  ]);
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

interface Field {
  readonly path: string;
  readonly fact: string;
  readonly description: string | undefined;
  readonly rules: NonNullable<StructuralSchema["x-kubernetes-validations"]>;
}

function crdNamed(name: string): CustomResourceDefinition {
  const crd = ALL_CRDS[name];
  assert(crd, `no CRD ${name}`);
  return crd;
}

function schemaOf(crd: CustomResourceDefinition): StructuralSchema {
  const current = crd.spec.versions.find((version) => version.storage);
  assert(current);
  return current.schema.openAPIV3Schema;
}

function fieldsOf(schema: StructuralSchema, prefix = ""): Field[] {
  const required = new Set(schema.required);
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const path = `${prefix}${name}`;
    const mark = `${required.has(name) ? "!" : ""}${child.nullable ? "?" : ""}`;
    const standard = child.default === undefined ? "" : ` = ${JSON.stringify(child.default)}`;
    const { description, "x-kubernetes-validations": rules = [] } = child;
    const own = { path, fact: `${typeOf(child)}${mark}${standard}`, description, rules };
    return [own, ...fieldsOf(child.items ?? child, child.items ? `${path}[].` : `${path}.`)];
  });
}

function typeOf(schema: StructuralSchema): string {
  if (schema["x-kubernetes-int-or-string"]) return QUANTITY;
  if (schema.enum) return schema.enum.join("|");
  if (schema.items) return `[${typeOf(schema.items)}]`;
  if (schema.additionalProperties) return `{${typeOf(schema.additionalProperties)}}`;
  return schema.format ?? schema.type ?? "any";
}

function columns(given: CustomResourceDefinition["spec"]["versions"][number]["additionalPrinterColumns"]) {
  return given?.map(({ name, jsonPath, type }) => `${name} ${jsonPath} ${type}`);
}

function sorted(facts: Facts): Facts {
  return Object.fromEntries(Object.entries(facts).toSorted(([a], [b]) => a < b ? -1 : 1));
}
