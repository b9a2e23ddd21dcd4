/**
 * Whose a field is, by `metadata.managedFields`. As long as an Update entry of a former writer names a field, an apply of
 * ours that leaves the field out removes nothing; {@linkcode fieldTakeoverPatch} takes such entries away. Pure.
 */
import type { JsonPatchOperation, KubeObject, ManagedFieldsEntry, Stored } from "./types.ts";

/** Whose fields go to whom. */
export interface FieldTakeover {
  /** The managers whose Update entries are taken over; subresources are left alone. */
  readonly from: readonly string[];
  readonly manager: string;
}

/** The patch that moves the fields, refused if the object changed since it was seen; empty if there are none. */
export function fieldTakeoverPatch(
  { metadata }: Stored<KubeObject>,
  { from, manager }: FieldTakeover,
): JsonPatchOperation[] {
  const { managedFields = [], resourceVersion } = metadata;
  const taken = managedFields.filter((entry) => isTaken(entry, from));
  const [first] = taken;
  if (!first) return [];
  const own = managedFields.find((entry) =>
    entry.manager === manager && entry.operation === "Apply" && !entry.subresource
  );
  const fieldsV1 = [...own ? [own] : [], ...taken].reduce<object>((all, entry) => union(all, entry.fieldsV1 ?? {}), {});
  const united = { ...(own ?? first), manager, operation: "Apply", fieldsV1 };
  const others = managedFields.filter((entry) => entry !== own && !taken.includes(entry));
  return [
    { op: "test", path: "/metadata/resourceVersion", value: resourceVersion },
    { op: "replace", path: "/metadata/managedFields", value: [united, ...others] },
  ];
}

/** The keys of a map (the field `data`, say) whose values are still those that server-side applies of `manager` gave. */
export function appliedKeys(
  { metadata }: KubeObject,
  { field, manager }: { readonly field: string; readonly manager: string },
): string[] {
  const entries = metadata?.managedFields ?? [];
  const own = entries.filter((entry) => entry.manager === manager && entry.operation === "Apply" && !entry.subresource);
  return own.flatMap(({ fieldsV1 = {} }) => {
    const keys = Object.entries(fieldsV1).find(([name]) => name === `f:${field}`)?.[1];
    return Object.keys(keys ?? {}).filter((name) => name.startsWith("f:")).map((name) => name.slice("f:".length));
  });
}

function isTaken({ manager = "", operation, subresource }: ManagedFieldsEntry, from: readonly string[]): boolean {
  return operation === "Update" && !subresource && from.includes(manager);
}

/** A set of fields is a tree whose nodes are named by keys; the union has the nodes of both. */
function union(one: object, other: object): object {
  const all: Record<string, unknown> = { ...one };
  for (const [name, inner] of Object.entries(other)) all[name] = union(all[name] ?? {}, inner);
  return all;
}
