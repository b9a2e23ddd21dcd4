/** The generated CRDs on a real API server: what it accepts, what it refuses and with which words. */
import { parse } from "yaml";
import { assertEquals, assertRejects } from "@std/assert";
import { startLocalCluster } from "../../dev/control_plane.ts";
import { type Client, createClient } from "../../src/kit/client.ts";
import type { CustomResourceDefinition } from "../../src/kit/crd.ts";
import { ApiError, isInvalid } from "../../src/kit/errors.ts";
import type { KubeObject, ResourceType } from "../../src/kit/types.ts";
import type { OdooInitJob, OdooInstance, OdooInstanceSpec } from "../../src/odoo/crd/mod.ts";

interface InstalledCrd extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] | null };
}

const CRDS: ResourceType<InstalledCrd> = {
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  namespaced: false,
};
const INSTANCES: ResourceType<OdooInstance> = {
  group: "bemade.org",
  version: "v1alpha1",
  kind: "OdooInstance",
  plural: "odooinstances",
};
const INIT_JOBS: ResourceType<OdooInitJob> = {
  group: "bemade.org",
  version: "v1alpha1",
  kind: "OdooInitJob",
  plural: "odooinitjobs",
};
const FILES = ["odoo-crd", "initjob-crd"] as const;
const NAMESPACE = "default";
const ESTABLISHED_TIMEOUT_MS = 30_000;

const MINIMAL: OdooInstanceSpec = { adminPassword: "admin", ingress: { hosts: ["shop.example.com"] } };

const REFUSED: Readonly<Record<string, { readonly spec: Partial<OdooInstanceSpec>; readonly message: string }>> = {
  "replicas are negative": { spec: { replicas: -1 }, message: "replicas must be 0 or more: 0 stops the instance" },
  "cron.replicas are negative": {
    spec: { cron: { replicas: -1 } },
    message: "cron.replicas must be 0 or more: 0 stops scheduled actions",
  },
  "a host has a scheme": { spec: { ingress: { hosts: ["https://shop.example.com"] } }, message: "without scheme" },
  "a host has upper case": {
    spec: { ingress: { hosts: ["ok.example.com", "Shop.example.com"] } },
    message: "lower-case",
  },
  "a host has a line break": {
    spec: { ingress: { hosts: ["a.example.com\nb"] } },
    message: "must be lower-case DNS names",
  },
  "a host is empty": { spec: { ingress: { hosts: [""] } }, message: "must be lower-case DNS names" },
  "a host is an IP address": { spec: { ingress: { hosts: ["10.0.0.1"] } }, message: "must be lower-case DNS names" },
  "production has a clone source": {
    spec: { environment: "Production", productionInstanceRef: { name: "other" } },
    message: "spec.productionInstanceRef is forbidden while spec.environment is Production",
  },
};

const ACCEPTED: Readonly<Record<string, Partial<OdooInstanceSpec>>> = {
  "only required fields are given": {},
  "it is stopped and has no hosts": { replicas: 0, cron: { replicas: 0 }, ingress: { hosts: [] } },
  "hosts have a wildcard or a single label": {
    ingress: { hosts: ["*.example.com", "localhost", "xn--bcher-kva.example"] },
  },
  "optional fields are null": {
    image: null,
    imagePullSecret: null,
    ingress: { hosts: ["shop.example.com"], issuer: null, class: null, gatewayRef: null },
    cron: { resources: null },
    resources: null,
    filestore: { storageSize: null, storageClass: null },
    configOptions: null,
    database: { cluster: null, name: null },
    init: { webhook: null },
    environment: "Production",
    productionInstanceRef: null,
    strategy: { rollingUpdate: null },
    webhook: null,
    probes: null,
    affinity: null,
    readOnlySqlAccess: null,
  },
};

