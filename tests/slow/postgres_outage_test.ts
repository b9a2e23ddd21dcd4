/**
 * Tier test:slow. PostgreSQL stops, or falls silent, under 50 Running instances: all say so, none is touched, the server is
 * not stormed, and all is well again as soon as it answers. Row 17 of the table of faults.
 */
import { assert, assertEquals } from "@std/assert";
import { AuditLog } from "../../dev/measure.ts";
import { OPERATOR_USER, writeClustersSecret } from "../../dev/operator.ts";
import { conditionOf, Deployment, Pod } from "../../src/kit/mod.ts";
import type { OdooInstance } from "../../src/odoo/crd/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";
import { silence } from "../support/silence.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp_proxy.ts";

const INSTANCES = 50;
const OUTAGE_MS = 60_000;
const TOLD = { timeoutMs: 15_000, intervalMs: 100 };
const CLEARED = { timeoutMs: 5_000, intervalMs: 100 };

let rig: Rig;
let proxy: TcpProxy;
let namespace: string;

Deno.test.beforeAll(async () => {
  rig = await startRig({ cluster: {} });
  const { adminUser, adminPassword } = rig.cluster.postgres;
  proxy = startTcpProxy(rig.cluster.postgres);
  await writeClustersSecret(rig.client, rig.cluster, {
    main: { host: proxy.host, port: proxy.port, adminUser, adminPassword, default: true },
  });
  namespace = await rig.namespace();
  await Promise.all(Array.from({ length: INSTANCES }, (_, i) => rig.create(namespace, `shop-${i}`)));
  await all("Running", ({ status }) => status?.phase === "Running", { timeoutMs: 180_000, intervalMs: 500 });
});
Deno.test.afterAll(async () => {
  await rig?.stop();
  await proxy?.[Symbol.asyncDispose]();
});

async function all(
  what: string,
  isSo: (instance: OdooInstance) => boolean,
  limits: { readonly timeoutMs: number; readonly intervalMs: number },
): Promise<void> {
  await eventually(`${INSTANCES} instances are ${what}`, async () => {
    const { items } = await rig.client.list<OdooInstance>(OdooInstanceKind, { namespace });
    const count = items.filter(isSo).length;
    if (count < INSTANCES) throw new Error(`${count} are`);
    return true;
  }, limits);
}

function reachable(status: string): (instance: OdooInstance) => boolean {
  return (instance) => conditionOf(instance.status?.conditions, "DatabaseReachable")?.status === status;
}

/** Every pod and Deployment with its version: equal as long as nobody has written to one. */
async function workloads(): Promise<string[]> {
  const lists = await Promise.all([rig.client.list(Pod, { namespace }), rig.client.list(Deployment, { namespace })]);
  return lists.flatMap(({ items }) => items.map(({ metadata }) => `${metadata.uid}/${metadata.resourceVersion}`))
    .sort();
}

const OUTAGES: Readonly<Record<string, { readonly begin: () => Promise<void>; readonly end: () => Promise<void> }>> = {
  "is stopped": { begin: () => rig.cluster.postgres.stop(), end: () => rig.cluster.postgres.start() },
  "dies": { begin: () => rig.cluster.postgres.stop("immediate"), end: () => rig.cluster.postgres.start() },
  "swallows everything": {
    begin: () => Promise.resolve(proxy.freeze()),
    end: () => Promise.resolve(proxy.thaw()),
  },
};

for (const [what, { begin, end }] of Object.entries(OUTAGES)) {
  Deno.test(`slow: PostgreSQL ${what} for a minute under ${INSTANCES} Running instances (row 17)`, async () => {
    await all("connected", reachable("True"), CLEARED);
    const before = await workloads();
    const audit = new AuditLog(rig.cluster.auditLog, OPERATOR_USER);
    const mark = await audit.mark();
    const startedMs = performance.now();
    const attempts = () => proxy.acceptedAtMs.filter((timeMs) => timeMs > startedMs);

    await begin();
    await all("told", reachable("False"), TOLD);
    await eventually("a minute of attempts", () => (attempts().at(-1) ?? 0) - startedMs > OUTAGE_MS, {
      timeoutMs: 2 * OUTAGE_MS,
    });
    await all("still Running", ({ status }) => status?.phase === "Running" && status.ready === true, CLEARED);
    assertEquals(await workloads(), before);
    const gaps = attempts().slice(1).map((timeMs, index) => Math.round(timeMs - (attempts()[index] ?? 0)));
    assert(gaps.every((ms) => ms > 950), `attempts to connect after ${gaps} ms`);

    await end();
    await all("connected", reachable("True"), CLEARED);
    assertEquals(await workloads(), before);
    const { byKind } = await audit.since(mark);
    assertEquals(
      Object.keys(byKind).filter((kind) => !/^(patch odooinstances\/status|(create|patch) events)$/.test(kind)),
      [],
    );
    const writes = byKind["patch odooinstances/status"] ?? 0; // the words may change once: "shuts down", then "refused"
    assert(writes >= 2 * INSTANCES && writes <= 3 * INSTANCES, JSON.stringify(byKind));
    await silence(rig, { forMs: 60_000 });
  });
}
