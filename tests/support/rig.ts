/** A local cluster with the operator on it, for tests of the whole path. One per test file; each test has a namespace. */
import {
  type Client,
  conditionOf,
  isNotFound,
  type KubeObject,
  type ResourceType,
  type Stored,
} from "../../src/kit/mod.ts";
import type { LocalCluster, LocalClusterOptions } from "../../dev/control_plane.ts";
import { type OdooJobs, type OdooJobsOptions, startOdooJobs } from "../../dev/odoo_jobs.ts";
import {
  adminClient,
  ensureNamespace,
  type OperatorOptions,
  type OperatorProcess,
  prepareCrds,
  prepareForOperator,
  startOperator,
} from "../../dev/operator.ts";
import type { OdooInstance, OdooInstanceSpec } from "../../src/odoo/crd/mod.ts";
import { INSTANCE_LABEL } from "../../src/odoo/model/names.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import pg from "pg";
import { eventually } from "./eventually.ts";
import { findTestCluster, startTestCluster, type TestCluster } from "./shared_cluster.ts";

/** Options of {@linkcode startRig}. */
export interface RigOptions {
  readonly jobs?: OdooJobsOptions;
  /** How the operator starts; `"later"`: the test starts it. @default {{}} */
  readonly operator?: OperatorOptions | "later";
  /**
   * A cluster for this file alone, for tests that stop its API server, change what all namespaces share (CRDs, webhooks, the
   * rights of others), or need other options. @default {the cluster that files share}
   */
  readonly cluster?: LocalClusterOptions;
  /** Nothing is installed: a cluster for this file alone without CRDs, clusters Secret and operator. @default {false} */
  readonly bare?: boolean;
  /** A PostgreSQL server for this file alone, for tests that stop it. @default {false} */
  readonly ownPostgres?: boolean;
}

/** Cluster, client, double and operator. */
export class Rig {
  readonly cluster: LocalCluster;
  readonly client: Client & { close(): void };
  readonly jobs: OdooJobs;
  operator: OperatorProcess | undefined;
  readonly #shared: TestCluster;
  #namespaces = 0;

  constructor(shared: TestCluster, jobs: OdooJobs) {
    this.#shared = shared;
    this.cluster = shared.cluster;
    this.jobs = jobs;
    this.client = adminClient(shared.cluster);
  }

  /** Starts (or starts again) the operator. */
  async start(options: OperatorOptions = {}): Promise<OperatorProcess> {
    return this.operator = await startOperator(this.cluster, options);
  }

  /** Ends the operator without a warning. */
  async kill(): Promise<void> {
    await this.operator?.process.stop({ signal: "SIGKILL" });
    this.operator = undefined;
  }

  /** A fresh namespace. */
  async namespace(): Promise<string> {
    const name = `${this.#shared.prefix}${++this.#namespaces}`;
    await ensureNamespace(this.client, name);
    return name;
  }

  async create(namespace: string, name: string, spec: Partial<OdooInstanceSpec> = {}): Promise<Stored<OdooInstance>> {
    const whole = { adminPassword: "secret-admin-password", ingress: { hosts: [`${name}.example.com`] }, ...spec };
    return await this.client.create<OdooInstance>(OdooInstanceKind, { metadata: { name, namespace }, spec: whole });
  }

  /** The instance as soon as it is in `phase`, with `reason` in its condition Ready if that is asked for. */
  async inPhase(
    namespace: string,
    name: string,
    phase: string,
    options: { readonly reason?: string; readonly timeoutMs?: number; readonly intervalMs?: number } = {},
  ): Promise<Stored<OdooInstance>> {
    const { reason, timeoutMs = 20_000, intervalMs = 20 } = options;
    return await eventually(`${name} in ${phase}${reason ? ` (${reason})` : ""}`, async () => {
      const instance = await this.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
      const ready = conditionOf(instance.status?.conditions, "Ready");
      const seen = `${instance.status?.phase} (${ready?.reason}: ${ready?.message})`;
      if (instance.status?.phase !== phase || (reason && ready?.reason !== reason)) throw new Error(`it is in ${seen}`);
      return instance;
    }, { timeoutMs, intervalMs });
  }

  /** Resolves when the object is gone. */
  async gone(type: ResourceType, namespace: string, name: string): Promise<void> {
    await eventually(`${type.kind} ${name} is gone`, async () => {
      try {
        const { metadata } = await this.client.get<KubeObject>(type, { namespace, name });
        throw new Error(`it is there, with finalizers ${metadata.finalizers?.join()}`);
      } catch (error) {
        if (isNotFound(error)) return true;
        throw error;
      }
    }, { timeoutMs: 60_000 });
  }

  /** Rows of a query, as the administrator of PostgreSQL. */
  async sql(text: string, values: unknown[] = [], database = "postgres"): Promise<Record<string, unknown>[]> {
    const { host, port, adminUser: user, adminPassword: password } = this.cluster.postgres;
    const client = new pg.Client({ host, port, user, password, database });
    await client.connect();
    try {
      return (await client.query(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  /** Ends what this file has started, and removes what it has created. */
  async stop(): Promise<void> {
    await this.operator?.[Symbol.asyncDispose]();
    await this.jobs.stop();
    try {
      await this.#shared.end(this.client);
    } finally {
      this.client.close();
    }
  }
}

/** Starts everything. */
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const { jobs, operator = {}, cluster, bare = false, ownPostgres = false } = options;
  const own = bare ? cluster ?? {} : cluster && { prepare: prepareCrds, ...cluster };
  const found = own ? await startTestCluster(own) : await findTestCluster({ ownPostgres });
  const rig = new Rig(found, await startOdooJobs(found.cluster, jobs));
  if (bare) return rig;
  await prepareForOperator(rig.client, rig.cluster);
  if (operator !== "later") await rig.start(operator);
  return rig;
}

/** Jobs of the instances that are in `failing` at that moment end with exit code 1 and `message`. */
export function failingFor(failing: ReadonlySet<string>, message: string): OdooJobsOptions {
  return {
    outcomeOf: ({ metadata: { labels } }) =>
      failing.has(labels?.[INSTANCE_LABEL] ?? "") ? { exitCode: 1, message } : undefined,
  };
}
