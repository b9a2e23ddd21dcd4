/**
 * What all operations have in common: the status of a waiting request says what it waits for, the Job of an operation is
 * created once, and its outcome is recorded in the request before the Job may be deleted. Kinds of requests differ only in
 * their rows (model/operations/request_kinds.ts) and Jobs (resources/jobs/operation_job.ts).
 */
import { conditionOf, type ConditionState, setCondition } from "../../kit/conditions.ts";
import { timestamp } from "../../kit/timestamp.ts";
import type { KubeObject, Stored } from "../../kit/types.ts";
import type { JobRequest, JobRequestStatus, OdooStagingRefreshJobStatus, OperationStatus } from "../crd/mod.ts";
import type { Assessment } from "../model/assessment.ts";
import {
  imageHash,
  instanceLabels,
  objectNames,
  OUTCOME_FINALIZER,
  snapshotName,
  stepJobName,
} from "../model/names.ts";
import { type CopyStep, copyStep } from "../model/operations/copy/copy_steps.ts";
import { copyOf, progressOf, stepAfter } from "../model/operations/copy/copying.ts";
import { mustWait } from "../model/operations/job_exclusion.ts";
import { filestoreStep } from "../model/operations/migration/filestore_migration.ts";
import { parseReport } from "../model/operations/reports/report.ts";
import { isTerminal, jobNameOf, requestOf, SUCCEEDED, wasStarted } from "../model/operations/request.ts";
import { rowOf } from "../model/operations/request_kinds.ts";
import type { Effect } from "../model/plan.ts";
import type { Resolved } from "../model/resolve.ts";
import { jobTime } from "../model/times.ts";
import { jobStateOf } from "../model/world.ts";
import { operationJob } from "../resources/mod.ts";

/** In the phase of an operation: creates its Job once, with what the Job reads; the request's status names the Job at once. */
export function planOperationJob(world: Assessment): Effect[] {
  const { operation } = world.status;
  const { resolved } = world;
  if (!operation?.jobName || !resolved || !world.cluster.address) return [];
  const { jobName } = operation;
  const cr = requestOf(world, operation);
  const step = copyStep(operation);
  if (cr ? isTerminal(cr) : step !== "return") return [];
  const job = jobStateOf(world, jobName);
  if (job.state === "succeeded" || job.state === "failed") return cr ? planStepEnd(world, cr) : []; // planOutcome() records the outcome
  const isStarted = cr ? wasStarted(cr, operation) : false;
  const reading = cr && job.state === "absent" && !isStarted ? planReading(world, cr, operation) : undefined;
  if (reading) return reading;
  if (job.state === "absent" && (isStarted && !isRepeatable(step) || mustWait(world))) return [];
  const object = job.state === "absent" ? operationJob(world, cr, operation) : undefined;
  if (job.state === "absent" && !object) return []; // what it works on does not exist yet
  const create: Effect[] = [
    ...(cr?.kind === "OdooInitJob" && !world.observed.adminSecret ? [adminSecret(resolved)] : []),
    ...(object ? [{ type: "create", object, owner: cr ?? world.instance } as const] : []),
  ];
  if (isStarted || !cr) return create;
  const note = `Created Job ${jobName}`;
  const events = jobNameOf(cr) === undefined
    ? eventsOfBoth(world, cr, "Started", note)
    : [eventOf(cr, "Continued", note)];
  return [...create, runningStatus(world, cr, operation), ...events];
}

/**
 * What a refresh does before its first Job reads the source; `undefined` if that Job may be created. The refresh announces in
 * its status that it will read the source, and reads only if the source is still settled in a later reconcile. An operation on
 * the source records itself before it checks for readers, too, so at least one of the two sees the other.
 */
