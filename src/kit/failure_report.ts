/** The condition `Reconciled`, in which an operator tells people about failing reconciles. Pure. */
import type { Change } from "./cache.ts";
import { conditionOf } from "./conditions.ts";
import { isOverQuota, NotOursError } from "./errors.ts";
import { hashOf } from "./hash.ts";
import type { Condition, KubeObject } from "./types.ts";

/** Condition that says whether the last reconcile could do all it wanted; absent until one could not. */
export const RECONCILED = "Reconciled";

/** `status.conditions` of any object. */
export function conditionsOf(object: KubeObject | undefined): readonly Condition[] {
  return statusOf(object).conditions ?? [];
}

/** The reason under which an error is told. */
export function reasonOf(error: unknown): string {
  if (error instanceof NotOursError) return "NameConflict";
  return isOverQuota(error) ? "QuotaExceeded" : "ReconcileFailed";
}

/** Whether a change is our own report and nothing else: to react would bring a failing object back before its backoff. */
export function isOnlyReport({ object, previous, deleted }: Change<KubeObject>): boolean {
  if (deleted || !previous || reportOf(object) === reportOf(previous)) return false; // the hashes below are for few
  return hashOf(withoutReport(object)) === hashOf(withoutReport(previous));
}

function reportOf(object: KubeObject): string | undefined {
  return JSON.stringify(conditionOf(conditionsOf(object), RECONCILED));
}

function withoutReport(object: KubeObject): unknown {
  const conditions = conditionsOf(object).filter(({ type }) => type !== RECONCILED);
  const metadata = { ...object.metadata, resourceVersion: undefined };
  return { ...object, metadata, status: { ...statusOf(object), conditions } };
}

function statusOf(object: KubeObject & { readonly status?: unknown } | undefined): {
  readonly conditions?: readonly Condition[];
} {
  return object?.status ?? {};
}
