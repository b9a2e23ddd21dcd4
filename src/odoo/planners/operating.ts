/**
 * What all operations have in common: a request that waits is told for what, its Job is made once, and its end is recorded
 * in the request before the Job may go. Which Job it is, and what its words mean, are the only differences between kinds.
 */
import { conditionOf, type ConditionState, setCondition } from "../../kit/conditions.ts";
import { timestamp } from "../../kit/timestamp.ts";
import type { KubeObject, Stored } from "../../kit/types.ts";
import type { JobRequest, JobRequestStatus, OdooStagingRefreshJobStatus, OperationStatus } from "../crd/mod.ts";
import { type CopyStep, copyStep } from "../model/operations/copy/copy_steps.ts";
import { copyOf, isDone, progressOf, stepAfter } from "../model/operations/copy/copying.ts";
import { filestoreStep } from "../model/operations/migration/filestore_migration.ts";
import { mustWait } from "../model/operations/job_exclusion.ts";
import {
  imageHash,
  instanceLabels,
  objectNames,
  OUTCOME_FINALIZER,
  snapshotName,
  stepJobName,
} from "../model/names.ts";
import { operationOutcome, wasStarted } from "../model/operations/outcome.ts";
import type { Effect } from "../model/plan.ts";
import { parseReport } from "../model/operations/reports/report.ts";
import {
  isTerminal,
  jobNameOf,
  obstacleTo,
  pendingRequests,
  refusalOf,
  requestKind,
  requestOf,
  REQUESTS,
  SUCCEEDED,
} from "../model/operations/requests.ts";
import { refreshObstacle } from "../model/operations/copy/refresh_source.ts";
import type { Resolved } from "../model/resolve.ts";
import { jobTime } from "../model/times.ts";
import { jobStateOf, type World } from "../model/world.ts";
import { operationJob } from "../resources/mod.ts";

/** In the phase of an operation: creates its Job, once, and what the Job reads; the request says so as soon as it exists. */
export function planOperationJob(world: World): Effect[] {
  const { operation } = world.status;
  const { resolved } = world;
  if (!operation?.jobName || !resolved || !world.cluster.address) return [];
  const { jobName } = operation;
  const cr = requestOf(world, operation);
  const step = copyStep(operation);
  if (cr ? isTerminal(cr) : step !== "return") return [];
  const job = jobStateOf(world, jobName);
  if (job.state === "succeeded" || job.state === "failed") return cr ? planStepEnd(world, cr) : []; // planOutcome() has the rest
  const isStarted = cr ? wasStarted(cr, operation) : false;
  const reading = cr && job.state === "absent" && !isStarted ? planReading(world, cr, operation) : undefined;
  if (reading) return reading;
  if (job.state === "absent" && (isStarted && !isRepeatable(step) || mustWait(world))) return [];
  const object = job.state === "absent" ? operationJob(world, cr, operation) : undefined;
  if (job.state === "absent" && !object) return []; // what it works on is not there yet
  const create: Effect[] = [
    ...(cr?.kind === "OdooInitJob" && !world.observed.adminSecret ? [adminSecret(resolved)] : []),
    ...(object ? [{ type: "create", object, owner: cr ?? world.instance } as const] : []),
  ];
  if (isStarted || !cr) return create;
  const note = `Created Job ${jobName}`;
  const told = jobNameOf(cr) === undefined ? toldTo(world, cr, "Started", note) : [eventOf(cr, "Continued", note)];
  return [...create, runningStatus(world, cr, operation), ...told];
}

/**
 * What a refresh does before its first Job reads the source; `undefined` if that may be made. It says first that it will,
 * and reads only if the source is still at rest then: whoever begins something there says so before it looks, too, so that
 * one of both sees the other.
 */
function planReading(world: World, cr: Stored<JobRequest>, operation: OperationStatus): Effect[] | undefined {
  if (cr.kind !== "OdooStagingRefreshJob" || copyStep(operation) !== "database") return undefined;
  const obstacle = refreshObstacle(world, cr);
  const { progress, conditions } = cr.status ?? {};
  if (!obstacle) {
    return progress?.step === "database" ? undefined : [runningStatus(world, cr, withoutJob(operation))];
  }
  if (!progress && conditionOf(conditions, SUCCEEDED)?.message === obstacle.message) return [];
  const status = nextJobStatus(world, cr, { phase: "Running", message: null }, { status: "Unknown", ...obstacle });
  return [{ type: "jobStatus", cr, status }];
}

function withoutJob({ jobName: _, ...operation }: OperationStatus): OperationStatus {
  return operation;
}

/** A step without a Job of its own is told, too. */
export function planStepTold(world: World): Effect[] {
  const { operation } = world.status;
  const cr = operation && requestOf(world, operation);
  if (!cr || isTerminal(cr) || operation.jobName || cr.status?.progress?.step === operation.stage) return [];
  return [runningStatus(world, cr, operation)];
}

