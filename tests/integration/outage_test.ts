/** PostgreSQL away, silent, locked or full under a running operator: who notices, how soon, and whom it does not concern. */
import { assert, assertEquals } from "@std/assert";
import { conditionOf, Deployment } from "../../src/kit/mod.ts";
import { writeClustersSecret } from "../../dev/operator.ts";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";
import { query } from "../support/sql.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp_proxy.ts";

/** From the outage to the condition, and from the return to the condition. */
const NOTICED_MS = 15_000;
const CLEARED_MS = 5_000;

let rig: Rig;
let other: PostgresServer;
let proxy: TcpProxy;

Deno.test.beforeAll(async () => {
  [rig, other] = await Promise.all([startRig({ ownPostgres: true }), startPostgres()]);
  proxy = startTcpProxy(rig.cluster.postgres);
  await writeEntries();
});
Deno.test.afterAll(async () => {
  await rig?.stop();
  await proxy?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
});

/** Cluster `main` is behind the proxy, `other` is not. */
async function writeEntries(change: { readonly main?: object; readonly other?: object } = {}): Promise<void> {
  const { adminUser, adminPassword } = rig.cluster.postgres;
  const second = { host: other.host, port: other.port, adminUser: other.adminUser, adminPassword: other.adminPassword };
  await writeClustersSecret(rig.client, rig.cluster, {
    main: { host: proxy.host, port: proxy.port, adminUser, adminPassword, default: true, ...change.main },
    other: { ...second, ...change.other },
  });
}

async function reachable(namespace: string, name: string) {
  const { status } = await rig.client.get(OdooInstanceKind, { namespace, name });
  return conditionOf(status?.conditions, "DatabaseReachable");
}

/** Resolves when the condition has this reason. */
async function reached(namespace: string, name: string, reason: string, timeoutMs: number): Promise<void> {
  await eventually(`${name} says ${reason}`, async () => {
    const condition = await reachable(namespace, name);
    if (condition?.reason !== reason) throw new Error(`it says ${condition?.reason}: ${condition?.message}`);
    return true;
  }, { timeoutMs });
}

/** What must not change: the pods, and what the status says of them. */
async function pods(namespace: string, name: string): Promise<unknown> {
  const { spec, metadata } = await rig.client.get(Deployment, { namespace, name });
  const { status } = await rig.client.get(OdooInstanceKind, { namespace, name });
  return [spec, metadata.generation, status?.phase, status?.readyReplicas, status?.activeCluster];
}

async function connections(server: PostgresServer): Promise<number> {
  const sql = "select count(*)::int as n from pg_stat_activity where application_name = 'odoo-operator'";
  return Number((await query(server, { sql }))[0]?.n);
}

Deno.test("a PostgreSQL that goes away or falls silent is noticed though nobody writes, touches no pod and no other cluster", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "here");
  await rig.create(namespace, "there", { database: { cluster: "other" } });
  await rig.inPhase(namespace, "here", "Running");
  await rig.inPhase(namespace, "there", "Running");
  await reached(namespace, "here", "Connected", CLEARED_MS);
  const before = await pods(namespace, "here");
  for (const outage of ["stopped", "silent"]) {
    const attempts = proxy.acceptedAtMs.length;
    if (outage === "stopped") await rig.cluster.postgres.stop("immediate");
    else proxy.freeze();
    await reached(namespace, "here", "DatabaseUnreachable", NOTICED_MS);
    await rig.create(namespace, `new-${outage}`, { database: { cluster: "other" } });
    await rig.inPhase(namespace, `new-${outage}`, "Running");
    assertEquals((await reachable(namespace, "there"))?.reason, "Connected");
    assertEquals(await pods(namespace, "here"), before, outage);
    await eventually("it is tried again", () => proxy.acceptedAtMs.length >= attempts + 3, { timeoutMs: 20_000 });
    const times = proxy.acceptedAtMs.slice(attempts);
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    assert(gaps.every((ms) => ms > 950), `at most one attempt a second: ${gaps}`);
    if (outage === "stopped") await rig.cluster.postgres.start();
    else proxy.thaw();
    await reached(namespace, "here", "Connected", CLEARED_MS);
    assertEquals(await pods(namespace, "here"), before, outage);
    assert(await connections(rig.cluster.postgres) <= 4);
  }
});

Deno.test("a wrong password of the admin, and a server that is full, are told by name and concern no other cluster", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "here");
  await rig.create(namespace, "there", { database: { cluster: "other" } });
  await rig.inPhase(namespace, "here", "Running");
  await rig.inPhase(namespace, "there", "Running");
  const before = await pods(namespace, "here");
  await rig.sql("create role narrow login createrole createdb connection limit 0 password 'narrow'");
  const troubles = {
    DatabaseLoginFailed: { adminPassword: "wrong" },
    DatabaseRefused: { adminUser: "narrow", adminPassword: "narrow" },
  };
  for (const [reason, main] of Object.entries(troubles)) {
    await writeEntries({ main });
    await reached(namespace, "here", reason, NOTICED_MS);
    assertEquals(await pods(namespace, "here"), before, reason);
    assertEquals((await reachable(namespace, "there"))?.reason, "Connected");
    await writeEntries();
    await reached(namespace, "here", "Connected", CLEARED_MS);
  }
});

Deno.test("another default, and reconciles without end, move nobody and make no connection", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "settled");
  await rig.inPhase(namespace, "settled", "Running");
  const before = await pods(namespace, "settled");
  await writeEntries({ main: { default: false }, other: { default: true } });
  await rig.create(namespace, "newcomer");
  const { status } = await rig.inPhase(namespace, "newcomer", "Running");
  assertEquals(status?.activeCluster, "other");
  assertEquals(await pods(namespace, "settled"), before);
  const accepted = proxy.acceptedAtMs.length;
  for (let round = 1; round <= 5; round++) {
    await rig.client.patch(OdooInstanceKind, { namespace, name: "settled" }, [
      { op: "add", path: "/spec/replicas", value: 1 + round % 2 },
    ]);
    await eventually("it is reconciled", async () => {
      const { metadata, status } = await rig.client.get(OdooInstanceKind, { namespace, name: "settled" });
      return status?.observedGeneration === metadata.generation;
    });
  }
  assertEquals(proxy.acceptedAtMs.length, accepted, "what is known need not be asked");
  await writeEntries();
});
