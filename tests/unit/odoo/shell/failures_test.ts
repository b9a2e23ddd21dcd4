import { assertEquals } from "@std/assert";
import { ApiError, NotOursError } from "../../../../src/kit/errors.ts";
import { OwnershipError } from "../../../../src/odoo/ports/postgres.ts";
import { anInstance } from "../../../support/builders.ts";
import { CHILD_FAILURES } from "../../../../src/odoo/shell/failures.ts";

interface Case {
  /** Whether the instance is being deleted. */
  readonly goes?: true;
  readonly given: Error;
  readonly want: readonly (readonly string[])[];
}

const CASES: Readonly<Record<string, Case>> = {
  "the object that has a name when it is another's": {
    given: new NotOursError("Service", "blue/shop", undefined),
    want: [["ChildrenApplied", "False", "NameConflict"], ["NameConflict", "True", "NameTaken"]],
  },
  "the role that has a name when it is another's": {
    given: new OwnershipError('Cannot alter role "odoo.blue.shop": it is not marked as this owner\'s'),
    want: [["ChildrenApplied", "False", "NameConflict"], ["NameConflict", "True", "NameTaken"]],
  },
  "a refusal and nothing of names when a child may not be written": {
    given: new ApiError(403, "Forbidden", 'services "shop" is forbidden: User "x" cannot create'),
    want: [["ChildrenApplied", "False", "Forbidden"]],
  },
  "that the cleanup failed when PostgreSQL refuses a step of a deletion": {
    goes: true,
    given: new Error('role "odoo.blue.shop" cannot be dropped because some objects depend on it'),
    want: [["ChildrenApplied", "False", "CleanupFailed"]],
  },
  "that a step failed when PostgreSQL refuses it to an instance that stays": {
    given: new Error("permission denied to create role"),
    want: [["ChildrenApplied", "False", "ReconcileFailed"]],
  },
};

for (const [sentence, { goes, given, want }] of Object.entries(CASES)) {
  Deno.test(`CHILD_FAILURES.failed() reports ${sentence}`, () => {
    const metadata = goes ? { deletionTimestamp: "2026-11-21T03:59:00Z" } : {};
    const conditions = CHILD_FAILURES.failed(given, anInstance({ metadata }));
    assertEquals(conditions.map(({ type, status, reason }) => [type, status, reason]), want);
    assertEquals(
      conditions.every(({ type, message }) => message === given.message && CHILD_FAILURES.types.includes(type)),
      true,
    );
  });
}
