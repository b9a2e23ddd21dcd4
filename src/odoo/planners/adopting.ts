/**
 * An instance of operator 2.5.0 is adopted without a restart of its pods: its ConfigMap and pod templates stay unchanged, to
 * the byte, until something rolls the pods anyway. Then they change together: odoo.conf is read from the Secret, the role loses
 * the right to create databases, and when the last old pod has ended the ConfigMap loses the password.
 */
import type { AdoptionState, Assessed, Assessment } from "../model/assessment.ts";
import { isUpstreamConfig, readsUpstreamConfig, roleAdoptions } from "../model/instance/adoption.ts";
import { INSTANCE_LABEL, instanceLabels, objectNames, PASSWORD_HASH_ANNOTATION } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { World } from "../model/world.ts";
import { isRolledOut, upstreamDifferences } from "../resources/mod.ts";

/** Adopts roles, ConfigMap and Deployments. Empty when all are adopted, and for instances of our own. */
export function planAdoption(world: Assessment, manager: string): Effect[] {
  const { resolved, cluster, observed, status } = world;
  if (!resolved || !cluster.address || status.activeCluster !== cluster.address.name) return [];
  const { name, environment } = resolved;
  const { configMap } = observed;
  const isUnlabelled = isUpstreamConfig(configMap) && configMap.metadata?.labels?.[INSTANCE_LABEL] === undefined;
  const shared = [observed.web, observed.cron].flatMap((deployment) =>
    deployment && isWrittenBy(deployment, manager) ? [deployment.metadata.name] : []
  );
  return [
    ...roleAdoptions(world),
    ...isUnlabelled && world.adoption.keepsConfigMap
      ? [{ type: "adoptConfigMap", name: objectNames.config(name), labels: instanceLabels(name, environment) } as const]
      : [],
    ...shared.map((deployment): Effect => ({ type: "takeOverFields", name: deployment })),
    ...restriction(world),
  ];
}

/** What is kept of operator 2.5.0. */
export function adoptionState(world: Assessed<"facts">): AdoptionState {
  const reasons = reasonsToRoll(world);
  return {
    keepsPods: keepsPods(world, reasons),
    keepsConfigMap: keepsConfigMap(world),
    reasonsToRoll: reasons,
  };
}

/** Both Deployments stay as operator 2.5.0 created them; if one is ours already, the other one follows. */
function keepsPods({ observed, adoptedInstances }: World, reasons: readonly string[]): boolean {
  const { web, cron, configMap } = observed;
  if (!readsUpstreamConfig(web) || !readsUpstreamConfig(cron) || !isUpstreamConfig(configMap)) return false;
  return adoptedInstances === "keep" && reasons.length === 0;
}

/** What the pods of operator 2.5.0 lack of the desired state, by name. Empty also while nothing can be decided. */
function reasonsToRoll({ observed, resolved, cluster, status }: World): string[] {
  const { web, cron, configMap, configSecret } = observed;
  if (!resolved || !cluster.address || !web || !cron || !isUpstreamConfig(configMap)) return [];
  const passwordHash = configSecret?.annotations[PASSWORD_HASH_ANNOTATION];
  const differences = upstreamDifferences({ web, cron, configMap }, resolved, {
    cluster: cluster.address,
    passwordHash,
  });
  return [...differences, ...(status.restartedFor ? ["the restart after an upgrade"] : [])];
}

/** Whether pods, even terminating ones, or a Job still need the ConfigMap of operator 2.5.0. */
function keepsConfigMap({ observed, facts }: Assessed<"facts">): boolean {
  const { web, cron, configMap } = observed;
  if (!isUpstreamConfig(configMap)) return false;
  const needed = [web, cron].some((deployment) =>
    deployment && (readsUpstreamConfig(deployment) || !isRolledOut(deployment))
  );
  return needed || facts.isUpstreamJobRunning;
}

/** The role loses the right to create databases as soon as no object of operator 2.5.0 may need it. */
function restriction(world: Assessment): Effect[] {
  const { resolved, cluster, instance, observed } = world;
  if (
    !resolved || !cluster.address || !cluster.facts.known || world.adoption.keepsPods ||
    world.facts.isUpstreamJobRunning
  ) {
    return [];
  }
  const { uid } = instance.metadata;
  const role = cluster.facts.roles.get(resolved.roleName);
  if (!observed.configSecret || role?.ownership?.uid !== uid || !role.createsDatabases) return [];
  const write = { type: "restrictRole", role: resolved.roleName, ownership: { uid } } as const;
  return [{ type: "sql", cluster: cluster.address.name, write }];
}

/** Whether the manager wrote fields of the Deployment by an update instead of an apply, as only operator 2.5.0 did. */
function isWrittenBy(
  { metadata }: { readonly metadata: NonNullable<World["instance"]["metadata"]> },
  manager: string,
): boolean {
  return metadata.managedFields?.some((entry) =>
    entry.manager === manager && entry.operation === "Update" && !entry.subresource
  ) ?? false;
}
