/** The generated CRDs on a real API server: what it accepts, what it refuses and with which message. */
import { parse } from "yaml";
import { assertEquals } from "@std/assert";
import { type Client, createClient } from "../../src/kit/client.ts";
import { startBareApiServer } from "../support/api_server.ts";
import { assertInvalid, committedCrds, establish, type Manifest, typeOf } from "../support/crds.ts";

type Spec = Manifest["spec"];

const NAMESPACE = "default";
const INSTANCES = typeOf("OdooInstance");

const S3 = { bucket: "backups", objectKey: "shop.zip", endpoint: "https://s3.example.com" };

/** A spec of each kind that has rules, to which a case adds. */
const MINIMAL: Readonly<Record<string, Spec>> = {
  OdooInstance: { adminPassword: "admin", ingress: { hosts: ["shop.example.com"] } },
  OdooRestoreJob: { odooInstanceRef: { name: "shop" }, source: { type: "s3", s3: S3 } },
};

interface Refusal {
  /** @default {"OdooInstance"} */
  readonly kind?: string;
  /** Laid over {@linkcode MINIMAL}; undefined takes a field away. */
  readonly spec: Spec;
  readonly message: string;
}

const OPTION_FORM = "values without line breaks and control characters: each is one line of odoo.conf";
const MANAGED_OPTION = "which the operator sets: remove the option";
const OWN_VOLUME = "extraVolumes must not be named filestore, odoo-conf, tmp";
const NOT_A_SIZE = "storageSize must be a quantity above 0, such as 10Gi";
const NO_PASSWORD = "spec.adminPasswordSecretRef (or spec.adminPassword) is missing";
const NOT_A_HOST = "must be lower-case DNS names";

const REFUSED: Readonly<Record<string, Refusal>> = {
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
  "a host has a line break": { spec: { ingress: { hosts: ["a.example.com\nb"] } }, message: NOT_A_HOST },
  "a host is empty": { spec: { ingress: { hosts: [""] } }, message: NOT_A_HOST },
  "a host is an IP address": { spec: { ingress: { hosts: ["10.0.0.1"] } }, message: NOT_A_HOST },
  "production has a clone source": {
    spec: { environment: "Production", productionInstanceRef: { name: "other" } },
    message: "spec.productionInstanceRef is not allowed while spec.environment is Production",
  },
  "there is no admin password": { spec: { adminPassword: undefined }, message: NO_PASSWORD },
  "both admin passwords are null": {
    spec: { adminPassword: null, adminPasswordSecretRef: null },
    message: NO_PASSWORD,
  },
  "the storage size is a word": { spec: { filestore: { storageSize: "big" } }, message: NOT_A_SIZE },
  "the storage size has an unknown unit": {
    spec: { filestore: { storageSize: "10 GB" } },
    message: NOT_A_SIZE,
  },
  "the storage size is empty": { spec: { filestore: { storageSize: "" } }, message: NOT_A_SIZE },
  "the storage size is the number 0": { spec: { filestore: { storageSize: 0 } }, message: NOT_A_SIZE },
  "the storage size is negative": { spec: { filestore: { storageSize: "-1Gi" } }, message: NOT_A_SIZE },
  "an option has a line break": {
    spec: { configOptions: { log_level: "info\nadmin_passwd = x" } },
    message: OPTION_FORM,
  },
  "an option has a NUL": { spec: { configOptions: { log_level: "\u0000" } }, message: OPTION_FORM },
  "an option has a DEL": { spec: { configOptions: { log_level: "a\u007f" } }, message: OPTION_FORM },
  "an option's name has a line break": { spec: { configOptions: { "workers\nx": "1" } }, message: OPTION_FORM },
  "an option's name ends early": { spec: { configOptions: { "db_name = theirs #": "1" } }, message: OPTION_FORM },
  "an option's name opens a section": { spec: { configOptions: { "[options]": "1" } }, message: OPTION_FORM },
  "an option's name is empty": { spec: { configOptions: { "": "1" } }, message: OPTION_FORM },
  "there are more options than Odoo has": {
    spec: { configOptions: Object.fromEntries(Array.from({ length: 251 }, (_, index) => [`o${index}`, "1"])) },
    message: "must have at most 250 items",
  },
  ...Object.fromEntries(
    ["db_name", "DB_Host", "db_password", "db_replica_host", "data_dir", "HTTP_PORT", "http_interface", "Admin_passwd"]
      .map((name) => [`the option is ${name}`, { spec: { configOptions: { [name]: "x" } }, message: MANAGED_OPTION }]),
  ),
  ...Object.fromEntries(
    ["filestore", "odoo-conf", "tmp"]
      .map((name) => [`a volume is named ${name}`, {
        spec: { extraVolumes: [{ name: "mine", emptyDir: {} }, { name, emptyDir: {} }] },
        message: OWN_VOLUME,
      }]),
  ),
  "two volumes have one name": {
    spec: { extraVolumes: [{ name: "a", emptyDir: {} }, { name: "a", emptyDir: {} }] },
    message: "spec.extraVolumes[1]: Duplicate value",
  },
  "a volume has two sources": {
    spec: { extraVolumes: [{ name: "a", emptyDir: {}, secret: { secretName: "b" } }] },
    message: "extraVolumes[] must have exactly one source out of configMap, secret, emptyDir",
  },
  "a volume is a directory of the node": {
    spec: { extraVolumes: [{ name: "a", hostPath: { path: "/" } }] },
    message: "other sources are not allowed",
  },
  "a restore from S3 does not say where": {
    kind: "OdooRestoreJob",
    spec: { source: { type: "s3" } },
    message: "source.s3 is missing: with source.type s3",
  },
  "a restore from S3 has null for a place": {
    kind: "OdooRestoreJob",
    spec: { source: { type: "s3", s3: null, odoo: { url: "https://old.example.com" } } },
    message: "source.s3 is missing: with source.type s3",
  },
  "a restore from Odoo does not say which": {
    kind: "OdooRestoreJob",
    spec: { source: { type: "odoo", s3: S3 } },
    message: "source.odoo is missing: with source.type odoo",
  },
};

