/** A permission that is taken away for a while: the condition names it, nobody is busy for nothing, and then it goes on. */
import { assert, assertStringIncludes } from "@std/assert";
import { AuditLog } from "../../dev/measure.ts";
import { conditionOf, Deployment, type KubeObject, pause, type ResourceType } from "../../src/kit/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";
import { silence } from "../support/silence.ts";

const USER = "sometimes-allowed";
const RBAC = { group: "rbac.authorization.k8s.io", version: "v1", namespaced: false } as const;
const ClusterRole: ResourceType = { ...RBAC, kind: "ClusterRole", plural: "clusterroles" };
const ClusterRoleBinding: ResourceType = { ...RBAC, kind: "ClusterRoleBinding", plural: "clusterrolebindings" };
const WATCHED_MS = 10_000;
/** In that time: doubling from 5 ms it is 11 attempts, each with a condition and an event at most. */
const MOST_REQUESTS = 40;
const BACK_MS = 60_000;

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig({ operator: "later" });
  await allow(["*"]);
  await rig.client.apply(ClusterRoleBinding, {
    metadata: { name: USER },
    roleRef: { apiGroup: RBAC.group, kind: "ClusterRole", name: USER },
    subjects: [{ apiGroup: RBAC.group, kind: "User", name: USER }],
  } as KubeObject);
  await rig.start({ kubeconfig: await rig.cluster.kubeconfigFor(USER) });
});
Deno.test.afterAll(() => rig?.stop());

/** The operator may do everything, but of Deployments only what `verbs` say. */
async function allow(verbs: readonly string[]): Promise<void> {
  const rules = [
    { apiGroups: ["apps"], resources: ["deployments"], verbs },
    { apiGroups: ["", "bemade.org", "batch", "events.k8s.io"], resources: ["*"], verbs: ["*"] },
    { apiGroups: ["networking.k8s.io", "gateway.networking.k8s.io", "policy"], resources: ["*"], verbs: ["*"] },
    { apiGroups: ["storage.k8s.io", "snapshot.storage.k8s.io"], resources: ["*"], verbs: ["*"] },
  ];
  await rig.client.apply(ClusterRole, { metadata: { name: USER }, rules } as KubeObject);
}

Deno.test("an operator that may not patch Deployments any more says so, tries now and then, and goes on when it may", async () => {
  const namespace = await rig.namespace();
  const address = { namespace, name: "shop" };
  await rig.create(namespace, "shop");
  await rig.inPhase(namespace, "shop", "Running");
  await allow(["get", "list", "watch", "create", "delete"]);
  const audit = new AuditLog(rig.cluster.auditLog, USER);
  const mark = await audit.mark();
  await rig.client.patch(OdooInstanceKind, address, [{ op: "replace", path: "/spec/replicas", value: 2 }]);
  const condition = await eventually("the condition", async () => {
    const { status } = await rig.client.get(OdooInstanceKind, address);
    const condition = conditionOf(status?.conditions, "ChildrenApplied");
    return condition?.status === "False" && condition;
  });
  assertStringIncludes(condition.message, `cannot patch resource "deployments" in API group "apps"`);
  await pause(WATCHED_MS); // what is tested is how little happens
  const { requests, byKind } = await audit.since(mark);
  assert(requests <= MOST_REQUESTS, `${requests} requests in ${WATCHED_MS} ms: ${JSON.stringify(byKind)}`);
  await allow(["*"]);
  await eventually("the edit is acted on", async () => {
    const { spec } = await rig.client.get(Deployment, address);
    return spec?.replicas === 2;
  }, { timeoutMs: BACK_MS });
  await rig.inPhase(namespace, "shop", "Running");
  await eventually("the condition is taken back", async () => {
    const { status } = await rig.client.get(OdooInstanceKind, address);
    return conditionOf(status?.conditions, "ChildrenApplied")?.status === "True";
  });
  await silence(rig, { user: USER });
});
