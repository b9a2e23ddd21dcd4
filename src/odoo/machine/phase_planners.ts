/** What each phase does beyond keeping its children. A phase without a planner does not compile. */
import type { Phase } from "../crd/mod.ts";
import type { Assessment } from "../model/assessment.ts";
import type { Effect } from "../model/plan.ts";
import { planCopying } from "../planners/copying.ts";
import { planDataRequest, planRefreshRetry } from "../planners/initializing.ts";
import { MIGRATIONS } from "../planners/migrations/mod.ts";
import { planOperationJob, planStepProgress } from "../planners/operating.ts";
import { planSnapshot } from "../planners/snapshotting.ts";
import { planStuckMounts } from "../planners/stuck_mounts.ts";

/** Effects of a phase. */
export type Planner = (assessment: Assessment) => readonly Effect[];

const NOTHING: Planner = () => [];

/** Restores and refreshes. */
const COPY: Planner = (assessment) => [
  ...planCopying(assessment),
  ...planSnapshot(assessment),
  ...planOperationJob(assessment),
  ...planStepProgress(assessment),
];

export const PHASE_PLANNERS: Readonly<Record<Phase, Planner>> = {
  Provisioning: NOTHING,
  Uninitialized: planDataRequest,
  Initializing: planOperationJob,
  InitFailed: planRefreshRetry,
  Starting: planStuckMounts,
  Running: NOTHING,
  Degraded: NOTHING,
  Stopped: NOTHING,
  Upgrading: planOperationJob,
  Restoring: COPY,
  CloningFromSource: COPY,
  BackingUp: planOperationJob,
  MigratingFilestore: MIGRATIONS.filestore.plan,
  FinalizingFilestoreMigration: MIGRATIONS.filestore.plan,
  MigratingDatabase: MIGRATIONS.database.plan,
  FinalizingDatabaseMigration: NOTHING,
  Error: NOTHING,
};
