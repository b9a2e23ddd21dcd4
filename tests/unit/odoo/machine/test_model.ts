/**
 * TEST MODEL of everything around decide(): what is in the cluster and in PostgreSQL, as plain values that can be
 * compared, and what the effects of a plan do to it. It is small on purpose: one instance, two web pods, and of each
 * object only what a decision can tell apart. Nothing in here decides anything.
 */
import type { Deployment, Job } from "../../../../src/kit/builders/kinds.ts";
import type { KubeObject, Stored } from "../../../../src/kit/types.ts";
import type { JobRequest, OdooInstance, OdooInstanceStatus, Phase } from "../../../../src/odoo/crd/mod.ts";
import { configInputsHash, configText } from "../../../../src/odoo/model/config_text.ts";
import type { KnownClusterFacts } from "../../../../src/odoo/model/database.ts";
import {
  CONTENT_HASH_ANNOTATION,
  OUTCOME_FINALIZER,
  RENDERED_FROM_ANNOTATION,
} from "../../../../src/odoo/model/names.ts";
import { resolve } from "../../../../src/odoo/model/resolve.ts";
import type { ChosenCluster, JobState, World } from "../../../../src/odoo/model/world.ts";
import {
  aBackupJob,
  aBatchJob,
  aClaim,
  aDeployment,
  anAddress,
  anInitJob,
  anInstance,
  anUpgradeJob,
  aSecret,
  emptyFacts,
  NOW,
  ownedFacts,
  someDefaults,
  unknownFacts,
} from "../../../support/builders.ts";

/** What the spec says. */
export interface ModelWish {
  readonly replicas: 0 | 2;
  readonly valid: boolean;
  /** spec.database.missingPolicy is Recreate. */
  readonly recreate: boolean;
}

/** How the operator sees PostgreSQL: its inventory, nothing, a refused login, or no entry in the clusters Secret. */
export type ModelPostgres = "answers" | "silent" | "refuses" | "unlisted";

/** A request. */
export interface ModelRequest {
  /** @default {"OdooInitJob"} */
  readonly kind?: "OdooUpgradeJob" | "OdooBackupJob";
  readonly name: string;
  readonly uid: string;
  readonly status?: JobRequest["status"];
}

/** A batch/v1 Job. */
export interface ModelJob {
  readonly name: string;
  /** uid of the OdooInitJob that it belongs to. */
  readonly owner: string;
  readonly state: "active" | "succeeded" | "failed";
  /** Whether our finalizer is on it. */
  readonly held: boolean;
}

/** Status without what no decision reads: messages, counts, times. */
export interface ModelStatus {
  readonly phase?: Phase;
  readonly dbInitialized: boolean;
  readonly activeCluster?: string;
  readonly operation?: OdooInstanceStatus["operation"];
  /** The message of the condition Ready, while its reason is DatabaseMissing. */
  readonly missing?: string;
}

/** A moment of one instance's life. */
export interface ModelState {
  readonly wish: ModelWish;
  readonly status: ModelStatus;
  readonly deleting: boolean;
  /** The instance is no more. */
  readonly gone: boolean;
  readonly postgres: ModelPostgres;
  readonly role: boolean;
  readonly database: boolean;
  readonly userSecret: boolean;
  readonly configSecret: boolean;
  readonly adminSecret: boolean;
  readonly claim: boolean;
  readonly web?: { readonly replicas: number; readonly ready: number };
  readonly cron?: { readonly replicas: number };
  readonly requests: readonly ModelRequest[];
  readonly jobs: readonly ModelJob[];
  /** How many Jobs were ever created for a request, by its uid. */
  readonly created: Readonly<Record<string, number>>;
  /** Events that would make the story endless, and have happened. */
  readonly spent: readonly string[];
}

/** An instance that was created just now. */
export const NEW: ModelState = {
  wish: { replicas: 2, valid: true, recreate: false },
  status: { dbInitialized: false },
  deleting: false,
  gone: false,
  postgres: "answers",
  role: false,
  database: false,
  userSecret: false,
  configSecret: false,
  adminSecret: false,
  claim: false,
  requests: [],
  jobs: [],
  created: {},
  spent: [],
};

/** What upstream's operator leaves when two of its reconciles meet: initialised, and waiting to be initialised. */
export const WEDGED_BY_UPSTREAM: ModelState = {
  ...NEW,
  status: { phase: "Uninitialized", dbInitialized: true, activeCluster: "main" },
  role: true,
  database: true,
  userSecret: true,
  configSecret: true,
  claim: true,
};

/** Instances with data whose user asks for something; nobody asks for an initialisation any more. */
export const OPERATIONS_ASKED: readonly ModelState[] = [
  asked("Stopped", 0, ["OdooUpgradeJob"]),
  asked("Degraded", 1, ["OdooUpgradeJob"]),
  asked("Stopped", 0, ["OdooBackupJob"]),
  asked("Degraded", 1, ["OdooBackupJob"]),
];

function asked(phase: Phase, ready: 0 | 1, kinds: readonly NonNullable<ModelRequest["kind"]>[]): ModelState {
  return {
    ...WEDGED_BY_UPSTREAM,
    status: { phase, dbInitialized: true, activeCluster: "main" },
    web: { replicas: 2 * ready, ready },
    cron: { replicas: ready },
    requests: kinds.map((kind) => ({ kind, name: kind, uid: `${kind}-uid` })),
    spent: ["asked"],
  };
}

const ADDRESS = anAddress();
const OWNED = ownedFacts();
const USER_SECRET_VERSION = [...OWNED.roles.values()][0]?.ownership?.secretVersion ?? "";

