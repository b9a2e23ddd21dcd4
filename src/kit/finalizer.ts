/**
 * A finalizer as two questions (have we put it there? is the object being deleted?) with four answers.
 *
 * Guarantees: other writers' finalizers are never lost, because both patches carry a `test`. If the reconcile ever ran
 * with the finalizer in place, the clean-up must succeed before the object can go; the clean-up must cope with the
 * reconcile never having run.
 */
import type { Client } from "./client.ts";
import { ApiError, isInvalid, messageOf } from "./errors.ts";
import type { JsonPatchOperation, KubeObject, ResourceType, Stored } from "./types.ts";

/** What to do about a finalizer. */
export type FinalizerStep = "add" | "reconcile" | "cleanUp" | "ignore";

/** What to do with `object`: `ignore` means that it is going and we have no part in it. */
export function finalizerStep(object: KubeObject, finalizer: string): FinalizerStep {
  const present = object.metadata?.finalizers?.includes(finalizer) ?? false;
  const deleting = object.metadata?.deletionTimestamp !== undefined;
  if (deleting) return present ? "cleanUp" : "ignore";
  return present ? "reconcile" : "add";
}

/** The patch that adds a finalizer to the object as it was seen. */
export function addFinalizerPatch(object: KubeObject, finalizer: string): JsonPatchOperation[] {
  const present = object.metadata?.finalizers;
  if (present?.length) {
    return [{ op: "test", path: "/metadata/finalizers", value: present }, {
      op: "add",
      path: "/metadata/finalizers/-",
      value: finalizer,
    }];
  }
  return [{ op: "test", path: "/metadata/resourceVersion", value: object.metadata?.resourceVersion }, {
    op: "add",
    path: "/metadata/finalizers",
    value: [finalizer],
  }];
}

/** The patch that removes a finalizer from the object as it was seen; empty if it has none. */
export function removeFinalizerPatch(object: KubeObject, finalizer: string): JsonPatchOperation[] {
  const index = object.metadata?.finalizers?.indexOf(finalizer) ?? -1;
  if (index < 0) return [];
  const path = `/metadata/finalizers/${index}`;
  return [{ op: "test", path, value: finalizer }, { op: "remove", path }];
}

/** Adds the finalizer; resolves with the object as it is then. A conflict means that another client wrote first. */
export async function addFinalizer<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  object: Stored<T>,
  finalizer: string,
): Promise<Stored<T>> {
  return await patchAsSeen(client, type, object, addFinalizerPatch(object, finalizer));
}

/** Removes the finalizer; resolves with the object as it is then (or was, if this let it go). */
export async function removeFinalizer<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  object: Stored<T>,
  finalizer: string,
): Promise<Stored<T>> {
  const operations = removeFinalizerPatch(object, finalizer);
  return operations.length ? await patchAsSeen(client, type, object, operations) : object;
}

/** The server answers 422 when the `test` did not hold; to a controller that is a conflict like any other. */
async function patchAsSeen<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  object: Stored<T>,
  operations: readonly JsonPatchOperation[],
): Promise<Stored<T>> {
  try {
    return await client.patch(type, object.metadata, operations);
  } catch (cause) {
    if (!isInvalid(cause)) throw cause;
    throw new ApiError(409, "Conflict", messageOf(cause), { cause });
  }
}
