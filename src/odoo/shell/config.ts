/** The settings of the program: flags and environment variables, with the names of operator 2.5.0. Only this module reads them. */
import { parseArgs } from "@std/cli/parse-args";
import type { Defaults } from "../model/resolve.ts";
import { PRIVATE_RANGES, readAllowedHosts } from "../model/network/webhook_target.ts";
import type { AdoptedInstances } from "../model/world.ts";

/** The settings of the operator. */
export interface Config {
  readonly operatorNamespace: string;
  readonly clustersSecret: string;
  readonly defaults: Defaults;
  /** Names of the pull Secrets that may be copied to the namespaces of instances. */
  readonly allowedPullSecrets: readonly string[];
  /** Allowed targets of notifications beside public addresses: addresses, CIDR ranges, host names, `*.domain`. */
  readonly allowedWebhookHosts: readonly string[];
  readonly adoptedInstances: AdoptedInstances;
  /** Number of finished job CRs of each kind that are kept per instance; 0 keeps all. */
  readonly jobHistoryLimit: number;
  readonly health: { readonly hostname: string; readonly port: number };
  readonly webhook: WebhookConfig;
  readonly logFormat: "text" | "json";
  readonly logLevel: "debug" | "info" | "warning" | "error";
  /** `reportingInstance` of events. */
  readonly podName: string;
}

/** Where the admission webhook is served, and with which certificate. */
export interface WebhookConfig {
  readonly port: number;
  readonly certPath: string;
  readonly keyPath: string;
  /** Whether the certificate or its key is configured: then both files must exist. */
  readonly required: boolean;
}

/** A setting that cannot be used; the message is for one line on stderr. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Every flag with its default. The environment variable of a flag has its name in capitals with underscores. */
const FLAGS = {
  "default-odoo-image": "odoo:18.0",
  "default-storage-class": "standard",
  "default-storage-size": "2Gi",
  "default-ingress-class": "",
  "default-ingress-issuer": "",
  "default-gateway-ref-name": "",
  "default-gateway-ref-namespace": "",
  "default-staging-smtp-host": "",
  "default-staging-smtp-port": "1025",
  "default-staging-smtp-encryption": "none",
  "default-odoo-resources": "",
  "default-odoo-affinity": "",
  "default-odoo-tolerations": "",
  "postgres-clusters-secret": "postgres-clusters",
  "operator-namespace": "",
  "webhook-port": "9443",
  "webhook-tls-cert": "/tmp/k8s-webhook-server/serving-certs/tls.crt",
  "webhook-tls-key": "/tmp/k8s-webhook-server/serving-certs/tls.key",
  "health-probe-bind-address": ":8081",
  "log-format": "text",
  "log-level": "info",
  "job-history-limit": "10",
  "postgres-client-image": "",
  "operator-image": "",
  "allowed-pull-secrets": "",
  "allowed-webhook-hosts": PRIVATE_RANGES,
  "adopted-instances": "keep",
} as const;

type Flag = keyof typeof FLAGS;

/**
 * Reads the command line and the environment; a flag overrides its variable.
 *
 * @throws {UsageError} for an unknown flag, a missing namespace, or a value that cannot be read.
 */
export function readConfig(
  args: readonly string[],
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
): Config {
  const given = readFlags(args);
  const value = (flag: Flag) => given.get(flag) ?? env(variableOf(flag)) ?? FLAGS[flag];
  const operatorNamespace = value("operator-namespace");
  if (!operatorNamespace) {
    throw new UsageError(
      "Cannot start: set --operator-namespace (or OPERATOR_NAMESPACE) to the namespace of the operator",
    );
  }
  const logFormat = value("log-format");
  if (logFormat !== "text" && logFormat !== "json") {
    throw new UsageError(`Cannot use --log-format ${logFormat}: it must be text or json`);
  }
  const isGiven = (flag: Flag) => given.has(flag) || env(variableOf(flag)) !== undefined;
  const logLevel = (isGiven("log-level") ? undefined : rustLogLevel(env("RUST_LOG") ?? "")) ?? value("log-level");
  if (logLevel !== "debug" && logLevel !== "info" && logLevel !== "warning" && logLevel !== "error") {
    throw new UsageError(`Cannot use --log-level ${logLevel}: it must be debug, info, warning or error`);
  }
  const adoptedInstances = value("adopted-instances");
  if (adoptedInstances !== "keep" && adoptedInstances !== "switch") {
    throw new UsageError(`Cannot use --adopted-instances ${adoptedInstances}: it must be keep or switch`);
  }
  const isSet = (flag: Flag) => isGiven(flag) && value(flag) !== "";
  return {
    operatorNamespace,
    clustersSecret: value("postgres-clusters-secret") || FLAGS["postgres-clusters-secret"],
    defaults: readDefaults(value),
    allowedPullSecrets: listOf(value("allowed-pull-secrets")),
    allowedWebhookHosts: readWebhookHosts(value("allowed-webhook-hosts")),
    adoptedInstances,
    jobHistoryLimit: integer("job-history-limit", value("job-history-limit"), 2 ** 31 - 1),
    health: readAddress(value("health-probe-bind-address")),
    webhook: {
      port: integer("webhook-port", value("webhook-port"), 65535),
      certPath: value("webhook-tls-cert") || FLAGS["webhook-tls-cert"],
      keyPath: value("webhook-tls-key") || FLAGS["webhook-tls-key"],
      required: isSet("webhook-tls-cert") || isSet("webhook-tls-key"),
    },
    logFormat,
    logLevel,
    podName: env("POD_NAME") || "odoo-operator",
  };
}

