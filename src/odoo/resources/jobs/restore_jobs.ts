/**
 * The Jobs that replace an instance's data, one for each stage: load aside, make fit to be served, swap the files, remove what is
 * left. Databases are made, renamed and dropped by the operator; no Job has more than the tenant's own login.
 */
import {
  type Container,
  container,
  env,
  envFromSecret,
  type EnvVar,
  type Job,
  literalEnv,
  restrictedContainer,
} from "../../../kit/builders/mod.ts";
import type { OdooRestoreJob } from "../../crd/mod.ts";
import type { ClusterAddress } from "../../model/postgres/database.ts";
import { objectNames } from "../../model/names.ts";
import type { Resolved, SecretKeyRef } from "../../model/resolve.ts";
import { jobPlacement } from "../placement.ts";
import { CONFIG_DIRECTORY, DATA_DIRECTORY, databaseEnv, odooContainer, odooPod, TERMINATION_LOG } from "../pod.ts";
import { s3Env, s3Mounts, s3Volumes } from "../s3_access.ts";
import { SCRIPTS } from "../scripts.ts";
import { certificateVolume, filestoreVolume, stageJob } from "./stage_job.ts";

const LOAD_DEADLINE_SECONDS = 86_400;
/** Less than the Job's, so that there is time to say that it was too late. */
const LOAD_SECONDS = LOAD_DEADLINE_SECONDS - 300;
const PEER_SECONDS = 900;
const PREPARE_DEADLINE_SECONDS = 6 * 3600;
const FILES_DEADLINE_SECONDS = 3600;

/** Where the two containers of a load find the pipes; the binary may write there (tools/build.ts). */
const EXCHANGE_DIRECTORY = "/exchange";
/** Pipes take nothing; the list of a dump some 100 bytes for each table, index and constraint. */
const EXCHANGE_SIZE = "256Mi";

const FILESTORE = `${DATA_DIRECTORY}/filestore`;
const RESTORE_RESOURCES = { requests: { cpu: "100m", memory: "160Mi" } };
const LOAD_RESOURCES = { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "1Gi" } };
const SHELL_RESOURCES = { requests: { cpu: "10m", memory: "16Mi" } };

/** Options of {@linkcode restoreLoadJob}. */
export interface LoadOptions {
  /** The side database, and the directory beside the instance's files that those of a zip go to. */
  readonly side: string;
  /** Of the instance's image, if it is known: a backup of another major is refused. */
  readonly odooVersion?: string;
  /** Where the master password of the other Odoo is: the CR's value must not stand in the Job. */
  readonly masterPassword?: SecretKeyRef;
}

/** Fetches a backup, checks it, and loads it beside the instance's data. */
export function restoreLoadJob(
  name: string,
  cr: OdooRestoreJob,
  resolved: Resolved,
  cluster: ClusterAddress,
  options: LoadOptions,
): Job {
  const { operatorImage, resources = RESTORE_RESOURCES } = resolved.jobs;
  if (!operatorImage) throw new RangeError("Cannot make a Job for a restore: the operator does not know its own image");
  const { type, s3 } = cr.spec.source;
  const object = type === "s3" && s3 ? s3 : undefined;
  const shared = env({ RESTORE_SHARED: EXCHANGE_DIRECTORY, RESTORE_PEER_SECONDS: String(PEER_SECONDS) });
  const exchange = { name: "exchange", mountPath: EXCHANGE_DIRECTORY };
  const restore = container("restore", operatorImage, { // reports, so it is the first
    args: ["job", "restore"],
    securityContext: restrictedContainer(),
    terminationMessagePath: TERMINATION_LOG,
    terminationMessagePolicy: "FallbackToLogsOnError",
    env: [...shared, ...restoreEnv(cr, options)],
    volumeMounts: [
      exchange,
      { name: "filestore", mountPath: DATA_DIRECTORY },
      ...(object ? s3Mounts(object) : []),
    ],
    resources: resources as NonNullable<Container["resources"]>,
  });
  const load = container("load", resolved.jobs.postgresClientImage, {
    command: ["/bin/sh", "-c", SCRIPTS.restoreLoad, "restore_load.sh", SCRIPTS.loadFacts],
    securityContext: restrictedContainer(),
    env: [...shared, ...databaseEnv({ ...resolved, databaseName: options.side }, cluster)],
    volumeMounts: [
      exchange,
      ...(cluster.sslRootCert ? [{ name: "certificate", mountPath: CONFIG_DIRECTORY, readOnly: true }] : []),
    ],
    resources: LOAD_RESOURCES,
  });
  const volumes = [
    { name: "exchange", emptyDir: { sizeLimit: EXCHANGE_SIZE } },
    filestoreVolume(resolved),
    ...certificateVolume(resolved, cluster),
    ...(object ? s3Volumes(object) : []),
  ];
  return stageJob(name, resolved, {
    pod: odooPod(resolved, [restore, load], { cluster, ...jobPlacement(resolved), volumes }),
    deadlineSeconds: LOAD_DEADLINE_SECONDS,
  });
}

function restoreEnv({ spec }: OdooRestoreJob, { side, odooVersion, masterPassword }: LoadOptions): EnvVar[] {
  const { type, s3, odoo } = spec.source;
  return [
    ...literalEnv({
      RESTORE_SOURCE: type,
      RESTORE_FORMAT: spec.format ?? "zip",
      RESTORE_SIDE: side,
      RESTORE_DATA: DATA_DIRECTORY,
      RESTORE_ODOO_VERSION: odooVersion ?? "",
      RESTORE_SECONDS: String(LOAD_SECONDS),
    }),
    ...(type === "s3" && s3 ? s3Env(s3) : []),
    ...(type === "odoo" && odoo
      ? literalEnv({ SOURCE_URL: odoo.url, SOURCE_DATABASE: odoo.sourceDatabase ?? "" })
      : []),
    ...(type === "odoo" && masterPassword ? [envFromSecret("SOURCE_PASSWORD", masterPassword)] : []),
  ];
}

