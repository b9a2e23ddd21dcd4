/**
 * Our CRDs applied over upstream's, with objects of all six kinds in store that upstream let in: none of them is stuck.
 * Each gets its finalizer, its status, a label, another field and its deletion, and what is new in it is judged.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Client, createClient } from "../../src/kit/client.ts";
import { ApiError } from "../../src/kit/errors.ts";
import type { JsonPatchOperation, ResourceType } from "../../src/kit/types.ts";
import { startBareApiServer } from "../support/api_server.ts";
import {
  assertInvalid,
  committedCrds,
  createOnceTaken,
  establish,
  type Manifest,
  typeOf,
  untilRefused,
  upstreamCrds,
  upstreamObjects,
  withoutRules,
} from "../support/crds.ts";

type Spec = Manifest["spec"];

const NAMESPACES: ResourceType = { group: "", version: "v1", kind: "Namespace", plural: "namespaces" };
const NAMESPACE = "shop";
const LONG_NAME = "a".repeat(61);

const INSTANCE: Spec = { adminPassword: "admin", ingress: { hosts: ["shop.example.com"] } };
const TARGET: Spec = { odooInstanceRef: { name: "shop", namespace: null }, webhook: null };
const S3 = { bucket: "b", objectKey: "k", endpoint: "e", region: null, s3CredentialsSecretRef: null };

interface Stored {
  readonly spec: Spec;
  readonly status?: Manifest["status"];
}

/** Objects that the CRDs of operator 2.5.0 accept: values that cannot work, explicit nulls, names that are too long. */
const INSTANCES: Readonly<Record<string, Stored>> = {
  [LONG_NAME]: { spec: INSTANCE, status: { phase: "Running", dbInitialized: true } },
  "1shop": { spec: INSTANCE },
  "shop.blue": { spec: INSTANCE },
  [`${"long.".repeat(40)}name`]: { spec: INSTANCE },
  "negative": { spec: { ...INSTANCE, cron: { replicas: -1 } } },
  "host-with-scheme": { spec: { ...INSTANCE, ingress: { hosts: ["https://Shop", ""] } } },
  "long-host": { spec: { ...INSTANCE, ingress: { hosts: ["a".repeat(300)] } } },
  "many-hosts": {
    spec: { ...INSTANCE, ingress: { hosts: Array.from({ length: 1200 }, (_, index) => `h${index}.example.com`) } },
  },
  "no-password": { spec: { ...INSTANCE, adminPassword: "" } },
  "no-size": { spec: { ...INSTANCE, filestore: { storageSize: "" } }, status: { phase: "Running" } },
  "odd-size": { spec: { ...INSTANCE, filestore: { storageSize: "2 GB" } } },
  "zero-size": { spec: { ...INSTANCE, filestore: { storageSize: "0" } } },
  "small-size": { spec: { ...INSTANCE, filestore: { storageSize: "1m", storageClass: "" } } },
  "odd-options": {
    spec: { ...INSTANCE, configOptions: { "log_level": "info\nx = 1", "db_host": "theirs", "": "", "a b": "\t" } },
  },
  "many-options": {
    spec: { ...INSTANCE, configOptions: Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`o ${i}`, "\n"])) },
  },
  "long-option": { spec: { ...INSTANCE, configOptions: { addons_path: "/mnt\n".repeat(100_000) } } },
  "odd-database": {
    spec: { ...INSTANCE, database: { name: "Robert'); --", cluster: null } },
    status: { phase: "Running", dbInitialized: true },
  },
  "null-status": { spec: { ...INSTANCE, database: { name: null } }, status: null },
  "nulls": {
    spec: {
      ...INSTANCE,
      image: null,
      imagePullSecret: null,
      ingress: { hosts: [], issuer: null, class: null, gatewayRef: null },
      cron: { resources: null },
      resources: null,
      filestore: { storageSize: null, storageClass: null },
      configOptions: null,
      database: null,
      init: { webhook: null },
      productionInstanceRef: null,
      strategy: null,
      webhook: null,
      probes: null,
      affinity: null,
      readOnlySqlAccess: null,
    },
    status: { message: null, url: null, activeCluster: null, targetReplicas: null },
  },
};

