/** Watches that stop, lie or leave out: the operator comes to the same end, takes nothing back, and then rests. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Deployment, Job, pause } from "../../src/kit/mod.ts";
import type { FaultProxy } from "../../dev/fault_proxy.ts";
import { OUTCOME_FINALIZER } from "../../src/odoo/model/names.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { answered, replicas } from "../support/edits.ts";
import { eventually } from "../support/eventually.ts";
import { type FaultRig, startFaultRig } from "../support/fault_rig.ts";
import { startHistory } from "../support/history.ts";
import type { Rig } from "../support/rig.ts";
import { silence } from "../support/silence.ts";

/** From the edit to the write that it leads to, after watches were cut. */
const AFTER_RESET_MS = 1_000;
/** From the end of a watch that cannot be resumed to what was missed. */
const AFTER_GAP_MS = 2_000;
const HELD_MS = 3_000;

let faults: FaultRig;
let rig: Rig;
let proxy: FaultProxy;

Deno.test.beforeAll(async () => {
  faults = await startFaultRig();
  ({ rig, proxy } = faults);
});
Deno.test.afterEach(() => proxy.heal());
Deno.test.afterAll(() => faults?.stop());

/** A namespace with an instance `shop` that runs. */
async function withShop(): Promise<string> {
  const namespace = await rig.namespace();
  await rig.create(namespace, "shop");
  await rig.inPhase(namespace, "shop", "Running");
  return namespace;
}

/** Deletions in a namespace that the operator was not told of. */
function lost(namespace: string): string[] {
  const dropped = proxy.events.filter(({ faults }) => faults.includes("drop"));
  const deleted = (path: RegExp, type: string, name: string) =>
    dropped.some((event) => path.test(event.path) && event.type === type && event.object === `${namespace}/${name}`);
  return [
    ...(deleted(/deployments$/, "DELETED", "shop") ? ["shop"] : []),
    ...(deleted(/odooinstances$/, "MODIFIED", "leaving") ? ["leaving"] : []),
  ];
}

Deno.test("watches that say nothing for 3 s, again and again, lead nobody back and make no second Job", async () => {
  const namespace = await rig.namespace();
  await using history = await startHistory(rig.client, namespace);
  const names = ["a", "b", "c", "d", "e"];
  const end = performance.now() + 2 * HELD_MS;
  const creating = Promise.all(names.map((name) => rig.create(namespace, name)));
  for (let round = 0; performance.now() < end; round++) {
    const held = proxy.holdWatches();
    await pause(HELD_MS); // the fault itself
    held.release();
    await creating;
    const name = names[round % names.length] ?? "a";
    await rig.client.patch(OdooInstanceKind, { namespace, name }, replicas(2));
  }
  for (const name of names) await rig.inPhase(namespace, name, "Running", { timeoutMs: 30_000 });
  await history.upToDate();
  assertEquals([history.strangeSteps(), history.jobs.size], [[], names.length]);
});

Deno.test("all watches reset at once: the next edit is acted on within a second", async () => {
  const namespace = await withShop();
  await silence(rig, { forMs: 500 });
  const tookMs: number[] = [];
  for (const count of [2, 3, 2]) {
    await eventually("all watches are open", () => {
      if (proxy.openWatches.length < 10) throw new Error(`${proxy.openWatches.length} are`);
      return true;
    });
    proxy.endWatches("reset");
    await rig.client.patch(OdooInstanceKind, { namespace, name: "shop" }, replicas(count));
    tookMs.push(await answered(rig, { namespace, name: "shop" }, { count }));
    await rig.inPhase(namespace, "shop", "Running");
  }
  assert(tookMs.every((ms) => ms <= AFTER_RESET_MS), `${tookMs.map(Math.round)} ms`);
});

Deno.test("a Job whose end was never shown is judged by what it did when its deletion is shown", async () => {
  const namespace = await rig.namespace();
  await using history = await startHistory(rig.client, namespace);
  const hidden = proxy.onEvent(
    { path: /\/jobs$/, type: "MODIFIED", where: ({ object }) => !object.metadata?.deletionTimestamp },
    { type: "drop" },
  );
  await rig.create(namespace, "shop");
  const job = await eventually("the Job is complete", async () => {
    const { items: [job] } = await rig.client.list(Job, { namespace });
    return job?.status?.conditions?.some(({ type }) => type === "Complete") && job;
  });
  assert(hidden.strikes > 0);
  assert(job.metadata.finalizers?.includes(OUTCOME_FINALIZER));
  await rig.client.delete(Job, job.metadata);
  const { status } = await rig.inPhase(namespace, "shop", "Running");
  const { items: [request] } = await rig.client.list(OdooInitJobKind, { namespace });
  assertEquals([status?.dbInitialized, request?.status?.phase], [true, "Completed"]);
  await history.upToDate();
  assertEquals([history.jobs.size, history.strangeSteps()], [1, []]);
  await rig.gone(Job, namespace, job.metadata.name);
});

Deno.test("a Job that ends while nothing is shown of its pod is judged by the words of that pod", async () => {
  const namespace = await rig.namespace();
  const held = proxy.holdWatches({ path: /\/pods$/ });
  await rig.create(namespace, "shop");
  await rig.inPhase(namespace, "shop", "Running");
  const { items: [request] } = await rig.client.list(OdooInitJobKind, { namespace });
  assertEquals(request?.status?.phase, "Completed");
  assertStringIncludes(request?.status?.message ?? "", "Installed base ");
  held.release();
});

/** In both nothing but a new list helps: whoever resumes where it was is refused until the test is over. */
const EXPIRED: Readonly<Record<string, () => void>> = {
  "an ERROR event": () => {
    refuseToResume(503);
    proxy.endWatches({ code: 410 });
  },
  "the status of the answer": () => {
    refuseToResume(410);
    proxy.endWatches("reset");
  },
};

function refuseToResume(status: number): void {
  const resumed = { verb: "WATCH", query: /resourceVersion=[1-9]/ } as const;
  proxy.onRequest(resumed, { type: "answer", status, reason: status === 410 ? "Expired" : "ServiceUnavailable" });
}

for (const [how, expire] of Object.entries(EXPIRED)) {
  Deno.test(`a version that is compacted, told by ${how}: what was deleted in the gap is noticed`, async () => {
    const namespace = await withShop();
    await rig.create(namespace, "leaving");
    await rig.inPhase(namespace, "leaving", "Running");
    const { metadata: { uid } } = await rig.client.get(Deployment, { namespace, name: "shop" });
    const gap = proxy.onEvent({ object: new RegExp(`^${namespace}/`) }, { type: "drop" });
    await rig.client.delete(Deployment, { namespace, name: "shop" });
    await rig.client.delete(OdooInstanceKind, { namespace, name: "leaving" });
    await eventually("both would have been told", () => lost(namespace).length === 2);
    gap.remove();
    expire();
    const tookMs = await answered(rig, { namespace, name: "shop" }, { count: 1, notUid: uid });
    assert(tookMs <= AFTER_GAP_MS, `${Math.round(tookMs)} ms`);
    await rig.gone(OdooInstanceKind, namespace, "leaving");
    await rig.inPhase(namespace, "shop", "Running");
  });
}

Deno.test("after all these faults nothing is written any more", async () => {
  await silence(rig);
});