/** Options of {@linkcode prepareCopyJob}. */
export interface PrepareOptions {
  /** The database of the copy. */
  readonly side: string;
  readonly data: "neutralized" | "asItIs";
  /** `all`: the copy comes from an instance whose image has other versions. */
  readonly update: "all" | "none";
  /** Directory of the filestore that holds the copy's files; absent: attachments are not looked for. */
  readonly files?: string;
  /** How many files the backup had; with more than none, a directory without any of them is a failure. */
  readonly filesExpected?: number;
}

/** Updates and neutralizes the copy with the code of the instance, and says whether it can be served. */
export function prepareCopyJob(
  name: string,
  resolved: Resolved,
  cluster: ClusterAddress,
  { side, data, update, files, filesExpected = 0 }: PrepareOptions,
): Job {
  const { stagingMail: mail } = resolved;
  const { resources } = resolved.jobs;
  const own = literalEnv({
    PGDATABASE: side,
    PREPARE_NEUTRALIZE: String(data === "neutralized"),
    PREPARE_UPDATE: String(update === "all"),
    PREPARE_REPORT_URL: `http://${objectNames.service(resolved.name)}:8069`,
    PREPARE_BASE_URL: `https://${resolved.hosts[0]}`,
    PREPARE_MAIL_HOST: mail?.host ?? "",
    PREPARE_MAIL_PORT: mail ? String(mail.port) : "",
    PREPARE_MAIL_ENCRYPTION: mail?.encryption ?? "",
    PREPARE_FILES: files ? `${FILESTORE}/${files}` : "",
    PREPARE_FILES_EXPECTED: String(filesExpected),
  });
  const prepare = odooContainer("prepare", resolved, cluster, {
    command: ["/bin/sh", "-c", SCRIPTS.prepareCopy, "prepare_copy.sh", SCRIPTS.jobDatabase, SCRIPTS.prepareCopyCheck],
    terminationMessagePolicy: "FallbackToLogsOnError",
    ...(resources ? { resources: resources as NonNullable<Container["resources"]> } : {}),
  });
  const pod = odooPod(resolved, [withOwnEnv(prepare, own)], { cluster, ...jobPlacement(resolved) });
  return stageJob(name, resolved, { pod, deadlineSeconds: PREPARE_DEADLINE_SECONDS });
}

/** After spec.extraEnv: a PGDATABASE from there would have the instance's own database neutralized. */
function withOwnEnv(odoo: Container, own: readonly EnvVar[]): Container {
  const names = own.map(({ name }) => name);
  return { ...odoo, env: [...(odoo.env ?? []).filter(({ name }) => !names.includes(name)), ...own] };
}

/** Options of {@linkcode swapFilesJob}; all are names of directories in the filestore. */
export interface SwapOptions {
  readonly direction: "forward" | "back";
  readonly side: string;
  /** What the former files are called until they are removed. */
  readonly old: string;
}

/** Puts the copy's files in the place of the instance's, or takes that back. */
export function swapFilesJob(
  name: string,
  resolved: Resolved,
  cluster: ClusterAddress,
  { direction, side, old }: SwapOptions,
): Job {
  return filesJob(name, resolved, {
    cluster,
    container: "swap",
    script: [SCRIPTS.swapFiles, "swap_files.sh"],
    env: literalEnv({
      SWAP_DIRECTION: direction,
      SWAP_LIVE: resolved.databaseName,
      SWAP_SIDE: side,
      SWAP_OLD: old,
      SWAP_FILESTORE: FILESTORE,
    }),
  });
}

/** Options of {@linkcode removeFilesJob}. */
export interface RemoveOptions {
  /** Name of the directory in the filestore. */
  readonly directory: string;
  /** Shell pattern that it must match: what may be removed at all. */
  readonly pattern: string;
}

/** Removes former files, or those of a copy that failed; never those that the instance has. */
export function removeFilesJob(
  name: string,
  resolved: Resolved,
  cluster: ClusterAddress,
  { directory, pattern }: RemoveOptions,
): Job {
  return filesJob(name, resolved, {
    cluster,
    container: "remove",
    script: [SCRIPTS.removeFiles, "remove_files.sh"],
    env: literalEnv({
      REMOVE_NAME: directory,
      REMOVE_PATTERN: pattern,
      REMOVE_KEEP: resolved.databaseName,
      REMOVE_FILESTORE: FILESTORE,
    }),
  });
}

interface FilesWork {
  readonly cluster: ClusterAddress;
  readonly container: string;
  /** Text and name. */
  readonly script: readonly [string, string];
  readonly env: EnvVar[];
}

/** In the instance's image, which is on the node already, with its files and nothing else of it. */
function filesJob(name: string, resolved: Resolved, { cluster, script, ...work }: FilesWork): Job {
  const shell = container(work.container, resolved.image, {
    imagePullPolicy: resolved.imagePullPolicy,
    command: ["/bin/sh", "-c", ...script],
    securityContext: restrictedContainer(),
    terminationMessagePolicy: "FallbackToLogsOnError",
    env: work.env,
    volumeMounts: [{ name: "filestore", mountPath: DATA_DIRECTORY }],
    resources: SHELL_RESOURCES,
  });
  const volumes = [filestoreVolume(resolved)];
  return stageJob(name, resolved, {
    pod: odooPod(resolved, [shell], { cluster, ...jobPlacement(resolved), volumes }),
    deadlineSeconds: FILES_DEADLINE_SECONDS,
  });
}
