/** odoo.conf without its passwords. A change of this text, or of a password, rolls the pods. */
import { hashOf } from "../../../kit/hash.ts";
import type { ClusterAddress } from "../postgres/database.ts";
import { ROOT_CERTIFICATE_KEY } from "../names.ts";
import type { Resolved } from "../resolve.ts";

/** The options of odoo.conf in their order; `admin_passwd` is added where the Secret is rendered. */
export interface ConfigText {
  readonly options: readonly (readonly [name: string, value: string])[];
  /** CA certificate in PEM, beside odoo.conf, with which the pods verify the PostgreSQL server. */
  readonly rootCertificate?: string;
}

const STANDARD_ADDONS = "/opt/odoo/addons,/opt/odoo/odoo/addons";

/**
 * Options in the order of operator 2.5.0, then further options of the spec sorted by name. Those of the spec override the
 * others, except the options that locate the data. The password of the database comes from PGPASSWORD.
 */
export function configText(resolved: Resolved, cluster: ClusterAddress): ConfigText {
  const { configOptions, databaseName, roleName } = resolved;
  const extraAddons = configOptions.addons_path ?? "/mnt/extra-addons";
  const managed: Readonly<Record<string, string>> = {
    data_dir: "/var/lib/odoo",
    db_host: cluster.host,
    db_port: String(cluster.port),
    db_name: databaseName,
    db_user: roleName,
    ...(cluster.sslMode ? { db_sslmode: cluster.sslMode } : {}),
    http_interface: "0.0.0.0",
    http_port: "8069",
    addons_path: extraAddons ? `${STANDARD_ADDONS},${extraAddons}` : STANDARD_ADDONS,
  };
  const options: Record<string, string> = {
    data_dir: "",
    logfile: "",
    log_level: "info",
    proxy_mode: "True",
    addons_path: "",
    db_host: "",
    db_port: "",
    db_name: "",
    db_user: "",
    list_db: "False",
    http_interface: "",
    http_port: "",
    max_cron_threads: "2",
    ...sorted(configOptions),
    ...managed,
  };
  return {
    options: Object.entries(options).filter(([name]) => !SECRET_OPTIONS.has(name)),
    ...(cluster.sslRootCert ? { rootCertificate: cluster.sslRootCert } : {}),
  };
}

/** Options whose values are passwords: they are never taken from spec.configOptions. */
const SECRET_OPTIONS: ReadonlySet<string> = new Set(["admin_passwd", "db_password"]);

/** The text of odoo.conf: `[options]`, one option per line. `adminPasswd` is the hash of the master password. */
export function renderConfig(text: ConfigText, adminPasswd: string | undefined): string {
  const options = adminPasswd ? [...text.options, ["admin_passwd", adminPasswd] as const] : text.options;
  return ["[options]", ...options.map(([name, value]) => `${name} = ${value}`), ""].join("\n");
}

/** The keys of the configuration Secret: the file, the hash and the salt that are kept at each rendering, the certificate. */
export function configKeys({ rootCertificate }: ConfigText): string[] {
  return ["odoo.conf", "admin_passwd", "salt", ...(rootCertificate ? [ROOT_CERTIFICATE_KEY] : [])];
}

/**
 * The hash of the inputs of the configuration Secret. It is stored as an annotation of that Secret only: it covers the
 * admin password, so only users who may read the Secret may read the hash.
 */
export function configInputsHash(text: ConfigText, adminPassword: string, userSecretVersion: string): string {
  const { options, rootCertificate } = text;
  return hashOf([options, adminPassword, userSecretVersion, ...(rootCertificate ? [rootCertificate] : [])]);
}

function sorted(options: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(options).sort(([a], [b]) => a < b ? -1 : 1));
}
