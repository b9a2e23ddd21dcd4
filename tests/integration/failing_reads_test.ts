/**
 * Kinds that can be read no longer, or not yet: what the operator has seen of them is not taken back. Answers of the API
 * server about one kind are failures until the test heals them; the other kinds work.
 */
import { assert, assertEquals } from "@std/assert";
import { type FaultProxy, WRITE_VERBS } from "../../dev/fault_proxy.ts";
import {
  ConfigMap,
  Deployment,
  Ingress,
  Job,
  pause,
  PersistentVolumeClaim,
  Pod,
  type ResourceType,
  Secret,
  Service,
} from "../../src/kit/mod.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { scaled } from "../support/edits.ts";
import { eventually } from "../support/eventually.ts";
import { type FaultRig, startFaultRig } from "../support/fault_rig.ts";
import { writesIn } from "../support/isolated_operator.ts";
import type { Rig } from "../support/rig.ts";

/** How long nothing may come of a look at the instance. */
const WATCHED_MS = 2_000;
const NAME = "shop";

let faults: FaultRig;
let rig: Rig;
let proxy: FaultProxy;
let namespace: string;
let touches = 0;

Deno.test.beforeAll(async () => {
  faults = await startFaultRig();
  ({ rig, proxy } = faults);
  namespace = await rig.namespace();
  await rig.create(namespace, NAME, { replicas: 2 });
  await rig.inPhase(namespace, NAME, "Running");
});
Deno.test.afterEach(() => proxy.heal());
Deno.test.afterAll(() => faults?.stop());

function readsOf(type: ResourceType): RegExp {
  return new RegExp(`/${type.plural}(/|$)`);
}

/** From now on reads of the kind fail. */
function blind(type: ResourceType, status: 403 | 500): void {
  proxy.onRequest({ verb: ["GET", "WATCH"], path: readsOf(type) }, { type: "answer", status, message: "not today" });
}

/** Resolves when /readyz complains of the kind. */
async function complains(type: ResourceType): Promise<void> {
  await eventually(`/readyz names ${type.kind}`, async () => {
    const response = await fetch(`${rig.operator?.healthUrl}/readyz`);
    const text = await response.text();
    if (response.status !== 503 || !text.includes(`${type.kind}: Cannot`)) {
      throw new Error(`${response.status}: ${text}`);
    }
    return true;
  }, { timeoutMs: 20_000 });
}

/** Has the instance looked at, and asserts that nothing comes of it. */
async function assertLeftAlone(): Promise<void> {
  const fromMs = performance.now();
  const before = await rig.client.get(OdooInstanceKind, { namespace, name: NAME });
  await rig.client.patch(OdooInstanceKind, { namespace, name: NAME }, [
    { op: "add", path: "/metadata/annotations", value: { touched: String(++touches) } },
  ]);
  await pause(WATCHED_MS); // nothing can be waited for: that nothing comes is what is tested
  const path = writesIn(namespace);
  const writes = proxy.requests.filter((request) =>
    request.atMs >= fromMs && WRITE_VERBS.includes(request.verb) && path.test(request.path)
  );
  assertEquals(writes.map(({ verb, path }) => `${verb} ${path}`), []);
  const after = await rig.client.get(OdooInstanceKind, { namespace, name: NAME });
  assertEquals(after.status, before.status);
  assertEquals((await rig.client.get(Deployment, { namespace, name: NAME })).spec?.replicas, 2);
}

const MID_RUN = [Deployment, Job, OdooInitJobKind, Pod, PersistentVolumeClaim, Secret, ConfigMap, Service, Ingress];

for (const type of MID_RUN as readonly ResourceType[]) {
  Deno.test(`an operator that can read no ${type.kind} any more takes nothing back, and says so until it can`, async () => {
    blind(type, 500);
    assert(proxy.endWatches({ code: 410 }, { path: readsOf(type) }) > 0); // what was seen cannot be resumed from
    await complains(type);
    await assertLeftAlone();
    proxy.heal();
    await eventually("/readyz is ok", async () => {
      const response = await fetch(`${rig.operator?.healthUrl}/readyz`);
      const text = await response.text();
      if (!response.ok) throw new Error(text);
      return true;
    }, { timeoutMs: 60_000 });
    await assertLeftAlone();
  });
}

const AT_START = [Job, PersistentVolumeClaim, Secret];

for (const type of AT_START as readonly ResourceType[]) {
  Deno.test(`an operator that may not read ${type.kind}s at its start writes nothing and says so, and goes on when it may`, async () => {
    await rig.kill();
    blind(type, 403);
    await rig.start({ wait: false, kubeconfig: `${rig.cluster.directory}/proxy.kubeconfig` });
    await complains(type);
    await eventually("the other kinds are read", () => proxy.openWatches.length >= 5);
    await assertLeftAlone();
    proxy.heal();
    await scaled(rig, { namespace, name: NAME }, 3);
    await scaled(rig, { namespace, name: NAME }, 2);
    await rig.inPhase(namespace, NAME, "Running");
  });
}
