/** Requests that have ended, on a real API server: as many as the administrator wants stay, and none goes that has to tell something. */
import { assertEquals } from "@std/assert";
import type { OdooUpgradeJob, OdooUpgradeJobSpec } from "../../src/odoo/crd/mod.ts";
import { OdooInitJobKind, OdooUpgradeJobKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { NO_CONTENT, startReceiver } from "../support/receiver.ts";
import { type Rig, startRig } from "../support/rig.ts";

let rig: Rig;

Deno.test.beforeAll(async () => {
  const args = ["--job-history-limit=2", "--allowed-webhook-hosts=127.0.0.0/8"];
  rig = await startRig({ jobs: { delayMs: 50 }, operator: { args } });
});
Deno.test.afterAll(() => rig?.stop());

async function upgradesOf(namespace: string): Promise<readonly string[]> {
  const { items } = await rig.client.list(OdooUpgradeJobKind, { namespace });
  return items.map(({ metadata }) => metadata.name).sort();
}

/** Asks for an upgrade, and waits for its end: requests that are made within one second have no order. */
async function upgrade(namespace: string, name: string, spec: Partial<OdooUpgradeJobSpec> = {}): Promise<void> {
  await rig.client.create<OdooUpgradeJob>(OdooUpgradeJobKind, {
    metadata: { name, namespace },
    spec: { odooInstanceRef: { name: "shop" }, modules: ["base"], ...spec },
  });
  await eventually(`${name} has ended`, async () => {
    const { status } = await rig.client.get<OdooUpgradeJob>(OdooUpgradeJobKind, { namespace, name });
    if (status?.phase !== "Completed") throw new Error(JSON.stringify(status));
    return true;
  }, { timeoutMs: 20_000 });
  await rig.inPhase(namespace, "shop", "Running");
}

function left(namespace: string, names: readonly string[], timeoutMs: number): Promise<unknown> {
  return eventually(`of the upgrades ${names} are left`, async () => {
    const seen = await upgradesOf(namespace);
    if (seen.join() !== names.join()) throw new Error(`there are ${seen}`);
    return true;
  }, { timeoutMs });
}

Deno.test("of each kind the newest two requests stay, and an older one until its webhook has been told", async () => {
  let listens = false;
  await using receiver = startReceiver({
    hostname: "127.0.0.2", // the first is the API server's, which is refused
    answer: () => listens ? NO_CONTENT : "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n",
  });
  const namespace = await rig.namespace();
  await rig.create(namespace, "shop");
  await rig.inPhase(namespace, "shop", "Running");
  await upgrade(namespace, "a-untold", { webhook: { url: `http://127.0.0.2:${receiver.port}/` } });
  for (const name of ["b", "c", "d", "e"]) await upgrade(namespace, name);
  await left(namespace, ["a-untold", "d", "e"], 10_000);
  listens = true;
  await left(namespace, ["d", "e"], 60_000); // the next attempt comes after 30 seconds at most
  const inits = (await rig.client.list(OdooInitJobKind, { namespace })).items;
  assertEquals(inits.map(({ metadata }) => metadata.name), ["shop-auto-init"], "another kind has a history of its own");
});
