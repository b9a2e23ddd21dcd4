/** What a refresh makes for the time of its copy: a snapshot of the source's volume, and a volume of the snapshot. */
import { type PersistentVolumeClaim, VolumeSnapshot } from "../../kit/builders/mod.ts";
import { largerQuantity } from "../../kit/quantity.ts";
import { apiVersionOf, type Stored } from "../../kit/types.ts";
import { instanceLabels } from "../model/names.ts";
import type { Resolved } from "../model/resolve.ts";

/** Options of {@linkcode volumeSnapshot}. */
export interface VolumeSnapshotOptions {
  readonly claim: Stored<PersistentVolumeClaim>;
  readonly snapshotClass: string;
}

/** A snapshot of a claim. Its label is that of the instance that gets the copy: there it is waited for. */
export function volumeSnapshot(
  name: string,
  resolved: Resolved,
  { claim, snapshotClass }: VolumeSnapshotOptions,
): VolumeSnapshot {
  return {
    apiVersion: apiVersionOf(VolumeSnapshot),
    kind: VolumeSnapshot.kind,
    metadata: metadataOf(name, resolved),
    spec: {
      volumeSnapshotClassName: snapshotClass,
      source: { persistentVolumeClaimName: claim.metadata.name },
    },
  };
}

/** Options of {@linkcode snapshotClaim}. */
export interface SnapshotClaimOptions {
  readonly snapshot: Stored<VolumeSnapshot>;
  /** The claim that the snapshot is of. */
  readonly source: Stored<PersistentVolumeClaim>;
}

/** A claim of what is in a snapshot; of the class and access modes of the source, which that class is known to provide. */
export function snapshotClaim(
  name: string,
  resolved: Resolved,
  { snapshot, source }: SnapshotClaimOptions,
): PersistentVolumeClaim {
  const { accessModes = ["ReadWriteOnce"], resources, storageClassName, volumeMode } = source.spec ?? {};
  const sizes = [resources?.requests?.storage, source.status?.capacity?.storage, snapshot.status?.restoreSize];
  const storage = sizes.filter((size) => size !== undefined).reduce(largerQuantity, "1");
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: metadataOf(name, resolved),
    spec: {
      accessModes,
      resources: { requests: { storage } },
      ...(storageClassName ? { storageClassName } : {}),
      ...(volumeMode ? { volumeMode } : {}),
      dataSource: { apiGroup: VolumeSnapshot.group, kind: VolumeSnapshot.kind, name: snapshot.metadata.name },
    },
  };
}

function metadataOf(name: string, { name: instance, namespace, environment }: Resolved) {
  return { name, namespace, labels: instanceLabels(instance, environment) };
}