const ACCEPTED: Readonly<Record<string, Spec>> = {
  "only required fields are given": {},
  "it is stopped and has no hosts": { replicas: 0, cron: { replicas: 0 }, ingress: { hosts: [] } },
  "hosts have a wildcard or a single label": {
    ingress: { hosts: ["*.example.com", "localhost", "xn--bcher-kva.example"] },
  },
  "the admin password is in a Secret": {
    adminPassword: undefined,
    adminPasswordSecretRef: { name: "shop", key: "admin" },
  },
  "options are the user's to set": {
    configOptions: {
      workers: "4",
      db_maxconn: "32",
      DB_MAXCONN_GEVENT: "8",
      addons_path: "",
      "queue.channels": "root:2",
    },
  },
  "an option is as long as a list of many addons": { configOptions: { addons_path: "/mnt/addons,".repeat(1000) } },
  "sizes have any form of a quantity": {
    filestore: { storageSize: "0.5Ti" },
    resources: { limits: { cpu: 2, memory: "1.5Gi" }, requests: { cpu: "100m", memory: 268435456 } },
    jobDefaults: { resources: { limits: { cpu: 1 } } },
  },
  "volumes have other names": {
    extraVolumes: [{ name: "filestore-2", emptyDir: {} }, { name: "certificates", secret: { secretName: "ca" } }],
  },
  "optional fields are null": {
    image: null,
    imagePullSecret: null,
    ingress: { hosts: ["shop.example.com"], issuer: null, class: null, gatewayRef: null, annotations: null },
    cron: { resources: null },
    resources: null,
    filestore: { storageSize: null, storageClass: null, accessModes: null },
    configOptions: null,
    database: { cluster: null, name: null },
    init: { webhook: null, languages: null },
    environment: "Production",
    productionInstanceRef: null,
    strategy: { rollingUpdate: null },
    webhook: null,
    probes: null,
    affinity: null,
    readOnlySqlAccess: null,
    extraVolumes: null,
    jobDefaults: null,
  },
};

interface Change {
  readonly from: Spec;
  readonly initialized?: true;
  /** What the status says that the data is under. */
  readonly databaseName?: string;
  readonly to: Spec;
  /** Absent: the change is accepted. */
  readonly message?: string;
}

const SHRINKS = "filestore.storageSize can only be increased, because volumes cannot shrink: set the former size";
const RENAMED = "spec.database.name cannot change once the database exists: set the former name";

