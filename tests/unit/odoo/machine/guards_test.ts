import { assertEquals } from "@std/assert";
import { assess } from "../../../../src/odoo/machine/assess.ts";
import { type Guard, guards } from "../../../../src/odoo/machine/guards.ts";
import { factsOf } from "../../../../src/odoo/model/facts.ts";
import {
  aClaim,
  aDeployment,
  anAddress,
  anInstance,
  aWorld,
  emptyFacts,
  ownedFacts,
  unknownFacts,
  type WorldOverrides,
} from "../../../support/builders.ts";
import { FILESTORE_MIGRATIONS } from "./filestore_migration_worlds.ts";
import { DATABASE_MIGRATIONS } from "./database_migration_worlds.ts";
import { BACKUPS, INITS, OPERATION, REFRESHES, RESTORES, UPGRADES } from "./operation_worlds.ts";

/** Two pods are wanted and `ready` of them serve. */
function pods(ready: number, replicas = 2): WorldOverrides {
  return { instance: { spec: { replicas } }, observed: { web: aDeployment("shop", { replicas: 2, ready }) } };
}

function init(name: keyof typeof INITS, operation: boolean): WorldOverrides {
  const { observed = { requests: [] } } = INITS[name] ?? {};
  return { status: { dbInitialized: false, ...(operation ? { operation: OPERATION } : {}) }, observed };
}

function upgrade(name: keyof typeof UPGRADES): WorldOverrides {
  return { observed: UPGRADES[name]?.observed ?? {} };
}

function backup(name: keyof typeof BACKUPS): WorldOverrides {
  return { observed: BACKUPS[name]?.observed ?? {} };
}

function restore(name: keyof typeof RESTORES): WorldOverrides {
  const { operation, observed = { requests: [] } } = RESTORES[name] ?? {};
  return { observed, status: operation ? { operation } : {} };
}

function filesMove(name: keyof typeof FILESTORE_MIGRATIONS): WorldOverrides {
  const { operation, place, observed = { requests: [] } } = FILESTORE_MIGRATIONS[name] ?? {};
  return { observed, status: { ...(operation ? { operation } : {}), ...(place ? { filestore: place } : {}) } };
}

function forOnePod(overrides: WorldOverrides): WorldOverrides {
  return {
    ...overrides,
    instance: { spec: { filestore: { accessModes: ["ReadWriteOncePod"], storageClass: "fast" } } },
  };
}

function refresh(name: keyof typeof REFRESHES): WorldOverrides {
  return { observed: REFRESHES[name]?.observed ?? {} };
}

function databaseMove(name: keyof typeof DATABASE_MIGRATIONS): WorldOverrides {
  return DATABASE_MIGRATIONS[name] ?? {};
}

function untouched(overrides: WorldOverrides): WorldOverrides {
  return { ...overrides, status: { ...overrides.status, dbInitialized: false } };
}

const UNRESOLVED: WorldOverrides = { instance: { spec: { ingress: { hosts: [] } } } };
const NO_CLUSTER: WorldOverrides = { cluster: { problem: { reason: "ClusterNotFound", message: "no such cluster" } } };
const DOWN: WorldOverrides = { cluster: { address: anAddress(), facts: unknownFacts() } };
const LOCKED_OUT: WorldOverrides = { cluster: { address: anAddress(), facts: unknownFacts("DatabaseLoginFailed") } };
const EMPTY: WorldOverrides = { cluster: { address: anAddress(), facts: emptyFacts() } };
const FOREIGN: WorldOverrides = {
  cluster: { address: anAddress(), facts: ownedFacts(anInstance({ metadata: { uid: "somebody-else" } })) },
};
const UNSIGNED: WorldOverrides = {
  cluster: {
    address: anAddress(),
    facts: { ...ownedFacts(), roles: new Map([["odoo.blue.shop", { name: "odoo.blue.shop" }]]) },
  },
};
const RECREATE: WorldOverrides = { instance: { spec: { database: { missingPolicy: "Recreate" } } } };
const UNTOUCHED: WorldOverrides = { status: { dbInitialized: false } };

