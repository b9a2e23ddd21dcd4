/**
 * TEST DOUBLE: stands in for a CSI driver that can take snapshots, and for the snapshot controller, on the real API. Fake
 * nodes have no volumes: what a volume holds are the names of directories that odoo_copies.ts keeps. A snapshot takes them
 * from its claim, and a claim of {@linkcode SNAPSHOT_STORAGE_CLASS} that is made of a snapshot gets them, and then a volume.
 */
import type { ClusterAccess } from "../src/kit/credentials.ts";
import { PersistentVolumeClaim, StorageClass, VolumeSnapshot, VolumeSnapshotClass } from "../src/kit/builders/kinds.ts";
import { Informer } from "../src/kit/cache.ts";
import { type Client, createClient } from "../src/kit/client.ts";
import { isConflict, isNotFound } from "../src/kit/errors.ts";
import type { KubeObject, ResourceType, Stored } from "../src/kit/types.ts";
import type { CopiesDouble } from "./odoo_copies.ts";

const DRIVER = "snapshots.example.com";

/** The class whose volumes this driver provides. */
export const SNAPSHOT_STORAGE_CLASS = "snapshotting";

/** What a snapshot says that a volume made of it needs at least: more than instances ask for. */
export const RESTORE_SIZE = "7Gi";

/** What becomes of a snapshot: an error that stays, or nothing at all. Else it is ready at once. */
export type SnapshotOutcome = { readonly error: string } | "pending";

/** Options of {@linkcode startVolumeSnapshots}. */
export interface VolumeSnapshotsOptions {
  readonly copies: CopiesDouble;
  readonly outcomeOf?: (snapshot: Stored<VolumeSnapshot>) => SnapshotOutcome | undefined;
}

const PersistentVolume: ResourceType = {
  group: "",
  version: "v1",
  kind: "PersistentVolume",
  plural: "persistentvolumes",
  namespaced: false,
};

const CustomResourceDefinition: ResourceType = {
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  namespaced: false,
};

const text = { type: "string" };
const object = (properties: object) => ({ type: "object", properties });

/** As much of the two kinds as the operator writes and reads: strict, so that a field of a wrong name is refused. */
const SCHEMAS = new Map<ResourceType, object>([
  [
    VolumeSnapshot,
    object({
      spec: {
        ...object({ volumeSnapshotClassName: text, source: object({ persistentVolumeClaimName: text }) }),
        required: ["source"],
      },
      status: object({
        readyToUse: { type: "boolean" },
        restoreSize: text,
        error: object({ message: text, time: text }),
      }),
    }),
  ],
  [VolumeSnapshotClass, { ...object({ driver: text, deletionPolicy: text }), required: ["driver", "deletionPolicy"] }],
]);

/** Installs the kinds, a StorageClass and a VolumeSnapshotClass of the driver. */
export async function installVolumeSnapshots(client: Client): Promise<void> {
  for (const [type, schema] of SCHEMAS) await client.apply(CustomResourceDefinition, crdOf(type, schema));
  await client.create(StorageClass, {
    metadata: { name: SNAPSHOT_STORAGE_CLASS },
    provisioner: DRIVER,
    reclaimPolicy: "Delete",
  });
}

/** The class by which the driver's snapshots are taken, as soon as the API server knows its kind. */
export async function createSnapshotClass(client: Client): Promise<void> {
  await client.create(VolumeSnapshotClass, {
    metadata: { name: SNAPSHOT_STORAGE_CLASS },
    driver: DRIVER,
    deletionPolicy: "Delete",
  });
}

function crdOf({ group, version, kind, plural, namespaced = true }: ResourceType, schema: object): KubeObject {
  const crd: KubeObject & { readonly spec: unknown } = {
    metadata: {
      name: `${plural}.${group}`,
      annotations: { "api-approved.kubernetes.io": "https://github.com/kubernetes-csi/external-snapshotter/pull/814" },
    },
    spec: {
      group,
      scope: namespaced ? "Namespaced" : "Cluster",
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [{
        name: version,
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: schema },
      }],
    },
  };
  return crd;
}

