/**
 * The pods of operator 2.5.0, compared with what the spec says today. It made them from spec, cluster and password only,
 * so whatever differs was changed since: by a user or an administrator. Its fixed parts are not compared.
 */
import type { ConfigMap, Deployment } from "../../kit/builders/mod.ts";
import { hashOf, sha256Hex } from "../../kit/hash.ts";
import { parseQuantity } from "../../kit/quantity.ts";
import type { Stored } from "../../kit/types.ts";
import { readsUpstreamConfig } from "../model/instance/adoption.ts";
import type { ClusterAddress } from "../model/postgres/database.ts";
import { ENVIRONMENT_LABEL, LAST_APPLIED_ANNOTATION, objectNames } from "../model/names.ts";
import type { Resolved } from "../model/resolve.ts";

/** What operator 2.5.0 has made of an instance. */
export interface UpstreamObjects {
  readonly web: Deployment;
  readonly cron: Deployment;
  readonly configMap: ConfigMap;
}

/** What there is beside them. */
export interface UpstreamContext {
  readonly cluster: ClusterAddress;
  /** SHA-256 of the role's password; absent while it is not known. */
  readonly passwordHash: string | undefined;
}

/** The names of what differs between the pods and the spec; none: the pods are as they should be. */
export function upstreamDifferences(live: UpstreamObjects, resolved: Resolved, context: UpstreamContext): string[] {
  const wanted = {
    web: { ...podFacts(resolved), resources: resolved.webResources, env: webEnv(resolved), ...resolved.probes },
    cron: {
      ...podFacts(resolved),
      resources: resolved.cronResources,
      env: withExtraEnv(databaseEnv(resolved), resolved),
    },
  };
  const present = { web: { ...factsOf(live.web), ...probesOf(live.web) }, cron: factsOf(live.cron) };
  return [
    ...differing("web", present.web, wanted.web),
    ...differing("cron", present.cron, wanted.cron),
    ...differing("odoo.conf", optionsOf(live.configMap), configOptions(resolved, context.cluster)),
    ...resolved.adminPasswordRef ? ["odoo.conf admin_passwd"] : [],
    ...context.passwordHash && context.passwordHash !== sha256Hex(live.configMap.data?.db_password ?? "")
      ? ["odoo.conf db_password"]
      : [],
  ];
}

/** The Deployment as it is, with so many pods. */
export function withReplicas({ apiVersion, kind, metadata, spec }: Stored<Deployment>, replicas: number): Deployment {
  const { name, namespace, labels } = metadata;
  return {
    apiVersion: apiVersion ?? "apps/v1",
    kind: kind ?? "Deployment",
    metadata: { name, ...(namespace ? { namespace } : {}), ...(labels ? { labels } : {}) },
    ...(spec ? { spec: { ...spec, replicas } } : {}),
  };
}

/**
 * What to apply to a Deployment of operator 2.5.0 that is to become `wanted`: first itself, if the API server has written
 * into it what `wanted` must not have. An apply removes only what a former apply has named.
 */
export function nextStepTo(wanted: Deployment, live: Stored<Deployment> | undefined): Deployment {
  const stuck = readsUpstreamConfig(live) && live.spec?.strategy?.rollingUpdate !== undefined &&
    wanted.spec?.strategy?.type === "Recreate" && live.metadata.annotations?.[LAST_APPLIED_ANNOTATION] === undefined;
  return stuck ? withReplicas(live, live.spec?.replicas ?? 0) : wanted;
}

/** Whether every pod of a Deployment is of its present template, and the others have ended. */
export function isRolledOut({ metadata, status }: Stored<Deployment>): boolean {
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0, terminatingReplicas = 0 } = status ?? {};
  return observedGeneration >= (metadata.generation ?? 0) && updatedReplicas >= replicas && terminatingReplicas === 0;
}

/** What web and cron pods have in common. Fields that operator 2.5.0 did not know are absent in its pods. */
function podFacts(resolved: Resolved): Readonly<Record<string, unknown>> {
  return {
    image: resolved.image,
    filestore: resolved.filestoreClaim,
    imagePullPolicy: resolved.imagePullPolicy,
    imagePullSecrets: resolved.imagePullSecret ? [{ name: resolved.imagePullSecret }] : [],
    envFrom: resolved.extraEnvFrom,
    environment: resolved.environment.toLowerCase(),
    affinity: resolved.affinity,
    tolerations: resolved.tolerations,
    nodeSelector: resolved.nodeSelector,
    topologySpreadConstraints: resolved.topologySpreadConstraints,
    podAnnotations: resolved.podAnnotations,
    extraVolumes: resolved.extraVolumes,
  };
}

function factsOf(deployment: Deployment): Readonly<Record<string, unknown>> {
  const { metadata, spec } = deployment.spec?.template ?? {};
  const [container] = spec?.containers ?? [];
  return {
    image: container?.image,
    filestore: spec?.volumes?.find(({ name }) => name === "filestore")?.persistentVolumeClaim?.claimName,
    imagePullPolicy: container?.imagePullPolicy,
    imagePullSecrets: spec?.imagePullSecrets,
    envFrom: container?.envFrom,
    environment: metadata?.labels?.[ENVIRONMENT_LABEL],
    affinity: spec?.affinity,
    tolerations: spec?.tolerations,
    nodeSelector: spec?.nodeSelector,
    resources: container?.resources,
    env: container?.env,
  };
}

