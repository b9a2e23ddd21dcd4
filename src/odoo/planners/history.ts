/**
 * Requests that have ended are history: of each kind the newest are kept, as many as the administrator wants, and older
 * ones deleted. What still has a part to play is no history yet, however old it is.
 */
import type { Stored } from "../../kit/types.ts";
import type { JobRequest } from "../crd/mod.ts";
import type { Effect } from "../model/plan.ts";
import { isTerminal, lastAutoRequest, pendingNotificationOf, REQUESTS } from "../model/operations/requests.ts";
import type { World } from "../model/world.ts";

/** More wait for the next time: a limit that was lowered must not keep an instance waiting for the API server. */
const MOST_AT_ONCE = 20;

/** In any phase: requests that are older than the history goes back. */
export function planHistory(world: World): Effect[] {
  const { jobHistoryLimit, observed } = world;
  if (jobHistoryLimit === 0) return [];
  const ended = observed.requests.filter((cr) => isTerminal(cr) && !cr.metadata.deletionTimestamp);
  return Object.keys(REQUESTS).flatMap((kind) => ended.filter((cr) => cr.kind === kind).slice(0, -jobHistoryLimit))
    .filter((cr) => !isNeeded(world, cr))
    .slice(0, MOST_AT_ONCE)
    .map((cr) => ({ type: "deleteRequest", cr }));
}

/** What the status names, what is not yet reported to a webhook, and what keeps us from asking for the same again. */
function isNeeded(world: World, cr: Stored<JobRequest>): boolean {
  const { status, instance, observed } = world;
  if (cr.metadata.uid === status.operation?.uid || pendingNotificationOf(cr)) return true;
  if (cr.status?.phase !== "Failed" || (cr.kind !== "OdooInitJob" && cr.kind !== "OdooStagingRefreshJob")) return false;
  return cr === lastAutoRequest(instance.metadata.name, cr.kind, observed.requests);
}
