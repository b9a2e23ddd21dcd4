/**
 * All input of a decision: the desired state, the observed state and the time. Created by observe(), read by assess().
 * An object that is absent here does not exist; what could not be found out says `known: false`.
 *
 * There are two types, so that no guard can be given an incomplete world: {@linkcode CachedWorld} is what the caches hold, and
 * decides what must be asked beyond them; {@linkcode World} has the answers as well.
 */
import type {
  ConfigMap,
  Deployment,
  HttpRoute,
  Ingress,
  Job,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  StorageClass,
  VolumeSnapshot,
  VolumeSnapshotClass,
} from "../../kit/builders/kinds.ts";
import type { Stored } from "../../kit/types.ts";
import type { JobRequest, OdooInstance, OdooInstanceStatus, Phase } from "../crd/mod.ts";
import type { ClusterAddress, ClusterFacts } from "./postgres/database.ts";
import type { Problem } from "./problem.ts";
import type { Defaults, Resolved } from "./resolve.ts";

/** A Secret without its contents. */
export interface SecretFacts {
  readonly name: string;
  /** `uid/resourceVersion`. */
  readonly version: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** Keys of its data that no other client has changed since this operator applied them. */
  readonly ownKeys: readonly string[];
  /** Whether this operator created it for the instance, and another client removed its owner. */
  readonly isOrphan: boolean;
}

/** How it stands with the Secret that images are pulled with. */
export interface PullSecretFacts {
  readonly name: string;
  /** Whether the administrator lets it leave the operator's namespace. */
  readonly allowed: boolean;
  /** The one beside the instance; `copiedFrom` if it is our copy. */
  readonly local?: { readonly copiedFrom?: string };
  /** The one in the operator's namespace. */
  readonly source?: { readonly version: string };
}

/** Why a reference leads to no password. */
export type MissingPassword = "incomplete" | "noSecret" | "noKey";

/** The Secret that spec.adminPasswordSecretRef names. */
export type AdminPasswordFacts =
  | { readonly version: string; readonly missing?: undefined }
  | { readonly missing: MissingPassword; readonly version?: string };

/** How a batch/v1 Job stands. */
export type JobState =
  | { readonly state: "absent" }
  | { readonly state: "active" }
  | { readonly state: "succeeded"; readonly message: string }
  | { readonly state: "failed"; readonly message: string };

/** What the pods of an instance are for. */
export type PodPurpose = "job" | "web" | "cron";

/** Why pods do not work; at most one reason for each purpose. */
export type PodTroubles = { readonly [purpose in PodPurpose]?: Problem };

/** A pod that is to go, and where it is. */
export interface EndingPod {
  readonly name: string;
  readonly node?: string;
}

/** A pod of a Deployment that waits for a volume. */
export interface StuckPod {
  /** Its identity; the rest is not kept. */
  readonly pod: Stored<Pod>;
  /** Describes what it waits for. */
  readonly message: string;
}

/** How a notification ended. */
export type Delivery =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: string; readonly message: string };

/** The objects of an instance as the caches hold them, with the children of operator 2.5.0 that no watch brings. */
export interface CachedObservations {
  readonly userSecret?: SecretFacts;
  /** Of Odoo's login admin. */
  readonly adminSecret?: SecretFacts;
  readonly configSecret?: SecretFacts;
  /** Absent if the instance pulls without a Secret. */
  readonly pullSecret?: PullSecretFacts;
  readonly readOnlySecret?: SecretFacts;
  readonly web?: Stored<Deployment>;
  readonly cron?: Stored<Deployment>;
  readonly configMap?: Stored<ConfigMap>;
  readonly filestore?: Stored<PersistentVolumeClaim>;
  /** The volume that the files are copied to, or that is left of such a copy. */
  readonly filestoreCopy?: Stored<PersistentVolumeClaim>;
  /** The volume that they were on before. */
  readonly formerFilestore?: Stored<PersistentVolumeClaim>;
  readonly ingress?: Stored<Ingress>;
  readonly route?: Stored<HttpRoute>;
  readonly disruptionBudget?: Stored<PodDisruptionBudget>;
  /** Job CRs that name this instance, oldest first. */
  readonly requests: readonly Stored<JobRequest>[];
  /** By name: the instances that those requests copy, as far as they exist and make sense. */
  readonly sources?: ReadonlyMap<string, SourceInstance>;
  /** What refreshes of this instance have taken of others' files, and the claims made of it; perhaps also others' objects. */
  readonly snapshots?: readonly Stored<VolumeSnapshot>[];
  readonly temporaryClaims?: readonly Stored<PersistentVolumeClaim>[];
  /** Refreshes of other instances that copy this one. */
  readonly copiedBy?: readonly Stored<JobRequest>[];
  /** batch/v1 Jobs of this instance. */
  readonly jobs: readonly Stored<Job>[];
  /** How each of them stands, by name. */
  readonly jobStates: ReadonlyMap<string, JobState>;
  /** Names of the Jobs, existing or not, that still have a pod which has not ended. */
  readonly jobsWithPods: ReadonlySet<string>;
  /** How notifications ended, by id: those that are not recorded yet. */
  readonly deliveries?: ReadonlyMap<string, Delivery>;
}

