/**
 * The move of a database to another PostgreSQL cluster. Until the switch the instance is what it was: status.activeCluster
 * says where its data is, and all its children follow that. The copy is made under a name of its own while no pod runs,
 * compared, and becomes the live database there; only then is the former one dropped, when the instance serves again.
 */
import type { OperationStatus } from "../../../crd/mod.ts";
import type { KnownClusterFacts } from "../../postgres/database.ts";
import { type CopyNames, copyNames, copyRole, stepJobName } from "../../names.ts";
import { readerOf } from "../copy/refresh_source.ts";
import { judge, withLog } from "../reports/report.ts";
import type { Problem } from "../../resolve.ts";
import { conditionOf } from "../../../../kit/conditions.ts";
import { type ChosenCluster, jobStateOf, type World } from "../../world.ts";

/** Condition of an instance: where its last migration to another cluster stands. */
export const DATABASE_MIGRATED = "DatabaseMigrated";

const STAGE = "migrate-database";

/** A cluster that can be worked on now. */
export type ReachableCluster = ChosenCluster & { readonly problem?: undefined; readonly facts: KnownClusterFacts };

/** How a migration stands. */
export type MigrationState =
  | { readonly state: "none" | "running" | "withdrawn" }
  | { readonly state: "copied"; readonly target: ReachableCluster }
  | { readonly state: "failed"; readonly problem: Problem };

/** The cluster that the spec wants, if the data is on another one. */
export function targetCluster({ instance, status }: World): string | undefined {
  const wanted = instance.spec.database?.cluster;
  return wanted && status.activeCluster && wanted !== status.activeCluster ? wanted : undefined;
}

/** The operation with which a migration begins; its number is that of the spec that asks for it. */
export function migrationOperation({ instance }: Pick<World, "instance">): OperationStatus {
  const { name, uid, generation = 1 } = instance.metadata;
  const jobName = stepJobName({ name, uid }, STAGE, generation);
  return { kind: "OdooInstance", name, uid, stage: STAGE, attempt: generation, jobName };
}

/** Whether an operation is the migration of a database. */
export function isDatabaseMigration(operation: OperationStatus | undefined): boolean {
  return operation?.kind === "OdooInstance" && operation.stage === STAGE;
}

/** Names on the new cluster: what the copy is called until the switch. */
export function migrationNames({ resolved, instance }: World, { attempt }: OperationStatus): CopyNames | undefined {
  return resolved &&
    copyNames(resolved.databaseName, `${instance.metadata.uid.slice(0, 2)}${String(attempt ?? 0).padStart(6, "0")}`);
}

/** A cluster that has to do with a migration, if it can be worked on. */
export function reachable(world: World, name: string | null | undefined): ReachableCluster | undefined {
  const cluster = name ? world.otherClusters?.get(name) : undefined;
  return cluster?.facts?.known ? cluster as ReachableCluster : undefined;
}

/** Why the migration that the spec asks for does not begin; `undefined` if it may. */
export function migrationObstacle(world: World): Problem | undefined {
  const { status, cluster, resolved, observed } = world;
  const name = targetCluster(world);
  const target = name === undefined ? undefined : world.otherClusters?.get(name);
  if (name === undefined || !target || !resolved) return { reason: "NotAsked", message: "" };
  if (hasFailed(world)) { // also while what it left is removed, or cannot be: else it would be tried again when that is done
    return { reason: "Failed", message: "It has failed, and is tried again with the next change of the spec" };
  }
  if (target.problem) return target.problem;
  if (!target.facts.known) {
    return { reason: target.facts.reason, message: `Waiting for cluster '${name}': ${target.facts.message}` };
  }
  if (!status.dbInitialized) {
    return { reason: "NotInitialized", message: `The database goes to cluster '${name}' when it has been initialised` };
  }
  const held = status.migrationPreviousCluster ?? status.migrationTargetCluster;
  if (held) {
    return {
      reason: "CleaningUp",
      message: `Waiting until what a former migration left on cluster '${held}' is removed`,
    };
  }
  if (!cluster.facts?.known || !cluster.facts.databases.has(resolved.databaseName)) {
    return {
      reason: "DatabaseUnknown",
      message: `Waiting until the database is seen on cluster '${status.activeCluster}'`,
    };
  }
  if (!observed.userSecret || !observed.configSecret) {
    return { reason: "NotProvisioned", message: "Waiting for the Secrets of the instance" };
  }
  if (target.facts.databases.has(resolved.databaseName)) {
    return {
      reason: "TargetDatabaseExists",
      message:
        `Cluster '${name}' has a database ${resolved.databaseName} already: drop or rename it there, unless both names lead to the same server`,
    };
  }
  const reader = readerOf(world)?.metadata?.name;
  if (reader) {
    return {
      reason: "BeingCopied",
      message: `Waiting for OdooStagingRefreshJob ${reader}, which copies this instance`,
    };
  }
  return undefined;
}

/** Whether the last attempt failed, and the spec is still the one that asked for it. */
export function hasFailed({ status, instance }: World): boolean {
  const former = conditionOf(status.conditions, DATABASE_MIGRATED);
  return former?.status === "False" && former.observedGeneration === instance.metadata.generation;
}

/** How the migration in progress stands. */
export function migrationState(world: World): MigrationState {
  const { operation, migrationTargetCluster: name, dbMigrationJobName } = world.status;
  if (!operation || !isDatabaseMigration(operation) || !name) return { state: "none" };
  if (targetCluster(world) !== name) return { state: "withdrawn" };
  const job = jobStateOf(world, operation.jobName);
  if (job.state === "absent" && dbMigrationJobName === operation.jobName) {
    const message = `Job ${operation.jobName} was deleted before its result could be read`;
    return { state: "failed", problem: { reason: "JobDeleted", message } };
  }
  if (job.state !== "succeeded" && job.state !== "failed") return { state: "running" };
  const verdict = judge(job, "the database was copied");
  if (verdict.state === "failed") {
    return { state: "failed", problem: { reason: verdict.reason, message: withLog(verdict) } };
  }
  const target = reachable(world, name);
  return target && world.resolved ? { state: "copied", target } : { state: "running" };
}

/**
 * Databases of this instance on a cluster that is not its own: after a move the former live one, after an attempt that failed
 * only the copy, which has a name of its own: on a server known by two names the live one must not be taken for a leftover.
 */
export function remainsOn(world: World, cluster: ReachableCluster, after: "move" | "failure"): string[] {
  const { resolved, instance } = world;
  if (!resolved) return [];
  const { facts } = cluster;
  const { uid } = instance.metadata;
  if (facts.roles.get(resolved.roleName)?.ownership?.uid !== uid) return [];
  return [...facts.databases.values()].filter(({ name, owner }) =>
    owner === resolved.roleName &&
    (copyRole(resolved.databaseName, name) !== undefined || (after === "move" && name === resolved.databaseName))
  ).map(({ name }) => name);
}