const CHANGES: Readonly<Record<string, Change>> = {
  "storage shrinks": {
    from: { filestore: { storageSize: "10Gi" } },
    to: { filestore: { storageSize: "9Gi" } },
    message: SHRINKS,
  },
  "storage shrinks from text to a number": {
    from: { filestore: { storageSize: "10Gi" } },
    to: { filestore: { storageSize: 1000 } },
    message: SHRINKS,
  },
  "storage shrinks in a unit that sounds larger": {
    from: { filestore: { storageSize: "1Ti" } },
    to: { filestore: { storageSize: "1T" } },
    message: SHRINKS,
  },
  "storage grows": { from: { filestore: { storageSize: "10Gi" } }, to: { filestore: { storageSize: "0.1Ti" } } },
  "storage is the same in another unit": {
    from: { filestore: { storageSize: "10Gi" } },
    to: { filestore: { storageSize: 10737418240 } },
  },
  "storage is left to the default again": {
    from: { filestore: { storageSize: "10Gi" } },
    to: { filestore: { storageSize: null } },
  },
  "an existing database gets another name": {
    from: { database: { name: "one" } },
    initialized: true,
    to: { database: { name: "two" } },
    message: RENAMED,
  },
  "an existing database loses its name": {
    from: { database: { name: "one" } },
    initialized: true,
    to: {},
    message: RENAMED,
  },
  "an existing database gets its first name": {
    from: { database: { name: null } },
    initialized: true,
    to: { database: { name: "two" } },
    message: RENAMED,
  },
  "an existing database gets back the name that its data is under": {
    from: { database: { name: "two" } },
    initialized: true,
    databaseName: "one",
    to: { database: { name: "one" } },
  },
  "a database that does not exist gets another name": {
    from: { database: { name: "one" } },
    to: { database: { name: "two" } },
  },
  "an existing database keeps its name": {
    from: { database: { name: "one" } },
    initialized: true,
    to: { database: { name: "one", cluster: "other" }, replicas: 2 },
  },
  "no name is said in another way": { from: { database: { name: null } }, initialized: true, to: { database: {} } },
};

const NAMES: Readonly<Record<string, { readonly name: string; readonly refused: boolean }>> = {
  "has 59 characters": { name: "a".repeat(59), refused: true },
  "begins with a digit": { name: "1shop", refused: true },
  "has a dot": { name: "shop.blue", refused: true },
  "has 58 characters": { name: "a".repeat(58), refused: false },
  "is one letter": { name: "x", refused: false },
};

Deno.test("crds/ are accepted by a real API server, and do what they say, when nothing was there before", async (t) => {
  await using server = await startBareApiServer();
  const client = createClient(server.access, { fieldManager: "crd-test" });
  try {
    for (const crd of await committedCrds()) await establish(client, crd);
    await namesAreJudged(client, t);
    await creationIsJudged(client, t);
    await changesAreJudged(client, t);
    await valuesAreKept(client, t);
  } finally {
    client.close();
  }
});

async function namesAreJudged(client: Client, t: Deno.TestContext): Promise<void> {
  for (const [sentence, { name, refused }] of Object.entries(NAMES)) {
    await t.step(`OdooInstance is ${refused ? "refused" : "accepted"} when its name ${sentence}`, async () => {
      const create = () => client.create(INSTANCES, manifest("OdooInstance", { name }));
      if (refused) await assertInvalid(create, "metadata.name must be at most 58 lower-case letters");
      else await create();
    });
  }
}

async function creationIsJudged(client: Client, t: Deno.TestContext): Promise<void> {
  for (const [number, [sentence, spec]] of Object.entries(ACCEPTED).entries()) {
    await t.step(`OdooInstance is accepted when ${sentence}`, async () => {
      await client.create(INSTANCES, manifest("OdooInstance", { name: `accepted-${number}`, spec }));
    });
  }
  for (const [sentence, { kind = "OdooInstance", spec, message }] of Object.entries(REFUSED)) {
    await t.step(`${kind} is refused with the reason when ${sentence}`, async () => {
      await assertInvalid(() => client.create(typeOf(kind), manifest(kind, { name: "refused", spec })), message);
    });
  }
}

async function changesAreJudged(client: Client, t: Deno.TestContext): Promise<void> {
  for (const kind of Object.keys(MINIMAL)) await client.create(typeOf(kind), manifest(kind, { name: "changing" }));
  for (const [sentence, { kind = "OdooInstance", spec, message }] of Object.entries(REFUSED)) {
    await t.step(`${kind} is refused its change with the reason when ${sentence}`, async () => {
      const { spec: value } = manifest(kind, { name: "changing", spec });
      const change = [{ op: "replace", path: "/spec", value }] as const;
      await assertInvalid(
        () => client.patch(typeOf(kind), { name: "changing", namespace: NAMESPACE }, change),
        message,
      );
    });
  }
  for (
    const [number, [sentence, { from, initialized, databaseName, to, message }]] of Object.entries(CHANGES).entries()
  ) {
    await t.step(`OdooInstance is ${message ? "refused its change" : "changed"} when ${sentence}`, async () => {
      const object = { name: `change-${number}`, namespace: NAMESPACE };
      await client.create(INSTANCES, manifest("OdooInstance", { ...object, spec: from }));
      if (initialized) {
        const status = { dbInitialized: true, ...(databaseName ? { databaseName } : {}) };
        const facts = [{ op: "add", path: "/status", value: status }] as const;
        await client.patch(INSTANCES, object, facts, { subresource: "status" });
      }
      const { spec: value } = manifest("OdooInstance", { ...object, spec: to });
      const change = () => client.patch(INSTANCES, object, [{ op: "replace", path: "/spec", value }]);
      if (message) await assertInvalid(change, message);
      else await change();
    });
  }
}

