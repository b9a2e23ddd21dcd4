/** Stage operations: what an operation costs the API server, and that its length costs nothing. */
import type { KubeObject, ResourceType } from "../../src/kit/mod.ts";
import type { JobRequest, OdooInstance } from "../../src/odoo/crd/mod.ts";
import { databaseName, objectNames } from "../../src/odoo/model/names.ts";
import {
  OdooBackupJobKind,
  OdooInstanceKind,
  OdooRestoreJobKind,
  OdooStagingRefreshJobKind,
  OdooUpgradeJobKind,
} from "../../src/odoo/shell/kinds.ts";
import { type Figures, round1 } from "./figures.ts";
import { createMany, removeMany } from "./population.ts";
import { type BenchRig, LONG_PREFIX, NAMESPACE, SLOW_PREFIX } from "./rig.ts";

const NAME = `${SLOW_PREFIX}staging`;
const SOURCE = `${SLOW_PREFIX}live`;
const S3 = { bucket: "backups", objectKey: "shop/nightly.zip", endpoint: "https://s3.example.com" };
const PATIENCE_MS = 180_000;

interface Operation {
  readonly kind: ResourceType<KubeObject & Pick<JobRequest, "status">>;
  readonly name: string;
  readonly spec: Readonly<Record<string, unknown>>;
}

const BACKUP = { kind: OdooBackupJobKind, spec: { destination: S3 } };

/** By the name of its figures; Jobs take a second, those of the long one thirty. */
const OPERATIONS: Readonly<Record<string, Operation>> = {
  backup: { ...BACKUP, name: "backup" },
  longBackup: { ...BACKUP, name: `${LONG_PREFIX}backup` },
  upgrade: { kind: OdooUpgradeJobKind, name: "upgrade", spec: { modules: ["base"] } },
  restore: { kind: OdooRestoreJobKind, name: "restore", spec: { source: { type: "s3", s3: S3 } } },
  refresh: { kind: OdooStagingRefreshJobKind, name: "refresh", spec: { source: { instanceName: SOURCE } } },
};

export async function measureOperations(rig: BenchRig): Promise<Figures> {
  const { notArrived } = await createMany(rig, [SOURCE, NAME]);
  for (const name of [SOURCE, NAME]) {
    const instance = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace: NAMESPACE, name });
    rig.copies.addDirectory(NAMESPACE, objectNames.filestore(name), databaseName(instance, instance.metadata.uid));
  }
  const figures: Record<string, Figures> = {};
  for (const [name, operation] of Object.entries(OPERATIONS)) figures[name] = await measureOperation(rig, operation);
  await removeMany(rig, [SOURCE, NAME]);
  for (const { kind, name } of Object.values(OPERATIONS)) await rig.client.delete(kind, { namespace: NAMESPACE, name });
  return { notArrived, ...figures };
}

/** From the creation of the request until all is quiet behind its end. */
async function measureOperation(rig: BenchRig, { kind, name, spec }: Operation): Promise<Figures> {
  await rig.untilQuiet();
  const mark = await rig.audit.mark();
  const startedMs = performance.now();
  await rig.client.create<KubeObject>(kind, {
    metadata: { name, namespace: NAMESPACE },
    spec: { odooInstanceRef: { name: NAME }, ...spec },
  } as KubeObject);
  await untilCompleted(rig, { kind, name });
  const seconds = round1((performance.now() - startedMs) / 1000);
  await rig.untilQuiet();
  const { requests, writes, byKind } = await rig.audit.since(mark);
  return { requests, writes, seconds, byKind };
}

async function untilCompleted(rig: BenchRig, { kind, name }: Pick<Operation, "kind" | "name">): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const { status } = await rig.client.get(kind, { namespace: NAMESPACE, name });
    if (status?.phase === "Completed") return;
    if (status?.phase === "Failed" || performance.now() > deadlineMs) {
      throw new Error(`Cannot measure ${kind.kind} ${name}: it is ${JSON.stringify(status)}`);
    }
    await rig.pause(100);
  }
}
