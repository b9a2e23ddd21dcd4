import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { createMetrics, type Metrics, serveHealth } from "../../../src/kit/metrics.ts";

async function withServer(
  problems: string[],
  test: (get: (path: string) => Promise<[number, string]>, metrics: Metrics) => Promise<void>,
) {
  const metrics = createMetrics();
  const server = serveHealth({ hostname: "127.0.0.1", port: 0, metrics, problems: () => problems });
  try {
    await test(async (path) => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
      return [response.status, await response.text()];
    }, metrics);
  } finally {
    await server.close();
  }
}

Deno.test("serveHealth() says what is missing on /readyz while /healthz is ok", async () => {
  const problems = ["Thing: first list not complete", "Pod: connection refused"];
  await withServer(problems, async (get) => {
    assertEquals(await get("/readyz"), [503, "Thing: first list not complete\nPod: connection refused\n"]);
    assertEquals(await get("/healthz?verbose"), [200, "ok\n"]);
    problems.length = 0;
    assertEquals(await get("/readyz"), [200, "ok\n"]);
    assertEquals((await get("/secrets"))[0], 404);
  });
});

Deno.test("serveHealth() shows the kit's metrics and the process's own on /metrics", async () => {
  await withServer([], async (get, metrics) => {
    metrics.apiRequests.inc({ method: "GET", code: "200" });
    metrics.eventLoopLagSeconds.observe(0.02);
    const [status, text] = await get("/metrics");
    assertEquals(status, 200);
    assertMatch(text, /^rest_client_requests_total\{method="GET",code="200"\} 1$/m);
    assertMatch(text, /^event_loop_lag_seconds_bucket\{le="0.025"\} 1$/m);
    assertMatch(text, /^process_resident_memory_bytes \d+$/m);
  });
});

Deno.test("serveHealth() throws when the port is taken", async () => {
  const metrics = createMetrics();
  const server = serveHealth({ hostname: "127.0.0.1", port: 0, metrics, problems: () => [] });
  const again = () => serveHealth({ hostname: "127.0.0.1", port: server.port, metrics, problems: () => [] });
  assertThrows(again, Deno.errors.AddrInUse);
  await server.close();
});

Deno.test("createMetrics() gives every caller a registry of its own", async () => {
  const [one, other] = [createMetrics(), createMetrics()];
  one.relists.inc({ kind: "Thing" });
  assertEquals((await other.relists.get()).values, []);
  assert(one.registry !== other.registry);
});
