import { assertEquals, assertThrows } from "@std/assert";
import { type Change, isNewer, Store } from "../../../src/kit/cache.ts";
import { keyOf } from "../../../src/kit/types.ts";
import { aThing, type Thing } from "./fake_client.ts";

function aStore(transform?: (thing: ReturnType<typeof aThing>) => ReturnType<typeof aThing>) {
  const store = new Store<Thing>({
    indexes: { color: (thing) => [thing.spec?.color ?? []].flat().map(String) },
    ...(transform ? { transform } : {}),
  });
  const changes: Change<Thing>[] = [];
  store.onChange((change) => changes.push(change));
  const held = () => Object.fromEntries(store.list().map((thing) => [keyOf(thing), thing.metadata.resourceVersion]));
  const colored = (color: string) => store.byIndex("color", color).map(keyOf).sort();
  return { store, changes, held, colored };
}

const NEWER: Readonly<Record<string, { readonly given: readonly [string, string]; readonly want: boolean }>> = {
  "is true when the number is greater": { given: ["11", "9"], want: true },
  "is false when both are equal": { given: ["9", "9"], want: false },
  "is false when the number is smaller": { given: ["99", "100"], want: false },
  "is exact when numbers exceed 2^53": { given: ["9007199254740993", "9007199254740992"], want: true },
};

for (const [sentence, { given, want }] of Object.entries(NEWER)) {
  Deno.test(`isNewer() ${sentence}`, () => assertEquals(isNewer(...given), want));
}

Deno.test("Store.put() ignores an event when the store holds something newer", () => {
  const { store, held, changes } = aStore();
  store.put(aThing("a", { version: "10" }));
  store.put(aThing("a", { version: "9" }));
  store.put(aThing("a", { version: "10" }));
  assertEquals(held(), { "ns/a": "10" });
  assertEquals(changes.length, 1);
});

Deno.test("Store.put() tells the former object when there was one", () => {
  const { store, changes } = aStore();
  const [first, second] = [aThing("a", { version: "1" }), aThing("a", { version: "2", spec: { color: "red" } })];
  store.put(first);
  store.put(second);
  assertEquals(changes, [
    { key: "ns/a", object: first, deleted: false, initial: false },
    { key: "ns/a", object: second, previous: first, deleted: false, initial: false },
  ]);
});

Deno.test("Store.put() tells nobody when nothing is different but the version, or what is not held", () => {
  const { store, held, changes } = aStore(({ spec: _, ...thing }) => thing);
  store.put(aThing("a", { version: "1", spec: { color: "red" } }));
  store.put(aThing("a", { version: "2", spec: { color: "red" } }));
  store.put(aThing("a", { version: "3", spec: { color: "blue" } }));
  assertEquals([held(), changes.length], [{ "ns/a": "3" }, 1]);
  const other = aThing("a", { version: "4" });
  store.put({ ...other, metadata: { ...other.metadata, labels: { a: "b" } } });
  assertEquals(changes.map(({ object }) => object.metadata.resourceVersion), ["1", "4"]);
});

Deno.test("Store.put() tells of every version when only metadata comes from the server", () => {
  const store = new Store<Thing>({ metadataOnly: true });
  const versions: string[] = [];
  store.onChange(({ object }) => versions.push(object.metadata.resourceVersion));
  for (const version of ["1", "2"]) store.put(aThing("a", { version }));
  assertEquals(versions, ["1", "2"]);
});

Deno.test("Store.observe() shows our own write at once, and an older event does not undo it", () => {
  const { store, held } = aStore();
  store.put(aThing("a", { version: "5" }));
  store.observe(aThing("a", { version: "8" }));
  store.put(aThing("a", { version: "7" }));
  assertEquals(held(), { "ns/a": "8" });
});

Deno.test("Store.observe() does not bring an object back when the watch has already told of its deletion", () => {
  const { store, held } = aStore();
  store.put(aThing("a", { version: "5" }));
  store.remove(aThing("a", { version: "9" }));
  store.observe(aThing("a", { version: "7" }));
  assertEquals(held(), {});
});

Deno.test("Store.observe() is ignored when a bookmark says that the watch is further", () => {
  const { store, held } = aStore();
  store.bookmark("20");
  store.observe(aThing("a", { version: "19" }));
  assertEquals(held(), {});
});

