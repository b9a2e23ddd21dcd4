/**
 * The conditions that report a failed reconcile. After any failure, some child may differ from the spec: so each failure
 * sets ChildrenApplied, and a name that is taken sets NameConflict too. The status of the next successful reconcile resets
 * both.
 */
import { type FailureReport, messageOf, NotOursError, reasonOf } from "../../kit/mod.ts";
import { CHILDREN_APPLIED, NAME_CONFLICT, NAME_TAKEN } from "../machine/child_conditions.ts";
import { OwnershipError } from "../ports/postgres.ts";
import { CLEANUP_FAILED } from "../planners/deleting.ts";

/** Reports failed reconciles in the conditions of the instance. */
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
