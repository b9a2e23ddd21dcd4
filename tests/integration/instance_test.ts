/** The main job on a real API server and a real PostgreSQL: one YAML becomes Running, scales, heals, and goes. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  ConfigMap,
  createClient,
  type Deployment,
  Deployment as Deployments,
  Ingress,
  Job,
  PersistentVolumeClaim,
  Pod,
  type ResourceType,
  Secret,
  Service,
} from "../../src/kit/mod.ts";
import type { OdooInitJob, OdooInstance } from "../../src/odoo/crd/mod.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { failingFor, type Rig, startRig } from "../support/rig.ts";

let rig: Rig;
const failing = new Set<string>();

Deno.test.beforeAll(async () => {
  rig = await startRig({ jobs: failingFor(failing, "module shop_x: not found") });
});
Deno.test.afterAll(() => rig?.stop());

Deno.test("an OdooInstance becomes Running, with everything it needs", async () => {
  const namespace = await rig.namespace();
  const { metadata: { uid } } = await rig.create(namespace, "shop", {
    replicas: 2,
    environment: "Production",
    init: { modules: ["base", "sale"] },
  });
  const { status, spec } = await rig.inPhase(namespace, "shop", "Running");
  assertEquals([
    status?.ready,
    status?.readyReplicas,
    status?.dbInitialized,
    status?.url,
    status?.activeCluster,
    status?.operation,
  ], [true, 2, true, "https://shop.example.com", "main", undefined]);
  assertEquals([spec.image, spec.filestore?.storageClass, spec.filestore?.storageSize], [
    "odoo:18.0",
    "standard",
    "2Gi",
  ]);

  const database = `odoo_${uid.replaceAll("-", "_")}`;
  const modules = await rig.sql(
    "select name from ir_module_module where state = 'installed' order by name",
    [],
    database,
  );
  assertEquals(modules.map(({ name }) => name), ["base", "sale"]);
  const [role] = await rig.sql("select rolcreatedb, rolsuper from pg_roles where rolname = $1", [
    `odoo.${namespace}.shop`,
  ]);
  assertEquals(role, { rolcreatedb: false, rolsuper: false });

  const children: readonly (readonly [ResourceType, string])[] = [
    [Service, "shop"],
    [Ingress, "shop"],
    [ConfigMap, "shop-odoo-conf"],
    [Secret, "shop-odoo-conf"],
    [Secret, "shop-odoo-user"],
    [PersistentVolumeClaim, "shop-filestore-pvc"],
    [Deployments, "shop-cron"],
  ];
  for (const [type, name] of children) {
    const { metadata } = await rig.client.get(type, { namespace, name });
    assertEquals([metadata.ownerReferences?.map((owner) => owner.uid), metadata.labels?.["bemade.org/instance"]], [[
      uid,
    ], "shop"], `${type.kind} ${name}`);
  }
  const init = await rig.client.get<OdooInitJob>(OdooInitJobKind, { namespace, name: "shop-auto-init" });
  assertEquals(init.status?.phase, "Completed");
  const job = await eventually("the Job is released", async () => {
    const job = await rig.client.get(Job, { namespace, name: init.status?.jobName ?? "" });
    return !job.metadata.finalizers?.includes("bemade.org/outcome") && job;
  });
  assertEquals(job.spec?.ttlSecondsAfterFinished, 900);
});

Deno.test("an instance leaves no secret where secrets do not belong", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "quiet");
  const instance = await rig.inPhase(namespace, "quiet", "Running");
  const user = await rig.client.get(Secret, { namespace, name: "quiet-odoo-user" });
  const config = await rig.client.get(Secret, { namespace, name: "quiet-odoo-conf" });
  const password = atob(user.data?.password ?? "");
  const file = atob(config.data?.["odoo.conf"] ?? "");
  assertEquals(password.length, 48);
  assertStringIncludes(file, "admin_passwd = $pbkdf2-sha512$");
  const kinds: readonly ResourceType[] = [ConfigMap, Deployments, Job, Pod, Service, Ingress];
  const objects = kinds.map((type) => rig.client.list(type, { namespace }));
  const text = JSON.stringify([...await Promise.all(objects), instance.status]) +
    await Deno.readTextFile(rig.operator?.process.logPath ?? "");
  for (
    const secret of [password, "secret-admin-password", rig.cluster.postgres.adminPassword, config.data?.salt ?? "?"]
  ) assert(!text.includes(secret), "a secret is in an object, the status or the log");
  assert(!file.includes(password), "the role's password is in odoo.conf");
});

Deno.test("a user may apply a field that the operator has defaulted: nobody owns it", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "mine");
  const { metadata } = await rig.inPhase(namespace, "mine", "Running");
  assertEquals(
    metadata.managedFields?.filter(({ manager, operation, subresource }) =>
      manager === "odoo-operator" && operation === "Update" && !subresource
    ),
    [],
  );
  const user = createClient(rig.cluster.access, { fieldManager: "somebody" });
  try {
    const wish = {
      metadata: { name: "mine", namespace },
      spec: { filestore: { storageSize: "3Gi" }, image: "odoo:19.0" },
    } as OdooInstance;
    await user.apply<OdooInstance>(OdooInstanceKind, wish, { force: false });
  } finally {
    user.close();
  }
  await eventually(
    "the new image is used",
    async () =>
      (await rig.client.get<Deployment>(Deployments, { namespace, name: "mine" })).spec?.template.spec?.containers[0]
        ?.image === "odoo:19.0",
  );
});

Deno.test("spec.replicas is followed up, down, to zero and back", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "elastic");
  await rig.inPhase(namespace, "elastic", "Running");
  const scale = (value: number) =>
    rig.client.patch(OdooInstanceKind, { namespace, name: "elastic" }, [{
      op: "replace",
      path: "/spec/replicas",
      value,
    }]);
  await scale(3);
  await eventually(
    "three ready pods",
    async () => (await rig.client.get(OdooInstanceKind, { namespace, name: "elastic" })).status?.readyReplicas === 3,
  );
  await scale(0);
  const stopped = await rig.inPhase(namespace, "elastic", "Stopped");
  assertEquals([stopped.status?.ready, stopped.status?.targetReplicas], [false, 0]);
  for (const name of ["elastic", "elastic-cron"]) {
    await eventually(`${name} has no pods`, async () => {
      const { spec } = await rig.client.get<Deployment>(Deployments, { namespace, name });
      return spec?.replicas === 0;
    });
  }
  await scale(1);
  await rig.inPhase(namespace, "elastic", "Running");
});

Deno.test("an instance is Degraded while some pods are missing, and heals", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "limping", { replicas: 2 });
  await rig.inPhase(namespace, "limping", "Running");
  // The scheduler can place no third pod: it wants a node that does not exist.
  const affinity = {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: "moon", operator: "Exists" }] }],
      },
    },
  };
  const patch = (operations: Parameters<typeof rig.client.patch>[2]) =>
    rig.client.patch(OdooInstanceKind, { namespace, name: "limping" }, operations);
  await patch([{
    op: "add",
    path: "/spec/strategy",
    value: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "1", maxSurge: "0" } },
  }, { op: "add", path: "/spec/affinity", value: affinity }]);
  await rig.inPhase(namespace, "limping", "Degraded");
  await patch([{ op: "remove", path: "/spec/affinity" }]);
  await rig.inPhase(namespace, "limping", "Running");
});

Deno.test("a child that is edited or deleted comes back", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "steady");
  await rig.inPhase(namespace, "steady", "Running");
  const before = await rig.client.get(Service, { namespace, name: "steady" });
  await rig.client.delete(Service, { namespace, name: "steady" });
  await eventually(
    "a new Service",
    async () => (await rig.client.get(Service, { namespace, name: "steady" })).metadata.uid !== before.metadata.uid,
  );
  await rig.client.patch(Deployments, { namespace, name: "steady" }, [{
    op: "replace",
    path: "/spec/template/spec/containers/0/image",
    value: "odoo:evil",
  }]);
  await eventually(
    "the image is back",
    async () =>
      (await rig.client.get<Deployment>(Deployments, { namespace, name: "steady" })).spec?.template.spec?.containers[0]
        ?.image === "odoo:18.0",
  );
});

Deno.test("a deleted instance takes role, database and children along", async () => {
  const namespace = await rig.namespace();
  const { metadata: { uid } } = await rig.create(namespace, "mortal");
  await rig.inPhase(namespace, "mortal", "Running");
  await rig.client.delete(OdooInstanceKind, { namespace, name: "mortal" });
  await rig.gone(OdooInstanceKind, namespace, "mortal");
  assertEquals(await rig.sql("select 1 from pg_roles where rolname = $1", [`odoo.${namespace}.mortal`]), []);
  assertEquals(await rig.sql("select 1 from pg_database where datname = $1", [`odoo_${uid.replaceAll("-", "_")}`]), []);
  for (const [type, name] of [[Deployments, "mortal"], [Secret, "mortal-odoo-user"], [Service, "mortal"]] as const) {
    await rig.gone(type, namespace, name);
  }
});

Deno.test("an instance deleted while Initializing goes, with its Job", async () => {
  const namespace = await rig.namespace();
  const { metadata: { uid } } = await rig.create(namespace, "brief");
  await rig.inPhase(namespace, "brief", "Initializing");
  await rig.client.delete(OdooInstanceKind, { namespace, name: "brief" });
  await rig.gone(OdooInstanceKind, namespace, "brief");
  await eventually("no Job is left", async () => (await rig.client.list(Job, { namespace })).items.length === 0);
  assertEquals(await rig.sql("select 1 from pg_database where datname = $1", [`odoo_${uid.replaceAll("-", "_")}`]), []);
});

Deno.test("a failing init Job leads to InitFailed with its words, and a new OdooInitJob out of it", async () => {
  const namespace = await rig.namespace();
  failing.add("unlucky");
  await rig.create(namespace, "unlucky");
  const failed = await rig.inPhase(namespace, "unlucky", "InitFailed", { reason: "InitFailed" });
  assertStringIncludes(failed.status?.message ?? "", "module shop_x: not found");
  assertStringIncludes(failed.status?.message ?? "", "Create a new OdooInitJob");
  const init = await rig.client.get<OdooInitJob>(OdooInitJobKind, { namespace, name: "unlucky-auto-init" });
  assertEquals(init.status?.phase, "Failed");
  failing.delete("unlucky");
  await rig.client.create<OdooInitJob>(OdooInitJobKind, {
    metadata: { name: "again", namespace },
    spec: { odooInstanceRef: { name: "unlucky" } },
  });
  await rig.inPhase(namespace, "unlucky", "Running");
});

Deno.test("an OdooInitJob for an instance that is initialised is refused with the reason", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "done");
  await rig.inPhase(namespace, "done", "Running");
  await rig.client.create<OdooInitJob>(OdooInitJobKind, {
    metadata: { name: "twice", namespace },
    spec: { odooInstanceRef: { name: "done" } },
  });
  const refused = await eventually("the CR is Failed", async () => {
    const cr = await rig.client.get<OdooInitJob>(OdooInitJobKind, { namespace, name: "twice" });
    return cr.status?.phase === "Failed" && cr;
  });
  assertStringIncludes(refused.status?.message ?? "", "initialised already");
  assertEquals((await rig.client.list(Job, { namespace })).items.length, 1);
});
