/**
 * Whether a volume can be copied by a snapshot: is there an API, a class whose driver is the volume's, and would nothing be
 * left behind. What the cluster says to that is asked for when it matters, and judged here.
 */
import type { Stored } from "../../../../kit/types.ts";
import type { VolumeSnapshotClass } from "../../../../kit/builders/kinds.ts";
import type { Problem } from "../../problem.ts";
import type { SourceInstance, StorageFacts, World } from "../../world.ts";

/** With the value "true" on at most one class of each driver. */
const DEFAULT_ANNOTATION = "snapshot.storage.kubernetes.io/is-default-class";

const NAMED = 5;

/** By which class snapshots can be taken, or why not. */
export type SnapshotSupport =
  | { readonly snapshotClass: string; readonly problem?: undefined }
  | { readonly problem: Problem };

/** The StorageClass of a source's volume; empty if it has none. */
export function storageClassOf({ filestore }: SourceInstance): string {
  return filestore?.spec?.storageClassName ?? "";
}

/** Whether the source's volume can be copied by a snapshot; `undefined` until the cluster has been asked. */
export function snapshotSupport({ observed }: World, source: SourceInstance): SnapshotSupport | undefined {
  const name = storageClassOf(source);
  if (!name) return unsupported("The volume has no StorageClass, so nothing could make another one of its snapshot");
  const { storageFacts } = observed;
  return storageFacts?.storageClassName === name ? judge(storageFacts) : undefined;
}

/** Whether volumes of the source's class are provided as soon as they are claimed; `undefined` until the cluster has been asked. */
export function providesAtOnce({ observed }: World, source: SourceInstance): boolean | undefined {
  const { storageFacts } = observed;
  if (storageFacts?.storageClassName !== storageClassOf(source)) return undefined;
  return (storageFacts.storageClass?.volumeBindingMode ?? "Immediate") === "Immediate";
}

function judge({ storageClassName, storageClass, snapshotClasses, forbidden }: StorageFacts): SnapshotSupport {
  if (forbidden !== undefined) return unsupported(`The operator may not look: ${forbidden}`);
  if (!snapshotClasses) {
    return unsupported(
      "The cluster does not serve snapshot.storage.k8s.io/v1: install the CRDs and the snapshot controller of " +
        "kubernetes-csi/external-snapshotter",
    );
  }
  if (!storageClass) return unsupported(`There is no StorageClass ${storageClassName} any more`);
  const { provisioner, reclaimPolicy = "Delete" } = storageClass;
  if (reclaimPolicy !== "Delete") {
    return unsupported(
      `StorageClass ${storageClassName} keeps volumes for ever (reclaimPolicy ${reclaimPolicy}), the temporary one as well`,
    );
  }
  const ofDriver = snapshotClasses.filter(({ driver }) => driver === provisioner);
  if (!ofDriver.length) {
    return unsupported(`There is no VolumeSnapshotClass with driver ${provisioner}: create one`);
  }
  const usable = ofDriver.filter(({ deletionPolicy }) => deletionPolicy === "Delete");
  if (!usable.length) {
    const names = namesOf(ofDriver);
    return unsupported(`No VolumeSnapshotClass with driver ${provisioner} has deletionPolicy Delete: change ${names}`);
  }
  const defaults = usable.filter(({ metadata }) => metadata.annotations?.[DEFAULT_ANNOTATION] === "true");
  const [chosen, another] = defaults.length ? defaults : usable;
  if (chosen && !another) return { snapshotClass: chosen.metadata.name };
  const names = namesOf(defaults.length ? defaults : usable);
  return unsupported(
    `It is not clear which VolumeSnapshotClass to use: annotate one of ${names} with ${DEFAULT_ANNOTATION}=true`,
  );
}

function unsupported(message: string): SnapshotSupport {
  return { problem: { reason: "SnapshotsNotSupported", message } };
}

function namesOf(classes: readonly Stored<VolumeSnapshotClass>[]): string {
  const names = classes.map(({ metadata }) => metadata.name).sort();
  return names.slice(0, NAMED).join(", ") + (names.length > NAMED ? ` and ${names.length - NAMED} more` : "");
}
