import { assertEquals, assertStringIncludes } from "@std/assert";
import { conditionOf } from "../../../../src/kit/conditions.ts";
import type { Condition } from "../../../../src/kit/types.ts";
import type { Phase } from "../../../../src/odoo/crd/mod.ts";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import { nameConflict, withClaim } from "../../../../src/odoo/model/resolve.ts";
import type { PullSecretFacts, World } from "../../../../src/odoo/model/world.ts";
import { aClaim, aDeployment, anInstance, aResolved, aWorld } from "../../../support/builders.ts";

function effectsOf<T extends string>(world: World, type: T) {
  return decide(world).effects.filter((effect): effect is typeof effect & { type: T } => effect.type === type);
}

function conditionIn(world: World, type: string): Condition | undefined {
  return conditionOf(effectsOf(world, "status")[0]?.status.conditions, type);
}

Deno.test("decide() makes the volume before there is data, and afterwards only finds it again", () => {
  const without = (dbInitialized: boolean) => aWorld({ status: { dbInitialized }, observed: { filestore: undefined } });
  const claims = (world: World) =>
    decide(world).effects.flatMap((effect) =>
      "object" in effect && effect.object.kind === "PersistentVolumeClaim" ? [effect.type] : []
    );
  assertEquals(claims(without(false)), ["apply"]);
  assertEquals(claims(without(true)), ["applyIfPresent"]);
  assertEquals(claims(aWorld()), ["apply"]);
});

Deno.test("decide() tells of a lost volume how it is put back", () => {
  const ready = conditionIn(aWorld({ observed: { filestore: undefined } }), "Ready");
  assertEquals([ready?.status, ready?.reason], ["False", "FilestoreMissing"]);
  assertStringIncludes(ready?.message ?? "", "bemade.org/instance: shop");
  assertStringIncludes(ready?.message ?? "", `bemade.org/last-applied: ${anInstance().metadata.uid}/restored`);
});

Deno.test("decide() warns of a volume that is being deleted", () => {
  const filestore = aClaim({ metadata: { deletionTimestamp: "2026-11-21T04:00:00Z" } });
  assertEquals(conditionIn(aWorld({ observed: { filestore } }), "Ready")?.reason, "FilestoreTerminating");
  const fresh = aWorld({ status: { dbInitialized: false }, phase: "Provisioning", observed: { filestore } });
  assertEquals(conditionIn(fresh, "Ready")?.reason, "Uninitialized");
});

const MODES: Readonly<
  Record<string, { readonly given: ("ReadWriteOnce" | "ReadWriteOncePod")[]; readonly want: string }>
> = {
  "it can be on one node only": { given: ["ReadWriteOnce"], want: "OneNode" },
  "it can be in one pod only": { given: ["ReadWriteOncePod"], want: "OnePod" },
  "it can be on one node, or in one pod": { given: ["ReadWriteOncePod", "ReadWriteOnce"], want: "OneNode" },
};

for (const [sentence, { given, want }] of Object.entries(MODES)) {
  Deno.test(`decide() says FilestoreShared=False when ${sentence}`, () => {
    const world = aWorld({ instance: { spec: { filestore: { accessModes: given } } } });
    const condition = conditionIn(world, "FilestoreShared");
    assertEquals([condition?.status, condition?.reason], ["False", want]);
  });
}

Deno.test("decide() says nothing of a volume that was always shared, and takes back what it has said", () => {
  assertEquals(conditionIn(aWorld(), "FilestoreShared"), undefined);
  const former = {
    status: "False",
    reason: "OneNode",
    message: "",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  } as const;
  const world = aWorld({ status: { conditions: [{ type: "FilestoreShared", ...former }] } });
  assertEquals(conditionIn(world, "FilestoreShared")?.status, "True");
});

Deno.test("withClaim() takes the access modes of the volume that there is", () => {
  const resolved = aResolved({ spec: { filestore: { accessModes: ["ReadWriteMany"] } } });
  const claim = aClaim({ spec: { accessModes: ["ReadWriteOnce"] } });
  assertEquals(withClaim(resolved, claim).accessModes, ["ReadWriteOnce"]);
  assertEquals(withClaim(resolved, undefined), resolved);
});

interface PullCase {
  readonly given: Omit<PullSecretFacts, "name">;
  readonly copies: boolean;
  readonly reason: string | undefined;
}

const SOURCE = { version: "uid/2" };

