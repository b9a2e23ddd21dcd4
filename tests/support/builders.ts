/**
 * Objects and worlds for tests: complete and healthy by default, so that a test names only what it is about.
 *
 * Overrides are merged field by field; lists and maps are replaced; `undefined` takes a field away.
 */
import type { Deployment, Job, PersistentVolumeClaim } from "../../src/kit/builders/kinds.ts";
import type { KubeObject, Stored } from "../../src/kit/types.ts";
import { API_VERSION } from "../../src/odoo/api.ts";
import type {
  OdooBackupJob,
  OdooInitJob,
  OdooInstance,
  OdooInstanceStatus,
  OdooRestoreJob,
  OdooStagingRefreshJob,
  OdooUpgradeJob,
  Phase,
} from "../../src/odoo/crd/mod.ts";
import { configInputsHash, configKeys, configText } from "../../src/odoo/model/instance/config_text.ts";
import type { ClusterAddress, KnownClusterFacts, UnknownClusterFacts } from "../../src/odoo/model/postgres/database.ts";
import {
  CONTENT_HASH_ANNOTATION,
  databaseName,
  INSTANCE_FINALIZER,
  objectNames,
  OUTCOME_FINALIZER,
  RENDERED_FROM_ANNOTATION,
  roleName,
} from "../../src/odoo/model/names.ts";
import { type Defaults, resolve, type Resolved } from "../../src/odoo/model/resolve.ts";
import type {
  CachedObservations,
  ChosenCluster,
  JobState,
  LookupResults,
  Observed,
  SecretFacts,
  SourceInstance,
  World,
} from "../../src/odoo/model/world.ts";

/** `T` with every field optional, down to the leaves; `undefined` means: take it away. */
export type Overrides<T> = T extends readonly unknown[] | ReadonlyMap<unknown, unknown> ? T
  : T extends object ? { readonly [K in keyof T]?: Overrides<T[K]> | undefined }
  : T;

/** 2026-11-21T04:00:00Z. */
export const NOW = Date.UTC(2026, 10, 21, 4);
export const INSTANCE_UID = "0b8f1f5e-7f2c-4f6e-9d3a-0000000000a1";
export const BACKUP_JOB_UID = "6d2e3f40-0000-4000-8000-0000000000c1";
export const REFRESH_JOB_UID = "8f405162-0000-4000-8000-0000000000d1";
export const RESTORE_JOB_UID = "7e3f4051-0000-4000-8000-0000000000c1";
export const INIT_JOB_UID = "5c1d2e3f-0000-4000-8000-0000000000b1";
export const UPGRADE_JOB_UID = "6d2e3f40-0000-4000-8000-0000000000b2";

/** A deep copy of `base` with `overrides` in it. */
export function merged<T>(base: T, overrides: Overrides<NoInfer<T>> | undefined): T {
  if (overrides === undefined) return base;
  if (!isPlain(base) || !isPlain(overrides)) return overrides as T;
  const result: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(overrides)) {
    if (value === undefined) delete result[name];
    else result[name] = merged(result[name], value as Overrides<unknown>);
  }
  return result as T;
}

/** An instance that needs no defaults and has its finalizer: `shop` in `blue`. */
export function anInstance(overrides: Overrides<Stored<OdooInstance>> = {}): Stored<OdooInstance> {
  const base: Stored<OdooInstance> = {
    apiVersion: API_VERSION,
    kind: "OdooInstance",
    metadata: {
      name: "shop",
      namespace: "blue",
      uid: INSTANCE_UID,
      resourceVersion: "10",
      generation: 1,
      finalizers: [INSTANCE_FINALIZER],
    },
    spec: {
      image: "odoo:18.0",
      adminPassword: "master-secret",
      replicas: 1,
      cron: { replicas: 1 },
      ingress: { hosts: ["shop.example.com"], issuer: "letsencrypt", class: "nginx" },
      filestore: { storageSize: "10Gi", storageClass: "fast" },
      init: { enabled: true, modules: ["base"], demo: false },
      environment: "Staging",
    },
  };
  return merged(base, overrides);
}

