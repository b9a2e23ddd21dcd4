import { assertEquals } from "@std/assert";
import type { Stored, VolumeSnapshot } from "../../../../src/kit/mod.ts";
import { snapshotClaim, volumeSnapshot } from "../../../../src/odoo/resources/mod.ts";
import { aClaim, aResolved } from "../../../support/builders.ts";

const RESOLVED = aResolved();
const LABELS = { "bemade.org/environment": "staging", "bemade.org/instance": "shop" };

function aSnapshot(restoreSize?: string): Stored<VolumeSnapshot> {
  return {
    metadata: { name: "weekly-src", namespace: "blue", uid: "uid-of-snapshot", resourceVersion: "1" },
    spec: { source: { persistentVolumeClaimName: "live-filestore-pvc" } },
    status: { readyToUse: true, ...(restoreSize ? { restoreSize } : {}) },
  };
}

Deno.test("volumeSnapshot() is of the claim, and belongs to the instance that gets the copy", () => {
  const claim = aClaim({ metadata: { name: "live-filestore-pvc" } });
  assertEquals(volumeSnapshot("weekly-src", RESOLVED, { claim, snapshotClass: "snap" }), {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshot",
    metadata: { name: "weekly-src", namespace: "blue", labels: LABELS },
    spec: { volumeSnapshotClassName: "snap", source: { persistentVolumeClaimName: "live-filestore-pvc" } },
  });
});

Deno.test("snapshotClaim() is made of the snapshot, with class and access modes of the source", () => {
  assertEquals(snapshotClaim("weekly-src", RESOLVED, { snapshot: aSnapshot(), source: aClaim() }), {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "weekly-src", namespace: "blue", labels: LABELS },
    spec: {
      accessModes: ["ReadWriteMany"],
      resources: { requests: { storage: "10Gi" } },
      storageClassName: "fast",
      dataSource: { apiGroup: "snapshot.storage.k8s.io", kind: "VolumeSnapshot", name: "weekly-src" },
    },
  });
});

const SIZES: Readonly<Record<string, { readonly given: readonly [string, string?, string?]; readonly want: string }>> =
  {
    "what was asked for": { given: ["10Gi"], want: "10Gi" },
    "what the source has got": { given: ["10Gi", "16Gi", "12Gi"], want: "16Gi" },
    "what the snapshot needs": { given: ["10Gi", "10Gi", "21474836480"], want: "21474836480" },
  };

for (const [sentence, { given: [asked, capacity, restoreSize], want }] of Object.entries(SIZES)) {
  Deno.test(`snapshotClaim() is as large as ${sentence} when that is the most`, () => {
    const source = aClaim({
      spec: { resources: { requests: { storage: asked } } },
      ...(capacity ? { status: { capacity: { storage: capacity } } } : {}),
    });
    const claim = snapshotClaim("weekly-src", RESOLVED, { snapshot: aSnapshot(restoreSize), source });
    assertEquals(claim.spec?.resources?.requests?.storage, want);
  });
}
