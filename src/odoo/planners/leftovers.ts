/**
 * What a restore or refresh leaves beside the data: the copy, if it failed, and what it replaced. Both are told by their
 * names, so nothing has to be remembered; files go first, for it is the database that says that there may be any.
 */
import { databaseOwnerUid, databasesOwnedBy } from "../model/postgres/database.ts";
import { cleaningJobName, copyRole } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import { jobStateOf, type World } from "../model/world.ts";
import { removeFilesJob } from "../resources/mod.ts";

/** In phases without an operation: one leftover after the other. What was replaced stays until the new data is served. */
export function planLeftovers(world: World): Effect[] {
  const { resolved, cluster, instance, status, phase, observed } = world;
  if (!resolved || !cluster.address || !cluster.facts.known || status.operation) return [];
  if (status.activeCluster !== cluster.address.name || !observed.filestore) return [];
  const { uid } = instance.metadata;
  const { facts } = cluster;
  const role = facts.roles.get(resolved.roleName)?.ownership;
  const isServed = phase === "Running" && facts.databases.has(resolved.databaseName);
  const leftover = databasesOwnedBy(facts, resolved.roleName).find((name) => {
    const part = copyRole(resolved.databaseName, name);
    if (!part || (part === "old" && !isServed)) return false;
    return databaseOwnerUid({ role, database: facts.databases.get(name)?.ownership }) === uid;
  });
  if (leftover === undefined) return [];
  const name = cleaningJobName(resolved.name, leftover);
  switch (jobStateOf(world, name).state) {
    case "absent": {
      if (observed.jobsWithPods.size > 0) return []; // what is removed must not be written to any more
      const options = { directory: leftover, pattern: leftover };
      return [{ type: "create", object: removeFilesJob(name, resolved, cluster.address, options), owner: instance }];
    }
    case "succeeded":
      return [{ type: "dropDatabase", cluster: cluster.address.name, database: leftover, uid }];
    default:
      return []; // one that failed goes after its time to live, and is tried again
  }
}
