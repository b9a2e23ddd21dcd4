/**
 * When a server-side apply is worth a request. It is not, iff every field that we would send equals the live one and the
 * hash of our last apply (an annotation) is unchanged: the first notices what others edited, the second what we dropped.
 *
 * Quantities are compared as numbers (`1000m` = `1`), lists that the API server merges by key item by item, all other
 * lists in order. Live fields that we do not send belong to others and do not count.
 */
import { sha256Hex } from "./hash.ts";
import { parseQuantity } from "./quantity.ts";
import type { KubeObject, OwnerReference, Stored } from "./types.ts";

/** The lists that the API server merges, by field name, with the keys of their items. */
const LIST_KEYS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  containers: [["name"]],
  initContainers: [["name"]],
  env: [["name"]],
  volumes: [["name"]],
  volumeMounts: [["mountPath"]],
  ports: [["containerPort", "protocol"], ["port", "protocol"]],
  imagePullSecrets: [["name"]],
  ownerReferences: [["uid"]],
  topologySpreadConstraints: [["topologyKey", "whenUnsatisfiable"]],
  hostAliases: [["ip"]],
};

/** Fields whose values are quantities, and fields that are one. */
const QUANTITY_MAPS: ReadonlySet<string> = new Set(["requests", "limits", "capacity", "hard"]);
const QUANTITIES: ReadonlySet<string> = new Set(["sizeLimit", "divisor"]);

/** Lists that are sets: order means nothing, extra items are others'. */
const SETS: ReadonlySet<string> = new Set(["finalizers"]);

/**
 * `object` with the annotation by which {@linkcode isCurrent} recognises it: `<owner uid>/<hash>`. The order of fields
 * counts in the hash: whoever builds an object builds it in one order, and another one costs a needless apply at most.
 */
export function withLastApplied<T extends KubeObject>(object: T, annotation: string, ownerUid: string): T {
  const annotations = {
    ...object.metadata?.annotations,
    [annotation]: `${ownerUid}/${sha256Hex(JSON.stringify(object)).slice(0, 16)}`,
  };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** Whether `live` was applied by us for the owner with this uid, whatever its ownerReferences say now. */
export function wasAppliedFor(live: KubeObject, annotation: string, ownerUid: string): boolean {
  return live.metadata?.annotations?.[annotation]?.startsWith(`${ownerUid}/`) ?? false;
}

/** Whether applying `desired` (with its annotation) to `live` would change nothing. */
export function isCurrent<T extends KubeObject>(desired: T, live: Stored<T>): boolean {
  return contains(live, asStored(desired), "");
}

/** A Secret as the server stores it: `stringData` overrides `data`, in base64, and is not returned. */
function asStored(desired: KubeObject & { readonly data?: unknown; readonly stringData?: unknown }): KubeObject {
  const { stringData, ...rest } = desired;
  if (desired.kind !== "Secret" || !isRecord(stringData)) return desired;
  const encoded = Object.entries(stringData).map((
    [name, text],
  ) => [name, new TextEncoder().encode(String(text)).toBase64()]);
  return {
    ...rest,
    data: { ...isRecord(desired.data) ? desired.data : {}, ...Object.fromEntries(encoded) },
  } as KubeObject;
}

/** The ownerReference that makes `owner` the controller of its child. */
export function controllerReference(owner: Stored<KubeObject>): OwnerReference {
  const { apiVersion = "", kind = "", metadata: { name, uid } } = owner;
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}

function contains(live: unknown, desired: unknown, field: string): boolean {
  if (desired === undefined || isEmpty(desired) && isEmpty(live)) return true;
  if (Array.isArray(desired)) return Array.isArray(live) && containsList(live, desired, field);
  if (isRecord(desired)) {
    if (!isRecord(live)) return false;
    const quantities = QUANTITY_MAPS.has(field);
    return Object.entries(desired).every(([name, value]) =>
      quantities ? sameQuantity(live[name], value) : contains(live[name], value, name)
    );
  }
  return live === desired || QUANTITIES.has(field) && sameQuantity(live, desired);
}

function containsList(live: readonly unknown[], desired: readonly unknown[], field: string): boolean {
  if (SETS.has(field)) return desired.every((item) => live.includes(item));
  const keys = LIST_KEYS[field]?.find((names) =>
    desired.every((item) => isRecord(item) && names[0] !== undefined && names[0] in item)
  );
  if (!keys) return live.length === desired.length && desired.every((item, i) => contains(live[i], item, ""));
  return desired.every((item) =>
    live.some((other) =>
      keys.every((name) => keyValue(item, name) === keyValue(other, name)) && contains(other, item, "")
    )
  );
}

function keyValue(item: unknown, name: string): unknown {
  const value = isRecord(item) ? item[name] : undefined;
  return name === "protocol" ? value ?? "TCP" : value;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function sameQuantity(live: unknown, desired: unknown): boolean {
  if (live === desired) return true;
  const value = parseQuantity(desired);
  return value !== undefined && value === parseQuantity(live);
}
