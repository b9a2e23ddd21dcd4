/**
 * What a user said plus the operator's defaults: `Resolved`, in which nothing that matters is optional, or the problems
 * that keep the instance from ever working. Everything behind this line can trust what it gets.
 */
import type { Problem } from "./problem.ts";
import type {
  V1Affinity,
  V1EnvFromSource,
  V1EnvVar,
  V1ResourceRequirements,
  V1Toleration,
  V1TopologySpreadConstraint,
  V1Volume,
  V1VolumeMount,
} from "@kubernetes/client-node";
import type { PersistentVolumeClaim } from "../../kit/builders/kinds.ts";
import type { JsonPatchOperation } from "../../kit/types.ts";
import type { OdooInstance, OdooInstanceSpec } from "../crd/mod.ts";
import { identifierProblem } from "./postgres/database.ts";
import { databaseName, filestoreClaimName, LONGEST_INSTANCE_NAME, readOnlyRoleName, roleName } from "./names.ts";

/** What the operator's flags give to instances that do not say. Empty strings mean: no default. */
export interface Defaults {
  readonly image: string;
  readonly storageClass: string;
  readonly storageSize: string;
  readonly ingressClass: string;
  readonly ingressIssuer: string;
  readonly gatewayRef?: { readonly name: string; readonly namespace: string };
  readonly resources?: V1ResourceRequirements;
  readonly affinity?: V1Affinity;
  readonly tolerations?: readonly V1Toleration[];
  /** The operator's own image: Jobs that talk to S3 run it. */
  readonly operatorImage?: string;
  /** Image with PostgreSQL's client programs; the instance's own if absent. */
  readonly postgresClientImage?: string;
  /** Where a neutralised staging copy sends its mail; nowhere if absent. */
  readonly stagingMail?: StagingMail;
}

/** A mail server that keeps what it gets. */
export interface StagingMail {
  readonly host: string;
  readonly port: number;
  readonly encryption: string;
}

/** A key in a Secret of the instance's namespace. */
export interface SecretKeyRef {
  readonly name: string;
  readonly key: string;
}

/** A problem and the value that it is about. */
export interface FieldProblem extends Problem {
  readonly value: unknown;
}

/** A desired state that can be applied. */
export interface Resolved {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly image: string;
  readonly imagePullPolicy: "Always" | "IfNotPresent" | "Never";
  readonly imagePullSecret?: string;
  readonly adminPassword: string;
  /** Goes before `adminPassword`. */
  readonly adminPasswordRef?: SecretKeyRef;
  readonly environment: "Staging" | "Production";
  readonly webReplicas: number;
  /** None of an instance without web pods: it is stopped, whatever is done to its data meanwhile. */
  readonly cronReplicas: number;
  readonly hosts: readonly string[];
  readonly ingressIssuer?: string;
  readonly ingressClass?: string;
  readonly ingressAnnotations: Readonly<Record<string, string>>;
  readonly serviceType: "ClusterIP" | "NodePort" | "LoadBalancer";
  readonly gatewayRef?: { readonly name: string; readonly namespace: string };
  readonly webResources?: V1ResourceRequirements;
  readonly cronResources?: V1ResourceRequirements;
  /** Name of the PersistentVolumeClaim that holds the files. */
  readonly filestoreClaim: string;
  readonly storageSize: string;
  readonly storageClass?: string;
  /** As the volume has them; those of the spec while there is none. */
  readonly accessModes: readonly string[];
  readonly configOptions: Readonly<Record<string, string>>;
  readonly roleName: string;
  readonly databaseName: string;
  /** Absent: there is no role that may only read. */
  readonly readOnlyAccess?: { readonly roleName: string; readonly connectionLimit: number };
  readonly missingPolicy: "Ignore" | "Recreate";
  readonly init: { readonly enabled: boolean; readonly modules: readonly string[]; readonly demo: boolean };
  readonly strategy: "Recreate" | "RollingUpdate";
  readonly rollingUpdate?: { readonly maxUnavailable: string; readonly maxSurge: string };
  readonly probes: { readonly startupPath: string; readonly livenessPath: string; readonly readinessPath: string };
  readonly affinity?: V1Affinity;
  readonly tolerations: readonly V1Toleration[];
  readonly extraEnv: readonly V1EnvVar[];
  readonly extraEnvFrom: readonly V1EnvFromSource[];
  readonly extraVolumes: readonly Omit<V1Volume, "ephemeral">[];
  readonly extraVolumeMounts: readonly V1VolumeMount[];
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly podAnnotations: Readonly<Record<string, string>>;
  readonly topologySpreadConstraints: readonly V1TopologySpreadConstraint[];
  readonly jobs: JobSettings;
  /** Where a copy sends its mail; absent for production, and where none is configured. */
  readonly stagingMail?: StagingMail;
}

