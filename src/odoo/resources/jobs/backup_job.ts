/**
 * The Job of a backup: our own program, which reports, and PostgreSQL's beside it, joined by pipes in a folder of the pod.
 * Neither runs code of the instance; the one with the keys of S3 has no password of the database, and the other no keys.
 */
import {
  type Container,
  container,
  env,
  type EnvVar,
  type Job,
  job,
  literalEnv,
  type PodSpec,
  restrictedContainer,
} from "../../../kit/builders/mod.ts";
import type { OdooBackupJob } from "../../crd/mod.ts";
import type { ClusterAddress } from "../../model/postgres/database.ts";
import { instanceLabels, objectNames, OUTCOME_FINALIZER, ROOT_CERTIFICATE_KEY } from "../../model/names.ts";
import type { Resolved } from "../../model/resolve.ts";
import { jobPlacement } from "../placement.ts";
import { CONFIG_DIRECTORY, DATA_DIRECTORY, databaseEnv, odooPod, TERMINATION_LOG } from "../pod.ts";
import { s3Env, s3Mounts, s3Volumes } from "../s3_access.ts";
import { SCRIPTS } from "../scripts.ts";

const DEADLINE_SECONDS = 86_400;
/** Less than the Job's, so that there is time to say that it was too late. */
const WORK_SECONDS = DEADLINE_SECONDS - 300;
const PEER_SECONDS = 600;

/** Where both containers find the pipes. Our program may write there and nowhere else: see tools/build.ts. */
const EXCHANGE_DIRECTORY = "/exchange";
/** Pipes take nothing; the list at the end of a zip some 100 bytes for each attachment. */
const EXCHANGE_SIZE = "2Gi";

/** pg_dump reads the catalogue into memory, and streams the rest. */
const DUMP_RESOURCES = { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "1Gi" } };
const BACKUP_RESOURCES = { requests: { cpu: "100m", memory: "160Mi" } };

/** Saves database and files to S3. It is kept (finalizer, no time to live) until its outcome is in the CR's status. */
export function backupJob(name: string, cr: OdooBackupJob, resolved: Resolved, cluster: ClusterAddress): Job {
  const labels = instanceLabels(resolved.name, resolved.environment);
  const containers = [backupContainer(cr, resolved), dumpContainer(cr, { resolved, cluster })];
  return job({ name, namespace: resolved.namespace, labels, finalizers: [OUTCOME_FINALIZER] }, {
    podLabels: labels,
    pod: odooPod(resolved, containers, {
      cluster,
      ...jobPlacement(resolved),
      volumes: [...volumes(resolved, cluster), ...s3Volumes(cr.spec.destination)],
    }),
    spec: { backoffLimit: 0, activeDeadlineSeconds: DEADLINE_SECONDS },
  });
}

/** Reports, so it is the first. */
function backupContainer({ spec }: OdooBackupJob, resolved: Resolved): Container {
  const { operatorImage, resources = BACKUP_RESOURCES } = resolved.jobs;
  if (!operatorImage) throw new RangeError("Cannot make a Job for a backup: the operator does not know its own image");
  return container("backup", operatorImage, {
    args: ["job", "backup"],
    securityContext: restrictedContainer(),
    terminationMessagePath: TERMINATION_LOG,
    terminationMessagePolicy: "FallbackToLogsOnError",
    env: [
      ...sharedEnv(spec.format),
      ...literalEnv({
        BACKUP_WITH_FILESTORE: String(spec.withFilestore ?? true),
        BACKUP_FILESTORE: `${DATA_DIRECTORY}/filestore/${resolved.databaseName}`,
      }),
      ...s3Env(spec.destination),
    ],
    volumeMounts: [
      { name: "exchange", mountPath: EXCHANGE_DIRECTORY },
      { name: "filestore", mountPath: DATA_DIRECTORY, readOnly: true },
      ...s3Mounts(spec.destination),
    ],
    resources: resources as NonNullable<Container["resources"]>,
  });
}

interface Place {
  readonly resolved: Resolved;
  readonly cluster: ClusterAddress;
}

function dumpContainer({ spec }: OdooBackupJob, { resolved, cluster }: Place): Container {
  return container("dump", resolved.jobs.postgresClientImage, {
    command: ["/bin/sh", "-c", SCRIPTS.backupDump, "backup_dump.sh"],
    securityContext: restrictedContainer(),
    env: [...sharedEnv(spec.format), ...databaseEnv(resolved, cluster)],
    volumeMounts: [
      { name: "exchange", mountPath: EXCHANGE_DIRECTORY },
      ...(cluster.sslRootCert ? [{ name: "certificate", mountPath: CONFIG_DIRECTORY, readOnly: true }] : []),
    ],
    resources: DUMP_RESOURCES,
  });
}

function sharedEnv(format: OdooBackupJob["spec"]["format"]): EnvVar[] {
  return env({
    BACKUP_DIR: EXCHANGE_DIRECTORY,
    BACKUP_FORMAT: format ?? "zip",
    BACKUP_PEER_SECONDS: String(PEER_SECONDS),
    BACKUP_SECONDS: String(WORK_SECONDS),
  });
}

/** Of the instance's configuration only the certificate by which libpq knows the server. */
function volumes({ name, filestoreClaim }: Resolved, { sslRootCert }: ClusterAddress): NonNullable<PodSpec["volumes"]> {
  const items = [{ key: ROOT_CERTIFICATE_KEY, path: ROOT_CERTIFICATE_KEY }];
  return [
    { name: "exchange", emptyDir: { sizeLimit: EXCHANGE_SIZE } },
    { name: "filestore", persistentVolumeClaim: { claimName: filestoreClaim } },
    ...(sslRootCert ? [{ name: "certificate", secret: { secretName: objectNames.config(name), items } }] : []),
  ];
}
