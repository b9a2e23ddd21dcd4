/**
 * An instance of operator 2.5.0 is taken over without touching its pods: ConfigMap and pod templates stay as they are, to
 * the byte, until something rolls the pods anyway. Then all of it changes at once: odoo.conf is read from the Secret, the
 * role loses the right to create databases, and when the last old pod has ended the ConfigMap loses the password.
 */
import { isUpstreamConfig, readsUpstreamConfig, roleAdoptions, worksForUpstream } from "../model/instance/adoption.ts";
import { INSTANCE_LABEL, instanceLabels, objectNames, PASSWORD_HASH_ANNOTATION } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { World } from "../model/world.ts";
import { isRolledOut, upstreamDifferences } from "../resources/mod.ts";

/** Signs roles, and makes what was found visible and ours. Empty once it is, and for instances of our own. */
export function planAdoption(world: World, manager: string): Effect[] {
  const { resolved, cluster, observed, status } = world;
  if (!resolved || !cluster.address || status.activeCluster !== cluster.address.name) return [];
  const { name, environment } = resolved;
  const { configMap } = observed;
  const unseen = isUpstreamConfig(configMap) && configMap.metadata?.labels?.[INSTANCE_LABEL] === undefined;
  const shared = [observed.web, observed.cron].flatMap((deployment) =>
    deployment && isWrittenBy(deployment, manager) ? [deployment.metadata.name] : []
  );
  return [
    ...roleAdoptions(world),
    ...unseen && keepsConfigMap(world)
      ? [{ type: "adoptConfigMap", name: objectNames.config(name), labels: instanceLabels(name, environment) } as const]
      : [],
    ...shared.map((deployment): Effect => ({ type: "takeOverFields", name: deployment })),
    ...restriction(world),
  ];
}

/** Whether both Deployments stay as operator 2.5.0 made them. One that is ours already takes the other one along. */
export function keepsPods(world: World): boolean {
  const { web, cron, configMap } = world.observed;
  if (!readsUpstreamConfig(web) || !readsUpstreamConfig(cron) || !isUpstreamConfig(configMap)) return false;
  return world.adoptedInstances === "keep" && reasonsToRoll(world).length === 0;
}

/** What the pods of operator 2.5.0 lack of what is wanted now, by name. Empty also while nothing can be decided. */
export function reasonsToRoll({ observed, resolved, cluster, status }: World): string[] {
  const { web, cron, configMap, configSecret } = observed;
  if (!resolved || !cluster.address || !web || !cron || !isUpstreamConfig(configMap)) return [];
  const passwordHash = configSecret?.annotations[PASSWORD_HASH_ANNOTATION];
  const differences = upstreamDifferences({ web, cron, configMap }, resolved, {
    cluster: cluster.address,
    passwordHash,
  });
  return [...differences, ...(status.restartedFor ? ["the restart after an upgrade"] : [])];
}

/** Whether the ConfigMap of operator 2.5.0 is still needed: by pods, even ones that are ending, or by a Job. */
export function keepsConfigMap(world: World): boolean {
  const { web, cron, configMap } = world.observed;
  if (!isUpstreamConfig(configMap)) return false;
  const needed = [web, cron].some((deployment) =>
    deployment && (readsUpstreamConfig(deployment) || !isRolledOut(deployment))
  );
  return needed || worksForUpstream(world);
}

/** The role makes no databases any more, as soon as nothing of operator 2.5.0 may want to. */
function restriction(world: World): Effect[] {
  const { resolved, cluster, instance, observed } = world;
  if (!resolved || !cluster.address || !cluster.facts.known || keepsPods(world) || worksForUpstream(world)) return [];
  const { uid } = instance.metadata;
  const role = cluster.facts.roles.get(resolved.roleName);
  if (!observed.configSecret || role?.ownership?.uid !== uid || !role.createsDatabases) return [];
  return [{ type: "restrictRole", cluster: cluster.address.name, role: resolved.roleName, uid }];
}

/** Whether the Deployment has fields that the manager wrote in another manner than by apply, as only operator 2.5.0 did. */
function isWrittenBy(
  { metadata }: { readonly metadata: NonNullable<World["instance"]["metadata"]> },
  manager: string,
): boolean {
  return metadata.managedFields?.some((entry) =>
    entry.manager === manager && entry.operation === "Update" && !entry.subresource
  ) ?? false;
}
