/** The API server dies under a running operator: nobody is hurt meanwhile, and it goes on at once. */
import { assert, assertEquals } from "@std/assert";
import { scaled } from "../support/edits.ts";
import { eventually } from "../support/eventually.ts";
import { startHistory } from "../support/history.ts";
import { type Rig, startRig } from "../support/rig.ts";
import { silence } from "../support/silence.ts";

/** From /readyz of the API server to the next edit that is acted on. */
const BACK_MS = 2_000;

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig({ cluster: {} });
});
Deno.test.afterAll(() => rig?.stop());

Deno.test(`an API server that is killed and comes back is heard within ${BACK_MS} ms of its readiness`, async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "shop");
  await rig.inPhase(namespace, "shop", "Running");
  await rig.create(namespace, "caught");
  await rig.inPhase(namespace, "caught", "Initializing");
  await using history = await startHistory(rig.client, namespace);
  await rig.cluster.killApiServer();
  await eventually("the operator says that it hears nothing", async () => {
    const response = await fetch(`${rig.operator?.healthUrl}/readyz`);
    await response.body?.cancel();
    return response.status === 503;
  });
  await rig.cluster.restartApiServer();
  const tookMs = await scaled(rig, { namespace, name: "shop" }, 2);
  assert(tookMs < BACK_MS, `${Math.round(tookMs)} ms`);
  await rig.inPhase(namespace, "caught", "Running", { timeoutMs: 60_000 }); // the cluster's controllers come back later
  await rig.inPhase(namespace, "shop", "Running");
  await history.upToDate();
  assertEquals([history.strangeSteps(), history.replicas("shop"), history.jobs.size], [[], [1, 2], 2]);
  await silence(rig);
});