async function valuesAreKept(client: Client, t: Deno.TestContext): Promise<void> {
  await t.step("OdooInstance keeps quantities as numbers when they are written so", async () => {
    const spec = parse("{resources: {limits: {cpu: 2, memory: 4Gi}}, filestore: {storageSize: 10737418240}}");
    const stored = await client.create(INSTANCES, manifest("OdooInstance", { name: "quantities", spec }));
    assertEquals([stored.spec.resources, stored.spec.filestore], [spec.resources, spec.filestore]);
  });
  await t.step("OdooInstance gets its defaults when fields are absent", async () => {
    const spec = { database: {}, probes: {} };
    const stored = await client.create(INSTANCES, manifest("OdooInstance", { name: "defaults", spec }));
    assertEquals(stored.spec, {
      ...MINIMAL.OdooInstance,
      replicas: 1,
      cron: { replicas: 1 },
      init: { enabled: true, modules: ["base"], demo: false },
      environment: "Staging",
      deletionPolicy: "Delete",
      database: { missingPolicy: "Ignore" },
      probes: { startupPath: "/web/health", livenessPath: "/web/health", readinessPath: "/web/health" },
    });
  });
  await t.step("OdooInstance keeps its operation in status when one is in progress", async () => {
    const operation = { kind: "OdooInitJob", name: "i", uid: "u-1", jobName: "j", stage: "s", attempt: 1 };
    const status = { phase: "Initializing", observedGeneration: 1, operation };
    const stored = await withStatus(client, "OdooInstance", status);
    assertEquals([stored?.operation, stored?.observedGeneration], [operation, 1]);
  });
  for (const kind of ["OdooInitJob", "OdooBackupJob", "OdooRestoreJob", "OdooUpgradeJob", "OdooStagingRefreshJob"]) {
    await t.step(`${kind} keeps progress, summary and log in status, and is found by its target`, async () => {
      const status = {
        phase: "Running",
        observedGeneration: 1,
        progress: {
          step: "uploading",
          done: 5,
          total: 3_000_000_000,
          unit: "bytes",
          updatedAt: "2026-11-21T08:00:00Z",
        },
        summary: { tables: 612, modules: { sale: "installed" }, checksums: ["a", "b"] },
        logTail: "INFO: done\n",
      };
      const stored = await withStatus(client, kind, status);
      assertEquals({ ...status, ...stored }, stored);
      const fieldSelector = "spec.odooInstanceRef.name=shop,status.phase=Running";
      const { items } = await client.list(typeOf(kind), { namespace: NAMESPACE, fieldSelector });
      assertEquals(items.map(({ metadata }) => metadata.name), ["status"]);
    });
  }
}

const JOB_SPECS: Readonly<Record<string, Spec>> = {
  OdooInitJob: {},
  OdooBackupJob: { destination: S3 },
  OdooRestoreJob: { source: { type: "s3", s3: S3 } },
  OdooUpgradeJob: { modules: ["sale"] },
  OdooStagingRefreshJob: { source: { instanceName: "production" } },
};

async function withStatus(client: Client, kind: string, status: object): Promise<Manifest["status"]> {
  const spec = kind in JOB_SPECS ? { odooInstanceRef: { name: "shop" }, ...JOB_SPECS[kind] } : {};
  const object = { name: "status", namespace: NAMESPACE };
  await client.create(typeOf(kind), manifest(kind, { ...object, spec }));
  const patched = await client.patch(typeOf(kind), object, [{ op: "add", path: "/status", value: status }], {
    subresource: "status",
  });
  return patched.status;
}

function manifest(kind: string, { name, spec = {} }: { readonly name: string; readonly spec?: Spec }): Manifest {
  return { kind, metadata: { name, namespace: NAMESPACE }, spec: { ...MINIMAL[kind], ...spec } };
}
