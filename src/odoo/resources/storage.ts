/** The volume of attachments and sessions. */
import type { PersistentVolumeClaim } from "../../kit/builders/mod.ts";
import { largerQuantity } from "../../kit/quantity.ts";
import type { Stored } from "../../kit/types.ts";
import { instanceLabels, objectNames } from "../model/names.ts";
import type { Resolved } from "../model/resolve.ts";

/**
 * The claim for the filestore. What the API server cannot change (class, access modes) is taken from the live claim, and
 * a claim never shrinks.
 */
export function filestoreClaim(
  resolved: Resolved,
  live: Stored<PersistentVolumeClaim> | undefined,
): PersistentVolumeClaim {
  const { name, namespace, environment, storageSize } = resolved;
  const storageClass = live ? live.spec?.storageClassName : resolved.storageClass;
  const present = live?.spec?.resources?.requests?.storage;
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: objectNames.filestore(name), namespace, labels: instanceLabels(name, environment) },
    spec: {
      accessModes: live?.spec?.accessModes ?? [...resolved.accessModes],
      resources: { requests: { storage: present ? largerQuantity(present, storageSize) : storageSize } },
      ...(storageClass ? { storageClassName: storageClass } : {}),
    },
  };
}
