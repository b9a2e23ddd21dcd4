import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type ClusterAddress,
  type ClusterFacts,
  clusterFacts,
  type FactsChange,
  type InventoryRow,
  type KnownClusterFacts,
  type PostgresFailure,
  type PostgresReason,
} from "../../../../src/odoo/model/postgres/database.ts";
import type { EnsureRoleOptions, SqlWrite } from "../../../../src/odoo/model/postgres/sql_writes.ts";
import {
  type AdminConnections,
  PostgresCluster,
  type PostgresClusterOptions,
  PostgresClusters,
} from "../../../../src/odoo/ports/postgres_clusters.ts";
import { FakeClock, settled } from "../../../support/clock.ts";

const ROLE: EnsureRoleOptions = { role: "r", password: "p", ownership: { uid: "uid-1", secretVersion: "s/1" } };
const ENSURE_ROLE = { type: "ensureRole", ...ROLE } as const;
const HOUR_MS = 3_600_000;

function inventory(...rows: InventoryRow[]): KnownClusterFacts {
  return clusterFacts([{ kind: "server", name: "180004", owner: null, comment: null }, ...rows]);
}

function failure(reason: PostgresReason, options: { readonly connected?: boolean } = {}): PostgresFailure {
  return Object.assign(new Error(`Cannot reach it: ${reason}`), { reason, connected: options.connected ?? false });
}

/** A server whose answers the test gives. */
class FakeServer implements AdminConnections {
  readonly readings: PromiseWithResolvers<KnownClusterFacts>[] = [];
  readonly readAtMs: number[] = [];
  readonly writes: (PromiseWithResolvers<void> & { readonly write: SqlWrite })[] = [];
  /** Answers each reading at once. */
  answer: (() => Promise<KnownClusterFacts>) | undefined;
  hangUps = 0;
  closed = false;
  breakIdle = () => {};

  constructor(readonly clock = new FakeClock()) {}

  readInventory(): Promise<KnownClusterFacts> {
    this.readAtMs.push(this.clock.now());
    if (this.answer) return this.answer();
    const reading = Promise.withResolvers<KnownClusterFacts>();
    this.readings.push(reading);
    return reading.promise;
  }

  write(write: SqlWrite): Promise<void> {
    const pending = Promise.withResolvers<void>();
    this.writes.push({ ...pending, write });
    return pending.promise;
  }

  onBroken(listener: () => void): void {
    this.breakIdle = listener;
  }

