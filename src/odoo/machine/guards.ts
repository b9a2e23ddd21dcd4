/** The facts that decide about transitions, by the names that tables, diagrams and logs show. Each reads one or two answers. */
import type { RequestKind } from "../crd/mod.ts";
import type { Assessed, MigrationRequest } from "../model/assessment.ts";

/** What guards decide by: a world with all answers but those that guards lead to. */
export type GuardInput = Assessed<"facts" | "migration" | "outcome" | "queue" | "migrations">;

export const guards = {
  /** The spec or the clusters Secret is wrong: nothing can be created. */
  configurationInvalid: ({ facts }) => facts.configurationProblem !== undefined,
  configurationValid: ({ facts }) => facts.configurationProblem === undefined,
  /** Role, database and configuration exist. */
  provisioned: ({ facts }) => facts.isProvisioned,
  provisionedWithData: ({ facts, status }) => facts.isProvisioned && status.dbInitialized === true,
  dbInitialized: ({ status }) => status.dbInitialized === true,
  /** An initialised database is missing, and the spec asks for an empty one in its place. */
  databaseToRecreate: ({ facts, resolved }) => facts.isDatabaseMissing && resolved?.missingPolicy === "Recreate",
  /** A user (or this operator) requests an initialisation, and it is the next request. */
  initRequested: (assessed) => isNext(assessed, "OdooInitJob"),
  upgradeRequested: (assessed) => isNext(assessed, "OdooUpgradeJob"),
  backupRequested: (assessed) => isNext(assessed, "OdooBackupJob"),
  restoreRequested: (assessed) => isNext(assessed, "OdooRestoreJob"),
  refreshRequested: (assessed) => isNext(assessed, "OdooStagingRefreshJob"),
  /** The spec names another storage class than the files are on, and no request is pending. */
  filestoreToMove: ({ migrations }) => mayBegin(migrations.filestore),
  filestoreCopied: ({ migration }) => migration.state === "copied",
  operationSucceeded: ({ outcome }) => outcome.state === "succeeded",
  operationFailed: ({ outcome }) => outcome.state === "failed",
  /** There was no data before it, and there is none now. */
  failedWithoutData: ({ outcome, status }) => outcome.state === "failed" && status.dbInitialized !== true,
  cancelledWithoutData: (assessed) => isAbandoned(assessed) && assessed.status.dbInitialized !== true,
  /** The object that requested it was deleted before its end, or there never was one. */
  operationCancelled: (assessed) => isCancelled(assessed),
  /** The same, and no Job or pod of it is left. */
  operationAbandoned: (assessed) => isAbandoned(assessed),
  databaseMigrationRequested: ({ migrations }) => mayBegin(migrations.database),
  /** The copy is complete and compared: it can be switched to. */
  databaseCopied: ({ migration }) => migration.state === "copied",
  databaseMigrationFailed: ({ migration }) => migration.state === "failed",
  /** The spec names the present cluster again, or operator 2.5.0 had begun the migration; and no Job of it is left. */
  databaseMigrationOver: ({ migration, facts }) =>
    (migration.state === "none" || migration.state === "withdrawn") && !facts.isJobRunning,
  wantsZero: ({ facts }) => facts.wantedReplicas === 0,
  wantsSome: ({ facts }) => (facts.wantedReplicas ?? 0) > 0,
  allReady: ({ facts }) => facts.readyReplicas >= (facts.wantedReplicas ?? Infinity),
  someReady: ({ facts }) => facts.readyReplicas > 0 && facts.readyReplicas < (facts.wantedReplicas ?? 0),
  noneReady: ({ facts }) => facts.readyReplicas === 0,
} satisfies Record<string, (assessed: GuardInput) => boolean>;

/** A guard, by name. */
export type Guard = keyof typeof guards;

function isCancelled({ outcome }: GuardInput): boolean {
  return outcome.state === "cancelled" || outcome.state === "none";
}

function isAbandoned(assessed: GuardInput): boolean {
  return isCancelled(assessed) && !assessed.facts.isJobRunning;
}

function isNext({ queue }: GuardInput, kind: RequestKind): boolean {
  return queue.next?.kind === kind;
}

function mayBegin({ target, obstacle }: MigrationRequest): boolean {
  return target !== undefined && obstacle === undefined;
}
