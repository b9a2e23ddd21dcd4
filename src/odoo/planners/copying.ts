/** Restores and refreshes, beside their Jobs: the database of the copy, the swap, and the removal of files. */
import type { Assessment } from "../model/assessment.ts";
import { copyOf } from "../model/operations/copy/copying.ts";
import { cleaningJobName, instanceLabels, requestSecretName } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import { requestOf } from "../model/operations/request.ts";
import type { PlannedWrite } from "../model/postgres/sql_writes.ts";
import type { ClusterAddress } from "../model/postgres/database.ts";
import type { Resolved } from "../model/resolve.ts";
import { jobStateOf } from "../model/world.ts";
import { removeFilesJob } from "../resources/mod.ts";

/** Files without a database of their name would not be found later, so they are removed at once. */
function removalOf({ instance }: Assessment, directory: string, resolved: Resolved, cluster: ClusterAddress): Effect {
  const name = cleaningJobName(resolved.name, directory);
  return {
    type: "create",
    object: removeFilesJob(name, resolved, cluster, { directory, pattern: directory }),
    owner: instance,
  };
}

/** In the phase of the operation: what the Job of the step needs, or what the step does in SQL. */
export function planCopying(world: Assessment): Effect[] {
  const { resolved, cluster, instance, status: { operation, activeCluster } } = world;
  const copy = operation && copyOf(world, operation);
  if (!resolved || !copy || !cluster.facts?.known || cluster.address.name !== activeCluster) return [];
  const { name, environment, roleName: role, databaseName: live } = resolved;
  const common = { role, ownership: { uid: instance.metadata.uid } };
  const sql = (write: PlannedWrite): Effect => ({ type: "sql", cluster: cluster.address.name, write });
  switch (world.facts.copyStep) {
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
        sql({ type: "ensureDatabase", database: copy.side, ...common }),
      ];
    }
    case "swap":
      return world.swap.swapsNow ? [sql({ type: "swapDatabase", live, ...copy, ...common })] : [];
    case "move":
      // without its request everything is rolled back, the former files too
      return world.facts.isStepDone && requestOf(world, operation) && !cluster.facts.databases.has(copy.old)
        ? [removalOf(world, copy.old, resolved, cluster.address)]
        : [];
    case "return":
      return [
        sql({ type: "unswapDatabase", live, ...copy, ...common }),
        ...(world.swap.hasReturned && !cluster.facts.databases.has(copy.side)
          ? [removalOf(world, copy.side, resolved, cluster.address)]
          : []),
      ];
    default:
      return [];
  }
}
