/**
 * The Secret that images are pulled with: if it is missing beside the instance, it is copied from the operator's namespace.
 * Only Secrets that the administrator has named are copied, and only those of type kubernetes.io/dockerconfigjson: the name
 * comes from a tenant, and the operator's namespace also holds the passwords of all PostgreSQL clusters.
 *
 * A copy has no owner, because several instances may use it; it follows its source, and stays when they are deleted.
 */
import { instanceLabels } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { Assessment } from "../model/assessment.ts";

/** Copies the Secret, or updates a copy whose source has changed. */
export function planPullSecret({ observed, resolved }: Assessment): Effect[] {
  const { pullSecret } = observed;
  if (!pullSecret || !resolved) return [];
  const { name, allowed, source, local } = pullSecret;
  if (!allowed || !source || (local && (!local.copiedFrom || local.copiedFrom === source.version))) return [];
  const labels = instanceLabels(resolved.name, resolved.environment);
  return [{ type: "copyPullSecret", name, labels, version: source.version }];
}
