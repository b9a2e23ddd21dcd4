/** What both migrations have in common: the move of a database to another cluster, and of files to another storage class. */
import type { ConditionState } from "../../../kit/conditions.ts";
import type { OdooInstanceStatus, OperationStatus, Phase } from "../../crd/mod.ts";
import type { Assessed, Assessment, MigrationOutcome, MigrationRequest } from "../../model/assessment.ts";
import type { Effect } from "../../model/plan.ts";

/**
 * A migration. It is requested by the spec, not by an object of its own: its operation is recorded in status.operation with
 * the kind OdooInstance, and its outcome in a condition.
 */
export interface Migration {
  /** The phases that execute it, in order. */
  readonly phases: readonly Phase[];
  /** Whether an operation is this migration. */
  isInProgress(operation: OperationStatus | undefined): boolean;
  /** How the migration in progress stands; `none` if another operation is in progress. */
  outcome(world: Assessed<"facts">): MigrationOutcome;
  /** Whether the spec asks for it, and why it does not begin. */
  request(world: Assessed<"facts" | "queue">): MigrationRequest;
  /** The operation to record in the next phase; `undefined` if that is not a phase of this migration. */
  begin(assessment: Assessment): OperationStatus | undefined;
  /** The fields of the status that follow from the migration; `operation` is what the status records next. */
  advance(assessment: Assessment, operation: OperationStatus | undefined): Partial<OdooInstanceStatus>;
  /** The condition of the last migration, if there was one or the spec asks for one. */
  condition(assessment: Assessment): ConditionState | undefined;
  /** Effects in the phases of the migration. */
  plan(assessment: Assessment): Effect[];
  /** Effects in all other phases: removal of what the last migration left. */
  cleanUp(assessment: Assessment): Effect[];
}
