/** Instances as odoo-operator 2.5.0 leaves them on a running cluster: its objects, written in its manner, and its SQL. */
import { parseAllDocuments } from "yaml";
import { createClient } from "../../src/kit/client.ts";
import { controllerReference } from "../../src/kit/apply.ts";
import {
  apiVersionOf,
  ConfigMap,
  Deployment,
  Ingress,
  Job,
  type JsonPatchOperation,
  type KubeObject,
  PersistentVolumeClaim,
  type ResourceType,
  Secret,
  Service,
  type Stored,
} from "../../src/kit/mod.ts";
import type { OdooInitJob, OdooInstance, OdooInstanceSpec, OdooInstanceStatus } from "../../src/odoo/crd/mod.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { type Manifest, upstreamObjects } from "./crds.ts";
import { eventually } from "./eventually.ts";
import type { Rig } from "./rig.ts";

/** The instances of the fixtures that have pods. */
export type Shape = "plain" | "full";

/** Options of {@linkcode UpstreamFleet.add}. */
export interface UpstreamInstanceOptions {
  readonly shape: Shape;
  readonly spec?: Partial<OdooInstanceSpec>;
  /** Instead of a Running one's. */
  readonly status?: OdooInstanceStatus;
  /** @default {["bemade.org/postgres-cleanup"]} */
  readonly finalizers?: readonly string[];
  /** Odoo's tables are in it; `false`: there is no database yet. @default {true} */
  readonly database?: boolean;
}

const CHILDREN = new URL("../fixtures/upstream-2.5.0/children.yaml", import.meta.url);
const TYPES: readonly ResourceType[] = [Deployment, ConfigMap, Service, Ingress, PersistentVolumeClaim, Secret];
/** These it creates by POST, without a name for itself: the API server calls such a writer "unknown". */
const CREATED: readonly string[] = ["PersistentVolumeClaim", "Secret"];

/** Writes instances into a cluster that has upstream's CRDs and no operator. */
export class UpstreamFleet implements Disposable {
  readonly #rig: Rig;
  /** Under the name that 2.5.0 gives itself, and without one. */
  readonly #named: ReturnType<typeof createClient>;
  readonly #nameless: ReturnType<typeof createClient>;

  constructor(rig: Rig) {
    this.#rig = rig;
    this.#named = createClient(rig.cluster.access, { fieldManager: "odoo-operator" });
    this.#nameless = createClient(rig.cluster.access, { fieldManager: "unknown" });
  }

  [Symbol.dispose](): void {
    this.#named.close();
    this.#nameless.close();
  }

