/**
 * The one shape of everything that an observation asks beyond the caches. A lookup decides by itself whether the API server
 * must be asked now, and remembers its last answer if asking each time would be too often.
 */
import type { ObjectKey, ReconcileContext } from "../../../kit/mod.ts";

/** What a lookup has found out. */
export interface Answer<Facts> {
  /** Absent if no decision depends on the answer. */
  readonly facts?: Facts;
  /** Milliseconds until the instance must be reconciled again, unless a watch event comes first. */
  readonly recheckAfterMs?: number;
}

/** A question about `Subject` that the caches cannot answer. */
export interface Lookup<Subject, Facts> {
  /** Asks as seldom as possible. Rejects with an ApiError if the decision must not be made without the answer. */
  ask(subject: Subject, context: ReconcileContext): Promise<Answer<Facts>>;
  /** Drops what is remembered about an instance that no longer exists. */
  forget?(key: ObjectKey): void;
}

/** The answer of a lookup that has nothing to ask. */
export const NOTHING_TO_ASK: Answer<never> = {};
