/** Children on a real API server: accepted, restored whatever is done to them, and never somebody else's. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  conditionOf,
  ConfigMap,
  Deployment,
  HttpRoute,
  Ingress,
  type JsonPatchOperation,
  type KubeObject,
  PersistentVolumeClaim,
  PodDisruptionBudget,
  type ResourceType,
  Secret,
  Service,
  type Stored,
} from "../../src/kit/mod.ts";
import { OPERATOR_NAMESPACE } from "../../dev/operator.ts";
import type { OdooInstance } from "../../src/odoo/crd/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { httpRouteCrd } from "../support/http_route_crd.ts";
import { type Rig, startRig } from "../support/rig.ts";

let rig: Rig;

Deno.test.beforeAll(async () => {
  // A cluster of its own: it changes the CRD of HTTPRoutes.
  rig = await startRig({ cluster: {}, operator: { args: ["--allowed-pull-secrets=registry,opaque"] } });
});
Deno.test.afterAll(() => rig?.stop());

const CustomResourceDefinition: ResourceType = {
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
};
const Namespace: ResourceType = { group: "", version: "v1", kind: "Namespace", plural: "namespaces" };

/** The object, or `undefined` where there is none. */
async function find<T extends KubeObject>(type: ResourceType<T>, namespace: string, name: string) {
  const { items } = await rig.client.list(type, { namespace, fieldSelector: `metadata.name=${name}` });
  return items[0];
}

function patch(type: ResourceType, namespace: string, name: string, operations: readonly JsonPatchOperation[]) {
  return rig.client.patch(type, { namespace, name }, operations);
}

async function condition(namespace: string, name: string, type: string, reason: string) {
  return await eventually(`${name} says ${type} ${reason}`, async () => {
    const { status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
    const seen = conditionOf(status?.conditions, type);
    if (seen?.reason !== reason) throw new Error(`${status?.phase}: ${seen?.reason}: ${seen?.message}`);
    return seen;
  });
}

Deno.test("an instance with every option becomes Running under the restricted Pod Security level", async () => {
  const namespace = await rig.namespace();
  await rig.client.apply(Namespace, {
    metadata: { name: namespace, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
  });
  await rig.client.create(ConfigMap, { metadata: { name: "fonts", namespace }, data: { "a.ttf": "x" } });
  await rig.create(namespace, "full", {
    replicas: 2,
    imagePullPolicy: "Always",
    ingress: {
      hosts: ["full.example.com", "*.example.org"],
      issuer: "letsencrypt",
      class: "nginx",
      annotations: { "nginx.ingress.kubernetes.io/proxy-body-size": "2g" },
    },
    service: { type: "NodePort" },
    filestore: { storageSize: "1.5Gi", accessModes: ["ReadWriteOnce"] },
    configOptions: { workers: "2", limit_time_real: "600" },
    podAnnotations: { team: "web" },
    topologySpreadConstraints: [{
      maxSkew: 1,
      topologyKey: "kubernetes.io/hostname",
      whenUnsatisfiable: "ScheduleAnyway",
    }],
    extraVolumes: [{ name: "fonts", configMap: { name: "fonts" } }],
    extraVolumeMounts: [{ name: "fonts", mountPath: "/usr/share/fonts/own" }],
    jobDefaults: { resources: { requests: { cpu: "10m" } } },
  });
  const { status } = await rig.inPhase(namespace, "full", "Running");
  assertEquals(conditionOf(status?.conditions, "FilestoreShared")?.reason, "OneNode");
  const ingress = await rig.client.get(Ingress, { namespace, name: "full" });
  assertEquals(ingress.spec?.tls, [{ hosts: ["full.example.com", "*.example.org"], secretName: "full-tls" }]);
  assertEquals(ingress.metadata.annotations?.["nginx.ingress.kubernetes.io/proxy-body-size"], "2g");
  assertEquals(
    ingress.spec?.rules?.map(({ http }) => http?.paths.map(({ backend }) => backend.service?.port?.number)),
    [[8072, 8069, 8069], [8072, 8069, 8069]],
  );
  assertEquals((await rig.client.get(Service, { namespace, name: "full" })).spec?.type, "NodePort");
  const claim = await rig.client.get(PersistentVolumeClaim, { namespace, name: "full-filestore-pvc" });
  assertEquals(claim.spec?.accessModes, ["ReadWriteOnce"]);
  const web = await rig.client.get(Deployment, { namespace, name: "full" });
  assertEquals(web.spec?.template.spec?.terminationGracePeriodSeconds, 615);
  // It is steady: what the API server adds to our objects is no reason to write them again.
  const versions = () =>
    Promise.all(
      CHILDREN.map(async ([type, child]) => (await find(type, namespace, `full${child}`))?.metadata.resourceVersion),
    );
  const before = await versions();
  await patch(OdooInstanceKind, namespace, "full", [{
    op: "add",
    path: "/metadata/annotations",
    value: { touched: "1" },
  }]);
  await patch(OdooInstanceKind, namespace, "full", [{
    op: "add",
    path: "/spec/probes",
    value: { readinessPath: "/web/health" },
  }]);
  await eventually("the change is seen", async () => {
    const { metadata, status } = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name: "full" });
    return status?.observedGeneration === metadata.generation;
  });
  assertEquals(await versions(), before);
});

