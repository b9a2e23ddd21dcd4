/**
 * In which conditions a failing reconcile is told. Whatever fails, some child behind it is not as the spec wants it: so
 * all failures are told in ChildrenApplied, and a name that is taken in NameConflict, too. The status of the next
 * reconcile that succeeds takes both back.
 */
import { type FailureReport, messageOf, NotOursError, reasonOf } from "../../kit/mod.ts";
import { CHILDREN_APPLIED, NAME_CONFLICT, NAME_TAKEN } from "../machine/child_conditions.ts";
import { OwnershipError } from "../ports/postgres.ts";
import { CLEANUP_FAILED } from "../planners/deleting.ts";

/** How an instance's failing reconciles are told. */
export const CHILD_FAILURES: FailureReport = {
  types: [CHILDREN_APPLIED, NAME_CONFLICT],
  failed(error, { metadata }) {
    const message = messageOf(error);
    const taken = error instanceof NotOursError || error instanceof OwnershipError;
    const reason = metadata.deletionTimestamp ? CLEANUP_FAILED : reasonOf(error);
    return [
      { type: CHILDREN_APPLIED, status: "False", reason: taken ? "NameConflict" : reason, message },
      ...taken ? [{ type: NAME_CONFLICT, status: "True", reason: NAME_TAKEN, message } as const] : [],
    ];
  },
};
