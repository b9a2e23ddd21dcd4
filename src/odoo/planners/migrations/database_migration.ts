/** The move of a database to another cluster: the copy and its Job, the switch, and the removal of what it leaves. */
import { conditionOf, type ConditionState } from "../../../kit/conditions.ts";
import type { OdooInstanceStatus } from "../../crd/mod.ts";
import type { Assessment, MigrationOutcome } from "../../model/assessment.ts";
import { objectNames } from "../../model/names.ts";
import {
  DATABASE_MIGRATED,
  databaseMigrationOutcome,
  databaseMigrationRequest,
  isDatabaseMigration,
  migrationNames,
  migrationOperation,
  reachable,
  type ReachableCluster,
} from "../../model/operations/migration/database_migration.ts";
import { phaseRow } from "../../model/phases.ts";
import type { Effect } from "../../model/plan.ts";
import type { PlannedWrite } from "../../model/postgres/sql_writes.ts";
import { jobStateOf } from "../../model/world.ts";
import { copyDatabaseJob } from "../../resources/mod.ts";
import type { Migration } from "./migration.ts";

/** The move of a database to another cluster. */
export const databaseMigration: Migration = {
  phases: ["MigratingDatabase", "FinalizingDatabaseMigration"],
  isInProgress: isDatabaseMigration,
  outcome: databaseMigrationOutcome,
  request: databaseMigrationRequest,
  begin: (assessment) =>
    assessment.nextPhase === "MigratingDatabase" && assessment.phase !== assessment.nextPhase
      ? migrationOperation(assessment)
      : undefined,
  advance: statusFields,
  condition: migrationCondition,
  plan: planDatabaseMigration,
  cleanUp: planMigrationRemains,
};

/** An empty database on the new cluster, the copy, and the switch once that is compared; at the end an event. */
function planDatabaseMigration(world: Assessment): Effect[] {
  const { status, resolved, observed, instance, migration, facts } = world;
  const { operation } = status;
  if (migration.state === "failed") {
    return [eventOf(world, "Failed", endOf(world.migration, status.migrationTargetCluster).message)];
  }
  if (migration.state === "none" || migration.state === "withdrawn") {
    const left = observed.jobs.filter(({ metadata }) =>
      metadata.name === operation?.jobName && migration.state === "withdrawn" && !metadata.deletionTimestamp
    );
    const removals = left.map((object): Effect => ({ type: "deleteChild", object }));
    return facts.isJobRunning
      ? removals
      : [...removals, eventOf(world, "Withdrawn", endOf(world.migration, status.migrationTargetCluster).message)];
  }
  const names = operation && migrationNames(world, operation);
  const target = reachable(world, status.migrationTargetCluster);
  if (!names || !resolved || !target) return [];
  const ownership = { uid: instance.metadata.uid };
  const { roleName: role, databaseName: live } = resolved;
  const sql = sqlOn(target);
  if (migration.state === "copied") {
    return [
      sql({ type: "swapDatabase", live, ...names, role, ownership }),
      eventOf(world, "Succeeded", endOf(world.migration, status.migrationTargetCluster).message),
    ];
  }
  if (jobStateOf(world, operation.jobName).state !== "absent") return [];
  const secret = objectNames.userSecret(resolved.name);
  return [
    sql({ type: "ensureRole", role, secret, ownership }),
    sql({ type: "ensureDatabase", database: names.side, role, ownership }),
    ...planCopyJob(world, target, names.side),
  ];
}

function sqlOn({ address }: ReachableCluster): (write: PlannedWrite) => Effect {
  return (write) => ({ type: "sql", cluster: address.name, write });
}

/** The Job is created when no client can write any more, and the database of the copy exists. */
function planCopyJob(world: Assessment, target: ReachableCluster, side: string): Effect[] {
  const { resolved, cluster, observed, status: { operation } } = world;
  if (!resolved || !cluster.address || !operation?.jobName) return [];
  if (world.facts.arePodsEnding || observed.jobsWithPods.size > 0 || !target.facts.databases.has(side)) return [];
  const { roleName: role, databaseName: database } = resolved;
  const password = { name: objectNames.userSecret(resolved.name), key: "password" };
  const source = { cluster: cluster.address, role, database, password };
  const object = copyDatabaseJob(operation.jobName, resolved, target.address, { source, target: side });
  const note = `Created Job ${operation.jobName}, which copies the database to cluster '${target.address.name}'`;
  return [{ type: "create", object, owner: world.instance }, eventOf(world, "Started", note)];
}

/** Event reasons. */
const EVENTS = {
  Started: "DatabaseMigrationStarted",
  Succeeded: "DatabaseMigrated",
  Failed: "DatabaseMigrationFailed",
  Withdrawn: "DatabaseMigrationWithdrawn",
} as const;

function eventOf({ instance }: Assessment, what: keyof typeof EVENTS, note: string): Effect {
  return { type: "event", about: instance, warning: what === "Failed", reason: EVENTS[what], note };
}