/** Every child that is made for an instance with two web pods, and an edit that the operator must take back. */
const CHILDREN: readonly (readonly [ResourceType, string, JsonPatchOperation])[] = [
  [Service, "", { op: "replace", path: "/spec/selector", value: { app: "evil" } }],
  [Service, "-blocked", { op: "replace", path: "/spec/selector", value: { app: "firm" } }],
  [Ingress, "", { op: "replace", path: "/spec/rules/0/http/paths/0/path", value: "/evil" }],
  [ConfigMap, "-odoo-conf", { op: "replace", path: "/data/db_host", value: "evil.example.com" }],
  [PodDisruptionBudget, "", { op: "replace", path: "/spec/maxUnavailable", value: 2 }],
  [Deployment, "", { op: "replace", path: "/spec/template/spec/containers/0/image", value: "odoo:evil" }],
  [Deployment, "-cron", { op: "replace", path: "/spec/replicas", value: 0 }],
];

function valueAt(object: unknown, path: string): unknown {
  return path.split("/").slice(1).reduce<unknown>((value, key) => (value as Record<string, unknown>)?.[key], object);
}

Deno.test("every child that is edited, label-stomped, owner-stripped or deleted is restored", async () => {
  const namespace = await rig.namespace();
  const { metadata: { uid } } = await rig.create(namespace, "firm", { replicas: 2 });
  await rig.inPhase(namespace, "firm", "Running");
  for (const [type, suffix, edit] of CHILDREN) {
    const name = `firm${suffix}`;
    const what = `${type.kind} ${name}`;
    const original = await rig.client.get(type, { namespace, name });
    const restored = (how: string, isSo: (now: Stored<KubeObject>) => boolean) =>
      eventually(`${what} is restored after ${how}`, async () => isSo(await rig.client.get(type, { namespace, name })));
    await patch(type, namespace, name, [edit]);
    const wanted = JSON.stringify(valueAt(original, edit.path));
    await restored("an edit", (now) => JSON.stringify(valueAt(now, edit.path)) === wanted);
    await patch(type, namespace, name, [{ op: "replace", path: "/metadata/labels", value: { app: "evil" } }]);
    await restored("stomped labels", ({ metadata: { labels } }) => labels?.["bemade.org/instance"] === "firm");
    await patch(type, namespace, name, [{ op: "remove", path: "/metadata/ownerReferences" }]);
    await restored("a stripped owner", (now) => now.metadata.ownerReferences?.[0]?.uid === uid);
    await rig.client.delete(type, { namespace, name });
    await eventually(`${what} is made again`, async () => {
      const now = await find(type, namespace, name);
      return now && now.metadata.uid !== original.metadata.uid;
    });
  }
  await rig.inPhase(namespace, "firm", "Running");
});

Deno.test("the Secrets get their labels back, and the role keeps its password", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "kept");
  await rig.inPhase(namespace, "kept", "Running");
  for (const name of ["kept-odoo-user", "kept-odoo-conf"]) {
    const { data } = await rig.client.get(Secret, { namespace, name });
    await patch(Secret, namespace, name, [{ op: "remove", path: "/metadata/labels" }]);
    const now = await eventually(`Secret ${name} has its label`, async () => {
      const secret = await rig.client.get(Secret, { namespace, name });
      return secret.metadata.labels?.["bemade.org/instance"] === "kept" && secret;
    });
    assertEquals(now.data?.password, data?.password);
  }
});

Deno.test("the budget goes when one web pod is enough, and comes back", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "lone", { replicas: 1 });
  await rig.inPhase(namespace, "lone", "Running");
  assertEquals(await find(PodDisruptionBudget, namespace, "lone"), undefined);
  await patch(OdooInstanceKind, namespace, "lone", [{ op: "replace", path: "/spec/replicas", value: 2 }]);
  await eventually("a budget", () => find(PodDisruptionBudget, namespace, "lone"));
  await patch(OdooInstanceKind, namespace, "lone", [{ op: "replace", path: "/spec/replicas", value: 1 }]);
  await rig.gone(PodDisruptionBudget, namespace, "lone");
});

