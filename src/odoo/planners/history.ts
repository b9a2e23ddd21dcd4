/**
 * Requests that have ended are kept as history: of each kind the newest, as many as the administrator configures; older ones
 * are deleted, unless they are still needed.
 */
import type { Stored } from "../../kit/types.ts";
import type { JobRequest } from "../crd/mod.ts";
import type { Effect } from "../model/plan.ts";
import { isTerminal, pendingNotification } from "../model/operations/request.ts";
import { REQUEST_KINDS } from "../model/operations/request_kinds.ts";
import { lastAutoRequest } from "../model/operations/requests.ts";
import type { Assessment } from "../model/assessment.ts";

/** The rest is deleted in later reconciles: a lowered limit must not delay an instance. */
const MOST_AT_ONCE = 20;

/** In any phase: deletes requests beyond the history limit. */
export function planHistory(world: Assessment): Effect[] {
  const { jobHistoryLimit, observed } = world;
  if (jobHistoryLimit === 0) return [];
  const ended = observed.requests.filter((cr) => isTerminal(cr) && !cr.metadata.deletionTimestamp);
  return REQUEST_KINDS.flatMap((kind) => ended.filter((cr) => cr.kind === kind).slice(0, -jobHistoryLimit))
    .filter((cr) => !isNeeded(world, cr))
    .slice(0, MOST_AT_ONCE)
    .map((cr) => ({ type: "deleteRequest", cr }));
}

/** Needed are the request that the status names, requests with a pending notification, and a failed automatic request. */
function isNeeded(world: Assessment, cr: Stored<JobRequest>): boolean {
  const { status, instance, observed } = world;
  if (cr.metadata.uid === status.operation?.uid || pendingNotification(cr)) return true;
  if (cr.status?.phase !== "Failed" || (cr.kind !== "OdooInitJob" && cr.kind !== "OdooStagingRefreshJob")) return false;
  return cr === lastAutoRequest(instance.metadata.name, cr.kind, observed.requests);
}