/** Where the pods of Jobs run, and what they may use: as the web pods, unless spec.jobDefaults says otherwise. */
export interface JobSettings {
  readonly resources?: V1ResourceRequirements;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly affinity?: V1Affinity;
  readonly tolerations: readonly V1Toleration[];
  /** Absent if the operator does not know its own image. */
  readonly operatorImage?: string;
  readonly postgresClientImage: string;
}

const SERVICE_NAME = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const DEFAULT_READ_ONLY_CONNECTIONS = 5;
const HEALTH_PATH = "/web/health";

/** Everything the instance is to be, or what is wrong with it (never both, never neither). */
export function resolve(
  instance: OdooInstance,
  defaults: Defaults,
): { readonly resolved: Resolved; readonly problem?: undefined } | {
  readonly resolved?: undefined;
  readonly problem: Problem;
} {
  const { name = "", namespace = "", uid = "" } = instance.metadata ?? {};
  const [found] = problemsOf(instance);
  if (found) return { problem: { reason: found.reason, message: found.message } };
  const spec = instance.spec;
  const { cron, ingress, init, probes, strategy } = spec;
  const storageClass = spec.filestore?.storageClass ?? defaults.storageClass;
  const webResources = spec.resources ?? defaults.resources;
  const affinity = spec.affinity ?? defaults.affinity;
  const tolerations = spec.tolerations?.length ? spec.tolerations : defaults.tolerations ?? [];
  const { jobDefaults } = spec;
  const image = spec.image || defaults.image;
  return {
    resolved: {
      name,
      namespace,
      uid,
      image,
      imagePullPolicy: spec.imagePullPolicy ?? "IfNotPresent",
      adminPassword: spec.adminPassword ?? "",
      environment: spec.environment ?? "Staging",
      webReplicas: spec.replicas ?? 1,
      cronReplicas: spec.replicas === 0 ? 0 : cron?.replicas ?? 1,
      hosts: ingress.hosts,
      ingressAnnotations: ingress.annotations ?? {},
      serviceType: spec.service?.type ?? "ClusterIP",
      filestoreClaim: filestoreClaimName(instance),
      storageSize: String(spec.filestore?.storageSize ?? defaults.storageSize),
      accessModes: spec.filestore?.accessModes?.length ? spec.filestore.accessModes : ["ReadWriteMany"],
      configOptions: spec.configOptions ?? {},
      roleName: roleName({ name, namespace }),
      databaseName: databaseName(instance, uid),
      missingPolicy: spec.database?.missingPolicy ?? "Ignore",
      init: { enabled: init?.enabled ?? true, modules: orBase(init?.modules), demo: init?.demo ?? false },
      strategy: strategy?.type ?? "Recreate",
      probes: {
        startupPath: probes?.startupPath ?? HEALTH_PATH,
        livenessPath: probes?.livenessPath ?? HEALTH_PATH,
        readinessPath: probes?.readinessPath ?? HEALTH_PATH,
      },
      tolerations,
      extraEnv: spec.extraEnv ?? [],
      extraEnvFrom: spec.extraEnvFrom ?? [],
      extraVolumes: spec.extraVolumes ?? [],
      extraVolumeMounts: spec.extraVolumeMounts ?? [],
      podAnnotations: spec.podAnnotations ?? {},
      topologySpreadConstraints: spec.topologySpreadConstraints ?? [],
      jobs: {
        tolerations: jobDefaults?.tolerations ?? tolerations,
        postgresClientImage: defaults.postgresClientImage ?? image,
        ...given({
          operatorImage: defaults.operatorImage,
          resources: jobDefaults?.resources ?? webResources,
          nodeSelector: jobDefaults?.nodeSelector ?? spec.nodeSelector,
          affinity: jobDefaults?.affinity ?? affinity,
        }),
      },
      ...given({
        adminPasswordRef: spec.adminPasswordSecretRef,
        imagePullSecret: spec.imagePullSecret || undefined,
        ingressIssuer: (ingress.issuer ?? defaults.ingressIssuer) || undefined,
        ingressClass: (ingress.class ?? defaults.ingressClass) || undefined,
        gatewayRef: ingress.gatewayRef ?? defaults.gatewayRef,
        webResources,
        cronResources: cron?.resources ?? defaults.resources,
        storageClass: storageClass || undefined,
        nodeSelector: spec.nodeSelector ?? undefined,
        affinity,
        stagingMail: spec.environment === "Production" ? undefined : defaults.stagingMail,
        readOnlyAccess: spec.readOnlySqlAccess?.enabled
          ? {
            roleName: readOnlyRoleName({ name, namespace }),
            connectionLimit: spec.readOnlySqlAccess.connectionLimit ?? DEFAULT_READ_ONLY_CONNECTIONS,
          }
          : undefined,
        rollingUpdate: strategy?.type === "RollingUpdate"
          ? {
            maxUnavailable: strategy.rollingUpdate?.maxUnavailable ?? "25%",
            maxSurge: strategy.rollingUpdate?.maxSurge ?? "25%",
          }
          : undefined,
      }),
    },
  };
}

