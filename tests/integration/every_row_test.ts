/**
 * Every row of the state machine fires on the real control plane. Each row has an instance of its own, which is led there;
 * all of them live at the same time, and each test waits for one.
 */
import { assertEquals } from "@std/assert";
import type { JsonPatchOperation } from "../../src/kit/mod.ts";
import { Slots } from "../../src/kit/slots.ts";
import type { OdooInstanceSpec, Phase } from "../../src/odoo/crd/mod.ts";
import type { Guard } from "../../src/odoo/machine/guards.ts";
import { SECOND_STORAGE_CLASS } from "../../dev/fake_nodes.ts";
import type { Outcome } from "../../dev/odoo_jobs.ts";
import { rowOf, strangeRows, unfiredRows } from "../support/fired_rows.ts";
import { Life, OTHER_CLUSTER, type RequestName, RowStage } from "../support/row_stage.ts";

/** How many instances are led at a time. */
const AT_A_TIME = 10;

/** Leads an instance to where its row must fire. */
type Story = (life: Life) => Promise<void>;

const FAILS: Outcome = { exitCode: 1, message: '{"ok":false,"reason":"DiskFull","error":"There is no space left"}' };
const LASTS: Outcome = { delayMs: 300_000 };

/** A node selector that no node meets: the pods wait. */
const MOON = { moon: "full" } as const;
const ONE_BY_ONE = { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "1", maxSurge: "0" } } as const;
const NO_SECRET = { name: "missing", key: "password" } as const;
const PASSWORD_REF = "/spec/adminPasswordSecretRef";

const ELSEWHERE: JsonPatchOperation = { op: "add", path: "/spec/database", value: { cluster: OTHER_CLUSTER } };
const BACK: JsonPatchOperation = { op: "replace", path: "/spec/database/cluster", value: "main" };
const CLASS = "/spec/filestore/storageClass";
const SECOND_CLASS: JsonPatchOperation = { op: "add", path: CLASS, value: SECOND_STORAGE_CLASS.metadata.name };
const FIRST_CLASS: JsonPatchOperation = { op: "add", path: CLASS, value: "standard" };

function scaled(value: number): JsonPatchOperation {
  return { op: "add", path: "/spec/replicas", value };
}

/** Leads it to where something may be wished. */
type Begin = (life: Life, spec?: Partial<OdooInstanceSpec>) => Promise<void>;

/** How an instance with data comes to rest, in every phase in which it may. */
const AT_REST: Readonly<Record<"Starting" | "Running" | "Degraded" | "Stopped", Begin>> = {
  Starting: async (life, spec) => {
    await life.create({ ...spec, nodeSelector: MOON, jobDefaults: { nodeSelector: {} } });
    await life.inPhase("Starting");
  },
  Running: running,
  Degraded: async (life, spec) => {
    await running(life, { ...spec, replicas: 2, strategy: ONE_BY_ONE });
    await life.change({ op: "add", path: "/spec/nodeSelector", value: MOON });
    await life.inPhase("Degraded");
  },
  Stopped: async (life, spec) => {
    await life.create({ ...spec, replicas: 0 });
    await life.inPhase("Stopped");
  },
};

async function running(life: Life, spec?: Partial<OdooInstanceSpec>): Promise<void> {
  await life.create(spec);
  await life.inPhase("Running");
}

/** An instance that nobody gives data. */
async function empty(life: Life): Promise<void> {
  await life.create({ init: { enabled: false } });
  await life.inPhase("Uninitialized");
}

async function initFailed(life: Life): Promise<void> {
  life.jobsEnd("init", FAILS);
  await life.create();
  await life.inPhase("InitFailed");
  life.jobsEnd("init");
}

async function unconfigured(life: Life): Promise<void> {
  await empty(life);
  await life.change({ op: "add", path: PASSWORD_REF, value: NO_SECRET });
  await life.inPhase("Error");
}

/** Its database is gone, and the operator looks again. */
function losing(begin: Begin): Story {
  return async (life) => {
    await life.setCluster();
    await begin(life, { database: { cluster: life.name, missingPolicy: "Recreate" } });
    await life.loseDatabase();
  };
}

function losingPods(begin: Story): Story {
  return async (life) => {
    await begin(life);
    await life.losePods();
  };
}

/** Something is asked for by a request. */
function asking(request: RequestName, begin: Story = running): Story {
  return async (life) => {
    await begin(life);
    await life.ask(request);
  };
}

