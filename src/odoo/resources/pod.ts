/** What every pod with Odoo in it has in common: user, volumes, how it reaches PostgreSQL, where it may run. */
import type { EnvVar, PodSpec } from "../../kit/builders/mod.ts";
import { container, env, envFromSecret, restrictedContainer, restrictedPod } from "../../kit/builders/mod.ts";
import type { Container } from "../../kit/builders/mod.ts";
import type { ClusterAddress } from "../model/postgres/database.ts";
import { objectNames, ROOT_CERTIFICATE_KEY } from "../model/names.ts";
import type { Resolved, SecretKeyRef } from "../model/resolve.ts";

/** User and group `odoo` of the official images. */
const ODOO_IDS = { user: 100, group: 101 };

/** Where the containers find what they need. */
export const CONFIG_FILE = "/etc/odoo/odoo.conf";
export const CONFIG_DIRECTORY = "/etc/odoo";
export const DATA_DIRECTORY = "/var/lib/odoo";

/** Where our own program leaves its report: Deno writes to files in /dev only with all permissions. */
export const TERMINATION_LOG = "/termination-log";
const SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"; // libpq 15 knows no word for it

/** A container with Odoo's image, configuration, filestore and database; `fields` adds what is particular. */
export function odooContainer(
  name: string,
  resolved: Resolved,
  cluster: ClusterAddress,
  fields: Partial<Omit<Container, "name" | "image">>,
): Container {
  const own = [...databaseEnv(resolved, cluster), ...(fields.env ?? [])];
  return container(name, resolved.image, {
    imagePullPolicy: resolved.imagePullPolicy,
    securityContext: restrictedContainer(),
    volumeMounts: [
      { name: "filestore", mountPath: DATA_DIRECTORY },
      { name: "odoo-conf", mountPath: CONFIG_DIRECTORY },
      ...resolved.extraVolumeMounts,
    ],
    ...fields,
    env: withExtraEnv(own, resolved.extraEnv as readonly EnvVar[]),
    ...(resolved.extraEnvFrom.length ? { envFrom: [...resolved.extraEnvFrom] } : {}),
  });
}

/** Options of {@linkcode odooPod}: where the pod runs, and fields beside those that every one has. */
export interface OdooPodOptions extends Partial<PodSpec> {
  readonly cluster: ClusterAddress;
}

/** A pod around Odoo containers. */
export function odooPod(resolved: Resolved, containers: Container[], options: OdooPodOptions): PodSpec {
  const { cluster, ...fields } = options;
  const files = ["odoo.conf", ...(cluster.sslRootCert ? [ROOT_CERTIFICATE_KEY] : [])];
  const { name, imagePullSecret } = resolved;
  return {
    automountServiceAccountToken: false, // Odoo never talks to Kubernetes
    enableServiceLinks: false, // from 19 on Odoo reads ODOO_*: a Service odoo-http would set its port to tcp://…
    securityContext: restrictedPod(ODOO_IDS),
    containers,
    volumes: [
      { name: "filestore", persistentVolumeClaim: { claimName: resolved.filestoreClaim } },
      {
        name: "odoo-conf",
        secret: { secretName: objectNames.config(name), items: files.map((key) => ({ key, path: key })) },
      },
      ...resolved.extraVolumes,
    ],
    ...(imagePullSecret ? { imagePullSecrets: [{ name: imagePullSecret }] } : {}),
    ...fields,
  };
}

/** How libpq finds the database; the password stays in its Secret. */
export function databaseEnv(resolved: Resolved, cluster: ClusterAddress): EnvVar[] {
  const login = {
    role: resolved.roleName,
    database: resolved.databaseName,
    password: { name: objectNames.userSecret(resolved.name), key: "password" },
  };
  return loginEnv(login, cluster, { rootCertificate: `${CONFIG_DIRECTORY}/${ROOT_CERTIFICATE_KEY}` });
}

/** Who connects to what. */
export interface Login {
  readonly role: string;
  readonly database: string;
  readonly password: SecretKeyRef;
}

/** Options of {@linkcode loginEnv}. */
export interface LoginEnvOptions {
  /** File with the certificate of the cluster, if it has its own. */
  readonly rootCertificate: string;
  /** In front of libpq's names, for a second login of one container. @default {""} */
  readonly prefix?: string;
}

/** A login in libpq's words; the password stays in its Secret. */
export function loginEnv(login: Login, cluster: ClusterAddress, options: LoginEnvOptions): EnvVar[] {
  const { rootCertificate, prefix = "" } = options;
  const variables = {
    PGHOST: cluster.host,
    PGPORT: String(cluster.port),
    PGUSER: login.role,
    PGDATABASE: login.database,
    ...sslEnv(cluster, rootCertificate),
  };
  return [
    ...env(Object.fromEntries(Object.entries(variables).map(([name, value]) => [`${prefix}${name}`, value]))),
    envFromSecret(`${prefix}PGPASSWORD`, login.password),
  ];
}

/** The CA that libpq trusts: the cluster's own, or the system's of the image. */
function sslEnv({ sslMode, sslRootCert }: ClusterAddress, rootCertificate: string): Record<string, string> {
  if (!sslMode) return {};
  if (!sslMode.startsWith("verify-")) return { PGSSLMODE: sslMode };
  return { PGSSLMODE: sslMode, PGSSLROOTCERT: sslRootCert ? rootCertificate : SYSTEM_CERTIFICATES };
}

/** Last wins by name: an override takes the place of what it overrides, new variables follow. */
function withExtraEnv(own: readonly EnvVar[], extra: readonly EnvVar[]): EnvVar[] {
  const byName = new Map(own.map((variable) => [variable.name, variable]));
  for (const variable of extra) byName.set(variable.name, variable);
  return [...byName.values()];
}