/** Log levels of RUST_LOG, the variable of operator 2.5.0, and the levels of this program. */
const RUST_LEVELS: ReadonlyMap<string, Config["logLevel"]> = new Map([
  ["trace", "debug"],
  ["debug", "debug"],
  ["info", "info"],
  ["warn", "warning"],
  ["error", "error"],
  ["off", "error"],
]);

/** The level that `RUST_LOG` sets for the operator (`debug`, `warn,odoo_operator=debug`); levels of other modules are ignored. */
function rustLogLevel(text: string): Config["logLevel"] | undefined {
  const directives = text.toLowerCase().split(",").map((directive) => directive.trim());
  const own = directives.findLast((directive) => directive.startsWith("odoo_operator="))?.split("=")[1];
  return RUST_LEVELS.get(own ?? directives.findLast((directive) => RUST_LEVELS.has(directive)) ?? "");
}

function readFlags(args: readonly string[]): ReadonlyMap<Flag, string> {
  const unknown: string[] = [];
  const parsed = parseArgs(args, {
    string: Object.keys(FLAGS),
    unknown: (argument) => (unknown.push(argument), false),
  });
  const unexpected = [...unknown, ...parsed._.map(String)];
  if (unexpected.length) {
    throw new UsageError(`Cannot use ${unexpected.join(" ")}: it is not a flag of this program, see docs/flags.md`);
  }
  const flags = Object.keys(FLAGS) as Flag[];
  return new Map(flags.flatMap((flag) => parsed[flag] === undefined ? [] : [[flag, String(parsed[flag])] as const]));
}

function readDefaults(value: (flag: Flag) => string): Defaults {
  const name = value("default-gateway-ref-name");
  const namespace = value("default-gateway-ref-namespace");
  const resources = json(value, "default-odoo-resources", isRecord) as Defaults["resources"];
  const affinity = json(value, "default-odoo-affinity", isRecord) as Defaults["affinity"];
  const tolerations = json(value, "default-odoo-tolerations", Array.isArray) as Defaults["tolerations"];
  const mailHost = value("default-staging-smtp-host");
  const mailPort = integer("default-staging-smtp-port", value("default-staging-smtp-port"), 65535);
  return {
    image: value("default-odoo-image") || FLAGS["default-odoo-image"],
    storageClass: value("default-storage-class"),
    storageSize: value("default-storage-size") || FLAGS["default-storage-size"],
    ingressClass: value("default-ingress-class"),
    ingressIssuer: value("default-ingress-issuer"),
    ...(name && namespace ? { gatewayRef: { name, namespace } } : {}),
    ...(resources ? { resources } : {}),
    ...(affinity ? { affinity } : {}),
    ...(tolerations ? { tolerations } : {}),
    ...(value("operator-image") ? { operatorImage: value("operator-image") } : {}),
    ...(value("postgres-client-image") ? { postgresClientImage: value("postgres-client-image") } : {}),
    ...(mailHost
      ? { stagingMail: { host: mailHost, port: mailPort, encryption: value("default-staging-smtp-encryption") } }
      : {}),
  };
}

function readWebhookHosts(text: string): readonly string[] {
  const entries = listOf(text);
  try {
    readAllowedHosts(entries);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = error.message.replace("Cannot use", "Cannot use --allowed-webhook-hosts");
    throw new UsageError(message, { cause: error });
  }
  return entries;
}

function listOf(text: string): readonly string[] {
  return text.split(",").map((entry) => entry.trim()).filter(Boolean);
}

/** The JSON value of a flag; `undefined` for an empty text, `null`, `{}` and `[]`. */
function json(value: (flag: Flag) => string, flag: Flag, accepts: (parsed: unknown) => boolean): unknown {
  const text = value(flag);
  if (!text) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`Cannot use --${flag}: its value is not JSON`, { cause });
  }
  if (parsed === null) return undefined;
  if (!accepts(parsed)) {
    throw new UsageError(`Cannot use --${flag}: its value is not the JSON of a field of that kind, see docs/flags.md`);
  }
  return Object.keys(parsed as object).length ? parsed : undefined;
}

/** `host:port` or `:port`. */
function readAddress(text: string): { hostname: string; port: number } {
  const match = /^(.*):(\d+)$/.exec(text);
  if (!match) throw new UsageError(`Cannot use --health-probe-bind-address ${text}: it must be host:port or :port`);
  return {
    hostname: match[1]?.replace(/^\[|\]$/g, "") || "0.0.0.0",
    port: integer("health-probe-bind-address", match[2] ?? "", 65535),
  };
}

function integer(flag: Flag, text: string, max: number): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > max) {
    throw new UsageError(`Cannot use --${flag} ${text}: it must be a whole number up to ${max}`);
  }
  return number;
}

function variableOf(flag: Flag): string {
  return flag.toUpperCase().replaceAll("-", "_");
}

function isRecord(value: unknown): boolean {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
