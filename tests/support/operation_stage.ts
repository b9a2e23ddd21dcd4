/**
 * Where operations are tried while something is killed: an instance that runs, one that is copied from, the operations, and
 * what must be true of the instance's data when one has ended.
 */
import { assert, assertEquals } from "@std/assert";
import {
  conditionOf,
  type KubeObject,
  PersistentVolumeClaim,
  type ResourceType,
  type Stored,
} from "../../src/kit/mod.ts";
import type { JobRequest, OdooInstance } from "../../src/odoo/crd/mod.ts";
import { migrationOperation } from "../../src/odoo/model/operations/migration/database_migration.ts";
import {
  databaseName,
  filestoreClaimName,
  filestoreCopyName,
  INSTANCE_LABEL,
  objectNames,
  roleName,
} from "../../src/odoo/model/names.ts";
import {
  OdooBackupJobKind,
  OdooInstanceKind,
  OdooRestoreJobKind,
  OdooStagingRefreshJobKind,
  OdooUpgradeJobKind,
} from "../../src/odoo/shell/kinds.ts";
import { SECOND_STORAGE_CLASS, STORAGE_CLASS } from "../../dev/fake_nodes.ts";
import { ensureNamespace } from "../../dev/operator.ts";
import { eventually } from "./eventually.ts";
import type { Rig } from "./rig.ts";
import { query, type SqlServer, valueOf } from "./sql.ts";

/** The instance that is operated on. */
export const NAME = "cat";
const SOURCE = "live";
const PATIENCE = { timeoutMs: 120_000 } as const;
const S3 = { bucket: "backups", endpoint: "https://s3.example.com" } as const;
/** Parameter in ir_config_parameter that says which data it is. */
export const MARK = "test.mark";
const CLASSES = [STORAGE_CLASS.metadata.name, SECOND_STORAGE_CLASS.metadata.name] as const;

interface OperationTraits {
  /** What the names of its Jobs end with; empty for operations of one Job. */
  readonly steps: readonly string[];
  /** Whether it brings other data when it succeeds. */
  readonly replaces: boolean;
  /** What asks for it; without one it is a change of the instance's spec. */
  readonly kind?: ResourceType;
  readonly spec?: (id: string) => Readonly<Record<string, unknown>>;
  /** The condition of the instance that says how such a change ended. */
  readonly condition?: string;
}

const TRAITS = {
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
  "database migration": { condition: "DatabaseMigrated", steps: ["migrate-database"], replaces: false },
  "filestore migration": { condition: "FilestoreMigrated", steps: ["copy", "compare"], replaces: false },
} as const satisfies Record<string, OperationTraits>;

/** One of {@linkcode OPERATIONS}. */
export type OperationName = keyof typeof TRAITS;

/** The operations, by name. */
export const OPERATIONS: Readonly<Record<OperationName, OperationTraits>> = TRAITS;

/** An operation that was asked for. */
export interface Trial {
  readonly operation: OperationName;
  readonly id: string;
  /** What the names of its Jobs begin with. */
  readonly jobs: string;
  /** From and to where something moves, in a spec of this generation. */
  readonly move?: { readonly from: string; readonly to: string; readonly generation: number };
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
  readonly #clusters: ReadonlyMap<string, SqlServer>;
  #trials = 0;

  /** The first of `clusters`, by default the only one of the rig, is the one on which both instances begin. */
  constructor(rig: Rig, namespace: string, clusters?: ReadonlyMap<string, SqlServer>) {
    this.#rig = rig;
    this.#clusters = clusters ?? new Map([["main", rig.cluster.postgres]]);
    this.namespace = namespace;
  }

