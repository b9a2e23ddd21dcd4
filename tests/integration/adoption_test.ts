/** A fleet of odoo-operator 2.5.0 under our operator: no pod notices, until something rolls it anyway. */
import { assert, assertEquals } from "@std/assert";
import {
  conditionOf,
  ConfigMap,
  Deployment,
  Ingress,
  Job,
  type KubeObject,
  PersistentVolumeClaim,
  Pod,
  type ResourceType,
  Secret,
  Service,
} from "../../src/kit/mod.ts";
import type { OdooInstance, OdooInstanceStatus } from "../../src/odoo/crd/mod.ts";
import { jobNameOf } from "../../src/odoo/model/operations/request.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { prepareForOperator } from "../../dev/operator.ts";
import { establish, upstreamCrds } from "../support/crds.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";
import { UpstreamFleet } from "../support/upstream_fleet.ts";

const FLEET = 24;
const TIMEOUT_MS = 120_000;

const ReplicaSet: ResourceType = { group: "apps", version: "v1", kind: "ReplicaSet", plural: "replicasets" };
const CHILDREN: readonly ResourceType[] = [
  Deployment,
  ConfigMap,
  Secret,
  Service,
  Ingress,
  PersistentVolumeClaim,
  ReplicaSet,
  Pod,
  Job,
];

let rig: Rig;
let fleet: UpstreamFleet;
let shop: string;
/** `shop-0` is plain, `shop-1` is full, and so on. */
const names = Array.from({ length: FLEET }, (_, index) => `shop-${index}`);

Deno.test.beforeAll(async () => {
  rig = await startRig({ bare: true, jobs: { work: { init: () => Promise.resolve("") } } }); // 2.5.0's leave no words
  for (const crd of await upstreamCrds()) await establish(rig.client, crd);
  fleet = new UpstreamFleet(rig);
  shop = await rig.namespace();
  await Promise.all(names.map((name, index) => fleet.add(shop, name, { shape: index % 2 ? "full" : "plain" })));
  await prepareForOperator(rig.client, rig.cluster);
});
Deno.test.afterAll(async () => {
  fleet?.[Symbol.dispose]();
  await rig?.stop();
});

/** What tells of the pods: which there are, and what they are made from. */
async function podsOf(namespace: string) {
  const [pods, sets, deployments] = await Promise.all([
    rig.client.list(Pod, { namespace }),
    rig.client.list(ReplicaSet, { namespace }),
    rig.client.list(Deployment, { namespace }),
  ]);
  return {
    pods: pods.items.map(({ metadata }) => metadata.uid).sort(),
    replicaSets: sets.items.map(({ metadata }) => metadata.name).sort(),
    deployments: deployments.items.map(({ metadata, spec }) => [metadata.name, metadata.generation, spec]).sort(),
  };
}

async function configMapsOf(namespace: string) {
  const { items } = await rig.client.list(ConfigMap, { namespace });
  return Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data]));
}

/** The versions of everything in the namespace: two equal ones mean that nobody wrote anything between them. */
async function versionsOf(namespace: string) {
  const lists = await Promise.all(
    [...CHILDREN, OdooInstanceKind, OdooInitJobKind].map((type) => rig.client.list<KubeObject>(type, { namespace })),
  );
  return lists.flatMap(({ items }) =>
    items.map(({ kind, metadata }) => `${kind} ${metadata.name} ${metadata.resourceVersion}`)
  )
    .sort();
}

function instanceOf(namespace: string, name: string) {
  return rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
}

/** Waits until the condition Adopted says so. */
async function adopted(namespace: string, name: string, reason: string) {
  return await eventually(`${name} is ${reason}`, async () => {
    const { status } = await instanceOf(namespace, name);
    const condition = conditionOf(status?.conditions, "Adopted");
    if (condition?.reason === reason) return status;
    throw new Error(`phase ${status?.phase}, Adopted: ${condition?.reason}: ${condition?.message}; ${
      JSON.stringify(
        conditionOf(status?.conditions, "ChildrenApplied"),
      )
    }`);
  }, { timeoutMs: TIMEOUT_MS, intervalMs: 100 });
}

async function roleOf(namespace: string, name: string) {
  const [role] = await rig.sql(
    "select rolcreatedb, shobj_description(oid, 'pg_authid') as comment from pg_roles where rolname = $1",
    [`odoo.${namespace}.${name}`],
  );
  return role;
}

/** How many reconciles have ended. */
async function reconciles(): Promise<number> {
  const metrics = await (await fetch(`${rig.operator?.healthUrl}/metrics`)).text();
  return [...metrics.matchAll(/^controller_reconcile_total\{[^}]*\} (\d+)/gm)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );
}

