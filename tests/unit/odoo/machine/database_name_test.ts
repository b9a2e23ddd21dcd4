/** spec.database.name is fixed once there is data: what becomes of an instance where no schema has refused the change. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import type { Plan } from "../../../../src/odoo/model/plan.ts";
import {
  anAddress,
  anInstance,
  aWorld,
  emptyFacts,
  INSTANCE_UID,
  ownedFacts,
  unknownFacts,
  type WorldOverrides,
} from "../../../support/builders.ts";
import { flattened } from "../../../support/flat_effects.ts";

const NAME = `odoo_${INSTANCE_UID.replaceAll("-", "_")}`;
const RENAMED = { spec: { database: { name: "other", missingPolicy: "Recreate" } } } as const;
const WELL = { address: anAddress(), facts: ownedFacts() };
const LOST = { address: anAddress(), facts: { ...ownedFacts(), databases: new Map() } };

function statusOf(plan: Plan) {
  const status = plan.effects.find((effect) => effect.type === "status");
  return status?.type === "status" ? status.status : undefined;
}

function accepted(plan: Plan) {
  return statusOf(plan)?.conditions?.find(({ type }) => type === "SpecAccepted");
}

/** Effects beside those that every decision has. */
function further(plan: Plan): string[] {
  return flattened(plan.effects).map(({ type }) => type).filter((type) => type !== "apply" && type !== "status");
}

const FIXED: Readonly<Record<string, { readonly given: WorldOverrides; readonly want: string | undefined }>> = {
  "when the data is there": { given: {}, want: NAME },
  "not while nothing is known of the cluster": {
    given: { cluster: { address: anAddress(), facts: unknownFacts() } },
    want: undefined,
  },
  "not while the database is missing": { given: { cluster: LOST }, want: undefined },
  "not before there is data": {
    given: { phase: "Initializing", status: { dbInitialized: false } },
    want: undefined,
  },
  "not of a database that is another's": {
    given: {
      cluster: {
        address: anAddress(),
        facts: emptyFacts({ databases: new Map([[NAME, { name: NAME, owner: "postgres" }]]) }),
      },
    },
    want: undefined,
  },
  "for good, whatever is known": {
    given: { status: { databaseName: NAME }, cluster: { address: anAddress(), facts: unknownFacts() } },
    want: NAME,
  },
};

for (const [sentence, { given, want }] of Object.entries(FIXED)) {
  Deno.test(`decide() records the name of the database ${sentence}`, () => {
    assertEquals(statusOf(decide(aWorld(given)))?.databaseName, want);
  });
}

Deno.test("decide() goes on serving the former database when spec.database.name has changed, and begins no other", () => {
  for (const phase of ["Provisioning", "Starting", "Running", "Degraded", "Stopped"] as const) {
    const world = aWorld({ phase, instance: RENAMED, status: { databaseName: NAME }, cluster: WELL });
    const plan = decide(world);
    assertEquals(world.resolved?.databaseName, NAME);
    assertEquals(further(plan).filter((type) => type !== "event"), [], phase);
    const { reason, status, message = "" } = accepted(plan) ?? {};
    assertEquals([reason, status], ["DatabaseNameFixed", "False"]);
    assertStringIncludes(message, `Set it to ${NAME}`);
    const { dbInitialized, databaseName } = statusOf(plan) ?? {};
    assertEquals([dbInitialized, databaseName], [true, NAME], phase);
  }
  const running = decide(aWorld({ instance: RENAMED, status: { databaseName: NAME }, cluster: WELL }));
  assertEquals([statusOf(running)?.phase, statusOf(running)?.ready], ["Running", true]);
});

Deno.test("decide() says that the spec is accepted again when the name was put back, and nothing where it never changed", () => {
  const { conditions } = statusOf(decide(aWorld({ instance: RENAMED, status: { databaseName: NAME } }))) ?? {};
  const back = { spec: { database: { name: NAME } } };
  assertEquals(
    accepted(decide(aWorld({ instance: back, status: { databaseName: NAME, conditions } })))?.status,
    "True",
  );
  assertEquals(accepted(decide(aWorld({ status: { databaseName: NAME } }))), undefined);
});

Deno.test("decide() forgets the name with the data when the former database is surely lost and a new one is wanted", () => {
  const plan = decide(aWorld({ instance: RENAMED, status: { databaseName: NAME }, cluster: LOST }));
  const { phase, dbInitialized, databaseName } = statusOf(plan) ?? {};
  assertEquals([phase, dbInitialized, databaseName], ["Uninitialized", false, undefined]);
});

Deno.test("decide() follows spec.database.name until there is data", () => {
  const status = { dbInitialized: false, databaseName: NAME };
  assertEquals(aWorld({ instance: RENAMED, status }).resolved?.databaseName, "other");
});

Deno.test("decide() drops the database that the data is in, by its name there, when a renamed instance is deleted", () => {
  const instance = { ...RENAMED, metadata: { deletionTimestamp: "2026-11-21T03:59:00Z" } };
  const facts = ownedFacts(anInstance());
  const gone = { web: undefined, cron: undefined };
  const plan = decide(
    aWorld({ instance, status: { databaseName: NAME }, cluster: { address: anAddress(), facts }, observed: gone }),
  );
  assertEquals(flattened(plan.effects).flatMap((it) => it.type === "dropDatabase" ? [it.database] : []), [NAME]);
});