interface Cases {
  readonly holds: readonly WorldOverrides[];
  readonly fails: readonly WorldOverrides[];
}

const CASES = {
  configurationInvalid: { holds: [UNRESOLVED, NO_CLUSTER, LOCKED_OUT], fails: [{}, DOWN, EMPTY] },
  configurationValid: { holds: [{}, DOWN, EMPTY], fails: [UNRESOLVED, NO_CLUSTER, LOCKED_OUT] },
  databaseToRecreate: {
    holds: [{ ...RECREATE, ...EMPTY }],
    fails: [
      RECREATE,
      EMPTY,
      { ...RECREATE, ...EMPTY, ...UNTOUCHED },
      { ...RECREATE, ...DOWN },
      { ...RECREATE, ...LOCKED_OUT },
      { ...RECREATE, ...NO_CLUSTER },
      { ...RECREATE, ...EMPTY, status: { activeCluster: "other" } },
    ],
  },
  provisioned: {
    holds: [{}, UNTOUCHED],
    fails: [
      UNRESOLVED,
      NO_CLUSTER,
      DOWN,
      EMPTY,
      FOREIGN,
      UNSIGNED,
      { observed: { userSecret: undefined } },
      { observed: { configSecret: undefined } },
      { observed: { filestore: undefined } },
    ],
  },
  provisionedWithData: { holds: [{}], fails: [UNTOUCHED, EMPTY, DOWN] },
  dbInitialized: { holds: [{}, DOWN], fails: [UNTOUCHED, { status: { dbInitialized: undefined } }] },
  initRequested: {
    holds: [init("somebody asks", false), init("one has failed, another asks", false)],
    fails: [
      {},
      init("somebody asks from elsewhere", false),
      init("its CR is failed", false),
      upgrade("somebody asks for an upgrade"),
    ],
  },
  upgradeRequested: {
    holds: [upgrade("somebody asks for an upgrade")],
    fails: [
      {},
      init("somebody asks", false),
      upgrade("somebody asks for an upgrade without a module"),
      upgrade("somebody asks for an upgrade at another time"),
      { ...upgrade("somebody asks for an upgrade"), ...UNTOUCHED },
    ],
  },
  operationSucceeded: {
    holds: [init("its Job has succeeded", true), init("its CR is completed", true)],
    fails: [init("its Job has succeeded", false), init("its Job works", true), init("its Job has failed", true)],
  },
  operationFailed: {
    holds: [init("its Job has failed", true), init("its Job is gone", true), init("its CR is failed", true)],
    fails: [init("its Job is not created", true), init("its CR is gone", true), init("its Job works", true)],
  },
  operationCancelled: {
    holds: [init("its CR is gone", true), init("its CR is gone, its Job works", true), init("somebody asks", false)],
    fails: [init("its Job is not created", true), init("its Job has failed", true)],
  },
  backupRequested: {
    holds: [backup("somebody asks for a backup")],
    fails: [
      {},
      upgrade("somebody asks for an upgrade"),
      backup("somebody asks for a backup with somebody else's keys"),
      { ...backup("somebody asks for a backup"), ...UNTOUCHED },
      { ...backup("somebody asks for a backup"), defaults: { operatorImage: undefined } },
    ],
  },
  restoreRequested: {
    holds: [
      restore("somebody asks for a restore"),
      untouched(restore("somebody asks for a restore")),
      { ...restore("somebody asks for a restore"), ...EMPTY },
    ],
    fails: [
      {},
      restore("somebody asks for a restore from nowhere"),
      refresh("the instance is being copied, and a restore is asked for"),
      { ...restore("somebody asks for a restore"), ...DOWN },
      { ...restore("somebody asks for a restore"), defaults: { operatorImage: undefined } },
    ],
  },
  refreshRequested: {
    holds: [refresh("somebody asks for a refresh"), untouched(refresh("somebody asks for a refresh"))],
    fails: [
      {},
      refresh("somebody asks for a refresh of nothing"),
      refresh("its source is being restored"),
      { ...refresh("somebody asks for a refresh"), ...DOWN },
      { ...refresh("somebody asks for a refresh"), instance: { spec: { environment: "Production" } } },
    ],
  },
  failedWithoutData: {
    holds: [untouched(restore("its backup cannot be loaded"))],
    fails: [restore("its backup cannot be loaded"), untouched(restore("its backup is loaded"))],
  },
  cancelledWithoutData: {
    holds: [init("its CR is gone", true)],
    fails: [init("its CR is gone, its Job works", true), restore("its request is gone before the swap")],
  },
  filestoreToMove: {
    holds: [filesMove("its files are to be moved")],
    fails: [
      {},
      untouched(filesMove("its files are to be moved")),
      { ...filesMove("its files are to be moved"), instance: { spec: { filestore: undefined } } },
      { ...filesMove("its files are to be moved"), ...UNRESOLVED },
      filesMove("its files are to be moved, somebody asks for a backup"),
      filesMove("its former volume is left"),
      filesMove("a copy that was given up is left"),
      { observed: { filestore: aClaim({ spec: { storageClassName: undefined } }) } },
      { observed: { filestore: undefined } },
    ],
  },
  filestoreCopied: {
    holds: [filesMove("its files are copied"), forOnePod(filesMove("its files are to be copied"))],
    fails: [
      filesMove("its files are to be copied"),
      filesMove("its files cannot be copied"),
      filesMove("its files are the same"),
      filesMove("its new volume is deleted"),
      forOnePod(filesMove("its new volume is to be made")),
    ],
  },
  operationAbandoned: {
    holds: [init("its CR is gone", true), init("somebody asks", false)],
    fails: [init("its CR is gone, its Job works", true), init("its Job is not created", true)],
  },
  databaseMigrationRequested: {
    holds: [databaseMove("is asked for")],
    fails: [
      {},
      databaseMove("is asked for to nowhere"),
      databaseMove("is asked for, and the other cluster does not answer"),
      databaseMove("is asked for, and there is a database of its name"),
      databaseMove("is asked for again though it has failed"),
      untouched(databaseMove("is asked for")),
    ],
  },
  databaseCopied: {
    holds: [databaseMove("has copied the database")],
    fails: [
      databaseMove("is asked for"),
      databaseMove("copies the database"),
      databaseMove("could not copy the database"),
    ],
  },
  databaseMigrationFailed: {
    holds: [databaseMove("could not copy the database"), databaseMove("has lost its Job")],
    fails: [databaseMove("copies the database"), databaseMove("has copied the database"), {}],
  },
  databaseMigrationOver: {
    holds: [{}, databaseMove("is withdrawn")],
    fails: [databaseMove("is withdrawn while it copies"), databaseMove("copies the database")],
  },
  wantsZero: { holds: [pods(0, 0), pods(2, 0)], fails: [pods(0), UNRESOLVED] },
  wantsSome: { holds: [pods(0), pods(2)], fails: [pods(2, 0), UNRESOLVED] },
  allReady: { holds: [pods(2), pods(2, 1)], fails: [pods(1), pods(0), UNRESOLVED] },
  someReady: { holds: [pods(1)], fails: [pods(0), pods(2), UNRESOLVED] },
  noneReady: { holds: [pods(0), { observed: { web: undefined } }], fails: [pods(1), pods(2)] },
} satisfies Record<Guard, Cases>;

for (const [name, { holds, fails }] of Object.entries(CASES)) {
  Deno.test(`guards.${name} holds in ${holds.length} worlds and not in ${fails.length} others`, () => {
    const guard = guards[name as Guard];
    assertEquals(holds.map((given) => guard(assess(aWorld(given)))), holds.map(() => true));
    assertEquals(fails.map((given) => guard(assess(aWorld(given)))), fails.map(() => false));
  });
}

Deno.test("factsOf() reports a problem of the spec before one of the cluster, and what to do about a refused login", () => {
  assertEquals(factsOf(aWorld({ ...UNRESOLVED, ...NO_CLUSTER })).configurationProblem?.reason, "HostsMissing");
  assertEquals(
    factsOf(aWorld(LOCKED_OUT)).configurationProblem?.message,
    "PostgreSQL on cluster 'main' says DatabaseLoginFailed. Correct adminUser and adminPassword of cluster 'main' in the clusters Secret",
  );
});
