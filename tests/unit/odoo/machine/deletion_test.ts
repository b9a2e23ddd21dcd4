import { assertEquals, assertStringIncludes } from "@std/assert";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import { INSTANCE_FINALIZER, roleName } from "../../../../src/odoo/model/names.ts";
import type { Plan } from "../../../../src/odoo/model/plan.ts";
import {
  aBatchJob,
  aDeployment,
  anAddress,
  anInstance,
  aSecret,
  aWorld,
  emptyFacts,
  INSTANCE_UID,
  oneJob,
  ownedFacts,
  unknownFacts,
  type WorldOverrides,
} from "../../../support/builders.ts";
import { INITS } from "./operation_worlds.ts";
import { ALL_PHASES } from "./worlds.ts";
import { flattened } from "../../../support/flat_effects.ts";

const ROLE = roleName({ namespace: "blue", name: "shop" });
const GONE = { web: undefined, cron: undefined };

/** A world whose instance is being deleted. */
function deleting(overrides: WorldOverrides = {}) {
  return aWorld({ ...overrides, instance: { metadata: { deletionTimestamp: "2026-11-21T03:59:00Z" } } });
}

function steps(plan: Plan): string[] {
  return flattened(plan.effects).map((effect) => {
    switch (effect.type) {
      case "deleteChild":
        return `delete ${effect.object.metadata.name}`;
      case "dropDatabase":
        return `drop database ${effect.database} of ${effect.uid}`;
      case "dropRole":
        return `drop role ${effect.role} of ${effect.uid}`;
      case "disown":
        return `set free ${effect.name}`;
      case "releaseJob":
        return `release ${effect.job.metadata.name}`;
      case "removeFinalizer":
        return `let go ${effect.finalizer}`;
      default:
        return effect.type;
    }
  });
}

function readyOf(plan: Plan) {
  const status = plan.effects.find((effect) => effect.type === "status");
  return status?.type === "status" ? status.status.conditions?.find(({ type }) => type === "Ready") : undefined;
}

Deno.test("decide() ends the pods before anything else when an instance is deleted", () => {
  assertEquals(steps(decide(deleting())), ["delete shop", "delete shop-cron", "status", "event"]);
});

Deno.test("decide() deletes no Deployment twice, and goes on when they are going", () => {
  const going = { deletionTimestamp: "2026-11-21T03:59:30Z" };
  const observed = { web: aDeployment("shop", going), cron: aDeployment("shop-cron", going) };
  assertEquals(
    steps(decide(deleting({ observed })))[0],
    `drop database odoo_${INSTANCE_UID.replaceAll("-", "_")} of ${INSTANCE_UID}`,
  );
});

Deno.test("decide() drops database, then role, releases and deletes the Jobs, and lets the instance go last", () => {
  const job = oneJob(aBatchJob("first-5c1d2e3f"), { state: "active" });
  assertEquals(steps(decide(deleting({ observed: { ...GONE, ...job } }))), [
    `drop database odoo_${INSTANCE_UID.replaceAll("-", "_")} of ${INSTANCE_UID}`,
    `drop role ${ROLE} of ${INSTANCE_UID}`,
    "release first-5c1d2e3f",
    "delete first-5c1d2e3f",
    `let go ${INSTANCE_FINALIZER}`,
  ]);
});

Deno.test("decide() drops every database of the role that is ours, and none of anybody else", () => {
  const facts = ownedFacts();
  const databases = new Map([
    ...facts.databases,
    ["copy", { name: "copy", owner: ROLE }],
    ["theirs", { name: "theirs", owner: "postgres", ownership: { uid: INSTANCE_UID } }],
  ]);
  const world = deleting({ observed: GONE, cluster: { address: anAddress(), facts: { ...facts, databases } } });
  assertEquals(
    steps(decide(world)).filter((step) => step.startsWith("drop database")).map((step) => step.split(" ")[2]),
    [
      "copy",
      `odoo_${INSTANCE_UID.replaceAll("-", "_")}`,
    ],
  );
});

const NOTHING_TO_DROP: Readonly<Record<string, WorldOverrides>> = {
  "nothing was ever made on a cluster": {
    status: { activeCluster: undefined },
    cluster: { problem: { reason: "ClusterNotFound", message: "no such cluster" } },
  },
  "the role bears the uid of somebody else": {
    cluster: { address: anAddress(), facts: ownedFacts(anInstance({ metadata: { uid: "somebody-else" } })) },
  },
  "the role is not signed": {
    cluster: { address: anAddress(), facts: { ...ownedFacts(), roles: new Map([[ROLE, { name: ROLE }]]) } },
  },
  "all is gone already": { cluster: { address: anAddress(), facts: emptyFacts() } },
};

for (const [sentence, given] of Object.entries(NOTHING_TO_DROP)) {
  Deno.test(`decide() drops nothing and lets the instance go when ${sentence}`, () => {
    assertEquals(steps(decide(deleting({ ...given, observed: GONE }))), [`let go ${INSTANCE_FINALIZER}`]);
  });
}

