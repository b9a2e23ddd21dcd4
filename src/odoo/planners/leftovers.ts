/**
 * Removal of what a restore or refresh leaves beside the data: a failed copy, and the data that a copy replaced. Both are
 * recognised by their names, so nothing must be recorded. The files are removed first: the database marks that they may exist.
 */
import { databaseOwnerUid, databasesOwnedBy } from "../model/postgres/database.ts";
import { cleaningJobName, copyRole } from "../model/names.ts";
import type { Assessment } from "../model/assessment.ts";
import type { Effect } from "../model/plan.ts";
import { jobStateOf } from "../model/world.ts";
import { removeFilesJob } from "../resources/mod.ts";

/** In phases without an operation: one after the other. Replaced data stays until the new data is served. */
export function planLeftovers(world: Assessment): Effect[] {
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
      if (observed.jobsWithPods.size > 0) return []; // no pod may still write to the files
      const options = { directory: leftover, pattern: leftover };
      return [{ type: "create", object: removeFilesJob(name, resolved, cluster.address, options), owner: instance }];
    }
    case "succeeded":
      return [{
        type: "sql",
        cluster: cluster.address.name,
        write: { type: "dropDatabase", database: leftover, ownership: { uid } },
      }];
    default:
      return []; // a failed Job is deleted after its time to live, and created again
  }
}