Deno.test("a Gateway takes the place of the Ingress as soon as its kind is there", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "gated");
  await rig.inPhase(namespace, "gated", "Running");
  await rig.client.apply(CustomResourceDefinition, httpRouteCrd({ timeouts: false }));
  await eventually("HTTPRoutes are served", () => rig.client.list(HttpRoute, { namespace }));
  await patch(OdooInstanceKind, namespace, "gated", [
    { op: "add", path: "/spec/ingress/gatewayRef", value: { name: "edge", namespace: "net" } },
  ]);
  const timeoutsAre = (what: string, want: unknown) =>
    eventually(`an HTTPRoute ${what}`, async () => {
      const route = await find(HttpRoute, namespace, "gated");
      assertEquals(route?.spec?.rules?.map(({ timeouts }) => timeouts), [want, want, want]);
      return true;
    });
  await timeoutsAre("for CRDs without timeouts", undefined);
  await rig.client.apply(CustomResourceDefinition, httpRouteCrd({ timeouts: true }));
  await eventually("timeouts come with the CRDs", async () => { // nothing but a change of ours asks again
    await patch(OdooInstanceKind, namespace, "gated", [
      { op: "add", path: "/spec/podAnnotations", value: { asked: String(performance.now()) } },
    ]);
    const route = await find(HttpRoute, namespace, "gated");
    return route?.spec?.rules?.every(({ timeouts }) => !!timeouts);
  }, { intervalMs: 250 });
  await timeoutsAre("for CRDs with timeouts", { request: "720s" });
  await rig.gone(Ingress, namespace, "gated");
  await patch(OdooInstanceKind, namespace, "gated", [{ op: "remove", path: "/spec/ingress/gatewayRef" }]);
  await eventually("an Ingress", () => find(Ingress, namespace, "gated"));
  await rig.gone(HttpRoute, namespace, "gated");
});

const DOCKER = "kubernetes.io/dockerconfigjson";
const LOGIN = { ".dockerconfigjson": btoa('{"auths":{}}') };
const OTHER_LOGIN = { ".dockerconfigjson": btoa('{"auths":{"example.com":{}}}') };

Deno.test("a pull secret is copied if its name is allowed, follows its source, and belongs to no instance", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "pulling", { imagePullSecret: "registry" });
  await condition(namespace, "pulling", "PullSecretAvailable", "PullSecretMissing");
  const address = { name: "registry", namespace: OPERATOR_NAMESPACE };
  await rig.client.create(Secret, { type: DOCKER, metadata: address, data: LOGIN });
  const copy = await eventually("a copy", () => find(Secret, namespace, "registry"));
  assertEquals([copy.type, copy.data, copy.metadata.ownerReferences], [DOCKER, LOGIN, undefined]);
  assertEquals(copy.metadata.labels?.["bemade.org/instance"], "pulling");
  await condition(namespace, "pulling", "PullSecretAvailable", "Available");
  await rig.client.patch(Secret, address, [{ op: "replace", path: "/data", value: OTHER_LOGIN }]);
  await eventually("the copy follows", async () => {
    assertEquals((await find(Secret, namespace, "registry"))?.data, OTHER_LOGIN);
    return true;
  });
  await rig.client.delete(Secret, { name: "registry", namespace });
  await eventually("the copy is back", () => find(Secret, namespace, "registry"));
});

Deno.test("no other Secret leaves the operator's namespace", async () => {
  const namespace = await rig.namespace();
  await rig.client.create(Secret, {
    type: DOCKER,
    metadata: { name: "private", namespace: OPERATOR_NAMESPACE },
    data: LOGIN,
  });
  await rig.client.create(Secret, {
    metadata: { name: "opaque", namespace: OPERATOR_NAMESPACE },
    stringData: { key: "x" },
  });
  const reasons = {
    "private": "PullSecretNotAllowed",
    "opaque": "PullSecretMissing",
    "postgres-clusters": "PullSecretNotAllowed",
  };
  for (const [imagePullSecret, reason] of Object.entries(reasons)) {
    const name = `wants-${imagePullSecret}`;
    await rig.create(namespace, name, { imagePullSecret });
    await rig.inPhase(namespace, name, "Running");
    await condition(namespace, name, "PullSecretAvailable", reason);
    assertEquals(await find(Secret, namespace, imagePullSecret), undefined);
  }
});

Deno.test("a pull secret that the namespace has of its own is left as it is", async () => {
  const namespace = await rig.namespace();
  const own = await rig.client.create(Secret, { type: DOCKER, metadata: { name: "registry", namespace }, data: LOGIN });
  await rig.create(namespace, "own", { imagePullSecret: "registry" });
  const { status } = await rig.inPhase(namespace, "own", "Running");
  assertEquals(conditionOf(status?.conditions, "PullSecretAvailable"), undefined);
  assertEquals(await find(Secret, namespace, "registry"), own);
});