  /** An instance with all its children and its role; its pods run. */
  async add(namespace: string, name: string, options: UpstreamInstanceOptions): Promise<Stored<OdooInstance>> {
    const { shape, database = true, finalizers = ["bemade.org/postgres-cleanup"] } = options;
    const model = (await upstreamObjects()).find(({ kind, metadata }) =>
      kind === "OdooInstance" && metadata?.name === shape
    );
    const spec = { ...model?.spec, ...options.spec } as OdooInstanceSpec;
    const created = await this.#rig.client.create<OdooInstance>(OdooInstanceKind, {
      metadata: { name, namespace },
      spec,
    });
    await this.#nameless.patch(OdooInstanceKind, created.metadata, [
      { op: "add", path: "/metadata/finalizers", value: finalizers },
    ]);
    const password = await this.#createRole(created, database);
    await this.#createChildren(created, { shape, password });
    const running = { ...model?.status, phase: "Running", selector: `app=${name}` } as OdooInstanceStatus;
    const status = options.status ?? running;
    const { replicas = 1, cron } = spec;
    const [web, scheduler] = status.phase === "Running" ? [replicas, cron?.replicas ?? 1] : [0, 0];
    await this.#scale(created, { [name]: web, [`${name}-cron`]: scheduler });
    return await this.#patchStatus(created, status);
  }

  /** An initialisation that 2.5.0 has begun: its OdooInitJob and the Job of a generated name. */
  async beginInit(instance: Stored<OdooInstance>): Promise<Stored<Job>> {
    const { name, namespace = "" } = instance.metadata;
    const cr = await this.#nameless.create<OdooInitJob>(OdooInitJobKind, {
      metadata: { name: `${name}-auto-init`, namespace, ownerReferences: [controllerReference(instance)] },
      spec: { odooInstanceRef: { name }, modules: ["base"], demo: false },
    });
    const labels = { "bemade.org/environment": "staging", "bemade.org/instance": name };
    const job = await this.#nameless.create<Job>(Job, {
      metadata: { generateName: `${name}-auto-init-`, namespace, labels, ownerReferences: [controllerReference(cr)] },
      spec: {
        backoffLimit: 0,
        ttlSecondsAfterFinished: 900,
        template: {
          metadata: { labels },
          spec: { restartPolicy: "Never", containers: [{ name: "init", image: "odoo:18.0" }] },
        },
      },
    });
    const status = { phase: "Running", jobName: job.metadata.name, startTime: "2026-11-21 02:23:49" };
    await this.#named.patch(OdooInitJobKind, cr.metadata, [{ op: "add", path: "/status", value: status }], {
      subresource: "status",
    });
    return job;
  }

  async #createRole({ metadata }: Stored<OdooInstance>, database: boolean): Promise<string> {
    const { name, namespace, uid } = metadata;
    const role = `odoo.${namespace}.${name}`;
    const password = crypto.randomUUID().replaceAll("-", "");
    await this.#rig.sql(`create role "${role}" createdb login password '${password}'`);
    if (!database) return password;
    const called = `odoo_${uid.replaceAll("-", "_")}`;
    await this.#rig.sql(`create database "${called}" owner "${role}"`);
    await this.#rig.sql("create table ir_module_module (name text, state text)", [], called);
    return password;
  }

  async #createChildren(owner: Stored<OdooInstance>, { shape, password }: { shape: Shape; password: string }) {
    const { name, namespace = "", uid } = owner.metadata;
    const { host, port } = this.#rig.cluster.postgres;
    const text = await Deno.readTextFile(CHILDREN);
    const models = parseAllDocuments(text).map((document): Manifest => document.toJS());
    const theirs = models.filter(({ metadata }) => new RegExp(`^${shape}(-|$)`).test(metadata?.name ?? ""));
    const options = theirs.map((model) => JSON.stringify(model)).join();
    const [, modelUid = ""] = /odoo_([0-9a-f_]{36})/.exec(options) ?? [];
    const [, modelPassword = ""] = /"db_password":"([0-9a-f]+)"/.exec(options) ?? [];
    for (const model of theirs) {
      const own = JSON.stringify(model)
        .replaceAll(modelUid, uid.replaceAll("-", "_")).replaceAll(modelPassword, password)
        .replaceAll("127.0.0.1", host).replaceAll("21010", String(port))
        .replaceAll(`odoo.shop.${shape}`, `odoo.${namespace}.${name}`)
        .replaceAll(new RegExp(`(?<=[":-])${shape}(?=["-])`, "g"), name);
      const object: KubeObject & { data?: unknown } = JSON.parse(own);
      const data = object.kind === "Secret"
        ? { data: { username: btoa(`odoo.${namespace}.${name}`), password: btoa(password) } }
        : {};
      const ownerReferences = [
        controllerReference(owner),
      ];
      const child = { ...object, ...data, metadata: { ...object.metadata, namespace, ownerReferences } };
      const type = TYPES.find((type) => type.kind === child.kind && apiVersionOf(type) === child.apiVersion);
      if (!type) throw new TypeError(`Cannot create ${child.kind}: the test knows no such kind`);
      if (CREATED.includes(type.kind)) await this.#nameless.create(type, child);
      else await this.#named.apply(type, child);
    }
  }

  /** By a patch under its own name, as 2.5.0 does: an Update entry beside the Apply entry. */
  async #scale({ metadata: { namespace = "" } }: Stored<OdooInstance>, wanted: Readonly<Record<string, number>>) {
    for (const [name, value] of Object.entries(wanted)) {
      const operations: JsonPatchOperation[] = [{ op: "replace", path: "/spec/replicas", value }];
      await this.#named.patch(Deployment, { namespace, name }, operations);
      await eventually(`${name} has ${value} ready pods`, async () => {
        const { status, metadata } = await this.#rig.client.get(Deployment, { namespace, name });
        if (status?.observedGeneration === metadata.generation && (status?.readyReplicas ?? 0) === value) return true;
        throw new Error(`it has ${status?.readyReplicas ?? 0}`);
      }, { timeoutMs: 60_000 });
    }
  }

  async #patchStatus({ metadata }: Stored<OdooInstance>, status: OdooInstanceStatus): Promise<Stored<OdooInstance>> {
    return await this.#named.patch<OdooInstance>(OdooInstanceKind, metadata, [
      { op: "add", path: "/status", value: status },
    ], { subresource: "status" });
  }
}
