/**
 * The Secret that images are pulled with: if it is missing beside the instance, it is copied from the operator's
 * namespace. Only Secrets that the administrator has named may leave that namespace, and only those for pulling images:
 * the names come from tenants, and the passwords of all PostgreSQL clusters lie there too.
 *
 * A copy belongs to no instance, because several may use it; it follows its source, and is left when they go.
 */
import { instanceLabels } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { Problem } from "../model/resolve.ts";
import type { World } from "../model/world.ts";

/** Copies the Secret, or renews a copy whose source has changed. */
export function planPullSecret({ observed, resolved }: World): Effect[] {
  const { pullSecret } = observed;
  if (!pullSecret || !resolved) return [];
  const { name, allowed, source, local } = pullSecret;
  if (!allowed || !source || (local && (!local.copiedFrom || local.copiedFrom === source.version))) return [];
  const labels = instanceLabels(resolved.name, resolved.environment);
  return [{ type: "copyPullSecret", name, labels, version: source.version }];
}

/** Why there is nothing to pull with. */
export function pullSecretProblem({ observed, instance }: World): Problem | undefined {
  const { pullSecret } = observed;
  if (!pullSecret || pullSecret.local || (pullSecret.allowed && pullSecret.source)) return undefined;
  const { name } = pullSecret;
  const missing =
    `No Secret ${name} of type kubernetes.io/dockerconfigjson is in namespace ${instance.metadata.namespace}: create it`;
  return pullSecret.allowed
    ? { reason: "PullSecretMissing", message: `${missing} here or in the operator's namespace` }
    : {
      reason: "PullSecretNotAllowed",
      message: `${missing}. The operator copies only the Secrets that its flag --allowed-pull-secrets names`,
    };
}
