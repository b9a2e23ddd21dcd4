/** The operator's webhook under load: AdmissionReviews as an API server sends them, a hundred in a second. */
import { API_VERSION } from "../../src/odoo/api.ts";
import type { OdooInstance } from "../../src/odoo/crd/mod.ts";
import { WEBHOOK_PATH } from "../../src/odoo/shell/webhook.ts";
import { createCertificateAuthority } from "../certificates.ts";
import { freePort } from "../processes.ts";
import { type Figures, summaryOf } from "./figures.ts";
import { BENCH_APPLICATION, type BenchRig, NAMESPACE } from "./rig.ts";
import { alongside } from "./sampling.ts";

const INTERVAL_MS = 10;

/** Where a webhook is to be served, and how to ask it. */
export interface Webhook {
  /** The operator's flags; those of upstream. */
  readonly args: readonly string[];
  /** Sends reviews while `work` runs; milliseconds until each answer, or `null` if nobody serves the webhook. */
  reviewDuring(work: () => Promise<void>): Promise<Figures | null>;
  close(): void;
}

/** Makes a certificate and chooses a port. */
export async function prepareWebhook({ cluster, isOurs }: BenchRig): Promise<Webhook> {
  const authority = await createCertificateAuthority();
  const { certPem, keyPem } = await authority.issueServer({ dnsNames: ["localhost"], ips: ["127.0.0.1"] });
  const [certPath, keyPath] = [`${cluster.directory}/webhook.crt`, `${cluster.directory}/webhook.key`];
  await Deno.writeTextFile(certPath, certPem);
  await Deno.writeTextFile(keyPath, keyPem, { mode: 0o600 });
  const port = freePort();
  const client = Deno.createHttpClient({ caCerts: [authority.certPem], http2: false });
  const ask = async () => {
    const body = JSON.stringify(aReview());
    const headers = { "content-type": "application/json" };
    const url = `https://localhost:${port}${WEBHOOK_PATH}?timeout=10s`;
    const response = await fetch(url, { method: "POST", body, headers, client });
    const { response: verdict } = await response.json() as { readonly response?: { readonly allowed?: boolean } };
    if (verdict?.allowed !== true) throw new Error("Cannot measure the webhook: it refuses a change that is allowed");
  };
  return {
    args: [`--webhook-port=${port}`, `--webhook-tls-cert=${certPath}`, `--webhook-tls-key=${keyPath}`],
    close: () => client.close(),
    async reviewDuring(work) {
      if (!isOurs && !await isListening(port)) {
        await work();
        return null;
      }
      await ask(); // the first one makes the connection
      const times: number[] = [];
      await alongside(INTERVAL_MS, async () => {
        const sentMs = performance.now();
        await ask();
        times.push(performance.now() - sentMs);
      }, work);
      return summaryOf(times);
    },
  };
}

/** Somebody scales an instance. */
function aReview(): unknown {
  const instance = (replicas: number): OdooInstance => ({
    apiVersion: API_VERSION,
    kind: "OdooInstance",
    metadata: { name: "reviewed", namespace: NAMESPACE },
    spec: { adminPassword: "bench", replicas, ingress: { hosts: ["reviewed.example.com"] } },
  });
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      uid: crypto.randomUUID(),
      operation: "UPDATE",
      name: "reviewed",
      namespace: NAMESPACE,
      userInfo: { username: BENCH_APPLICATION },
      oldObject: instance(1),
      object: instance(2),
    },
  };
}

async function isListening(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}
