/** The facts that decide about phases, by the names that tables, diagrams and logs show. */
import { adminPasswordProblem } from "../model/instance/admin_password.ts";
import { databaseOwnerUid } from "../model/postgres/database.ts";
import type { RequestKind } from "../crd/mod.ts";
import { migrationObstacle, migrationState } from "../model/operations/migration/database_migration.ts";
import { asksForMigration, isCopied } from "../model/operations/migration/filestore_migration.ts";
import { isJobAtWork } from "../model/operations/job_exclusion.ts";
import { operationOutcome } from "../model/operations/outcome.ts";
import { nextRequest } from "../model/operations/requests.ts";
import { readyReplicas, type World } from "../model/world.ts";

export const guards = {
  /** The spec or the clusters Secret is wrong: nothing can be made. */
  configurationInvalid: (world) => configurationProblem(world) !== undefined,
  configurationValid: (world) => configurationProblem(world) === undefined,
  /** Role, database and configuration are there. */
  provisioned: (world) => isProvisioned(world),
  provisionedWithData: (world) => isProvisioned(world) && isInitialized(world),
  dbInitialized: (world) => isInitialized(world),
  /** An initialised database is gone, and the spec wants an empty one in its place. */
  databaseToRecreate: (world) => isDatabaseMissing(world) && world.resolved?.missingPolicy === "Recreate",
  /** Somebody (perhaps we) asks for an initialisation, and it is its turn. */
  initRequested: (world) => isNext(world, "OdooInitJob"),
  upgradeRequested: (world) => isNext(world, "OdooUpgradeJob"),
  backupRequested: (world) => isNext(world, "OdooBackupJob"),
  restoreRequested: (world) => isNext(world, "OdooRestoreJob"),
  refreshRequested: (world) => isNext(world, "OdooStagingRefreshJob"),
  /** The spec wants the files on another storage class than they are on, and nobody asks for anything else. */
  filestoreToMove: (world) => asksForMigration(world),
  filestoreCopied: (world) => isCopied(world),
  operationSucceeded: (world) => operationOutcome(world).state === "succeeded",
  operationFailed: (world) => operationOutcome(world).state === "failed",
  /** There was nothing before it, and there is nothing now. */
  failedWithoutData: (world) => operationOutcome(world).state === "failed" && !isInitialized(world),
  cancelledWithoutData: (world) => isCancelled(world) && !isInitialized(world) && !isJobAtWork(world),
  /** The object that asked for it was deleted before its end, or there never was one. */
  operationCancelled: (world) => isCancelled(world),
  /** The same, and nothing of it is at work any more. */
  operationAbandoned: (world) => isCancelled(world) && !isJobAtWork(world),
  databaseMigrationRequested: (world) => migrationObstacle(world) === undefined,
  /** The copy is complete and compared: it can be switched to. */
  databaseCopied: (world) => migrationState(world).state === "copied",
  databaseMigrationFailed: (world) => migrationState(world).state === "failed",
  /** The spec wants the cluster that it is on, or operator 2.5.0 had begun it; and nothing of it is at work any more. */
  databaseMigrationOver: (world) => ["none", "withdrawn"].includes(migrationState(world).state) && !isJobAtWork(world),
  wantsZero: (world) => wantedReplicas(world) === 0,
  wantsSome: (world) => (wantedReplicas(world) ?? 0) > 0,
  allReady: (world) => readyReplicas(world) >= (wantedReplicas(world) ?? Infinity),
  someReady: (world) => readyReplicas(world) > 0 && readyReplicas(world) < (wantedReplicas(world) ?? 0),
  noneReady: (world) => readyReplicas(world) === 0,
} satisfies Record<string, (world: World) => boolean>;

/** A guard, by name. */
export type Guard = keyof typeof guards;

/** What is wrong with the spec, the clusters Secret, or the login that it gives. */
export function configurationProblem(world: World) {
  if (world.problem) return world.problem;
  const passwordProblem = adminPasswordProblem(world);
  if (passwordProblem) return passwordProblem;
  if (world.cluster.problem) return world.cluster.problem;
  const { facts, address } = world.cluster;
  if (facts.known || facts.reason !== "DatabaseLoginFailed") return undefined;
  return {
    reason: facts.reason,
    message:
      `${facts.message}. Correct adminUser and adminPassword of cluster '${address.name}' in the clusters Secret`,
  };
}

/** Whether the inventory is known and lacks a database that was initialised. Unknown is not missing. */
export function isDatabaseMissing({ status, cluster, resolved }: World): boolean {
  if (!status.dbInitialized || !resolved || !cluster.address || !cluster.facts.known) return false;
  if (status.activeCluster !== cluster.address.name) return false; // nobody has looked where it is
  return !cluster.facts.databases.has(resolved.databaseName);
}

function isInitialized({ status }: World): boolean {
  return status.dbInitialized === true;
}

function isProvisioned({ cluster, resolved, observed, instance }: World): boolean {
  if (!resolved || !cluster.address || !cluster.facts.known) return false;
  const { roles, databases } = cluster.facts;
  const role = roles.get(resolved.roleName);
  const database = databases.get(resolved.databaseName);
  const { uid } = instance.metadata;
  const ours = role?.ownership?.uid === uid && !!database &&
    databaseOwnerUid({ role: role?.ownership, database: database.ownership }) === uid;
  return ours && !!observed.configSecret && !!observed.userSecret && !!observed.filestore;
}

function isCancelled(world: World): boolean {
  return ["cancelled", "none"].includes(operationOutcome(world).state);
}

function isNext(world: World, kind: RequestKind): boolean {
  return nextRequest(world)?.kind === kind;
}

/** Web pods that the spec wants; unknown while it cannot be resolved. */
function wantedReplicas({ resolved }: World): number | undefined {
  return resolved?.webReplicas;
}