function planReading(world: Assessment, cr: Stored<JobRequest>, operation: OperationStatus): Effect[] | undefined {
  if (cr.kind !== "OdooStagingRefreshJob" || copyStep(operation) !== "database") return undefined;
  const obstacle = world.queue.open.find(({ request }) => request === cr)?.sourceObstacle;
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

/** The request's status also names steps without a Job. */
export function planStepProgress(world: Assessment): Effect[] {
  const { operation } = world.status;
  const cr = operation && requestOf(world, operation);
  if (!cr || isTerminal(cr) || operation.jobName || cr.status?.progress?.step === operation.stage) return [];
  return [runningStatus(world, cr, operation)];
}

/** The results of a step are kept in the request: the next steps need them, and the Job may be deleted by then. */
function planStepEnd(world: Assessment, cr: Stored<JobRequest>): Effect[] {
  const { operation } = world.status;
  const step = copyStep(operation);
  if (!operation || !step || !stepAfter(step, cr) || !world.facts.isStepDone) return [];
  const job = jobStateOf(world, operation.jobName);
  const report = "message" in job ? parseReport(job.message) : undefined;
  const summary = { ...cr.status?.summary, ...report?.fields };
  return [{ type: "jobStatus", cr, status: { ...cr.status, summary } }];
}

/** Describes the steps that have no Job, or not yet. */
const STEPS_WITHOUT_JOB: Readonly<Record<string, string>> = {
  database: "the source is about to be read",
  snapshot: "a snapshot of the source's volume is taken, and a volume created from it",
  swap: "waiting for all pods to end, then the copy replaces the data",
};

function runningStatus(world: Assessment, cr: Stored<JobRequest>, operation: OperationStatus): Effect {
  const { jobName } = operation;
  const progress = progressOf(cr, operation);
  const work = jobName ? `Job ${jobName} is running` : STEPS_WITHOUT_JOB[operation.stage ?? ""] ?? "running";
  const message = progress ? `Step ${(progress.done ?? 0) + 1} of ${progress.total}, ${progress.step}: ${work}` : work;
  const status = nextJobStatus(world, cr, {
    phase: "Running",
    ...(jobName ? { jobName } : {}),
    startTime: cr.status?.startTime ?? jobTime(world.now),
    message: null,
  }, { status: "Unknown", reason: "Running", message });
  const fields = progress ? { progress: { ...progress, updatedAt: timestamp(world.now) } } : {};
  return { type: "jobStatus", cr, status: { ...status, ...fields, ...refreshFields(world, cr, operation) } };
}

/** The fields that operator 2.5.0 writes for a refresh, for clients that read them. */
function refreshFields(
  world: Assessment,
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

/** The swap of directories may be repeated with the same result; other steps run once or fail. */
function isRepeatable(step: CopyStep | undefined): boolean {
  return step === "move" || step === "return";
}

/** In any phase: the outcome of an operation is recorded in its request before the instance's status drops the operation. */
export function planOutcome(world: Assessment): Effect[] {
  const { operation } = world.status;
  const cr = operation && requestOf(world, operation);
  if (!cr || isTerminal(cr)) return [];
  const { outcome } = world;
  const { noun } = rowOf(cr);
  switch (outcome.state) {
    case "succeeded": {
      const { message, summary } = outcome;
      const note = message ?? `The ${noun} is complete`;
      const status = closedStatus(world, cr, {
        phase: "Completed",
        message: message ?? null,
        ...(summary ? { summary } : {}),
      }, {
        status: "True",
        reason: "Completed",
        message: note,
      });
      return [{ type: "jobStatus", cr, status }, ...eventsOfBoth(world, cr, "Completed", note)];
    }
    case "failed": {
      const { reason, message, log } = outcome;
      const status = closedStatus(world, cr, { phase: "Failed", message, ...(log ? { logTail: log } : {}) }, {
        status: "False",
        reason,
        message,
      });
      const note = `The ${noun} failed: ${message}`;
      return [{ type: "jobStatus", cr, status }, ...eventsOfBoth(world, cr, "Failed", note)];
    }
    default:
      return [];
  }
}

/** In any phase: requests that can never be executed fail with the reason, instead of waiting for ever. */
export function planRefusals(world: Assessment): Effect[] {
  return world.queue.open.flatMap(({ request, refusal }): Effect[] => {
    if (!refusal) return [];
    const { reason, message } = refusal;
    const status = closedStatus(world, request, { phase: "Failed", message }, { status: "False", reason, message });
    return [{ type: "jobStatus", cr: request, status }, eventOf(request, "Refused", message)];
  });
}

/** In any phase: the status of a waiting request says what it waits for. */
export function planWaiting(world: Assessment): Effect[] {
  const current = world.status.operation?.uid;
  const ahead = world.observed.requests.find(({ metadata }) => metadata.uid === current);
  const isMigrating = filestoreStep(world.status.operation) !== undefined;
  const waiting = world.queue.pending.filter(({ request }) => request.metadata.uid !== current);
  return waiting.flatMap(({ request, obstacle }): Effect[] => {
    const { reason, message } = obstacle ?? {
      reason: "Waiting",
      message: ahead
        ? `Waiting for ${ahead.kind} ${ahead.metadata.name} to end`
        : isMigrating
        ? "Waiting for the filestore migration to end"
        : "Waiting for the requests before it",
    };
    const former = conditionOf(request.status?.conditions, SUCCEEDED);
    if (former?.reason === reason && former.message === message) return [];
    if (!former && !ahead && !isMigrating && reason === "Waiting") return []; // it begins with the next write
    const status = nextJobStatus(world, request, { phase: request.status?.phase ?? "Pending", message }, {
      status: "Unknown",
      reason,
      message,
    });
    return [{ type: "jobStatus", cr: request, status }];
  });
}

/** In any phase: Jobs whose outcome is recorded, or whose request is gone, lose their finalizer. */
export function planReleases(world: Assessment): Effect[] {
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

/** Whether its pod mounts the volume of another instance, which could not be deleted as long as the pod exists. */
function readsOther(cr: Stored<JobRequest> | undefined, { metadata }: Stored<KubeObject>): boolean {
  return cr?.kind === "OdooStagingRefreshJob" && metadata.name === stepJobName(cr.metadata, "files") &&
    !metadata.deletionTimestamp;
}

/** Operations whose outcome is recorded in the instance only. */
function isWithoutRequest(operation: OperationStatus | undefined): boolean {
  return operation?.kind === "OdooInstance" || copyStep(operation) === "return";
}

/** The password of Odoo's first user, instead of the well-known default. */
function adminSecret({ name, environment }: Resolved): Effect {
  const labels = instanceLabels(name, environment);
  return { type: "ensureUserSecret", name: objectNames.adminSecret(name), username: "admin", labels };
}

type NewStatus = Pick<JobRequestStatus, "phase" | "jobName" | "startTime" | "message" | "summary" | "logTail">;
type NewCondition = Pick<ConditionState, "status" | "reason" | "message">;

function closedStatus(
  world: Assessment,
  cr: Stored<JobRequest>,
  next: NewStatus,
  condition: NewCondition,
): JobRequestStatus {
  const { operation } = world.status;
  const begun = operation?.uid === cr.metadata.uid;
  const startTime = cr.status?.startTime ?? (begun ? jobTime(world.now) : undefined); // the Job may end before the request is Running
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
  world: Assessment,
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

/** On the request and on the instance. The phase events of an instance already show its initial provisioning. */
function eventsOfBoth({ instance }: Assessment, cr: Stored<JobRequest>, what: EventOfBoth, note: string): Effect[] {
  if (cr.kind === "OdooInitJob" && what !== "Failed") return [eventOf(cr, what, note)];
  const onInstance = { ...eventOf(cr, what, `${cr.kind} ${cr.metadata.name}: ${note}`), about: instance };
  return [eventOf(cr, what, note), onInstance];
}

function eventOf(cr: Stored<JobRequest>, what: string, note: string): Effect & { readonly about: Stored<KubeObject> } {
  const warning = what === "Failed" || what === "Refused";
  return { type: "event", about: cr, warning, reason: `${rowOf(cr).event}${what}`, note };
}