/** Facts by what is there: `role database`. */
const FACTS: Readonly<Record<string, KnownClusterFacts>> = {
  "false false": emptyFacts(),
  "true false": { ...OWNED, databases: new Map() },
  "false true": { ...OWNED, roles: new Map() },
  "true true": OWNED,
};

const WISHES = new Map<string, { readonly instance: Stored<OdooInstance>; readonly parts: Partial<World> }>();

/** The instance of a wish and what resolve() makes of it: the same few again and again. */
function wished(wish: ModelWish) {
  const key = JSON.stringify(wish);
  const known = WISHES.get(key);
  if (known) return known;
  const instance = anInstance({
    spec: {
      replicas: wish.replicas,
      ...(wish.valid ? {} : { ingress: { hosts: [] } }),
      ...(wish.recreate ? { database: { missingPolicy: "Recreate" } } : {}),
    },
  });
  const { resolved, problem } = resolve(instance, someDefaults());
  const made = { instance, parts: resolved ? { resolved } : { problem } };
  WISHES.set(key, made);
  return made;
}

const RENDERED_FROM = renderedFrom();

function renderedFrom(): string {
  const { resolved } = resolve(anInstance(), someDefaults());
  if (!resolved) throw new TypeError("Cannot resolve the instance of the test model: it is broken");
  return configInputsHash(configText(resolved, ADDRESS), resolved.adminPassword, USER_SECRET_VERSION);
}

/** What observe() would say of this moment. */
export function worldOf(state: ModelState): World {
  const { instance, parts } = wished(state.wish);
  const { phase, dbInitialized, activeCluster, operation, missing } = state.status;
  const status: OdooInstanceStatus = {
    dbInitialized,
    ...(phase ? { phase } : {}),
    ...(activeCluster ? { activeCluster } : {}),
    ...(operation ? { operation } : {}),
    ...(missing ? { conditions: [missingCondition(missing)] } : {}),
  };
  const metadata = state.deleting
    ? { ...instance.metadata, deletionTimestamp: "2026-11-21T03:00:00Z" }
    : instance.metadata;
  return {
    ...parts,
    instance: { ...instance, metadata, status },
    status,
    phase: phase ?? "Provisioning",
    defaults: someDefaults(),
    adoptedInstances: "keep",
    jobHistoryLimit: 1, // so that there is something to delete
    cluster: clusterOf(state),
    observed: observedOf(state),
    now: NOW,
  };
}

function missingCondition(message: string) {
  return { type: "Ready", status: "False", reason: "DatabaseMissing", message, lastTransitionTime: "" } as const;
}

function clusterOf({ postgres, role, database }: ModelState): ChosenCluster {
  switch (postgres) {
    case "answers":
      return { address: ADDRESS, facts: FACTS[`${role} ${database}`] ?? emptyFacts() };
    case "silent":
      return { address: ADDRESS, facts: unknownFacts("DatabaseUnreachable") };
    case "refuses":
      return { address: ADDRESS, facts: unknownFacts("DatabaseLoginFailed") };
    case "unlisted":
      return { problem: { reason: "ClusterNotFound", message: "No cluster 'main' is in the clusters Secret" } };
  }
}

function observedOf(state: ModelState): World["observed"] {
  const { web, cron } = state;
  const annotations = { [RENDERED_FROM_ANNOTATION]: RENDERED_FROM, [CONTENT_HASH_ANNOTATION]: "c0ffee" };
  return {
    ...(state.userSecret ? { userSecret: aSecret("shop-odoo-user", { version: USER_SECRET_VERSION }) } : {}),
    ...(state.adminSecret ? { adminSecret: aSecret("shop-admin") } : {}),
    ...(state.configSecret ? { configSecret: aSecret("shop-odoo-conf", { annotations }) } : {}),
    ...(state.claim ? { filestore: aClaim() } : {}),
    ...(web ? { web: aDeployment("shop", web) } : {}),
    ...(cron ? { cron: aDeployment("shop-cron", cron) } : {}),
    requests: state.requests.map(requestFor),
    ...(cron?.replicas ? {} : { endingPods: [] }),
    jobs: state.jobs.map(batchJobOf),
    jobStates: new Map(state.jobs.map(({ name, state }): [string, JobState] => [name, jobState(state)])),
    jobsWithPods: new Set(state.jobs.flatMap(({ name, state }) => state === "active" ? [name] : [])),
  };
}

function requestFor({ kind, name, uid, status }: ModelRequest): Stored<JobRequest> {
  const make =
    { OdooInitJob: anInitJob, OdooUpgradeJob: anUpgradeJob, OdooBackupJob: aBackupJob }[kind ?? "OdooInitJob"];
  const made: Stored<JobRequest> = make({ metadata: { name, uid } });
  return { ...made, ...(status ? { status } : {}) } as Stored<JobRequest>;
}

function batchJobOf({ name, owner, held }: ModelJob): Stored<Job> {
  const job = aBatchJob(name, anInitJob({ metadata: { name: "owner", uid: owner } }));
  return { ...job, metadata: { ...job.metadata, finalizers: held ? [OUTCOME_FINALIZER] : [] } };
}

function jobState(state: ModelJob["state"]): JobState {
  switch (state) {
    case "active":
      return { state };
    case "succeeded":
      return { state, message: "" };
    case "failed":
      return { state, message: "out of memory" };
  }
}

/** Replicas and name of a Deployment in an effect. */
export function deploymentIn(object: KubeObject): { readonly name: string; readonly replicas: number } | undefined {
  if (object.kind !== "Deployment") return undefined;
  return { name: object.metadata?.name ?? "", replicas: (object as Deployment).spec?.replicas ?? 1 };
}
