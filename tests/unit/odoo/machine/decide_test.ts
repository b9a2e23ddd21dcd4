import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import { describeMachine, diagram } from "../../../../src/odoo/machine/diagram.ts";
import { TRANSITIONS } from "../../../../src/odoo/machine/transitions.ts";
import { INSTANCE_FINALIZER } from "../../../../src/odoo/model/names.ts";
import type { Plan } from "../../../../src/odoo/model/plan.ts";
import {
  aDeployment,
  anAddress,
  aSecret,
  aWorld,
  emptyFacts,
  ownedFacts,
  unknownFacts,
  type WorldOverrides,
} from "../../../support/builders.ts";
import { DATABASE_MIGRATIONS } from "./database_migration_worlds.ts";
import { only, statusOf } from "./plan_parts.ts";
import { ALL_PHASES } from "./worlds.ts";
import { flattened } from "../../../support/flat_effects.ts";

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
  assertEquals(flattened(plan.effects).map(({ type }) => type), [
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
  assertEquals(flattened(changed.effects).slice(0, 2).map(({ type }) => type), ["ensureRole", "renderConfig"]);
  assertEquals(decide(aWorld()).effects.filter(({ type }) => type !== "apply").map(({ type }) => type), ["status"]);
});

Deno.test("decide() records the cluster before it makes anything there", () => {
  const cluster = { address: anAddress(), facts: emptyFacts() };
  const plan = decide(aWorld({ phase: "Provisioning", status: { activeCluster: undefined }, cluster }));
  assertEquals(flattened(plan.effects).map(({ type }) => type), ["status"]);
  assertEquals(statusOf(plan).activeCluster, "main");
});

Deno.test("decide() applies no Deployment while the configuration has not been rendered", () => {
  assertEquals(replicas(decide(aWorld({ observed: { configSecret: undefined } })), "shop"), undefined);
});

const SCALES: Readonly<
  Record<string, { readonly given: WorldOverrides; readonly want: readonly (number | undefined)[] }>
> = {
  "Running with 2 wanted": { given: { instance: { spec: { replicas: 2 } } }, want: [2, 1] },
  "Running with 0 wanted": { given: { instance: { spec: { replicas: 0 } } }, want: [0, 0] },
  "BackingUp with 0 wanted": { given: { phase: "BackingUp", instance: { spec: { replicas: 0 } } }, want: [0, 0] },
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

Deno.test("decide() goes on saying that a migration has failed while what it left is removed", () => {
  const failed = DATABASE_MIGRATIONS["is asked for again though it has failed"];
  const plan = decide(aWorld({ ...failed, status: { ...failed?.status, migrationTargetCluster: "other" } }));
  const status = plan.effects.flatMap((effect) => effect.type === "status" ? [effect.status] : [])[0];
  const condition = status?.conditions?.find(({ type }) => type === "DatabaseMigrated");
  assertEquals([condition?.status, condition?.reason, condition?.observedGeneration], ["False", "RowCountsDiffer", 1]);
});
