/** The chart's webhook objects: rendered by helm; tests/integration/webhook_test.ts has them on a cluster. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Deployment } from "../../src/kit/builders/mod.ts";
import type { KubeObject } from "../../src/kit/types.ts";
import { readConfig } from "../../src/odoo/shell/config.ts";
import { WEBHOOK_PATH } from "../../src/odoo/shell/webhook.ts";
import { startHelm, type Values } from "../support/helm.ts";

const helm = await startHelm();
Deno.test.afterAll(() => helm[Symbol.asyncDispose]());

/** The fields of objects that these tests read. */
interface SomeObject extends KubeObject {
  readonly webhooks?: readonly Readonly<Record<string, unknown>>[];
  readonly spec?: {
    readonly secretName?: string;
    readonly dnsNames?: readonly string[];
    readonly isCA?: boolean;
    readonly ca?: { readonly secretName: string };
    readonly issuerRef?: { readonly name: string };
    readonly selfSigned?: unknown;
    readonly ports?: unknown;
  };
}

const OWN: Values = { enabled: true, certManager: { enabled: false }, certSecretName: "cert", caBundle: "Y2E=" };

async function render(webhook: Values): Promise<(kind: string) => SomeObject[]> {
  const objects: SomeObject[] = await helm.render({ values: { webhook } });
  return (kind) => objects.filter((object) => object.kind === kind);
}

function podOf(deployments: readonly Deployment[]) {
  const pod = deployments[0]?.spec?.template.spec;
  assert(pod);
  return pod;
}

Deno.test("chart has no webhook, mount or port for it when it is not enabled", async () => {
  const of = await render({});
  const kinds = ["ValidatingWebhookConfiguration", "Issuer", "Certificate"];
  assertEquals(kinds.flatMap(of), []);
  assertEquals(of("Service").map(({ metadata }) => metadata?.name), ["odoo-operator-metrics"]);
  const pod = podOf(of("Deployment") as Deployment[]);
  const [container] = pod.containers;
  assertEquals([pod.volumes, container?.volumeMounts, container?.ports?.length], [undefined, undefined, 1]);
  assertEquals(container?.args?.filter((argument) => argument.includes("webhook")), []);
});

Deno.test("chart serves the webhook on the certificate of the named Secret", async () => {
  const of = await render({ ...OWN, failurePolicy: "Fail" });
  assertEquals([...of("Issuer"), ...of("Certificate")], []);
  const pod = podOf(of("Deployment") as Deployment[]);
  const [container] = pod.containers;
  assertEquals<unknown>(pod.volumes, [{ name: "webhook-cert", secret: { secretName: "cert" } }]);
  const [mount] = container?.volumeMounts ?? [];
  const { webhook } = readConfig(container?.args ?? [], (name) => name === "OPERATOR_NAMESPACE" ? "odoo" : undefined);
  assertEquals(webhook, {
    port: 9443,
    certPath: `${mount?.mountPath}/tls.crt`,
    keyPath: `${mount?.mountPath}/tls.key`,
    required: true,
  });
  assert(container?.ports?.some(({ name, containerPort }) => name === "webhook" && containerPort === 9443));
  const service = of("Service").find(({ metadata }) => metadata?.name === "odoo-operator-webhook");
  assertEquals(service?.spec?.ports, [{ name: "webhook", port: 443, targetPort: "webhook", protocol: "TCP" }]);
  const [configuration] = of("ValidatingWebhookConfiguration");
  assertEquals([configuration?.metadata?.name, configuration?.metadata?.annotations], [
    "odoo-operator-validating-webhook",
    undefined,
  ]);
  assertEquals(configuration?.webhooks?.map(({ matchConditions: _, ...webhook }) => webhook), [{
    name: "vodooinstance.kb.io",
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    timeoutSeconds: 5,
    failurePolicy: "Fail",
    rules: [{
      apiGroups: ["bemade.org"],
      apiVersions: ["v1alpha1"],
      operations: ["CREATE", "UPDATE"],
      resources: ["odooinstances"],
      scope: "Namespaced",
    }],
    clientConfig: {
      caBundle: "Y2E=",
      service: { name: "odoo-operator-webhook", namespace: "operators", path: WEBHOOK_PATH, port: 443 },
    },
  }]);
});

Deno.test("chart lets cert-manager issue the webhook's certificate and inject its CA into the webhook configuration", async () => {
  const of = await render({ enabled: true });
  const [configuration] = of("ValidatingWebhookConfiguration");
  const [authority, serving] = of("Certificate");
  const [root, issuer] = of("Issuer").sort((a) => a.spec?.selfSigned ? -1 : 1);
  assertEquals(configuration?.metadata?.annotations, {
    "cert-manager.io/inject-ca-from": `operators/${authority?.metadata?.name}`,
  });
  assertEquals([configuration?.webhooks?.[0]?.failurePolicy, authority?.spec?.isCA], ["Ignore", true]);
  assert(!JSON.stringify(configuration).includes("caBundle"));
  assertEquals(authority?.spec?.issuerRef?.name, root?.metadata?.name);
  assertEquals(issuer?.spec?.ca?.secretName, authority?.spec?.secretName);
  assertEquals(serving?.spec?.issuerRef?.name, issuer?.metadata?.name);
  assertEquals(serving?.spec?.dnsNames, [
    "odoo-operator-webhook.operators.svc",
    "odoo-operator-webhook.operators.svc.cluster.local",
  ]);
  const mounted = podOf(of("Deployment") as Deployment[]).volumes?.[0]?.secret?.secretName;
  assertEquals([mounted, serving?.spec?.secretName], ["odoo-operator-webhook-cert", "odoo-operator-webhook-cert"]);
  const { success, stdout } = await helm.lint({ webhook: { enabled: true } });
  assert(success, stdout);
});

const REFUSED: Readonly<Record<string, { readonly webhook: Values; readonly names: string }>> = {
  "there is neither cert-manager nor a Secret": { webhook: { ...OWN, certSecretName: "" }, names: "certSecretName" },
  "the named Secret has no authority": { webhook: { ...OWN, caBundle: "" }, names: "caBundle" },
  "the authority is not in base64": { webhook: { ...OWN, caBundle: "-----BEGIN" }, names: "caBundle" },
  "the policy does not exist": { webhook: { failurePolicy: "Warn" }, names: "failurePolicy" },
  "a value is misspelt": { webhook: { enable: true }, names: "enable" },
};

for (const [sentence, { webhook, names }] of Object.entries(REFUSED)) {
  Deno.test(`chart is refused and the webhook's value named when ${sentence}`, async () => {
    const { success, stderr } = await helm.template({ values: { webhook } });
    assertEquals(success, false);
    assertStringIncludes(stderr, names);
  });
}
