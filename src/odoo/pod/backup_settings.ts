/** The environment of the container `backup` → what `odoo-operator job backup` is to do. src/cli/job.ts says what is read. */
import type { BackupFormat } from "../crd/mod.ts";
import type { S3Location } from "../model/s3/s3_location.ts";
import { JobError } from "./report.ts";

/** The environment, as far as it is known. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One backup. */
export interface BackupSettings {
  readonly format: BackupFormat;
  /** Only a zip can hold files. */
  readonly withFilestore: boolean;
  /** The folder that both containers share. */
  readonly directory: string;
  /** The files of the database, in the folders that Odoo makes. */
  readonly filestore: string;
  readonly peerTimeoutMs: number;
  readonly timeoutMs: number;
  readonly target: S3Location;
  /** With the authority of the target's certificate, if it has one of its own. */
  readonly caFile?: string;
  /** Address of the Kubernetes API server, if the pod knows it. */
  readonly apiServer?: string;
}

const FORMATS: readonly BackupFormat[] = ["zip", "sql", "dump"];

/** The settings in an environment. */
export function backupSettings(environment: Environment): BackupSettings {
  const needed = (name: string): string => {
    const value = environment[name];
    if (!value) throw new JobError("InvalidSettings", `The environment has no ${name}`);
    return value;
  };
  const seconds = (name: string, otherwise: number): number => 1000 * Number(environment[name] || otherwise);
  const format = FORMATS.find((known) => known === needed("BACKUP_FORMAT"));
  if (!format) throw new JobError("InvalidSettings", `BACKUP_FORMAT is none of ${FORMATS.join(", ")}`);
  const { S3_REGION: region, S3_ACCESS_KEY: accessKey, S3_SECRET_KEY: secretKey, S3_CA_FILE: caFile } = environment;
  const { KUBERNETES_SERVICE_HOST: apiServer } = environment;
  return {
    format,
    withFilestore: format === "zip" && environment.BACKUP_WITH_FILESTORE !== "false",
    directory: needed("BACKUP_DIR"),
    filestore: needed("BACKUP_FILESTORE"),
    peerTimeoutMs: seconds("BACKUP_PEER_SECONDS", 600),
    timeoutMs: seconds("BACKUP_SECONDS", 86_400),
    target: {
      endpoint: needed("S3_ENDPOINT"),
      bucket: needed("S3_BUCKET"),
      key: needed("S3_KEY"),
      insecure: environment.S3_INSECURE === "true",
      ...(region ? { region } : {}),
      ...(accessKey && secretKey ? { credentials: { accessKey, secretKey } } : {}),
    },
    ...(caFile ? { caFile } : {}),
    ...(apiServer ? { apiServer } : {}),
  };
}
