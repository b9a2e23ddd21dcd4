/** Moves of a database to another cluster, from the wish to their end: see worlds.ts. */
import type { ClusterFacts } from "../../../../src/odoo/model/database.ts";
import type { JobState } from "../../../../src/odoo/model/world.ts";
import type { OperationStatus } from "../../../../src/odoo/crd/mod.ts";
import {
  aBatchJob,
  anAddress,
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
  "is to begin with the copy": { ...migrating(), status: { ...MIGRATING, dbMigrationJobName: null } },
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
