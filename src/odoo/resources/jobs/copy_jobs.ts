/**
 * The Jobs that copy an instance's data, and compare the copy: a database from one server to another, files from one volume to
 * another. For a staging refresh the source is another instance of the namespace, for a migration the instance itself.
 */
import {
  type Container,
  container,
  env,
  type Job,
  literalEnv,
  type PodSpec,
  restrictedContainer,
} from "../../../kit/builders/mod.ts";
import type { ClusterAddress } from "../../model/postgres/database.ts";
import { LEFT_OUT_ENTRIES } from "../../model/operations/copy/dump_entries.ts";
import { objectNames } from "../../model/names.ts";
import type { Resolved } from "../../model/resolve.ts";
import { jobPlacement } from "../placement.ts";
import { DATA_DIRECTORY, type Login, loginEnv, odooPod } from "../pod.ts";
import { SCRIPTS } from "../scripts.ts";
import { stageJob } from "./stage_job.ts";

const DEADLINE_SECONDS = 86_400;
/** Less than the Job's, so that there is time to say that it was too late. */
const COPY_SECONDS = DEADLINE_SECONDS - 300;

const WORK_DIRECTORY = "/copy";
/** Pipes, the structure of the database, and its counts. */
const WORK_SIZE = "256Mi";
const SOURCE_DIRECTORY = "/source";

/** psql waits, pg_dump and pg_restore stream: memory is for their lists and for the largest row. */
const DATABASE_RESOURCES = { requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "2Gi" } };
const FILES_RESOURCES = { requests: { cpu: "100m", memory: "32Mi" } };

/** A database to copy, and the login that owns what is in it. */
export interface DatabaseSource extends Login {
  readonly cluster: ClusterAddress;
}

/** Options of {@linkcode copyDatabaseJob}. */
export interface CopyDatabaseOptions {
  readonly source: DatabaseSource;
  /** Name of the database that becomes the copy: empty, the instance's role's. */
  readonly target: string;
}

/** Copies a database into an empty one of `cluster` that belongs to the instance's role. */
export function copyDatabaseJob(
  name: string,
  resolved: Resolved,
  cluster: ClusterAddress,
  { source, target }: CopyDatabaseOptions,
): Job {
  const { postgresClientImage, resources = DATABASE_RESOURCES } = resolved.jobs;
  const own: Login = {
    role: resolved.roleName,
    database: target,
    password: { name: objectNames.userSecret(resolved.name), key: "password" },
  };
  const copy = container("copy", postgresClientImage, {
    command: ["/bin/sh", "-c", SCRIPTS.copyDatabase, "copy_database.sh", SCRIPTS.loadFacts],
    securityContext: restrictedContainer(),
    terminationMessagePolicy: "FallbackToLogsOnError",
    env: [
      ...env({ COPY_DIR: WORK_DIRECTORY, COPY_SECONDS: String(COPY_SECONDS) }),
      ...literalEnv({
        COPY_LEAVE_OUT: LEFT_OUT_ENTRIES.map(([pattern]) => pattern).join("\n"),
        // what vouches for a server is no secret, and of two servers only one is in the instance's configuration
        SOURCE_CERTIFICATE: source.cluster.sslRootCert ?? "",
        TARGET_CERTIFICATE: cluster.sslRootCert ?? "",
      }),
      ...loginEnv(source, source.cluster, { rootCertificate: `${WORK_DIRECTORY}/source.pem`, prefix: "SOURCE_" }),
      ...loginEnv(own, cluster, { rootCertificate: `${WORK_DIRECTORY}/target.pem` }),
    ],
    volumeMounts: [{ name: "work", mountPath: WORK_DIRECTORY }],
    resources: resources as NonNullable<Container["resources"]>,
  });
  const volumes = [{ name: "work", emptyDir: { sizeLimit: WORK_SIZE } }];
  return stageJob(name, resolved, {
    pod: odooPod(resolved, [copy], { cluster, ...jobPlacement(resolved), volumes }),
    deadlineSeconds: DEADLINE_SECONDS,
  });
}

/** Files of a volume. */
export interface FilesPlace {
  /** Name of the PersistentVolumeClaim. */
  readonly claim: string;
  /** Name of a directory of the filestore. @default {the whole volume} */
  readonly directory?: string;
}

/** Options of {@linkcode copyFilesJob}. */
export interface CopyFilesOptions {
  readonly source: FilesPlace;
  readonly target: FilesPlace;
  /** `inUse`: pods may write to the source meanwhile. `atRest`: both must be the same in the end. */
  readonly state: "inUse" | "atRest";
  /** The instance on whose node the Job must run, because its pods have the volume that is read. */
  readonly beside?: { readonly instance: string };
}

/** Copies files from one volume to another. */
export function copyFilesJob(
  name: string,
  resolved: Resolved,
  cluster: ClusterAddress,
  { source, target, state, beside }: CopyFilesOptions,
): Job {
  if (source.claim === target.claim) throw new RangeError(`Cannot copy files: both are on the volume ${source.claim}`);
  if (isServed(target, resolved)) throw new RangeError("Cannot copy files: the target is what the instance serves");
  const { resources = FILES_RESOURCES } = resolved.jobs;
  const copy = container("copy", resolved.image, {
    imagePullPolicy: resolved.imagePullPolicy,
    command: ["python3", "-c", `${SCRIPTS.fileTree}\n${SCRIPTS.copyFiles}`],
    securityContext: restrictedContainer(),
    terminationMessagePolicy: "FallbackToLogsOnError",
    env: literalEnv({
      SOURCE_DIR: directoryOf(source, SOURCE_DIRECTORY),
      TARGET_DIR: directoryOf(target, DATA_DIRECTORY),
      COPY_LIVE: String(state === "inUse"),
    }),
    volumeMounts: [
      { name: "source", mountPath: SOURCE_DIRECTORY, readOnly: true },
      { name: "target", mountPath: DATA_DIRECTORY },
    ],
    resources: resources as NonNullable<Container["resources"]>,
  });
  const volumes: PodSpec["volumes"] = [
    { name: "source", persistentVolumeClaim: { claimName: source.claim } },
    { name: "target", persistentVolumeClaim: { claimName: target.claim } },
  ];
  return stageJob(name, resolved, {
    pod: odooPod(resolved, [copy], {
      cluster,
      ...jobPlacement(resolved, beside ? { beside: beside.instance } : {}),
      volumes,
    }),
    deadlineSeconds: DEADLINE_SECONDS,
  });
}

/** What is not in the source is removed from the target: that must not be what the pods have. */
function isServed({ claim, directory }: FilesPlace, { filestoreClaim, databaseName }: Resolved): boolean {
  return claim === filestoreClaim && (directory === undefined || directory === databaseName);
}

function directoryOf({ directory }: FilesPlace, mountPath: string): string {
  if (directory === undefined) return mountPath;
  if (directory === "" || directory === "." || directory === ".." || directory.includes("/")) {
    throw new RangeError(`Cannot copy files: ${JSON.stringify(directory)} is no directory of a filestore`);
  }
  return `${mountPath}/filestore/${directory}`;
}
