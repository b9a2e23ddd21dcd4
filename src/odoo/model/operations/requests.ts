/**
 * Requests: the job CRs by which people (and this operator) ask for an operation on an instance. What each kind is, which
 * of them may be carried out, and whose turn it is: one at a time, those that have begun first, then by age.
 */
import { conditionOf } from "../../../kit/conditions.ts";
import type { Stored } from "../../../kit/types.ts";
import type { JobRequest, OdooInstanceStatus, OperationStatus, Phase, RequestKind } from "../../crd/mod.ts";
import { describeUnfinished, forbidsInit, unfinishedDatabase } from "../instance/adoption.ts";
import { autoInitRound, autoRefreshRound } from "../names.ts";
import { jobNotification, type Notification, NOTIFIED } from "../network/notification.ts";
import type { Problem } from "../resolve.ts";
import { backupProblem } from "../s3/s3_location.ts";
import { readerOf, refreshObstacle, refreshProblem } from "./copy/refresh_source.ts";
import { restoreProblem } from "./restore_source.ts";
import { upgradeProblem } from "./upgrade_request.ts";
import type { World } from "../world.ts";

/** What distinguishes a kind of request. */
interface RequestTraits {
  /** The phase that carries it out. */
  readonly phase: Phase;
  /** Begins the reasons of its events: InitStarted, InitFailed. */
  readonly event: string;
  /** In a sentence: "The … failed". */
  readonly noun: string;
}

export const REQUESTS = {
  OdooInitJob: { phase: "Initializing", event: "Init", noun: "initialisation" },
  OdooUpgradeJob: { phase: "Upgrading", event: "Upgrade", noun: "upgrade" },
  OdooBackupJob: { phase: "BackingUp", event: "Backup", noun: "backup" },
  OdooRestoreJob: { phase: "Restoring", event: "Restore", noun: "restore" },
  OdooStagingRefreshJob: { phase: "CloningFromSource", event: "Refresh", noun: "refresh" },
} as const satisfies Record<RequestKind, RequestTraits>;

/** Kinds that bring data of their own. */
const REPLACING: readonly RequestKind[] = ["OdooRestoreJob", "OdooStagingRefreshJob"];

/** Condition of a request: True when it has been carried out, False when it failed, Unknown before that. */
export const SUCCEEDED = "Succeeded";

/** The kind of a request. */
export function requestKind(cr: JobRequest): RequestKind {
  if (!cr.kind) throw new TypeError("Cannot tell what a request asks for: it has no kind");
  return cr.kind;
}

/** The request behind an operation, if it still exists. */
export function requestOf(world: World, operation: OperationStatus): Stored<JobRequest> | undefined {
  return world.observed.requests.find(({ metadata }) => metadata.uid === operation.uid);
}

/** Whether an instance has data when a request of this kind has been carried out, whatever it had before. */
export function bringsData(kind: RequestKind): boolean {
  return kind === "OdooInitJob" || REPLACING.includes(kind);
}

/** Whether a request has come to its end. */
export function isTerminal(cr: JobRequest): boolean {
  return cr.status?.phase === "Completed" || cr.status?.phase === "Failed";
}

/** Requests that want to be carried out, now or at their time: those that have begun first, then the oldest. */
export function pendingRequests(world: World): Stored<JobRequest>[] {
  const open = world.observed.requests.filter((cr) =>
    !isTerminal(cr) && !cr.metadata.deletionTimestamp && !refusalOf(world, cr)
  );
  return [...open.filter(isBegun), ...open.filter((cr) => !isBegun(cr))];
}

/** The request whose turn it is, if one can be carried out now. */
export function nextRequest(world: World): Stored<JobRequest> | undefined {
  return pendingRequests(world).find((cr) => obstacleTo(world, cr) === undefined);
}

/** When the next request that waits for its time is due: milliseconds since the epoch. */
export function nextDueTime(world: World): number | undefined {
  const times = pendingRequests(world).flatMap((cr) => {
    const time = dueTime(cr);
    return time !== undefined && time > world.now ? [time] : [];
  });
  return times.length ? Math.min(...times) : undefined;
}

/** Why a request can never be carried out, so that it fails instead of waiting for ever. */
export function refusalOf(world: World, cr: Stored<JobRequest>): Problem | undefined {
  if (cr.metadata.uid === world.status.operation?.uid) return undefined; // what has begun is judged by what it does
  if (isStray(cr)) {
    return {
      reason: "ForeignNamespace",
      message: "spec.odooInstanceRef.namespace must be the namespace of this object",
    };
  }
  switch (cr.kind) {
    case "OdooInitJob":
      return initRefusal(world);
    case "OdooUpgradeJob":
      return upgradeProblem(cr).problem;
    case "OdooBackupJob":
      return backupProblem(cr) ?? imageProblem(world);
    case "OdooRestoreJob":
      return restoreProblem(cr) ?? imageProblem(world);
    case "OdooStagingRefreshJob":
      return refreshProblem(world, cr);
    default:
      return undefined;
  }
}

/** Jobs that talk to S3 run this very program. */
function imageProblem({ resolved }: World): Problem | undefined {
  if (!resolved || resolved.jobs.operatorImage) return undefined;
  return {
    reason: "OperatorImageUnknown",
    message: "The operator was not told which image it runs in: set its flag --operator-image, or OPERATOR_IMAGE",
  };
}

