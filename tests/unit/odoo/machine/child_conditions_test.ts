import { assertEquals } from "@std/assert";
import { conditionOf } from "../../../../src/kit/conditions.ts";
import type { Condition } from "../../../../src/kit/types.ts";
import { CHILDREN_APPLIED, NAME_CONFLICT, NAME_TAKEN } from "../../../../src/odoo/machine/child_conditions.ts";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import { nameConflict } from "../../../../src/odoo/model/resolve.ts";
import type { World } from "../../../../src/odoo/model/world.ts";
import { anInstance, aWorld } from "../../../support/builders.ts";

function aCondition(type: string, status: Condition["status"], reason: string): Condition {
  return { type, status, reason, message: "as told before", lastTransitionTime: "2026-01-01T00:00:00Z" };
}

const FAILED = aCondition(CHILDREN_APPLIED, "False", "QuotaExceeded");
const TAKEN = aCondition(NAME_CONFLICT, "True", NAME_TAKEN);
const RIVAL = nameConflict(anInstance({ metadata: { name: "shop-blocked" } }));
const NO_CLUSTER = { reason: "ClusterNotFound", message: "Cluster 'x' is not in the Secret" };

function refused(world: World): World {
  const { resolved: _, ...rest } = world;
  return { ...rest, problem: RIVAL };
}

/** Status and reason of a condition in the status that is decided on. */
function said(world: World, type: string): readonly (string | undefined)[] | undefined {
  const [effect] = decide(world).effects.filter((effect) => effect.type === "status");
  const condition = conditionOf(effect?.status.conditions, type);
  return condition && [condition.status, condition.reason];
}

interface Case {
  readonly given: World;
  readonly applied: readonly string[] | undefined;
  readonly conflict?: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  "that children are applied when the plan applies them": { given: aWorld(), applied: ["True", "AllApplied"] },
  "nothing of children while the first of them are made": {
    given: aWorld({ phase: "Provisioning", observed: { configSecret: undefined }, status: { dbInitialized: false } }),
    applied: undefined,
  },
  "that children are applied as soon as they could be, in Provisioning too, where they could not be before": {
    given: aWorld({ phase: "Provisioning", observed: { configSecret: undefined }, status: { conditions: [FAILED] } }),
    applied: ["True", "AllApplied"],
  },
  "whose children are in the way, and what an older instance has to do with it": {
    given: refused(aWorld()),
    applied: ["False", "NameConflict"],
    conflict: ["True", "OlderInstance"],
  },
  "that children stay as they are when there is no cluster": {
    given: aWorld({ cluster: { problem: NO_CLUSTER } }),
    applied: ["False", "ClusterNotFound"],
  },
  "that a name stays taken when nobody has tried to take it": {
    given: aWorld({ cluster: { problem: NO_CLUSTER }, status: { conditions: [FAILED, TAKEN] } }),
    applied: ["False", "ClusterNotFound"],
    conflict: ["True", NAME_TAKEN],
  },
  "that there is no conflict any more when the children are applied": {
    given: aWorld({ status: { conditions: [aCondition(CHILDREN_APPLIED, "False", "NameConflict"), TAKEN] } }),
    applied: ["True", "AllApplied"],
    conflict: ["False", "NoConflict"],
  },
  "that there is no conflict any more when the older instance is gone, whatever else is wrong": {
    given: aWorld({
      cluster: { problem: NO_CLUSTER },
      status: { conditions: [aCondition(NAME_CONFLICT, "True", "OlderInstance")] },
    }),
    applied: ["False", "ClusterNotFound"],
    conflict: ["False", "NoConflict"],
  },
};

for (const [sentence, { given, applied, conflict }] of Object.entries(CASES)) {
  Deno.test(`decide() says ${sentence}`, () => {
    assertEquals(said(given, CHILDREN_APPLIED), applied);
    assertEquals(said(given, NAME_CONFLICT), conflict);
  });
}

Deno.test("decide() keeps the time since when children are applied when nothing changed", () => {
  const former = aCondition(CHILDREN_APPLIED, "True", "AllApplied");
  const [effect] = decide(aWorld({ status: { conditions: [former] } })).effects.filter((effect) =>
    effect.type === "status"
  );
  assertEquals(
    conditionOf(effect?.status.conditions, CHILDREN_APPLIED)?.lastTransitionTime,
    former.lastTransitionTime,
  );
});
