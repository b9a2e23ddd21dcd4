/** The conditions by which an operator reports failing reconciles, and their content. Pure. */
import type { Change } from "./cache.ts";
import { conditionOf, type ConditionState } from "./conditions.ts";
import { ApiError, isInvalid, isOverQuota, messageOf, NotOursError } from "./errors.ts";
import { isSameJson } from "./same_json.ts";
import type { Condition, KubeObject, Stored } from "./types.ts";

/** A condition to report; the reporter adds the generation. */
export type ReportedCondition = Omit<ConditionState, "observedGeneration">;

/**
 * How an operator reports reconciles that fail.
 *
 * @example
 * ```ts
 * const SYNCED: FailureReport = {
 *   types: ["Synced"],
 *   failed: (error) => [{ type: "Synced", status: "False", reason: reasonOf(error), message: messageOf(error) }],
 * };
 * operator(WebApp).reportsFailures(SYNCED); // and its reconcile ends with the status that says Synced=True
 * ```
 */
export interface FailureReport {
  /** The conditions that it writes. A change of nothing else brings no object back before its backoff. */
  readonly types: readonly string[];
  /** What to say when a reconcile of `object` has failed. */
  readonly failed: (error: unknown, object: Stored<KubeObject>) => readonly ReportedCondition[];
  /** What to say when one has not. @default nothing: the reconcile's own status says it */
  readonly succeeded?: (conditions: readonly Condition[]) => readonly ReportedCondition[];
}

const RECONCILED = "Reconciled";

/** The report of an operator that asks for none: condition `Reconciled`, absent until a reconcile fails. */
export const RECONCILED_REPORT: FailureReport = {
  types: [RECONCILED],
  failed: (error) => [{ type: RECONCILED, status: "False", reason: reasonOf(error), message: messageOf(error) }],
  succeeded: (conditions) =>
    conditionOf(conditions, RECONCILED)?.status === "False"
      ? [{ type: RECONCILED, status: "True", reason: "Reconciled", message: "" }]
      : [],
};

/** `status.conditions` of any object. */
export function conditionsOf(object: KubeObject | undefined): readonly Condition[] {
  return statusOf(object).conditions ?? [];
}

/** The reason under which an error is reported. */
export function reasonOf(error: unknown): string {
  if (error instanceof NotOursError) return "NameConflict";
  if (isOverQuota(error)) return "QuotaExceeded";
  if (error instanceof ApiError && error.status === 403) return "Forbidden";
  return isInvalid(error) ? "Invalid" : "ReconcileFailed";
}

/** Whether a change is our own report and nothing else: to react would bring a failing object back before its backoff. */
export function isOnlyReport({ object, previous, deleted }: Change<KubeObject>, types: readonly string[]): boolean {
  if (deleted || !previous) return false;
  if (reportOf(object, types) === reportOf(previous, types)) return false; // the hashes below are for few
  return isSameJson(withoutReport(object, types), withoutReport(previous, types));
}

function reportOf(object: KubeObject, types: readonly string[]): string {
  return JSON.stringify(types.map((type) => conditionOf(conditionsOf(object), type)));
}

function withoutReport(object: KubeObject, types: readonly string[]): unknown {
  const conditions = conditionsOf(object).filter(({ type }) => !types.includes(type));
  const metadata = { ...object.metadata, resourceVersion: undefined };
  return { ...object, metadata, status: { ...statusOf(object), conditions } };
}

function statusOf(object: KubeObject & { readonly status?: unknown } | undefined): {
  readonly conditions?: readonly Condition[];
} {
  return object?.status ?? {};
}
