/**
 * The whole life of an instance, failures included, with secrets that nobody else has. Afterwards each of them is looked for
 * wherever the operator writes or can be looked at: none is found outside Secrets.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { OPERATOR_NAMESPACE, prepareForOperator, writeClustersSecret } from "../../dev/operator.ts";
import { freePort } from "../../dev/processes.ts";
import { ApiError, type KubeObject, type ResourceType, Secret } from "../../src/kit/mod.ts";
import type { OdooInitJob, OdooInstance } from "../../src/odoo/crd/mod.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { WEBHOOK_PATH } from "../../src/odoo/shell/webhook.ts";
import { Canaries } from "../support/canaries.ts";
import { recorded, visible } from "../support/canary_places.ts";
import { type CertificateFiles, certificateFiles } from "../support/certificate_files.ts";
import { committedCrds, establish, withoutRules } from "../support/crds.ts";
import { eventually } from "../support/eventually.ts";
import { failingFor, type Rig, startRig } from "../support/rig.ts";

/** The operator's administrator of PostgreSQL; the quote and the backslash are what SQL and JSON write differently. */
const KEEPER = { adminUser: "keeper", adminPassword: "keeper's \\ canary 1" };
const WRONG_PASSWORD = "wrong keeper's \\ canary 2";
const MASTER = "master's \\ canary 3";
const NEW_MASTER = "new master's \\ canary 4";
const INLINE = "inline master's \\ canary 5";
const PULL = "pull secret's \\ canary 6";
const TAMPERED = "tampered role's \\ canary 7\0";
const REFUSED = "refused option's \\ canary 8";

const WebhookConfiguration: ResourceType = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "ValidatingWebhookConfiguration",
  plural: "validatingwebhookconfigurations",
  namespaced: false,
};

/** The webhook of the operator at `port`, asked about every write to an instance. */
async function callWebhook(rig: Rig, port: number, files: CertificateFiles): Promise<void> {
  const webhook = {
    name: "vodooinstance.kb.io",
    clientConfig: { url: `https://127.0.0.1:${port}${WEBHOOK_PATH}`, caBundle: btoa(files.caPem) },
    rules: [{
      apiGroups: ["bemade.org"],
      apiVersions: ["*"],
      resources: ["odooinstances"],
      operations: ["CREATE", "UPDATE"],
    }],
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
  };
  await rig.client.create(WebhookConfiguration, { metadata: { name: "canaries" }, webhooks: [webhook] } as KubeObject);
}

function writeClusters(rig: Rig, adminPassword: string): Promise<void> {
  const { host, port } = rig.cluster.postgres;
  return writeClustersSecret(rig.client, rig.cluster, {
    main: { host, port, default: true, ...KEEPER, adminPassword },
  });
}

