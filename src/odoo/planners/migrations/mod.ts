/** Both migrations by one interface. */
import type { World } from "../../model/world.ts";
import { databaseMigration } from "./database_migration.ts";
import { filestoreMigration } from "./filestore_migration.ts";
import type { Migration } from "./migration.ts";

export const MIGRATIONS = {
  database: databaseMigration,
  filestore: filestoreMigration,
  all: [databaseMigration, filestoreMigration] as readonly Migration[],
  /** The migration in progress: that of the committed phase, otherwise that of the recorded operation. */
  inProgress: ({ phase, status: { operation } }: World): Migration | undefined => {
    const all: readonly Migration[] = [databaseMigration, filestoreMigration];
    return all.find(({ phases }) => phases.includes(phase)) ?? all.find((each) => each.isInProgress(operation));
  },
} as const;
