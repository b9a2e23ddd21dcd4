/**
 * A crash between any two effects: the plans are carried out in a model of the cluster that forgets everything but what
 * was written. However often the operator dies, the instance comes to run, and its Job was made once.
 */
import { assertEquals } from "@std/assert";
import type { Deployment, Job } from "../../../../src/kit/builders/kinds.ts";
import type { KubeObject, Stored } from "../../../../src/kit/types.ts";
import type { JobRequest, OdooInitJob, OdooInstance, OdooInstanceStatus } from "../../../../src/odoo/crd/mod.ts";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import { configInputsHash } from "../../../../src/odoo/model/instance/config_text.ts";
import { type KnownClusterFacts } from "../../../../src/odoo/model/postgres/database.ts";
import { CONTENT_HASH_ANNOTATION, RENDERED_FROM_ANNOTATION } from "../../../../src/odoo/model/names.ts";
import type { Effect } from "../../../../src/odoo/model/plan.ts";
import { resolve } from "../../../../src/odoo/model/resolve.ts";
import type { JobState, Observed, World } from "../../../../src/odoo/model/world.ts";
import {
  aClaim,
  anAddress,
  anInstance,
  aSecret,
  emptyFacts,
  NO_ANSWERS,
  NOW,
  someDefaults,
} from "../../../support/builders.ts";
import { flat } from "../../../support/flat_effects.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What outlives a crash, and the hands of PostgreSQL, kubelet and Deployment controller. */
class ModelCluster {
  status: OdooInstanceStatus = {};
  facts: KnownClusterFacts = emptyFacts();
  /** Names of the Jobs that were created, in order. */
  readonly created: string[] = [];
  readonly #instance: Stored<OdooInstance> = anInstance();
  readonly #observed: Mutable<Partial<Observed>> = {};
  readonly #requests = new Map<string, Stored<JobRequest>>();
  readonly #jobs = new Map<string, Stored<Job>>();
  readonly #jobStates = new Map<string, JobState>();