/** Something is asked for by the spec. */
function changing(operation: JsonPatchOperation, begin: Story = running): Story {
  return async (life) => {
    await begin(life);
    await life.change(operation);
  };
}

/** A story in which the Job `which` comes to such an end. */
function ending(which: string, outcome: Outcome, story: Story): Story {
  return async (life) => {
    life.jobsEnd(which, outcome);
    await story(life);
  };
}

/** A request is deleted while its Job `which` is at work. */
function withdrawing(request: RequestName, which: string, begin: Story = running): Story {
  return async (life) => {
    await ending(which, LASTS, asking(request, begin))(life);
    await life.works(which);
    await life.withdraw(request);
  };
}

/** A change of the spec is taken back while its Job `which` is at work. */
function takingBack(operation: JsonPatchOperation, which: string, back: JsonPatchOperation): Story {
  return async (life) => {
    await ending(which, LASTS, changing(operation))(life);
    await life.works(which);
    await life.change(back);
  };
}

type Rows = Readonly<Partial<Record<Guard, readonly [to: Phase, story: Story]>>>;

/** What may be wished of an instance that has begun so. */
function wishes(begin: Begin): Rows {
  return {
    databaseToRecreate: ["Uninitialized", losing(begin)],
    upgradeRequested: ["Upgrading", asking("upgrade", begin)],
    backupRequested: ["BackingUp", asking("backup", begin)],
    restoreRequested: ["Restoring", asking("restore", begin)],
    refreshRequested: ["CloningFromSource", asking("refresh", begin)],
    databaseMigrationRequested: ["MigratingDatabase", changing(ELSEWHERE, begin)],
    filestoreToMove: ["MigratingFilestore", changing(SECOND_CLASS, begin)],
  };
}

