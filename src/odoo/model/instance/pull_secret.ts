/** The Secret that images are pulled with: whether it exists. */
import type { Problem } from "../problem.ts";
import type { World } from "../world.ts";

/** Why there is no Secret to pull with. */
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
