/** The environment of the container `restore` → what `odoo-operator job restore` is to do. src/cli/job.ts says what is read. */
import type { BackupFormat } from "../crd/mod.ts";
import type { S3Location } from "../model/s3/s3_location.ts";
import type { Environment } from "./backup_settings.ts";
import { JobError } from "./report.ts";

/** A running Odoo whose database manager is open. */
export interface OdooAddress {
  readonly url: string;
  /** Absent: the only one it has. */
  readonly database?: string;
  readonly password: string;
}

/** What to restore, and where to. Exactly one of `s3` and `odoo` is there. */
export interface RestoreSettings {
  readonly s3?: S3Location;
  /** With the authority of that service's certificate, if it has one of its own. */
  readonly caFile?: string;
  /** Address of the Kubernetes API server, if the pod knows it. */
  readonly apiServer?: string;
  readonly odoo?: OdooAddress;
  readonly format: BackupFormat;
  /** Name of the copy (the database that is prepared beside the live one), and of the directory that files go to. */
  readonly side: string;
  readonly dataDirectory: string;
  /** The folder that both containers share. */
  readonly shared: string;
  /** Of the instance's image; empty if it is not known. */
  readonly odooVersion: string;
  readonly maxBytes: number;
  readonly peerTimeoutMs: number;
  readonly timeoutMs: number;
}

const DEFAULT_MAX_BYTES = 2 * 2 ** 40;
const FORMATS: readonly BackupFormat[] = ["zip", "dump", "sql"];
/** It becomes a path. */
const SIDE = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/** The settings in an environment. @throws {JobError} if something is missing or makes no sense */
export function restoreSettings(environment: Environment): RestoreSettings {
  const source = needed(environment, "RESTORE_SOURCE");
  if (source !== "s3" && source !== "odoo") throw senseless("RESTORE_SOURCE");
  const format = FORMATS.find((known) => known === needed(environment, "RESTORE_FORMAT"));
  if (!format) throw senseless("RESTORE_FORMAT");
  const side = needed(environment, "RESTORE_SIDE");
  if (!SIDE.test(side)) throw senseless("RESTORE_SIDE");
  const { S3_CA_FILE: caFile, KUBERNETES_SERVICE_HOST: apiServer } = environment;
  return {
    ...(source === "s3"
      ? { s3: s3Location(environment), ...(caFile ? { caFile } : {}) }
      : { odoo: odooAddress(environment) }),
    ...(apiServer ? { apiServer } : {}),
    format,
    side,
    dataDirectory: environment.RESTORE_DATA || "/var/lib/odoo",
    shared: needed(environment, "RESTORE_SHARED"),
    odooVersion: environment.RESTORE_ODOO_VERSION ?? "",
    maxBytes: numberIn(environment, { name: "RESTORE_MAX_BYTES", standard: DEFAULT_MAX_BYTES }),
    peerTimeoutMs: 1000 * numberIn(environment, { name: "RESTORE_PEER_SECONDS", standard: 900 }),
    timeoutMs: 1000 * numberIn(environment, { name: "RESTORE_SECONDS", standard: 86_400 }),
  };
}

function s3Location(environment: Environment): S3Location {
  const { S3_REGION: region, S3_ACCESS_KEY: accessKey, S3_SECRET_KEY: secretKey } = environment;
  return {
    endpoint: needed(environment, "S3_ENDPOINT"),
    bucket: needed(environment, "S3_BUCKET"),
    key: needed(environment, "S3_KEY"),
    insecure: environment.S3_INSECURE === "true",
    ...(region ? { region } : {}),
    ...(accessKey && secretKey ? { credentials: { accessKey, secretKey } } : {}),
  };
}

function odooAddress(environment: Environment): OdooAddress {
  const { SOURCE_DATABASE: database, SOURCE_PASSWORD: password = "" } = environment;
  return { url: needed(environment, "SOURCE_URL"), password, ...(database ? { database } : {}) };
}

function needed(environment: Environment, name: string): string {
  const value = environment[name];
  if (!value) throw new JobError("InvalidSettings", `The environment has no ${name}`);
  return value;
}

function numberIn(environment: Environment, { name, standard }: { readonly name: string; readonly standard: number }) {
  const text = environment[name];
  const value = text ? Number(text) : standard;
  if (!(value > 0)) throw senseless(name);
  return value;
}

function senseless(name: string): JobError {
  return new JobError("InvalidSettings", `${name} has a value that makes no sense`);
}
