/**
 * Objects that operator 2.5.0 created, recognised by their content. Nothing about them is recorded in the status, so an
 * instance that returns to operator 2.5.0 and is adopted again is recognised each time.
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

/** Name of the volume with odoo.conf: a ConfigMap if operator 2.5.0 created it, otherwise a Secret. */
const CONFIG_VOLUME = "odoo-conf";

/** Whether a ConfigMap contains odoo.conf and the password of the role, as those of operator 2.5.0 do. */
export function isUpstreamConfig(configMap: ConfigMap | undefined): configMap is ConfigMap {
  return configMap?.data?.["odoo.conf"] !== undefined && configMap.data.db_password !== undefined;
}

/** Whether the pods of a Deployment mount such a ConfigMap. */
export function readsUpstreamConfig<T extends Deployment>(deployment: T | undefined): deployment is T {
  const volumes = deployment?.spec?.template.spec?.volumes ?? [];
  return volumes.some(({ name, configMap }) => name === CONFIG_VOLUME && configMap !== undefined);
}

/** Whether the configuration or a Deployment of the instance is still that of operator 2.5.0. */
export function isAdopted({ observed }: World): boolean {
  return isUpstreamConfig(observed.configMap) || readsUpstreamConfig(observed.web) ||
    readsUpstreamConfig(observed.cron);
}

/** The PostgreSQL cluster that may hold a role or database of the instance; operator 2.5.0 may not have recorded it. */
export function clusterInUse({ status, cluster, observed }: World): string | undefined {
  return status.activeCluster ?? (isUpstreamConfig(observed.configMap) ? cluster.address?.name : undefined) ??
    undefined;
}

/**
 * The roles that operator 2.5.0 created for the instance and that have no owner comment: the role with the derived name
 * that owns the database (or nothing, if there is none yet), and the read-only role.
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
  const ownsDatabase = status.dbInitialized
    ? owned.includes(database)
    : isUpstreamConfig(observed.configMap) && owned.every((other) => other === database);
  const hasNoOwner = (called: string) => facts.roles.has(called) && !facts.roles.get(called)?.ownership;
  const main = hasNoOwner(role) && ownsDatabase ? [role] : [];
  const ours = main.length > 0 || facts.roles.get(role)?.ownership?.uid === uid;
  const reader = readOnlyRoleName({ name, namespace });
  return ours && hasNoOwner(reader) && !databasesOwnedBy(facts, reader).length ? [...main, reader] : main;
}

/** Writes the owner comment of these roles: from then on they are handled like roles that this operator created. */
export function roleAdoptions(world: Assessed<"facts">): Effect[] {
  const { cluster, instance } = world;
  if (!cluster.address) return [];
  const { name } = cluster.address;
  const ownership = { uid: instance.metadata.uid };
  return rolesToAdopt(world).map((role) => ({
    type: "sql",
    cluster: name,
    write: { type: "adoptRole", role, ownership },
  }));
}

/**
 * The name of a database that exists although it was never recorded as initialised, and that this operator did not
 * create: an initialisation or restore by operator 2.5.0 failed. Nothing may be installed into it.
 */
export function unfinishedDatabase(world: World): string | undefined {
  const { status, cluster, instance, resolved } = world;
  if (status.dbInitialized || !resolved || !cluster.facts?.known) return undefined;
  const held = cluster.facts.databases.get(resolved.databaseName);
  return held && held.ownership?.uid !== instance.metadata.uid ? resolved.databaseName : undefined;
}

/** Whether nothing may be installed now: there is such a database, or it is not known whether there is one. */
export function isUpstreamJobRunning({ observed: { jobs, jobStates } }: World): boolean {
  return jobs.some(({ metadata }) =>
    jobStates.get(metadata.name)?.state === "active" && !metadata.finalizers?.includes(OUTCOME_FINALIZER)
  );
}

/** The message about a database of {@linkcode unfinishedDatabase}, and what to do. */
export function describeUnfinished(database: string): string {
  return `Database ${database} was created by operator 2.5.0 and may be incomplete: its initialisation was never recorded. To ` +
    "serve it, set status.dbInitialized to true (kubectl edit --subresource=status); to initialise again, drop it";
}
