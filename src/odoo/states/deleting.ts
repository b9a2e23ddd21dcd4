/**
 * The end of an instance: pods first, then database and role, then the Jobs that wait for us, and the finalizer last.
 * Whatever cannot be reached keeps the finalizer, so nothing is left behind unnoticed.
 */
import { databaseOwnerUid, databasesOwnedBy } from "../model/database.ts";
import { INSTANCE_FINALIZER, OUTCOME_FINALIZER, roleName } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { World } from "../model/world.ts";

/** What must be gone before the instance may go, in order; the finalizer comes last, once nothing is left. */
export function planDeletion(world: World): Effect[] {
  const { observed, instance } = world;
  const workloads = [observed.web, observed.cron].flatMap((object): Effect[] =>
    object && !object.metadata.deletionTimestamp ? [{ type: "deleteChild", object }] : []
  );
  if (workloads.length) {
    return [{
      type: "event",
      about: instance,
      warning: false,
      reason: "Cleanup",
      note: "Ending the pods, then dropping database and role",
    }, ...workloads];
  }
  if (deletionObstacle(world)) return [];
  const drops = planDrops(world);
  const releases = observed.jobs.filter((job) => job.metadata.finalizers?.includes(OUTCOME_FINALIZER)).map((
    job,
  ): Effect => ({ type: "releaseJob", job }));
  return [...drops, ...releases, { type: "removeFinalizer", finalizer: INSTANCE_FINALIZER }];
}

/** Why database and role cannot be dropped now, if they may exist. */
export function deletionObstacle(
  { status, cluster }: World,
): { readonly reason: string; readonly message: string } | undefined {
  if (!status.activeCluster) return undefined; // nothing was ever made on a cluster
  const wayOut = `To give database and role up, remove the finalizer ${INSTANCE_FINALIZER}`;
  if (cluster.problem) {
    return {
      reason: cluster.problem.reason,
      message: `Cannot drop database and role: ${cluster.problem.message}. ${wayOut}`,
    };
  }
  if (!cluster.facts.known) {
    return {
      reason: cluster.facts.reason,
      message: `Cannot drop database and role: ${cluster.facts.message}. ${wayOut}`,
    };
  }
  if (cluster.address.name !== status.activeCluster) {
    return {
      reason: "ClusterChangeNotSupported",
      message: `Cannot drop database and role: they are on cluster '${status.activeCluster}'. ${wayOut}`,
    };
  }
  return undefined;
}

function planDrops({ status, cluster, instance }: World): Effect[] {
  if (!status.activeCluster || !cluster.address || !cluster.facts.known) return [];
  const { name, namespace = "", uid } = instance.metadata;
  const role = roleName({ name, namespace });
  const { facts, address } = cluster;
  const present = facts.roles.get(role);
  if (present?.ownership?.uid !== uid) return [];
  const databases = databasesOwnedBy(facts, role).filter((database) => {
    const held = facts.databases.get(database);
    return held && databaseOwnerUid({ role: present?.ownership, database: held.ownership }) === uid;
  });
  return [
    ...databases.map((database): Effect => ({ type: "dropDatabase", cluster: address.name, database, uid })),
    { type: "dropRole", cluster: address.name, role, uid },
  ];
}
