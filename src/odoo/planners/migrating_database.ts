/** The move of a database to another cluster: what is made there, the Job that copies, the switch, and what is cleared away. */
import type { OdooInstanceStatus, Phase } from "../crd/mod.ts";
import {
  DATABASE_MIGRATED,
  migrationNames,
  migrationObstacle,
  type MigrationState,
  migrationState,
  reachable,
  type ReachableCluster,
  remainsOn,
  targetCluster,
} from "../model/operations/migration/database_migration.ts";
import { conditionOf, type ConditionState } from "../../kit/conditions.ts";
import { databasesOwnedBy } from "../model/postgres/database.ts";
import { areEnding, endingProblem } from "../model/pods/ending_pods.ts";
import { isJobAtWork } from "../model/operations/job_exclusion.ts";
import { objectNames, readOnlyRoleName } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import { jobStateOf, type World } from "../model/world.ts";
import { copyDatabaseJob } from "../resources/mod.ts";

/** Phases in which an instance is at rest, and what another cluster has left of it may go. */
const RESTING: readonly Phase[] = ["Running", "Degraded", "Starting", "Stopped"];

/** MigratingDatabase: an empty database on the new cluster, the copy, and the switch once that is compared; then it is told. */
export function planDatabaseMigration(world: World): Effect[] {
  const { status, resolved, observed, instance } = world;
  const { operation } = status;
  const state = migrationState(world);
  if (state.state === "failed") return [told(world, "Failed", endOf(state).message)];
  if (state.state === "none" || state.state === "withdrawn") {
    const left = observed.jobs.filter(({ metadata }) =>
      metadata.name === operation?.jobName && state.state === "withdrawn" && !metadata.deletionTimestamp
    );
    const removals = left.map((object): Effect => ({ type: "deleteChild", object }));
    return isJobAtWork(world) ? removals : [...removals, told(world, "Withdrawn", endOf(state).message)];
  }
  const names = operation && migrationNames(world, operation);
  if (!names || !resolved) return [];
  const { uid } = instance.metadata;
  const { roleName: role, databaseName: live } = resolved;
  if (state.state === "copied") {
    return [
      { type: "swapDatabase", cluster: state.target.address.name, live, ...names, role, uid },
      told(world, "Succeeded", endOf(state).message),
    ];
  }
  const target = reachable(world, status.migrationTargetCluster);
  if (!target || jobStateOf(world, operation.jobName).state !== "absent") return [];
  const cluster = target.address.name;
  const secret = objectNames.userSecret(resolved.name);
  return [
    { type: "ensureRole", cluster, role, uid, secret },
    { type: "ensureDatabase", cluster, database: names.side, role, uid },
    ...planCopyJob(world, target, names.side),
  ];
}

/** Made when nobody can write any more, and what it fills is there. */
function planCopyJob(world: World, target: ReachableCluster, side: string): Effect[] {
  const { resolved, cluster, observed, status: { operation } } = world;
  if (!resolved || !cluster.address || !operation?.jobName) return [];
  if (areEnding(world) || observed.jobsWithPods.size > 0 || !target.facts.databases.has(side)) return [];
  const { roleName: role, databaseName: database } = resolved;
  const password = { name: objectNames.userSecret(resolved.name), key: "password" };
  const source = { cluster: cluster.address, role, database, password };
  const object = copyDatabaseJob(operation.jobName, resolved, target.address, { source, target: side });
  const note = `Created Job ${operation.jobName}, which copies the database to cluster '${target.address.name}'`;
  return [{ type: "create", object, owner: world.instance }, told(world, "Started", note)];
}

/** The names of the events. */
const TOLD = {
  Started: "DatabaseMigrationStarted",
  Succeeded: "DatabaseMigrated",
  Failed: "DatabaseMigrationFailed",
  Withdrawn: "DatabaseMigrationWithdrawn",
} as const;

function told({ instance }: World, what: keyof typeof TOLD, note: string): Effect {
  return { type: "event", about: instance, warning: what === "Failed", reason: TOLD[what], note };
}

/** How a migration has ended, for the condition and the event. */
function endOf(state: MigrationState): Pick<ConditionState, "status" | "reason" | "message"> {
  switch (state.state) {
    case "copied":
      return {
        status: "True",
        reason: "Migrated",
        message: `The database is on cluster '${state.target.address.name}'`,
      };
    case "failed":
      return {
        status: "False",
        reason: state.problem.reason,
        message:
          `${state.problem.message}. The database is where it was; it is tried again with the next change of the spec`,
      };
    default:
      return { status: "False", reason: "Withdrawn", message: "The database is where it was" };
  }
}

/** At rest: what a move has left behind, or an attempt that failed, is dropped, one after the other. */
export function planMigrationRemains(world: World): Effect[] {
  const { phase, status, instance, resolved } = world;
  if (!resolved || status.operation || !RESTING.includes(phase)) return [];
  const { uid } = instance.metadata;
  return remainders(world).flatMap(({ cluster, after }): Effect[] => {
    const { name } = cluster.address;
    const databases = remainsOn(world, cluster, after);
    if (databases.length) {
      return databases.map((database) => ({ type: "dropDatabase", cluster: name, database, uid }));
    }
    return idleRoles(world, cluster).map((role) => ({ type: "dropRole", cluster: name, role, uid }));
  });
}