/** What was asked beyond the caches; `undefined` where no decision depends on the answer. */
export interface LookupResults {
  /** The Secret that spec.adminPasswordSecretRef names. */
  readonly adminPassword: AdminPasswordFacts | undefined;
  /** Web and cron pods that have not ended and delay the next Job. */
  readonly endingPods: readonly EndingPod[] | undefined;
  /** Why pods that the instance has waited for long enough do not run. */
  readonly podTroubles: PodTroubles | undefined;
  /** Pods among those that wait for a volume. */
  readonly stuckPods: readonly StuckPod[] | undefined;
  /** The StorageClass and the VolumeSnapshotClasses that a refresh depends on. */
  readonly storageFacts: StorageFacts | undefined;
}

/** The whole observed state. */
export interface Observed extends CachedObservations, LookupResults {}

/** Another instance of the namespace, whose data is copied. */
export interface SourceInstance {
  readonly instance: Stored<OdooInstance>;
  readonly resolved: Resolved;
  /** Where its database is. */
  readonly cluster: ChosenCluster;
  readonly hasFiles: boolean;
  /** The claim of its files. */
  readonly filestore?: Stored<PersistentVolumeClaim>;
  readonly hasUserSecret: boolean;
}

/** What the cluster says of a StorageClass, and of snapshots. */
export interface StorageFacts {
  /** The name that was asked for. */
  readonly storageClassName: string;
  /** Absent if there is none of that name. */
  readonly storageClass?: Stored<StorageClass>;
  /** Absent if snapshots are not served. */
  readonly snapshotClasses?: readonly Stored<VolumeSnapshotClass>[];
  /** The API server's message, if the operator may not read them. */
  readonly forbidden?: string;
}

/** Where the database is to be. */
export type ChosenCluster =
  | { readonly address: ClusterAddress; readonly facts: ClusterFacts; readonly problem?: undefined }
  | { readonly problem: Problem; readonly address?: undefined; readonly facts?: undefined };

/** Whether pods that operator 2.5.0 made stay as they are until something rolls them anyway, or are rolled now. */
export type AdoptedInstances = "keep" | "switch";

/** The desired state and the caches: complete enough to decide what else must be asked, never enough for a decision. */
export interface CachedWorld {
  readonly instance: Stored<OdooInstance>;
  readonly status: OdooInstanceStatus;
  /** The phase that is committed; Provisioning if none is. */
  readonly phase: Phase;
  readonly defaults: Defaults;
  readonly adoptedInstances: AdoptedInstances;
  /** Requests of each kind that are kept after their end; 0 keeps all. */
  readonly jobHistoryLimit: number;
  /** Absent if `problem` says why nothing can be resolved. */
  readonly resolved?: Resolved;
  readonly problem?: Problem;
  /** The one that holds the data. */
  readonly cluster: ChosenCluster;
  /** By name: others that it is to go to, or comes from. */
  readonly otherClusters?: ReadonlyMap<string, ChosenCluster>;
  readonly observed: CachedObservations;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The input of assess(). */
export interface World extends CachedWorld {
  readonly observed: Observed;
}

/** How the Job called `name` stands; one that was never asked for is absent. */
export function jobStateOf(world: CachedWorld, name: string | null | undefined): JobState {
  return (name ? world.observed.jobStates.get(name) : undefined) ?? { state: "absent" };
}

/** Web pods that serve. Absent means: the Deployment does not exist. */
export function readyReplicas(world: CachedWorld): number {
  return world.observed.web?.status?.readyReplicas ?? 0;
}