const PULL_SECRETS: Readonly<Record<string, PullCase>> = {
  "the namespace has one of its own": {
    given: { allowed: true, local: {}, source: SOURCE },
    copies: false,
    reason: undefined,
  },
  "the namespace has one and none may be copied": {
    given: { allowed: false, local: {} },
    copies: false,
    reason: undefined,
  },
  "it is missing and may be copied": { given: { allowed: true, source: SOURCE }, copies: true, reason: undefined },
  "it is missing and may not be copied": {
    given: { allowed: false, source: SOURCE },
    copies: false,
    reason: "PullSecretNotAllowed",
  },
  "it is missing everywhere": { given: { allowed: true }, copies: false, reason: "PullSecretMissing" },
  "the copy is current": {
    given: { allowed: true, local: { copiedFrom: "uid/2" }, source: SOURCE },
    copies: false,
    reason: undefined,
  },
  "the copy is old": {
    given: { allowed: true, local: { copiedFrom: "uid/1" }, source: SOURCE },
    copies: true,
    reason: undefined,
  },
  "the copy is old and may not be copied any more": {
    given: { allowed: false, local: { copiedFrom: "uid/1" }, source: SOURCE },
    copies: false,
    reason: undefined,
  },
};

for (const [sentence, { given, copies, reason }] of Object.entries(PULL_SECRETS)) {
  Deno.test(`decide() ${copies ? "copies" : "does not copy"} the pull secret when ${sentence}`, () => {
    const world = (phase: Phase) =>
      aWorld({
        phase,
        observed: {
          pullSecret: { name: "registry", ...given },
          web: aDeployment("shop", { ready: phase === "Running" ? 1 : 0 }),
        },
      });
    const [effect] = effectsOf(world("Running"), "copyPullSecret");
    assertEquals(effect && [effect.name, effect.version], copies ? ["registry", "uid/2"] : undefined);
    assertEquals(conditionIn(world("Running"), "PullSecretAvailable")?.reason, reason);
    // Pods that run have their image: only those that wait for one are kept from being ready by this.
    assertEquals(conditionIn(world("Running"), "Ready")?.reason, "Running");
    assertEquals(conditionIn(world("Starting"), "Ready")?.reason, reason ?? "Starting");
  });
}

Deno.test("decide() makes and deletes nothing for an instance that must give way to an older one", () => {
  for (const phase of ["Provisioning", "Running", "Error"] as const) {
    const { resolved: _, ...world } = aWorld({ phase });
    const refused = { ...world, problem: nameConflict(anInstance({ metadata: { name: "shop-blocked" } })) };
    const types = decide(refused).effects.map(({ type }) => type).filter((type) => type !== "event");
    assertEquals(types, ["status"], phase);
    const ready = conditionIn(refused, "Ready");
    assertEquals([ready?.status, ready?.reason], ["False", "NameConflict"], phase);
    assertStringIncludes(ready?.message ?? "", "shop-blocked");
  }
});

const IMAGE = { reason: "ImagePullFailed", message: "Pod shop-1 cannot pull image odoo:0" };

Deno.test("decide() gives Ready the trouble of the pods that its phase waits for", () => {
  const web = aDeployment("shop", { replicas: 2, ready: 0 });
  const reason = (world: World) => conditionIn(world, "Ready")?.reason;
  const starting = aWorld({ phase: "Starting", observed: { web, podTroubles: { web: IMAGE } } });
  assertEquals([reason(starting), effectsOf(starting, "status")[0]?.status.message], [IMAGE.reason, IMAGE.message]);
  assertEquals(reason(aWorld({ phase: "Starting", observed: { web, podTroubles: { cron: IMAGE } } })), "Starting");
  const refused = { type: "ReplicaFailure", status: "True", message: 'pods "x" is forbidden: exceeded quota: none' };
  const failing = { ...web, status: { conditions: [refused] } };
  const both = aWorld({ phase: "Starting", observed: { web: failing, podTroubles: { web: IMAGE } } });
  assertEquals(reason(both), "PodsNotCreated", "what the Deployment says is never old");
  assertEquals(reason(aWorld({ observed: { podTroubles: { web: IMAGE } } })), "Running");
});

Deno.test("decide() says PodsWork=False of any pod in trouble, nothing where there was none, and takes it back", () => {
  assertEquals(conditionIn(aWorld(), "PodsWork"), undefined);
  const cron = conditionIn(aWorld({ observed: { podTroubles: { cron: IMAGE } } }), "PodsWork");
  assertEquals([cron?.status, cron?.reason, cron?.message], ["False", IMAGE.reason, IMAGE.message]);
  assertEquals(conditionIn(aWorld({ status: { conditions: cron ? [cron] : [] } }), "PodsWork")?.status, "True");
});
