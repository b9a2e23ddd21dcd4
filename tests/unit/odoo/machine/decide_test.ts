import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { OdooInitJob } from "../../../../src/odoo/crd/mod.ts";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import { describeMachine, diagram } from "../../../../src/odoo/machine/diagram.ts";
import { TRANSITIONS } from "../../../../src/odoo/machine/transitions.ts";
import { INSTANCE_FINALIZER, OUTCOME_FINALIZER } from "../../../../src/odoo/model/names.ts";
import type { Effect, Plan } from "../../../../src/odoo/model/plan.ts";
import {
  aBatchJob,
  aDeployment,
  anAddress,
  anInitJob,
  aSecret,
  aWorld,
  emptyFacts,
  oneJob,
  ownedFacts,
  unknownFacts,
  type WorldOverrides,
} from "../../../support/builders.ts";
import { DATABASE_MIGRATIONS } from "./database_migration_worlds.ts";
import { INITS, JOB_NAME, OPERATION } from "./operation_worlds.ts";
import { ALL_PHASES } from "./worlds.ts";

function only<T extends Effect["type"]>(plan: Plan, type: T): (Effect & { readonly type: T })[] {
  return plan.effects.filter((effect): effect is Effect & { readonly type: T } => effect.type === type);
}

function statusOf(plan: Plan) {
  const [status] = only(plan, "status");
  assert(status);
  return status.status;
}

function readyOf(plan: Plan) {
  const ready = statusOf(plan).conditions?.find(({ type }) => type === "Ready");
  return [ready?.status, ready?.reason];
}

function applied(plan: Plan): string[] {
  return only(plan, "apply").map(({ object }) => `${object.kind} ${object.metadata?.name}`);
}

/** Replicas that the plan applies to a Deployment; `undefined` if it does not touch it. */
function replicas(plan: Plan, name: string): number | undefined {
  const found = only(plan, "apply").find(({ object }) =>
    object.kind === "Deployment" && object.metadata?.name === name
  );
  return (found?.object as { readonly spec?: { readonly replicas?: number } } | undefined)?.spec?.replicas;
}

Deno.test("decide() puts finalizer and defaults in one patch, and does nothing else, when either is missing", () => {
  const plan = decide(aWorld({ instance: { metadata: { finalizers: ["other/finalizer"] }, spec: { image: null } } }));
  assertEquals(plan.effects, [{
    type: "patchInstance",
    operations: [
      { op: "test", path: "/metadata/resourceVersion", value: "10" },
      { op: "add", path: "/metadata/finalizers", value: ["other/finalizer", INSTANCE_FINALIZER] },
      { op: "add", path: "/spec/image", value: "odoo:18.0" },
    ],
  }]);
});

Deno.test("decide() takes our Update entries out of managedFields, the last first, and nobody else's", () => {
  const managedFields = [
    { manager: "kubectl", operation: "Update" },
    { manager: "odoo-operator", operation: "Apply" },
    { manager: "odoo-operator", operation: "Update", subresource: "status" },
    { manager: "odoo-operator", operation: "Update", subresource: "scale" },
    { manager: "odoo-operator", operation: "Update" },
  ] as const;
  const [first] = only(decide(aWorld({ instance: { metadata: { managedFields } } })), "patchInstance");
  assertEquals(first?.operations.filter(({ op }) => op === "remove").map(({ path }) => path), [
    "/metadata/managedFields/4",
    "/metadata/managedFields/2",
  ]);
  assertEquals(only(decide(aWorld()), "patchInstance"), []);
});

Deno.test("decide() makes everything in the order of the contract when nothing is there", () => {
  const nothing = {
    userSecret: undefined,
    configSecret: undefined,
    filestore: undefined,
    web: undefined,
    cron: undefined,
  };
  const plan = decide(aWorld({
    phase: "Provisioning",
    status: { dbInitialized: false },
    cluster: { address: anAddress(), facts: emptyFacts() },
    observed: nothing,
  }));
  assertEquals(plan.effects.map(({ type }) => type), [
    "ensureUserSecret",
    "ensureRole",
    "ensureDatabase",
    "renderConfig",
    "apply",
    "apply",
    "apply",
    "apply",
    "apply",
    "status",
  ]);
  assertEquals(applied(plan), [
    "PersistentVolumeClaim shop-filestore-pvc",
    "ConfigMap shop-odoo-conf",
    "Service shop",
    "Service shop-blocked",
    "Ingress shop",
  ]);
});