const OBSTACLES: Readonly<Record<string, { readonly given: WorldOverrides; readonly want: string }>> = {
  "the cluster does not answer": {
    given: { cluster: { address: anAddress(), facts: unknownFacts("DatabaseUnreachable") } },
    want: "DatabaseUnreachable",
  },
  "the cluster is not connected yet": {
    given: { cluster: { address: anAddress(), facts: unknownFacts("Connecting") } },
    want: "Connecting",
  },
  "the cluster is not in the Secret any more": {
    given: { cluster: { problem: { reason: "ClusterNotFound", message: "no such cluster" } } },
    want: "ClusterNotFound",
  },
  "a migration has left something on a cluster that does not answer": {
    given: {
      status: { migrationPreviousCluster: "old" },
      otherClusters: new Map([["old", { address: anAddress({ name: "old" }), facts: unknownFacts() }]]),
    },
    want: "DatabaseUnreachable",
  },
};

for (const [sentence, { given, want }] of Object.entries(OBSTACLES)) {
  Deno.test(`decide() keeps the finalizer and names the way out when ${sentence}`, () => {
    const plan = decide(deleting({ ...given, observed: GONE }));
    const ready = readyOf(plan);
    assertEquals([ready?.status, ready?.reason], ["False", want]);
    assertStringIncludes(ready?.message ?? "", INSTANCE_FINALIZER);
    const event = plan.effects.find((effect) => effect.type === "event");
    assertEquals(steps(plan), want === "Connecting" ? ["status"] : ["status", "event"]);
    const told = event?.type === "event" ? [event.reason, event.warning, event.note] : [];
    assertEquals(told, want === "Connecting" ? [] : ["CleanupFailed", true, ready?.message]);
    const conditions = ready ? [ready] : [];
    const status = { ...given.status, conditions };
    assertEquals(steps(decide(deleting({ ...given, status, observed: GONE }))), ["status"], "it is told once");
  });
}

Deno.test("decide() creates, applies and starts nothing for an instance that is deleted, in whatever phase it is", () => {
  const building = [
    "apply",
    "create",
    "ensureUserSecret",
    "ensureRole",
    "ensureDatabase",
    "renderConfig",
    "patchInstance",
  ];
  for (const phase of ALL_PHASES) {
    for (const { operation, observed } of Object.values(INITS)) {
      const plan = decide(deleting({ phase, status: { operation }, observed }));
      assertEquals(plan.effects.filter(({ type }) => building.includes(type)), [], phase);
    }
  }
});

const RETAINING: Readonly<Record<string, WorldOverrides>> = {
  "all is well": {},
  "the cluster does not answer": { cluster: { address: anAddress(), facts: unknownFacts() } },
  "the clusters Secret is gone": { cluster: { problem: { reason: "ClustersSecretMissing", message: "it is gone" } } },
};

for (const [sentence, given] of Object.entries(RETAINING)) {
  Deno.test(`decide() drops nothing with deletionPolicy Retain, and sets free what holds data before the instance goes, when ${sentence}`, () => {
    const instance = {
      metadata: { deletionTimestamp: "2026-11-21T03:59:00Z" },
      spec: { deletionPolicy: "Retain" },
    } as const;
    const secrets = { adminSecret: aSecret("shop-admin"), readOnlySecret: aSecret("shop-db-ro-password") };
    const plan = decide(aWorld({ ...given, instance, observed: { ...GONE, ...secrets } }));
    assertEquals(steps(plan), [
      "set free shop-filestore-pvc",
      "set free shop-odoo-user",
      "set free shop-admin",
      "set free shop-db-ro-password",
      "set free shop-odoo-conf",
      "event",
      `let go ${INSTANCE_FINALIZER}`,
    ]);
    const event = plan.effects.find((effect) => effect.type === "event");
    assertStringIncludes(
      event?.type === "event" ? event.note : "",
      `Kept: database odoo_${INSTANCE_UID.replaceAll("-", "_")} and role ${ROLE} on cluster 'main', ` +
        "PersistentVolumeClaim shop-filestore-pvc, Secret shop-odoo-user, Secret shop-admin, " +
        "Secret shop-db-ro-password, Secret shop-odoo-conf",
    );
  });
}

Deno.test("decide() says in the condition that the data stays when deletionPolicy is Retain", () => {
  const instance = {
    metadata: { deletionTimestamp: "2026-11-21T03:59:00Z" },
    spec: { deletionPolicy: "Retain" },
  } as const;
  const ready = readyOf(decide(aWorld({ instance })));
  assertEquals(ready?.reason, "Deleting");
  assertStringIncludes(ready?.message ?? "", "stay");
});

Deno.test("decide() does nothing for an instance that is going without our finalizer", () => {
  const instance = { metadata: { deletionTimestamp: "2026-11-21T03:59:00Z", finalizers: ["example.com/hold"] } };
  assertEquals(decide(aWorld({ instance })).effects, []);
});
