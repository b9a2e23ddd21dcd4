import { assert, assertEquals } from "@std/assert";
import type { Deployment } from "../../../../src/kit/builders/kinds.ts";
import { conditionOf } from "../../../../src/kit/conditions.ts";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import {
  INSTANCE_FINALIZER,
  LAST_APPLIED_ANNOTATION,
  LEGACY_FINALIZER,
  roleName,
} from "../../../../src/odoo/model/names.ts";
import type { Plan } from "../../../../src/odoo/model/plan.ts";
import { adoptedOperation } from "../../../../src/odoo/model/operations/requests.ts";
import type { World } from "../../../../src/odoo/model/world.ts";
import { assess } from "../../../../src/odoo/machine/assess.ts";
import {
  aBatchJob,
  aDeployment,
  anInitJob,
  aWorld,
  emptyFacts,
  oneJob,
  unknownFacts,
  type WorldOverrides,
} from "../../../support/builders.ts";
import { UPSTREAM_CLUSTER, upstreamWorld } from "../upstream_world.ts";
import { flattened } from "../../../support/flat_effects.ts";

const ROLE = roleName({ namespace: "shop", name: "full" });
const DELETED = { deletionTimestamp: "2026-11-21T03:59:00Z" };

/** What is done to roles, ConfigMaps and Deployments, in words. */
function deeds(plan: Plan): string[] {
  return flattened(plan.effects).flatMap((effect) => {
    switch (effect.type) {
      case "adoptRole":
      case "restrictRole":
      case "dropRole":
        return `${effect.type} ${effect.role}`;
      case "ensureDatabase":
        return effect.adopt ? "adopt the database" : "create the database";
      case "adoptConfigMap":
      case "takeOverFields":
      case "removeFinalizer":
        return effect.type === "removeFinalizer" ? `let go ${effect.finalizer}` : `${effect.type} ${effect.name}`;
      case "apply":
        return ["ConfigMap", "Deployment"].includes(effect.object.kind ?? "")
          ? `apply ${effect.object.kind} ${effect.object.metadata?.name}`
          : [];
      default:
        return [];
    }
  });
}

function adoptedOf(plan: Plan): string | undefined {
  const status = plan.effects.find((effect) => effect.type === "status");
  return status?.type === "status" ? conditionOf(status.status.conditions, "Adopted")?.reason : undefined;
}

/** An instance of 2.5.0 that has been taken over: what is to be kept is as it was. */
function takenOver(overrides: WorldOverrides = {}): World {
  const world = upstreamWorld("full", { ...overrides, observed: {} });
  const { uid } = world.instance.metadata;
  const { configMap, web, cron } = world.observed;
  if (!configMap || !web || !cron || !world.resolved) {
    throw new TypeError("Cannot take over: the fixtures lack something");
  }
  const labels = { "bemade.org/instance": "full" };
  const ownership = { uid, secretVersion: world.observed.userSecret?.version ?? "" };
  const { databaseName } = world.resolved;
  const facts = emptyFacts({
    roles: new Map([[ROLE, { name: ROLE, ownership, createsDatabases: true }]]),
    databases: new Map([[databaseName, { name: databaseName, owner: ROLE, ownership: { uid } }]]),
  });
  const scaled = {
    web: { ...web, spec: { ...web.spec, replicas: 2 } },
    cron: { ...cron, spec: { ...cron.spec, replicas: 1 } },
  };
  return {
    ...world,
    cluster: { address: UPSTREAM_CLUSTER, facts },
    observed: {
      ...world.observed,
      ...scaled as Pick<World["observed"], "web" | "cron">,
      configMap: { ...configMap, metadata: { ...configMap.metadata, labels } },
      ...overrides.observed as Partial<World["observed"]>,
    },
  };
}

Deno.test("decide() signs role and database of 2.5.0 first, shows the ConfigMap to the caches and applies neither", () => {
  const world = upstreamWorld("full", { instance: { spec: { replicas: 0, cron: { replicas: 0 } } } });
  const withCron = upstreamWorld("full");
  assertEquals(deeds(decide(withCron)).slice(0, 3), [
    `adoptRole ${ROLE}`,
    "adopt the database",
    "adoptConfigMap full-odoo-conf",
  ]);
  assert(!deeds(decide(withCron)).includes("apply ConfigMap full-odoo-conf"));
  assert(!deeds(decide(world)).includes(`restrictRole ${ROLE}`));
});

