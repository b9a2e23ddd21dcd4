import { assertEquals, assertRejects } from "@std/assert";
import type { Client } from "../../../src/kit/client.ts";
import { ApiError, isConflict } from "../../../src/kit/errors.ts";
import {
  addFinalizer,
  addFinalizerPatch,
  finalizerStep,
  removeFinalizer,
  removeFinalizerPatch,
} from "../../../src/kit/finalizer.ts";
import type { JsonPatchOperation } from "../../../src/kit/types.ts";
import { aThing, fakeClient, THINGS } from "./fake_client.ts";

const OURS = "example.com/ours";
const deletionTimestamp = "2026-01-01T00:00:00Z";

const STEPS = {
  "is 'add' when it is absent": { given: {}, want: "add" },
  "is 'reconcile' when it is present": { given: { finalizers: ["other", OURS] }, want: "reconcile" },
  "is 'cleanUp' when it is present and the object is going": {
    given: { finalizers: [OURS], deletionTimestamp },
    want: "cleanUp",
  },
  "is 'ignore' when only others hold an object that is going": {
    given: { finalizers: ["other"], deletionTimestamp },
    want: "ignore",
  },
} as const;
for (const [sentence, { given, want }] of Object.entries(STEPS)) {
  Deno.test(`finalizerStep() ${sentence}`, () => assertEquals(finalizerStep({ metadata: given }, OURS), want));
}

Deno.test("addFinalizerPatch() is refused by its test when somebody changed the finalizers", () => {
  assertEquals(addFinalizerPatch(aThing("a", { version: "7" }), OURS), [
    { op: "test", path: "/metadata/resourceVersion", value: "7" },
    { op: "add", path: "/metadata/finalizers", value: [OURS] },
  ]);
  assertEquals(addFinalizerPatch(aThing("a", { metadata: { finalizers: ["other"] } }), OURS), [
    { op: "test", path: "/metadata/finalizers", value: ["other"] },
    { op: "add", path: "/metadata/finalizers/-", value: OURS },
  ]);
});

Deno.test("removeFinalizerPatch() takes ours out of the middle, and is empty when there is nothing to take", () => {
  assertEquals(removeFinalizerPatch({ metadata: { finalizers: ["a", OURS, "b"] } }, OURS), [
    { op: "test", path: "/metadata/finalizers/1", value: OURS },
    { op: "remove", path: "/metadata/finalizers/1" },
  ]);
  assertEquals(removeFinalizerPatch({ metadata: { finalizers: ["a"] } }, OURS), []);
});

Deno.test("removeFinalizer() sends nothing when the object has none of ours", async () => {
  const thing = aThing("a", { metadata: { finalizers: ["other"] } });
  assertEquals(await removeFinalizer(fakeClient({}), THINGS, thing, OURS), thing);
});

Deno.test("addFinalizer() resolves with the object as it is then", async () => {
  const sent: (readonly JsonPatchOperation[])[] = [];
  const after = aThing("a", { version: "8", metadata: { finalizers: [OURS] } });
  const patch = ((_type, _name, operations) => {
    sent.push(operations);
    return Promise.resolve(after);
  }) as Client["patch"];
  assertEquals(await addFinalizer(fakeClient({ patch }), THINGS, aThing("a"), OURS), after);
  assertEquals(sent, [addFinalizerPatch(aThing("a"), OURS)]);
});

Deno.test("addFinalizer() and removeFinalizer() throw a conflict when the test of the patch did not hold", async () => {
  const invalid = new ApiError(422, "Invalid", "the server rejected our request due to an error in our request");
  const client = fakeClient({ patch: () => Promise.reject(invalid) });
  const thing = aThing("a", { metadata: { finalizers: [OURS] } });
  for (const change of [addFinalizer, removeFinalizer]) {
    const error = await assertRejects(() => change(client, THINGS, thing, OURS), ApiError, invalid.message);
    assertEquals([isConflict(error), error.cause], [true, invalid]);
  }
});