  hangUp(): void {
    this.hangUps++;
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

function aCluster(server: FakeServer, options: PostgresClusterOptions = {}) {
  const changes: FactsChange[] = [];
  const cluster = new PostgresCluster(server, {
    clock: server.clock,
    onChange: (change) => changes.push(change),
    ...options,
  });
  return { cluster, changes };
}

async function aKnownCluster(server: FakeServer, options: PostgresClusterOptions = {}) {
  const { cluster, changes } = aCluster(server, options);
  void cluster.refresh();
  server.readings[0]?.resolve(inventory());
  await settled();
  changes.length = 0;
  return { cluster, changes };
}

function gaps(timesMs: readonly number[]): number[] {
  return timesMs.slice(1).map((time, index) => time - (timesMs[index] ?? 0));
}

Deno.test("PostgresCluster.facts() begins one reading when it is first asked, however many ask", async () => {
  const server = new FakeServer();
  const { cluster, changes } = aCluster(server);
  await server.clock.advance(HOUR_MS);
  assertEquals(server.readAtMs.length, 0);
  const answers = Array.from({ length: 300 }, () => cluster.facts());
  assert(answers.every((facts) => !facts.known && facts.reason === "Connecting"));
  assertEquals(server.readings.length, 1);
  server.readings[0]?.resolve(inventory());
  await settled();
  assertEquals(cluster.facts(), inventory());
  assertEquals(changes, ["all"]);
  assertEquals(server.readAtMs.length, 1);
});

Deno.test("PostgresCluster reads again every ten minutes and reports names that changed, and nothing when none did", async () => {
  const server = new FakeServer();
  const { cluster, changes } = await aKnownCluster(server);
  server.answer = () => Promise.resolve(inventory());
  await server.clock.advance(HOUR_MS);
  assert(server.readAtMs.length >= 6 && server.readAtMs.length <= 8, `${server.readAtMs.length} readings in an hour`);
  assertEquals(changes, []);
  server.answer = () => Promise.resolve(inventory({ kind: "role", name: "new", owner: null, comment: null }));
  await server.clock.advance(660_000);
  assertEquals(changes, [new Set(["new"])]);
  await cluster.close();
  assertEquals(server.clock.pending, 0);
});

Deno.test("PostgresCluster.refresh() during a reading waits for the next, of which there is one", async () => {
  const server = new FakeServer();
  const { cluster } = aCluster(server);
  cluster.facts();
  const refreshed = Promise.all([cluster.refresh(), cluster.refresh(), cluster.refresh()]);
  server.readings[0]?.resolve(inventory());
  await settled();
  assertEquals(server.readings.length, 2);
  const later = inventory({ kind: "role", name: "later", owner: null, comment: null });
  server.readings[1]?.resolve(later);
  assertEquals(await refreshed, [later, later, later]);
  await settled();
  assertEquals(server.readings.length, 2);
});

Deno.test("PostgresCluster says why it knows nothing, tries again from 1 to 4 s apart and recovers", async () => {
  const server = new FakeServer();
  const { cluster, changes } = await aKnownCluster(server);
  const failed = failure("DatabaseUnreachable");
  server.answer = () => Promise.reject(failed);
  server.readAtMs.length = 0;
  assertEquals(await cluster.refresh(), { known: false, reason: "DatabaseUnreachable", message: failed.message });
  await server.clock.advance(60_000);
  const between = gaps(server.readAtMs);
  assert(between.every((ms) => ms >= 1000 && ms <= 4000), `${between}`);
  assert(Math.max(...between.slice(3)) > 2000, `${between}`);
  assertEquals(changes, ["all"], "one report, not one per attempt");
  server.answer = () => Promise.resolve(inventory());
  await server.clock.advance(4_000);
  assertEquals(cluster.facts(), inventory());
  assertEquals(changes, ["all", "all"]);
});

Deno.test("PostgresCluster tries again in its time when somebody sets the clock back by an hour", async () => {
  const server = new FakeServer();
  const { cluster } = await aKnownCluster(server);
  server.answer = () => Promise.reject(failure("DatabaseUnreachable"));
  await cluster.refresh();
  server.clock.jump(-HOUR_MS);
  void cluster.refresh();
  server.answer = () => Promise.resolve(inventory());
  await server.clock.advance(4_000);
  assertEquals(cluster.facts(), inventory());
});

Deno.test("PostgresCluster waits longer after a refused login", async () => {
  const server = new FakeServer();
  server.answer = () => Promise.reject(failure("DatabaseLoginFailed"));
  const { cluster } = aCluster(server);
  await cluster.refresh();
  await server.clock.advance(10 * 60_000);
  const between = gaps(server.readAtMs);
  assert(Math.max(...between) > 15_000 && Math.max(...between) <= 30_000, `${between}`);
});

Deno.test("PostgresCluster makes at most one attempt a second while it fails, however many ask and write", async () => {
  const server = new FakeServer();
  server.answer = () => Promise.reject(failure("DatabaseRefused"));
  const { cluster } = aCluster(server);
  await cluster.refresh();
  for (let tenth = 0; tenth < 300; tenth++) {
    for (let instance = 0; instance < 20; instance++) {
      cluster.facts();
      void cluster.refresh();
      await assertRejects(() => cluster.write(ENSURE_ROLE), Error, "DatabaseRefused");
    }
    await server.clock.advance(100);
  }
  const between = gaps(server.readAtMs);
  assert(between.length >= 25 && between.every((ms) => ms >= 1000), `${between}`);
  assertEquals(server.writes.length, 0);
});

Deno.test("PostgresCluster.write() waits for the first reading, then sends, then knows", async () => {
  const server = new FakeServer();
  const { cluster, changes } = aCluster(server);
  const written = cluster.write(ENSURE_ROLE);
  await settled();
  assertEquals([server.readings.length, server.writes.length], [1, 0]);
  server.readings[0]?.resolve(inventory());
  await settled();
  server.writes[0]?.resolve();
  await written;
  const { roles } = { roles: new Map(), ...cluster.facts() };
  assertEquals([roles.get("r"), changes], [{ name: "r", ownership: ROLE.ownership }, ["all", new Set(["r"])]]);
  await cluster.write(ENSURE_ROLE);
  assertEquals([server.readings.length, server.writes.length], [1, 1], "what is known is not sent again");
});

Deno.test("PostgresCluster keeps a write that a reading under way has not seen", async () => {
  const server = new FakeServer();
  const { cluster } = await aKnownCluster(server);
  const refreshed = cluster.refresh();
  const written = cluster.write(ENSURE_ROLE);
  await settled();
  server.writes[0]?.resolve();
  await written;
  server.readings[1]?.resolve(inventory()); // its snapshot is older than the role
  const facts = await refreshed;
  assertEquals(facts.known && facts.roles.has("r"), true);
});

Deno.test("PostgresCluster sends three writes at a time", async () => {
  const server = new FakeServer();
  const { cluster } = await aKnownCluster(server);
  const roles = Array.from({ length: 10 }, (_, index) => `r${index}`);
  const written = Promise.all(roles.map((role) => cluster.write({ ...ENSURE_ROLE, role })));
  const sent: string[] = [];
  for (let round = 0; round < 4; round++) {
    await settled();
    const open = server.writes.splice(0);
    assert(open.length <= 3, `${open.length} at once`);
    for (const { write, resolve } of open) {
      sent.push("role" in write ? write.role : "");
      resolve();
    }
  }
  await written;
  assertEquals(sent, roles);
});

Deno.test("PostgresCluster fails at once, and all who wait, when a write gets no connection", async () => {
  const server = new FakeServer();
  const { cluster, changes } = await aKnownCluster(server);
  const failed = failure("DatabaseUnreachable");
  const roles = Array.from({ length: 10 }, (_, index) => `r${index}`);
  const outcomes = Promise.allSettled(roles.map((role) => cluster.write({ ...ENSURE_ROLE, role })));
  await settled();
  for (const { reject } of server.writes) reject(failed); // three waited behind one attempt
  assertEquals(
    (await outcomes).map((outcome) => outcome.status === "rejected" && outcome.reason),
    roles.map(() => failed),
  );
  assertEquals(server.writes.length, 3);
  assertEquals(cluster.facts(), { known: false, reason: "DatabaseUnreachable", message: failed.message });
  assertEquals(changes, ["all"]);
  assertEquals(server.hangUps, 1);
  server.readAtMs.length = 0;
  await server.clock.advance(999);
  assertEquals(server.readAtMs.length, 0);
  await server.clock.advance(1_001);
  assertEquals(server.readAtMs.length, 1);
});

Deno.test("PostgresCluster asks the server whether it lives when a write takes long or loses its connection", async () => {
  const server = new FakeServer();
  const { cluster } = await aKnownCluster(server);
  const hanging = cluster.write(ENSURE_ROLE);
  await server.clock.advance(4_999);
  assertEquals(server.readings.length, 1);
  await server.clock.advance(1);
  assertEquals(server.readings.length, 2);
  server.readings[1]?.resolve(inventory());
  await settled();
  server.writes[0]?.reject(failure("DatabaseUnreachable", { connected: true }));
  await assertRejects(() => hanging, Error, "DatabaseUnreachable");
  assertEquals(server.readings.length, 3);
  assert(cluster.facts().known, "one lost connection says nothing of the server");
  server.readings[2]?.resolve(inventory());
  await settled();
  const refused = cluster.write(ENSURE_ROLE);
  await settled();
  server.writes[1]?.reject(failure("DatabaseRefused", { connected: true }));
  await assertRejects(() => refused, Error, "DatabaseRefused");
  await settled();
  assertEquals(server.readings.length, 3, "a refused statement says nothing of the server");
});

Deno.test("PostgresCluster asks the server whether it lives when an idle connection breaks", async () => {
  const server = new FakeServer();
  await aKnownCluster(server);
  server.breakIdle();
  assertEquals(server.readings.length, 2);
});

Deno.test("PostgresCluster refuses names and passwords that cannot be, before it asks anybody", async () => {
  const server = new FakeServer();
  const { cluster } = aCluster(server);
  await assertRejects(() => cluster.write({ ...ENSURE_ROLE, role: "x".repeat(64) }), RangeError, "63 bytes");
  await assertRejects(() => cluster.write({ ...ENSURE_ROLE, password: "" }), RangeError, "password");
  const unnamed = { type: "dropDatabase", database: "", ownership: ROLE.ownership } as const;
  await assertRejects(() => cluster.write(unnamed), RangeError, "empty");
  assertEquals(server.readAtMs.length, 0);
});

Deno.test("PostgresCluster.start() ends it with its signal; no timer, reading or write is left", async () => {
  const server = new FakeServer();
  const { cluster, changes } = await aKnownCluster(server);
  const ending = new AbortController();
  cluster.start(ending.signal);
  ending.abort();
  assertEquals([server.closed, server.clock.pending], [true, 0]);
  await assertRejects(() => cluster.write(ENSURE_ROLE), Error, "closed");
  assertEquals((await cluster.refresh()).known, true);
  assertEquals([server.readings.length, changes.length], [1, 0]);
});

const BLUE: ClusterAddress = { name: "blue", host: "db", port: 5432, adminUser: "admin", adminPassword: "old" };

function someClusters() {
  const clock = new FakeClock();
  const opened: { readonly address: ClusterAddress; readonly server: FakeServer }[] = [];
  const clusters = new PostgresClusters((address) => {
    const server = new FakeServer(clock);
    opened.push({ address, server });
    return server;
  }, { clock });
  const changes: [string, FactsChange][] = [];
  const stop = clusters.onChange((name, change) => changes.push([name, change]));
  return { clusters, opened, changes, stop };
}

function reasonOf(facts: ClusterFacts): string {
  return facts.known ? "known" : facts.reason;
}

Deno.test("PostgresClusters.facts() tells a list that is not read yet from a name that is not on it", () => {
  const { clusters, changes } = someClusters();
  assertEquals(reasonOf(clusters.facts("blue")), "Connecting");
  clusters.update([]);
  assertEquals(reasonOf(clusters.facts("blue")), "ClusterNotConfigured");
  clusters.update([BLUE]);
  assertEquals(reasonOf(clusters.facts("blue")), "Connecting");
  assertEquals(changes, [["blue", "all"]]);
});

Deno.test("PostgresClusters.update() leaves alone what stays, closes what is gone, and reports both", async () => {
  const { clusters, opened, changes, stop } = someClusters();
  const green = { ...BLUE, name: "green" };
  clusters.update([BLUE, green]);
  clusters.facts("blue");
  const blue = clusters.get("blue");
  changes.length = 0;
  const { name, ...rest } = BLUE;
  clusters.update([{ ...rest, name }]); // the same fields in another order
  assertEquals(clusters.get("blue"), blue);
  assertEquals(opened.map(({ server }) => server.closed), [false, true]);
  assertEquals(clusters.get("green"), undefined);
  assertEquals(changes, [["green", "all"]]);
  opened[0]?.server.readings[0]?.resolve(inventory());
  await settled();
  assertEquals(changes, [["green", "all"], ["blue", "all"]]);
  stop();
  clusters.update([]);
  assertEquals(changes.length, 2);
});

Deno.test("PostgresClusters.update() keeps what is known when only the password changed, and proves it at once", async () => {
  const { clusters, opened } = someClusters();
  clusters.update([BLUE]);
  clusters.facts("blue");
  opened[0]?.server.readings[0]?.resolve(inventory());
  await settled();
  clusters.update([{ ...BLUE, adminPassword: "new" }]);
  assertEquals(opened.map(({ server }) => server.closed), [true, false]);
  assertEquals(opened[1]?.address.adminPassword, "new");
  assertEquals(reasonOf(clusters.facts("blue")), "known");
  opened[1]?.server.readings[0]?.reject(failure("DatabaseLoginFailed"));
  await settled();
  assertEquals(reasonOf(clusters.facts("blue")), "DatabaseLoginFailed");
  clusters.update([{ ...BLUE, host: "elsewhere" }]);
  assertEquals(reasonOf(clusters.facts("blue")), "Connecting");
});

Deno.test("PostgresClusters.start() ends all clusters with its signal", async () => {
  const { clusters, opened } = someClusters();
  const ending = new AbortController();
  clusters.start(ending.signal);
  clusters.update([BLUE, { ...BLUE, name: "green" }]);
  ending.abort();
  await settled();
  assertEquals(opened.map(({ server }) => server.closed), [true, true]);
  clusters.update([BLUE]);
  assertEquals(opened.length, 2);
});