/** The desired state with the access modes of the existing volume, which can never change. */
export function withClaim(resolved: Resolved, claim: PersistentVolumeClaim | undefined): Resolved {
  const accessModes = claim?.spec?.accessModes;
  return accessModes ? { ...resolved, accessModes } : resolved;
}

/** Why an instance must give way to an older one. */
export function nameConflict({ metadata }: OdooInstance): Problem {
  return {
    reason: "NameConflict",
    message:
      `The older instance ${metadata?.name} has children with the names that this one needs: delete one of the two, and create it again under another name`,
  };
}

/** Whether all pods must be on one node, because the volume cannot be on two. */
export function sharesNode({ accessModes }: Pick<Resolved, "accessModes">): boolean {
  return !accessModes.includes("ReadWriteMany");
}

/** The modules to install: an empty list means `base`, as upstream has it. */
export function orBase(modules: readonly string[] | undefined): readonly string[] {
  return modules?.length ? modules : ["base"];
}

/**
 * The operations that write `defaults` into the spec where it says nothing; empty if it says everything. Only what a flag
 * gives is written, and only absent fields are touched.
 */
export function defaultsPatch(spec: OdooInstanceSpec, defaults: Defaults): JsonPatchOperation[] {
  const { filestore, cron } = spec;
  return [
    ...absent("/spec", spec, { image: defaults.image, resources: defaults.resources, affinity: defaults.affinity }),
    ...(spec.tolerations?.length
      ? []
      : absent("/spec", {}, { tolerations: defaults.tolerations?.length ? defaults.tolerations : undefined })),
    ...nested("/spec/filestore", filestore, { storageClass: defaults.storageClass, storageSize: defaults.storageSize }),
    ...absent("/spec/ingress", spec.ingress, {
      issuer: defaults.ingressIssuer,
      class: defaults.ingressClass,
      gatewayRef: defaults.gatewayRef,
    }),
    ...nested("/spec/cron", cron, { resources: defaults.resources }),
  ];
}

function absent(path: string, present: object, values: Readonly<Record<string, unknown>>): JsonPatchOperation[] {
  const has = present as Readonly<Record<string, unknown>>;
  return Object.entries(values).filter(([name, value]) =>
    value !== undefined && value !== "" && (has[name] ?? undefined) === undefined
  )
    .map(([name, value]) => ({ op: "add", path: `${path}/${name}`, value }));
}

