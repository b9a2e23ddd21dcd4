/** Restores and refreshes, beyond their Jobs: the database that a copy is made in, and the change of places. */
import { copyStep } from "../model/operations/copy/copy_steps.ts";
import { copyOf, hasReturned, isDone, swapsNow } from "../model/operations/copy/copying.ts";
import { cleaningJobName, instanceLabels, requestSecretName } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import { requestOf } from "../model/operations/requests.ts";
import type { ClusterAddress } from "../model/postgres/database.ts";
import type { Resolved } from "../model/resolve.ts";
import { jobStateOf, type World } from "../model/world.ts";
import { removeFilesJob } from "../resources/mod.ts";

/** Without a database of their name nothing says that there are such files, so they go at once. */
function removalOf({ instance }: World, directory: string, resolved: Resolved, cluster: ClusterAddress): Effect {
  const name = cleaningJobName(resolved.name, directory);
  return {
    type: "create",
    object: removeFilesJob(name, resolved, cluster, { directory, pattern: directory }),
    owner: instance,
  };
}

/** In the phase of the operation: what the Job of the step needs, or what is done in SQL. */
export function planCopying(world: World): Effect[] {
  const { resolved, cluster, instance, status: { operation, activeCluster } } = world;
  const copy = operation && copyOf(world, operation);
  if (!resolved || !copy || !cluster.facts?.known || cluster.address.name !== activeCluster) return [];
  const { name, environment, roleName: role, databaseName: live } = resolved;
  const common = { cluster: cluster.address.name, role, uid: instance.metadata.uid };
  switch (copyStep(operation)) {
    case "load":
    case "database": {
      const cr = requestOf(world, operation);
      if (!cr || jobStateOf(world, operation.jobName).state !== "absent") return [];
      const secret = requestSecretName(operation);
      const needsSecret = cr.kind === "OdooRestoreJob" && cr.spec.source.type === "odoo";
      return [
        ...(needsSecret
          ? [{ type: "ensureSourceSecret", name: secret, cr, labels: instanceLabels(name, environment) } as const]
          : []),
        { type: "ensureDatabase", database: copy.side, ...common },
      ];
    }
    case "swap":
      return swapsNow(world) ? [{ type: "swapDatabase", live, ...copy, ...common }] : [];
    case "move":
      // with its request gone all is put back, and the former files with it
      return isDone(world) && requestOf(world, operation) && !cluster.facts.databases.has(copy.old)
        ? [removalOf(world, copy.old, resolved, cluster.address)]
        : [];
    case "return":
      return [
        { type: "unswapDatabase", live, ...copy, ...common },
        ...(hasReturned(world) && !cluster.facts.databases.has(copy.side)
          ? [removalOf(world, copy.side, resolved, cluster.address)]
          : []),
      ];
    default:
      return [];
  }
}
