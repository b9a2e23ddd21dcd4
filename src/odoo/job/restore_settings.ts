/**
 * The environment of `odoo-operator job restore` → what it is to do. src/odoo/resources/restore_jobs.ts writes it.
 *
 *     RESTORE_SOURCE         s3 or odoo
 *     RESTORE_FORMAT         zip, dump or sql
 *     RESTORE_SIDE           name of the side database, and of the directory beside the filestore's that the files go to
 *     RESTORE_DATA           Odoo's data directory; default /var/lib/odoo
 *     RESTORE_SHARED         directory that the container load has too
 *     RESTORE_ODOO_VERSION   of the instance's image, if it is known: the dump must be of the same major
 *     RESTORE_MAX_BYTES      how much a source may hold, unpacked; default 2 TiB
 *     RESTORE_PEER_SECONDS   how long to wait for the container load; default 900
 *     S3_ENDPOINT S3_BUCKET S3_KEY S3_REGION S3_INSECURE (true or false) S3_CA (PEM) S3_ACCESS_KEY S3_SECRET_KEY
 *     SOURCE_URL SOURCE_DATABASE SOURCE_PASSWORD (of the other Odoo's database manager)
 *     TERMINATION_LOG        where the result goes; default /dev/termination-log
 */
import type { BackupFormat } from "../crd/s3_location.ts";
import type { S3Location } from "../model/s3_location.ts";
import { JobFailure } from "./job_failure.ts";

/** Reads one variable. */
export type ReadVariable = (name: string) => string | undefined;

/** A running Odoo whose database manager is open. */
export interface OdooAddress {
  readonly url: string;
  /** Absent: the only one it has. */
  readonly database?: string;
  readonly password: string;
}

/** What to restore, and where to. */
export interface RestoreSettings {
  readonly s3?: S3Location;
  readonly odoo?: OdooAddress;
  readonly format: BackupFormat;
  readonly side: string;
  readonly dataDirectory: string;
  readonly shared: string;
  readonly odooVersion: string;
  readonly maxBytes: number;
  readonly peerMs: number;
  /** Must be in no message. */
  readonly secrets: readonly string[];
}

const DEFAULT_MAX_BYTES = 2 * 2 ** 40;
const DEFAULT_PEER_SECONDS = 900;
const FORMATS: readonly string[] = ["zip", "dump", "sql"] satisfies BackupFormat[];

/** Reads all of it. @throws {JobFailure} if something is missing or makes no sense */
export function readRestoreSettings(read: ReadVariable): RestoreSettings {
  const source = needed(read, "RESTORE_SOURCE");
  if (source !== "s3" && source !== "odoo") throw senseless("RESTORE_SOURCE");
  const format = needed(read, "RESTORE_FORMAT");
  if (!isFormat(format)) throw senseless("RESTORE_FORMAT");
  const side = needed(read, "RESTORE_SIDE");
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(side)) throw senseless("RESTORE_SIDE"); // it becomes a path
  return {
    ...(source === "s3" ? { s3: readS3(read) } : { odoo: readOdoo(read) }),
    format,
    side,
    dataDirectory: read("RESTORE_DATA") || "/var/lib/odoo",
    shared: needed(read, "RESTORE_SHARED"),
    odooVersion: read("RESTORE_ODOO_VERSION") ?? "",
    maxBytes: numberOf(read, "RESTORE_MAX_BYTES", DEFAULT_MAX_BYTES),
    peerMs: 1000 * numberOf(read, "RESTORE_PEER_SECONDS", DEFAULT_PEER_SECONDS),
    secrets: ["S3_SECRET_KEY", "S3_ACCESS_KEY", "SOURCE_PASSWORD"].map((name) => read(name) ?? "").filter(Boolean),
  };
}

function readS3(read: ReadVariable): S3Location {
  const [accessKey, secretKey] = [read("S3_ACCESS_KEY"), read("S3_SECRET_KEY")];
  const [region, ca] = [read("S3_REGION"), read("S3_CA")];
  return {
    endpoint: needed(read, "S3_ENDPOINT"),
    bucket: needed(read, "S3_BUCKET"),
    key: needed(read, "S3_KEY"),
    insecure: read("S3_INSECURE") === "true",
    ...(region ? { region } : {}),
    ...(ca ? { ca } : {}),
    ...(accessKey && secretKey ? { credentials: { accessKey, secretKey } } : {}),
  };
}

function readOdoo(read: ReadVariable): OdooAddress {
  const database = read("SOURCE_DATABASE");
  return {
    url: needed(read, "SOURCE_URL"),
    password: read("SOURCE_PASSWORD") ?? "",
    ...(database ? { database } : {}),
  };
}

function needed(read: ReadVariable, name: string): string {
  const value = read(name);
  if (!value) throw new JobFailure("SettingsMissing", `The environment variable ${name} is missing`);
  return value;
}

function numberOf(read: ReadVariable, name: string, standard: number): number {
  const text = read(name);
  const value = text ? Number(text) : standard;
  if (!(value > 0)) throw senseless(name);
  return value;
}

function isFormat(text: string): text is BackupFormat {
  return FORMATS.includes(text);
}

function senseless(name: string): JobFailure {
  return new JobFailure("SettingsMissing", `The environment variable ${name} has a value that makes no sense`);
}
