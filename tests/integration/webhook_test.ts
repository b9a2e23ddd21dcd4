/** The validating webhook as the chart installs it, called by a real API server: what is refused, and whom it never blocks. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ensureNamespace, OPERATOR_NAMESPACE, writeClustersSecret } from "../../dev/operator.ts";
import { freePort } from "../../dev/processes.ts";
import { ApiError, type JsonPatchOperation, type KubeObject, type ResourceType, Secret } from "../../src/kit/mod.ts";
import type { OdooInstanceSpec } from "../../src/odoo/crd/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { WEBHOOK_PATH } from "../../src/odoo/shell/webhook.ts";
import { certificateFiles } from "../support/certificate_files.ts";
import { committedCrds, establish, withoutRules } from "../support/crds.ts";
import { eventually } from "../support/eventually.ts";
import { startHelm } from "../support/helm.ts";
import { type Rig, startRig } from "../support/rig.ts";

const WebhookConfiguration: ResourceType<KubeObject> = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "ValidatingWebhookConfiguration",
  plural: "validatingwebhookconfigurations",
  namespaced: false,
};
const DENIED = 'admission webhook "vodooinstance.kb.io" denied the request: ';
const BROKEN: Partial<OdooInstanceSpec> = { configOptions: { workers: "4\nadmin_passwd = x" } };

Deno.test("the validating webhook on a cluster", async (t) => {
  await using files = await certificateFiles();
  await using stranger = await certificateFiles();
  const rig = await startRig({ bare: true });
  try {
    await using helm = await startHelm(rig.cluster.kubeconfig);
    await install(rig, helm, files.caPem);
    const namespace = await rig.namespace();
    const port = freePort();
    const args = [
      `--webhook-port=${port}`,
      `--webhook-tls-cert=${files.certPath}`,
      `--webhook-tls-key=${files.keyPath}`,
    ];
    const kubeconfig = await asChartsAccount(rig);
    const url = `https://127.0.0.1:${port}${WEBHOOK_PATH}`;
    let names = 0;
    const create = (spec: Partial<OdooInstanceSpec> = {}) => rig.create(namespace, `shop-${++names}`, spec);
    const shop = { namespace, name: "shop" };
    const patch = (...operations: readonly JsonPatchOperation[]) =>
      rig.client.patch(OdooInstanceKind, shop, operations);
    const setSize = (value: string) => patch({ op: "add", path: "/spec/filestore/storageSize", value });
    let writes = 0;
    /** A change of the spec that has no effect any more; what changes nothing is not asked about. */
    const changeSpec = () => patch({ op: "add", path: "/spec/init/demo", value: ++writes % 2 === 0 });
    const call = (caPem: string) => configure(rig, "clientConfig", { url, caBundle: btoa(caPem) });

    await t.step("refuses a creation with a message that names the field", async () => {
      await rig.start({ kubeconfig, args });
      await call(files.caPem);
      const refused = await eventually("the API server asks", async () => {
        const error = await assertRejects(() => create(BROKEN), ApiError);
        assertEquals([error.status, error.reason], [403, "Forbidden"]); // for a moment the CRDs may still have their rules
        return error;
      });
      assertEquals(
        asShown(refused),
        `${DENIED}spec.configOptions."workers" contains a line break or control character: remove it`,
      );
      const name = await assertRejects(() => rig.create(namespace, "1shop"), ApiError);
      assertStringIncludes(asShown(name), `${DENIED}metadata.name: The name cannot be used`);
    });
    await t.step("lets the operator bring an instance to Running", async () => {
      await rig.create(namespace, "shop", { filestore: { storageSize: "10Gi", storageClass: "standard" } });
      await rig.inPhase(namespace, "shop", "Running");
    });
    await t.step("refuses a change, and lets another one pass", async () => {
      const refused = await assertRejects(() => setSize("9Gi"), ApiError);
      assertEquals(
        asShown(refused),
        `${DENIED}spec.filestore.storageSize: cannot decrease from "10Gi" to "9Gi": a volume can only grow. Set the former size, or restore a backup into a new instance`,
      );
      await setSize("11Gi");
    });
    await t.step("is served without a failure while its certificate is replaced under load", async () => {
      await configure(rig, "failurePolicy", "Fail");
      let isOver = false;
      let handshakes = 0;
      const write = async () => {
        while (!isOver) await changeSpec();
      };
      const shake = async () => {
        while (!isOver) {
          const connection = await Deno.connectTls({ hostname: "localhost", port, caCerts: [files.caPem] });
          await connection.handshake();
          connection.close();
          handshakes++;
        }
      };
      const load = Promise.all([write(), shake()]);
      await files.replace();
      const succeeded = 'admission_certificate_reloads_total{result="success"} 1';
      await Promise.race([
        load,
        eventually("the new pair is served", () => metric(rig, succeeded), { timeoutMs: 20_000 }),
      ]);
      const [writesThen, handshakesThen] = [writes, handshakes];
      await Promise.race([
        load,
        eventually("it goes on", () => writes > writesThen + 5 && handshakes > handshakesThen + 5),
      ]);
      isOver = true;
      await load;
      assert(await metric(rig, "admission_tls_handshake_failures_total 0"));
    });
    await t.step("blocks no write while the API server does not trust it, and reports that", async () => {
      await configure(rig, "failurePolicy", "Ignore");
      await call(stranger.caPem);
      await eventually("a broken instance is stored", () => create(BROKEN));
      assert(!await metric(rig, "admission_tls_handshake_failures_total 0"));
      await call(files.caPem);
      await eventually("it is asked again", () => assertRejects(() => create(BROKEN), ApiError));
    });
    await t.step("blocks no write while the operator is down", async () => {
      await rig.kill();
      await create(BROKEN);
      await setSize("huge");
    });
    await t.step("blocks neither metadata nor deletion while the operator is down, even if it is to fail", async () => {
      await configure(rig, "failurePolicy", "Fail");
      await eventually("changes are refused", () => assertRejects(changeSpec, ApiError, "failed calling"));
      await patch({ op: "add", path: "/metadata/labels", value: { team: "blue" } });
      await patch({ op: "add", path: "/metadata/finalizers/-", value: "example.com/hold" });
      await rig.client.delete(OdooInstanceKind, shop);
      const { metadata } = await rig.client.get(OdooInstanceKind, shop);
      assertEquals([metadata.labels?.team, metadata.deletionTimestamp !== undefined], ["blue", true]);
      const hold = metadata.finalizers?.indexOf("example.com/hold");
      await patch({ op: "remove", path: `/metadata/finalizers/${hold}` });
    });
    await t.step("lets what broke a rule before be edited and go", async () => {
      await rig.start({ kubeconfig, args });
      await rig.gone(OdooInstanceKind, namespace, "shop");
      const broken = { namespace, name: `shop-${names}` };
      await rig.client.patch(OdooInstanceKind, broken, [{ op: "add", path: "/spec/replicas", value: 3 }]);
      await rig.client.delete(OdooInstanceKind, broken);
      await rig.gone(OdooInstanceKind, namespace, broken.name);
      const log = await Deno.readTextFile(rig.operator?.process.logPath ?? "");
      assertEquals(log.split("\n").filter((line) => /forbidden|own user name|Validator failed/.test(line)), []);
    });
  } finally {
    await rig.stop();
  }
});