/** How the migration in progress ends, for the condition and the event. */
function endOf(
  migration: MigrationOutcome,
  target: string | null | undefined,
): Pick<ConditionState, "status" | "reason" | "message"> {
  switch (migration.state) {
    case "copied":
      return {
        status: "True",
        reason: "Migrated",
        message: `The database is on cluster '${target}'`,
      };
    case "failed":
      return {
        status: "False",
        reason: migration.reason,
        message:
          `${migration.message}. The database is where it was; it is tried again with the next change of the spec`,
      };
    default:
      return { status: "False", reason: "Withdrawn", message: "The database is where it was" };
  }
}

/** Drops what a migration, or an attempt that failed, has left on another cluster: databases first, then roles. */
function planMigrationRemains({ facts, instance }: Assessment): Effect[] {
  const ownership = { uid: instance.metadata.uid };
  return facts.migrationRemains.flatMap(({ cluster, databases, idleRoles }): Effect[] => {
    const sql = (write: PlannedWrite): Effect => ({ type: "sql", cluster, write });
    if (databases.length) return databases.map((database) => sql({ type: "dropDatabase", database, ownership }));
    return idleRoles.map((role) => sql({ type: "dropRole", role, ownership }));
  });
}

/** The fields of the status about the clusters of a migration. */
function statusFields(world: Assessment): Partial<OdooInstanceStatus> {
  const { phase, nextPhase: next, status, migration, migrations } = world;
  const { operation, activeCluster = null, migrationTargetCluster = null } = status;
  if (next === "MigratingDatabase" && phase !== next) {
    return { migrationPreviousCluster: activeCluster, migrationTargetCluster: migrations.database.target ?? null };
  }
  if (phase === "MigratingDatabase" && next === "FinalizingDatabaseMigration" && migration.state === "copied") {
    return { activeCluster: migrationTargetCluster, migrationTargetCluster: null, dbMigrationJobName: null };
  }
  if (phase === "MigratingDatabase" && next !== phase) {
    return { migrationPreviousCluster: null, dbMigrationJobName: null };
  }
  if (phase === "MigratingDatabase") {
    const isSeen = jobStateOf(world, operation?.jobName).state !== "absent";
    return isSeen ? { dbMigrationJobName: operation?.jobName ?? null } : {};
  }
  if (phase === "FinalizingDatabaseMigration") return next !== phase && isSameServer(world) ? FORGET_PREVIOUS : {};
  return forgotten(world);
}

/** The condition of the last migration, if there was one, or the spec asks for one. */
function migrationCondition(world: Assessment): ConditionState | undefined {
  const { phase, nextPhase: next, status, instance: { metadata: { generation = 0 } }, facts, migration, migrations } =
    world;
  const former = conditionOf(status.conditions, DATABASE_MIGRATED);
  const condition = (state: Pick<ConditionState, "status" | "reason" | "message">): ConditionState => ({
    type: DATABASE_MIGRATED,
    ...state,
    observedGeneration: generation,
  });
  const { target, obstacle, isRefused } = migrations.database;
  if (next === "MigratingDatabase") {
    const name = phase === next ? status.migrationTargetCluster : target;
    const message = `The database is being copied to cluster '${name}'; no pod runs meanwhile`;
    const ending = facts.endingProblem;
    return condition({
      status: "Unknown",
      reason: "Migrating",
      message: ending ? `${message}. ${ending.message}` : message,
    });
  }
  if (phase === "MigratingDatabase") return condition(endOf(migration, status.migrationTargetCluster));
  if (obstacle && !isRefused) {
    return condition({ status: "Unknown", reason: obstacle.reason, message: obstacle.message });
  }
  if (!former) return undefined;
  // The generation stays that of the spec that was tried: a different generation means that another spec asks.
  const { status: state, reason, message, observedGeneration = 0 } = former;
  return { ...condition({ status: state, reason, message }), observedGeneration };
}

const FORGET_PREVIOUS = { migrationPreviousCluster: null } as const;
const FORGET_TARGET = { migrationTargetCluster: null } as const;

/** Two names of one server: there the former database has the name of a replaced one, and is dropped like any other. */
function isSameServer(world: Assessment): boolean {
  const { cluster, status: { operation } } = world;
  const names = operation && migrationNames(world, operation);
  return cluster.facts?.known === true && !!names && cluster.facts.databases.has(names.old);
}

/** Clusters that the status need not name any more: nothing is left there, or they are not in the clusters Secret. */
function forgotten({ status, resolved, phase, otherClusters, facts }: Assessment): Partial<OdooInstanceStatus> {
  if (!resolved || status.operation || !phaseRow(phase).isSettled) return {};
  const isUnlisted = (name: string | null | undefined) =>
    name && otherClusters?.get(name)?.problem?.reason === "ClusterNotFound";
  const clean = facts.migrationRemains.filter(({ databases, idleRoles }) => !databases.length && !idleRoles.length)
    .map(({ after }) => after);
  return {
    ...(clean.includes("move") || isUnlisted(status.migrationPreviousCluster) ? FORGET_PREVIOUS : {}),
    ...(clean.includes("failure") || isUnlisted(status.migrationTargetCluster) ? FORGET_TARGET : {}),
  };
}