Deno.test("decide() leaves pods, ConfigMap and role of 2.5.0 alone once they are taken over", () => {
  const plan = decide(takenOver());
  assertEquals(deeds(plan), []);
  assertEquals(adoptedOf(plan), "PodsKept");
});

Deno.test("decide() scales a Deployment of 2.5.0 without another change", () => {
  const world = takenOver({ instance: { spec: { replicas: 5 } } });
  const [scaled] = decide(world).effects.filter((effect) =>
    effect.type === "apply" && effect.object.kind === "Deployment"
  );
  assert(scaled?.type === "apply" && world.observed.web);
  assertEquals<unknown>((scaled.object as Deployment).spec, { ...world.observed.web.spec, replicas: 5 });
});

Deno.test("decide() switches everything but the ConfigMap when a change rolls the pods, and when it is told to", () => {
  const switched = [`restrictRole ${ROLE}`, "apply Deployment full", "apply Deployment full-cron"];
  const changed = decide(takenOver({ instance: { spec: { image: "odoo:20.0" } } }));
  assertEquals(deeds(changed), switched);
  assertEquals(adoptedOf(changed), "Switching");
  assertEquals(deeds(decide(takenOver({ adoptedInstances: "switch" }))), switched);
});

Deno.test("decide() finishes a switch that was broken off between the two Deployments", () => {
  const plan = decide(takenOver({ observed: { web: aDeployment("full", { replicas: 2 }) } }));
  assertEquals(deeds(plan).filter((deed) => deed.includes("cron")), ["apply Deployment full-cron"]);
});

Deno.test("decide() takes the password out of the ConfigMap when the last old pod and Job has ended", () => {
  const done = { web: aDeployment("full", { replicas: 2 }), cron: aDeployment("full-cron") };
  const rolling = { ...done, web: { ...done.web, status: { replicas: 2, updatedReplicas: 1 } } };
  const applies = (observed: WorldOverrides["observed"]) =>
    deeds(decide(takenOver({ observed: observed ?? {} }))).includes("apply ConfigMap full-odoo-conf");
  assertEquals(applies(rolling), false);
  assertEquals(applies(done), true);
  const { finalizers: _, ...metadata } = aBatchJob("full-auto-init-gbpkp").metadata;
  const job = oneJob({ ...aBatchJob("full-auto-init-gbpkp"), metadata }, { state: "active" });
  assertEquals(applies({ ...done, ...job }), false);
});

Deno.test("decide() applies a Deployment of 2.5.0 as it is before it takes the defaults of a rolling update away", () => {
  const web = takenOver().observed.web;
  assert(web?.spec);
  const rollingUpdate = { maxSurge: "25%", maxUnavailable: "25%" };
  const spec = { ...web.spec, strategy: { type: "RollingUpdate", rollingUpdate } };
  const change = { image: "odoo:20.0", strategy: { type: "Recreate" as const } };
  const applied = (annotations: Record<string, string>) => {
    const live = { ...web, spec, metadata: { ...web.metadata, annotations } };
    const plan = decide(takenOver({ instance: { spec: change }, observed: { web: live } }));
    const found = plan.effects.find((effect) =>
      effect.type === "apply" && effect.object.kind === "Deployment" && effect.object.metadata?.name === "full"
    );
    return found?.type === "apply" ? (found.object as Deployment).spec : undefined;
  };
  assertEquals<unknown>(applied({}), spec);
  assertEquals(applied({ [LAST_APPLIED_ANNOTATION]: "x" })?.strategy, { type: "Recreate" });
});

Deno.test("decide() signs the role that may only read along with the owner's", () => {
  const { cluster } = upstreamWorld("full");
  assert(cluster.facts?.known);
  const reader = `${ROLE}_ro`;
  const facts = { ...cluster.facts, roles: new Map([...cluster.facts.roles, [reader, { name: reader }]]) };
  const plan = decide(upstreamWorld("full", { cluster: { address: UPSTREAM_CLUSTER, facts } }));
  assertEquals(deeds(plan).slice(0, 2), [`adoptRole ${ROLE}`, `adoptRole ${reader}`]);
});

