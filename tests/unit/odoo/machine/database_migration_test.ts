/** What is told of a database migration, and what it waits for. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import type { Effect } from "../../../../src/odoo/model/plan.ts";
import { aWorld, type WorldOverrides } from "../../../support/builders.ts";
import { DATABASE_MIGRATIONS } from "./database_migration_worlds.ts";

const PREFIX = "DatabaseMigrat";

function migrating(name: string, observed: WorldOverrides["observed"] = {}) {
  const overrides = DATABASE_MIGRATIONS[name];
  if (!overrides) throw new TypeError(`Cannot make a world: there is no migration that ${name}`);
  const phase = "MigratingDatabase";
  return decide(aWorld({ phase, ...overrides, observed: { ...overrides.observed, ...observed } }));
}

function told(effects: readonly Effect[]): string[] {
  return effects.flatMap((effect) =>
    effect.type === "event" && effect.reason.startsWith(PREFIX)
      ? [`${effect.warning ? "Warning" : "Normal"} ${effect.reason} of ${effect.about.kind}: ${effect.note}`]
      : []
  );
}

const TOLD: Readonly<Record<string, readonly string[]>> = {
  "is to begin with the copy": [
    "Normal DatabaseMigrationStarted of OdooInstance: Created Job shop-0b8f1f5e-migrate-database, " +
    "which copies the database to cluster 'other'",
  ],
  "copies the database": [],
  "has copied the database": ["Normal DatabaseMigrated of OdooInstance: The database is on cluster 'other'"],
  "could not copy the database": [
    "Warning DatabaseMigrationFailed of OdooInstance: rows are missing (PASSWORD=*** fails). " +
    "The database is where it was; it is tried again with the next change of the spec",
  ],
  "is withdrawn": ["Normal DatabaseMigrationWithdrawn of OdooInstance: The database is where it was"],
  "is withdrawn while it copies": [],
};

for (const [name, want] of Object.entries(TOLD)) {
  Deno.test(`decide() tells ${want.length ? "by an event" : "nothing"} of a database migration that ${name}`, () => {
    const { effects } = migrating(name);
    assertEquals(told(effects), want);
    const end = effects.find(({ type }) => type === "status");
    const condition = end?.type === "status"
      ? end.status.conditions?.find(({ type }) => type === "DatabaseMigrated")
      : undefined;
    if (condition?.status !== "Unknown" && want[0]) assertStringIncludes(want[0], condition?.message ?? "no condition");
  });
}

Deno.test("decide() tells the end of a database migration that failed though the spec cannot be read by then", () => {
  const failed = DATABASE_MIGRATIONS["could not copy the database"];
  const instance = { spec: { ...failed?.instance?.spec, ingress: { hosts: [] } } };
  const { effects } = decide(aWorld({ phase: "MigratingDatabase", ...failed, instance }));
  assertEquals(told(effects).length, 1);
});
