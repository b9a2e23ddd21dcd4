/** The steps of an operation that replaces an instance's data by a copy; copying.ts has their order. */
import type { OdooInstanceStatus, OperationStatus } from "../../../crd/mod.ts";

/** {@linkcode CopyStep}, in the order in which they follow each other. */
export const COPY_STEPS = ["load", "database", "snapshot", "files", "prepare", "swap", "move", "return"] as const;

/** What is done to a copy. */
export type CopyStep = typeof COPY_STEPS[number];

/** Steps in which nothing may be served: which data would be served is not decided before they end. */
const SWAPPING: readonly CopyStep[] = ["swap", "move", "return"];

/** The step in progress; `undefined` for operations of one Job. */
export function copyStep(operation: OperationStatus | undefined): CopyStep | undefined {
  return COPY_STEPS.find((step) => step === operation?.stage);
}

/**
 * Whether an instance serves its data while a copy is prepared. One without data has nothing to serve, and a restore that
 * operator 2.5.0 began overwrites the data.
 */
export function servesBesideCopy({ operation, dbInitialized }: OdooInstanceStatus): boolean {
  if (!dbInitialized) return false;
  const step = copyStep(operation);
  return !operation || (step !== undefined && !SWAPPING.includes(step));
}

/** Whether data is being swapped. */
export function isSwapping({ operation }: OdooInstanceStatus): boolean {
  const step = copyStep(operation);
  return step !== undefined && SWAPPING.includes(step);
}
