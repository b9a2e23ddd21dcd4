/** Carries out a plan, step by step, in its order. Every effect may be repeated; none is undone. */
import {
  ApiError,
  ConfigMap,
  controllerReference,
  Deployment,
  fieldTakeoverPatch,
  HttpRoute,
  Ingress,
  isNotFound,
  Job,
  type JsonPatchOperation,
  keyOf,
  type KubeObject,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  type ReconcileContext,
  removeFinalizerPatch,
  type ResourceType,
  Secret,
  type Stored,
  VolumeSnapshot,
} from "../../kit/mod.ts";
import type { OdooInstance } from "../crd/mod.ts";
import { FIELD_MANAGER } from "../api.ts";
import { readOnlyVersion } from "../model/postgres/database.ts";
import { type PlannedWrite, setsPassword, type SqlWrite } from "../model/postgres/sql_writes.ts";
import { MASTER_PASSWORD_KEY } from "../model/operations/restore_source.ts";
import { OUTCOME_FINALIZER } from "../model/names.ts";
import { type Effect, inSteps, type Plan } from "../model/plan.ts";
import { isOfRefresh } from "../model/operations/copy/snapshot_step.ts";
import { withoutTimeouts } from "../resources/mod.ts";
import type { PostgresCluster, PostgresClusters } from "../ports/postgres_clusters.ts";
import type { Notifications } from "./notifications.ts";
import { OdooInstanceKind, requestTypeOf } from "./kinds.ts";
import type { PullSecrets } from "./pull_secrets.ts";
import { SecretBodies } from "./secrets.ts";

/** How long a finished Job stays readable after its outcome is recorded. */
const JOB_TTL_SECONDS = 900;

const FORBIDDEN = 403;

/** What to say of an object that may not be deleted. */
interface Kept {
  readonly reason: string;
  readonly why: string;
}

const HISTORY: Kept = { reason: "HistoryKept", why: "beyond the job history limit" };
const FORMER_FILES: Kept = { reason: "FormerFilestoreKept", why: "though no file on it is needed any more" };

/** What effects need beside the context. */
export interface ExecutionParts {
  readonly postgres: PostgresClusters;
  readonly pullSecrets: PullSecrets;
  readonly notifications: Notifications;
}

/**
 * Executes the effects of `plan` for `instance`. Of a step all effects are tried and ended before it throws what the
 * first failing one threw; the steps behind it wait for the next time.
 */
export async function execute(
  plan: Plan,
  instance: Stored<OdooInstance>,
  context: ReconcileContext,
  parts: ExecutionParts,
): Promise<void> {
  const run = new Execution(instance, context, parts);
  for (const step of inSteps(plan.effects)) {
    const results = await Promise.allSettled(step.map((effect) => run.carryOut(effect)));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }
}

class Execution {
  readonly #context: ReconcileContext;
  readonly #parts: ExecutionParts;
  readonly #secrets: SecretBodies;
  #instance: Stored<OdooInstance>;

  constructor(instance: Stored<OdooInstance>, context: ReconcileContext, parts: ExecutionParts) {
    this.#instance = instance;
    this.#context = context;
    this.#parts = parts;
    this.#secrets = new SecretBodies(context, instance.metadata.namespace ?? "");
  }