/** Starts the double; the kinds must be served. */
export async function startVolumeSnapshots(
  cluster: { readonly access: ClusterAccess },
  options: VolumeSnapshotsOptions,
): Promise<AsyncDisposable> {
  const double = new VolumeSnapshotsDouble(cluster.access, options);
  await double.start();
  return double;
}

class VolumeSnapshotsDouble implements AsyncDisposable {
  readonly #client: Client & { close(): void };
  readonly #options: VolumeSnapshotsOptions;
  readonly #snapshots: Informer<VolumeSnapshot>;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #ending = new AbortController();
  /** By namespace and name of the snapshot. */
  readonly #images = new Map<string, readonly string[]>();
  readonly #work = new Set<Promise<void>>();
  #watching: Promise<unknown> | undefined;

  constructor(access: ClusterAccess, options: VolumeSnapshotsOptions) {
    this.#client = createClient(access, { fieldManager: "volume-snapshots" });
    this.#options = options;
    this.#snapshots = new Informer(this.#client, VolumeSnapshot);
    this.#claims = new Informer(this.#client, PersistentVolumeClaim);
  }

  async start(): Promise<void> {
    const { signal } = this.#ending;
    this.#snapshots.store.onChange(({ object, deleted }) => deleted || this.#do(this.#take(object)));
    this.#claims.store.onChange(({ object, deleted }) =>
      this.#do(deleted ? this.#reclaim(object) : this.#provide(object))
    );
    this.#watching = Promise.all([this.#snapshots.run(signal), this.#claims.run(signal)]);
    await Promise.all([this.#snapshots.whenSynced(signal), this.#claims.whenSynced(signal)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#watching;
    await Promise.all(this.#work);
    this.#client.close();
  }

  /** An object that has changed or gone meanwhile is seen again, or does not matter any more. */
  #do(work: Promise<void>): void {
    const ended = work.catch((error) => {
      if (!isConflict(error) && !isNotFound(error)) throw error;
    }).finally(() => this.#work.delete(ended));
    this.#work.add(ended);
  }

  async #take(snapshot: Stored<VolumeSnapshot>): Promise<void> {
    const { metadata: { namespace = "", name, deletionTimestamp }, spec, status } = snapshot;
    if (status || deletionTimestamp) return;
    const outcome = this.#options.outcomeOf?.(snapshot);
    if (outcome === "pending") return;
    const directories = this.#options.copies.directories(namespace, spec.source.persistentVolumeClaimName);
    this.#images.set(`${namespace}/${name}`, directories);
    const value = outcome
      ? { readyToUse: false, error: { message: outcome.error } }
      : { readyToUse: true, restoreSize: RESTORE_SIZE };
    await this.#client.patch(VolumeSnapshot, { namespace, name }, [{ op: "add", path: "/status", value }], {
      subresource: "status",
    });
  }

  async #provide({ metadata, spec }: Stored<PersistentVolumeClaim>): Promise<void> {
    const { namespace = "", name, uid, deletionTimestamp } = metadata;
    const isOurs = spec?.storageClassName === SNAPSHOT_STORAGE_CLASS;
    if (!isOurs || spec?.volumeName || deletionTimestamp) return;
    if (spec?.dataSource) {
      const image = this.#images.get(`${namespace}/${spec.dataSource.name}`);
      if (!image) return; // it waits, as a real one does
      for (const directory of image) this.#options.copies.addDirectory(namespace, name, directory);
    }
    const volume: KubeObject & { readonly spec: unknown } = {
      metadata: { name: volumeName(uid), annotations: { "pv.kubernetes.io/provisioned-by": DRIVER } },
      spec: {
        accessModes: spec?.accessModes,
        capacity: spec?.resources?.requests,
        persistentVolumeReclaimPolicy: "Delete",
        storageClassName: SNAPSHOT_STORAGE_CLASS,
        claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid },
        hostPath: { path: `/nowhere/${uid}` },
      },
    };
    await this.#client.create(PersistentVolume, volume);
  }

  async #reclaim({ metadata, spec }: Stored<PersistentVolumeClaim>): Promise<void> {
    if (spec?.storageClassName !== SNAPSHOT_STORAGE_CLASS) return;
    await this.#client.delete(PersistentVolume, { name: volumeName(metadata.uid) });
  }
}

function volumeName(uid: string): string {
  return `snapshotting-${uid}`;
}
