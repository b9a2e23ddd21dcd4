import { assertEquals, assertStringIncludes } from "@std/assert";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import type { Plan } from "../../../../src/odoo/model/plan.ts";
import {
  anAddress,
  anInitJob,
  aWorld,
  emptyFacts,
  ownedFacts,
  unknownFacts,
  type WorldOverrides,
} from "../../../support/builders.ts";
import { flattened } from "../../../support/flat_effects.ts";

const GONE: WorldOverrides = { cluster: { address: anAddress(), facts: { ...ownedFacts(), databases: new Map() } } };
const RECREATE: WorldOverrides = { instance: { spec: { database: { missingPolicy: "Recreate" } } } };

function statusOf(plan: Plan) {
  const status = plan.effects.find((effect) => effect.type === "status");
  return status?.type === "status" ? status.status : undefined;
}

function eventsOf(plan: Plan) {
  return plan.effects.flatMap((effect) => effect.type === "event" ? [effect] : []);
}

function readyReason(plan: Plan) {
  return statusOf(plan)?.conditions?.find(({ type }) => type === "Ready")?.reason;
}

/** What is created, by name. */
function created(plan: Plan) {
  return plan.effects.flatMap((effect) => effect.type === "create" ? [effect.object.metadata?.name] : []);
}

Deno.test("decide() tells of a lost database by one event and the condition, and leaves the pods", () => {
  const first = decide(aWorld(GONE));
  const [event, ...further] = eventsOf(first);
  assertEquals([event?.reason, event?.warning, further], ["DatabaseMissing", true, []]);
  assertStringIncludes(event?.note ?? "", "set spec.database.missingPolicy to Recreate");
  const { phase, dbInitialized, conditions } = statusOf(first) ?? {};
  assertEquals([phase, dbInitialized], ["Running", true]);
  assertEquals(eventsOf(decide(aWorld({ ...GONE, status: { conditions } }))), []);
  const unknown = { address: anAddress(), facts: unknownFacts("Connecting") };
  assertEquals(readyReason(decide(aWorld({ cluster: unknown, status: { conditions } }))), "DatabaseMissing");
  assertEquals(readyReason(decide(aWorld({ status: { conditions } }))), "Running");
});

Deno.test("decide() tells of a lost database while it is in Provisioning, too, where an instance comes from Error", () => {
  const plan = decide(aWorld({ ...GONE, phase: "Provisioning" }));
  assertEquals([statusOf(plan)?.phase, readyReason(plan)], ["Provisioning", "DatabaseMissing"]);
  assertEquals(eventsOf(plan).map(({ reason }) => reason), ["DatabaseMissing"]);
});

Deno.test("decide() asks for no initialisation in Uninitialized when there is data, as upstream may leave it", () => {
  assertEquals(created(decide(aWorld({ phase: "Uninitialized" }))), []);
});

for (const phase of ["Provisioning", "Starting", "Running", "Degraded", "Stopped"] as const) {
  Deno.test(`decide() begins anew from ${phase} when the spec wants a new database, and says why`, () => {
    const plan = decide(aWorld({ ...GONE, ...RECREATE, phase }));
    assertEquals([statusOf(plan)?.phase, statusOf(plan)?.dbInitialized], ["Uninitialized", false]);
    const [event] = eventsOf(plan);
    assertEquals([event?.reason, event?.warning], ["PhaseChanged", true]);
    assertStringIncludes(event?.note ?? "", "missingPolicy is Recreate");
  });
}

const NAMES: Readonly<
  Record<string, { readonly given: readonly (readonly [string, string])[]; readonly want: string[] }>
> = {
  "the first one when there was none": { given: [], want: ["shop-auto-init"] },
  "the second one when the first was carried out": {
    given: [["shop-auto-init", "Completed"]],
    want: ["shop-auto-init-2"],
  },
  "the third one when two were carried out": {
    given: [["shop-auto-init", "Completed"], ["shop-auto-init-2", "Completed"]],
    want: ["shop-auto-init-3"],
  },
  "the third one when of two that were carried out the first is deleted": {
    given: [["shop-auto-init-2", "Completed"]],
    want: ["shop-auto-init-3"],
  },
  "the eleventh one when ten were carried out, whatever their order": {
    given: [["shop-auto-init-10", "Completed"], ["shop-auto-init-9", "Completed"]],
    want: ["shop-auto-init-11"],
  },
  "none when the second failed and the first is deleted": { given: [["shop-auto-init-2", "Failed"]], want: [] },
  "none when the second failed": { given: [["shop-auto-init", "Completed"], ["shop-auto-init-2", "Failed"]], want: [] },
  "none when the second is under way": {
    given: [["shop-auto-init", "Completed"], ["shop-auto-init-2", "Running"]],
    want: [],
  },
};

for (const [sentence, { given, want }] of Object.entries(NAMES)) {
  Deno.test(`decide() asks in Uninitialized for ${sentence}, after the database`, () => {
    const requests = given.map(([name, phase]) =>
      anInitJob({ metadata: { name, uid: `uid-of-${name}` }, status: { phase: phase as "Completed" } })
    );
    const status = { dbInitialized: false };
    const cluster = { address: anAddress(), facts: emptyFacts() };
    const plan = decide(aWorld({ phase: "Uninitialized", status, cluster, ...RECREATE, observed: { requests } }));
    assertEquals(created(plan), want);
    assertEquals(flattened(plan.effects).slice(0, 2).map(({ type }) => type), ["ensureRole", "ensureDatabase"]);
  });
}
