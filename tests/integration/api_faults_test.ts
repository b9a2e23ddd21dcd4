/** Answers that the API server should not have to give: refusals, storms and silence cost time, and nothing else. */
import { assert, assertEquals } from "@std/assert";
import { conditionOf } from "../../src/kit/mod.ts";
import { percentile } from "../../dev/bench/figures.ts";
import { type FaultProxy, WRITE_VERBS } from "../../dev/fault_proxy.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { replicas, scaled } from "../support/edits.ts";
import { eventually } from "../support/eventually.ts";
import { type FaultRig, startFaultRig } from "../support/fault_rig.ts";
import { startHistory } from "../support/history.ts";
import type { Rig } from "../support/rig.ts";
import { silence } from "../support/silence.ts";
import { refuseAFifth, survives } from "../support/storm.ts";

let faults: FaultRig;
let rig: Rig;
let proxy: FaultProxy;

Deno.test.beforeAll(async () => {
  faults = await startFaultRig();
  ({ rig, proxy } = faults);
});
Deno.test.afterEach(() => proxy.heal());
Deno.test.afterAll(() => faults?.stop());

async function runningShop(namespace: string, name = "shop"): Promise<void> {
  await rig.create(namespace, name);
  await rig.inPhase(namespace, name, "Running");
}

Deno.test("a status write that is refused five times with 409 is made within a second, and takes nobody's field", async () => {
  const namespace = await rig.namespace();
  await runningShop(namespace);
  const lastTransitionTime = "2026-01-01T00:00:00Z";
  const value = { type: "Audited", status: "True", reason: "ByHand", message: "", lastTransitionTime };
  const add = [{ op: "add", path: "/status/conditions/-", value }] as const;
  await rig.client.patch(OdooInstanceKind, { namespace, name: "shop" }, add, { subresource: "status" });
  const path = new RegExp(`/${namespace}/odooinstances/shop/status$`);
  const rule = proxy.onRequest({ verb: "PATCH", path, hits: { from: 1, to: 5 } }, { type: "answer", status: 409 });
  await rig.client.patch(OdooInstanceKind, { namespace, name: "shop" }, replicas(2));
  const first = await eventually("it is refused", () => proxy.requests.find(({ faults }) => faults.length > 0));
  const written = await eventually(
    "it is written",
    () =>
      proxy.requests.find(({ path: other, atMs, serverStatus }) =>
        path.test(other) && atMs > first.atMs && serverStatus === 200
      ),
  );
  assertEquals(rule.strikes, 5);
  assert(written.atMs - first.atMs <= 1_000, `${Math.round(written.atMs - first.atMs)} ms`);
  const instance = await rig.inPhase(namespace, "shop", "Running");
  assertEquals(conditionOf(instance.status?.conditions, "Audited")?.reason, "ByHand");
});

Deno.test("a whole way from nothing to Running, every status write of which is refused five times, has one Job", async () => {
  const namespace = await rig.namespace();
  await using history = await startHistory(rig.client, namespace);
  const path = new RegExp(`/${namespace}/.*/status$`);
  let hits = 0;
  proxy.onRequest({ verb: "PATCH", path, where: () => hits++ % 6 !== 5 }, { type: "answer", status: 409 });
  await rig.create(namespace, "shop");
  await rig.inPhase(namespace, "shop", "Running", { timeoutMs: 30_000 });
  await history.upToDate();
  assertEquals([history.strangeSteps(), history.jobs.size], [[], 1]);
});

Deno.test("429 with Retry-After: 1 is obeyed: the next attempt comes after one second, and before one and a half", async () => {
  const namespace = await rig.namespace();
  await runningShop(namespace);
  const path = new RegExp(`/${namespace}/deployments/shop$`);
  const match = { verb: WRITE_VERBS, path };
  const before = proxy.requests.length;
  proxy.onRequest({ ...match, hits: 1 }, { type: "answer", status: 429, retryAfterSeconds: 1 });
  await scaled(rig, { namespace, name: "shop" }, 2);
  const patches = () =>
    proxy.requests.slice(before).filter(({ verb, path: other }) => verb === "PATCH" && path.test(other));
  await eventually("the second one is answered", () => patches()[1]?.status);
  const [refused, next] = patches();
  const waitedMs = (next?.atMs ?? 0) - (refused?.atMs ?? 0);
  assertEquals([refused?.status, next?.status], [429, 200]);
  assert(waitedMs >= 1_000 && waitedMs <= 1_500, `${Math.round(waitedMs)} ms`);
  await rig.inPhase(namespace, "shop", "Running");
});

Deno.test("500 and 503 for a fifth of all requests for 10 s: all is well 5 s later, and nothing was made twice", async () => {
  const storm = () => refuseAFifth(proxy);
  await survives(faults, { storm, lastsMs: 10_000 });
});

Deno.test("500 for every write for 8 s: all is well 5 s later, although nobody asks again", async () => {
  const storm = () => void proxy.onRequest({ verb: WRITE_VERBS }, { type: "answer", status: 500 });
  await survives(faults, { storm, lastsMs: 8_000 });
});

Deno.test("an API server that takes 10 s for one instance keeps nobody else waiting", async () => {
  const namespace = await rig.namespace();
  const names = Array.from({ length: 10 }, (_, i) => `quick-${i}`);
  await Promise.all(names.map((name) => runningShop(namespace, name)));
  const path = new RegExp(`/${namespace}/[^/]+/slow`);
  const slow = proxy.onRequest({ path }, { type: "delay", ms: 10_000 });
  await rig.create(namespace, "slow");
  await eventually("it is slow", () => slow.strikes > 0);
  const tookMs: number[] = [];
  for (const count of [2, 1]) for (const name of names) tookMs.push(await scaled(rig, { namespace, name }, count));
  const p99 = percentile(tookMs, 99);
  assert(p99 <= 1_000, `p99 of ${tookMs.length} edits is ${Math.round(p99)} ms`);
  proxy.heal();
  await rig.inPhase(namespace, "slow", "Running", { timeoutMs: 40_000 });
});

Deno.test("after all these faults nothing is written any more", async () => {
  await silence(rig, { withinMs: 15_000 });
});
