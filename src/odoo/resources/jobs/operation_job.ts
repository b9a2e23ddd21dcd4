/** The batch/v1 Job of the operation in progress, or of its step. */
import type { Job } from "../../../kit/builders/kinds.ts";
import type { JobRequest, OdooRestoreJob, OdooStagingRefreshJob, OperationStatus, RequestKind } from "../../crd/mod.ts";
import { type CopyStep, copyStep } from "../../model/operations/copy/copy_steps.ts";
import { copiesFiles, copyOf } from "../../model/operations/copy/copying.ts";
import type { ClusterAddress } from "../../model/postgres/database.ts";
import { type CopyNames, objectNames, requestSecretName, snapshotName } from "../../model/names.ts";
import { readsSnapshot, sourceOf } from "../../model/operations/copy/refresh_source.ts";
import { requestKind, type RequestOf } from "../../model/operations/request_kinds.ts";
import { numberOf } from "../../model/operations/reports/report.ts";
import type { Resolved } from "../../model/resolve.ts";
import { MASTER_PASSWORD_KEY } from "../../model/operations/restore_source.ts";
import type { World } from "../../model/world.ts";
import { backupJob } from "./backup_job.ts";
import { copyDatabaseJob, copyFilesJob } from "./copy_jobs.ts";
import { initJob } from "./jobs.ts";
import { prepareCopyJob, restoreLoadJob, swapFilesJob } from "./restore_jobs.ts";
import { upgradeJob } from "./upgrade_job.ts";

/** What a Job is made from. */
interface Workplace {
  readonly name: string;
  readonly resolved: Resolved;
  readonly cluster: ClusterAddress;
}

/** The Job of the operation or of its step; `undefined` until what it works on exists. */
export function operationJob(
  world: World,
  cr: JobRequest | undefined,
  operation: OperationStatus,
): Job | undefined {
  const { resolved, cluster: { address: cluster } } = world;
  const { jobName: name } = operation;
  if (!resolved || !cluster || !name) return undefined;
  const copy = copyOf(world, operation);
  const step = copyStep(operation);
  const place = { name, resolved, cluster };
  if (step && copy) return copyJob(world, step, cr, { ...place, operation, copy });
  const kind: OneJob | undefined = cr && ONE_JOB_KINDS[requestKind(cr)];
  return cr && kind?.create(name, cr, resolved, cluster);
}

/** A kind of request that consists of one Job. */
interface OneJob<R extends JobRequest = JobRequest> {
  create(name: string, request: R, resolved: Resolved, cluster: ClusterAddress): Job;
}

/** The Job of each kind; `undefined` for kinds that consist of steps. A kind without an entry does not compile. */
const ONE_JOB_KINDS = {
  OdooInitJob: { create: initJob },
  OdooUpgradeJob: { create: upgradeJob },
  OdooBackupJob: { create: backupJob },
  OdooRestoreJob: undefined,
  OdooStagingRefreshJob: undefined,
} as const satisfies { readonly [K in RequestKind]: OneJob<RequestOf<K>> | undefined };

interface CopyPlace extends Workplace {
  readonly operation: OperationStatus;
  readonly copy: CopyNames;
}

function copyJob(world: World, step: CopyStep, cr: JobRequest | undefined, place: CopyPlace): Job | undefined {
  const { name, resolved, cluster, copy } = place;
  switch (step) {
    case "load":
      return cr?.kind === "OdooRestoreJob" && hasDatabase(world, copy.side) ? loadJob(cr, place) : undefined;
    case "database":
    case "files":
      return cr?.kind === "OdooStagingRefreshJob" ? sourceJob(world, step, cr, place) : undefined;
    case "prepare":
      return prepareJob(world, cr, place);
    case "move":
    case "return":
      return swapFilesJob(name, resolved, cluster, { direction: step === "move" ? "forward" : "back", ...copy });
    default:
      return undefined;
  }
}

function hasDatabase({ cluster }: World, name: string): boolean {
  return cluster.facts?.known === true && cluster.facts.databases.has(name);
}

function loadJob(cr: OdooRestoreJob, { name, resolved, cluster, operation, copy }: CopyPlace): Job {
  const { odoo } = cr.spec.source;
  return restoreLoadJob(name, cr, resolved, cluster, {
    side: copy.side,
    ...(odoo ? { masterPassword: { name: requestSecretName(operation), key: MASTER_PASSWORD_KEY } } : {}),
  });
}

/** What is read is the other instance's, with its own login, and nothing but read. */
function sourceJob(
  world: World,
  step: "database" | "files",
  cr: OdooStagingRefreshJob,
  { name, resolved, cluster, operation, copy }: CopyPlace,
): Job | undefined {
  const source = sourceOf(world, cr);
  if (!source?.cluster.address) return undefined;
  const { name: instance, roleName: role, databaseName: database } = source.resolved;
  if (step === "database") {
    if (!hasDatabase(world, copy.side)) return undefined;
    const password = { name: objectNames.userSecret(instance), key: "password" };
    const from = { cluster: source.cluster.address, role, database, password };
    return copyDatabaseJob(name, resolved, cluster, { source: from, target: copy.side });
  }
  const target = { claim: resolved.filestoreClaim, directory: copy.side };
  if (readsSnapshot(cr)) {
    const image = { claim: snapshotName(operation), directory: database };
    return copyFilesJob(name, resolved, cluster, { source: image, target, state: "atRest" });
  }
  return copyFilesJob(name, resolved, cluster, {
    source: { claim: source.resolved.filestoreClaim, directory: database },
    target,
    state: "inUse",
    beside: { instance },
  });
}

/** Code of another image may want another structure of the database. */
function needsUpdate(world: World, cr: JobRequest): boolean {
  if (cr.kind !== "OdooStagingRefreshJob") return false;
  return sourceOf(world, cr)?.resolved.image !== world.resolved?.image;
}

function prepareJob(
  world: World,
  cr: JobRequest | undefined,
  { name, resolved, cluster, copy }: CopyPlace,
): Job | undefined {
  if (cr?.kind !== "OdooRestoreJob" && cr?.kind !== "OdooStagingRefreshJob") return undefined;
  const { summary = {} } = cr.status ?? {};
  return prepareCopyJob(name, resolved, cluster, {
    side: copy.side,
    data: cr.spec.neutralize ?? true ? "neutralized" : "asItIs",
    update: needsUpdate(world, cr) ? "all" : "none",
    ...(copiesFiles(cr) ? { files: copy.side, filesExpected: numberOf(summary.unpackedFiles ?? summary.files) } : {}),
  });
}