Deno.test(`${FLEET} running instances are taken over without a touch of their pods, and then nothing is written`, async () => {
  const [pods, configMaps] = [await podsOf(shop), await configMapsOf(shop)];
  await rig.start();
  for (const name of names) {
    const status = await adopted(shop, name, "PodsKept");
    assertEquals([status?.phase, status?.dbInitialized], ["Running", true], name);
  }
  for (const name of names) {
    await eventually(`${name} has been taken over on PostgreSQL too, after which its status is written`, async () => {
      const { status } = await instanceOf(shop, name);
      return conditionOf(status?.conditions, "DatabaseReachable")?.status === "True";
    }, { timeoutMs: TIMEOUT_MS });
  }
  await rig.kill();
  const versions = await versionsOf(shop);
  await rig.start(); // with nothing in its memory it looks at all of them again
  await eventually("all are reconciled", async () => await reconciles() >= FLEET, { timeoutMs: TIMEOUT_MS });
  await rig.kill();
  assertEquals(await versionsOf(shop), versions);
  assertEquals(await podsOf(shop), pods);
  assertEquals(await configMapsOf(shop), configMaps);
  for (const name of names) {
    const { metadata } = await instanceOf(shop, name);
    assertEquals(JSON.parse(String((await roleOf(shop, name))?.comment))["bemade.org/owner"], metadata.uid);
    assertEquals((await roleOf(shop, name))?.rolcreatedb, true);
  }
  assertEquals((await rig.client.list(OdooInitJobKind, { namespace: shop })).items, []);
  await rig.start();
});

Deno.test("every field that 2.5.0 wrote is ours by apply, and by nothing else", async () => {
  for (const name of names) {
    const objects = [
      await instanceOf(shop, name),
      await rig.client.get(Deployment, { namespace: shop, name }),
      await rig.client.get(Deployment, { namespace: shop, name: `${name}-cron` }),
      await rig.client.get(ConfigMap, { namespace: shop, name: `${name}-odoo-conf` }),
    ];
    for (const { kind, metadata } of objects) {
      const ours = metadata.managedFields?.filter(({ manager }) => manager === "odoo-operator");
      assertEquals(ours?.map(({ operation }) => operation), ["Apply"], `${kind} ${metadata.name}`);
    }
  }
});

Deno.test("more pods are no roll: those that there are stay, and the new ones are like them", async () => {
  const before = await podsOf(shop);
  await rig.client.patch(OdooInstanceKind, { namespace: shop, name: "shop-0" }, [
    { op: "replace", path: "/spec/replicas", value: 3 },
  ]);
  await eventually("there is a third pod", async () => {
    const { status } = await rig.client.get(Deployment, { namespace: shop, name: "shop-0" });
    return status?.readyReplicas === 3;
  }, { timeoutMs: TIMEOUT_MS });
  const after = await podsOf(shop);
  assertEquals(after.replicaSets, before.replicaSets);
  assert(before.pods.every((uid) => after.pods.includes(uid)));
  await adopted(shop, "shop-0", "PodsKept");
});

/** Waits until the instance has nothing left of 2.5.0, and looks that it has not. */
async function assertSwitched(namespace: string, name: string): Promise<void> {
  await adopted(namespace, name, "Switched");
  const { data } = await rig.client.get(ConfigMap, { namespace, name: `${name}-odoo-conf` });
  assertEquals(Object.keys(data ?? {}).sort(), ["db_host", "db_name", "db_port", "db_user"]);
  assertEquals((await roleOf(namespace, name))?.rolcreatedb, false);
  for (const called of [name, `${name}-cron`]) {
    const { metadata, spec } = await rig.client.get(Deployment, { namespace, name: called });
    const volumes = spec?.template.spec?.volumes?.map(({ configMap, secret }) => [configMap?.name, secret?.secretName]);
    assertEquals(volumes?.at(-1), [undefined, `${name}-odoo-conf`]);
    const { items } = await rig.client.list<KubeObject>(ReplicaSet, { namespace });
    const sets = items.filter((set) => set.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid));
    assertEquals(sets.length, 2, `${called} was rolled once`);
  }
}

Deno.test("a change that rolls the pods switches everything at once, in one roll", async () => {
  await rig.client.patch(OdooInstanceKind, { namespace: shop, name: "shop-0" }, [
    { op: "replace", path: "/spec/image", value: "odoo:18.0-20261101" },
  ]);
  await rig.client.patch(OdooInstanceKind, { namespace: shop, name: "shop-1" }, [
    { op: "replace", path: "/spec/configOptions/workers", value: "2" },
    { op: "replace", path: "/spec/strategy", value: { type: "Recreate" } },
  ]);
  for (const name of ["shop-0", "shop-1"]) await assertSwitched(shop, name);
  const { spec } = await rig.client.get(Deployment, { namespace: shop, name: "shop-1" });
  assertEquals(spec?.strategy, { type: "Recreate" });
  await rig.inPhase(shop, "shop-0", "Running");
  await rig.inPhase(shop, "shop-1", "Running");
  await adopted(shop, "shop-2", "PodsKept");
});

