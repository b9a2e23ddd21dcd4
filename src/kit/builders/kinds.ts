/**
 * The built-in kinds that controllers use most, each as a value (where it is served) and a type (what travels on the
 * wire). The shapes are those of @kubernetes/client-node, with its `Date`s as the strings they are in JSON.
 */
import type {
  V1ConfigMap,
  V1Deployment,
  V1Ingress,
  V1Job,
  V1PersistentVolumeClaim,
  V1Pod,
  V1PodDisruptionBudget,
  V1Secret,
  V1Service,
} from "@kubernetes/client-node";
import type { KubeObject, ObjectMeta, ResourceType } from "../types.ts";

/** A client-node type as JSON: times are strings, metadata is the kit's. */
export type Wire<T> = T extends Date ? string
  : T extends (infer Item)[] ? Wire<Item>[]
  : T extends object ? { [K in keyof T]: Wire<T[K]> }
  : T;

type Kind<T> = Omit<Wire<T>, "metadata"> & { readonly metadata?: ObjectMeta };

export type Deployment = Kind<V1Deployment>;
export type Service = Kind<V1Service>;
export type Ingress = Kind<V1Ingress>;
export type ConfigMap = Kind<V1ConfigMap>;
export type Secret = Kind<V1Secret>;
export type PersistentVolumeClaim = Kind<V1PersistentVolumeClaim>;
export type Job = Kind<V1Job>;
export type Pod = Kind<V1Pod>;
export type PodDisruptionBudget = Kind<V1PodDisruptionBudget>;

/** `gateway.networking.k8s.io/v1`; client-node has no type for it. */
export interface HttpRoute extends KubeObject {
  readonly spec?: {
    readonly parentRefs?: readonly Readonly<Record<string, unknown>>[];
    readonly hostnames?: readonly string[];
    readonly rules?: readonly Readonly<Record<string, unknown>>[];
  };
}

/** `storage.k8s.io/v1`, as far as is asked of it. */
export interface StorageClass extends KubeObject {
  readonly provisioner: string;
  /** @default "Delete" */
  readonly reclaimPolicy?: string;
  /** @default "Immediate" */
  readonly volumeBindingMode?: string;
}

/** `snapshot.storage.k8s.io/v1`; client-node has no type for it. */
export interface VolumeSnapshot extends KubeObject {
  readonly spec: {
    readonly volumeSnapshotClassName?: string;
    readonly source: { readonly persistentVolumeClaimName: string };
  };
  readonly status?: {
    readonly readyToUse?: boolean;
    /** The least size of a volume that is made of it. */
    readonly restoreSize?: string;
    /** Of the last attempt; it is tried again and again. */
    readonly error?: { readonly message?: string; readonly time?: string };
  };
}

/** `snapshot.storage.k8s.io/v1`: how snapshots of a driver's volumes are taken. */
export interface VolumeSnapshotClass extends KubeObject {
  readonly driver: string;
  readonly deletionPolicy: string;
}

export const Deployment: ResourceType<Deployment> = {
  group: "apps",
  version: "v1",
  kind: "Deployment",
  plural: "deployments",
};
export const Service: ResourceType<Service> = { group: "", version: "v1", kind: "Service", plural: "services" };
export const Ingress: ResourceType<Ingress> = {
  group: "networking.k8s.io",
  version: "v1",
  kind: "Ingress",
  plural: "ingresses",
};
export const ConfigMap: ResourceType<ConfigMap> = { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps" };
export const Secret: ResourceType<Secret> = { group: "", version: "v1", kind: "Secret", plural: "secrets" };
export const PersistentVolumeClaim: ResourceType<PersistentVolumeClaim> = {
  group: "",
  version: "v1",
  kind: "PersistentVolumeClaim",
  plural: "persistentvolumeclaims",
};
export const Job: ResourceType<Job> = { group: "batch", version: "v1", kind: "Job", plural: "jobs" };
export const Pod: ResourceType<Pod> = { group: "", version: "v1", kind: "Pod", plural: "pods" };
export const PodDisruptionBudget: ResourceType<PodDisruptionBudget> = {
  group: "policy",
  version: "v1",
  kind: "PodDisruptionBudget",
  plural: "poddisruptionbudgets",
};
export const HttpRoute: ResourceType<HttpRoute> = {
  group: "gateway.networking.k8s.io",
  version: "v1",
  kind: "HTTPRoute",
  plural: "httproutes",
};
export const StorageClass: ResourceType<StorageClass> = {
  group: "storage.k8s.io",
  version: "v1",
  kind: "StorageClass",
  plural: "storageclasses",
  namespaced: false,
};
export const VolumeSnapshot: ResourceType<VolumeSnapshot> = {
  group: "snapshot.storage.k8s.io",
  version: "v1",
  kind: "VolumeSnapshot",
  plural: "volumesnapshots",
};
export const VolumeSnapshotClass: ResourceType<VolumeSnapshotClass> = {
  group: "snapshot.storage.k8s.io",
  version: "v1",
  kind: "VolumeSnapshotClass",
  plural: "volumesnapshotclasses",
  namespaced: false,
};