Deno.test("decide() signs no role that may be somebody else's", () => {
  const { cluster } = upstreamWorld("full");
  assert(cluster.facts?.known);
  const [database] = cluster.facts.databases.keys();
  const unsigned = { name: ROLE };
  const strange = new Map([["other", { name: "other", owner: ROLE }]]);
  const cases: Readonly<Record<string, WorldOverrides>> = {
    "it does not own the database": {
      cluster: { address: UPSTREAM_CLUSTER, facts: emptyFacts({ roles: new Map([[ROLE, unsigned]]) }) },
    },
    "there is no database yet, and it owns another": {
      status: { dbInitialized: false },
      cluster: {
        address: UPSTREAM_CLUSTER,
        facts: emptyFacts({ roles: new Map([[ROLE, unsigned]]), databases: strange }),
      },
    },
    "nothing of the instance has the form of 2.5.0": {
      observed: { web: undefined, cron: undefined, configMap: undefined },
    },
  };
  for (const [what, given] of Object.entries(cases)) {
    assert(!deeds(decide(upstreamWorld("full", given))).some((deed) => deed.startsWith("adoptRole")), what);
  }
  assert(database !== undefined);
});

Deno.test("decide() signs the role of an instance that is deleted at first sight, then drops it, and lets it go last", () => {
  const gone = { web: undefined, cron: undefined };
  const finalizers = [LEGACY_FINALIZER, INSTANCE_FINALIZER];
  const given = { instance: { metadata: { ...DELETED, finalizers } }, observed: gone };
  assertEquals(deeds(decide(upstreamWorld("full", given))), [`adoptRole ${ROLE}`]);
  assertEquals(deeds(decide(takenOver(given))), [
    `dropRole ${ROLE}`,
    `let go ${LEGACY_FINALIZER}`,
    `let go ${INSTANCE_FINALIZER}`,
  ]);
});

Deno.test("decide() puts our finalizer in the place of the former one in one patch", () => {
  const [patch] = decide(aWorld({ instance: { metadata: { finalizers: [LEGACY_FINALIZER, "other"] } } })).effects;
  assert(patch?.type === "patchInstance");
  assertEquals(patch.operations.slice(1), [
    { op: "add", path: "/metadata/finalizers", value: ["other", INSTANCE_FINALIZER] },
  ]);
});

Deno.test("decide() asks for no initialisation of a database that 2.5.0 left behind, and refuses those of others", () => {
  const given = { phase: "Uninitialized", status: { dbInitialized: false } } as const;
  const unknown = { address: UPSTREAM_CLUSTER, facts: unknownFacts("DatabaseUnreachable") };
  for (const cluster of [{}, { cluster: unknown }]) {
    assert(!decide(upstreamWorld("full", { ...given, ...cluster })).effects.some(({ type }) => type === "create"));
  }
  const asked = anInitJob({ metadata: { namespace: "shop" }, spec: { odooInstanceRef: { name: "full" } } });
  const refused = decide(upstreamWorld("full", { ...given, observed: { requests: [asked] } }));
  const [answer] = refused.effects.filter((effect) => effect.type === "jobStatus");
  assertEquals(answer?.type === "jobStatus" && answer.status.phase, "Failed");
});

Deno.test("adoptedOperation() finds the Job of a generated name in the OdooInitJob that began it", () => {
  const running = anInitJob({ status: { phase: "Running", jobName: "full-auto-init-gbpkp" } });
  const completed = anInitJob({ status: { phase: "Completed", jobName: "full-auto-init-64k2m" } });
  const found = (...given: Parameters<typeof adoptedOperation>) => adoptedOperation(...given)?.jobName;
  assertEquals(found({ phase: "Initializing" }, [running]), "full-auto-init-gbpkp");
  assertEquals(found({ phase: "Initializing" }, [completed, running]), "full-auto-init-gbpkp");
  assertEquals(found({ phase: "Initializing" }, [completed]), "full-auto-init-64k2m");
  assertEquals(found({ phase: "Initializing" }, [anInitJob()]), undefined);
  assertEquals(found({ phase: "Running" }, [running]), undefined);
});

Deno.test("assess() does not keep pods of operator 2.5.0 when their files have been moved", () => {
  const world = takenOver();
  assertEquals(assess(world).adoption.keepsPods, true);
  const resolved = world.resolved && { ...world.resolved, filestoreClaim: "full-filestore-0a1b2c3d" };
  assertEquals(assess({ ...world, ...(resolved ? { resolved } : {}) }).adoption.keepsPods, false);
});