Deno.test("decide() gives the role its password again, and renders odoo.conf, when the Secret has another version", () => {
  const changed = decide(aWorld({ observed: { userSecret: aSecret("shop-odoo-user", { version: "uid/99" }) } }));
  assertEquals(changed.effects.slice(0, 2).map(({ type }) => type), ["ensureRole", "renderConfig"]);
  assertEquals(decide(aWorld()).effects.filter(({ type }) => type !== "apply").map(({ type }) => type), ["status"]);
});

Deno.test("decide() records the cluster before it makes anything there", () => {
  const cluster = { address: anAddress(), facts: emptyFacts() };
  const plan = decide(aWorld({ phase: "Provisioning", status: { activeCluster: undefined }, cluster }));
  assertEquals(plan.effects.map(({ type }) => type), ["status"]);
  assertEquals(statusOf(plan).activeCluster, "main");
});

Deno.test("decide() applies no Deployment while the configuration has not been rendered", () => {
  assertEquals(replicas(decide(aWorld({ observed: { configSecret: undefined } })), "shop"), undefined);
});

const SCALES: Readonly<
  Record<string, { readonly given: WorldOverrides; readonly want: readonly (number | undefined)[] }>
> = {
  "Running with 2 wanted": { given: { instance: { spec: { replicas: 2 } } }, want: [2, 1] },
  "Running with 0 wanted": { given: { instance: { spec: { replicas: 0 } } }, want: [0, 1] },
  "Stopped": { given: { phase: "Stopped" }, want: [0, 0] },
  "Initializing": { given: { phase: "Initializing" }, want: [0, 0] },
  "Upgrading, which leaves the web pods as they are": { given: { phase: "Upgrading" }, want: [undefined, 0] },
  "Upgrading with another number of pods wanted": {
    given: { phase: "Upgrading", observed: { web: aDeployment("shop", { replicas: 3 }) } },
    want: [1, 0],
  },
  "Provisioning without Deployments": {
    given: { phase: "Provisioning", observed: { web: undefined, cron: undefined } },
    want: [undefined, undefined],
  },
};

for (const [sentence, { given, want }] of Object.entries(SCALES)) {
  Deno.test(`decide() scales web and cron to ${want.map(String).join(" and ")} when ${sentence}`, () => {
    const plan = decide(aWorld(given));
    assertEquals([replicas(plan, "shop"), replicas(plan, "shop-cron")], want);
  });
}

Deno.test("decide() exchanges the Ingress for an HTTPRoute when a Gateway is named, and back", () => {
  const left = { metadata: { name: "shop", namespace: "blue", uid: "u", resourceVersion: "1" } };
  const gateway = { spec: { ingress: { gatewayRef: { name: "edge", namespace: "net" } } } };
  const forth = decide(aWorld({ instance: gateway, observed: { ingress: { kind: "Ingress", ...left } } }));
  assertEquals(only(forth, "deleteChild").map(({ object }) => object.kind), ["Ingress"]);
  assert(applied(forth).includes("HTTPRoute shop") && !applied(forth).includes("Ingress shop"));
  const back = decide(aWorld({ observed: { route: { kind: "HTTPRoute", ...left } } }));
  assertEquals(only(back, "deleteChild").map(({ object }) => object.kind), ["HTTPRoute"]);
  assert(applied(back).includes("Ingress shop") && !applied(back).includes("HTTPRoute shop"));
});

Deno.test("decide() asks for an initialisation once, with what the spec says", () => {
  const uninitialized = { phase: "Uninitialized", status: { dbInitialized: false } } as const;
  const instance = {
    spec: {
      init: { modules: ["sale", "crm"], demo: true, languages: ["fr_CA"], webhook: { url: "https://x.example.com" } },
    },
  };
  const [request] = only(decide(aWorld({ ...uninitialized, instance })), "create");
  assertEquals(request?.object.metadata?.name, "shop-auto-init");
  assertEquals((request?.object as OdooInitJob).spec, {
    odooInstanceRef: { name: "shop" },
    modules: ["sale", "crm"],
    demo: true,
    languages: ["fr_CA"],
    webhook: { url: "https://x.example.com" },
  });
  const former = anInitJob({ metadata: { name: "shop-auto-init" }, status: { phase: "Failed" } });
  const silent: Record<string, WorldOverrides> = {
    "spec.init.enabled is false": { instance: { spec: { init: { enabled: false } } } },
    "it is to be cloned": { instance: { spec: { productionInstanceRef: { name: "prod" } } } },
    "somebody asks already": { observed: { requests: [anInitJob()] } },
    "we have asked before": { observed: { requests: [former] } },
  };
  for (const [when, given] of Object.entries(silent)) {
    assertEquals(only(decide(aWorld({ ...uninitialized, ...given })), "create"), [], when);
  }
});

