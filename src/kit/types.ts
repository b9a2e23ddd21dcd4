/**
 * The nouns that every other file of the kit uses: what an object is, how it is named, what kind it has. Pure, no imports.
 *
 * Objects are the JSON that travels on the wire: timestamps are RFC 3339 strings, an absent field is `undefined`.
 */

/** A time as the API server writes it, RFC 3339 in UTC: `2026-11-21T04:00:00Z`. */
export type Timestamp = string;

/** `metadata.ownerReferences[]`: whose deletion takes this object along. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** `metadata.managedFields[]`: who wrote something, and how. Caches leave out what was written. */
export interface ManagedFieldsEntry {
  readonly manager?: string;
  readonly operation?: "Apply" | "Update";
  readonly subresource?: string;
  readonly fieldsV1?: object;
}

/** The part of `metadata` that a controller reads or writes. */
export interface ObjectMeta {
  readonly name?: string;
  readonly generateName?: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: Timestamp;
  readonly deletionTimestamp?: Timestamp;
  /** How long the kubelet may take; absent or 0 if there is no pod to wait for. */
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  readonly managedFields?: readonly ManagedFieldsEntry[];
}

/** Anything that the API server stores. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
}

/** An object as the API server returns it: it has a name, a uid and a version. */
export type Stored<T extends KubeObject = KubeObject> = T & {
  readonly metadata: ObjectMeta & { readonly name: string; readonly uid: string; readonly resourceVersion: string };
};

/** `namespace/name`, or `name` for cluster-scoped objects. The one string form of a name in queues, stores and logs. */
export type ObjectKey = string;

/** A kind, as a value: where its objects are served. `T` is what they look like. */
export interface ResourceType<T extends KubeObject = KubeObject> {
  /** API group, empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  /** @default {true} */
  readonly namespaced?: boolean;
  /** Never set: carries `T`. */
  readonly objectType?: T;
}

/** An object's address: the arguments of a GET. */
export interface ObjectName {
  readonly name: string;
  readonly namespace?: string;
}

/** One entry of `status.conditions`, as in `metav1.Condition`. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** PascalCase constant. */
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: Timestamp;
  readonly observedGeneration?: number;
}

/** One operation of RFC 6902. */
export type JsonPatchOperation =
  | { readonly op: "add" | "replace" | "test"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** `group/version`, or `v1` for the core group. */
export function apiVersionOf(type: ResourceType): string {
  return type.group ? `${type.group}/${type.version}` : type.version;
}

/** The key of an object or of its address. */
export function keyOf(object: KubeObject | ObjectName): ObjectKey {
  const { namespace, name = "" } = "metadata" in object && object.metadata ? object.metadata : object as ObjectName;
  return namespace ? `${namespace}/${name}` : name;
}

/** The address behind a key. */
export function nameOfKey(key: ObjectKey): ObjectName {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The name of an object that must have one. */
export function nameOf(object: KubeObject): string {
  if (!object.metadata?.name) throw new TypeError(`Cannot name a ${object.kind ?? "object"}: metadata.name is missing`);
  return object.metadata.name;
}

/** The owner that controls an object, if it has one. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata?.ownerReferences?.find((owner) => owner.controller === true);
}