/** What a step has found is kept in the request: the next steps need it, and its Job may be gone by then. */
function planStepEnd(world: World, cr: Stored<JobRequest>): Effect[] {
  const { operation } = world.status;
  const step = copyStep(operation);
  if (!operation || !step || !stepAfter(step, cr) || !isDone(world)) return [];
  const job = jobStateOf(world, operation.jobName);
  const report = "message" in job ? parseReport(job.message) : undefined;
  const summary = { ...cr.status?.summary, ...report?.fields };
  return [{ type: "jobStatus", cr, status: { ...cr.status, summary } }];
}

/** What is going on where no Job is, or not yet. */
const STEPS_WITHOUT_JOB: Readonly<Record<string, string>> = {
  database: "the source is about to be read",
  snapshot: "a snapshot of the source's volume is taken, and a volume made of it",
  swap: "Waiting for all pods to end, then the copy takes their data's place",
};

function runningStatus(world: World, cr: Stored<JobRequest>, operation: OperationStatus): Effect {
  const { jobName } = operation;
  const progress = progressOf(cr, operation);
  const work = jobName ? `Job ${jobName} is at work` : STEPS_WITHOUT_JOB[operation.stage ?? ""] ?? "at work";
  const message = progress ? `Step ${(progress.done ?? 0) + 1} of ${progress.total}, ${progress.step}: ${work}` : work;
  const status = nextJobStatus(world, cr, {
    phase: "Running",
    ...(jobName ? { jobName } : {}),
    startTime: cr.status?.startTime ?? jobTime(world.now),
    message: null,
  }, { status: "Unknown", reason: "Running", message });
  const told = progress ? { progress: { ...progress, updatedAt: timestamp(world.now) } } : {};
  return { type: "jobStatus", cr, status: { ...status, ...told, ...refreshFields(world, cr, operation) } };
}

/** What operator 2.5.0 tells of a refresh beside its phase, for whoever reads it there. */
function refreshFields(
  world: World,
  { kind }: Stored<JobRequest>,
  operation: OperationStatus,
): Partial<OdooStagingRefreshJobStatus> {
  if (kind !== "OdooStagingRefreshJob") return {};
  const { jobName = null } = operation;
  switch (copyStep(operation)) {
    case "database":
      return { dbJobName: jobName, tempDbName: copyOf(world, operation)?.side ?? null };
    case "snapshot":
      return { sourceSnapshot: snapshotName(operation) };
    case "files":
      return { filestoreJobName: jobName };
    case "prepare":
      return { neutralizeJobName: jobName, neutralizeJobImageHash: imageHash(world.resolved?.image ?? "") };
    default:
      return {};
  }
}

/** Files change places to the same end however often that is begun; other steps are done once or fail. */
function isRepeatable(step: CopyStep | undefined): boolean {
  return step === "move" || step === "return";
}

/** In any phase: an operation that has ended is closed in its request before the instance forgets it. */
export function planOutcome(world: World): Effect[] {
  const { operation } = world.status;
  const cr = operation && requestOf(world, operation);
  if (!cr || isTerminal(cr)) return [];
  const outcome = operationOutcome(world);
  switch (outcome.state) {
    case "succeeded": {
      const { message, summary } = outcome;
      const { noun } = REQUESTS[requestKind(cr)];
      const told = message ?? `The ${noun} is complete`;
      const status = closedStatus(world, cr, {
        phase: "Completed",
        message: message ?? null,
        ...(summary ? { summary } : {}),
      }, {
        status: "True",
        reason: "Completed",
        message: told,
      });
      return [{ type: "jobStatus", cr, status }, ...toldTo(world, cr, "Completed", told)];
    }
    case "failed": {
      const { reason, message, log } = outcome;
      const status = closedStatus(world, cr, { phase: "Failed", message, ...(log ? { logTail: log } : {}) }, {
        status: "False",
        reason,
        message,
      });
      const note = `The ${REQUESTS[requestKind(cr)].noun} failed: ${message}`;
      return [{ type: "jobStatus", cr, status }, ...toldTo(world, cr, "Failed", note)];
    }
    default:
      return [];
  }
}

/** In any phase: requests that can never be carried out are told why, instead of waiting for ever. */
export function planRefusals(world: World): Effect[] {
  return world.observed.requests.flatMap((cr): Effect[] => {
    const problem = isTerminal(cr) ? undefined : refusalOf(world, cr);
    if (!problem) return [];
    const { reason, message } = problem;
    const status = closedStatus(world, cr, { phase: "Failed", message }, { status: "False", reason, message });
    return [{ type: "jobStatus", cr, status }, eventOf(cr, "Refused", message)];
  });
}

