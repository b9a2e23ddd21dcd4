/**
 * Staging refreshes by volume snapshot, on the real control plane and PostgreSQL; dev/volume_snapshots.ts plays the driver.
 * A refresh lets 40 seconds pass before it takes a snapshot: the stories of this file therefore run side by side.
 */
import { assertEquals, assertMatch } from "@std/assert";
import {
  Deployment,
  Event,
  Job,
  keyOf,
  type KubeObject,
  PersistentVolumeClaim,
  type Pod,
  type ResourceType,
  type Stored,
  VolumeSnapshot,
  VolumeSnapshotClass,
  watchObjects,
} from "../../src/kit/mod.ts";
import type { OdooInstance, OdooStagingRefreshJob, OdooStagingRefreshJobSpec } from "../../src/odoo/crd/mod.ts";
import { databaseName, JOB_LABEL, objectNames, snapshotName } from "../../src/odoo/model/names.ts";
import { OdooInstanceKind, OdooStagingRefreshJobKind } from "../../src/odoo/shell/kinds.ts";
import { ORIGIN_PARAMETER } from "../../dev/odoo_copies.ts";
import type { Outcome } from "../../dev/odoo_jobs.ts";
import { prepareForOperator } from "../../dev/operator.ts";
import {
  createSnapshotClass,
  installVolumeSnapshots,
  RESTORE_SIZE,
  SNAPSHOT_STORAGE_CLASS,
  type SnapshotOutcome,
  startVolumeSnapshots,
} from "../../dev/volume_snapshots.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";

const PATIENCE = { timeoutMs: 240_000 } as const;

let rig: Rig;
let driver: AsyncDisposable;
/** By namespace and step, such as `test-1/files`; without an entry all goes well. */
const outcomes = new Map<string, Outcome>();
/** By namespace. */
const snapshotOutcomes = new Map<string, SnapshotOutcome>();

Deno.test.beforeAll(async () => {
  const outcomeOf = ({ metadata: { namespace, labels } }: Stored<Pod>) =>
    outcomes.get(`${namespace}/${labels?.[JOB_LABEL]?.split("-").at(-1)}`);
  rig = await startRig({ bare: true, jobs: { delayMs: 50, outcomeOf } });
  await prepareForOperator(rig.client, rig.cluster);
  await installVolumeSnapshots(rig.client);
  await eventually("snapshots are served", () => rig.client.list(VolumeSnapshot));
  await eventually("their classes are served", () => rig.client.list(VolumeSnapshotClass));
  await createSnapshotClass(rig.client);
  driver = await startVolumeSnapshots(rig.cluster, {
    copies: rig.jobs.copies,
    outcomeOf: ({ metadata: { namespace = "" } }) => snapshotOutcomes.get(namespace),
  });
  await rig.start();
});
Deno.test.afterAll(async () => {
  await driver?.[Symbol.asyncDispose]();
  await rig?.stop();
});

/** A production instance and its staging, in a namespace of their own, and a refresh. */
class Story {
  readonly namespace: string;
  readonly live: Stored<OdooInstance>;
  readonly staging: Stored<OdooInstance>;

  private constructor(live: Stored<OdooInstance>, staging: Stored<OdooInstance>) {
    this.namespace = live.metadata.namespace ?? "";
    this.live = live;
    this.staging = staging;
  }

  static async begin(storageClass = SNAPSHOT_STORAGE_CLASS): Promise<Story> {
    const namespace = await rig.namespace();
    const running = async (name: string, spec: Partial<OdooInstance["spec"]>) => {
      await rig.create(namespace, name, spec);
      const instance = await rig.inPhase(namespace, name, "Running", PATIENCE);
      const database = databaseName(instance, instance.metadata.uid);
      rig.jobs.copies.addDirectory(namespace, objectNames.filestore(name), database);
      return instance;
    };
    const [live, staging] = await Promise.all([
      running("live", { environment: "Production", filestore: { storageClass } }),
      running("staging", {}),
    ]);
    return new Story(live, staging);
  }

  ask(filestoreMethod: OdooStagingRefreshJobSpec["filestoreMethod"]): Promise<Stored<OdooStagingRefreshJob>> {
    return rig.client.create<OdooStagingRefreshJob>(OdooStagingRefreshJobKind, {
      metadata: { name: "weekly", namespace: this.namespace },
      spec: {
        odooInstanceRef: { name: "staging" },
        source: { instanceName: "live" },
        filestoreMethod,
      } as OdooStagingRefreshJobSpec,
    });
  }