/**
 * The chart with its webhook, on a certificate of our own; the pods of its Deployment are fakes. The CRDs lose their
 * rules, which would answer first: the webhook is for clusters whose CRDs do not have them, and has to hold alone.
 */
async function install(rig: Rig, helm: Awaited<ReturnType<typeof startHelm>>, caPem: string): Promise<void> {
  await ensureNamespace(rig.client, OPERATOR_NAMESPACE);
  await rig.client.apply(Secret, { metadata: { name: "webhook-cert", namespace: OPERATOR_NAMESPACE } });
  const webhook = {
    enabled: true,
    certManager: { enabled: false },
    certSecretName: "webhook-cert",
    caBundle: btoa(caPem),
  };
  await helm.install({ namespace: OPERATOR_NAMESPACE, values: { webhook } });
  for (const crd of await committedCrds()) await establish(rig.client, withoutRules(crd));
  await writeClustersSecret(rig.client, rig.cluster);
}

/** What the API server says, which is what kubectl shows; our client puts its own request in front. */
function asShown({ message }: ApiError): string {
  return message.replace(/^Cannot [A-Z]+ \S+: /, "");
}

async function asChartsAccount(rig: Rig): Promise<string> {
  const user = `system:serviceaccount:${OPERATOR_NAMESPACE}:odoo-operator`;
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${OPERATOR_NAMESPACE}`, "system:authenticated"];
  return await rig.cluster.kubeconfigFor(user, groups);
}

/** Sets a field of the chart's webhook. */
async function configure(rig: Rig, field: string, value: unknown): Promise<void> {
  const name = "odoo-operator-validating-webhook";
  await rig.client.patch(WebhookConfiguration, { name }, [{ op: "replace", path: `/webhooks/0/${field}`, value }]);
}

async function metric(rig: Rig, line: string): Promise<boolean> {
  const response = await fetch(`${rig.operator?.healthUrl}/metrics`);
  return (await response.text()).split("\n").includes(line);
}