/** What upstream stored without complaint and our rules would refuse today. */
const STORED_BEFORE: Readonly<Record<string, OdooInstanceSpec>> = {
  "negative-cron": { ...MINIMAL, cron: { replicas: -1 } },
  "host-with-scheme": { ...MINIMAL, ingress: { hosts: ["https://Shop"] } },
  "long-host": { ...MINIMAL, ingress: { hosts: ["a".repeat(300)] } },
  "many-hosts": { ...MINIMAL, ingress: { hosts: Array.from({ length: 1200 }, (_, index) => `h${index}.example.com`) } },
};

Deno.test("crds/ are accepted by a real API server and do what they say when applied over upstream's", async (t) => {
  await using cluster = await startLocalCluster();
  const client = createClient(cluster.access, { fieldManager: "crd-test" });
  try {
    await establish(client, withoutRules(await committedCrd("odoo-crd")));
    for (const [name, spec] of Object.entries(STORED_BEFORE)) await client.create(INSTANCES, anInstance(name, spec));
    for (const file of FILES) {
      await t.step(`${file}.yaml is established when applied`, async () => {
        await establish(client, await committedCrd(file));
      });
    }
    await untilJudged(client);
    await storedObjectsStayUsable(client, t);
    await newObjectsAreJudged(client, t);
    await jobsAndStatus(client, t);
  } finally {
    client.close();
  }
});

/** The API server goes on with the old schema for a moment after it took the new one, and does not say how long. */
async function untilJudged(client: Client): Promise<void> {
  const probe = anInstance("probe", { ...MINIMAL, cron: { replicas: -1 } });
  const deadline = AbortSignal.timeout(ESTABLISHED_TIMEOUT_MS);
  for (;;) {
    deadline.throwIfAborted();
    try {
      await client.create(INSTANCES, probe);
    } catch (error) {
      if (isInvalid(error)) return;
      throw error;
    }
    await client.delete(INSTANCES, { name: "probe", namespace: NAMESPACE });
  }
}

async function storedObjectsStayUsable(client: Client, t: Deno.TestContext): Promise<void> {
  for (const name of Object.keys(STORED_BEFORE)) {
    await t.step(
      `OdooInstance ${name} gets finalizer, status, other fields and deletion when it is older than our rules`,
      async () => {
        const object = { name, namespace: NAMESPACE };
        await client.patch(INSTANCES, object, [{
          op: "add",
          path: "/metadata/finalizers",
          value: ["bemade.org/test"],
        }]);
        await client.patch(INSTANCES, object, [{ op: "add", path: "/status", value: { phase: "Error" } }], {
          subresource: "status",
        });
        await client.patch(INSTANCES, object, [{ op: "add", path: "/spec/image", value: "odoo:19.0" }]);
        await client.delete(INSTANCES, object);
        await client.patch(INSTANCES, object, [{ op: "remove", path: "/metadata/finalizers" }]);
        await assertRejects(() => client.get(INSTANCES, object), ApiError, "not found");
      },
    );
  }
}

async function newObjectsAreJudged(client: Client, t: Deno.TestContext): Promise<void> {
  for (const [number, [sentence, spec]] of Object.entries(ACCEPTED).entries()) {
    await t.step(`OdooInstance is accepted when ${sentence}`, async () => {
      await client.create(INSTANCES, anInstance(`accepted-${number}`, { ...MINIMAL, ...spec }));
    });
  }
  for (const [sentence, { spec, message }] of Object.entries(REFUSED)) {
    await t.step(`OdooInstance is refused and told why when ${sentence}`, async () => {
      const instance = anInstance("refused", { ...MINIMAL, ...spec });
      const error = await assertRejects(() => client.create(INSTANCES, instance), ApiError, message);
      assertEquals(error.status, 422);
    });
  }
  await t.step("OdooInstance keeps quantities as numbers when they are written so", async () => {
    // The TypeScript type of a quantity is a string, as in client-node: manifests are not bound by it.
    const quantities = parse("{resources: {limits: {cpu: 2, memory: 4Gi}}, filestore: {storageSize: 10737418240}}");
    const stored = await client.create(INSTANCES, anInstance("quantities", { ...MINIMAL, ...quantities }));
    assertEquals<unknown>(stored.spec.resources, quantities.resources);
    assertEquals<unknown>(stored.spec.filestore, quantities.filestore);
  });
  await t.step(
    "OdooInstance gets its defaults when fields are absent, and is judged again when it changes",
    async () => {
      const stored = await client.create(INSTANCES, anInstance("defaults", { ...MINIMAL, database: {}, probes: {} }));
      const { replicas, cron, init, environment, database, probes } = stored.spec;
      assertEquals<unknown>({ replicas, cron, init, environment, database, probes }, {
        replicas: 1,
        cron: { replicas: 1 },
        init: { enabled: true, modules: ["base"], demo: false },
        environment: "Staging",
        database: { missingPolicy: "Ignore" },
        probes: { startupPath: "/web/health", livenessPath: "/web/health", readinessPath: "/web/health" },
      });
      const change = [{ op: "add", path: "/spec/ingress/hosts/-", value: "Upper.example.com" }] as const;
      const object = { name: "defaults", namespace: NAMESPACE };
      await assertRejects(() => client.patch(INSTANCES, object, change), ApiError, "lower-case");
    },
  );
}

