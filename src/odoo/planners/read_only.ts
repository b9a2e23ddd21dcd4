/**
 * A role that may only read, for reports: created once the database has data, recognised by its owner comment, dropped when
 * the spec no longer asks for it or the database is missing. Empty when nothing is to be changed.
 */
import { readOnlyVersion } from "../model/postgres/database.ts";
import { instanceLabels, objectNames, readOnlyRoleName } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { PlannedWrite } from "../model/postgres/sql_writes.ts";
import type { Assessment } from "../model/assessment.ts";

/** The role and its Secret. */
export function planReadOnlyAccess(world: Assessment): Effect[] {
  const { resolved, cluster, observed, instance, status } = world;
  if (!resolved || !cluster.address || status.activeCluster !== cluster.address.name) return [];
  const { name, namespace, environment, databaseName: database, readOnlyAccess } = resolved;
  const { uid } = instance.metadata;
  const role = readOnlyRoleName({ name, namespace });
  const secret = objectNames.readOnlySecret(name);
  // Its grants are not transferred to another database, so the role is dropped while databases are swapped.
  const wanted = readOnlyAccess && status.dbInitialized && !world.facts.isSwapping ? readOnlyAccess : undefined;
  const effects: Effect[] = wanted && !observed.readOnlySecret
    ? [{ type: "ensureUserSecret", name: secret, username: role, labels: instanceLabels(name, environment) }]
    : [];
  if (!cluster.facts.known) return effects;
  const { roles, databases } = cluster.facts;
  const ownership = roles.get(role)?.ownership;
  const exists = databases.has(database);
  const common = { role, database, ownership: { uid } };
  const sql = (write: PlannedWrite): Effect => ({ type: "sql", cluster: cluster.address.name, write });
  if (!wanted || !exists) {
    if (ownership?.uid !== uid) return effects;
    return [...effects, sql({ type: "dropReadOnlyRole", ...common })]; // in a new database its grants would be missing
  }
  const { connectionLimit } = wanted;
  const version = observed.readOnlySecret &&
    readOnlyVersion({ secretVersion: observed.readOnlySecret.version, database, connectionLimit });
  if (ownership?.uid === uid && ownership.secretVersion === version) return effects;
  return [...effects, sql({ type: "ensureReadOnlyRole", ...common, secret, connectionLimit })];
}

/** Its Secret is deleted after the pods that use it. */
export function planReadOnlyEnd({ resolved, observed }: Assessment): Effect[] {
  if (!resolved || resolved.readOnlyAccess || !observed.readOnlySecret) return [];
  return [{ type: "deleteSecret", name: observed.readOnlySecret.name }];
}
