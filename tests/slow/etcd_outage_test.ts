/** Tier test:slow. etcd hangs under a running operator: nobody is hurt meanwhile, and it goes on at once. */
import { assert, assertEquals } from "@std/assert";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { replicas, scaled } from "../support/edits.ts";
import { eventually } from "../support/eventually.ts";
import { startHistory } from "../support/history.ts";
import { type Rig, startRig } from "../support/rig.ts";
import { silence } from "../support/silence.ts";

/** From the return of etcd to everything as usual. */
const USUAL_MS = 5_000;

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig({ cluster: {} });
});
Deno.test.afterAll(() => rig?.stop());

Deno.test("slow: an etcd that hangs for 20 s changes no phase and no pod, and everything is as usual 5 s later", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "shop");
  await rig.inPhase(namespace, "shop", "Running");
  await using history = await startHistory(rig.client, namespace);
  rig.cluster.signalEtcd("SIGSTOP");
  try {
    const stoppedMs = performance.now();
    const edit = rig.client.patch(OdooInstanceKind, { namespace, name: "shop" }, replicas(2));
    edit.catch(() => {}); // it may come through at the end, or be given up
    await eventually("20 s are over, and nobody was answered", async () => {
      const error = await rig.client.list(OdooInstanceKind, { signal: AbortSignal.timeout(5_000) }).catch((error) =>
        error
      );
      assert(error instanceof Error, "the API server has answered");
      return performance.now() - stoppedMs > 20_000;
    }, { timeoutMs: 40_000 });
  } finally {
    rig.cluster.signalEtcd("SIGCONT");
  }
  const backMs = performance.now();
  await eventually("the API server answers", () => rig.client.get(OdooInstanceKind, { namespace, name: "shop" }));
  await scaled(rig, { namespace, name: "shop" }, 3);
  await rig.inPhase(namespace, "shop", "Running");
  await rig.create(namespace, "new");
  await rig.inPhase(namespace, "new", "Running");
  const tookMs = performance.now() - backMs;
  assert(tookMs < USUAL_MS, `${Math.round(tookMs)} ms`);
  await history.upToDate();
  assertEquals(history.strangeSteps(), []);
  assert(history.replicas("shop").every((count) => count > 0), `${history.replicas("shop")}`);
  await silence(rig, { forMs: 60_000 });
});