  /** Resolves when both instances run. */
  async build(): Promise<void> {
    await ensureNamespace(this.#rig.client, this.namespace);
    const [cluster = ""] = this.#clusters.keys();
    const filestore = { storageClass: CLASSES[0], storageSize: "1Gi" };
    const spec = { database: { cluster }, filestore };
    await this.#rig.create(this.namespace, SOURCE, { ...spec, environment: "Production" });
    await this.#rig.create(this.namespace, NAME, { ...spec, environment: "Staging" });
    for (const name of [SOURCE, NAME]) {
      const instance = await this.#rig.inPhase(this.namespace, name, "Running", PATIENCE);
      this.#rig.jobs.copies.addDirectory(this.namespace, objectNames.filestore(name), this.#database(instance));
    }
  }

  /** Marks the present data, so that it can be told from a copy, and asks for an operation; `more` goes into its spec. */
  async ask(operation: OperationName, more: Readonly<Record<string, unknown>> = {}): Promise<Trial> {
    const id = `${operation.replace(" ", "-")}-${++this.#trials}`;
    const instance = await this.#instance();
    const sql =
      "INSERT INTO ir_config_parameter (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2";
    await query(this.#serverOf(instance), { sql, values: [MARK, `before ${id}`], database: this.#database(instance) });
    const { kind, spec } = OPERATIONS[operation];
    if (!kind) return await this.#move(operation, id);
    await this.#rig.client.create(kind, {
      metadata: { name: id, namespace: this.namespace },
      spec: { odooInstanceRef: { name: NAME }, ...spec?.(id), ...more },
    } as object);
    return { operation, id, jobs: `${id}-` };
  }

  /** How the operation has ended, once the instance is at rest again. What was refused is not wished any more. */
  async ended(trial: Trial): Promise<string> {
    const phase = trial.move ? await this.#moveEnded(trial) : await this.#requestEnded(trial);
    await this.#atRest();
    if (trial.move && phase === "Failed") {
      await this.#wish(trial.operation, trial.move.from);
      await this.#atRest();
    }
    return phase;
  }

  /** The request, once its status is as asked for. */
  request({ operation, id }: Trial, { what, isSo }: StateOf<JobRequest>): Promise<Stored<StageRequest>> {
    const kind: ResourceType<StageRequest> = OPERATIONS[operation].kind ?? OdooInstanceKind;
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

  /** That the data is whole, the one that `phase` promises, where it promises it, and alone. */
  async checkData({ operation, id, move }: Trial, phase: string): Promise<void> {
    const instance = await this.#instance();
    const server = this.#serverOf(instance);
    const live = this.#database(instance);
    const sql = "SELECT value FROM ir_config_parameter WHERE key = $1";
    const value = await valueOf(server, { sql, values: [MARK], database: live });
    const isFormer = value === `before ${id}`;
    const isCopy = OPERATIONS[operation].replaces && phase === "Completed";
    assert(isFormer !== isCopy, `the request is ${phase}, and the data is that of '${value}'`);
    if (move) assertEquals(await this.#place(operation), phase === "Completed" ? move.to : move.from);
    await eventually("nothing is left beside the data", async () => {
      const now = await this.#instance();
      const claims = await this.#claims();
      assertEquals(claims.map(({ metadata }) => metadata.name), [filestoreClaimName(now)]);
      const directories = claims.map(({ metadata }) =>
        this.#rig.jobs.copies.directories(this.namespace, metadata.name)
      );
      assertEquals(directories, [[live]]);
      for (const [name, other] of this.#clusters) {
        const isHere = name === now.status?.activeCluster;
        assertEquals(await this.#tracesOn(other, live), isHere ? [live, this.#role()].sort() : [], name);
      }
      return true;
    }, PATIENCE);
  }

  async #move(operation: OperationName, id: string): Promise<Trial> {
    const from = await this.#place(operation);
    const places: readonly string[] = operation === "database migration" ? [...this.#clusters.keys()] : CLASSES;
    const to = places.find((place) => place !== from) ?? from;
    const wished = await this.#wish(operation, to);
    const jobs = operation === "database migration"
      ? migrationOperation({ instance: wished }).jobName ?? ""
      : filestoreCopyName(wished, to);
    return { operation, id, jobs, move: { from, to, generation: wished.metadata.generation ?? 0 } };
  }

  #wish(operation: OperationName, place: string): Promise<Stored<OdooInstance>> {
    const [path, value] = operation === "database migration"
      ? ["/spec/database/cluster", place]
      : ["/spec/filestore/storageClass", place];
    const name = { namespace: this.namespace, name: NAME };
    return this.#rig.client.patch<OdooInstance>(OdooInstanceKind, name, [{ op: "replace", path, value }]);
  }

  async #place(operation: OperationName): Promise<string> {
    const instance = await this.#instance();
    if (operation === "database migration") return instance.status?.activeCluster ?? "";
    const name = { namespace: this.namespace, name: filestoreClaimName(instance) };
    return (await this.#rig.client.get(PersistentVolumeClaim, name)).spec?.storageClassName ?? "";
  }

  async #requestEnded(trial: Trial): Promise<string> {
    const { status } = await this.request(trial, {
      what: "has ended",
      isSo: ({ phase }) => phase === "Completed" || phase === "Failed",
    });
    return status?.phase ?? "";
  }

  async #moveEnded({ operation, id, move }: Trial): Promise<string> {
    return await eventually(`${this.namespace}/${NAME} has ended ${id}`, async () => {
      const { status } = await this.#instance();
      const told = conditionOf(status?.conditions, OPERATIONS[operation].condition ?? "");
      const isTold = told?.observedGeneration === move?.generation && told?.status !== "Unknown";
      if (!isTold || status?.operation) {
        throw new Error(`it is in ${status?.phase}: ${JSON.stringify([told, status?.operation])}`);
      }
      return told?.status === "True" ? "Completed" : "Failed";
    }, PATIENCE);
  }

