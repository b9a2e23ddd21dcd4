/** Moves of a database to another cluster, from the wish to their end: see worlds.ts. */
import type { ClusterFacts } from "../../../../src/odoo/model/postgres/database.ts";
import type { JobState } from "../../../../src/odoo/model/world.ts";
import type { OperationStatus } from "../../../../src/odoo/crd/mod.ts";
import { copyNames, databaseName, roleName } from "../../../../src/odoo/model/names.ts";
import {
  aBatchJob,
  anAddress,
  anInstance,
  emptyFacts,
  INSTANCE_UID,
  oneJob,
  ownedFacts,
  unknownFacts,
  type WorldOverrides,
} from "../../../support/builders.ts";

const TO_OTHER = { spec: { database: { cluster: "other" } } } as const;
const MIGRATION_JOB = "shop-0b8f1f5e-migrate-database";
const MIGRATION: OperationStatus = {
  kind: "OdooInstance",
  name: "shop",
  uid: INSTANCE_UID,
  stage: "migrate-database",
  attempt: 1,
  jobName: MIGRATION_JOB,
};
const MIGRATING = {
  operation: MIGRATION,
  migrationPreviousCluster: "main",
  migrationTargetCluster: "other",
  dbMigrationJobName: MIGRATION_JOB,
} as const;

function otherCluster(facts: ClusterFacts = emptyFacts()) {
  return new Map([["other", { address: anAddress({ name: "other", host: "pg2.example.com" }), facts }]]);
}

/** The other cluster, with the database that the copy goes into. */
function awaitingCopy() {
  const facts = ownedFacts();
  const { side } = copyNames(databaseName(anInstance(), INSTANCE_UID), "0b000001");
  const owner = roleName({ name: "shop", namespace: "blue" });
  return otherCluster({
    ...facts,
    databases: new Map([[side, { name: side, owner, ownership: { uid: INSTANCE_UID } }]]),
  });
}

function migrating(state?: JobState): WorldOverrides {
  const job = state ? oneJob(aBatchJob(MIGRATION_JOB), state) : {};
  return {
    instance: TO_OTHER,
    otherClusters: otherCluster(ownedFacts()),
    status: MIGRATING,
    observed: { endingPods: [], ...job },
  };
}

/** Moves of the database to cluster `other`. */
export const DATABASE_MIGRATIONS: Readonly<Record<string, WorldOverrides>> = {
  "is asked for": { instance: TO_OTHER, otherClusters: otherCluster() },
  "is asked for to nowhere": {
    instance: TO_OTHER,
    otherClusters: new Map([["other", { problem: { reason: "ClusterNotFound", message: "no such cluster" } }]]),
  },
  "is asked for, and the other cluster does not answer": {
    instance: TO_OTHER,
    otherClusters: otherCluster(unknownFacts()),
  },
  "is asked for, and there is a database of its name": {
    instance: TO_OTHER,
    otherClusters: otherCluster(ownedFacts()),
  },
  "is asked for again though it has failed": {
    instance: TO_OTHER,
    otherClusters: otherCluster(),
    status: {
      conditions: [{
        type: "DatabaseMigrated",
        status: "False",
        reason: "RowCountsDiffer",
        message: "rows are missing",
        observedGeneration: 1,
        lastTransitionTime: "",
      }],
    },
  },
  "is to make what the copy goes into": { ...migrating(), status: { ...MIGRATING, dbMigrationJobName: null } },
  "is to begin with the copy": {
    ...migrating(),
    otherClusters: awaitingCopy(),
    status: { ...MIGRATING, dbMigrationJobName: null },
  },
  "copies the database": migrating({ state: "active" }),
  "has copied the database": migrating({ state: "succeeded", message: '{"ok": true}' }),
  "could not copy the database": migrating({
    state: "failed",
    message: '{"ok": false, "reason": "RowCountsDiffer", "error": "rows are missing", "log": "PASSWORD=x fails"}',
  }),
  "has lost its Job": migrating(),
  "is withdrawn": { ...migrating(), instance: {} },
  "is withdrawn while it copies": { ...migrating({ state: "active" }), instance: {} },
  "has left its former database": {
    otherClusters: new Map([["former", { address: anAddress({ name: "former" }), facts: ownedFacts() }]]),
    status: { migrationPreviousCluster: "former" },
  },
};