Deno.test("Store.observe() shows an object without its last finalizer, though that answer bears the version that is held", () => {
  const { store, held } = aStore();
  const deleting = { ...aThing("a", { version: "5" }).metadata, deletionTimestamp: "2026-11-21T04:00:00Z" };
  const kept = { ...aThing("a"), metadata: { ...deleting, finalizers: ["example.com/ours"] } };
  store.put(kept);
  store.bookmark("9");
  store.observe({ ...kept, metadata: deleting });
  store.put(kept); // the watch is behind
  assertEquals(store.get("ns/a")?.metadata.finalizers, undefined);
  store.remove(aThing("a", { version: "12" }));
  store.observe({ ...kept, metadata: deleting });
  assertEquals(held(), {});
  store.put(aThing("a", { version: "20" })); // another one of the name
  store.observe({ ...kept, metadata: deleting });
  assertEquals(held(), { "ns/a": "20" });
});

Deno.test("Store.remove() keeps what we wrote since when the deletion is older", () => {
  const { store, held } = aStore();
  store.put(aThing("a", { version: "5" }));
  store.observe(aThing("a", { version: "12" })); // deleted at 9 and made again by us
  store.remove(aThing("a", { version: "9" }));
  assertEquals(held(), { "ns/a": "12" });
});

Deno.test("Store.remove() drops our own write when the deletion is newer", () => {
  const { store, held } = aStore();
  store.observe(aThing("a", { version: "12" }));
  store.remove(aThing("a", { version: "13" }));
  assertEquals(held(), {});
});

Deno.test("Store.remove() says nothing when the object is not held", () => {
  const { store, changes } = aStore();
  store.remove(aThing("a", { version: "13" }));
  assertEquals(changes, []);
});

Deno.test("Store.replace() drops what the list lacks, except our own writes that are newer than the list", () => {
  const { store, held, changes } = aStore();
  store.replace([aThing("gone", { version: "3" }), aThing("stays", { version: "4" })], "10");
  store.observe(aThing("ours", { version: "12" }));
  store.observe(aThing("stays", { version: "13" }));
  store.replace([aThing("stays", { version: "11" })], "11");
  assertEquals(held(), { "ns/stays": "13", "ns/ours": "12" });
  assertEquals(changes.filter((change) => change.deleted).map((change) => [change.key, change.initial]), [
    ["ns/gone", true],
  ]);
});

Deno.test("Store.replace() drops our own write when a later list lacks it", () => {
  const { store, held } = aStore();
  store.observe(aThing("ours", { version: "12" }));
  store.replace([], "12");
  assertEquals(held(), {});
});

Deno.test("Store.replace() is silent about objects that did not change", () => {
  const { store, changes } = aStore();
  const thing = aThing("a", { version: "3" });
  store.replace([thing], "10");
  store.replace([thing], "20");
  assertEquals(changes.length, 1);
});

Deno.test("Store.clear() drops everything, our newest writes included, and tells of each", () => {
  const { store, held, changes, colored } = aStore();
  store.replace([aThing("a", { version: "3", spec: { color: "red" } })], "10");
  store.observe(aThing("b", { version: "12" }));
  store.clear();
  assertEquals([held(), colored("red")], [{}, []]);
  assertEquals(changes.filter((change) => change.deleted).map((change) => change.key), ["ns/a", "ns/b"]);
});

Deno.test("Store.byIndex() follows an object when the indexed value changes, and forgets it with the object", () => {
  const { store, colored } = aStore();
  store.put(aThing("a", { version: "1", spec: { color: ["red", "blue"] } }));
  store.put(aThing("b", { version: "2", spec: { color: "red" } }));
  assertEquals([colored("red"), colored("blue"), colored("green")], [["ns/a", "ns/b"], ["ns/a"], []]);
  store.put(aThing("a", { version: "3", spec: { color: "green" } }));
  assertEquals([colored("red"), colored("blue"), colored("green")], [["ns/b"], [], ["ns/a"]]);
  store.remove(aThing("a", { version: "4" }));
  assertEquals(colored("green"), []);
});

Deno.test("Store.byIndex() throws a RangeError when there is no such index", () => {
  assertThrows(() => aStore().store.byIndex("size", "1"), RangeError, "Cannot read index 'size'");
});

Deno.test("Store.put() drops managedFields and applies the transform, to the object that is told too", () => {
  const { store, changes } = aStore((thing) => ({ ...thing, spec: {} }));
  store.put(aThing("a", { spec: { big: "x" }, metadata: { managedFields: [{ manager: "someone" }] } }));
  assertEquals(store.get("ns/a"), aThing("a", { spec: {} }));
  assertEquals(changes[0]?.object, aThing("a", { spec: {} }));
});

