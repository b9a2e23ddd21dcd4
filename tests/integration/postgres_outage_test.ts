/** What the operator knows of a PostgreSQL that is away, deaf, full or locked, and how it comes back to it. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { createCertificateAuthority } from "../../dev/certificates.ts";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import type { ClusterAddress, ClusterFacts, FactsChange } from "../../src/odoo/model/postgres/database.ts";
import type { EnsureRoleOptions } from "../../src/odoo/model/postgres/sql_writes.ts";
import { PostgresError, PostgresPool, type PostgresPoolOptions } from "../../src/odoo/ports/postgres.ts";
import { PostgresCluster, type PostgresClustersOptions } from "../../src/odoo/ports/postgres_clusters.ts";
import { settled } from "../support/clock.ts";
import { eventually } from "../support/eventually.ts";
import { query, valueOf } from "../support/sql.ts";
import { startTcpProxy } from "../support/tcp_proxy.ts";

let server: PostgresServer;
Deno.test.beforeAll(async () => {
  server = await startPostgres();
});
Deno.test.afterAll(() => server?.[Symbol.asyncDispose]());

interface Given {
  readonly address?: Partial<ClusterAddress>;
  readonly pool?: PostgresPoolOptions;
  readonly options?: PostgresClustersOptions;
}

function aCluster({ address, pool, options }: Given = {}) {
  const { host, port, adminUser, adminPassword } = server;
  const connections = new PostgresPool({ name: "main", host, port, adminUser, adminPassword, ...address }, pool);
  const changes: FactsChange[] = [];
  const cluster = new PostgresCluster(connections, { ...options, onChange: (change) => changes.push(change) });
  return { cluster, changes, [Symbol.asyncDispose]: () => cluster.close() };
}

function aRole(role: string): EnsureRoleOptions {
  return { role, password: "password", ownership: { uid: `uid-${role}`, secretVersion: "s/1" } };
}

function reasonOf(facts: ClusterFacts): string {
  return facts.known ? "known" : facts.reason;
}

async function connections(): Promise<number> {
  const sql = "select count(*) from pg_stat_activity where application_name = 'odoo-operator'";
  return Number(await valueOf(server, { sql }));
}

Deno.test("a cluster that nobody asks about has no connection, and one that nothing happens to has none for long", async () => {
  await using given = aCluster({ pool: { idleTimeoutMs: 200 } });
  assertEquals(await connections(), 0);
  given.cluster.facts();
  await eventually("the inventory is read", () => given.cluster.facts().known);
  await given.cluster.write({ type: "ensureRole", ...aRole("idle") });
  assertEquals(await connections(), 1);
  await eventually("the connection is closed", async () => await connections() === 0, { timeoutMs: 2_000 });
});

Deno.test("a server that stops and starts again: the facts say so, writes fail at once, all comes back by itself", async () => {
  await using given = aCluster();
  const { cluster, changes } = given;
  assertEquals(reasonOf(await cluster.refresh()), "known");
  await server.stop("immediate");
  await eventually("the lost connection is noticed", () => reasonOf(cluster.facts()) === "DatabaseUnreachable", {
    timeoutMs: 3_000,
  });
  assertEquals(changes, ["all", "all"]);
  const startedAtMs = performance.now();
  const outcomes = await Promise.allSettled(
    Array.from({ length: 50 }, (_, index) => cluster.write({ type: "ensureRole", ...aRole(`w${index}`) })),
  );
  assert(performance.now() - startedAtMs < 500, "no write waits");
  for (const outcome of outcomes) {
    assert(outcome.status === "rejected");
    assertInstanceOf(outcome.reason, PostgresError);
    assertEquals(outcome.reason.reason, "DatabaseUnreachable");
  }
  await server.start();
  await eventually("the cluster is known again", () => cluster.facts().known, { timeoutMs: 5_000 });
  assertEquals(changes, ["all", "all", "all"]);
  await cluster.write({ type: "ensureRole", ...aRole("afterwards") });
});

Deno.test("writes on their way when the server dies fail, and succeed when they are repeated", async () => {
  await using given = aCluster();
  const { cluster } = given;
  const roles = Array.from({ length: 20 }, (_, index) => `crash_${index}`);
  const make = async (role: string) => {
    await cluster.write({ type: "ensureRole", ...aRole(role) });
    await cluster.write({ type: "ensureDatabase", database: role, role, ownership: { uid: `uid-${role}` } });
  };
  const first = Promise.allSettled(roles.map(make));
  await eventually("work is under way", async () => (await cluster.refresh()).known && await connections() >= 2);
  await server.restart("immediate");
  const failed = (await first).filter((outcome) => outcome.status === "rejected");
  assert(failed.every(({ reason }) => reason instanceof PostgresError), String(failed[0]?.reason));
  await eventually("the cluster is known again", () => cluster.facts().known);
  await Promise.all(roles.map(make));
  const held = cluster.facts();
  assertEquals(held, await cluster.refresh());
  const sql =
    "select count(*) from pg_database where datname like 'crash%' and not has_database_privilege('public', oid, 'CONNECT')";
  assertEquals(await valueOf(server, { sql }), "20");
});

Deno.test("a server that swallows everything is unreachable after the timeout, with one connection at a time", async () => {
  await using proxy = startTcpProxy(server);
  proxy.freeze();
  await using given = aCluster({ address: proxy });
  const startedAtMs = performance.now();
  const write = given.cluster.write({ type: "ensureRole", ...aRole("swallowed") });
  const failure = await assertRejects(() => write, PostgresError, "no answer in time");
  const tookMs = performance.now() - startedAtMs;
  assert(tookMs > 4_900 && tookMs < 6_000, `${tookMs} ms`);
  assertEquals(failure.reason, "DatabaseUnreachable");
  assertEquals(reasonOf(given.cluster.facts()), "DatabaseUnreachable");
  assertEquals(proxy.acceptedAtMs.length, 1);
  proxy.thaw();
  await eventually("the cluster is known", () => given.cluster.facts().known, { timeoutMs: 5_000 });
});

Deno.test("a server that goes deaf in the middle is found out, and lets go of whoever waits for it", async () => {
  await using proxy = startTcpProxy(server);
  await using given = aCluster({ address: proxy, pool: { connectTimeoutMs: 400 }, options: { doubtAfterMs: 200 } });
  assertEquals(reasonOf(await given.cluster.refresh()), "known");
  proxy.freeze();
  const startedAtMs = performance.now();
  const writes = Array.from(
    { length: 10 },
    (_, index) => given.cluster.write({ type: "ensureRole", ...aRole(`deaf_${index}`) }),
  );
  const outcomes = await Promise.allSettled(writes);
  assert(outcomes.every(({ status }) => status === "rejected"));
  assert(performance.now() - startedAtMs < 1_500, `${performance.now() - startedAtMs} ms`);
  assertEquals(reasonOf(given.cluster.facts()), "DatabaseUnreachable");
  proxy.thaw();
  await eventually("the cluster is known", () => given.cluster.facts().known, { timeoutMs: 5_000 });
  await given.cluster.write({ type: "ensureRole", ...aRole("deaf_0") });
});

Deno.test("writes that need a connection to a deaf server wait for one attempt and fail with it", async () => {
  await using proxy = startTcpProxy(server);
  await using given = aCluster({ address: proxy, pool: { connectTimeoutMs: 400, idleTimeoutMs: 50 } });
  await given.cluster.refresh();
  await eventually("the connection is closed", async () => await connections() === 0);
  proxy.freeze();
  const before = proxy.acceptedAtMs.length;
  const writes = Array.from(
    { length: 10 },
    (_, index) => given.cluster.write({ type: "dropRole", ...aRole(`nobody_${index}`) }),
  );
  const reasons = (await Promise.allSettled(writes)).map((outcome) => outcome.status === "rejected" && outcome.reason);
  assertEquals(new Set(reasons).size, 1);
  assertEquals(proxy.acceptedAtMs.length, before + 1);
});

Deno.test("a dead server sees at most one attempt a second, however many instances ask", async () => {
  await using proxy = startTcpProxy({ host: "127.0.0.1", port: 1 }); // takes every connection and drops it
  await using given = aCluster({ address: proxy, options: { minRetryMs: 200, maxRetryMs: 400 } });
  await eventually("several attempts were made", async () => {
    await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) => given.cluster.write({ type: "ensureRole", ...aRole(`n${index}`) })),
    );
    void given.cluster.refresh();
    return proxy.acceptedAtMs.length >= 5;
  });
  const gaps = proxy.acceptedAtMs.slice(1).map((time, index) => time - (proxy.acceptedAtMs[index] ?? 0));
  assert(gaps.every((ms) => ms > 180), `${gaps}`);
  assertEquals(reasonOf(given.cluster.facts()), "DatabaseUnreachable");
});

Deno.test("a wrong password is told as such, never shown, and tried again", async () => {
  await query(server, { sql: "create role keeper login createrole createdb password 'right'" });
  for (const adminPassword of ["wrong swordfish", ""]) {
    await using given = aCluster({
      address: { adminUser: "keeper", adminPassword },
      options: { minRetryMs: 100, maxLoginRetryMs: 200 },
    });
    const facts = await given.cluster.refresh();
    assert(!facts.known && facts.reason === "DatabaseLoginFailed");
    assert(facts.message.includes(`at ${server.host}:${server.port} as "keeper"`), facts.message);
    assert(!facts.message.includes("swordfish"));
    if (!adminPassword) {
      const startedAtMs = performance.now();
      await given.cluster.close();
      assert(performance.now() - startedAtMs < 900, "no login is left to the server's patience");
      continue;
    }
    const error = await assertRejects(() => given.cluster.write({ type: "dropRole", ...aRole("x") }), PostgresError);
    assert(!Deno.inspect(error, { depth: 9, showHidden: true }).includes("swordfish"));
    await query(server, { sql: `alter role keeper password '${adminPassword}'` });
    await eventually("the cluster is known", () => given.cluster.facts().known, { timeoutMs: 2_000 });
  }
});

Deno.test("a full server is told as such", async () => {
  await query(server, { sql: "create role limited login createrole createdb connection limit 0 password 'x'" });
  const address = { adminUser: "limited", adminPassword: "x" };
  await using given = aCluster({ address, options: { minRetryMs: 100, maxRetryMs: 200 } });
  const facts = await given.cluster.refresh();
  assert(!facts.known && facts.reason === "DatabaseRefused" && facts.message.includes("too many connections"));
  await query(server, { sql: "alter role limited connection limit 10" });
  await eventually("the cluster is known", () => given.cluster.facts().known, { timeoutMs: 2_000 });
});

Deno.test("a host that is not there, or nobody listens on, is unreachable", async () => {
  for (const address of [{ host: "nowhere.invalid" }, { host: "localhost", port: 1 }]) {
    await using given = aCluster({ address });
    assertEquals(reasonOf(await given.cluster.refresh()), "DatabaseUnreachable");
  }
});

Deno.test("idleConnections: 1 keeps one connection, by which a stopped server is noticed at once", async () => {
  await using given = aCluster({ pool: { idleTimeoutMs: 50, idleConnections: 1 } });
  await given.cluster.refresh();
  await Promise.all(["x", "y", "z"].map((role) => given.cluster.write({ type: "ensureRole", ...aRole(role) })));
  await eventually("one connection is left", async () => await connections() === 1, { timeoutMs: 2_000 });
  await server.stop();
  await eventually("it is noticed", () => reasonOf(given.cluster.facts()) === "DatabaseUnreachable", {
    timeoutMs: 500,
  });
  await server.start();
  await eventually("the cluster is known", () => given.cluster.facts().known, { timeoutMs: 5_000 });
});

Deno.test("idleConnections: 1 notices a server that falls silent though nobody asks, and holds one connection", async () => {
  await using proxy = startTcpProxy(server);
  await using given = aCluster({
    address: proxy,
    pool: { idleConnections: 1, heartbeatMs: 200, connectTimeoutMs: 1_000 },
  });
  assertEquals(reasonOf(await given.cluster.refresh()), "known");
  proxy.freeze();
  await eventually("the silence is noticed", () => reasonOf(given.cluster.facts()) === "DatabaseUnreachable", {
    timeoutMs: 6_000,
  });
  proxy.thaw();
  await eventually("the cluster is known", () => given.cluster.facts().known, { timeoutMs: 5_000 });
  assert(await connections() <= 4);
});

Deno.test("close() ends connections, also hanging ones, within a second and a bit", async () => {
  await using proxy = startTcpProxy(server);
  const { cluster } = aCluster({ address: proxy });
  await cluster.refresh();
  proxy.freeze();
  const write = assertRejects(() => cluster.write({ type: "dropRole", ...aRole("closing") }), PostgresError);
  await settled();
  const startedAtMs = performance.now();
  await cluster.close();
  const tookMs = performance.now() - startedAtMs;
  assert(tookMs > 900 && tookMs < 2_000, `${tookMs} ms`);
  await write;
  await assertRejects(() => cluster.write({ type: "ensureRole", ...aRole("closed") }), Error, "closed");
});

Deno.test("sslMode: what is encrypted and whose certificate is believed", async () => {
  const [authority, stranger] = await Promise.all([createCertificateAuthority(), createCertificateAuthority()]);
  const { certPem, keyPem } = await authority.issueServer({ dnsNames: ["localhost"], ips: [] });
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o755);
  const files = { ssl_cert_file: `${folder}/server.crt`, ssl_key_file: `${folder}/server.key` };
  await Deno.writeTextFile(files.ssl_cert_file, certPem);
  await Deno.writeTextFile(files.ssl_key_file, keyPem, { mode: 0o600 });
  if (Deno.uid() === 0) await Deno.chown(files.ssl_key_file, 65534, 65534);
  await using secure = await startPostgres({
    settings: { ssl: "on", ...files },
    hba: ["hostnossl all careful all reject"],
  });
  await query(secure, { sql: "create role careful login createrole createdb password 'x'" });
  const { port } = secure;
  const wanted: Record<string, { given: Partial<ClusterAddress>; want: string }> = {
    "without encryption there is no way in": { given: {}, want: "DatabaseLoginFailed" },
    "require believes anyone": { given: { sslMode: "require" }, want: "known" },
    "verify-ca believes its authority": {
      given: { sslMode: "verify-ca", sslRootCert: authority.certPem },
      want: "known",
    },
    "verify-ca believes no other": {
      given: { sslMode: "verify-ca", sslRootCert: stranger.certPem },
      want: "DatabaseUnreachable",
    },
    "verify-ca without an authority believes nobody here": {
      given: { sslMode: "verify-ca" },
      want: "DatabaseUnreachable",
    },
    "verify-full believes the name in the certificate": {
      given: { host: "localhost", sslMode: "verify-full", sslRootCert: authority.certPem },
      want: "known",
    },
    "verify-full believes no other name": {
      given: { sslMode: "verify-full", sslRootCert: authority.certPem },
      want: "DatabaseUnreachable",
    },
  };
  for (const [what, { given, want }] of Object.entries(wanted)) {
    const address = { port, adminUser: "careful", adminPassword: "x", ...given };
    await using secured = aCluster({ address });
    const facts = await secured.cluster.refresh();
    assertEquals(reasonOf(facts), want, `${what}: ${facts.known || facts.message}`);
  }
  await using plain = aCluster({ address: { sslMode: "require" } });
  assertEquals(reasonOf(await plain.cluster.refresh()), "DatabaseUnreachable", "the other server has no TLS");
  await Deno.remove(folder, { recursive: true });
});