Deno.test("decide() begins with the oldest request, and remembers CR and Job in the write that enters Initializing", () => {
  const requests = [anInitJob(), anInitJob({ metadata: { name: "second", uid: "another-uid" } })];
  const status = statusOf(
    decide(aWorld({ phase: "Uninitialized", status: { dbInitialized: false }, observed: { requests } })),
  );
  assertEquals(status.phase, "Initializing");
  assertEquals(status.operation, OPERATION);
});

Deno.test("decide() creates the Job with its finalizer and without a time to live, and says so in the CR", () => {
  const world = aWorld({
    phase: "Initializing",
    status: { dbInitialized: false, operation: OPERATION },
    observed: { requests: [anInitJob()] },
  });
  const plan = decide(world);
  const [create] = only(plan, "create");
  assertEquals(create?.object.metadata?.name, JOB_NAME);
  assertEquals(create?.object.metadata?.finalizers, [OUTCOME_FINALIZER]);
  assertEquals(
    (create?.object as { spec?: { ttlSecondsAfterFinished?: number } }).spec?.ttlSecondsAfterFinished,
    undefined,
  );
  assertEquals(create?.owner.metadata.uid, anInitJob().metadata.uid);
  assertEquals(only(plan, "jobStatus").map(({ status }) => status), [
    {
      phase: "Running",
      jobName: JOB_NAME,
      startTime: "2026-11-21 04:00:00",
      conditions: [{
        type: "Succeeded",
        status: "Unknown",
        reason: "Running",
        message: `Job ${JOB_NAME} is at work`,
        observedGeneration: 1,
        lastTransitionTime: "2026-11-21T04:00:00Z",
      }],
      observedGeneration: 1,
    },
  ]);
});

Deno.test("decide() makes the Secret of the login admin before the Job that reads it, and never again", () => {
  const given = { phase: "Initializing", status: { dbInitialized: false, operation: OPERATION } } as const;
  const requests = [anInitJob()];
  const plan = decide(aWorld({ ...given, observed: { requests } }));
  assertEquals(only(plan, "ensureUserSecret"), [{
    type: "ensureUserSecret",
    name: "shop-admin",
    username: "admin",
    labels: { "bemade.org/environment": "staging", "bemade.org/instance": "shop" },
  }]);
  const types = plan.effects.map(({ type }) => type);
  assert(types.indexOf("ensureUserSecret") < types.indexOf("create"));
  const present = { requests, adminSecret: aSecret("shop-admin") };
  assertEquals(only(decide(aWorld({ ...given, observed: present })), "ensureUserSecret"), []);
});

Deno.test("decide() waits with the Job while another one works in the same database", () => {
  const other = oneJob(aBatchJob("other-job"), { state: "active" });
  const plan = decide(aWorld({
    phase: "Initializing",
    status: { dbInitialized: false, operation: OPERATION },
    observed: { requests: [anInitJob()], ...other },
  }));
  assertEquals([only(plan, "create"), only(plan, "jobStatus")], [[], []]);
});

Deno.test("decide() records success in the CR and the instance, and starts", () => {
  const plan = decide(
    aWorld({
      phase: "Initializing",
      status: { dbInitialized: false, operation: OPERATION },
      ...observing("its Job has succeeded"),
    }),
  );
  assertEquals(only(plan, "jobStatus").map(({ status }) => [status.phase, status.completionTime]), [[
    "Completed",
    "2026-11-21 04:00:00",
  ]]);
  const { phase, dbInitialized, operation } = statusOf(plan);
  assertEquals({ phase, dbInitialized, operation }, { phase: "Starting", dbInitialized: true, operation: undefined });
});

Deno.test("decide() tells of the failure at hand, not of an earlier one", () => {
  const former = anInitJob({
    metadata: { name: "former", uid: "former" },
    status: { phase: "Failed", message: "old news" },
  });
  const started = anInitJob({ status: { phase: "Running", jobName: JOB_NAME } });
  const plan = decide(aWorld({
    phase: "Initializing",
    status: { dbInitialized: false, operation: OPERATION },
    observed: {
      requests: [former, started],
      ...oneJob(aBatchJob(JOB_NAME), { state: "failed", message: "out of memory" }),
    },
  }));
  assertEquals(statusOf(plan).phase, "InitFailed");
  assertEquals(
    statusOf(plan).message,
    "OdooInitJob first failed: The Job ended before sale could be installed: out of memory. Create a new OdooInitJob to try again",
  );
  assertStringIncludes(only(plan, "event").at(-1)?.note ?? "", "out of memory");
});