/** What the status is to say of a migration in `next`, the phase that follows. */
export function migrationStatus(world: World, next: Phase): Partial<OdooInstanceStatus> {
  const { phase, status } = world;
  const { operation, activeCluster = null } = status;
  if (next === "MigratingDatabase" && phase !== next) {
    return { migrationPreviousCluster: activeCluster, migrationTargetCluster: targetCluster(world) ?? null };
  }
  const state = migrationState(world);
  if (phase === "MigratingDatabase" && next === "FinalizingDatabaseMigration" && state.state === "copied") {
    return { activeCluster: state.target.address.name, migrationTargetCluster: null, dbMigrationJobName: null };
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

/** The condition of the last migration, if there was one, or one is asked for. */
export function migrationCondition(world: World, next: Phase): ConditionState | undefined {
  const type = DATABASE_MIGRATED;
  const { phase, status, instance: { metadata: { generation = 0 } } } = world;
  const former = conditionOf(status.conditions, type);
  const condition = (state: ConditionState["status"], reason: string, message: string): ConditionState => ({
    type,
    status: state,
    reason,
    message,
    observedGeneration: generation,
  });
  if (next === "MigratingDatabase") {
    const name = phase === next ? status.migrationTargetCluster : targetCluster(world);
    const pod = endingProblem(world);
    const message = `The database is being copied to cluster '${name}'; no pod runs meanwhile`;
    return condition("Unknown", "Migrating", pod ? `${message}. ${pod.message}` : message);
  }
  if (phase === "MigratingDatabase") {
    const { status, reason, message } = endOf(migrationState(world));
    return condition(status, reason, message);
  }
  const obstacle = migrationObstacle(world);
  const isSilent = !obstacle || obstacle.reason === "NotAsked" || obstacle.reason === "Failed";
  if (!isSilent) return condition("Unknown", obstacle.reason, obstacle.message);
  if (!former) return undefined;
  // Of the spec that was tried: by that it is known whether another one asks.
  return {
    ...condition(former.status, former.reason, former.message),
    observedGeneration: former.observedGeneration ?? 0,
  };
}

const FORGET_PREVIOUS = { migrationPreviousCluster: null } as const;
const FORGET_TARGET = { migrationTargetCluster: null } as const;

/** Two names of one server: there the former database has its old name, and goes like any that was replaced. */
function isSameServer(world: World): boolean {
  const { cluster, status: { operation } } = world;
  const names = operation && migrationNames(world, operation);
  return cluster.facts?.known === true && !!names && cluster.facts.databases.has(names.old);
}

interface Remainder {
  readonly cluster: ReachableCluster;
  readonly after: "move" | "failure";
}

/** What has moved is confirmed when it serves; what failed was never any good. */
function remainders(world: World): Remainder[] {
  const { phase, status } = world;
  const previous = phase === "Running" && seesDatabase(world)
    ? reachable(world, status.migrationPreviousCluster)
    : undefined;
  const target = reachable(world, status.migrationTargetCluster);
  return [
    ...(previous ? [{ cluster: previous, after: "move" } as const] : []),
    ...(target ? [{ cluster: target, after: "failure" } as const] : []),
  ];
}

function seesDatabase({ cluster, resolved }: World): boolean {
  return cluster.facts?.known === true && !!resolved && cluster.facts.databases.has(resolved.databaseName);
}

/** Clusters of which nothing has to be remembered any more: they are clean, or nobody knows them. */
function forgotten(world: World): Partial<OdooInstanceStatus> {
  const { status, resolved, phase, otherClusters } = world;
  if (!resolved || status.operation || !RESTING.includes(phase)) return {};
  const isUnlisted = (name: string | null | undefined) =>
    name && otherClusters?.get(name)?.problem?.reason === "ClusterNotFound";
  const clean = remainders(world).filter(({ cluster, after }) =>
    !remainsOn(world, cluster, after).length && !idleRoles(world, cluster).length
  ).map(({ after }) => after);
  return {
    ...(clean.includes("move") || isUnlisted(status.migrationPreviousCluster) ? FORGET_PREVIOUS : {}),
    ...(clean.includes("failure") || isUnlisted(status.migrationTargetCluster) ? FORGET_TARGET : {}),
  };
}

/** Roles of this instance there that own nothing: of one that does, PostgreSQL would not let go. */
function idleRoles({ resolved, instance }: World, { facts }: ReachableCluster): string[] {
  if (!resolved) return [];
  const { name, namespace, roleName } = resolved;
  if (databasesOwnedBy(facts, roleName).length) return [];
  const { uid } = instance.metadata;
  return [readOnlyRoleName({ name, namespace }), roleName].filter((role) =>
    facts.roles.get(role)?.ownership?.uid === uid
  );
}