function nested(
  path: string,
  present: object | null | undefined,
  values: Readonly<Record<string, unknown>>,
): JsonPatchOperation[] {
  const operations = absent(path, present ?? {}, values);
  return present || !operations.length ? operations : [{ op: "add", path, value: {} }, ...operations];
}

/** Everything that keeps an instance from ever working; the message of all but the name's begins with the field's path. */
export function problemsOf(instance: OdooInstance): readonly FieldProblem[] {
  return [nameProblem(instance.metadata?.name ?? "") ?? [], ...specProblems(instance)].flat();
}

function nameProblem(name: string): FieldProblem | undefined {
  if (SERVICE_NAME.test(name) && name.length <= LONGEST_INSTANCE_NAME) return undefined;
  return {
    reason: "NameInvalid",
    value: name,
    message:
      `The name cannot be used for a Service and its labels: choose at most ${LONGEST_INSTANCE_NAME} lower-case letters, digits and dashes that begin with a letter, and create the instance again`,
  };
}

function specProblems({ spec, status }: OdooInstance): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const { hosts } = spec.ingress;
  if (!hosts.length) {
    problems.push({
      reason: "HostsMissing",
      value: hosts,
      message: "spec.ingress.hosts is empty: name at least one host",
    });
  }
  for (
    const [path, name] of [["spec.database.name", spec.database?.name], ["status.databaseName", status?.databaseName]]
  ) {
    const unusable = name ? identifierProblem(name) : undefined;
    if (!unusable) continue;
    problems.push({
      reason: "DatabaseNameInvalid",
      value: name,
      message: `${path} cannot be used, because ${unusable}: choose another`,
    });
  }
  for (const [name, value] of Object.entries(spec.configOptions ?? {})) {
    if (!hasControlCharacter(name + value)) continue;
    problems.push({
      reason: "ConfigOptionInvalid",
      value,
      message: `spec.configOptions.${JSON.stringify(name)} contains a line break or control character: remove it`,
    });
  }
  const { extraVolumes, extraVolumeMounts } = spec;
  const problem = volumesProblem(spec);
  if (problem) problems.push({ ...problem, value: [extraVolumes, extraVolumeMounts] });
  return problems;
}

/** Names of the volumes that are ours. */
const OWN_VOLUMES: readonly string[] = ["filestore", "odoo-conf", "tmp"];
const OWN_PATHS: readonly string[] = ["/etc/odoo", "/var/lib/odoo"];

function volumesProblem({ extraVolumes, extraVolumeMounts }: OdooInstanceSpec): Problem | undefined {
  const reason = "ExtraVolumeInvalid";
  const names = (extraVolumes ?? []).map(({ name }) => name);
  const unusable = names.find((name, index) => OWN_VOLUMES.includes(name) || names.indexOf(name) !== index);
  if (unusable !== undefined) {
    return { reason, message: `spec.extraVolumes: the name '${unusable}' is taken: choose another` };
  }
  const paths = (extraVolumeMounts ?? []).map(({ mountPath }) => mountPath.replace(/\/+$/, ""));
  const taken = paths.find((path, index) => OWN_PATHS.includes(path) || paths.indexOf(path) !== index);
  if (taken !== undefined) {
    return { reason, message: `spec.extraVolumeMounts: the path '${taken}' is taken: choose another` };
  }
  const missing = extraVolumeMounts?.find(({ name }) => !names.includes(name));
  return missing && {
    reason,
    message: `spec.extraVolumeMounts names '${missing.name}', which is not in spec.extraVolumes: add it there`,
  };
}

function hasControlCharacter(text: string): boolean {
  return [...text].some((character) => character.charCodeAt(0) < 32 || character.charCodeAt(0) === 127);
}

/** The entries whose value is given, for optional fields that must not be present and undefined. */
function given<T extends Readonly<Record<string, unknown>>>(
  values: T,
): { [K in keyof T]?: Exclude<T[K], undefined | null> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null)) as {
    [K in keyof T]?: Exclude<T[K], undefined | null>;
  };
}
