/** Every world that the machine can tell apart, as the product of what may be so: the ground of the exhaustive tests. */
import type { Phase } from "../../../../src/odoo/crd/mod.ts";
import { PHASES } from "../../../../src/odoo/model/phases.ts";
import type { ChosenCluster, Observed, World } from "../../../../src/odoo/model/world.ts";
import { copyNames, databaseName, roleName } from "../../../../src/odoo/model/names.ts";
import { FILESTORE_MIGRATIONS, type Migration } from "./filestore_migration_worlds.ts";
import {
  aDeployment,
  anAddress,
  anInstance,
  aWorld,
  emptyFacts,
  INSTANCE_UID,
  merged,
  ownedFacts,
  RESTORE_JOB_UID,
  unknownFacts,
  type WorldOverrides,
} from "../../../support/builders.ts";

import { DATABASE_MIGRATIONS } from "./database_migration_worlds.ts";
import { BACKUPS, type Init, INITS, REFRESHES, RESTORES, UPGRADES } from "./operation_worlds.ts";

export const ALL_PHASES = Object.keys(PHASES) as Phase[];
export const SERVING_PHASES: readonly Phase[] = ["Starting", "Running", "Degraded", "Stopped"];

/** What may be known of PostgreSQL. */
export const CLUSTERS: Readonly<Record<string, ChosenCluster>> = {
  "role and database are there": { address: anAddress(), facts: ownedFacts() },
  "a copy is beside them": { address: anAddress(), facts: besideCopy() },
  "the cluster is empty": { address: anAddress(), facts: emptyFacts() },
  "the cluster does not answer": { address: anAddress(), facts: unknownFacts("DatabaseUnreachable") },
  "the cluster refuses the login": { address: anAddress(), facts: unknownFacts("DatabaseLoginFailed") },
  "the cluster is not in the Secret": { problem: { reason: "ClusterNotFound", message: "no such cluster" } },
};

/** With the database of the copy that {@linkcode RESTORES} are about. */
function besideCopy() {
  const { name, namespace = "" } = anInstance().metadata;
  const { side } = copyNames(databaseName(anInstance(), INSTANCE_UID), RESTORE_JOB_UID);
  const facts = ownedFacts();
  const owner = roleName({ name, namespace });
  const copy = { name: side, owner, ownership: { uid: INSTANCE_UID } };
  return { ...facts, databases: new Map([...facts.databases, [side, copy] as const]) };
}

/** What the spec wants; `unresolved` is a spec that is wrong. */
export const WISHES = {
  none: { spec: { replicas: 0, readOnlySqlAccess: { enabled: true } } },
  two: { spec: { replicas: 2 } },
  "two, and a new database for a lost one": { spec: { replicas: 2, database: { missingPolicy: "Recreate" } } },
  unresolved: { spec: { ingress: { hosts: [] } } },
} as const;

/** The web Deployment. */
export const WEBS: Readonly<Record<string, Observed["web"]>> = {
  absent: undefined,
  "one ready": aDeployment("shop", { replicas: 2, ready: 1 }),
  "two ready": aDeployment("shop", { replicas: 2 }),
};

const NOTHING: Partial<Record<keyof Observed, undefined>> = {
  userSecret: undefined,
  configSecret: undefined,
  filestore: undefined,
};

/** The Secrets and the volume, and where the status says that the database is. */
const FOUNDATIONS = [
  { present: {}, activeCluster: "main" },
  { present: NOTHING, activeCluster: "main" },
  { present: NOTHING, activeCluster: undefined },
];

/** Short, so that there is something to delete. */
const jobHistoryLimit = 1;

/** All foundations, wishes and histories, beside operations that are simple. */
const SIMPLE = [...Object.values(INITS), ...Object.values(UPGRADES), ...Object.values(BACKUPS)];
/** Those of several steps are walked through with the foundations that they begin with. */
const STEPWISE = [...Object.values(RESTORES), ...Object.values(REFRESHES), ...Object.values(FILESTORE_MIGRATIONS)];

/** Calls `visit` with every world of living instances. */
export function forEachWorld(visit: (world: World) => void): void {
  forEachOperation(visit, SIMPLE, FOUNDATIONS);
  forEachOperation(visit, STEPWISE, FOUNDATIONS.slice(0, 1));
  forEachMigration(visit);
}

function forEachOperation(
  visit: (world: World) => void,
  operations: readonly (Init | Migration)[],
  foundations: typeof FOUNDATIONS,
): void {
  for (const phase of ALL_PHASES) {
    for (const cluster of Object.values(CLUSTERS)) {
      for (const instance of Object.values(WISHES)) {
        for (const web of Object.values(WEBS)) {
          for (const { operation, place, observed } of operations) {
            for (const { present, activeCluster } of foundations) {
              for (const dbInitialized of [true, false]) {
                const status = { dbInitialized, activeCluster, operation, filestore: place };
                const seen = { web, ...present, ...observed };
                visit(aWorld({ phase, cluster, instance, status, jobHistoryLimit, observed: seen }));
              }
            }
          }
        }
      }
    }
  }
}

/** What the spec of an instance may say beside the cluster. */
const MOVERS: readonly WorldOverrides["instance"][] = [
  {},
  { spec: { replicas: 0 } },
  { spec: { database: { missingPolicy: "Recreate" } } },
];

/** Those in which something has to do with another cluster. */
function forEachMigration(visit: (world: World) => void): void {
  for (const phase of ALL_PHASES) {
    for (const cluster of Object.values(CLUSTERS)) {
      for (const web of Object.values(WEBS)) {
        for (const overrides of Object.values(DATABASE_MIGRATIONS)) {
          for (const mover of MOVERS) {
            for (
              const { observed } of [INITS["nobody asks"], UPGRADES["somebody asks for an upgrade"]].flatMap((it) =>
                it ?? []
              )
            ) {
              const instance = merged(overrides.instance ?? {}, mover);
              const seen = { web, ...observed, ...overrides.observed };
              visit(aWorld({ phase, cluster, ...overrides, instance, observed: seen }));
            }
          }
        }
      }
    }
  }
}

/** The world with everything in it frozen: whoever writes to it throws. */
export function frozen<T>(value: T): T {
  if (value === null || typeof value !== "object" || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of value instanceof Map ? value.values() : Object.values(value)) frozen(part);
  return value;
}
