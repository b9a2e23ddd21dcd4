/** A kind that cannot be read is not a kind without objects: nothing is scaled, deleted or taken back, and it is said. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { AuditLog } from "../../dev/measure.ts";
import { Deployment, type KubeObject, type ResourceType } from "../../src/kit/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";

const USER = "half-blind";
const RBAC = { group: "rbac.authorization.k8s.io", version: "v1", namespaced: false } as const;
const ClusterRole: ResourceType = { ...RBAC, kind: "ClusterRole", plural: "clusterroles" };
const ClusterRoleBinding: ResourceType = { ...RBAC, kind: "ClusterRoleBinding", plural: "clusterrolebindings" };
const ALL_GROUPS = [
  "",
  "bemade.org",
  "batch",
  "networking.k8s.io",
  "gateway.networking.k8s.io",
  "events.k8s.io",
  "policy",
  "snapshot.storage.k8s.io",
  "storage.k8s.io",
];

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig();
});
Deno.test.afterAll(() => rig?.stop());

async function allow(groups: readonly string[]): Promise<void> {
  const rules = [{ apiGroups: groups, resources: ["*"], verbs: ["*"] }];
  await rig.client.apply(ClusterRole, { metadata: { name: USER }, rules } as KubeObject);
  await rig.client.apply(ClusterRoleBinding, {
    metadata: { name: USER },
    roleRef: { apiGroup: RBAC.group, kind: "ClusterRole", name: USER },
    subjects: [{ apiGroup: RBAC.group, kind: "User", name: USER }],
  } as KubeObject);
}

async function wantedPods(namespace: string): Promise<number | undefined> {
  return (await rig.client.get(Deployment, { namespace, name: "shop" })).spec?.replicas;
}

Deno.test("an operator that may not read Deployments touches nothing, says so, and goes on when it may", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "shop");
  await rig.inPhase(namespace, "shop", "Running");
  await rig.kill();
  await allow(ALL_GROUPS);
  const audit = new AuditLog(rig.cluster.auditLog, USER);
  const mark = await audit.mark();

  await rig.start({ wait: false, kubeconfig: await rig.cluster.kubeconfigFor(USER) });
  const blind = await eventually("/readyz names the kind that cannot be read", async () => {
    const response = await fetch(`${rig.operator?.healthUrl}/readyz`);
    const text = await response.text();
    return response.status === 503 && text.includes("Deployment: Cannot") && text;
  }, { timeoutMs: 20_000 });
  assertStringIncludes(blind, "forbidden");
  await rig.client.patch(OdooInstanceKind, { namespace, name: "shop" }, [
    { op: "replace", path: "/spec/replicas", value: 2 },
  ]);
  await eventually("the other kinds are read", async () => (await audit.since(mark)).watches >= 5);
  assertEquals((await audit.since(mark)).writes, 0);
  assertEquals(await wantedPods(namespace), 1);

  await allow([...ALL_GROUPS, "apps"]);
  await eventually("the edit is acted on", async () => await wantedPods(namespace) === 2, {
    timeoutMs: 30_000,
  });
  await rig.inPhase(namespace, "shop", "Running");
});
