/** The state machine, as a page. From a phase, the first row whose guard holds wins. */
import type { Phase } from "../crd/mod.ts";
import type { Guard } from "./guards.ts";

/** One way from a phase to another. */
export interface Transition {
  readonly from: Phase;
  readonly when: Guard;
  /** `settled`: the serving phase that is right for the pods as they are. */
  readonly to: Phase | "settled";
}

export const TRANSITIONS: readonly Transition[] = [
  { from: "Provisioning", when: "configurationInvalid", to: "Error" },
  { from: "Provisioning", when: "databaseToRecreate", to: "Uninitialized" },
  { from: "Provisioning", when: "provisionedWithData", to: "Starting" },
  { from: "Provisioning", when: "provisioned", to: "Uninitialized" },

  { from: "Error", when: "configurationValid", to: "Provisioning" },

  { from: "Uninitialized", when: "configurationInvalid", to: "Error" },
  { from: "Uninitialized", when: "dbInitialized", to: "Starting" },
  { from: "Uninitialized", when: "initRequested", to: "Initializing" },
  { from: "Uninitialized", when: "restoreRequested", to: "Restoring" },
  { from: "Uninitialized", when: "refreshRequested", to: "CloningFromSource" },

  { from: "Initializing", when: "operationSucceeded", to: "Starting" },
  { from: "Initializing", when: "operationFailed", to: "InitFailed" },
  { from: "Initializing", when: "operationCancelled", to: "Uninitialized" },

  { from: "InitFailed", when: "initRequested", to: "Initializing" },
  { from: "InitFailed", when: "restoreRequested", to: "Restoring" },
  { from: "InitFailed", when: "refreshRequested", to: "CloningFromSource" },

  { from: "Starting", when: "databaseToRecreate", to: "Uninitialized" },
  { from: "Starting", when: "upgradeRequested", to: "Upgrading" },
  { from: "Starting", when: "backupRequested", to: "BackingUp" },
  { from: "Starting", when: "restoreRequested", to: "Restoring" },
  { from: "Starting", when: "refreshRequested", to: "CloningFromSource" },
  { from: "Starting", when: "databaseMigrationRequested", to: "MigratingDatabase" },
  { from: "Starting", when: "wantsZero", to: "Stopped" },
  { from: "Starting", when: "allReady", to: "Running" },

  { from: "Running", when: "databaseToRecreate", to: "Uninitialized" },
  { from: "Running", when: "upgradeRequested", to: "Upgrading" },
  { from: "Running", when: "backupRequested", to: "BackingUp" },
  { from: "Running", when: "restoreRequested", to: "Restoring" },
  { from: "Running", when: "refreshRequested", to: "CloningFromSource" },
  { from: "Running", when: "databaseMigrationRequested", to: "MigratingDatabase" },
  { from: "Running", when: "wantsZero", to: "Stopped" },
  { from: "Running", when: "someReady", to: "Degraded" },
  { from: "Running", when: "noneReady", to: "Starting" },

  { from: "Degraded", when: "databaseToRecreate", to: "Uninitialized" },
  { from: "Degraded", when: "upgradeRequested", to: "Upgrading" },
  { from: "Degraded", when: "backupRequested", to: "BackingUp" },
  { from: "Degraded", when: "restoreRequested", to: "Restoring" },
  { from: "Degraded", when: "refreshRequested", to: "CloningFromSource" },
  { from: "Degraded", when: "databaseMigrationRequested", to: "MigratingDatabase" },
  { from: "Degraded", when: "wantsZero", to: "Stopped" },
  { from: "Degraded", when: "allReady", to: "Running" },
  { from: "Degraded", when: "noneReady", to: "Starting" },

  { from: "Stopped", when: "databaseToRecreate", to: "Uninitialized" },
  { from: "Stopped", when: "upgradeRequested", to: "Upgrading" },
  { from: "Stopped", when: "backupRequested", to: "BackingUp" },
  { from: "Stopped", when: "restoreRequested", to: "Restoring" },
  { from: "Stopped", when: "refreshRequested", to: "CloningFromSource" },
  { from: "Stopped", when: "databaseMigrationRequested", to: "MigratingDatabase" },
  { from: "Stopped", when: "wantsSome", to: "Starting" },

  { from: "Upgrading", when: "operationSucceeded", to: "settled" },
  { from: "Upgrading", when: "operationFailed", to: "settled" },
  { from: "Upgrading", when: "operationAbandoned", to: "settled" },

  { from: "BackingUp", when: "operationSucceeded", to: "settled" },
  { from: "BackingUp", when: "operationFailed", to: "settled" },
  { from: "BackingUp", when: "operationAbandoned", to: "settled" },

  { from: "Restoring", when: "failedWithoutData", to: "InitFailed" },
  { from: "Restoring", when: "cancelledWithoutData", to: "Uninitialized" },
  { from: "Restoring", when: "operationSucceeded", to: "settled" },
  { from: "Restoring", when: "operationFailed", to: "settled" },
  { from: "Restoring", when: "operationAbandoned", to: "settled" },

  { from: "CloningFromSource", when: "failedWithoutData", to: "InitFailed" },
  { from: "CloningFromSource", when: "cancelledWithoutData", to: "Uninitialized" },
  { from: "CloningFromSource", when: "operationSucceeded", to: "settled" },
  { from: "CloningFromSource", when: "operationFailed", to: "settled" },
  { from: "CloningFromSource", when: "operationAbandoned", to: "settled" },

  { from: "MigratingDatabase", when: "databaseCopied", to: "FinalizingDatabaseMigration" },
  { from: "MigratingDatabase", when: "databaseMigrationFailed", to: "settled" },
  { from: "MigratingDatabase", when: "databaseMigrationOver", to: "settled" },
  { from: "FinalizingDatabaseMigration", when: "provisionedWithData", to: "settled" },
];

/** Where `settled` leads: the first row that holds, the last one otherwise. */
export const SETTLED: readonly { readonly when?: Guard; readonly to: Phase }[] = [
  { when: "wantsZero", to: "Stopped" },
  { when: "allReady", to: "Running" },
  { when: "someReady", to: "Degraded" },
  { to: "Starting" },
];
