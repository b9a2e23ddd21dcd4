/** The volume of attachments and sessions. */
import type { PersistentVolumeClaim } from "../../kit/builders/mod.ts";
import { largerQuantity } from "../../kit/quantity.ts";
import type { Stored } from "../../kit/types.ts";
import { instanceLabels } from "../model/names.ts";
import type { Resolved } from "../model/resolve.ts";

/**
 * The claim for the filestore. What the API server cannot change (class, access modes) is taken from the live claim, and
 * a claim never shrinks.
 */
export function filestoreClaim(
  resolved: Resolved,
  live: Stored<PersistentVolumeClaim> | undefined,
): PersistentVolumeClaim {
  const { name, namespace, environment, storageSize, filestoreClaim: claim } = resolved;
  const storageClass = live ? live.spec?.storageClassName : resolved.storageClass;
  const present = live?.spec?.resources?.requests?.storage;
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: claim, namespace, labels: instanceLabels(name, environment) },
    spec: {
      accessModes: live?.spec?.accessModes ?? [...resolved.accessModes],
      resources: { requests: { storage: present ? largerQuantity(present, storageSize) : storageSize } },
      ...(storageClass ? { storageClassName: storageClass } : {}),
    },
  };
}

/** What a new volume is to be like. */
export interface CopyVolume {
  /** Of its claim. */
  readonly name: string;
  readonly storageClass: string;
  readonly accessModes: readonly string[];
}

/** The claim that files are moved to: as large as the spec requests, and no smaller than the volume that they are on. */
export function filestoreCopyClaim(
  { name: instance, namespace, environment, storageSize }: Resolved,
  { name, storageClass, accessModes }: CopyVolume,
  live: Stored<PersistentVolumeClaim>,
): PersistentVolumeClaim {
  const present = [live.spec?.resources?.requests?.storage, live.status?.capacity?.storage];
  const storage = present.reduce<string>((size, other) => other ? largerQuantity(size, other) : size, storageSize);
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, namespace, labels: instanceLabels(instance, environment) },
    spec: { accessModes: [...accessModes], resources: { requests: { storage } }, storageClassName: storageClass },
  };
}