/** In any phase: requests whose turn has not come are told what they wait for. */
export function planWaiting(world: World): Effect[] {
  const current = world.status.operation?.uid;
  const waiting = pendingRequests(world).filter(({ metadata }) => metadata.uid !== current);
  const ahead = world.observed.requests.find(({ metadata }) => metadata.uid === current);
  const isMigrating = filestoreStep(world.status.operation) !== undefined;
  return waiting.flatMap((cr): Effect[] => {
    const { reason, message } = obstacleTo(world, cr) ?? {
      reason: "Waiting",
      message: ahead
        ? `Waiting for ${ahead.kind} ${ahead.metadata.name} to end`
        : isMigrating
        ? "Waiting for the filestore migration to end"
        : "Waiting for its turn",
    };
    const former = conditionOf(cr.status?.conditions, SUCCEEDED);
    if (former?.reason === reason && former.message === message) return [];
    if (!former && !ahead && !isMigrating && reason === "Waiting") return []; // it begins with the next write
    const status = nextJobStatus(world, cr, { phase: cr.status?.phase ?? "Pending", message }, {
      status: "Unknown",
      reason,
      message,
    });
    return [{ type: "jobStatus", cr, status }];
  });
}

/** In any phase: Jobs whose outcome is recorded, or asked for by nobody any more, may go. */
export function planReleases(world: World): Effect[] {
  const { jobs, requests } = world.observed;
  return jobs.flatMap((job): Effect[] => {
    const owner = job.metadata.ownerReferences?.find(({ controller }) => controller);
    const cr = requests.find(({ metadata }) => metadata.uid === owner?.uid);
    const held = job.metadata.finalizers?.includes(OUTCOME_FINALIZER) ?? false;
    const isNamed = job.metadata.name === world.status.operation?.jobName && !job.metadata.deletionTimestamp;
    const isAwaited = isNamed && isWithoutRequest(world.status.operation);
    if (!held || isAwaited || (cr && !isTerminal(cr))) return [];
    return [
      { type: "releaseJob", job },
      ...(readsOther(cr, job) ? [{ type: "deleteChild", object: job } as const] : []),
    ];
  });
}

/** Whether its pod has the volume of another instance, which could not be deleted as long as that pod is there. */
function readsOther(cr: Stored<JobRequest> | undefined, { metadata }: Stored<KubeObject>): boolean {
  return cr?.kind === "OdooStagingRefreshJob" && metadata.name === stepJobName(cr.metadata, "files") &&
    !metadata.deletionTimestamp;
}

/** Operations whose outcome is nobody's but the instance's. */
function isWithoutRequest(operation: OperationStatus | undefined): boolean {
  return operation?.kind === "OdooInstance" || copyStep(operation) === "return";
}

/** The password that Odoo's first user gets instead of the one that all the world knows. */
function adminSecret({ name, environment }: Resolved): Effect {
  const labels = instanceLabels(name, environment);
  return { type: "ensureUserSecret", name: objectNames.adminSecret(name), username: "admin", labels };
}

type NewStatus = Pick<JobRequestStatus, "phase" | "jobName" | "startTime" | "message" | "summary" | "logTail">;
type NewCondition = Pick<ConditionState, "status" | "reason" | "message">;

function closedStatus(
  world: World,
  cr: Stored<JobRequest>,
  next: NewStatus,
  condition: NewCondition,
): JobRequestStatus {
  const { operation } = world.status;
  const begun = operation?.uid === cr.metadata.uid;
  const startTime = cr.status?.startTime ?? (begun ? jobTime(world.now) : undefined); // the Job may end before the CR says that it runs
  const jobName = jobNameOf(cr) ?? (begun ? operation.jobName : undefined);
  return {
    ...nextJobStatus(world, cr, {
      ...next,
      ...(startTime ? { startTime } : {}),
      ...(jobName ? { jobName } : {}),
    }, condition),
    completionTime: jobTime(world.now),
  };
}

function nextJobStatus(
  world: World,
  cr: Stored<JobRequest>,
  { message, ...next }: NewStatus,
  condition: NewCondition,
): JobRequestStatus {
  const { generation } = cr.metadata;
  const { message: _, progress: __, ...kept } = cr.status ?? {};
  const stated = {
    type: SUCCEEDED,
    ...condition,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
  return {
    ...kept,
    ...next,
    ...(message ? { message } : {}),
    conditions: setCondition(cr.status?.conditions ?? [], stated, timestamp(world.now)),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}

type EventOfBoth = "Started" | "Completed" | "Failed";

/** On the request, and on the instance: whoever looks at either is told. What its phases say of a first life is enough. */
function toldTo({ instance }: World, cr: Stored<JobRequest>, what: EventOfBoth, note: string): Effect[] {
  if (cr.kind === "OdooInitJob" && what !== "Failed") return [eventOf(cr, what, note)];
  const onInstance = { ...eventOf(cr, what, `${cr.kind} ${cr.metadata.name}: ${note}`), about: instance };
  return [eventOf(cr, what, note), onInstance];
}

function eventOf(cr: Stored<JobRequest>, what: string, note: string): Effect & { readonly about: Stored<KubeObject> } {
  const warning = what === "Failed" || what === "Refused";
  return { type: "event", about: cr, warning, reason: `${REQUESTS[requestKind(cr)].event}${what}`, note };
}
