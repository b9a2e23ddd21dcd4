/** The WebApp operator on a cluster with all of its controllers, from the manifest that comes with it. */
import { assertEquals } from "@std/assert";
import { startLocalCluster } from "../dev/control_plane.ts";
import { conditionOf, createClient, Deployment } from "../src/kit/mod.ts";
import { documents, establish } from "../tests/support/crds.ts";
import { eventually, isGone } from "../tests/support/eventually.ts";
import { WebApp, webAppOperator } from "./web_app.ts";

const MANIFEST = new URL("web_app.yaml", import.meta.url);
const ADDRESS = { namespace: "default", name: "hello" };

Deno.test("web_app.ts makes the Deployment of examples/web_app.yaml, says when its pods are ready, and leaves nothing behind", async () => {
  await using cluster = await startLocalCluster();
  const client = createClient(cluster.access, { fieldManager: "user" });
  const stop = new AbortController();
  const [crd, hello] = await documents(MANIFEST);
  await establish(client, crd);
  const ended = webAppOperator.run({ access: cluster.access, signal: stop.signal });
  try {
    await client.apply(WebApp, { ...hello, metadata: ADDRESS });
    const { status } = await eventually("ready", async () => {
      const app = await client.get(WebApp, ADDRESS);
      assertEquals(conditionOf(app.status?.conditions, "Ready")?.message, "2 of 2 pods are ready");
      return app;
    });
    assertEquals(status?.url, "http://hello.default");
    await client.delete(WebApp, ADDRESS);
    await eventually("the Deployment is collected", () => isGone(() => client.get(Deployment, ADDRESS)), {
      timeoutMs: 60_000,
    });
  } finally {
    stop.abort();
    await ended;
    client.close();
  }
});