  world(): World {
    const defaults = someDefaults();
    const { resolved } = resolve(this.#instance, defaults);
    if (!resolved) throw new TypeError("Cannot resolve the instance of this test: it is broken");
    return {
      instance: { ...this.#instance, status: this.status },
      status: this.status,
      phase: this.status.phase ?? "Provisioning",
      defaults,
      adoptedInstances: "keep",
      jobHistoryLimit: 10,
      resolved,
      cluster: { address: anAddress(), facts: this.facts },
      observed: {
        ...NO_ANSWERS,
        ...this.#observed,
        requests: [...this.#requests.values()],
        jobs: [...this.#jobs.values()],
        jobStates: new Map(this.#jobStates),
        jobsWithPods: new Set(),
        endingPods: [],
      },
      now: NOW,
    };
  }

  /** The first Job comes to its end. */
  finishJobs(): void {
    for (const name of this.#jobs.keys()) this.#jobStates.set(name, { state: "succeeded", message: "" });
  }

  carryOut(planned: Effect): void {
    const effect = flat(planned);
    const { roles, databases } = this.facts;
    switch (effect.type) {
      case "ensureUserSecret":
        if (effect.username === "admin") this.#observed.adminSecret ??= aSecret(effect.name);
        else this.#observed.userSecret ??= aSecret(effect.name);
        return;
      case "ensureRole": {
        const secretVersion = this.#observed.userSecret?.version;
        if (!secretVersion) throw new Error("Cannot make the role: its Secret does not exist");
        const ownership = { uid: effect.uid, secretVersion };
        this.facts = { ...this.facts, roles: new Map([...roles, [effect.role, { name: effect.role, ownership }]]) };
        return;
      }
      case "ensureDatabase": {
        if (!roles.has(effect.role)) throw new Error("Cannot make the database: its role does not exist");
        const facts = { name: effect.database, owner: effect.role, ownership: { uid: effect.uid } };
        this.facts = { ...this.facts, databases: new Map([...databases, [effect.database, facts]]) };
        return;
      }
      case "renderConfig": {
        const version = this.#observed.userSecret?.version;
        if (!version) throw new Error("Cannot render odoo.conf: the role's Secret does not exist");
        const from = configInputsHash(effect.text, "master-secret", version);
        const annotations = { [RENDERED_FROM_ANNOTATION]: from, [CONTENT_HASH_ANNOTATION]: "c0ffee" };
        this.#observed.configSecret = aSecret(effect.name, { annotations });
        return;
      }
      case "apply":
        return this.#apply(effect.object);
      case "create":
        return this.#create(effect.object, effect.owner);
      case "jobStatus":
        this.#requests.set(effect.cr.metadata.uid, { ...effect.cr, status: effect.status } as Stored<JobRequest>);
        return;
      case "status":
        this.status = effect.status;
        return;
      case "releaseJob":
        this.#jobs.delete(effect.job.metadata.name);
        this.#jobStates.delete(effect.job.metadata.name);
        return;
      case "event":
        return;
      default:
        throw new Error(`Cannot carry out ${effect.type}: nothing in this story asks for it`);
    }
  }

  #apply(object: KubeObject): void {
    if (object.kind === "PersistentVolumeClaim") this.#observed.filestore = aClaim();
    if (object.kind !== "Deployment") return;
    const live = stored(object as Deployment);
    const deployment = { ...live, status: { readyReplicas: live.spec?.replicas ?? 0 } };
    if (object.metadata?.name === "shop") this.#observed.web = deployment;
    else this.#observed.cron = deployment;
  }

  #create(object: KubeObject, owner: Stored<KubeObject>): void {
    const name = object.metadata?.name ?? "";
    if (object.kind === "OdooInitJob") {
      const cr = stored(object as OdooInitJob);
      if (!this.#requests.has(cr.metadata.uid)) this.#requests.set(cr.metadata.uid, cr);
      return;
    }
    this.created.push(name);
    const ownerReferences = [{ apiVersion: "", kind: "", name: "", uid: owner.metadata.uid, controller: true }];
    const job = stored(object as Job);
    this.#jobs.set(name, { ...job, metadata: { ...job.metadata, ownerReferences } });
    this.#jobStates.set(name, { state: "active" });
  }
}

function stored<T extends KubeObject>(object: T): Stored<T> {
  const name = object.metadata?.name ?? "";
  return { ...object, metadata: { ...object.metadata, name, uid: `uid-of-${name}`, resourceVersion: "1" } };
}

/** Reconciles until nothing changes any more; dies before every effect that `survives` refuses. */
function story(survives: (effectIndex: number) => boolean): ModelCluster {
  const cluster = new ModelCluster();
  let effects = 0;
  for (let round = 0; round < 60; round++) {
    for (const effect of decide(cluster.world()).effects) {
      if (!survives(effects++)) break;
      cluster.carryOut(effect);
    }
    if (round % 3 === 2) cluster.finishJobs();
  }
  return cluster;
}

function end(cluster: ModelCluster) {
  const { phase, dbInitialized, operation } = cluster.status;
  return { phase, dbInitialized, operation, jobs: cluster.created.length };
}

const RUNNING = { phase: "Running", dbInitialized: true, operation: undefined, jobs: 1 } as const;

Deno.test("decide() brings a new instance to Running with one Job when nothing goes wrong", () => {
  assertEquals(end(story(() => true)), RUNNING);
});

Deno.test("decide() comes to the same end, with one Job, when the operator dies before any one effect", () => {
  for (let deadly = 0; deadly < 120; deadly++) {
    assertEquals(end(story((index) => index !== deadly)), RUNNING, `died before effect ${deadly}`);
  }
});

Deno.test("decide() comes to the same end, with one Job, when the operator dies again and again", () => {
  for (let seed = 1; seed <= 50; seed++) {
    let state = seed;
    const luck = () => (state = state * 48271 % 2147483647) % 10 !== 0; // Park and Miller's generator
    assertEquals(end(story(luck)), RUNNING, `seed ${seed}`);
  }
});