Deno.test("decide() refuses in any phase a request from another namespace, and any once there is data", () => {
  const stray = anInitJob({ spec: { odooInstanceRef: { namespace: "red" } } });
  for (const phase of ALL_PHASES) {
    for (const [cr, dbInitialized] of [[stray, false], [anInitJob(), true]] as const) {
      const plan = decide(aWorld({ phase, status: { dbInitialized }, observed: { requests: [cr] } }));
      assertEquals(only(plan, "jobStatus").map(({ status }) => status.phase), ["Failed"], phase);
    }
  }
});

Deno.test("decide() lets a Job go in any phase once its CR is closed or gone, and not before", () => {
  const job = { ...oneJob(aBatchJob(JOB_NAME), { state: "active" }) };
  const closed = anInitJob({ status: { phase: "Completed", jobName: JOB_NAME } });
  for (const phase of ALL_PHASES) {
    const released = (requests: readonly ReturnType<typeof anInitJob>[]) =>
      only(decide(aWorld({ phase, status: { operation: OPERATION }, observed: { requests, ...job } })), "releaseJob")
        .length;
    assertEquals([released([closed]), released([]), released([anInitJob()])], [1, 1, 0], phase);
  }
});

const READY: Readonly<Record<string, { readonly given: WorldOverrides; readonly want: readonly [string, string] }>> = {
  "it runs": { given: {}, want: ["True", "Running"] },
  "PostgreSQL does not answer the operator": {
    given: { cluster: { address: anAddress(), facts: unknownFacts() } },
    want: ["True", "Running"],
  },
  "its spec became wrong": {
    given: { instance: { spec: { ingress: { hosts: [] } } } },
    want: ["False", "HostsMissing"],
  },
  "its cluster left the Secret": {
    given: { cluster: { problem: { reason: "ClusterNotFound", message: "no such cluster" } } },
    want: ["False", "ClusterNotFound"],
  },
  "its database is gone": {
    given: { cluster: { address: anAddress(), facts: { ...ownedFacts(), databases: new Map() } } },
    want: ["False", "DatabaseMissing"],
  },
  "only some pods serve": {
    given: { instance: { spec: { replicas: 2 } } },
    want: ["False", "Degraded"],
  },
};

for (const [sentence, { given, want }] of Object.entries(READY)) {
  Deno.test(`decide() says Ready=${want[0]} (${want[1]}) of a running instance when ${sentence}`, () => {
    assertEquals(readyOf(decide(aWorld(given))), [...want]);
  });
}

Deno.test("decide() keeps the transition time of a condition whose status stays", () => {
  const first = statusOf(decide(aWorld()));
  const again = statusOf(decide(aWorld({ status: { conditions: first.conditions }, now: Date.UTC(2027, 0, 1) })));
  assertEquals(again.conditions, first.conditions);
  assertEquals(first.conditions?.[0]?.lastTransitionTime, "2026-11-21T04:00:00Z");
});

Deno.test("diagram() and describeMachine() show every row", () => {
  for (const { from, when, to } of TRANSITIONS) {
    assertStringIncludes(diagram(), `  ${from} --> ${to}: ${when}\n`);
    assertStringIncludes(describeMachine(), `| ${from} | ${when} | ${to} |`);
  }
  for (const phase of ALL_PHASES) assertStringIncludes(describeMachine(), `| ${phase} | `);
});

function observing(init: keyof typeof INITS): Pick<WorldOverrides, "observed"> {
  const { observed } = INITS[init] ?? {};
  assert(observed);
  return { observed };
}

Deno.test("decide() goes on saying that a migration has failed while what it left is removed", () => {
  const failed = DATABASE_MIGRATIONS["is asked for again though it has failed"];
  const plan = decide(aWorld({ ...failed, status: { ...failed?.status, migrationTargetCluster: "other" } }));
  const status = plan.effects.flatMap((effect) => effect.type === "status" ? [effect.status] : [])[0];
  const condition = status?.conditions?.find(({ type }) => type === "DatabaseMigrated");
  assertEquals([condition?.status, condition?.reason, condition?.observedGeneration], ["False", "RowCountsDiffer", 1]);
});
