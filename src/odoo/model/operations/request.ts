/** Reads a single request: a custom resource by which a user, or this operator, asks for an operation on an instance. */
import { conditionOf } from "../../../kit/conditions.ts";
import type { Stored } from "../../../kit/types.ts";
import type { JobRequest, OperationStatus } from "../../crd/mod.ts";
import { jobNotification, type Notification, NOTIFIED } from "../network/notification.ts";
import type { CachedWorld } from "../world.ts";

/** Condition of a request: True when it has been executed, False when it failed, Unknown before that. */
export const SUCCEEDED = "Succeeded";

/** The request behind an operation, if it still exists. */
export function requestOf(world: CachedWorld, operation: OperationStatus): Stored<JobRequest> | undefined {
  return world.observed.requests.find(({ metadata }) => metadata.uid === operation.uid);
}

/** Whether a request has ended. */
export function isTerminal(request: Pick<JobRequest, "status">): boolean {
  return request.status?.phase === "Completed" || request.status?.phase === "Failed";
}

/** Whether a request is being executed. */
export function isBegun(request: Pick<JobRequest, "status">): boolean {
  return request.status?.phase === "Running";
}

/** The name of the Job that a request's status records. */
export function jobNameOf({ status }: JobRequest): string | undefined {
  return status && "jobName" in status ? status.jobName ?? undefined : undefined;
}

/** Whether the Job of an operation has been seen: from then on it is never created again. */
export function wasStarted(request: JobRequest, operation: OperationStatus): boolean {
  return jobNameOf(request) === operation.jobName;
}

/** The notification of a request's end that its webhook has not received yet; `undefined` if there is none to send. */
export function pendingNotification(request: Stored<JobRequest>): Notification | undefined {
  const end = conditionOf(request.status?.conditions, SUCCEEDED);
  // A request that ended under operator 2.5.0, which sent the notification itself, has no such condition.
  if (!isTerminal(request) || !end || conditionOf(request.status?.conditions, NOTIFIED)) return undefined;
  return jobNotification(request, request.status ?? {}, end.status === "False" ? { reason: end.reason } : {});
}