  async #atRest(): Promise<void> {
    await eventually(`${this.namespace}/${NAME} is at rest`, async () => {
      const { status, metadata } = await this.#instance();
      const ready = conditionOf(status?.conditions, "Ready");
      const isSeen = status?.observedGeneration === metadata.generation;
      const left = [status?.migrationPreviousCluster, status?.migrationTargetCluster, status?.filestore?.copy]
        .some((name) => name);
      if (status?.phase !== "Running" || status.operation || ready?.status !== "True" || !isSeen || left) {
        throw new Error(`it is in ${status?.phase} with ${JSON.stringify({ ...status, conditions: ready })}`);
      }
      return true;
    }, PATIENCE);
  }

  async #claims(): Promise<readonly Stored<PersistentVolumeClaim>[]> {
    const labelSelector = `${INSTANCE_LABEL}=${NAME}`;
    return (await this.#rig.client.list(PersistentVolumeClaim, { namespace: this.namespace, labelSelector })).items;
  }

  /** Databases and the role of the instance on a server. */
  async #tracesOn(server: SqlServer, live: string): Promise<string[]> {
    const sql = `SELECT datname AS name FROM pg_database WHERE datname LIKE $1
      UNION SELECT rolname FROM pg_roles WHERE rolname = $2`;
    const rows = await query(server, { sql, values: [`${live}%`, this.#role()] });
    return rows.map(({ name }) => String(name)).sort();
  }

  #serverOf({ status }: Stored<OdooInstance>): SqlServer {
    const server = this.#clusters.get(status?.activeCluster ?? "");
    if (!server) {
      throw new Error(`Cannot ask for data: it is on cluster '${status?.activeCluster}', which nobody knows`);
    }
    return server;
  }

  #role(): string {
    return roleName({ name: NAME, namespace: this.namespace });
  }

  #database(instance: Stored<OdooInstance>): string {
    return databaseName(instance, instance.metadata.uid);
  }

  #instance(): Promise<Stored<OdooInstance>> {
    return this.#rig.client.get<OdooInstance>(OdooInstanceKind, { namespace: this.namespace, name: NAME });
  }
}