Deno.test("Store.put() keeps of managedFields the fields that are asked for, and taking them twice makes no difference", () => {
  const store = new Store<Thing>({ keepOwnershipOf: ["data"] });
  const fieldsV1 = { "f:data": { "f:key": {} }, "f:metadata": { "f:labels": {} } };
  const written = { manager: "someone", operation: "Apply", apiVersion: "v1", fieldsV1 } as const;
  store.put(aThing("a", { metadata: { managedFields: [written, { manager: "other" }] } }));
  const held = store.get("ns/a");
  assertEquals(held?.metadata.managedFields, [
    { manager: "someone", operation: "Apply", fieldsV1: { "f:data": { "f:key": {} } } },
    { manager: "other", fieldsV1: {} },
  ]);
  assertEquals(held && store.reduce(held), held);
});

Deno.test("Store.replace() transforms a dropped object once, because it is told as it was held", () => {
  const { store, changes } = aStore((thing) => ({ ...thing, spec: { size: JSON.stringify(thing.spec).length } }));
  store.put(aThing("a", { version: "1", spec: { big: "x".repeat(50) } }));
  const held = store.get("ns/a");
  store.replace([], "5");
  assertEquals(changes.at(-1)?.object, held);
});

Deno.test("Store.get() never sees half a relist when it is read by a listener of objects that come later", () => {
  const { store } = aStore();
  store.replace([aThing("a", { version: "1" })], "1");
  const seen: string[][] = [];
  store.onChange(() => seen.push(store.list().map((thing) => thing.metadata.name).sort()));
  store.replace([aThing("b", { version: "2" }), aThing("c", { version: "3" })], "4");
  assertEquals(seen.at(-1), ["b", "c"]);
});

Deno.test("Store.get() gives every reader a copy of its own", () => {
  const { store } = aStore();
  store.put(aThing("a", { spec: { big: "x" } }));
  const read = store.get("ns/a") as { spec: { big: string } } | undefined;
  if (read) read.spec.big = "scribbled over";
  assertEquals(store.get("ns/a"), aThing("a", { spec: { big: "x" } }));
});

/** A store in which everything is packed. */
function aPackedStore() {
  const parts = aStore();
  for (const name of ["a", "b"]) parts.store.put(aThing(name, { version: "1", spec: { color: "red" } }));
  parts.store.settle();
  assertEquals(parts.store.pack(10), 2);
  parts.changes.length = 0;
  return parts;
}

Deno.test("Store.pack() leaves what readers see, and what is news, as it was", () => {
  const { store, changes, colored } = aPackedStore();
  const [first, second] = [aThing("a", { version: "1", spec: { color: "red" } }), aThing("b", { version: "2" })];
  assertEquals(store.get("ns/a"), first);
  assertEquals(store.list()[0], first);
  assertEquals(store.byIndex("color", "red")[0], first);
  store.put(aThing("a", { version: "2", spec: { color: "red" } }));
  assertEquals([changes.length, store.get("ns/a")?.metadata.resourceVersion], [0, "2"]);
  store.put(second);
  store.remove(aThing("a", { version: "3" }));
  assertEquals(changes.map(({ key, previous }) => [key, previous?.metadata.resourceVersion, previous?.spec]), [
    ["ns/b", "1", { color: "red" }],
    ["ns/a", "2", { color: "red" }],
  ]);
  assertEquals(colored("red"), []);
});

Deno.test("Store.pack() packs what was read only after the store has settled again", () => {
  const { store } = aPackedStore();
  store.get("ns/a");
  store.settle();
  store.byIndex("color", "red");
  assertEquals(store.pack(10), 0);
  store.settle();
  store.get("ns/a");
  assertEquals(store.pack(10), 1);
  assertEquals(store.get("ns/b"), aThing("b", { version: "1", spec: { color: "red" } }));
});

Deno.test("Store.list() leaves packed what is packed", () => {
  const { store } = aPackedStore();
  assertEquals(store.list().length, 2);
  store.settle();
  assertEquals(store.pack(10), 0);
});

Deno.test("Store.pack() packs no more than it may, nothing twice, and nothing that has come since the store settled", () => {
  const { store } = aPackedStore();
  for (const name of ["a", "b", "c", "d"]) store.put(aThing(name, { version: "2" }));
  assertEquals(store.pack(10), 0);
  store.settle();
  store.put(aThing("a", { version: "3" }));
  store.remove(aThing("b", { version: "3" }));
  assertEquals([store.pack(1), store.pack(10), store.pack(10)], [1, 1, 0]);
  store.settle();
  assertEquals(store.pack(10), 1);
});
