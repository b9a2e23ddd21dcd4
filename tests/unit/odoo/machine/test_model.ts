/**
 * TEST MODEL of everything around decide(): what is in the cluster and in PostgreSQL, as plain values that can be
 * compared, and what the effects of a plan do to it. It is small on purpose: one instance, two web pods, and of each
 * object only what a decision can tell apart. Nothing in here decides anything.
 */
import type { Deployment, Job } from "../../../../src/kit/builders/kinds.ts";
import type { KubeObject, Stored } from "../../../../src/kit/types.ts";
import type { JobRequest, OdooInstance, OdooInstanceStatus, Phase } from "../../../../src/odoo/crd/mod.ts";
import { configInputsHash, configText } from "../../../../src/odoo/model/instance/config_text.ts";
import type { KnownClusterFacts } from "../../../../src/odoo/model/postgres/database.ts";
import {
  CONTENT_HASH_ANNOTATION,
  OUTCOME_FINALIZER,
  RENDERED_FROM_ANNOTATION,
} from "../../../../src/odoo/model/names.ts";
import { resolve } from "../../../../src/odoo/model/resolve.ts";
import { mayBeGone, unwantedApps } from "../../../../src/odoo/model/pods/ending_pods.ts";
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
  aRefreshJob,
  aRestoreJob,
  aSecret,
  aSource,
  NO_ANSWERS,
  NOW,
  ownedFacts,
  someDefaults,
  unknownFacts,
} from "../../../support/builders.ts";
import { COPY_UID, databaseAt, DUMP, type Places, type Stores, type Work } from "./test_model_copies.ts";

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
  readonly kind?: "OdooUpgradeJob" | "OdooBackupJob" | "OdooRestoreJob" | "OdooStagingRefreshJob";
  readonly name: string;
  readonly uid: string;
  readonly status?: JobRequest["status"];
}