function probesOf(deployment: Deployment): Readonly<Record<string, unknown>> {
  const { startupProbe, livenessProbe, readinessProbe } = deployment.spec?.template.spec?.containers[0] ?? {};
  return {
    startupPath: startupProbe?.httpGet?.path,
    livenessPath: livenessProbe?.httpGet?.path,
    readinessPath: readinessProbe?.httpGet?.path,
  };
}

type Variable = Readonly<Record<string, unknown>> & { readonly name: string };

function databaseEnv({ databaseName }: Resolved): Variable[] {
  return [{ name: "PGDATABASE", value: databaseName }];
}

function webEnv(resolved: Resolved): Variable[] {
  const name = objectNames.readOnlySecret(resolved.name);
  const login = resolved.readOnlyAccess
    ? [
      { name: "ODOO_RO_DB_USER", valueFrom: { secretKeyRef: { name, key: "username" } } },
      { name: "ODOO_RO_DB_PASSWORD", valueFrom: { secretKeyRef: { name, key: "password" } } },
    ]
    : [];
  return withExtraEnv([...databaseEnv(resolved), ...login], resolved);
}

/** Last wins by name, in the place of what it overrides. */
function withExtraEnv(own: readonly Variable[], { extraEnv }: Resolved): Variable[] {
  const extra = extraEnv.map((variable): Variable => ({ ...variable }));
  return [...new Map([...own, ...extra].map((variable) => [variable.name, variable])).values()];
}

/** odoo.conf as operator 2.5.0 writes it, but for the password: there the user's options win over everything. */
function configOptions(resolved: Resolved, cluster: ClusterAddress): Readonly<Record<string, string>> {
  const { addons_path: extraAddons = "/mnt/extra-addons", ...options } = resolved.configOptions;
  const all: Readonly<Record<string, string>> = {
    data_dir: "/var/lib/odoo",
    logfile: "",
    log_level: "info",
    proxy_mode: "True",
    addons_path: ["/opt/odoo/addons", "/opt/odoo/odoo/addons", ...(extraAddons ? [extraAddons] : [])].join(","),
    db_host: cluster.host,
    db_port: String(cluster.port),
    db_name: resolved.databaseName,
    db_user: resolved.roleName,
    ...(cluster.sslMode ? { db_sslmode: cluster.sslMode } : {}),
    list_db: "False",
    http_interface: "0.0.0.0",
    http_port: "8069",
    max_cron_threads: "2",
    ...(resolved.adminPassword ? { admin_passwd: resolved.adminPassword } : {}),
    ...options,
  };
  return withoutPassword(Object.entries(all).map(([name, value]) => [name, value.trim()]));
}

/** The options of the file that is there, but for the password. */
function optionsOf({ data }: ConfigMap): Readonly<Record<string, string>> {
  const options = (data?.["odoo.conf"] ?? "").split("\n").flatMap((line) => {
    const [name = "", ...value] = line.split("=");
    return value.length ? [[name.trim(), value.join("=").trim()] as const] : [];
  });
  return withoutPassword(options);
}

function withoutPassword(options: readonly (readonly [name: string, value: string])[]): Record<string, string> {
  return Object.fromEntries(options.filter(([name]) => name !== "db_password"));
}

function differing(
  part: string,
  live: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, unknown>>,
): string[] {
  const names = [...new Set([...Object.keys(live), ...Object.keys(wanted)])];
  return names.filter((name) => hashOf(normal(live[name])) !== hashOf(normal(wanted[name]))).map((name) =>
    `${part} ${name}`
  );
}

/** A value without what says nothing (empty, or the API server's default), and with its quantities as numbers. */
function normal(value: unknown, name = ""): unknown {
  if (value === null || value === undefined || value === "") return undefined;
  if (Array.isArray(value)) return value.length ? value.map((item) => normal(item)) : undefined;
  if (typeof value !== "object") return value;
  const fields = Object.entries(value).flatMap(([key, inner]) => {
    const isDefault = DEFAULTS.some(([owner, field, text]) => owner === name && field === key && text === inner);
    const kept = isDefault ? undefined : QUANTITIES.has(name) ? parseQuantity(inner) ?? inner : normal(inner, key);
    return kept === undefined ? [] : [[key, kept] as const];
  });
  return fields.length ? Object.fromEntries(fields) : undefined;
}

const QUANTITIES: ReadonlySet<string> = new Set(["requests", "limits"]);

/** What the API server writes into a pod template where nothing is said. */
const DEFAULTS: readonly (readonly [owner: string, field: string, text: string])[] = [
  ["fieldRef", "apiVersion", "v1"],
  ["resourceFieldRef", "divisor", "0"],
];