const JOBS: Readonly<Record<string, Readonly<Record<string, Spec>>>> = {
  OdooInitJob: { "bare": { odooInstanceRef: { name: "" } }, "nulls": { ...TARGET, modules: [] } },
  OdooBackupJob: {
    "nulls": { ...TARGET, destination: S3 },
    "bare": { odooInstanceRef: { name: "No Such" }, destination: { bucket: "", objectKey: "", endpoint: "" } },
  },
  OdooRestoreJob: {
    "no-s3": { ...TARGET, source: { type: "s3" }, format: "dump" },
    "null-odoo": { ...TARGET, source: { type: "odoo", odoo: null, s3: null } },
    "bare-odoo": { ...TARGET, source: { type: "odoo", odoo: { url: "", sourceDatabase: null, masterPassword: null } } },
  },
  OdooUpgradeJob: {
    "bare": { odooInstanceRef: { name: "shop" } },
    "odd-time": { ...TARGET, scheduledTime: "tomorrow", modules: [""] },
    "null-time": { ...TARGET, scheduledTime: null },
  },
  OdooStagingRefreshJob: {
    "nulls": { ...TARGET, source: { instanceName: "", instanceNamespace: null }, neutralize: false },
    [LONG_NAME]: { ...TARGET, source: { instanceName: "production" } },
  },
};

Deno.test("crds/ leave every stored object usable when they are applied over upstream's", async (t) => {
  await using server = await startBareApiServer();
  const client = createClient(server.access, { fieldManager: "crd-test" });
  try {
    const stored = [...await storeWithUpstream(client), ...await storeWithoutRules(client)];
    const kinds = new Set(stored.map(({ kind }) => kind));
    assertEquals(kinds.size, 6);
    for (const crd of await committedCrds()) await establish(client, crd);
    await untilRefused(client, instance("probe", { ...INSTANCE, cron: { replicas: -1 } }));
    await untilRefused(client, job("OdooRestoreJob", "probe", { ...TARGET, source: { type: "s3" } }));
    await newEntriesAreJudged(client, t);
    for (const object of stored) {
      await t.step(`${object.kind} ${object.metadata?.name?.slice(0, 70)} can be worked on and deleted`, async () => {
        await assertUsable(client, object);
      });
    }
  } finally {
    client.close();
  }
});

/** A stored entry that would be refused today stays, and does not open the door for others. */
async function newEntriesAreJudged(client: Client, t: Deno.TestContext): Promise<void> {
  const add = (name: string, path: string, value: unknown) =>
    client.patch(typeOf("OdooInstance"), { name, namespace: NAMESPACE }, [{ op: "add", path, value }]);
  await t.step("OdooInstance takes a good option, and no bad one, when it has bad ones from former times", async () => {
    const { spec } = await add("odd-options", "/spec/configOptions/workers", "4");
    assert(JSON.stringify(spec.configOptions).includes("theirs"));
    await assertInvalid(() => add("odd-options", "/spec/configOptions/db_port", "1"), "which the operator sets");
    await assertInvalid(() => add("odd-options", "/spec/configOptions/db_host", "mine"), "which the operator sets");
    await assertInvalid(() => add("odd-options", "/spec/configOptions/x", "\n"), "without line breaks");
    await assertInvalid(() => add("odd-options", "/spec/configOptions/log_level", "a\nb"), "without line breaks");
  });
  await t.step("OdooInstance takes a real size when it has an impossible one from former times", async () => {
    await assertInvalid(() => add("odd-size", "/spec/filestore/storageSize", "3 GB"), "must be a quantity");
    await add("odd-size", "/spec/filestore/storageSize", "1Gi");
    await assertInvalid(() => add("odd-size", "/spec/filestore/storageSize", "1Mi"), "can only be increased");
  });
  await t.step("OdooInstance keeps the odd name of its database when that exists", async () => {
    const rename = () => add("odd-database", "/spec/database/name", "better");
    await assertInvalid(rename, "spec.database.name cannot change once the database exists");
  });
  await t.step("OdooRestoreJob is judged when the source of a stored one changes", async () => {
    const change = [{ op: "add", path: "/spec/source/type", value: "odoo" }] as const;
    const restore = { name: "no-s3", namespace: NAMESPACE };
    await assertInvalid(() => client.patch(typeOf("OdooRestoreJob"), restore, change), "source.odoo is missing");
  });
}

