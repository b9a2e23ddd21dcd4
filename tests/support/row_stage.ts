/** Where instances are led through rows of the state machine: an operator, two PostgreSQL servers, an instance to copy. */
import { conditionOf, type JsonPatchOperation, type ObjectKey, Pod, type Stored } from "../../src/kit/mod.ts";
import { Slots } from "../../src/kit/slots.ts";
import type { OdooInstance, OdooInstanceSpec } from "../../src/odoo/crd/mod.ts";
import { databaseName, INSTANCE_LABEL, JOB_LABEL, objectNames } from "../../src/odoo/model/names.ts";
import {
  OdooBackupJobKind,
  OdooInitJobKind,
  OdooInstanceKind,
  OdooRestoreJobKind,
  OdooStagingRefreshJobKind,
  OdooUpgradeJobKind,
} from "../../src/odoo/shell/kinds.ts";
import type { Outcome } from "../../dev/odoo_jobs.ts";
import { writeClustersSecret } from "../../dev/operator.ts";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { eventually } from "./eventually.ts";
import { FiredRows } from "./fired_rows.ts";
import { type Rig, startRig } from "./rig.ts";

const PATIENCE = { timeoutMs: 90_000, intervalMs: 250 } as const;

/** The instance that refreshes copy. */
const SOURCE = "live";

const S3 = { bucket: "backups", endpoint: "https://s3.example.com", objectKey: "shop.zip" } as const;

const REQUESTS = {
  init: { kind: OdooInitJobKind, spec: {} },
  upgrade: { kind: OdooUpgradeJobKind, spec: { modules: ["base"] } },
  backup: { kind: OdooBackupJobKind, spec: { destination: S3 } },
  restore: { kind: OdooRestoreJobKind, spec: { source: { type: "s3", s3: S3 } } },
  refresh: { kind: OdooStagingRefreshJobKind, spec: { source: { instanceName: SOURCE } } },
} as const;

/** What a person may ask for by a request. */
export type RequestName = keyof typeof REQUESTS;

/** The cluster with the second server. */
export const OTHER_CLUSTER = "other";

/** All instances are in one namespace, and each has a name of its own. */
export class RowStage implements AsyncDisposable {
  readonly rig: Rig;
  readonly fired: FiredRows;
  readonly namespace: string;
  /** By instance and container, or end of the Job's name: `shop/restore`, `shop/compare`; without an entry all goes well. */
  readonly outcomes: Map<string, Outcome>;
  /** The same of the pods that have started. */
  readonly started: Set<string>;
  readonly #other: PostgresServer;
  readonly #clusters = new Map<string, unknown>();
  readonly #writing = new Slots(1);

  /** Starts all of it; resolves when there is an instance to copy. */
  static async start(): Promise<RowStage> {
    const [outcomes, started] = [new Map<string, Outcome>(), new Set<string>()];
    const outcomeOf = ({ metadata: { labels }, spec }: Stored<Pod>) => {
      const ends = [spec?.containers[0]?.name, labels?.[JOB_LABEL]?.split("-").at(-1)];
      const names = ends.map((end) => `${labels?.[INSTANCE_LABEL]}/${end}`);
      for (const name of names) started.add(name);
      return names.map((name) => outcomes.get(name)).find((outcome) => outcome);
    };
    const [rig, other] = await Promise.all([startRig({ jobs: { delayMs: 50, outcomeOf } }), startPostgres()]);
    const stage = new RowStage(rig, other, { namespace: await rig.namespace(), outcomes, started });
    await stage.#build();
    return stage;
  }

  constructor(rig: Rig, other: PostgresServer, parts: Pick<RowStage, "namespace" | "outcomes" | "started">) {
    this.rig = rig;
    this.#other = other;
    this.namespace = parts.namespace;
    this.outcomes = parts.outcomes;
    this.started = parts.started;
    this.fired = new FiredRows(rig.operator?.process.logPath ?? "");
  }

  /** Adds the rig's server under a further name, or changes something in that entry, so that the operator looks again. */
  async setCluster(name: string, more: { readonly sslmode?: "disable" } = {}): Promise<void> {
    this.#clusters.set(name, { ...entryOf(this.rig.cluster.postgres), ...more });
    await this.#writeClusters();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rig.stop();
    await this.#other[Symbol.asyncDispose]();
  }

  async #build(): Promise<void> {
    this.#clusters.set("main", { ...entryOf(this.rig.cluster.postgres), default: true });
    this.#clusters.set(OTHER_CLUSTER, entryOf(this.#other));
    await this.#writeClusters();
    await this.rig.create(this.namespace, SOURCE, { environment: "Production" });
    const instance = await this.rig.inPhase(this.namespace, SOURCE, "Running", PATIENCE);
    const directory = databaseName(instance, instance.metadata.uid);
    this.rig.jobs.copies.addDirectory(this.namespace, objectNames.filestore(SOURCE), directory);
  }

  /** One after the other: each writes all of them. */
  #writeClusters(): Promise<void> {
    const { client, cluster } = this.rig;
    return this.#writing.use(() => writeClustersSecret(client, cluster, Object.fromEntries(this.#clusters)));
  }
}

