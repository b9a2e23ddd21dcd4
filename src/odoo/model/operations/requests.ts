/**
 * The requests of an instance: which can be executed, in which order, and what the others wait for. One operation runs at a
 * time: requests that have begun come first, then the oldest.
 */
import type { Stored } from "../../../kit/types.ts";
import type { JobRequest, OdooInstanceStatus, OperationStatus } from "../../crd/mod.ts";
import type { Assessed, OpenRequest, RequestQueue } from "../assessment.ts";
import { autoInitRound, autoRefreshRound } from "../names.ts";
import type { Problem } from "../problem.ts";
import type { World } from "../world.ts";
import { isBegun, isTerminal, jobNameOf } from "./request.ts";
import { requestKind, type RequestKindRow, rowOf } from "./request_kinds.ts";

/** All requests that have not ended, judged. */
export function requestQueue(world: Assessed<"facts">): RequestQueue {
  const open = world.observed.requests.filter((request) => !isTerminal(request)).map((request) =>
    judge(request, world)
  );
  const executable = open.filter(({ request, refusal }) => !refusal && !request.metadata.deletionTimestamp);
  const pending = [
    ...executable.filter(({ request }) => isBegun(request)),
    ...executable.filter(({ request }) => !isBegun(request)),
  ];
  const dueTimes = pending.flatMap(({ dueMs }) => dueMs !== undefined && dueMs > world.now ? [dueMs] : []);
  return {
    open,
    pending,
    next: pending.find(({ obstacle }) => obstacle === undefined)?.request,
    nextDueMs: dueTimes.length ? Math.min(...dueTimes) : undefined,
  };
}

function judge(request: Stored<JobRequest>, world: Assessed<"facts">): OpenRequest {
  const row = rowOf(request);
  const dueMs = row.notBefore(request);
  const own = row.obstacle(request, world);
  return {
    request,
    refusal: refusalOf(request, row, world),
    obstacle: scheduledLater(dueMs, world) ?? obstacleTo(row, own, world),
    sourceObstacle: request.kind === "OdooStagingRefreshJob" ? own : undefined,
    dueMs,
  };
}

/** Why a request can never be executed, so that it fails instead of waiting for ever. */
function refusalOf(
  request: Stored<JobRequest>,
  row: RequestKindRow,
  world: Assessed<"facts">,
): Problem | undefined {
  if (request.metadata.uid === world.status.operation?.uid) return undefined; // a running operation is judged by its outcome
  const { namespace } = request.spec.odooInstanceRef;
  if (namespace && namespace !== request.metadata.namespace) {
    return {
      reason: "ForeignNamespace",
      message: "spec.odooInstanceRef.namespace must be the namespace of this object",
    };
  }
  return row.refusal(request, world);
}

function scheduledLater(dueMs: number | undefined, { now }: World): Problem | undefined {
  if (dueMs === undefined || dueMs <= now) return undefined;
  return { reason: "Scheduled", message: `Waiting for ${new Date(dueMs).toISOString()}` };
}

/** What a request that is due waits for, beside the requests before it; `own` is the obstacle of its kind. */
function obstacleTo(row: RequestKindRow, own: Problem | undefined, world: Assessed<"facts">): Problem | undefined {
  const { status, facts } = world;
  if (row.needs === "an empty instance") return own;
  if (!status.dbInitialized && row.needs === "data") {
    return { reason: "NotInitialized", message: "Waiting until the instance has been initialised" };
  }
  if (facts.reader && !row.mayMeetReader) return beingCopied(facts.reader);
  return databaseObstacle(world, row) ?? own;
}

/** What an operation waits for that must not replace data while a refresh of another instance reads it. */
export function beingCopied({ metadata }: JobRequest): Problem {
  return {
    reason: "BeingCopied",
    message: `Waiting for OdooStagingRefreshJob ${metadata?.name}, which copies this instance`,
  };
}

/** An operation on a database begins only when the database is known; one that brings its own needs none. */
function databaseObstacle({ resolved, problem, cluster, status, observed }: World, row: RequestKindRow) {
  if (!resolved) return problem;
  if (cluster.problem) return cluster.problem;
  if (!cluster.facts.known) return { reason: cluster.facts.reason, message: `Waiting: ${cluster.facts.message}` };
  const isThere = cluster.facts.databases.has(resolved.databaseName) || row.needs === "nothing";
  if (status.activeCluster !== cluster.address.name || !isThere) {
    return { reason: "DatabaseMissing", message: `Waiting until there is a database ${resolved.databaseName}` };
  }
  if (!observed.userSecret || !observed.configSecret || !observed.filestore) {
    return { reason: "NotProvisioned", message: "Waiting for the Secrets and the volume of the instance" };
  }
  return undefined;
}

/**
 * The operation of an instance that operator 2.5.0 left in the middle of one: it recorded none in the instance, but the
 * request names the Job, or says how it ended.
 */
export function adoptedOperation(
  { phase, operation }: OdooInstanceStatus,
  requests: readonly Stored<JobRequest>[],
): OperationStatus | undefined {
  if (operation) return undefined;
  const begun = requests.filter((request) => rowOf(request).phase === phase && jobNameOf(request));
  const request = begun.find(isBegun) ?? begun.at(-1);
  const jobName = request && jobNameOf(request);
  if (!request || !jobName) return undefined;
  const { name, uid } = request.metadata;
  return { kind: requestKind(request), name, uid, jobName, attempt: 1 };
}

/** Kinds of requests that this operator creates by itself. */
export type AutoKind = "OdooInitJob" | "OdooStagingRefreshJob";

/** The latest request of its kind that this operator has created by itself, as far as one still exists. */
export function lastAutoRequest(
  instance: string,
  kind: AutoKind,
  requests: World["observed"]["requests"],
): Stored<JobRequest> | undefined {
  const own = requests.filter((request) => request.kind === kind && autoRoundOf(instance, request) > 0);
  return own.toSorted((a, b) => autoRoundOf(instance, a) - autoRoundOf(instance, b)).at(-1);
}

/** The number of a request among those that this operator created by itself; 0 if a user created it. */
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