function initRefusal(world: World): Problem | undefined {
  if (world.status.dbInitialized) {
    return { reason: "AlreadyInitialized", message: "The instance is initialised already: nothing was done" };
  }
  const database = unfinishedDatabase(world);
  if (database === undefined) return undefined;
  return { reason: "DatabaseUnfinished", message: `${describeUnfinished(database)}: nothing was done` };
}

/** What a request waits for; `undefined` if nothing but its turn. */
export function obstacleTo(world: World, cr: Stored<JobRequest>): Problem | undefined {
  const kind = requestKind(cr);
  const time = dueTime(cr);
  if (time !== undefined && time > world.now) {
    return { reason: "Scheduled", message: `Waiting for ${new Date(time).toISOString()}` };
  }
  if (kind === "OdooInitJob") {
    return forbidsInit(world)
      ? { reason: "DatabaseUnknown", message: "Waiting until it is known what is in the database" }
      : undefined;
  }
  if (!world.status.dbInitialized && !REPLACING.includes(kind)) {
    return { reason: "NotInitialized", message: "Waiting until the instance has been initialised" };
  }
  const reader = kind === "OdooBackupJob" ? undefined : readerOf(world);
  if (reader) {
    const { name } = reader.metadata ?? {};
    return { reason: "BeingCopied", message: `Waiting for OdooStagingRefreshJob ${name}, which copies this instance` };
  }
  return databaseObstacle(world, kind) ??
    (cr.kind === "OdooStagingRefreshJob" ? refreshObstacle(world, cr) : undefined);
}

/** Nothing is begun in a database that nobody sees; what replaces it needs none. */
function databaseObstacle(world: World, kind: RequestKind): Problem | undefined {
  const { resolved, problem, cluster, status, observed } = world;
  if (!resolved) return problem;
  if (cluster.problem) return cluster.problem;
  if (!cluster.facts.known) return { reason: cluster.facts.reason, message: `Waiting: ${cluster.facts.message}` };
  const isThere = cluster.facts.databases.has(resolved.databaseName) || REPLACING.includes(kind);
  if (status.activeCluster !== cluster.address.name || !isThere) {
    return { reason: "DatabaseMissing", message: `Waiting until there is a database ${resolved.databaseName}` };
  }
  if (!observed.userSecret || !observed.configSecret || !observed.filestore) {
    return { reason: "NotProvisioned", message: "Waiting for the Secrets and the volume of the instance" };
  }
  return undefined;
}

/**
 * The operation of an instance that operator 2.5.0 left in the middle of one: it recorded none, but the request names the
 * Job, or says how it ended.
 */
export function adoptedOperation(
  { phase, operation }: OdooInstanceStatus,
  requests: readonly Stored<JobRequest>[],
): OperationStatus | undefined {
  if (operation) return undefined;
  const begun = requests.filter((cr) => REQUESTS[requestKind(cr)].phase === phase && jobNameOf(cr));
  const cr = begun.find(isBegun) ?? begun.at(-1);
  const jobName = cr && jobNameOf(cr);
  if (!cr || !jobName) return undefined;
  return { kind: requestKind(cr), name: cr.metadata.name, uid: cr.metadata.uid, jobName, attempt: 1 };
}

/** The outcome that is not yet reported to the webhook of a request; `undefined` if there is none. */
export function pendingNotificationOf(cr: Stored<JobRequest>): Notification | undefined {
  const end = conditionOf(cr.status?.conditions, SUCCEEDED);
  // One that ended under operator 2.5.0, which told of it, has no such condition.
  if (!isTerminal(cr) || !end || conditionOf(cr.status?.conditions, NOTIFIED)) return undefined;
  return jobNotification(cr, cr.status ?? {}, end.status === "False" ? { reason: end.reason } : {});
}

/** The Job that a request says it has. */
export function jobNameOf(cr: JobRequest): string | undefined {
  const { status } = cr;
  return status && "jobName" in status ? status.jobName ?? undefined : undefined;
}

function dueTime(cr: JobRequest): number | undefined {
  const request = cr.kind === "OdooUpgradeJob" ? upgradeProblem(cr) : undefined;
  return request?.problem ? undefined : request?.notBefore;
}

function isBegun(cr: JobRequest): boolean {
  return cr.status?.phase === "Running";
}

/** Whether it points into another namespace, where it has no say. */
function isStray(cr: JobRequest): boolean {
  const { namespace } = cr.spec.odooInstanceRef;
  return !!namespace && namespace !== cr.metadata?.namespace;
}

/** The latest request of its kind that this operator has made by itself, as far as one is still there. */
export function lastAutoRequest(
  instance: string,
  kind: AutoKind,
  requests: World["observed"]["requests"],
): Stored<JobRequest> | undefined {
  const own = requests.filter((cr) => cr.kind === kind && autoRoundOf(instance, cr) > 0);
  return own.toSorted((a, b) => autoRoundOf(instance, a) - autoRoundOf(instance, b)).at(-1);
}

/** Kinds that this operator asks for by itself. */
export type AutoKind = "OdooInitJob" | "OdooStagingRefreshJob";

/** Which of our own requests of its kind it is; 0 if none. */
export function autoRoundOf(instance: string, { kind, metadata }: Stored<JobRequest>): number {
  switch (kind) {
    case "OdooInitJob":
      return autoInitRound(instance, metadata.name) ?? 0;
    case "OdooStagingRefreshJob":
      return autoRefreshRound(instance, metadata.name) ?? 0;
    default:
      return 0;
  }
}
