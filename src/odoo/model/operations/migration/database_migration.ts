/**
 * The move of a database to another PostgreSQL cluster. Until the switch, status.activeCluster names the former cluster, and
 * all children use it. The copy is created under a name of its own while no pod runs, is compared, and becomes the live
 * database there; the former one is dropped only when the instance serves again.
 */
import type { OperationStatus } from "../../../crd/mod.ts";
import { databasesOwnedBy, type KnownClusterFacts } from "../../postgres/database.ts";
import { type CopyNames, copyNames, copyRole, readOnlyRoleName, stepJobName } from "../../names.ts";
import { phaseRow } from "../../phases.ts";
import type { Assessed, MigrationOutcome, MigrationRemains, MigrationRequest } from "../../assessment.ts";
import { beingCopied } from "../requests.ts";
import { judge, withLog } from "../reports/report.ts";
import type { Problem } from "../../problem.ts";
import type { Resolved } from "../../resolve.ts";
import { conditionOf } from "../../../../kit/conditions.ts";
import { type ChosenCluster, jobStateOf, type World } from "../../world.ts";

/** Condition of an instance: where its last migration to another cluster stands. */
export const DATABASE_MIGRATED = "DatabaseMigrated";

const STAGE = "migrate-database";

/** A cluster that can be worked on now. */
export type ReachableCluster = ChosenCluster & { readonly problem?: undefined; readonly facts: KnownClusterFacts };

/** The cluster that the spec names, if the data is on another one. */
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

/** Whether the spec asks for a migration, and whether that can begin. */
export function databaseMigrationRequest(world: Assessed<"facts">): MigrationRequest {
  const { targetCluster: name } = world.facts;
  const target = world.resolved && name && world.otherClusters?.has(name) ? name : undefined;
  const isRefused = hasFailed(world);
  if (target === undefined) return { target, isRefused, obstacle: undefined };
  // A failed attempt also counts while its copy is being removed: otherwise it would be tried again after that.
  const problem = isRefused
    ? { reason: "Failed", message: "The migration failed; it is tried again after the next change of the spec" }
    : obstacleTo(world, target);
  return { target, isRefused, obstacle: problem };
}

function obstacleTo(world: Assessed<"facts">, name: string): Problem | undefined {
  const { status, cluster, resolved, observed, facts } = world;
  const target = world.otherClusters?.get(name);
  if (!resolved || !target) return undefined;
  if (target.problem) return target.problem;
  if (!target.facts.known) {
    return { reason: target.facts.reason, message: `Waiting for cluster '${name}': ${target.facts.message}` };
  }
  if (!status.dbInitialized) {
    return {
      reason: "NotInitialized",
      message: `The database moves to cluster '${name}' when it has been initialised`,
    };
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
  return facts.reader && beingCopied(facts.reader);
}

/** Whether the last attempt failed, and the spec has not changed since. */
function hasFailed({ status, instance }: World): boolean {
  const former = conditionOf(status.conditions, DATABASE_MIGRATED);
  return former?.status === "False" && former.observedGeneration === instance.metadata.generation;
}

/** How the migration in progress stands. */
export function databaseMigrationOutcome(world: Assessed<"facts">): MigrationOutcome {
  const { operation, migrationTargetCluster: name, dbMigrationJobName } = world.status;
  if (!operation || !isDatabaseMigration(operation) || !name) return { state: "none" };
  if (world.facts.targetCluster !== name) return { state: "withdrawn" };
  const job = jobStateOf(world, operation.jobName);
  if (job.state === "absent" && dbMigrationJobName === operation.jobName) {
    const message = `Job ${operation.jobName} was deleted before its result could be read`;
    return { state: "failed", reason: "JobDeleted", message };
  }
  if (job.state !== "succeeded" && job.state !== "failed") return { state: "running" };
  const verdict = judge(job, "the database was copied");
  if (verdict.state === "failed") {
    return { state: "failed", reason: verdict.reason, message: withLog(verdict) };
  }
  return { state: world.resolved && reachable(world, name) ? "copied" : "running" };
}

/** What migrations have left: the former database is dropped when the moved one serves, a failed copy at once. */
export function migrationRemains(world: World): MigrationRemains[] {
  const { phase, status, cluster, resolved } = world;
  if (!resolved || status.operation || !phaseRow(phase).isSettled) return [];
  const isServed = phase === "Running" && cluster.facts?.known === true &&
    cluster.facts.databases.has(resolved.databaseName);
  const previous = isServed ? reachable(world, status.migrationPreviousCluster) : undefined;
  const target = reachable(world, status.migrationTargetCluster);
  return [
    ...(previous ? [remainsOn(world, resolved, previous, "move")] : []),
    ...(target ? [remainsOn(world, resolved, target, "failure")] : []),
  ];
}

/**
 * After a move that is the former live database, after an attempt that failed only the copy, which has a name of its own: on a
 * server known by two names the live database must not be taken for one that is left.
 */
function remainsOn(
  { instance }: World,
  { databaseName, roleName, name, namespace }: Resolved,
  { facts, address }: ReachableCluster,
  after: MigrationRemains["after"],
): MigrationRemains {
  const { uid } = instance.metadata;
  const isOurs = (role: string) => facts.roles.get(role)?.ownership?.uid === uid;
  const databases = isOurs(roleName)
    ? databasesOwnedBy(facts, roleName).filter((database) =>
      copyRole(databaseName, database) !== undefined || (after === "move" && database === databaseName)
    )
    : [];
  const idleRoles = databasesOwnedBy(facts, roleName).length
    ? []
    : [readOnlyRoleName({ name, namespace }), roleName].filter(isOurs);
  return { cluster: address.name, after, databases, idleRoles };
}