  /** The refresh, as soon as it is so. */
  refresh(what: string, isSo: (cr: Stored<OdooStagingRefreshJob>) => boolean): Promise<Stored<OdooStagingRefreshJob>> {
    return eventually(`the refresh ${what}`, async () => {
      const name = { namespace: this.namespace, name: "weekly" };
      const cr = await rig.client.get<OdooStagingRefreshJob>(OdooStagingRefreshJobKind, name);
      if (!isSo(cr)) throw new Error(`it is ${JSON.stringify(cr.status)}`);
      return cr;
    }, PATIENCE);
  }

  ended(): Promise<Stored<OdooStagingRefreshJob>> {
    return this.refresh("has ended", ({ status }) => /^(Completed|Failed)$/.test(status?.phase ?? ""));
  }

  inStep(step: string): Promise<Stored<OdooStagingRefreshJob>> {
    const steps = ["database", "snapshot", "files", "prepare", "swap", "move"];
    return this.refresh(`is in step ${step}, or behind it`, ({ status }) => {
      const { phase, progress } = status ?? {};
      return /^(Completed|Failed)$/.test(phase ?? "") || steps.indexOf(progress?.step ?? "") >= steps.indexOf(step);
    });
  }

  snapshot(): Promise<Stored<VolumeSnapshot>> {
    return eventually("a snapshot", async () => {
      return (await rig.client.list(VolumeSnapshot, { namespace: this.namespace })).items[0];
    }, PATIENCE);
  }

  temporaryClaim(): Promise<Stored<PersistentVolumeClaim>> {
    return eventually("the temporary claim", async () => {
      const { items } = await rig.client.list(PersistentVolumeClaim, { namespace: this.namespace });
      return items.find(({ spec }) => spec?.dataSource);
    }, PATIENCE);
  }

  filesJob(): Promise<Stored<Job>> {
    return eventually("the Job that copies the files", async () => {
      const { items } = await rig.client.list(Job, { namespace: this.namespace });
      return items.find(({ metadata }) => metadata.name.endsWith("-files"));
    }, PATIENCE);
  }

  /** Neither snapshot nor claim, and no copy of the database. */
  async assertNothingLeft(): Promise<void> {
    const { namespace } = this;
    await eventually("nothing is left", async () => {
      const { items: claims } = await rig.client.list(PersistentVolumeClaim, { namespace });
      const { items: snapshots } = await rig.client.list(VolumeSnapshot, { namespace });
      const prefix = `${databaseName(this.staging, this.staging.metadata.uid)}_`;
      const sides = await rig.sql("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", [prefix]);
      const left = [
        ...claims.map(({ metadata }) => metadata.name).filter((name) => !name.endsWith("-filestore-pvc")),
        ...snapshots.map(keyOf),
        ...sides.map(({ datname }) => datname),
      ];
      assertEquals(left, []);
      return true;
    }, PATIENCE);
  }

  /** The production was neither stopped nor changed. */
  async assertUntouched(): Promise<void> {
    const { metadata, status } = await rig.client.get(Deployment, { namespace: this.namespace, name: "live" });
    assertEquals([metadata.generation, status?.readyReplicas], [1, 1]);
    const live = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace: this.namespace, name: "live" });
    assertEquals(live.status?.phase, "Running");
  }

  async assertRefreshed(): Promise<void> {
    await rig.inPhase(this.namespace, "staging", "Running", PATIENCE);
    const origin = await parameter(this.live, "database.uuid");
    assertEquals(await parameter(this.staging, ORIGIN_PARAMETER), origin);
    const database = databaseName(this.staging, this.staging.metadata.uid);
    const directories = rig.jobs.copies.directories(this.namespace, objectNames.filestore("staging"));
    assertEquals(directories.includes(database), true, directories.join());
  }

  async assertAsBefore(): Promise<void> {
    await rig.inPhase(this.namespace, "staging", "Running", PATIENCE);
    assertEquals(await parameter(this.staging, ORIGIN_PARAMETER), undefined);
  }
}

async function parameter(instance: Stored<OdooInstance>, key: string): Promise<unknown> {
  const database = databaseName(instance, instance.metadata.uid);
  return (await rig.sql("SELECT value FROM ir_config_parameter WHERE key = $1", [key], database))[0]?.value;
}

function endOf({ status }: OdooStagingRefreshJob): unknown {
  return [status?.phase, status?.conditions?.find(({ type }) => type === "Succeeded")?.reason];
}

