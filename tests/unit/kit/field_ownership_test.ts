import { assertEquals } from "@std/assert";
import { appliedKeys, fieldTakeoverPatch } from "../../../src/kit/field_ownership.ts";
import type { KubeObject, ManagedFieldsEntry, Stored } from "../../../src/kit/types.ts";

const TAKEOVER = { from: ["old", "unknown"], manager: "ours" };
const REPLICAS = { "f:spec": { "f:replicas": {} } };
const IMAGE = { "f:spec": { "f:template": { "f:image": {} }, "f:replicas": {} } };

function written(...managedFields: ManagedFieldsEntry[]): Stored<KubeObject> {
  return { metadata: { name: "a", uid: "u", resourceVersion: "7", managedFields } };
}

Deno.test("fieldTakeoverPatch() unites the fields of Update entries with those that we applied", () => {
  const other: ManagedFieldsEntry = { manager: "kubectl", operation: "Update", fieldsV1: REPLICAS };
  const object = written(
    { manager: "ours", operation: "Apply", fieldsV1: IMAGE },
    other,
    { manager: "old", operation: "Update", fieldsV1: { "f:metadata": { "f:labels": {} } } },
  );
  assertEquals(fieldTakeoverPatch(object, TAKEOVER), [
    { op: "test", path: "/metadata/resourceVersion", value: "7" },
    {
      op: "replace",
      path: "/metadata/managedFields",
      value: [
        { manager: "ours", operation: "Apply", fieldsV1: { ...IMAGE, "f:metadata": { "f:labels": {} } } },
        other,
      ],
    },
  ]);
});

Deno.test("fieldTakeoverPatch() makes an Apply entry of the Update entries when we have applied nothing", () => {
  const object = written(
    { manager: "unknown", operation: "Update", fieldsV1: REPLICAS },
    { manager: "old", operation: "Update", fieldsV1: IMAGE },
  );
  const [, replacement] = fieldTakeoverPatch(object, TAKEOVER);
  assertEquals(replacement, {
    op: "replace",
    path: "/metadata/managedFields",
    value: [{ manager: "ours", operation: "Apply", fieldsV1: IMAGE }],
  });
});

Deno.test("fieldTakeoverPatch() leaves subresources, other managers and what is ours already", () => {
  const object = written(
    { manager: "old", operation: "Update", subresource: "status", fieldsV1: REPLICAS },
    { manager: "kubectl", operation: "Update", fieldsV1: REPLICAS },
    { manager: "ours", operation: "Apply", fieldsV1: IMAGE },
  );
  assertEquals(fieldTakeoverPatch(object, TAKEOVER), []);
  assertEquals(fieldTakeoverPatch({ metadata: { name: "a", uid: "u", resourceVersion: "7" } }, TAKEOVER), []);
});

const FILE = { "f:data": { ".": {}, "f:odoo.conf": {}, "f:salt": {} }, "f:type": {} };

const APPLIED: Readonly<Record<string, { readonly given: readonly ManagedFieldsEntry[]; readonly want: string[] }>> = {
  "the keys of what we applied": {
    given: [
      { manager: "kubectl", operation: "Update", fieldsV1: { "f:data": { "f:other": {} } } },
      { manager: "ours", operation: "Apply", fieldsV1: FILE },
    ],
    want: ["odoo.conf", "salt"],
  },
  "no keys of Update entries, not even under our name": {
    given: [{ manager: "ours", operation: "Update", fieldsV1: FILE }],
    want: [],
  },
  "no keys of subresources": {
    given: [{ manager: "ours", operation: "Apply", subresource: "status", fieldsV1: FILE }],
    want: [],
  },
  "no keys of another field": {
    given: [{ manager: "ours", operation: "Apply", fieldsV1: { "f:stringData": { "f:a": {} } } }],
    want: [],
  },
  "nothing where nobody knows": { given: [], want: [] },
};

for (const [sentence, { given, want }] of Object.entries(APPLIED)) {
  Deno.test(`appliedKeys() gives ${sentence}`, () => {
    assertEquals(appliedKeys(written(...given), { field: "data", manager: "ours" }), want);
  });
}
