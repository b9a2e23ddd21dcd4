/** The steps of an operation that puts a copy in the place of an instance's data; copying.ts says what follows what. */
import type { OperationStatus } from "../../../crd/mod.ts";
import type { CachedWorld, World } from "../../world.ts";

/** {@linkcode CopyStep}, in the order in which they follow each other. */
export const COPY_STEPS = ["load", "database", "snapshot", "files", "prepare", "swap", "move", "return"] as const;

/** What is done to a copy. */
export type CopyStep = typeof COPY_STEPS[number];

/** Steps in which nothing may be served: it is being decided which data that would be. */
const SWAPPING: readonly CopyStep[] = ["swap", "move", "return"];

/** The step at work; `undefined` for operations of one Job. */
export function copyStep(operation: OperationStatus | undefined): CopyStep | undefined {
  return COPY_STEPS.find((step) => step === operation?.stage);
}

/**
 * Whether an instance goes on serving its data beside the copy that is being made; one without data has nothing to serve,
 * and a restore that operator 2.5.0 began overwrites it.
 */
export function servesBesideCopy({ status }: World): boolean {
  const { operation, dbInitialized } = status;
  if (!dbInitialized) return false;
  const step = copyStep(operation);
  return !operation || (step !== undefined && !SWAPPING.includes(step));
}

/** Whether the places are being changed. */
export function isSwapping({ status }: CachedWorld): boolean {
  const step = copyStep(status.operation);
  return step !== undefined && SWAPPING.includes(step);
}