/** A batch/v1 Job. */
export interface ModelJob {
  readonly name: string;
  /** uid of the request or instance that it belongs to. */
  readonly owner: string;
  readonly work: Work;
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
export interface ModelState extends Stores {
  readonly wish: ModelWish;
  readonly status: ModelStatus;
  readonly deleting: boolean;
  /** The instance is no more. */
  readonly gone: boolean;
  readonly postgres: ModelPostgres;
  readonly role: boolean;
  readonly userSecret: boolean;
  readonly configSecret: boolean;
  readonly adminSecret: boolean;
  readonly claim: boolean;
  readonly web?: { readonly replicas: number; readonly ready: number };
  readonly cron?: { readonly replicas: number };
  readonly requests: readonly ModelRequest[];
  readonly jobs: readonly ModelJob[];
  /** Whether pods take their time to end. It makes many moments of one, so only operations are told so. */
  readonly lingering: boolean;
  /** Deployments that want no pods, or are gone, and whose last pods have not ended. */
  readonly ending: readonly string[];
  /** Jobs that are gone, and whose pod has not ended. */
  readonly orphans: readonly ModelJob[];
  /** How many Jobs were ever created under a name. */
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
  databases: {},
  files: {},
  userSecret: false,
  configSecret: false,
  adminSecret: false,
  claim: false,
  requests: [],
  jobs: [],
  lingering: false,
  ending: [],
  orphans: [],
  created: {},
  spent: [],
};

/** What upstream's operator leaves when two of its reconciles meet: initialised, and waiting to be initialised. */
export const WEDGED_BY_UPSTREAM: ModelState = {
  ...NEW,
  status: { phase: "Uninitialized", dbInitialized: true, activeCluster: "main" },
  role: true,
  databases: { live: "former" },
  files: { live: "former" },
  userSecret: true,
  configSecret: true,
  claim: true,
};

/** Instances with data whose user asks for something; nobody asks for an initialisation any more. */
export const OPERATIONS_ASKED: readonly ModelState[] = [
  asked("Stopped", 0, "OdooUpgradeJob"),
  asked("Degraded", 1, "OdooUpgradeJob"),
  asked("Stopped", 0, "OdooBackupJob"),
  asked("Degraded", 1, "OdooBackupJob"),
  asked("Degraded", 1, "OdooRestoreJob"),
  asked("Stopped", 0, "OdooStagingRefreshJob"),
  asked("Degraded", 1, "OdooStagingRefreshJob"),
  asked("Starting", 0, "OdooRestoreJob"),
  asked("Starting", 0, "OdooStagingRefreshJob"),
  asked("Stopped", 0, "OdooRestoreJob", DUMP),
  lost(asked("Degraded", 1, "OdooRestoreJob")),
];

/** Instances without data whose user has some elsewhere. */
export const FIRST_DATA_ASKED: readonly ModelState[] = [
  hollow("Uninitialized", "OdooRestoreJob"),
  hollow("InitFailed", "OdooRestoreJob"),
  hollow("Uninitialized", "OdooStagingRefreshJob"),
  hollow("InitFailed", "OdooStagingRefreshJob"),
];

type RequestKind = NonNullable<ModelRequest["kind"]>;

function asked(phase: Phase, ready: 0 | 1, kind: RequestKind, name: string = kind): ModelState {
  return {
    ...WEDGED_BY_UPSTREAM,
    status: { phase, dbInitialized: true, activeCluster: "main" },
    web: { replicas: 2 * ready, ready },
    cron: { replicas: ready },
    requests: [{ kind, name, uid: COPY_UID }],
    lingering: ready > 0,
    spent: ["asked"],
  };
}

/** What is asked for is to bring the database back. */
function lost(state: ModelState): ModelState {
  return { ...state, lingering: false, databases: {}, spent: [...state.spent, "lost before"] };
}

function hollow(phase: Phase, kind: RequestKind): ModelState {
  const failed: ModelRequest = { name: "first", uid: "first-uid", status: { phase: "Failed" } };
  const state = asked(phase, 0, kind);
  return {
    ...state,
    lingering: phase === "Uninitialized",
    status: { phase, dbInitialized: false, activeCluster: "main" },
    databases: { live: "empty" },
    files: {},
    requests: phase === "InitFailed" ? [failed, ...state.requests] : state.requests,
  };
}

const ADDRESS = anAddress();
const OWNED = ownedFacts();
const USER_SECRET_VERSION = [...OWNED.roles.values()][0]?.ownership?.secretVersion ?? "";

const FACTS = new Map<string, KnownClusterFacts>();

/** What is there: the same few again and again. */
function factsOf(role: boolean, databases: Places): KnownClusterFacts {
  const key = `${role} ${Object.keys(databases)}`;
  const known = FACTS.get(key);
  if (known) return known;
  const [live] = OWNED.databases.values();
  if (!live) throw new TypeError("Cannot make the facts of the test model: their builder makes no database");
  const names = (["live", "side", "old"] as const).filter((place) => databases[place]).map(databaseAt);
  const made = {
    ...OWNED,
    roles: role ? OWNED.roles : new Map(),
    databases: new Map(names.map((name) => [name, { ...live, name }])),
  };
  FACTS.set(key, made);
  return made;
}

const SOURCES = new Map([["live", aSource()]]);

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
  const world: World = {
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
  const apps = unwantedApps(world);
  if (!apps.length || !mayBeGone(world)) return world;
  const endingPods = state.ending.filter((app) => apps.includes(app)).map((name) => ({ name }));
  return { ...world, observed: { ...world.observed, endingPods } };
}

function missingCondition(message: string) {
  return { type: "Ready", status: "False", reason: "DatabaseMissing", message, lastTransitionTime: "" } as const;
}

function clusterOf({ postgres, role, databases }: ModelState): ChosenCluster {
  switch (postgres) {
    case "answers":
      return { address: ADDRESS, facts: factsOf(role, databases) };
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
    ...NO_ANSWERS,
    ...(state.userSecret ? { userSecret: aSecret("shop-odoo-user", { version: USER_SECRET_VERSION }) } : {}),
    ...(state.adminSecret ? { adminSecret: aSecret("shop-admin") } : {}),
    ...(state.configSecret ? { configSecret: aSecret("shop-odoo-conf", { annotations }) } : {}),
    ...(state.claim ? { filestore: aClaim() } : {}),
    ...(web ? { web: aDeployment("shop", web) } : {}),
    ...(cron ? { cron: aDeployment("shop-cron", cron) } : {}),
    requests: state.requests.map(requestFor),
    ...(state.spent.includes("no source") ? {} : { sources: SOURCES }),
    jobs: state.jobs.map(batchJobOf),
    jobStates: new Map(state.jobs.map(({ name, state }): [string, JobState] => [name, jobState(state)])),
    jobsWithPods: new Set(
      [...state.jobs.filter(({ state }) => state === "active"), ...state.orphans].map(({ name }) => name),
    ),
  };
}

function requestFor({ kind, name, uid, status }: ModelRequest): Stored<JobRequest> {
  const make = {
    OdooInitJob: anInitJob,
    OdooUpgradeJob: anUpgradeJob,
    OdooBackupJob: aBackupJob,
    OdooRestoreJob: name === DUMP ? aDumpRestore : aRestoreJob,
    OdooStagingRefreshJob: aRefreshJob,
  }[kind ?? "OdooInitJob"];
  const made: Stored<JobRequest> = make({ metadata: { name, uid } });
  return { ...made, ...(status ? { status } : {}) } as Stored<JobRequest>;
}

function aDumpRestore({ metadata = {} }: { readonly metadata?: { readonly name?: string; readonly uid?: string } }) {
  return aRestoreJob({ metadata, spec: { format: "dump" } });
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
