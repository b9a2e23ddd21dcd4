/**
 * Where operations are tried while something is killed: an instance that runs, one that is copied from, the four operations,
 * and what must be true of the instance's data when one has ended.
 */
import { assert, assertEquals } from "@std/assert";
import { conditionOf, type KubeObject, type ResourceType, type Stored } from "../../src/kit/mod.ts";
import type { JobRequest, OdooInstance } from "../../src/odoo/crd/mod.ts";
import { databaseName, objectNames } from "../../src/odoo/model/names.ts";
import {
  OdooBackupJobKind,
  OdooInstanceKind,
  OdooRestoreJobKind,
  OdooStagingRefreshJobKind,
  OdooUpgradeJobKind,
} from "../../src/odoo/shell/kinds.ts";
import { ensureNamespace } from "../../dev/operator.ts";
import { ORIGIN_PARAMETER } from "../../dev/odoo_copies.ts";
import { eventually } from "./eventually.ts";
import type { Rig } from "./rig.ts";

/** The instance that is operated on. */
export const NAME = "cat";
const SOURCE = "live";
const PATIENCE = { timeoutMs: 120_000 } as const;
const S3 = { bucket: "backups", endpoint: "https://s3.example.com" } as const;

interface OperationTraits {
  readonly kind: ResourceType;
  readonly spec: (id: string) => Readonly<Record<string, unknown>>;
  /** What the names of its Jobs end with; empty for operations of one Job. */
  readonly steps: readonly string[];
  /** Whether it brings other data when it succeeds. */
  readonly replaces: boolean;
}

/** The operations, by name. */
export const OPERATIONS = {
  upgrade: { kind: OdooUpgradeJobKind, spec: () => ({ modules: ["base"] }), steps: [""], replaces: false },
  backup: {
    kind: OdooBackupJobKind,
    spec: (id) => ({ destination: { ...S3, objectKey: `${id}.zip` } }),
    steps: [""],
    replaces: false,
  },
  restore: {
    kind: OdooRestoreJobKind,
    spec: (id) => ({ source: { type: "s3", s3: { ...S3, objectKey: `${id}.zip` } } }),
    steps: ["load", "prepare", "move"],
    replaces: true,
  },
  refresh: {
    kind: OdooStagingRefreshJobKind,
    spec: () => ({ source: { instanceName: SOURCE } }),
    steps: ["database", "files", "prepare", "move"],
    replaces: true,
  },
} as const satisfies Record<string, OperationTraits>;

/** One of {@linkcode OPERATIONS}. */
export type OperationName = keyof typeof OPERATIONS;

/** An operation that was asked for. */
export interface Trial {
  readonly operation: OperationName;
  readonly id: string;
}

/** A state to wait for, by what the status says. */
export interface StateOf<T extends { readonly status?: unknown }> {
  /** Behind the object's name. */
  readonly what: string;
  readonly isSo: (status: NonNullable<T["status"]>) => boolean;
}

/** A request of any kind. */
export type StageRequest = KubeObject & Pick<JobRequest, "status">;

/** Two instances in a namespace of their own. */
export class OperationStage {
  readonly namespace: string;
  readonly #rig: Rig;
  #trials = 0;

  constructor(rig: Rig, namespace: string) {
    this.#rig = rig;
    this.namespace = namespace;
  }

  /** Resolves when both instances run. */
  async build(): Promise<void> {
    await ensureNamespace(this.#rig.client, this.namespace);
    await this.#rig.create(this.namespace, SOURCE, { environment: "Production" });
    await this.#rig.create(this.namespace, NAME, { environment: "Staging" });
    for (const name of [SOURCE, NAME]) {
      const instance = await this.#rig.inPhase(this.namespace, name, "Running", PATIENCE);
      this.#rig.jobs.copies.addDirectory(this.namespace, objectNames.filestore(name), this.#database(instance));
    }
  }

  /** Marks the present data, so that it can be told from a copy, and asks for an operation; `more` goes into its spec. */
  async ask(operation: OperationName, more: Readonly<Record<string, unknown>> = {}): Promise<Trial> {
    const trial = { operation, id: `${operation}-${++this.#trials}` };
    const database = this.#database(await this.#instance());
    const mark =
      "INSERT INTO ir_config_parameter (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2";
    await this.#rig.sql(mark, [ORIGIN_PARAMETER, `before ${trial.id}`], database);
    const { kind, spec } = OPERATIONS[operation];
    await this.#rig.client.create(kind, {
      metadata: { name: trial.id, namespace: this.namespace },
      spec: { odooInstanceRef: { name: NAME }, ...spec(trial.id), ...more },
    } as object);
    return trial;
  }

  /** The phase in which the request has ended, once the instance is at rest again. */
  async ended({ operation, id }: Trial): Promise<string> {
    const { status } = await this.request({ operation, id }, {
      what: "has ended",
      isSo: ({ phase }) => phase === "Completed" || phase === "Failed",
    });
    await this.instance({
      what: "is at rest",
      isSo: ({ phase, operation, conditions }) =>
        phase === "Running" && !operation && conditionOf(conditions, "Ready")?.status === "True",
    });
    return status?.phase ?? "";
  }

  /** The request, once its status is as asked for. */
  request({ operation, id }: Trial, { what, isSo }: StateOf<JobRequest>): Promise<Stored<StageRequest>> {
    const kind: ResourceType<StageRequest> = OPERATIONS[operation].kind;
    return eventually(`${this.namespace}/${id} ${what}`, async () => {
      const cr = await this.#rig.client.get(kind, { namespace: this.namespace, name: id });
      if (!isSo(cr.status ?? {})) throw new Error(`it is ${JSON.stringify(cr.status)}`);
      return cr;
    }, PATIENCE);
  }

  /** The instance that is operated on, once its status is as asked for. */
  instance({ what, isSo }: StateOf<OdooInstance>): Promise<Stored<OdooInstance>> {
    return eventually(`${this.namespace}/${NAME} ${what}`, async () => {
      const instance = await this.#instance();
      const { phase, operation, conditions } = instance.status ?? {};
      if (!isSo(instance.status ?? {})) {
        throw new Error(`it is in ${phase} with ${JSON.stringify([operation, conditionOf(conditions, "Ready")])}`);
      }
      return instance;
    }, PATIENCE);
  }

  /** That the data is whole, the one that `phase` promises, and alone. */
  async checkData({ operation, id }: Trial, phase: string): Promise<void> {
    const instance = await this.#instance();
    const live = this.#database(instance);
    const select = "SELECT value FROM ir_config_parameter WHERE key = $1";
    const [{ value = undefined } = {}] = await this.#rig.sql(select, [ORIGIN_PARAMETER], live);
    const isFormer = value === `before ${id}`;
    const isCopy = OPERATIONS[operation].replaces && phase === "Completed";
    assert(isFormer !== isCopy, `the request is ${phase}, and the data is that of '${value}'`);
    await eventually("nothing is left beside the data", async () => {
      const query = "SELECT datname FROM pg_database WHERE datname LIKE $1";
      const databases = (await this.#rig.sql(query, [`${live}%`])).map(({ datname }) => datname);
      const directories = this.#rig.jobs.copies.directories(this.namespace, objectNames.filestore(NAME));
      assertEquals([databases, directories], [[live], [live]]);
      return true;
    }, PATIENCE);
  }

  #database(instance: Stored<OdooInstance>): string {
    return databaseName(instance, instance.metadata.uid);
  }

  #instance(): Promise<Stored<OdooInstance>> {
    return this.#rig.client.get<OdooInstance>(OdooInstanceKind, { namespace: this.namespace, name: NAME });
  }
}