function entryOf({ host, port, adminUser, adminPassword }: PostgresServer) {
  return { host, port, adminUser, adminPassword };
}

/** One instance on its way to a row. */
export class Life {
  readonly name: string;
  readonly #stage: RowStage;

  constructor(stage: RowStage, name: string) {
    this.#stage = stage;
    this.name = name;
  }

  /** Begins it, without cron pods: they make no difference to a row. */
  async create(spec: Partial<OdooInstanceSpec> = {}): Promise<void> {
    const { rig, namespace } = this.#stage;
    await rig.create(namespace, this.name, { cron: { replicas: 0 }, ...spec });
  }

  async inPhase(phase: string): Promise<Stored<OdooInstance>> {
    const { rig, namespace } = this.#stage;
    return await rig.inPhase(namespace, this.name, phase, PATIENCE);
  }

  /** Resolves when the operator has told that this row has fired for the instance. */
  async fires(row: string): Promise<void> {
    const { fired } = this.#stage;
    await eventually(`${row} (${this.name})`, async () => {
      const rows = await fired.of(this.#key);
      if (rows.includes(row)) return true;
      const { status } = await this.#get();
      const ready = conditionOf(status?.conditions, "Ready");
      const seen = rows.map((row) => `\n  ${row}`).join("");
      throw new Error(`it is in ${status?.phase} (${ready?.reason}: ${ready?.message}), and there were${seen}`);
    }, PATIENCE);
  }

  async change(...operations: readonly JsonPatchOperation[]): Promise<void> {
    await this.#stage.rig.client.patch(OdooInstanceKind, this.#id, operations);
  }

  /** As a person does who knows better what is in the database. */
  async sayInitialized(): Promise<void> {
    const operations = [{ op: "add", path: "/status/dbInitialized", value: true }] as const;
    await this.#stage.rig.client.patch(OdooInstanceKind, this.#id, operations, { subresource: "status" });
  }

  async ask(request: RequestName): Promise<void> {
    const { kind, spec } = REQUESTS[request];
    const { namespace, name } = this.#id;
    const metadata = { name: `${name}-${request}`, namespace };
    await this.#stage.rig.client.create(kind, { metadata, spec: { odooInstanceRef: { name }, ...spec } } as object);
  }

  /** Deletes what was asked for. */
  async withdraw(request: RequestName): Promise<void> {
    const { kind } = REQUESTS[request];
    const { namespace, name } = this.#id;
    await this.#stage.rig.client.delete(kind, { namespace, name: `${name}-${request}` });
  }

  /** How its Jobs with this container, or this end of their names, end from now on; without an outcome: well. */
  jobsEnd(which: string, outcome?: Outcome): void {
    const { outcomes } = this.#stage;
    if (outcome) outcomes.set(`${this.name}/${which}`, outcome);
    else outcomes.delete(`${this.name}/${which}`);
  }

  /** Resolves when such a Job is at work. */
  async works(which: string): Promise<void> {
    const { started } = this.#stage;
    await eventually(`${this.name}/${which} works`, () => {
      if (!started.has(`${this.name}/${which}`)) throw new Error(`of all Jobs these do: ${[...started].join()}`);
      return true;
    }, PATIENCE);
  }

  /** Adds or changes the PostgreSQL cluster that is named after it. */
  setCluster(more: { readonly sslmode?: "disable" } = {}): Promise<void> {
    return this.#stage.setCluster(this.name, more);
  }

  /** Drops the database as an absent-minded administrator would; it is on the cluster that is named after the instance. */
  async loseDatabase(): Promise<void> {
    const instance = await this.#get();
    await this.#stage.rig.sql(`drop database "${databaseName(instance, instance.metadata.uid)}" with (force)`);
    await this.setCluster({ sslmode: "disable" });
  }

  /** Its web pods are not ready any more, as those of a node that is silent. */
  async losePods(): Promise<void> {
    const { client } = this.#stage.rig;
    const { namespace, name } = this.#id;
    const { items } = await client.list(Pod, { namespace, labelSelector: `app=${name}` });
    for (const { metadata, status } of items) {
      const index = status?.conditions?.findIndex(({ type, status }) => type === "Ready" && status === "True") ?? -1;
      if (index < 0) continue;
      await client.patch(Pod, { namespace, name: metadata.name }, [
        { op: "replace", path: `/status/conditions/${index}/status`, value: "False" },
      ], { subresource: "status" });
    }
  }

  get #id() {
    return { namespace: this.#stage.namespace, name: this.name };
  }

  get #key(): ObjectKey {
    return `${this.#stage.namespace}/${this.name}`;
  }

  #get(): Promise<Stored<OdooInstance>> {
    return this.#stage.rig.client.get<OdooInstance>(OdooInstanceKind, this.#id);
  }
}
