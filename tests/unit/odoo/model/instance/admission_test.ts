import { assert, assertEquals, assertMatch } from "@std/assert";
import type { AdmissionRequest } from "../../../../../src/kit/admission_review.ts";
import type { OdooInstance, OdooInstanceSpec, OdooInstanceStatus, Phase } from "../../../../../src/odoo/crd/mod.ts";
import { judgeInstance } from "../../../../../src/odoo/model/instance/admission.ts";
import { anInstance, INSTANCE_UID } from "../../../../support/builders.ts";

interface Case {
  /** Absent: the instance is created. */
  readonly before?: Partial<OdooInstanceSpec>;
  readonly after: Partial<OdooInstanceSpec>;
  readonly status?: Partial<OdooInstanceStatus>;
  readonly name?: string;
  readonly request?: Partial<AdmissionRequest<OdooInstance>>;
  /** The message, or nothing if the write may pass. */
  readonly want?: RegExp;
}

const OPERATOR = "system:serviceaccount:operators:odoo-operator";

function judge(given: Case) {
  const { before, after, status = {}, name = "shop", request = {} } = given;
  const instance = (spec: Partial<OdooInstanceSpec>): OdooInstance => ({
    ...anInstance({ metadata: { name }, status }),
    spec: { adminPassword: "secret", ingress: { hosts: ["shop.example.com"] }, ...spec },
  });
  return judgeInstance({
    uid: "1",
    operation: before ? "UPDATE" : "CREATE",
    object: instance(after),
    ...(before ? { oldObject: instance(before) } : {}),
    userInfo: { username: "jane" },
    ...request,
  }, { operatorUser: OPERATOR });
}

const size = (storageSize: string | number) => ({ filestore: { storageSize } });
const cluster = (cluster: string) => ({ database: { cluster } });
const storageClass = (storageClass: string) => ({ filestore: { storageClass } });
const database = (name: string) => ({ database: { name } });
const SHRINKS = /^spec\.filestore\.storageSize: cannot decrease from "/;
const NO_SIZE = /^spec\.filestore\.storageSize: ".*" is not a size/;