Deno.test("no secret is outside Secrets, in a whole life with its failures", async (t) => {
  const failing = new Set(["shop"]);
  await using files = await certificateFiles();
  const rig = await startRig({
    bare: true,
    jobs: failingFor(failing, "broken"),
    cluster: { auditLevel: "Request", postgres: { settings: { log_statement: "all" } } },
  });
  try {
    const { client } = rig;
    const canaries = new Canaries();
    const fixed = { KEEPER: KEEPER.adminPassword, WRONG_PASSWORD, MASTER, NEW_MASTER, INLINE, PULL, TAMPERED, REFUSED };
    for (const [name, value] of Object.entries(fixed)) canaries.add(name, value);
    const namespace = await rig.namespace();
    const shop = { namespace, name: "shop" };

    /** Keeps what the operator has made, and looks whether it shows. */
    const look = async (when: string) => {
      const { items } = await client.list(Secret, { namespace });
      for (const { metadata: { name }, data = {} } of items) {
        for (const [key, text] of Object.entries(data)) {
          if (["password", "admin_passwd", "salt"].includes(key)) canaries.add(`${name} ${key} ${text}`, atob(text));
        }
      }
      const secrets = [{ what: "Secrets", text: JSON.stringify(items) }];
      assert(canaries.findIn(secrets).length > 0, "what is in Secrets is found there");
      const leaks = canaries.findIn(await visible(rig));
      assertEquals(leaks, [], `${when}: ${JSON.stringify(leaks)}`);
    };
    const secretOf = async (name: string) => (await client.get(Secret, { namespace, name })).metadata.uid;
    const changed = async (name: string, change: () => Promise<unknown>) => {
      const former = await secretOf(name);
      await change();
      await eventually(`Secret ${name} is another one`, async () => await secretOf(name) !== former);
    };

    await t.step("an initialisation that fails", async () => {
      await prepareForOperator(client, rig.cluster);
      for (const crd of await committedCrds()) await establish(client, withoutRules(crd)); // the webhook is to answer
      const { adminUser, adminPassword } = KEEPER;
      await rig.sql(`create role ${adminUser} superuser login password '${adminPassword.replaceAll("'", "''")}'`);
      await writeClusters(rig, adminPassword);
      const dockerconfig = JSON.stringify({ auths: { "registry.example.com": { username: "u", password: PULL } } });
      await client.create(Secret, {
        type: "kubernetes.io/dockerconfigjson",
        metadata: { name: "registry", namespace: OPERATOR_NAMESPACE },
        stringData: { ".dockerconfigjson": dockerconfig },
      });
      const labels = { "bemade.org/instance": "shop" };
      await client.create(Secret, { metadata: { name: "vault", namespace, labels }, stringData: { master: MASTER } });
      const port = freePort();
      await rig.start({
        args: [
          "--log-level=debug",
          "--allowed-pull-secrets=registry",
          `--webhook-port=${port}`,
          `--webhook-tls-cert=${files.certPath}`,
          `--webhook-tls-key=${files.keyPath}`,
        ],
      });
      await callWebhook(rig, port, files);
      await rig.create(namespace, "shop", {
        adminPassword: null,
        adminPasswordSecretRef: { name: "vault", key: "master" },
        imagePullSecret: "registry",
        readOnlySqlAccess: { enabled: true },
        filestore: { storageSize: "2Gi" },
      });
      await rig.create(namespace, "plain", { adminPassword: INLINE });
      await rig.inPhase(namespace, "shop", "InitFailed");
      await rig.inPhase(namespace, "plain", "Running");
      await look("after a failed initialisation");
    });
    await t.step("an initialisation that succeeds, and more pods", async () => {
      failing.clear();
      await client.create<OdooInitJob>(OdooInitJobKind, {
        metadata: { name: "again", namespace },
        spec: { odooInstanceRef: { name: "shop" } },
      });
      await rig.inPhase(namespace, "shop", "Running");
      await client.patch(OdooInstanceKind, shop, [{ op: "replace", path: "/spec/replicas", value: 2 }]);
      await eventually("two pods serve", async () => {
        return (await client.get<OdooInstance>(OdooInstanceKind, shop)).status?.readyReplicas === 2;
      });
      await eventually("there is read access", () => secretOf("shop-db-ro-password"));
      await look("with two pods");
    });
    await t.step("other passwords", async () => {
      for (const name of ["shop-odoo-user", "shop-db-ro-password"]) {
        await changed(name, () => client.delete(Secret, { namespace, name }));
      }
      const conf = async () => (await client.get(Secret, { namespace, name: "shop-odoo-conf" })).data?.admin_passwd;
      const former = await conf();
      await client.patch(Secret, { namespace, name: "vault" }, [
        { op: "replace", path: "/data/master", value: btoa(NEW_MASTER) },
      ]);
      await eventually("odoo.conf has the new master password", async () => await conf() !== former);
      await rig.inPhase(namespace, "shop", "Running");
      await look("after the passwords were changed");
    });
    await t.step("a password of a role that cannot be used", async () => {
      await client.patch(Secret, { namespace, name: "shop-odoo-user" }, [
        { op: "replace", path: "/data/password", value: btoa(TAMPERED) },
      ]);
      await eventually("it is refused", async () => {
        const { status } = await client.get<OdooInstance>(OdooInstanceKind, shop);
        return status?.conditions?.some(({ message }) => message.includes("its password cannot be used"));
      });
      await look("with a password that cannot be used");
      await changed("shop-odoo-user", () => client.delete(Secret, { namespace, name: "shop-odoo-user" }));
      await rig.inPhase(namespace, "shop", "Running", { reason: "Running" });
    });
    await t.step("a PostgreSQL that refuses the login", async () => {
      await writeClusters(rig, WRONG_PASSWORD);
      await rig.create(namespace, "locked", { adminPassword: INLINE });
      await rig.inPhase(namespace, "locked", "Error", { reason: "DatabaseLoginFailed" });
      await look("while the login is refused");
      await writeClusters(rig, KEEPER.adminPassword);
      await rig.inPhase(namespace, "locked", "Running", { timeoutMs: 30_000 });
    });
    await t.step("writes that the webhook refuses", async () => {
      const refuse = (spec: Record<string, unknown>) =>
        assertRejects(() => rig.create(namespace, "refused", { adminPassword: INLINE, ...spec }), ApiError, "denied");
      const error = await eventually(
        "the webhook is asked",
        () => refuse({ configOptions: { workers: `4\n${REFUSED}` } }),
      );
      const shrinking = { op: "replace", path: "/spec/filestore/storageSize", value: "1Gi" } as const;
      const shrunk = await assertRejects(() => client.patch(OdooInstanceKind, shop, [shrinking]), ApiError, "denied");
      const answers = [error, shrunk].map(({ message }) => ({ what: "an answer of the webhook", text: message }));
      assertEquals(canaries.findIn(answers), []);
      await look("after the webhook");
    });
    await t.step("a deletion, and all that was written down", async () => {
      for (const name of ["shop", "plain", "locked"]) await client.delete(OdooInstanceKind, { namespace, name });
      await look("while all are deleted");
      for (const name of ["shop", "plain", "locked"]) await rig.gone(OdooInstanceKind, namespace, name);
      await look("at the end");
      assert(canaries.names.length > 15, `${canaries.names.length} secrets were looked for`);
      assertEquals(canaries.findIn(await recorded(rig)), []);
    });
  } finally {
    await rig.stop();
  }
});
