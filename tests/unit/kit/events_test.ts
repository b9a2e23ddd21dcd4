import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Client } from "../../../src/kit/client.ts";
import { type EventNote, EventRecorder } from "../../../src/kit/events.ts";
import { configureLogging, getLogger } from "../../../src/kit/log.ts";
import type { JsonPatchOperation, KubeObject, Stored } from "../../../src/kit/types.ts";
import { FakeClock } from "../../support/clock.ts";
import { aThing, fakeClient } from "./fake_client.ts";

const NOTE: EventNote = { type: "Warning", reason: "Broken", note: "It does not work" };

/** A recorder and what it sent: created events, and updates of their series. */
async function aRecorder(options: { readonly failing?: boolean } = {}) {
  const lines: string[] = [];
  await configureLogging({ write: (line) => lines.push(line) });
  const clock = new FakeClock();
  const created: Record<string, unknown>[] = [];
  const patches: (readonly JsonPatchOperation[])[] = [];
  const state = { failing: false, ...options };
  const client = fakeClient({
    create: (<T extends KubeObject>(_type: unknown, object: T) => {
      if (state.failing) return Promise.reject(new Error("forbidden"));
      created.push({ ...Object(object) });
      const metadata = {
        ...object.metadata,
        name: `e${created.length}`,
        uid: `u${created.length}`,
        resourceVersion: "1",
      };
      return Promise.resolve({ ...object, metadata });
    }) as Client["create"],
    patch:
      (<T extends KubeObject>(_type: unknown, name: { name?: string }, operations: readonly JsonPatchOperation[]) => {
        patches.push(operations);
        return Promise.resolve({ metadata: name } as Stored<T>);
      }) as Client["patch"],
  });
  const recorder = new EventRecorder(client, {
    controller: "test-operator",
    instance: "pod-1",
    log: getLogger(["test"]),
    clock,
  });
  const counts = () =>
    patches.map((operations) => {
      const add = operations[1];
      return add && "value" in add ? Reflect.get(Object(add.value), "count") : undefined;
    });
  return { recorder, clock, created, patches, counts, lines, state };
}

Deno.test("EventRecorder.record() sends an event about the object", async () => {
  const { recorder, created } = await aRecorder();
  recorder.record(aThing("a", { version: "7" }), NOTE);
  await recorder.flush();
  const [{ metadata, ...event } = {}] = created;
  assertEquals(Reflect.get(Object(metadata), "namespace"), "ns");
  assertMatch(String(Reflect.get(Object(metadata), "name")), /^a\.[0-9a-f]{16}$/);
  assertEquals(event, {
    eventTime: "2026-01-01T00:00:00.000000Z",
    reportingController: "test-operator",
    reportingInstance: "pod-1",
    regarding: {
      apiVersion: "example.com/v1",
      kind: "Thing",
      namespace: "ns",
      name: "a",
      uid: "uid-a",
      resourceVersion: "7",
    },
    type: "Warning",
    reason: "Broken",
    action: "Reconcile",
    note: "It does not work",
  });
});

Deno.test("EventRecorder.record() puts events of cluster-scoped objects into the default namespace", async () => {
  const { recorder, created } = await aRecorder();
  const { namespace: _, ...metadata } = aThing("a").metadata;
  recorder.record({ ...aThing("a"), metadata }, { reason: "Fine", note: "ok" });
  await recorder.flush();
  assertEquals([created[0]?.type, Reflect.get(Object(created[0]?.metadata), "namespace")], ["Normal", "default"]);
});

Deno.test("EventRecorder.record() doubles the distance of updates when the same event happens again", async () => {
  const { recorder, clock, created, counts } = await aRecorder();
  for (let i = 0; i < 100; i++) {
    recorder.record(aThing("a", { version: String(i) }), NOTE);
    await clock.advance(10);
  }
  await recorder.flush();
  assertEquals([created.length, counts()], [1, [2, 4, 8, 16, 32, 64]]);
});

Deno.test("EventRecorder.record() updates no other event than its own", async () => {
  const { recorder, patches } = await aRecorder();
  for (let i = 0; i < 2; i++) recorder.record(aThing("a"), NOTE);
  await recorder.flush();
  assertEquals(patches[0]?.[0], { op: "test", path: "/metadata/uid", value: "u1" });
});

Deno.test("EventRecorder.record() begins a new series when the former one is ten minutes old", async () => {
  const { recorder, clock, created, counts } = await aRecorder();
  recorder.record(aThing("a"), NOTE);
  await clock.advance(599_999);
  recorder.record(aThing("a"), NOTE);
  await clock.advance(1);
  recorder.record(aThing("a"), NOTE);
  await recorder.flush();
  assertEquals([created.length, counts()], [2, [2]]);
});

Deno.test("EventRecorder.record() tells objects, reasons and notes apart", async () => {
  const { recorder, created } = await aRecorder();
  for (const note of [NOTE, { ...NOTE, reason: "Other" }, { ...NOTE, note: "Other" }]) {
    for (const name of ["a", "b"]) recorder.record(aThing(name), note);
  }
  await recorder.flush();
  assertEquals(created.length, 6);
});

Deno.test("EventRecorder.record() holds a noisy object back, and lets it tell one more after five minutes", async () => {
  const { recorder, clock, created } = await aRecorder();
  const tell = async (name: string, count: number, what: string) => {
    for (let i = 0; i < count; i++) recorder.record(aThing(name), { ...NOTE, note: `${what} ${i}` });
    await recorder.flush();
    return created.length;
  };
  assertEquals(await tell("noisy", 100, "first"), 25);
  assertEquals(await tell("quiet", 1, "first"), 26);
  await clock.advance(299_999);
  assertEquals(await tell("noisy", 5, "second"), 26);
  await clock.advance(2);
  assertEquals(await tell("noisy", 5, "third"), 27);
});

Deno.test("EventRecorder.record() logs and goes on when the server refuses, and tells again the next time", async () => {
  const { recorder, created, lines, state } = await aRecorder({ failing: true });
  recorder.record(aThing("a"), NOTE);
  await recorder.flush();
  assertEquals(lines.length, 1);
  assertMatch(lines[0] ?? "", /Cannot record an event error=forbidden\n$/);
  state.failing = false;
  recorder.record(aThing("a"), NOTE);
  await recorder.flush();
  assertEquals(created.length, 1);
});

Deno.test("EventRecorder.record() cuts a note to the 1,024 bytes that the server takes, between characters", async () => {
  const { recorder, created } = await aRecorder();
  for (const letter of ["x", "ü", "🚢"]) recorder.record(aThing("a"), { ...NOTE, note: letter.repeat(2_000) });
  await recorder.flush();
  for (const { note } of created) {
    const bytes = new TextEncoder().encode(String(note)).length;
    assert(bytes <= 1_024 && bytes > 1_000, `${bytes} bytes`);
    assert(String(note).isWellFormed());
    assert(!String(note).includes("\ufffd"));
  }
});