/** What the operator's flags give when none is set. */
export function someDefaults(overrides: Overrides<Defaults> = {}): Defaults {
  const base: Defaults = {
    image: "odoo:18.0",
    storageClass: "standard",
    storageSize: "2Gi",
    ingressClass: "",
    ingressIssuer: "",
    operatorImage: "odoo-operator:test",
  };
  return merged(base, overrides);
}

/** The resolved wish of {@linkcode anInstance}. */
export function aResolved(
  overrides: Overrides<Stored<OdooInstance>> = {},
  defaults: Defaults = someDefaults(),
): Resolved {
  const { resolved, problem } = resolve(anInstance(overrides), defaults);
  if (!resolved) throw new TypeError(`Cannot resolve the instance of this test: ${problem?.message}`);
  return resolved;
}

export function anAddress(overrides: Overrides<ClusterAddress> = {}): ClusterAddress {
  const base = { name: "main", host: "pg.example.com", port: 5432, adminUser: "admin", adminPassword: "admin-secret" };
  return merged(base, overrides);
}

/** A cluster that answers and has nothing on it. */
export function emptyFacts(overrides: Partial<KnownClusterFacts> = {}): KnownClusterFacts {
  return { known: true, serverMajor: 17, roles: new Map(), databases: new Map(), ...overrides };
}

/** A cluster that has the role and the database of `instance`, signed. */
export function ownedFacts(instance: Stored<OdooInstance> = anInstance()): KnownClusterFacts {
  const { name, namespace = "", uid } = instance.metadata;
  const role = roleName({ name, namespace });
  const database = databaseName(instance, uid);
  return emptyFacts({
    roles: new Map([[role, { name: role, ownership: { uid, secretVersion: USER_SECRET_VERSION } }]]),
    databases: new Map([[database, { name: database, owner: role, ownership: { uid } }]]),
  });
}

/** A cluster of which nothing is known. */
export function unknownFacts(reason: UnknownClusterFacts["reason"] = "DatabaseUnreachable"): UnknownClusterFacts {
  return { known: false, reason, message: `PostgreSQL on cluster 'main' says ${reason}` };
}

const USER_SECRET_VERSION = "uid-of-user-secret/3";

/** A Secret as this operator left it. */
export function aSecret(name: string, overrides: Overrides<SecretFacts> = {}): SecretFacts {
  const ownKeys = configKeys({ options: [], rootCertificate: "PEM" });
  const secret = { name, version: `uid-of-${name}/1`, annotations: {}, ownKeys, isOrphan: false };
  return merged<SecretFacts>(secret, overrides);
}

/** A Deployment as it is in the cluster. */
export function aDeployment(
  name: string,
  { replicas = 1, ready = replicas, ...metadata }: DeploymentOverrides = {},
): Stored<Deployment> {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "blue", uid: `uid-of-${name}`, resourceVersion: "20", ...metadata },
    spec: { replicas, selector: {}, template: {} },
    status: ready ? { readyReplicas: ready } : {},
  };
}

export interface DeploymentOverrides {
  readonly replicas?: number;
  /** @default replicas */
  readonly ready?: number;
  readonly deletionTimestamp?: string;
}

export function aClaim(overrides: Overrides<Stored<PersistentVolumeClaim>> = {}): Stored<PersistentVolumeClaim> {
  const name = objectNames.filestore("shop");
  const base: Stored<PersistentVolumeClaim> = {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, namespace: "blue", uid: `uid-of-${name}`, resourceVersion: "21" },
    spec: {
      accessModes: ["ReadWriteMany"],
      storageClassName: "fast",
      resources: { requests: { storage: "10Gi" } },
    },
  };
  return merged(base, overrides);
}