Deno.test("a new password of the role reaches the pods of 2.5.0 by a roll", async () => {
  await rig.client.delete(Secret, { namespace: shop, name: "shop-2-odoo-user" });
  await assertSwitched(shop, "shop-2");
});

Deno.test("--adopted-instances=switch switches those that are left, and no ConfigMap holds a password", async () => {
  await rig.kill();
  await rig.start({ args: ["--adopted-instances=switch"] });
  for (const name of names) await assertSwitched(shop, name);
  for (const [name, data] of Object.entries(await configMapsOf(shop))) {
    if (name.endsWith("-odoo-conf")) assert(!JSON.stringify(data).includes("password"), name);
  }
  await rig.kill();
  await rig.start();
});

async function assertNothingLeft(namespace: string, name: string): Promise<void> {
  await rig.gone(OdooInstanceKind, namespace, name);
  assertEquals(await roleOf(namespace, name), undefined);
  assertEquals(
    await rig.sql("select 1 from pg_database where pg_get_userbyid(datdba) = $1", [`odoo.${namespace}.${name}`]),
    [],
  );
  for (const child of [Deployment, Service, Ingress]) await rig.gone(child, namespace, name);
  await rig.gone(ConfigMap, namespace, `${name}-odoo-conf`);
  await rig.gone(PersistentVolumeClaim, namespace, `${name}-filestore-pvc`);
  for (const secret of ["odoo-user", "odoo-conf"]) await rig.gone(Secret, namespace, `${name}-${secret}`);
}

Deno.test("deleting an instance of 2.5.0 leaves nothing, before, while and after it is taken over", async () => {
  const namespace = await rig.namespace();
  await rig.kill();
  await fleet.add(namespace, "kept", { shape: "full" });
  await rig.start();
  await adopted(namespace, "kept", "PodsKept");
  await rig.kill();
  await fleet.add(namespace, "unseen", { shape: "plain" });
  await fleet.add(namespace, "older", { shape: "plain", finalizers: ["kopf.zalando.org/KopfFinalizerMarker"] });
  await fleet.add(namespace, "nothing-yet", { shape: "plain", database: false, status: {} });
  for (const name of ["kept", "unseen", "older", "nothing-yet"]) {
    await rig.client.delete(OdooInstanceKind, { namespace, name });
  }
  await rig.start();
  for (const name of ["kept", "unseen", "older", "nothing-yet"]) await assertNothingLeft(namespace, name);
});

Deno.test("the finalizer of the operator before 2.5.0 gives way to ours", async () => {
  const namespace = await rig.namespace();
  await rig.kill();
  await fleet.add(namespace, "older", {
    shape: "plain",
    finalizers: ["kopf.zalando.org/KopfFinalizerMarker", "example.com/other"],
  });
  await rig.start();
  await adopted(namespace, "older", "PodsKept");
  const { metadata } = await instanceOf(namespace, "older");
  assertEquals(metadata.finalizers, ["example.com/other", "bemade.org/postgres-cleanup"]);
});

Deno.test("an initialisation that 2.5.0 began is waited for, and its database is never initialised again", async () => {
  const namespace = await rig.namespace();
  await rig.kill();
  const begun = await fleet.add(namespace, "begun", {
    shape: "plain",
    status: { phase: "Initializing", dbInitialized: false, activeCluster: "main" } as OdooInstanceStatus,
  });
  const job = await fleet.beginInit(begun);
  await fleet.add(namespace, "half", {
    shape: "plain",
    status: { phase: "Uninitialized", dbInitialized: false, activeCluster: "main" } as OdooInstanceStatus,
  });
  await rig.start();
  await rig.inPhase(namespace, "begun", "Running", { timeoutMs: TIMEOUT_MS });
  const half = await rig.inPhase(namespace, "half", "Uninitialized", {
    reason: "DatabaseUnfinished",
    timeoutMs: TIMEOUT_MS,
  });
  assertEquals(half.status?.dbInitialized, false);
  const { items: crs } = await rig.client.list(OdooInitJobKind, { namespace });
  assertEquals(crs.map((cr) => [cr.metadata.name, cr.status?.phase, jobNameOf(cr)]), [
    ["begun-auto-init", "Completed", job.metadata.name],
  ]);
  const { items: jobs } = await rig.client.list(Job, { namespace });
  assertEquals(jobs.map(({ metadata }) => metadata.name), [job.metadata.name]);
});
