/** The indexes that the caches of the operator are read by. */

/** Index over objects of an instance: the key of the instance. */
export const BY_INSTANCE = "instance";
/** Index over requests that have not ended: the key of the instance that they name. */
export const OPEN_BY_INSTANCE = "openInstance";
/** Index over refreshes: the key of the instance that they copy. */
export const BY_SOURCE = "source";
/** Index over pods: the key of the Job that they belong to. */
export const BY_JOB = "job";
