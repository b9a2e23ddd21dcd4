/** What decide() makes of requests: their Jobs, and what they are told. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { OdooInitJob, OdooUpgradeJob } from "../../../../src/odoo/crd/mod.ts";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import { OUTCOME_FINALIZER } from "../../../../src/odoo/model/names.ts";
import {
  aBatchJob,
  anInitJob,
  anUpgradeJob,
  aSecret,
  aWorld,
  oneJob,
  type WorldOverrides,
} from "../../../support/builders.ts";
import { INITS, JOB_NAME, OPERATION, UPGRADE_OPERATION } from "./operation_worlds.ts";
import { only, statusOf } from "./plan_parts.ts";
import { ALL_PHASES } from "./worlds.ts";

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
        message: `Job ${JOB_NAME} is running`,
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

Deno.test("decide() tells request and instance when a Job is created, but only the request when it is one more Job", () => {
  const told = (status: OdooUpgradeJob["status"]) => {
    const requests = [anUpgradeJob({ status })];
    const world = {
      phase: "Upgrading",
      status: { operation: UPGRADE_OPERATION },
      observed: { requests, endingPods: [] },
    };
    return only(decide(aWorld(world as WorldOverrides)), "event").map(({ about, reason }) => [about.kind, reason]);
  };
  assertEquals(told({}), [["OdooUpgradeJob", "UpgradeStarted"], ["OdooInstance", "UpgradeStarted"]]);
  assertEquals(told({ phase: "Running", jobName: "former" }), [["OdooUpgradeJob", "UpgradeContinued"]]);
});

Deno.test("decide() leaves it to the phases to tell the instance that its initialisation has begun", () => {
  const status = { dbInitialized: false, operation: OPERATION };
  const plan = decide(aWorld({ phase: "Initializing", status, observed: { requests: [anInitJob()] } }));
  assertEquals(only(plan, "event").map(({ about, reason }) => [about.kind, reason]), [["OdooInitJob", "InitStarted"]]);
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

function observing(init: keyof typeof INITS): Pick<WorldOverrides, "observed"> {
  const { observed } = INITS[init] ?? {};
  assert(observed);
  return { observed };
}
