/**
 * A role that may only read, for reports: made once the database has something to read, recognised by its comment, gone
 * when nobody wants it or the database is gone. Empty when all is as it should be.
 */
import { isSwapping } from "../model/operations/copy/copy_steps.ts";
import { readOnlyVersion } from "../model/postgres/database.ts";
import { instanceLabels, objectNames, readOnlyRoleName } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { World } from "../model/world.ts";

/** Its Secret and itself. */
export function planReadOnlyAccess(world: World): Effect[] {
  const { resolved, cluster, observed, instance, status } = world;
  if (!resolved || !cluster.address || status.activeCluster !== cluster.address.name) return [];
  const { name, namespace, environment, databaseName: database, readOnlyAccess } = resolved;
  const { uid } = instance.metadata;
  const role = readOnlyRoleName({ name, namespace });
  const secret = objectNames.readOnlySecret(name);
  // What it was granted does not go over to another database: while that takes the place of this one there is no such role.
  const wanted = readOnlyAccess && status.dbInitialized && !isSwapping(world) ? readOnlyAccess : undefined;
  const effects: Effect[] = wanted && !observed.readOnlySecret
    ? [{ type: "ensureUserSecret", name: secret, username: role, labels: instanceLabels(name, environment) }]
    : [];
  if (!cluster.facts.known) return effects;
  const { roles, databases } = cluster.facts;
  const ownership = roles.get(role)?.ownership;
  const exists = databases.has(database);
  const common = { cluster: cluster.address.name, role, database, uid };
  if (!wanted || !exists) {
    if (ownership?.uid !== uid) return effects;
    return [...effects, { type: "dropReadOnlyRole", ...common }]; // in a new database it would have to be granted anew
  }
  const { connectionLimit } = wanted;
  const version = observed.readOnlySecret &&
    readOnlyVersion({ secretVersion: observed.readOnlySecret.version, database, connectionLimit });
  if (ownership?.uid === uid && ownership.secretVersion === version) return effects;
  return [...effects, { type: "ensureReadOnlyRole", ...common, secret, connectionLimit }];
}

/** Its Secret goes after the pods that know it. */
export function planReadOnlyEnd({ resolved, observed }: World): Effect[] {
  if (!resolved || resolved.readOnlyAccess || !observed.readOnlySecret) return [];
  return [{ type: "deleteSecret", name: observed.readOnlySecret.name }];
}
