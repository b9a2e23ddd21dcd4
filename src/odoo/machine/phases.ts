/** One row per phase: all that is true of it. A phase without a row does not compile. */
import type { Phase } from "../crd/mod.ts";
import type { Effect } from "../model/plan.ts";
import type { World } from "../model/world.ts";
import { planDataRequest, planRefreshRetry } from "../planners/initializing.ts";
import { planDatabaseMigration } from "../planners/migrating_database.ts";
import { planCopying } from "../planners/copying.ts";
import { planFilestoreMigration } from "../planners/filestore_migration.ts";
import { planOperationJob, planStepTold } from "../planners/operating.ts";
import { planSnapshot } from "../planners/snapshotting.ts";
import { planStuckMounts } from "../planners/stuck_mounts.ts";

/**
 * How many pods a phase wants: what the spec says, none, as many as there are, the spec's without any other change, or the
 * spec's until a copy takes the place of the data.
 */
export type Scale = "spec" | "zero" | "keep" | "frozen" | "untilSwap";

/** What a phase is. */
export interface PhaseRow {
  readonly web: Scale;
  readonly cron: Scale;
  /** Whether the instance is on its way to another phase by itself (condition Progressing). */
  readonly progressing: boolean;
  /** What a person should know of the phase, when nothing more particular is to be said. */
  readonly message: string;
  /** What the phase does beyond keeping its children. */
  readonly plan?: (world: World) => readonly Effect[];
}

export const PHASES = {
  Provisioning: { web: "keep", cron: "keep", progressing: true, message: "Creating role, database, volume and routes" },
  Uninitialized: {
    web: "zero",
    cron: "zero",
    progressing: false,
    message: "Waiting for a job that fills the database: create an OdooInitJob, or set spec.init.enabled",
    plan: planDataRequest,
  },
  Initializing: {
    web: "zero",
    cron: "zero",
    progressing: true,
    message: "Installing the first modules",
    plan: planOperationJob,
  },
  InitFailed: {
    web: "zero",
    cron: "zero",
    progressing: false,
    message: "The instance has no data: create a new OdooInitJob or OdooRestoreJob to try again",
    plan: planRefreshRetry,
  },
  Starting: {
    web: "spec",
    cron: "spec",
    progressing: true,
    message: "Waiting for the web pods",
    plan: planStuckMounts,
  },
  Running: { web: "spec", cron: "spec", progressing: false, message: "All web pods serve" },
  Degraded: { web: "spec", cron: "spec", progressing: false, message: "Some web pods do not serve" },
  Stopped: { web: "zero", cron: "zero", progressing: false, message: "Stopped: spec.replicas is 0" },
  Upgrading: {
    web: "frozen",
    cron: "zero",
    progressing: true,
    message: "Updating modules; the web pods go on serving the old code",
    plan: planOperationJob,
  },
  Restoring: {
    web: "untilSwap",
    cron: "untilSwap",
    progressing: true,
    message: "Restoring a backup; what there is goes on until the copy is verified",
    plan: planCopy,
  },
  CloningFromSource: {
    web: "untilSwap",
    cron: "untilSwap",
    progressing: true,
    message: "Copying another instance; what there is goes on until the copy is verified",
    plan: planCopy,
  },
  BackingUp: {
    web: "spec",
    cron: "spec",
    progressing: true,
    message: "Backing up; nothing else changes",
    plan: planOperationJob,
  },
  MigratingFilestore: {
    web: "spec",
    cron: "spec",
    progressing: true,
    message: "Copying the filestore to another storage class; the pods go on serving the present one",
    plan: planFilestoreMigration,
  },
  FinalizingFilestoreMigration: {
    web: "zero",
    cron: "zero",
    progressing: true,
    message: "Comparing the copied filestore with the present one; then it is served",
    plan: planFilestoreMigration,
  },
  MigratingDatabase: {
    web: "zero",
    cron: "zero",
    progressing: true,
    message: "Copying the database to another cluster",
    plan: planDatabaseMigration,
  },
  FinalizingDatabaseMigration: {
    web: "zero",
    cron: "zero",
    progressing: true,
    message: "Switching to the copied database",
  },
  Error: { web: "keep", cron: "keep", progressing: false, message: "The instance cannot work as it is written" },
} satisfies Record<Phase, PhaseRow>;

/** Restores and refreshes. */
function planCopy(world: World): readonly Effect[] {
  return [...planCopying(world), ...planSnapshot(world), ...planOperationJob(world), ...planStepTold(world)];
}
