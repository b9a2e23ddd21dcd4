/** What the deletion of an instance has to do in PostgreSQL, and why it cannot. */
import type { OdooInstance } from "../../crd/mod.ts";
import type { DeletionFacts } from "../assessment.ts";
import { INSTANCE_FINALIZER } from "../names.ts";
import type { Problem } from "../problem.ts";
import type { ChosenCluster, World } from "../world.ts";
import { clusterInUse } from "./adoption.ts";

/** Whether role, database, volume and Secrets are kept when the instance is deleted. */
export function retains({ spec }: OdooInstance): boolean {
  return spec.deletionPolicy === "Retain";
}

/** Clusters with objects to drop, and the obstacle, if there is one. */
export function deletionFacts(world: World): DeletionFacts {
  if (!clusterInUse(world) || retains(world.instance)) return { clusters: [], obstacle: undefined };
  const others = otherClusters(world);
  return { clusters: [world.cluster, ...others.values()], obstacle: obstacleTo(world.cluster, others) };
}

function obstacleTo(cluster: ChosenCluster, others: ReadonlyMap<string, ChosenCluster>): Problem | undefined {
  const advice = `To leave database and role behind, remove the finalizer ${INSTANCE_FINALIZER}`;
  if (cluster.problem) {
    return {
      reason: cluster.problem.reason,
      message: `Cannot drop database and role: ${cluster.problem.message}. ${advice}`,
    };
  }
  if (!cluster.facts.known) {
    return {
      reason: cluster.facts.reason,
      message: `Cannot drop database and role: ${cluster.facts.message}. ${advice}`,
    };
  }
  for (const [name, { facts }] of others) {
    if (facts && !facts.known) {
      return {
        reason: facts.reason,
        message: `Cannot drop what a migration left on cluster '${name}': ${facts.message}. ${advice}`,
      };
    }
  }
  return undefined;
}

/** By name: clusters that hold objects of a migration, as far as they are in the clusters Secret. */
function otherClusters({ status, otherClusters }: World): ReadonlyMap<string, ChosenCluster> {
  const names = [status.migrationPreviousCluster, status.migrationTargetCluster];
  return new Map([...otherClusters ?? []].filter(([name]) => names.includes(name)));
}
