/** Requests that name an instance that does not exist report this in their status, until the instance is created. Pure. */
import { conditionOf, setCondition } from "../../kit/conditions.ts";
import { timestamp } from "../../kit/timestamp.ts";
import type { JobRequest, JobRequestStatus } from "../crd/mod.ts";
import { isBegun, isTerminal, SUCCEEDED } from "../model/operations/request.ts";

/** What decides about a request. */
export interface OrphanInput {
  readonly request: JobRequest;
  readonly instanceExists: boolean;
  /** In milliseconds since 1970. */
  readonly now: number;
}

/** The status of a request whose instance does not exist; `undefined` if nothing must be written. */
export function orphanStatus({ request, instanceExists, now }: OrphanInput): JobRequestStatus | undefined {
  const { status, metadata, spec } = request;
  if (instanceExists || isTerminal(request) || metadata?.deletionTimestamp) return undefined;
  const { name } = spec.odooInstanceRef;
  const message = `OdooInstance ${name} does not exist in namespace ${metadata?.namespace}: create it, or correct ` +
    "spec.odooInstanceRef.name";
  const present = conditionOf(status?.conditions, SUCCEEDED);
  if (present?.message === message) return undefined;
  const observedGeneration = metadata?.generation ?? 0;
  const condition = {
    type: SUCCEEDED,
    status: "Unknown",
    reason: "InstanceNotFound",
    message,
    observedGeneration,
  } as const;
  const conditions = setCondition(status?.conditions ?? [], condition, timestamp(now));
  return { ...status, phase: isBegun(request) ? "Running" : "Pending", message, conditions };
}