/** By phase and guard: where the row leads, and what leads there. */
const LIVES: Readonly<Record<Phase, Rows>> = {
  Provisioning: {
    configurationInvalid: ["Error", (life) => life.create({ adminPasswordSecretRef: NO_SECRET })],
    databaseToRecreate: ["Uninitialized", async (life) => {
      await life.create({ database: { cluster: life.name, missingPolicy: "Recreate" } });
      await life.inPhase("Error");
      await life.sayInitialized();
      await life.setCluster(); // on which there is no database
    }],
    provisionedWithData: ["Starting", async (life) => {
      await unconfigured(life);
      await life.sayInitialized();
      await life.change({ op: "remove", path: PASSWORD_REF });
    }],
    provisioned: ["Uninitialized", (life) => life.create()],
  },
  Error: {
    configurationValid: ["Provisioning", async (life) => {
      await life.create({ adminPasswordSecretRef: NO_SECRET });
      await life.inPhase("Error");
      await life.change({ op: "remove", path: PASSWORD_REF });
    }],
  },
  Uninitialized: {
    configurationInvalid: ["Error", unconfigured],
    dbInitialized: ["Starting", async (life) => {
      await empty(life);
      await life.sayInitialized();
    }],
    initRequested: ["Initializing", asking("init", empty)],
    restoreRequested: ["Restoring", asking("restore", empty)],
    refreshRequested: ["CloningFromSource", asking("refresh", empty)],
  },
  Initializing: {
    operationSucceeded: ["Starting", asking("init", empty)],
    operationFailed: ["InitFailed", ending("init", FAILS, asking("init", empty))],
    operationCancelled: ["Uninitialized", withdrawing("init", "init", empty)],
  },
  InitFailed: {
    initRequested: ["Initializing", asking("init", initFailed)],
    restoreRequested: ["Restoring", asking("restore", initFailed)],
    refreshRequested: ["CloningFromSource", asking("refresh", initFailed)],
  },
  Starting: {
    ...wishes(AT_REST.Starting),
    wantsZero: ["Stopped", changing(scaled(0), AT_REST.Starting)],
    allReady: ["Running", AT_REST.Running],
  },
  Running: {
    ...wishes(AT_REST.Running),
    wantsZero: ["Stopped", changing(scaled(0), AT_REST.Running)],
    someReady: ["Degraded", AT_REST.Degraded],
    noneReady: ["Starting", losingPods(AT_REST.Running)],
  },
  Degraded: {
    ...wishes(AT_REST.Degraded),
    wantsZero: ["Stopped", changing(scaled(0), AT_REST.Degraded)],
    allReady: ["Running", changing({ op: "remove", path: "/spec/nodeSelector" }, AT_REST.Degraded)],
    noneReady: ["Starting", losingPods(AT_REST.Degraded)],
  },
  Stopped: {
    ...wishes(AT_REST.Stopped),
    wantsSome: ["Starting", changing(scaled(1), AT_REST.Stopped)],
  },
  Upgrading: {
    operationSucceeded: ["Running", asking("upgrade")],
    operationFailed: ["Running", ending("upgrade", FAILS, asking("upgrade"))],
    operationAbandoned: ["Running", withdrawing("upgrade", "upgrade")],
  },
  BackingUp: {
    operationSucceeded: ["Running", asking("backup")],
    operationFailed: ["Running", ending("backup", FAILS, asking("backup"))],
    operationAbandoned: ["Running", withdrawing("backup", "backup")],
  },
  Restoring: {
    failedWithoutData: ["InitFailed", ending("restore", FAILS, asking("restore", empty))],
    cancelledWithoutData: ["Uninitialized", withdrawing("restore", "restore", empty)],
    operationSucceeded: ["Starting", asking("restore")],
    operationFailed: ["Running", ending("restore", FAILS, asking("restore"))],
    operationAbandoned: ["Running", withdrawing("restore", "restore")],
  },
  CloningFromSource: {
    failedWithoutData: ["InitFailed", ending("copy", FAILS, asking("refresh", empty))],
    cancelledWithoutData: ["Uninitialized", withdrawing("refresh", "copy", empty)],
    operationSucceeded: ["Starting", asking("refresh")],
    operationFailed: ["Running", ending("copy", FAILS, asking("refresh"))],
    operationAbandoned: ["Running", withdrawing("refresh", "copy")],
  },
  MigratingDatabase: {
    databaseCopied: ["FinalizingDatabaseMigration", changing(ELSEWHERE)],
    databaseMigrationFailed: ["Starting", ending("copy", FAILS, changing(ELSEWHERE))],
    databaseMigrationOver: ["Starting", takingBack(ELSEWHERE, "copy", BACK)],
  },
  FinalizingDatabaseMigration: {
    provisionedWithData: ["Starting", changing(ELSEWHERE)],
  },
  MigratingFilestore: {
    operationFailed: ["Running", ending("copy", FAILS, changing(SECOND_CLASS))],
    operationCancelled: ["Running", takingBack(SECOND_CLASS, "copy", FIRST_CLASS)],
    filestoreCopied: ["FinalizingFilestoreMigration", changing(SECOND_CLASS)],
  },
  FinalizingFilestoreMigration: {
    operationSucceeded: ["Starting", changing(SECOND_CLASS)],
    operationFailed: ["Starting", ending("compare", FAILS, changing(SECOND_CLASS))],
    operationCancelled: ["Starting", takingBack(SECOND_CLASS, "compare", FIRST_CLASS)],
  },
};

/** The same, by sentence. */
const STORIES: ReadonlyMap<string, Story> = new Map(
  Object.entries(LIVES).flatMap(([from, rows]) =>
    Object.entries(rows).map(([when, [to, story]]) => [rowOf(from as Phase, when as Guard, to), story])
  ),
);

let stage: RowStage;
/** How they have ended. */
const ends = new Map<string, Promise<PromiseSettledResult<void>[]>>();

Deno.test.beforeAll(async () => {
  stage = await RowStage.start();
  const slots = new Slots(AT_A_TIME);
  for (const [index, [row, story]] of [...STORIES].entries()) {
    const life = new Life(stage, `row-${index + 1}`);
    const lived = slots.use(async () => {
      await story(life);
      await life.fires(row);
    });
    ends.set(row, Promise.allSettled([lived]));
  }
});
Deno.test.afterAll(() => stage?.[Symbol.asyncDispose]());

for (const row of STORIES.keys()) {
  Deno.test(`${row}: the row fires`, async () => {
    for (const end of await ends.get(row) ?? []) if (end.status === "rejected") throw end.reason;
  });
}

Deno.test("TRANSITIONS has no row that never fires on the real control plane, and no other one does", async () => {
  await Promise.all(ends.values());
  const fired = await stage.fired.all();
  assertEquals({ missing: unfiredRows(fired), strange: strangeRows(fired) }, { missing: [], strange: [] });
});