async function deleteRefresh(namespace: string): Promise<void> {
  await rig.client.delete(OdooStagingRefreshJobKind, { namespace, name: "weekly" });
  await rig.gone(OdooStagingRefreshJobKind, namespace, "weekly");
}

const STORIES: Readonly<Record<string, () => Promise<void>>> = {
  "by snapshot copies the files of a temporary volume, and leaves nothing of it": async () => {
    const story = await Story.begin();
    const { namespace } = story;
    outcomes.set(`${namespace}/prepare`, { delayMs: 5_000 });
    const asked = await story.ask("snapshot");
    const name = snapshotName(asked.metadata);
    const { progress, sourceSnapshot } = (await story.inStep("snapshot")).status ?? {}; // for 40 seconds
    assertEquals([sourceSnapshot, progress?.done, progress?.total], [name, 1, 6]);
    const snapshot = await story.snapshot();
    assertEquals([snapshot.metadata.name, snapshot.metadata.ownerReferences?.[0]?.uid], [name, asked.metadata.uid]);
    assertEquals(snapshot.spec, {
      volumeSnapshotClassName: SNAPSHOT_STORAGE_CLASS,
      source: { persistentVolumeClaimName: objectNames.filestore("live") },
    });
    const claim = await story.temporaryClaim();
    assertEquals(claim.spec?.resources?.requests?.storage, RESTORE_SIZE);
    assertEquals(claim.spec?.storageClassName, SNAPSHOT_STORAGE_CLASS);
    const job = await story.filesJob();
    const { volumes, affinity, containers } = job.spec?.template.spec ?? {};
    assertEquals(volumes?.find(({ name }) => name === "source")?.persistentVolumeClaim?.claimName, name);
    assertEquals(JSON.stringify(affinity ?? {}).includes("live"), false);
    assertEquals(containers?.[0]?.env?.find(({ name }) => name === "COPY_LIVE")?.value, "false");
    await story.inStep("prepare");
    await rig.gone(PersistentVolumeClaim, namespace, name);
    await rig.gone(VolumeSnapshot, namespace, name);
    const ended = await story.ended();
    assertEquals(endOf(ended), ["Completed", "Completed"], ended.status?.message ?? "");
    assertEquals([ended.status?.sourceSnapshot, ended.status?.filestoreJobName], [name, job.metadata.name]);
    await story.assertRefreshed();
    await story.assertUntouched();
    await story.assertNothingLeft();
  },
  "by whatever can be done takes a snapshot when the volume's driver has a class": async () => {
    const story = await Story.begin();
    await story.ask("auto");
    await story.snapshot();
    const ended = await story.ended();
    assertEquals(endOf(ended), ["Completed", "Completed"], ended.status?.message ?? "");
    await story.assertRefreshed();
    await story.assertNothingLeft();
  },
  "by whatever can be done copies one by one when the volume's driver has no class": async () => {
    const story = await Story.begin("standard");
    outcomes.set(`${story.namespace}/files`, { delayMs: 3_000 });
    await story.ask("auto");
    const { status } = await story.inStep("files");
    assertEquals([status?.sourceSnapshot ?? null, status?.progress?.total], [null, 5]);
    assertEquals(endOf(await story.ended()), ["Completed", "Completed"]);
    await story.assertRefreshed();
  },
  "by snapshot is refused when the volume's driver has no class": async () => {
    const story = await Story.begin("standard");
    await story.ask("snapshot");
    const ended = await story.ended();
    assertEquals(endOf(ended), ["Failed", "SnapshotsNotSupported"]);
    assertMatch(ended.status?.message ?? "", /no VolumeSnapshotClass with driver kwok.x-k8s.io\/volume/);
    assertEquals(ended.status?.dbJobName ?? null, null);
    await story.assertAsBefore();
  },
  "by snapshot fails with the driver's words when it cannot take one": async () => {
    const story = await Story.begin();
    snapshotOutcomes.set(story.namespace, { error: "array is out of space" });
    await story.ask("snapshot");
    const ended = await story.ended();
    assertEquals(endOf(ended), ["Failed", "SnapshotFailed"]);
    assertMatch(ended.status?.message ?? "", /array is out of space/);
    await story.assertAsBefore();
    await story.assertUntouched();
    await story.assertNothingLeft();
  },
  "by whatever can be done copies one by one when the driver cannot take a snapshot": async () => {
    const story = await Story.begin();
    snapshotOutcomes.set(story.namespace, { error: "array is out of space" });
    await story.ask("auto");
    const ended = await story.ended();
    assertEquals(endOf(ended), ["Completed", "Completed"], ended.status?.message ?? "");
    assertEquals(ended.status?.sourceSnapshot ?? null, null);
    const { items } = await rig.client.list(Event, { namespace: story.namespace });
    const note = items.find(({ reason }) => reason === "SnapshotFailed")?.note ?? "";
    assertMatch(note, /array is out of space\. Copying the files one by one instead/);
    await story.assertRefreshed();
    await story.assertUntouched();
    await story.assertNothingLeft();
  },
  "that is deleted before its snapshot leaves nothing": async () => {
    const story = await Story.begin();
    await story.ask("snapshot");
    await story.inStep("snapshot");
    await deleteRefresh(story.namespace);
    await story.assertAsBefore();
    await story.assertNothingLeft();
  },
  "that is deleted while its snapshot is taken leaves nothing": async () => {
    const story = await Story.begin();
    snapshotOutcomes.set(story.namespace, "pending");
    await story.ask("snapshot");
    await story.snapshot();
    await deleteRefresh(story.namespace);
    await story.assertAsBefore();
    await story.assertNothingLeft();
  },
  "that is deleted while its files are copied leaves nothing": async () => {
    const story = await Story.begin();
    outcomes.set(`${story.namespace}/files`, { delayMs: 10_000 });
    await story.ask("snapshot");
    await story.filesJob();
    await deleteRefresh(story.namespace);
    await story.assertAsBefore();
    await story.assertUntouched();
    await story.assertNothingLeft();
  },
  "whose instance is deleted while its files are copied leaves nothing": async () => {
    const story = await Story.begin();
    outcomes.set(`${story.namespace}/files`, { delayMs: 10_000 });
    await story.ask("snapshot");
    await story.filesJob();
    await rig.client.delete(OdooInstanceKind, { namespace: story.namespace, name: "staging" });
    await rig.gone(OdooInstanceKind, story.namespace, "staging");
    await story.assertNothingLeft();
    await story.assertUntouched();
  },
};

