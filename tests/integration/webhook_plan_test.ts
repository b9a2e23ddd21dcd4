/** Whether the validating webhook is served: with a configured certificate, or with that at the default path. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort } from "../../dev/processes.ts";
import {
  configureLogging,
  createClient,
  createMetrics,
  getLogger,
  type PartTools,
  systemClock,
} from "../../src/kit/mod.ts";
import type { WebhookConfig } from "../../src/odoo/shell/config.ts";
import { planWebhook, WEBHOOK_PATH } from "../../src/odoo/shell/webhook.ts";
import { certificateFiles } from "../support/certificate_files.ts";
import { eventually } from "../support/eventually.ts";

const log = getLogger(["test"]);

/** What is said while `work` runs. */
async function saidDuring<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly lines: string[] }> {
  const lines: string[] = [];
  await configureLogging({ write: (line) => lines.push(line) });
  return { result: await work(), lines };
}

const INCOMPLETE: Record<string, readonly string[]> = {
  "neither file is there": [],
  "there is only a certificate": ["tls.crt"],
  "there is only a key": ["tls.key"],
};

for (const [sentence, present] of Object.entries(INCOMPLETE)) {
  Deno.test(`planWebhook() serves nothing and logs that once when no certificate is configured and ${sentence}`, async () => {
    await using files = await certificateFiles();
    const { certPath, keyPath } = files;
    for (const path of [certPath, keyPath]) {
      if (!present.some((name) => path.endsWith(name))) await Deno.remove(path);
    }
    const config = { port: 9443, certPath, keyPath, required: false };
    const { result, lines } = await saidDuring(() => planWebhook(config, log));
    assertEquals(result, undefined);
    assertEquals(lines.length, 1, lines.join(""));
    assertStringIncludes(lines.join(""), "Not serving the validating webhook: there is no certificate");
  });
}

Deno.test("planWebhook() serves with the certificate at the default place when none is configured and both files exist", async () => {
  await using files = await certificateFiles();
  const config: WebhookConfig = { port: freePort(), certPath: files.certPath, keyPath: files.keyPath, required: false };
  const { result: plan, lines } = await saidDuring(() => planWebhook(config, log));
  assertEquals(lines, []);
  assert(plan);
  using client = new Asker(files.caPem, config.port);
  // No API server reports the user name of the operator: its writes are validated like those of other clients.
  const access = { baseUrl: `https://127.0.0.1:${freePort()}`, credentials: () => Promise.resolve({ headers: {} }) };
  const operator = createClient(access, { fieldManager: "test" });
  const tools: PartTools = {
    client: operator,
    log,
    metrics: createMetrics(),
    clock: systemClock,
    enqueue: () => {},
    enqueueAll: () => {},
  };
  const part = plan(tools);
  const ending = new AbortController();
  const running = part.run(ending.signal);
  await part.ready?.(ending.signal);
  assertEquals(part.problem?.(), undefined);
  const sound = { adminPassword: "x", ingress: { hosts: ["shop.example.com"] } };
  const broken = { ...sound, configOptions: { workers: "4\nadmin_passwd = x" } };
  assertMatch(await client.verdictOn(broken), /"allowed":false.*contains a line break/);
  assertMatch(await client.verdictOn(sound), /"allowed":true/);
  ending.abort();
  await running;
  operator.close();
});

/** An API server's side of the webhook. */
class Asker implements Disposable {
  readonly #http: Deno.HttpClient;
  readonly #url: string;

  constructor(caPem: string, port: number) {
    this.#http = Deno.createHttpClient({ caCerts: [caPem], http2: false });
    this.#url = `https://127.0.0.1:${port}${WEBHOOK_PATH}`;
  }

  /** The answer to the creation of an instance. */
  async verdictOn(spec: Readonly<Record<string, unknown>>): Promise<string> {
    const object = { apiVersion: "bemade.org/v1alpha1", kind: "OdooInstance", metadata: { name: "shop" }, spec };
    const request = { uid: "1", operation: "CREATE", name: "shop", namespace: "blue", object };
    const body = JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request });
    return await eventually("the webhook answers", async () => {
      const response = await fetch(this.#url, { method: "POST", body, client: this.#http });
      return await response.text();
    });
  }

  [Symbol.dispose](): void {
    this.#http.close();
  }
}
