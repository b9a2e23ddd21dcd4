/** Pods that will not go: every operation that must not meet them waits as long as they are there, and says for which. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Phase } from "../../../../src/odoo/crd/mod.ts";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import { aWorld, NOW, type WorldOverrides } from "../../../support/builders.ts";
import { DATABASE_MIGRATIONS } from "./database_migration_worlds.ts";
import { migrating } from "./filestore_migration_worlds.ts";
import { type Init, RESTORES, UPGRADES } from "./operation_worlds.ts";
import { flattened } from "../../../support/flat_effects.ts";

const A_MONTH_LATER = NOW + 30 * 24 * 3_600_000;
const STUCK = { endingPods: [{ name: "shop-7d9f-x2", node: "node-3" }] } as const;

function operating(init: Init | undefined): WorldOverrides {
  if (!init) throw new TypeError("Cannot make a world: there is no such operation");
  const { operation, observed } = init;
  return { observed, status: { ...(operation ? { operation } : {}) } };
}

function moving(): WorldOverrides {
  const { operation, place, observed } = migrating("compareFiles");
  return { observed, status: { ...(operation ? { operation } : {}), ...(place ? { filestore: place } : {}) } };
}

/** Operations whose next step needs nothing but that the pods are gone, by phase. */
const OPERATIONS: Readonly<Partial<Record<Phase, WorldOverrides>>> = {
  Upgrading: operating(UPGRADES["its pods are gone"]),
  Restoring: operating(RESTORES["its copy is to take the data's place"]),
  MigratingDatabase: DATABASE_MIGRATIONS["is to begin with the copy"] ?? {},
  FinalizingFilestoreMigration: moving(),
};

for (const [phase, overrides] of Object.entries(OPERATIONS)) {
  Deno.test(`decide() names the pod that ${phase} waits for, without a deadline and without force`, () => {
    const world = (observed: WorldOverrides["observed"], now = NOW) =>
      decide(aWorld({ ...overrides, phase: phase as Phase, observed: { ...overrides.observed, ...observed }, now }));
    const goesOn = ({ effects }: ReturnType<typeof decide>) =>
      flattened(effects).some((effect) => effect.type === "swapDatabase" || effect.type === "create");
    assertEquals(goesOn(world({ endingPods: [] })), true);
    for (const plan of [world(STUCK), world(STUCK, A_MONTH_LATER)]) {
      assertEquals([goesOn(plan), plan.effects.some(({ type }) => type === "deletePod")], [false, false]);
      const [status] = plan.effects.flatMap((effect) => effect.type === "status" ? [effect.status] : []);
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      assertEquals([status?.phase, ready?.status, ready?.reason], [phase as Phase, "False", "PodsEnding"]);
      assertStringIncludes(
        ready?.message ?? "",
        "Waiting for pod shop-7d9f-x2 on node node-3 to terminate. The operator never force-deletes it",
      );
      assertEquals(status?.message, ready?.message);
      const progress = status?.conditions?.filter(({ type, reason }) =>
        /Migrated$/.test(type) && reason === "Migrating"
      );
      assertEquals(progress?.length, /Migrat/.test(phase) ? 1 : 0);
      for (const { message } of progress ?? []) assertStringIncludes(message, ready?.message ?? "no message");
    }
  });
}
