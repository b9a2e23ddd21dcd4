import { assertEquals } from "@std/assert";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import {
  type KnownClusterFacts,
  type Ownership,
  readOnlyVersion,
} from "../../../../src/odoo/model/postgres/database.ts";
import type { Plan } from "../../../../src/odoo/model/plan.ts";
import {
  aDeployment,
  anAddress,
  aSecret,
  aWorld,
  INSTANCE_UID,
  ownedFacts,
  unknownFacts,
  type WorldOverrides,
} from "../../../support/builders.ts";
import { flattened } from "../../../support/flat_effects.ts";

const ROLE = "odoo.blue.shop_ro";
const DATABASE = `odoo_${INSTANCE_UID.replaceAll("-", "_")}`;
const SECRET = "shop-db-ro-password";
const ENABLED: WorldOverrides = { instance: { spec: { readOnlySqlAccess: { enabled: true, connectionLimit: 7 } } } };
const HAS_SECRET: WorldOverrides = { observed: { readOnlySecret: aSecret(SECRET, { version: "s/1" }) } };
const CURRENT: Ownership = {
  uid: INSTANCE_UID,
  secretVersion: readOnlyVersion({ secretVersion: "s/1", database: DATABASE, connectionLimit: 7 }),
};

function known(ownership: Ownership | undefined, overrides: Partial<KnownClusterFacts> = {}): WorldOverrides {
  const facts = ownedFacts();
  const roles = new Map([...facts.roles, [ROLE, { name: ROLE, ...(ownership ? { ownership } : {}) }]]);
  return { cluster: { address: anAddress(), facts: { ...facts, roles, ...overrides } } };
}

/** What concerns the read-only role. */
function steps(plan: Plan): string[] {
  return flattened(plan.effects).flatMap((effect) => {
    switch (effect.type) {
      case "ensureUserSecret":
      case "deleteSecret":
        return [`${effect.type} ${effect.name}`];
      case "ensureReadOnlyRole":
        return [`${effect.type} ${effect.role} ${effect.database} ${effect.connectionLimit}`];
      case "dropReadOnlyRole":
      case "dropRole":
        return [`${effect.type} ${effect.role}`];
      default:
        return [];
    }
  });
}

const ENSURE = `ensureReadOnlyRole ${ROLE} ${DATABASE} 7`;
const DROP = `dropReadOnlyRole ${ROLE}`;

const CASES: Readonly<Record<string, { readonly given: WorldOverrides; readonly want: readonly string[] }>> = {
  "makes Secret and role when they are wanted": { given: ENABLED, want: [`ensureUserSecret ${SECRET}`, ENSURE] },
  "does nothing when all is as it should be": { given: { ...ENABLED, ...HAS_SECRET, ...known(CURRENT) }, want: [] },
  "mends the role when the Secret is another": {
    given: { ...ENABLED, ...known(CURRENT), observed: { readOnlySecret: aSecret(SECRET, { version: "s/2" }) } },
    want: [ENSURE],
  },
  "mends the role when the limit is another": {
    given: {
      ...HAS_SECRET,
      ...known(CURRENT),
      instance: { spec: { readOnlySqlAccess: { enabled: true, connectionLimit: 8 } } },
    },
    want: [`ensureReadOnlyRole ${ROLE} ${DATABASE} 8`],
  },
  "waits for the first modules": {
    given: { ...ENABLED, phase: "Initializing", status: { dbInitialized: false } },
    want: [],
  },
  "makes the Secret for the pods, and asks nothing of a PostgreSQL that is away": {
    given: { ...ENABLED, cluster: { address: anAddress(), facts: unknownFacts() } },
    want: [`ensureUserSecret ${SECRET}`],
  },
  "drops the role and keeps the Secret when the database is lost: a new one has other grants": {
    given: { ...ENABLED, ...HAS_SECRET, ...known(CURRENT, { databases: new Map() }) },
    want: [DROP],
  },
  "drops role and Secret when they are not wanted any more": {
    given: { ...HAS_SECRET, ...known(CURRENT) },
    want: [DROP, `deleteSecret ${SECRET}`],
  },
  "leaves a role of somebody else": { given: known({ uid: "somebody-else" }), want: [] },
  "leaves a role that nobody has signed": { given: known(undefined), want: [] },
};

for (const [sentence, { given, want }] of Object.entries(CASES)) {
  Deno.test(`planReadOnlyAccess() ${sentence}`, () => assertEquals(steps(decide(aWorld(given))), [...want]));
}

Deno.test("planDeletion() drops the read-only role after the database and before its owner", () => {
  const instance = { metadata: { deletionTimestamp: "2026-11-21T03:59:00Z" } };
  const plan = decide(aWorld({ ...known(CURRENT), instance, observed: { web: undefined, cron: undefined } }));
  assertEquals(flattened(plan.effects).map(({ type }) => type), [
    "dropDatabase",
    "dropRole",
    "dropRole",
    "removeFinalizer",
  ]);
  assertEquals(steps(plan), [`dropRole ${ROLE}`, "dropRole odoo.blue.shop"]);
});

Deno.test("webDeployment() gives the web pods the read-only login, and only them, and only when it is wanted", () => {
  const names = (given: WorldOverrides) =>
    decide(aWorld({ ...given, observed: { ...given.observed, web: aDeployment("shop") } })).effects.flatMap((effect) =>
      effect.type === "apply" && effect.object.kind === "Deployment"
        ? [JSON.stringify(effect.object).match(/ODOO_RO_DB_(USER|PASSWORD)/g)?.length ?? 0]
        : []
    );
  assertEquals(names({ ...ENABLED, ...HAS_SECRET, ...known(CURRENT) }), [2, 0]);
  assertEquals(names({}), [0, 0]);
});