  #cluster(name: string): PostgresCluster {
    const cluster = this.#parts.postgres.get(name);
    if (!cluster) {
      throw new Error(`Cannot write to PostgreSQL cluster '${name}': it is not in the clusters Secret any more`);
    }
    return cluster;
  }

  /** Joins the password of its Secret to a write that sets one. */
  async #withPassword(write: PlannedWrite): Promise<SqlWrite> {
    if (!setsPassword(write)) return write;
    const { secret, ...rest } = write;
    const { password, secretVersion } = await this.#secrets.rolePassword(secret, write.role);
    if (rest.type === "ensureRole") return { ...rest, password, ownership: { ...rest.ownership, secretVersion } };
    const { database, connectionLimit } = rest;
    const version = readOnlyVersion({ secretVersion, database, connectionLimit });
    return { ...rest, password, ownership: { ...rest.ownership, secretVersion: version } };
  }

  #child<T extends KubeObject>(type: ResourceType<T>, name: string): Stored<T> | undefined {
    return this.#context.store(type).get(`${this.#instance.metadata.namespace}/${name}`);
  }

  #read<T extends KubeObject>(type: ResourceType<T>, name: string): Promise<Stored<T> | undefined> {
    return this.#context.read(type, { name, namespace: this.#instance.metadata.namespace ?? "" });
  }

  async #disown(type: ResourceType, name: string): Promise<void> {
    const child = this.#child(type, name) ?? await this.#read(type, name); // of operator 2.5.0, without our label
    const operations = child ? disownPatch(child, this.#instance.metadata.uid) : [];
    if (child && operations.length) await this.#context.patch(type, child, operations);
  }

  async #ownSecret(name: string): Promise<void> {
    const secret = this.#child(Secret, name);
    if (secret) await this.#context.patch(Secret, secret, ownPatch(secret, this.#instance));
  }

  /** A policy may protect objects from deletion: that is reported by an event, and prevents nothing else. */
  async #tryDelete(type: ResourceType, object: Stored<KubeObject>, kept: Kept): Promise<void> {
    try {
      await this.#context.delete(type, object);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== FORBIDDEN) throw error;
      const note = `${type.kind} ${object.metadata.name} is kept ${kept.why}: ${error.message}`;
      this.#context.event({ type: "Warning", reason: kept.reason, note }, this.#instance);
    }
  }

  async #ensureSourceSecret({ name, cr, labels }: Effect & { type: "ensureSourceSecret" }): Promise<void> {
    const password = cr.kind === "OdooRestoreJob" ? cr.spec.source.odoo?.masterPassword ?? "" : "";
    await this.#context.createOnce({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace: this.#instance.metadata.namespace ?? "", labels },
      type: "Opaque",
      stringData: { [MASTER_PASSWORD_KEY]: password },
    }, { owner: cr });
  }

  async #adoptConfigMap({ name, labels }: Effect & { type: "adoptConfigMap" }): Promise<void> {
    const { namespace = "" } = this.#instance.metadata;
    const present = await this.#read(ConfigMap, name);
    if (!present) return;
    const { data } = present;
    await this.#context.apply<ConfigMap>({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, namespace, labels },
      ...(data ? { data } : {}),
    });
  }

  /** The cache does not know which fields they are, so the object is read first. */
  async #takeOverFields(name: string): Promise<void> {
    const live = await this.#read(Deployment, name);
    const operations = live ? fieldTakeoverPatch(live, { from: [FIELD_MANAGER], manager: FIELD_MANAGER }) : [];
    if (live && operations.length) await this.#context.patch(Deployment, live, operations);
  }

  async carryOut(effect: Effect): Promise<void> {
    const context = this.#context;
    switch (effect.type) {
      case "patchInstance":
        this.#instance = await context.patch(OdooInstanceKind, this.#instance, effect.operations);
        return;
      case "ensureUserSecret":
        return await this.#secrets.ensureUserSecret(effect);
      case "ownSecret":
        return await this.#ownSecret(effect.name);
      case "ensureSourceSecret":
        return await this.#ensureSourceSecret(effect);
      case "sql":
        return await this.#cluster(effect.cluster).write(await this.#withPassword(effect.write));
      case "renderConfig":
        return await this.#secrets.renderConfig(effect);
      case "adoptConfigMap":
        return await this.#adoptConfigMap(effect);
      case "takeOverFields":
        return await this.#takeOverFields(effect.name);
      case "apply":
        return await applyAsServed(effect.object, context);
      case "applyIfPresent":
        return await applyIfPresent(effect.object, context);
      case "copyPullSecret":
        return await this.#parts.pullSecrets.copy(effect, this.#instance.metadata.namespace ?? "", context.signal);
      case "create":
        await context.createOnce(effect.object, { owner: effect.owner });
        return;
      case "deleteChild":
        return await context.delete(kindOf(effect.object), effect.object);
      case "deleteSecret": {
        const secret = this.#child(Secret, effect.name);
        if (secret) await context.delete(Secret, secret);
        return;
      }
      case "disown":
        return await this.#disown(effect.kind === "Secret" ? Secret : PersistentVolumeClaim, effect.name);
      case "releaseJob":
        return await releaseJob(effect.job, (operations) => context.patch(Job, effect.job, operations));
      case "jobStatus":
        return await context.setStatus(requestTypeOf(effect.cr), effect.cr, effect.status);
      case "status":
        await context.setStatus(OdooInstanceKind, this.#instance, effect.status);
        if (effect.change) context.log.info("Phase changed", { ...effect.change });
        return;
      case "deletePod":
        return await context.delete(Pod, effect.pod);
      case "event":
        return context.event(
          { type: effect.warning ? "Warning" : "Normal", reason: effect.reason, note: effect.note },
          effect.about,
        );
      case "notify":
        return this.#parts.notifications.submit(effect.notification, keyOf(this.#instance));
      case "deleteRequest":
        return await this.#tryDelete(requestTypeOf(effect.cr), effect.cr, HISTORY);
      case "deleteClaim":
        return await this.#tryDelete(PersistentVolumeClaim, effect.claim, FORMER_FILES);
      case "removeFinalizer":
        await context.patch(OdooInstanceKind, this.#instance, removeFinalizerPatch(this.#instance, effect.finalizer));
    }
  }
}

/** Answers of an API server that does not know a field: which of them it is depends on its version. */
const UNKNOWN_FIELD: ReadonlySet<number> = new Set([400, 422, 500]);

/** Applies a child; an HTTPRoute without its timeouts, where the Gateway API's CRDs are older than those. */
async function applyAsServed(object: KubeObject, context: ReconcileContext): Promise<void> {
  try {
    await context.apply(object);
  } catch (error) {
    if (object.kind !== HttpRoute.kind || !(error instanceof ApiError) || !UNKNOWN_FIELD.has(error.status)) throw error;
    await context.apply(withoutTimeouts(object));
  }
}

/**
 * Applies a child that the cache may not hold, and creates none. What was read goes into the cache first: from
 * there its uid goes into the request, which the API server refuses if that very object has gone meanwhile.
 */
async function applyIfPresent(object: KubeObject, context: ReconcileContext): Promise<void> {
  const { name = "", namespace } = object.metadata ?? {};
  const present = await context.refresh(PersistentVolumeClaim, { name, ...(namespace ? { namespace } : {}) });
  if (present) await context.apply(object);
}

/** The patch that makes `owner` the controller of an object that has none, refused if the object changed since it was seen. */
function ownPatch({ metadata }: Stored<KubeObject>, owner: Stored<KubeObject>): JsonPatchOperation[] {
  const owners = [...metadata.ownerReferences ?? [], controllerReference(owner)];
  return [
    { op: "test", path: "/metadata/resourceVersion", value: metadata.resourceVersion },
    { op: "add", path: "/metadata/ownerReferences", value: owners },
  ];
}

/** The patch that takes an owner off an object as it was seen; empty if it has no such owner. */
export function disownPatch(object: Stored<KubeObject>, ownerUid: string): JsonPatchOperation[] {
  const index = object.metadata.ownerReferences?.findIndex(({ uid }) => uid === ownerUid) ?? -1;
  if (index < 0) return [];
  const path = `/metadata/ownerReferences/${index}`;
  return [{ op: "test", path: `${path}/uid`, value: ownerUid }, { op: "remove", path }];
}

/** Lets a Job go: without our finalizer, and with a time to live. A Job that is gone already is fine. */
export async function releaseJob(
  job: Stored<Job>,
  patch: (operations: readonly JsonPatchOperation[]) => Promise<unknown>,
): Promise<void> {
  const operations = [
    ...removeFinalizerPatch(job, OUTCOME_FINALIZER),
    { op: "add", path: "/spec/ttlSecondsAfterFinished", value: JOB_TTL_SECONDS } as const,
  ];
  try {
    await patch(operations);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

const DELETABLE: readonly ResourceType[] = [
  Deployment,
  Ingress,
  HttpRoute,
  PodDisruptionBudget,
  Job,
  VolumeSnapshot,
  PersistentVolumeClaim,
];

function kindOf(object: Stored<KubeObject>): ResourceType {
  const type = DELETABLE.find(({ kind }) => kind === object.kind);
  const holdsData = type === PersistentVolumeClaim && !isOfRefresh(object); // an instance's volume is not ours to delete
  if (!type || holdsData) throw new RangeError(`Cannot delete ${object.kind}: the operator deletes no such children`);
  return type;
}