Deno.test("a refresh", async (t) => {
  await Promise.all(
    Object.entries(STORIES).map(([name, fn]) =>
      t.step({ name, fn, sanitizeOps: false, sanitizeResources: false, sanitizeExit: false })
    ),
  );
});

/** The uids of all objects of a kind that were ever there, other than instances' volumes and Jobs of other steps. */
function watchFor(type: ResourceType, namespace: string, signal: AbortSignal) {
  const uids = new Set<string>();
  const see = ({ metadata: { name, uid } }: Stored<KubeObject>) => /-(src|files)$/.test(name) && uids.add(uid);
  const watching = (async () => {
    for await (const event of watchObjects(rig.client, type, { namespace, signal })) {
      if (event.type === "applied") see(event.object);
      if (event.type === "restarted") event.objects.forEach(see);
    }
  })();
  return { uids, watching };
}

Deno.test("an operator killed in every sub-step of a refresh by snapshot goes on, and makes nothing twice", async () => {
  const story = await Story.begin();
  const { namespace } = story;
  const ending = new AbortController();
  const seen = [VolumeSnapshot, PersistentVolumeClaim, Job].map((type) => watchFor(type, namespace, ending.signal));
  outcomes.set(`${namespace}/files`, { delayMs: 5_000 });
  snapshotOutcomes.set(namespace, "pending");
  const restart = async () => {
    await rig.kill();
    await rig.start();
  };
  try {
    await story.ask("snapshot");
    await story.inStep("snapshot");
    await restart();
    const { metadata: { name } } = await story.snapshot();
    await restart();
    snapshotOutcomes.delete(namespace);
    await rig.client.patch(VolumeSnapshot, { namespace, name }, [
      { op: "add", path: "/metadata/annotations", value: { "example.com/again": "the driver looks once more" } },
    ]);
    await story.temporaryClaim();
    await restart();
    await story.inStep("files");
    await restart();
    await story.inStep("prepare");
    await restart();
    const ended = await story.ended();
    assertEquals(endOf(ended), ["Completed", "Completed"], ended.status?.message ?? "");
    await story.assertRefreshed();
    await story.assertUntouched();
    await story.assertNothingLeft();
    assertEquals(seen.map(({ uids }) => uids.size), [1, 1, 1]);
  } finally {
    ending.abort();
    await Promise.all(seen.map(({ watching }) => watching));
  }
});
