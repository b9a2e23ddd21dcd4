import { assertEquals, assertStringIncludes } from "@std/assert";
import type { StorageClass, Stored, VolumeSnapshotClass } from "../../../../../../src/kit/mod.ts";
import { snapshotSupport } from "../../../../../../src/odoo/model/operations/copy/snapshot_support.ts";
import type { StorageFacts } from "../../../../../../src/odoo/model/world.ts";
import { aClaim, aSource, aWorld } from "../../../../../support/builders.ts";

const SOURCE = { ...aSource(), filestore: aClaim({ spec: { storageClassName: "fast" } }) };

function aClass(
  name: string,
  { driver = "csi.example.com", deletionPolicy = "Delete", isDefault = "" } = {},
): Stored<VolumeSnapshotClass> {
  const annotations = { "snapshot.storage.kubernetes.io/is-default-class": isDefault };
  return { metadata: { name, uid: `uid-of-${name}`, resourceVersion: "1", annotations }, driver, deletionPolicy };
}

function aStorageClass(overrides: Partial<StorageClass> = {}): Stored<StorageClass> {
  return {
    provisioner: "csi.example.com",
    ...overrides,
    metadata: { name: "fast", uid: "uid-of-fast", resourceVersion: "1" },
  };
}

function support(facts: Partial<StorageFacts>) {
  const storageFacts = { storageClassName: "fast", storageClass: aStorageClass(), ...facts };
  return snapshotSupport(aWorld({ observed: { storageFacts } }), SOURCE);
}

const CHOSEN: Readonly<Record<string, readonly Stored<VolumeSnapshotClass>[]>> = {
  "the only one of the driver": [aClass("good"), aClass("other", { driver: "other.example.com", isDefault: "true" })],
  "the default one of several": [aClass("a"), aClass("good", { isDefault: "true" }), aClass("b")],
  "the only one that leaves no snapshot behind": [
    aClass("good"),
    aClass("a", { deletionPolicy: "Retain", isDefault: "true" }),
  ],
};

for (const [sentence, snapshotClasses] of Object.entries(CHOSEN)) {
  Deno.test(`snapshotSupport() takes ${sentence}`, () => {
    assertEquals(support({ snapshotClasses }), { snapshotClass: "good" });
  });
}

const UNSUPPORTED: Readonly<Record<string, { readonly given: Partial<StorageFacts>; readonly says: string }>> = {
  "snapshots are not served": { given: {}, says: "install the CRDs and the snapshot controller" },
  "the operator may not look": {
    given: { forbidden: "storageclasses is forbidden" },
    says: "storageclasses is forbidden",
  },
  "no class is the driver's": {
    given: { snapshotClasses: [aClass("a", { driver: "other.example.com" })] },
    says: "no VolumeSnapshotClass with driver csi.example.com",
  },
  "several classes are the driver's, and none is the default": {
    given: { snapshotClasses: [aClass("b"), aClass("a", { isDefault: "false" })] },
    says: "annotate one of a, b",
  },
  "several classes are the default": {
    given: { snapshotClasses: [aClass("b", { isDefault: "true" }), aClass("a", { isDefault: "true" }), aClass("c")] },
    says: "annotate one of a, b",
  },
  "every class keeps its snapshots": {
    given: { snapshotClasses: [aClass("a", { deletionPolicy: "Retain" })] },
    says: "deletionPolicy Delete: change a",
  },
  "the volume's class keeps volumes": {
    given: { snapshotClasses: [aClass("a")], storageClass: aStorageClass({ reclaimPolicy: "Retain" }) },
    says: "reclaimPolicy Retain",
  },
};

for (const [sentence, { given, says }] of Object.entries(UNSUPPORTED)) {
  Deno.test(`snapshotSupport() says why not when ${sentence}`, () => {
    const problem = support(given)?.problem;
    assertEquals(problem?.reason, "SnapshotsNotSupported");
    assertStringIncludes(problem?.message ?? "", says);
  });
}

Deno.test("snapshotSupport() says why not when the volume's class is gone", () => {
  const storageFacts = { storageClassName: "fast", snapshotClasses: [aClass("a")] };
  const problem = snapshotSupport(aWorld({ observed: { storageFacts } }), SOURCE)?.problem;
  assertStringIncludes(problem?.message ?? "", "no StorageClass fast");
});

Deno.test("snapshotSupport() says why not when the volume has no class, without asking", () => {
  const source = { ...SOURCE, filestore: aClaim({ spec: { storageClassName: undefined } }) };
  assertEquals(snapshotSupport(aWorld(), source)?.problem?.reason, "SnapshotsNotSupported");
});

Deno.test("snapshotSupport() knows nothing when another class was asked about", () => {
  assertEquals(support({ storageClassName: "slow", snapshotClasses: [aClass("a")] }), undefined);
  assertEquals(snapshotSupport(aWorld(), SOURCE), undefined);
});