Deno.test("of two instances whose children have one name the later is refused until the older is gone", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "twin");
  await rig.inPhase(namespace, "twin", "Running");
  const cron = async () => (await rig.client.get(Deployment, { namespace, name: "twin-cron" })).metadata.generation;
  const generation = await cron();
  for (const name of ["twin-cron", "twin-blocked"]) {
    await rig.create(namespace, name);
    const { status } = await rig.inPhase(namespace, name, "Error", { reason: "NameConflict" });
    assertStringIncludes(status?.message ?? "", "instance twin ");
    await condition(namespace, name, "NameConflict", "OlderInstance");
  }
  await rig.client.delete(OdooInstanceKind, { namespace, name: "twin-cron" });
  await rig.gone(OdooInstanceKind, namespace, "twin-cron");
  assertEquals(await cron(), generation);
  await rig.inPhase(namespace, "twin", "Running");
  await rig.client.delete(OdooInstanceKind, { namespace, name: "twin" });
  await rig.inPhase(namespace, "twin-blocked", "Running", { timeoutMs: 60_000 });
  await condition(namespace, "twin-blocked", "NameConflict", "NoConflict");
});

Deno.test("a foreign object of a child's name is left byte for byte", async () => {
  const namespace = await rig.namespace();
  const mine = await rig.client.create(Service, {
    metadata: { name: "taken", namespace, labels: { "bemade.org/instance": "taken" } },
    spec: { ports: [{ port: 80 }] },
  });
  await rig.create(namespace, "taken");
  await condition(namespace, "taken", "ChildrenApplied", "NameConflict");
  assertEquals(await rig.client.get(Service, { namespace, name: "taken" }), mine);
});

Deno.test("a volume without its label is out of sight, and no loss", async () => {
  const namespace = await rig.namespace();
  const { metadata: { uid } } = await rig.create(namespace, "unlabelled");
  await rig.inPhase(namespace, "unlabelled", "Running");
  const at = { namespace, name: "unlabelled-filestore-pvc" };
  const before = await rig.client.get(PersistentVolumeClaim, at);
  await patch(PersistentVolumeClaim, namespace, at.name, [{ op: "remove", path: "/metadata/labels" }]);
  const after = await eventually("the label is back", async () => {
    const claim = await rig.client.get(PersistentVolumeClaim, at);
    return claim.metadata.labels?.["bemade.org/instance"] === "unlabelled" && claim;
  });
  assertEquals(after.metadata.uid, before.metadata.uid);
  assertEquals(after.metadata.ownerReferences?.[0]?.uid, uid);
  await rig.inPhase(namespace, "unlabelled", "Running", { reason: "Running" });
});

Deno.test("the volume grows, and is never replaced by an empty one", async () => {
  const namespace = await rig.namespace();
  const { metadata: { uid } } = await rig.create(namespace, "files", { filestore: { storageSize: "1Gi" } });
  await rig.inPhase(namespace, "files", "Running");
  const at = { namespace, name: "files-filestore-pvc" };
  await patch(OdooInstanceKind, namespace, "files", [
    { op: "replace", path: "/spec/filestore/storageSize", value: "1.5Gi" },
  ]);
  await eventually("the claim asks for more", async () => {
    const { spec } = await rig.client.get(PersistentVolumeClaim, at);
    assertEquals(spec?.resources?.requests?.storage, "1536Mi");
    return true;
  });
  await patch(OdooInstanceKind, namespace, "files", [{ op: "replace", path: "/spec/replicas", value: 0 }, {
    op: "add",
    path: "/spec/cron",
    value: { replicas: 0 },
  }]);
  await rig.inPhase(namespace, "files", "Stopped");
  await rig.client.delete(PersistentVolumeClaim, at);
  await patch(PersistentVolumeClaim, namespace, at.name, [{ op: "remove", path: "/metadata/finalizers" }]).catch(
    () => {},
  );
  const lost = await rig.inPhase(namespace, "files", "Stopped", { reason: "FilestoreMissing" });
  assertStringIncludes(lost.status?.message ?? "", uid);
  assertEquals(await find(PersistentVolumeClaim, namespace, at.name), undefined);
  await rig.client.create(PersistentVolumeClaim, {
    metadata: {
      ...at,
      labels: { "bemade.org/instance": "files" },
      annotations: { "bemade.org/last-applied": `${uid}/restored` },
    },
    spec: { accessModes: ["ReadWriteMany"], storageClassName: "standard", resources: { requests: { storage: "1Gi" } } },
  });
  await rig.inPhase(namespace, "files", "Stopped", { reason: "Stopped" });
  assertEquals((await rig.client.get(PersistentVolumeClaim, at)).metadata.ownerReferences?.[0]?.uid, uid);
});
