/** Tier test:slow. Faults of the API server at their full length, and a whole minute of silence after each. */
import { assert, assertEquals } from "@std/assert";
import { Deployment } from "../../src/kit/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { type FaultRig, startFaultRig } from "../support/fault_rig.ts";
import { silence } from "../support/silence.ts";
import { refuseAFifth, survives } from "../support/storm.ts";

const MINUTE = { forMs: 60_000 };
/** From the last byte of a watch to the next watch. */
const WATCHDOG_MS = 150_000;
/** After which a request is given up. */
const ABANDONED_MS = 31_000;

let faults: FaultRig;

Deno.test.beforeAll(async () => {
  faults = await startFaultRig();
});
Deno.test.afterEach(() => faults.proxy.heal());
Deno.test.afterAll(() => faults?.stop());

async function runningShop(): Promise<string> {
  const { rig } = faults;
  const namespace = await rig.namespace();
  await rig.create(namespace, "shop");
  await rig.inPhase(namespace, "shop", "Running");
  return namespace;
}

async function scale(namespace: string, value: number): Promise<void> {
  const patch = [{ op: "replace", path: "/spec/replicas", value }] as const;
  await faults.rig.client.patch(OdooInstanceKind, { namespace, name: "shop" }, patch);
}

async function wants(namespace: string, count: number, timeoutMs: number): Promise<void> {
  await eventually(`shop wants ${count} pods`, async () => {
    const { spec } = await faults.rig.client.get(Deployment, { namespace, name: "shop" });
    return spec?.replicas === count;
  }, { timeoutMs });
}

Deno.test("slow: 500 and 503 for a fifth of all requests for 30 s: all is well 5 s later, and then silent", async () => {
  await survives(faults, { storm: () => refuseAFifth(faults.proxy), lastsMs: 30_000, silence: MINUTE });
});

Deno.test("slow: a request that is not answered is given up after 30 s, and the work is done", async () => {
  const { rig, proxy } = faults;
  const namespace = await runningShop();
  const path = new RegExp(`/${namespace}/deployments/shop$`);
  const rule = proxy.onRequest({ verb: "PATCH", path, hits: 1 }, { type: "delay", ms: 120_000 });
  await scale(namespace, 2);
  await eventually("the request hangs", () => rule.strikes === 1);
  const hanging = proxy.requests.find(({ faults }) => faults.includes("delay"));
  await eventually("it is given up", () => hanging?.tookMs !== undefined, { timeoutMs: 60_000 });
  assert((hanging?.tookMs ?? Infinity) <= ABANDONED_MS, `${hanging?.tookMs} ms`);
  await wants(namespace, 2, 5_000);
  await rig.inPhase(namespace, "shop", "Running");
  await silence(rig, MINUTE);
});

Deno.test("slow: watches that are half open are given up within 150 s, and what they did not tell is noticed", async () => {
  const { rig, proxy } = faults;
  const namespace = await runningShop();
  await silence(rig);
  const former = new Set(proxy.openWatches);
  const held = proxy.holdWatches();
  const fromMs = performance.now();
  await scale(namespace, 2);
  const instances = /\/odooinstances$/;
  await eventually(
    "another watch of the instances",
    () => proxy.openWatches.some((watch) => instances.test(watch.path) && !former.has(watch)),
    { timeoutMs: 200_000 },
  );
  held.release();
  await wants(namespace, 2, 5_000);
  const tookMs = performance.now() - fromMs;
  assert(tookMs <= WATCHDOG_MS, `${Math.round(tookMs)} ms`);
  await rig.inPhase(namespace, "shop", "Running");
  await silence(rig, MINUTE);
});

Deno.test("slow: an API server that ends in peace and comes back is heard again", async () => {
  const { rig } = faults;
  const namespace = await runningShop();
  await rig.cluster.killApiServer("SIGTERM");
  await rig.cluster.restartApiServer();
  const fromMs = performance.now();
  await scale(namespace, 2);
  await wants(namespace, 2, 30_000);
  assert(performance.now() - fromMs <= 2_000, `${Math.round(performance.now() - fromMs)} ms`);
  await rig.inPhase(namespace, "shop", "Running");
  assertEquals((await rig.client.list(OdooInstanceKind, { namespace })).items.length, 1);
  await silence(rig, MINUTE);
});