/** An OdooInitJob for {@linkcode anInstance} that nobody has looked at yet. */
export function anInitJob(overrides: Overrides<Stored<OdooInitJob>> = {}): Stored<OdooInitJob> {
  const base: Stored<OdooInitJob> = {
    apiVersion: API_VERSION,
    kind: "OdooInitJob",
    metadata: { name: "first", namespace: "blue", uid: INIT_JOB_UID, resourceVersion: "30", generation: 1 },
    spec: { odooInstanceRef: { name: "shop" }, modules: ["sale"], demo: false },
  };
  return merged(base, overrides);
}

/** A request to update `sale` of `shop` at once. */
export function anUpgradeJob(overrides: Overrides<Stored<OdooUpgradeJob>> = {}): Stored<OdooUpgradeJob> {
  const base: Stored<OdooUpgradeJob> = {
    apiVersion: API_VERSION,
    kind: "OdooUpgradeJob",
    metadata: { name: "monthly", namespace: "blue", uid: UPGRADE_JOB_UID, resourceVersion: "31", generation: 1 },
    spec: { odooInstanceRef: { name: "shop" }, modules: ["sale"] },
  };
  return merged(base, overrides);
}

/** An OdooBackupJob for {@linkcode anInstance} that nobody has looked at yet. */
export function aBackupJob(overrides: Overrides<Stored<OdooBackupJob>> = {}): Stored<OdooBackupJob> {
  const base: Stored<OdooBackupJob> = {
    apiVersion: API_VERSION,
    kind: "OdooBackupJob",
    metadata: { name: "nightly", namespace: "blue", uid: BACKUP_JOB_UID, resourceVersion: "31", generation: 1 },
    spec: {
      odooInstanceRef: { name: "shop" },
      destination: {
        bucket: "backups",
        objectKey: "shop/nightly.zip",
        endpoint: "https://s3.example.com",
        s3CredentialsSecretRef: { name: "s3-keys" },
      },
    },
  };
  return merged(base, overrides);
}

export function aRestoreJob(overrides: Overrides<Stored<OdooRestoreJob>> = {}): Stored<OdooRestoreJob> {
  const base: Stored<OdooRestoreJob> = {
    apiVersion: API_VERSION,
    kind: "OdooRestoreJob",
    metadata: { name: "back", namespace: "blue", uid: RESTORE_JOB_UID, resourceVersion: "32", generation: 1 },
    spec: {
      odooInstanceRef: { name: "shop" },
      source: {
        type: "s3",
        s3: {
          bucket: "backups",
          objectKey: "shop/nightly.zip",
          endpoint: "https://s3.example.com",
          s3CredentialsSecretRef: { name: "s3-keys" },
        },
      },
    },
  };
  return merged(base, overrides);
}

export function aRefreshJob(overrides: Overrides<Stored<OdooStagingRefreshJob>> = {}): Stored<OdooStagingRefreshJob> {
  const base: Stored<OdooStagingRefreshJob> = {
    apiVersion: API_VERSION,
    kind: "OdooStagingRefreshJob",
    metadata: { name: "weekly", namespace: "blue", uid: REFRESH_JOB_UID, resourceVersion: "33", generation: 1 },
    spec: { odooInstanceRef: { name: "shop" }, source: { instanceName: "live" } },
  };
  return merged(base, overrides);
}

/** The instance that {@linkcode aRefreshJob} copies. */
export function aSource(overrides: Overrides<Stored<OdooInstance>> = {}): SourceInstance {
  const base = merged<Stored<OdooInstance>>(anInstance({ metadata: { name: "live", uid: "uid-of-live" } }), {
    spec: { ingress: { hosts: ["live.example.com"] } },
    status: { phase: "Running", dbInitialized: true, activeCluster: "main" },
  });
  const instance = merged(base, overrides);
  const { resolved, problem } = resolve(instance, someDefaults());
  if (!resolved) throw new TypeError(`Cannot resolve the source of this test: ${problem?.message}`);
  const cluster = { address: anAddress(), facts: ownedFacts(instance) };
  return { instance, resolved, cluster, hasFiles: true, hasUserSecret: true };
}