async function jobsAndStatus(client: Client, t: Deno.TestContext): Promise<void> {
  await t.step(
    "OdooInstance keeps operation and observedGeneration in status when an operation is in progress",
    async () => {
      const operation = {
        kind: "OdooInitJob",
        name: "shop-auto-init",
        uid: "u-1",
        jobName: "j",
        stage: "s",
        attempt: 1,
      };
      const status = { phase: "Initializing", observedGeneration: 1, operation } as const;
      await client.create(INSTANCES, anInstance("status", MINIMAL));
      await client.apply(INSTANCES, { ...anInstance("status", MINIMAL), status }, { subresource: "status" });
      const stored = await client.get(INSTANCES, { name: "status", namespace: NAMESPACE });
      assertEquals(stored.status?.operation, operation);
      assertEquals(stored.status?.observedGeneration, 1);
    },
  );
  await t.step("OdooInitJob gets its defaults and is found by its target when selected by field", async () => {
    const metadata = { name: "init", namespace: NAMESPACE };
    const stored = await client.create(INIT_JOBS, { metadata, spec: { odooInstanceRef: { name: "shop" } } });
    assertEquals<unknown>(stored.spec, { odooInstanceRef: { name: "shop" }, modules: ["base"], demo: false });
    const fieldSelector = "spec.odooInstanceRef.name=shop,status.phase!=Completed";
    const { items } = await client.list(INIT_JOBS, { namespace: NAMESPACE, fieldSelector });
    assertEquals(items.map((item) => item.metadata.name), ["init"]);
  });
}

function anInstance(name: string, spec: OdooInstanceSpec): OdooInstance {
  return { metadata: { name, namespace: NAMESPACE }, spec };
}

async function committedCrd(file: typeof FILES[number]): Promise<CustomResourceDefinition> {
  return parse(await Deno.readTextFile(new URL(`../../crds/${file}.yaml`, import.meta.url)));
}

/** The CRD as upstream had it, as far as this test can tell: neither rules nor bounds. */
function withoutRules(crd: CustomResourceDefinition): CustomResourceDefinition {
  const ours = new Set(["x-kubernetes-validations", "maxItems", "maxLength"]);
  return JSON.parse(JSON.stringify(crd, (key, value) => ours.has(key) ? undefined : value));
}

/** Applies a CRD and waits until its objects can be created. */
async function establish(client: Client, crd: CustomResourceDefinition): Promise<void> {
  const applied = await client.apply(CRDS, crd);
  const signal = AbortSignal.timeout(ESTABLISHED_TIMEOUT_MS);
  const fieldSelector = `metadata.name=${applied.metadata.name}`;
  for await (
    const { object } of client.watch(CRDS, { fieldSelector, timeoutSeconds: 60, sendInitialEvents: true, signal })
  ) {
    if (object.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True")) return;
  }
  throw new Error(`Cannot use ${applied.metadata.name}: not established`);
}
