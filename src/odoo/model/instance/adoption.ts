/**
 * What operator 2.5.0 in Rust leaves behind, recognised by what is there: nothing of it is remembered, so an instance
 * that goes back to that operator and comes again is read right each time.
 */
import type { ConfigMap, Deployment } from "../../../kit/builders/kinds.ts";
import { databasesOwnedBy } from "../postgres/database.ts";
import {
  databaseName,
  INSTANCE_FINALIZER,
  LEGACY_FINALIZER,
  OUTCOME_FINALIZER,
  readOnlyRoleName,
  roleName,
} from "../names.ts";
import type { Effect } from "../plan.ts";
import type { Assessed } from "../assessment.ts";
import type { World } from "../world.ts";

/** The name of the volume with odoo.conf, theirs and ours: theirs is a ConfigMap. */
const CONFIG_VOLUME = "odoo-conf";

/** Whether a ConfigMap holds all of odoo.conf and the role's password. Ours has neither. */
export function isUpstreamConfig(configMap: ConfigMap | undefined): configMap is ConfigMap {
  return configMap?.data?.["odoo.conf"] !== undefined && configMap.data.db_password !== undefined;
}

/** Whether the pods of a Deployment read that ConfigMap. */
export function readsUpstreamConfig<T extends Deployment>(deployment: T | undefined): deployment is T {
  const volumes = deployment?.spec?.template.spec?.volumes ?? [];
  return volumes.some(({ name, configMap }) => name === CONFIG_VOLUME && configMap !== undefined);
}

/** Whether an object of the instance still has the form that operator 2.5.0 gave it. */
export function isAdopted({ observed }: World): boolean {
  return isUpstreamConfig(observed.configMap) || readsUpstreamConfig(observed.web) ||
    readsUpstreamConfig(observed.cron);
}

/** The cluster on which something may have been made, as far as is known; operator 2.5.0 may not have come to record it. */
export function clusterInUse({ status, cluster, observed }: World): string | undefined {
  return status.activeCluster ?? (isUpstreamConfig(observed.configMap) ? cluster.address?.name : undefined) ??
    undefined;
}

/**
 * The roles that operator 2.5.0 made for the instance and that nobody has signed: the one that bears the derived name
 * and owns the database (or nothing, if there is none yet), and with it the one that may only read.
 */
function rolesToAdopt(world: Assessed<"facts">): string[] {
  const { cluster, instance, status, observed, facts: { isAdopted } } = world;
  const { name, namespace = "", uid, finalizers } = instance.metadata;
  if (!cluster.facts?.known || !isAdopted) return [];
  if (!finalizers?.some((finalizer) => finalizer === INSTANCE_FINALIZER || finalizer === LEGACY_FINALIZER)) return [];
  const { facts } = cluster;
  const role = roleName({ name, namespace });
  const database = databaseName(instance, uid);
  const owned = databasesOwnedBy(facts, role);
  const theirs = status.dbInitialized
    ? owned.includes(database)
    : isUpstreamConfig(observed.configMap) && owned.every((other) => other === database);
  const unsigned = (called: string) => facts.roles.has(called) && !facts.roles.get(called)?.ownership;
  const main = unsigned(role) && theirs ? [role] : [];
  const ours = main.length > 0 || facts.roles.get(role)?.ownership?.uid === uid;
  const reader = readOnlyRoleName({ name, namespace });
  return ours && unsigned(reader) && !databasesOwnedBy(facts, reader).length ? [...main, reader] : main;
}

/** Signs them: from then on they are the instance's as if this operator had made them. */
export function roleAdoptions(world: Assessed<"facts">): Effect[] {
  const { cluster, instance } = world;
  if (!cluster.address) return [];
  const { name } = cluster.address;
  return rolesToAdopt(world).map((role) => ({ type: "adoptRole", cluster: name, role, uid: instance.metadata.uid }));
}

/**
 * The database of an adopted instance that exists although nothing says that it was ever initialised, and that this operator
 * has not created: the result of an initialisation or restore of operator 2.5.0 that failed. Nothing may be installed in it.
 */
export function unfinishedDatabase(world: World): string | undefined {
  const { status, cluster, instance, resolved } = world;
  if (status.dbInitialized || !resolved || !cluster.facts?.known) return undefined;
  const held = cluster.facts.databases.get(resolved.databaseName);
  return held && held.ownership?.uid !== instance.metadata.uid ? resolved.databaseName : undefined;
}

/** Whether a Job of operator 2.5.0, which reads its ConfigMap and may create a database, is active. */
export function isUpstreamJobRunning({ observed: { jobs, jobStates } }: World): boolean {
  return jobs.some(({ metadata }) =>
    jobStates.get(metadata.name)?.state === "active" && !metadata.finalizers?.includes(OUTCOME_FINALIZER)
  );
}

/** A database that nobody may install anything in, and what to do about it. */
export function describeUnfinished(database: string): string {
  return `Database ${database} was left behind by operator 2.5.0, and nothing says that it is complete. To serve it, set ` +
    "status.dbInitialized to true (kubectl edit --subresource=status); to begin anew, drop it";
}