const CASES: Readonly<Record<string, Case>> = {
  "the size grows": { before: size("10Gi"), after: size("20Gi") },
  "the size stays the same in another unit": { before: size("1Gi"), after: size("1024Mi") },
  "the size shrinks": { before: size("20Gi"), after: size("10Gi"), want: SHRINKS },
  "the size shrinks by its unit": { before: size("1Gi"), after: size("1G"), want: SHRINKS },
  "the size shrinks in exponents": { before: size("2e9"), after: size("1E9"), want: SHRINKS },
  "the size shrinks in petabytes": { before: size("1Pi"), after: size("1P"), want: SHRINKS },
  "the size grows from a number to exabytes": { before: size(5_000_000_000), after: size("1E") },
  "the size grows from thousandths": { before: size("1500m"), after: size("2") },
  "the size is taken out": { before: size("20Gi"), after: {} },
  "the size is emptied": { before: size("20Gi"), after: size("") },
  "a first size is written": { before: {}, after: size("1Gi") },
  "a new size is no quantity": { before: size("1Gi"), after: size("2 GB"), want: NO_SIZE },
  "a new size is negative": { before: size("1Gi"), after: size("-2Gi"), want: NO_SIZE },
  "a new size is very long": { before: size("1Gi"), after: size("9".repeat(900) + "x"), want: /^.{1,200}$/ },
  "the former size is no quantity and stays": { before: size("huge"), after: { ...size("huge"), replicas: 3 } },
  "the former size is no quantity and is corrected": { before: size("huge"), after: size("1Gi") },
  "an instance is created with a quantity": { after: size("1Ei") },
  "an instance is created with no quantity": { after: size("big"), want: NO_SIZE },
  "an instance is created with an empty size": { after: size("0Gi"), want: NO_SIZE },

  "the cluster changes while it runs": { before: cluster("a"), after: cluster("b"), status: { phase: "Running" } },
  "the cluster changes before a phase is known": { before: cluster("a"), after: cluster("b") },
  "the cluster changes back to where the data was": {
    before: cluster("b"),
    after: cluster("a"),
    status: { phase: "MigratingDatabase", migrationPreviousCluster: "a" },
  },
  "the cluster changes to a third one during a move": {
    before: cluster("b"),
    after: cluster("c"),
    status: { phase: "MigratingDatabase", migrationPreviousCluster: "a" },
    want: /^spec\.database\.cluster: cannot change from "b" to "c" in phase MigratingDatabase/,
  },
  "the cluster is named for the first time, as another": {
    before: {},
    after: cluster("b"),
    status: { phase: "Upgrading", activeCluster: "a" },
    want: /^spec\.database\.cluster: cannot change from "a" to "b" in phase Upgrading/,
  },
  "the cluster is named for the first time, as it is": {
    before: {},
    after: cluster("a"),
    status: { phase: "Upgrading", activeCluster: "a" },
  },
  "the cluster is taken out": { before: cluster("a"), after: {}, status: { phase: "Upgrading" } },
  "the storage class changes while it runs": {
    before: storageClass("slow"),
    after: storageClass("fast"),
    status: { phase: "Running" },
  },
  "the storage class changes back during a move": {
    before: storageClass("fast"),
    after: storageClass("slow"),
    status: { phase: "MigratingFilestore", migrationPreviousStorageClass: "slow" },
  },
  "the storage class is the default's at first": {
    before: {},
    after: storageClass("fast"),
    status: { phase: "Uninitialized" },
  },

  "an instance is created as it should be": { after: {} },
  "an instance is created under a name that cannot be used": {
    name: "1shop",
    after: {},
    want: /^metadata\.name: The name cannot be used/,
  },
  "an instance is created without hosts": {
    after: { ingress: { hosts: [] } },
    want: /^spec\.ingress\.hosts is empty/,
  },
  "an instance is created with an impossible database": {
    after: { database: { name: "a\0" } },
    want: /^spec\.database\.name cannot be used/,
  },
  "an instance is created with a line break in an option": {
    after: { configOptions: { workers: "4\nadmin_passwd = x" } },
    want: /^spec\.configOptions\."workers" contains/,
  },
  "an instance is edited that has an impossible name": { name: "1shop", before: {}, after: { replicas: 2 } },
  "an instance is edited that has no hosts": {
    before: { ingress: { hosts: [] } },
    after: { ingress: { hosts: [] }, replicas: 2 },
  },
  "hosts are taken out": {
    before: { ingress: { hosts: ["a.example.com"] } },
    after: { ingress: { hosts: [] } },
    want: /^spec\.ingress\.hosts is empty/,
  },
  "one of two broken options is corrected": {
    before: { configOptions: { a: "1\n", b: "2\n" } },
    after: { configOptions: { a: "1", b: "2\n" } },
  },
  "a broken option is broken in another way": {
    before: { configOptions: { a: "1\n" } },
    after: { configOptions: { a: "2\n" } },
    want: /^spec\.configOptions\."a" contains/,
  },
  "a second option is broken": {
    before: { configOptions: { b: "2\n" } },
    after: { configOptions: { a: "1\n", b: "2\n" } },
    want: /^spec\.configOptions\."a" contains/,
  },
  "a broken database name is broken in another way": {
    before: { database: { name: "a\0" } },
    after: { database: { name: "b\0" } },
    want: /^spec\.database\.name cannot be used/,
  },

  "an existing database gets another name": {
    before: database("one"),
    after: database("two"),
    status: { dbInitialized: true },
    want: /^spec\.database\.name: cannot change to "two" once the database exists: set it to "one"/,
  },
  "an existing database loses its name": {
    before: database("one"),
    after: {},
    status: { dbInitialized: true, databaseName: "one" },
    want: /^spec\.database\.name: cannot change to "odoo_.*" once .* set it to "one"/,
  },
  "an existing database gets a third name": {
    before: database("two"),
    after: database("three"),
    status: { dbInitialized: true, databaseName: "one" },
    want: /set it to "one"/,
  },
  "an existing database gets its own name back": {
    before: database("two"),
    after: database("one"),
    status: { dbInitialized: true, databaseName: "one" },
  },
  "an existing database is called what it is called anyway": {
    before: {},
    after: database(`odoo_${INSTANCE_UID.replaceAll("-", "_")}`),
    status: { dbInitialized: true },
  },
  "a database that does not exist gets another name": { before: database("one"), after: database("two") },
  "an instance is edited whose database was renamed long ago": {
    before: database("two"),
    after: { ...database("two"), replicas: 2 },
    status: { dbInitialized: true, databaseName: "one" },
  },

  "the operator shrinks": {
    before: size("2Gi"),
    after: size("1Gi"),
    request: { userInfo: { username: OPERATOR } },
  },
  "a client without a user name shrinks": {
    before: size("2Gi"),
    after: size("1Gi"),
    request: { userInfo: {} },
    want: SHRINKS,
  },
  "the status is written": { before: size("2Gi"), after: size("1Gi"), request: { subResource: "status" } },
  "it is deleted": { before: size("2Gi"), after: size("1Gi"), request: { operation: "DELETE" } },
  "it is being deleted": {
    before: size("2Gi"),
    after: size("1Gi"),
    request: {
      object: anInstance({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" }, spec: size("1Gi") }),
    },
  },
  "there is no object": { before: {}, after: {}, request: { object: null } },
};

for (const [sentence, given] of Object.entries(CASES)) {
  Deno.test(`judgeInstance() ${given.want ? "denies" : "allows"} a write when ${sentence}`, () => {
    const verdict = judge(given);
    if (!given.want) return assertEquals(verdict, { allowed: true });
    assert(!verdict.allowed);
    assertMatch(verdict.message, given.want);
  });
}

const PHASES: Readonly<Record<Phase, readonly ("cluster" | "class")[]>> = {
  Provisioning: [],
  Uninitialized: ["cluster", "class"],
  Initializing: [],
  InitFailed: [],
  Starting: [],
  Running: [],
  Degraded: [],
  Stopped: [],
  Upgrading: ["cluster", "class"],
  Restoring: ["cluster", "class"],
  CloningFromSource: [],
  BackingUp: ["cluster", "class"],
  MigratingFilestore: ["cluster", "class"],
  FinalizingFilestoreMigration: ["cluster", "class"],
  MigratingDatabase: ["cluster"],
  FinalizingDatabaseMigration: ["cluster"],
  Error: [],
};

for (const [phase, fixed] of Object.entries(PHASES)) {
  Deno.test(`judgeInstance() keeps ${fixed.join(" and ") || "nothing"} where it is when the phase is ${phase}`, () => {
    const status = { phase: phase as Phase };
    const moved = judge({ before: cluster("a"), after: cluster("b"), status });
    const reclassed = judge({ before: storageClass("a"), after: storageClass("b"), status });
    assertEquals([moved.allowed, reclassed.allowed], [!fixed.includes("cluster"), !fixed.includes("class")]);
  });
}

Deno.test("judgeInstance() allows a write when only the order of the spec's keys and the metadata are different", () => {
  const broken = { ingress: { hosts: [] }, filestore: { storageSize: "huge", storageClass: "a" } };
  const reordered = { filestore: { storageClass: "a", storageSize: "huge" }, ingress: { hosts: [] } };
  const before = anInstance({ spec: broken });
  const object = anInstance({ metadata: { finalizers: ["bemade.org/postgres-cleanup"] }, spec: reordered });
  const request = { uid: "1", operation: "UPDATE", object, oldObject: before } as const;
  assertEquals(judgeInstance(request), { allowed: true });
});