/** The batch/v1 Job of an operation, held by its finalizer. */
export function aBatchJob(name: string, owner: Stored<KubeObject> = anInitJob()): Stored<Job> {
  const { apiVersion = "", kind = "", metadata } = owner;
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name,
      namespace: "blue",
      uid: `uid-of-${name}`,
      resourceVersion: "40",
      finalizers: [OUTCOME_FINALIZER],
      ownerReferences: [{ apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true }],
    },
  };
}

/** What {@linkcode aWorld} is made from; all else follows as observe() has it. */
export interface WorldOverrides {
  readonly instance?: Overrides<Stored<OdooInstance>>;
  /** @default "Running" */
  readonly phase?: Phase;
  readonly status?: Overrides<OdooInstanceStatus>;
  readonly defaults?: Overrides<Defaults>;
  /** @default the cluster of `status.activeCluster`, with role and database */
  readonly cluster?: ChosenCluster;
  readonly otherClusters?: ReadonlyMap<string, ChosenCluster>;
  /** @default "keep" */
  readonly adoptedInstances?: World["adoptedInstances"];
  /** @default {10} */
  readonly jobHistoryLimit?: number;
  readonly observed?: { readonly [K in keyof Observed]?: Observed[K] | undefined };
  readonly now?: number;
}

/** A world in which `shop` runs and nothing is to be done. */
export function aWorld(overrides: WorldOverrides = {}): World {
  const { phase = "Running", now = NOW } = overrides;
  const defaults = someDefaults(overrides.defaults);
  const status = merged<OdooInstanceStatus>(
    { phase, dbInitialized: true, activeCluster: "main", ready: false, readyReplicas: 0 },
    overrides.status,
  );
  const instance: Stored<OdooInstance> = { ...anInstance(overrides.instance), status };
  const { resolved, problem } = resolve(instance, defaults);
  const cluster = overrides.cluster ?? { address: anAddress(), facts: ownedFacts(instance) };
  const observed = { ...everything(instance, cluster, resolved), ...overrides.observed };
  return {
    instance,
    status,
    phase,
    defaults,
    adoptedInstances: overrides.adoptedInstances ?? "keep",
    jobHistoryLimit: overrides.jobHistoryLimit ?? 10,
    cluster,
    ...(overrides.otherClusters ? { otherClusters: overrides.otherClusters } : {}),
    now,
    observed: {
      ...NO_ANSWERS,
      ...Object.fromEntries(Object.entries(observed).filter(([, value]) => value !== undefined)),
    } as Observed,
    ...(resolved ? { resolved } : {}),
    ...(problem ? { problem } : {}),
  };
}

/** Nothing was asked beyond the caches. */
export const NO_ANSWERS: LookupResults = {
  adminPassword: undefined,
  endingPods: undefined,
  podTroubles: undefined,
  stuckPods: undefined,
  storageFacts: undefined,
};

function everything(
  { metadata: { name } }: Stored<OdooInstance>,
  { address }: ChosenCluster,
  resolved: Resolved | undefined,
): CachedObservations & Partial<LookupResults> {
  const rendered = resolved && address
    ? configInputsHash(configText(resolved, address), resolved.adminPassword, USER_SECRET_VERSION)
    : "of something else";
  return {
    userSecret: aSecret(objectNames.userSecret(name), { version: USER_SECRET_VERSION }),
    configSecret: aSecret(objectNames.config(name), {
      annotations: { [RENDERED_FROM_ANNOTATION]: rendered, [CONTENT_HASH_ANNOTATION]: "c0ffee" },
    }),
    web: aDeployment(objectNames.web(name)),
    cron: aDeployment(objectNames.cron(name)),
    filestore: aClaim(),
    requests: [],
    jobs: [],
    jobStates: new Map(),
    jobsWithPods: new Set(),
    endingPods: [],
  };
}

/** The part of `observed` that holds one Job, in a state. */
export function oneJob(job: Stored<Job>, state: JobState): Pick<Observed, "jobs" | "jobStates"> {
  return { jobs: [job], jobStates: new Map([[job.metadata.name, state]]) };
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Map) &&
    !(value instanceof Set);
}