async function assertUsable(client: Client, { kind, metadata, status }: Manifest): Promise<void> {
  const type = typeOf(kind);
  const object = { name: metadata?.name ?? "", namespace: NAMESPACE };
  const patch = (...operations: JsonPatchOperation[]) => client.patch(type, object, operations);
  await patch({ op: "add", path: "/metadata/labels", value: { seen: "yes" } });
  await patch({ op: "add", path: "/metadata/finalizers", value: ["bemade.org/test"] });
  const phase = kind === "OdooInstance" ? "Error" : "Failed";
  const own = kind === "OdooInstance" ? { observedGeneration: 1 } : { logTail: "a", summary: { a: 1 } };
  const value = { ...status, phase, ...own };
  const after = await client.patch(type, object, [{ op: "add", path: "/status", value }], { subresource: "status" });
  assertEquals({ ...after.status, phase, ...own }, after.status, "our status fields are not kept");
  await patch(
    kind === "OdooInstance"
      ? { op: "add", path: "/spec/image", value: "odoo:19.0" }
      : { op: "add", path: "/spec/webhook", value: { url: "https://example.com" } },
  );
  await client.delete(type, object);
  await patch({ op: "remove", path: "/metadata/finalizers" });
  await assertRejects(() => client.get(type, object), ApiError, "not found");
}

/** Installs upstream's CRDs and lets them take every object; returns the objects. */
async function storeWithUpstream(client: Client): Promise<readonly Manifest[]> {
  for (const crd of await upstreamCrds()) await establish(client, crd);
  await client.create(NAMESPACES, { metadata: { name: NAMESPACE } });
  const instances = Object.entries(INSTANCES).map(([name, { spec, status }]) => ({
    ...instance(name, spec),
    ...(status !== undefined && { status }),
  }));
  const jobs = Object.entries(JOBS).flatMap(([kind, specs]) => {
    const [first] = Object.values(specs);
    const named = { ...specs, [LONG_NAME]: first, [`${"long.".repeat(30)}name`]: first };
    return Object.entries(named).map(([name, spec]) => job(kind, name, spec));
  });
  const objects = [...await upstreamObjects(), ...instances, ...jobs];
  for (const object of objects) {
    const { kind, metadata, status } = object;
    const type = typeOf(kind);
    const created = await client.create(type, object);
    if (status === undefined) continue;
    await client.patch(type, { name: created.metadata.name, namespace: NAMESPACE }, [
      { op: "add", path: "/status", value: status },
    ], { subresource: "status" });
    assertEquals(metadata?.namespace, NAMESPACE);
  }
  return objects;
}

/** What upstream knew no fields for: stored by ours, as it would be without its rules. */
async function storeWithoutRules(client: Client): Promise<readonly Manifest[]> {
  for (const crd of await committedCrds()) await establish(client, withoutRules(crd));
  const volume = { emptyDir: {}, secret: { secretName: "both" } };
  const objects = [
    instance("without-password", { ingress: { hosts: [] } }),
    instance("null-password", { ...INSTANCE, adminPassword: null, adminPasswordSecretRef: null }),
    instance("odd-volumes", { ...INSTANCE, extraVolumes: [{ name: "tmp", ...volume }, { name: "none" }] }),
  ];
  for (const object of objects) await createOnceTaken(client, object);
  return objects;
}

function instance(name: string, spec: Spec): Manifest {
  return { kind: "OdooInstance", metadata: { name, namespace: NAMESPACE }, spec };
}

function job(kind: string, name: string, spec: Spec = TARGET): Manifest {
  return { kind, metadata: { name, namespace: NAMESPACE }, spec };
}
