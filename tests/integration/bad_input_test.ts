/** What is wrong around the operator ends in the right phase, with a condition that says what to do, and mends by itself. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { conditionOf } from "../../src/kit/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import {
  ensureNamespace,
  installCrds,
  OPERATOR_NAMESPACE,
  prepareForOperator,
  writeClustersSecret,
} from "../../dev/operator.ts";
import { Secret } from "../../src/kit/mod.ts";
import {
  committedCrds,
  createOnceTaken,
  establish,
  type Manifest,
  untilRefused,
  withoutRules,
} from "../support/crds.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";
import { silence } from "../support/silence.ts";

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig({ bare: true });
});
Deno.test.afterAll(() => rig?.stop());

async function readiness(): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`${rig.operator?.healthUrl}/readyz`);
  return { status: response.status, text: await response.text() };
}

/** The messages that the operator cannot go without: set up once, in the order of the tests. */
Deno.test("an operator without its CRDs is not ready, says which are missing, and works when they come", async () => {
  const client = rig.client;
  await ensureNamespace(client, OPERATOR_NAMESPACE);
  await rig.start({ wait: false, kubeconfig: rig.cluster.kubeconfig });
  const { text } = await eventually("/readyz names the kind", async () => {
    const answer = await readiness();
    return answer.status === 503 && answer.text.includes("OdooInstance: the kind is not installed") && answer;
  });
  assertStringIncludes(text, "OdooInitJob");
  assertStringIncludes(await Deno.readTextFile(rig.operator?.process.logPath ?? ""), "kind=OdooInstance");
  await installCrds(client);
  await eventually("/readyz is ok", async () => (await readiness()).status === 200);
});

Deno.test("without a clusters Secret an instance is in Error, and leaves it when the Secret comes", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "early");
  const { status } = await rig.inPhase(namespace, "early", "Error", { reason: "ClustersSecretMissing" });
  assertStringIncludes(status?.message ?? "", "create it with a key clusters.yaml");
  await prepareForOperator(rig.client, rig.cluster);
  await rig.inPhase(namespace, "early", "Running");
});

const BROKEN_SECRETS: Record<string, { readonly text: string; readonly reason: string; readonly says: string }> = {
  "that is not YAML": { text: "main: {host: [", reason: "ClustersSecretInvalid", says: "is not YAML" },
  "that is no map": { text: "- main", reason: "ClustersSecretInvalid", says: "must be a map" },
  "without a default": {
    text: "main: {host: db, port: 5432, adminUser: a, adminPassword: hunter2}",
    reason: "NoDefaultCluster",
    says: "default: true",
  },
  "with a port in quotes": {
    text: 'main: {host: db, port: "5432", adminUser: a, adminPassword: hunter2, default: true}',
    reason: "ClusterInvalid",
    says: "port must be a number",
  },
};

for (const [what, { text, reason, says }] of Object.entries(BROKEN_SECRETS)) {
  Deno.test(`a clusters Secret ${what} leads to Error (${reason}), which ends when it is mended`, async () => {
    const namespace = await rig.namespace();
    await writeClustersSecret(rig.client, rig.cluster, text);
    await rig.create(namespace, "patient");
    const { status } = await rig.inPhase(namespace, "patient", "Error", { reason });
    assertStringIncludes(status?.message ?? "", says);
    assert(!JSON.stringify(status).includes("hunter2"), "the status quotes a password");
    await writeClustersSecret(rig.client, rig.cluster);
    await rig.inPhase(namespace, "patient", "Running");
  });
}

Deno.test("a wrong admin password leads to Error (DatabaseLoginFailed), which ends when it is mended", async () => {
  const namespace = await rig.namespace();
  const { host, port, adminUser } = rig.cluster.postgres;
  await writeClustersSecret(rig.client, rig.cluster, {
    main: { host, port, adminUser, adminPassword: "wrong-password", default: true },
  });
  await rig.create(namespace, "locked");
  const { status } = await rig.inPhase(namespace, "locked", "Error", { reason: "DatabaseLoginFailed" });
  assertStringIncludes(status?.message ?? "", "Correct adminUser and adminPassword");
  assert(!JSON.stringify(status).includes("wrong-password"), "the status quotes the password");
  await writeClustersSecret(rig.client, rig.cluster);
  await rig.inPhase(namespace, "locked", "Running");
});

Deno.test("while PostgreSQL is down a new instance waits in Provisioning and says so, others are left alone", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "before");
  const { metadata } = await rig.inPhase(namespace, "before", "Running");
  await rig.cluster.postgres.stop();
  await rig.create(namespace, "during");
  const { status } = await rig.inPhase(namespace, "during", "Provisioning", { reason: "DatabaseUnreachable" });
  assertEquals(conditionOf(status?.conditions, "DatabaseReachable")?.status, "False");
  assertStringIncludes(status?.message ?? "", "Trying again");
  const untouched = await rig.client.get(OdooInstanceKind, { namespace, name: "before" });
  assertEquals([untouched.status?.phase, untouched.metadata.generation], ["Running", metadata.generation]);
  await rig.cluster.postgres.start();
  await rig.inPhase(namespace, "during", "Running", { timeoutMs: 30_000 });
});

Deno.test("a deletion waits for a clusters Secret that is gone, and says how to give the data up", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "leaving");
  await rig.inPhase(namespace, "leaving", "Running");
  const secret = await rig.client.get(Secret, { namespace: OPERATOR_NAMESPACE, name: "postgres-clusters" });
  await rig.client.delete(Secret, secret.metadata);
  await rig.client.delete(OdooInstanceKind, { namespace, name: "leaving" });
  const waiting = await eventually("the condition names the obstacle", async () => {
    const instance = await rig.client.get(OdooInstanceKind, { namespace, name: "leaving" });
    return conditionOf(instance.status?.conditions, "Ready")?.reason === "ClustersSecretMissing" && instance;
  });
  assertStringIncludes(waiting.status?.message ?? "", "remove the finalizer bemade.org/postgres-cleanup");
  await writeClustersSecret(rig.client, rig.cluster);
  await rig.gone(OdooInstanceKind, namespace, "leaving");
  assertEquals(await rig.sql("select 1 from pg_roles where rolname = $1", [`odoo.${namespace}.leaving`]), []);
});

const BROKEN_SPECS: Record<string, { readonly spec: Parameters<Rig["create"]>[2]; readonly reason: string }> = {
  "no host": { spec: { ingress: { hosts: [] } }, reason: "HostsMissing" },
  "a cluster that nobody has": { spec: { database: { cluster: "atlantis" } }, reason: "ClusterNotFound" },
};

for (const [what, { spec, reason }] of Object.entries(BROKEN_SPECS)) {
  Deno.test(`an instance with ${what} is in Error (${reason}) and can be deleted`, async () => {
    const namespace = await rig.namespace();
    await rig.create(namespace, "odd", spec ?? {});
    await rig.inPhase(namespace, "odd", "Error", { reason });
    await rig.client.delete(OdooInstanceKind, { namespace, name: "odd" });
    await rig.gone(OdooInstanceKind, namespace, "odd");
  });
}

/** What the API server refuses today, but may have in store from former times. */
const STORED_BEFORE: Record<
  string,
  { readonly name?: string; readonly spec: Manifest["spec"]; readonly reason: string }
> = {
  "a line break in an option": {
    spec: { configOptions: { log_level: "info\nadmin_passwd = x" } },
    reason: "ConfigOptionInvalid",
  },
  "a name too long for a Service": { name: "a".repeat(59), spec: {}, reason: "NameInvalid" },
};

for (const [what, { name = "odd", spec, reason }] of Object.entries(STORED_BEFORE)) {
  Deno.test(`an instance with ${what}, older than our rules, is in Error (${reason}) and can be deleted`, async () => {
    const namespace = await rig.namespace();
    const [rules] = await committedCrds();
    assert(rules);
    await establish(rig.client, withoutRules(rules));
    const valid = { adminPassword: "admin", ingress: { hosts: ["odd.example.com"] } };
    const object = { kind: "OdooInstance", metadata: { name, namespace }, spec: { ...valid, ...spec } };
    await createOnceTaken(rig.client, object);
    await establish(rig.client, rules);
    await untilRefused(rig.client, { ...object, metadata: { name: `${name}-2`, namespace } });
    await rig.inPhase(namespace, name, "Error", { reason });
    await rig.client.delete(OdooInstanceKind, { namespace, name });
    await rig.gone(OdooInstanceKind, namespace, name);
  });
}

Deno.test("a foreign object of the wanted name stays byte-identical, is named in NameConflict while it lasts, and hinders no other child", async () => {
  const namespace = await rig.namespace();
  const { Deployment, PersistentVolumeClaim, Service } = await import("../../src/kit/mod.ts");
  const foreign = await rig.client.create(Service, {
    metadata: { name: "taken", namespace },
    spec: { selector: { app: "other" }, ports: [{ port: 80 }] },
  });
  await rig.create(namespace, "taken");
  const told = await eventually("both conditions tell of it", async () => {
    const { status } = await rig.client.get(OdooInstanceKind, { namespace, name: "taken" });
    const [applied, conflict] = ["ChildrenApplied", "NameConflict"].map((type) =>
      conditionOf(status?.conditions, type)
    );
    assertEquals([applied?.status, applied?.reason], ["False", "NameConflict"]);
    assertEquals([conflict?.status, conflict?.reason], ["True", "NameTaken"]);
    return conflict;
  });
  assertStringIncludes(told.message, `Cannot use Service ${namespace}/taken: it exists`);
  await rig.client.get(PersistentVolumeClaim, { namespace, name: "taken-filestore-pvc" });
  await rig.client.get(Service, { namespace, name: "taken-blocked" });
  await silence(rig);
  const { status } = await rig.client.get(OdooInstanceKind, { namespace, name: "taken" });
  assertEquals(conditionOf(status?.conditions, "NameConflict"), told);
  assertEquals(await rig.client.get(Service, { namespace, name: "taken" }), foreign);
  await rig.client.delete(Service, foreign.metadata);
  const healed = await rig.inPhase(namespace, "taken", "Running", { timeoutMs: 60_000 });
  await rig.client.get(Deployment, { namespace, name: "taken" });
  const [applied, conflict] = ["ChildrenApplied", "NameConflict"].map((type) =>
    conditionOf(healed.status?.conditions, type)
  );
  assertEquals([applied?.status, applied?.reason], ["True", "AllApplied"]);
  assertEquals([conflict?.status, conflict?.reason], ["False", "NoConflict"]);
});

Deno.test("a single child that the API server refuses is told in ChildrenApplied with the server's words, and healed by the spec", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "odd");
  const before = await rig.inPhase(namespace, "odd", "Running");
  assertEquals(conditionOf(before.status?.conditions, "ChildrenApplied")?.status, "True");
  assertEquals(conditionOf(before.status?.conditions, "NameConflict"), undefined);
  const set = (value: unknown) =>
    rig.client.patch(OdooInstanceKind, { namespace, name: "odd" }, [
      { op: "add", path: "/spec/podAnnotations", value },
    ]);
  const { metadata: { generation } } = await set({ "not a name": "x" });
  const refused = await eventually("the condition", async () => {
    const { status } = await rig.client.get(OdooInstanceKind, { namespace, name: "odd" });
    const condition = conditionOf(status?.conditions, "ChildrenApplied");
    return condition?.status === "False" && condition;
  });
  assertEquals([refused.reason, refused.observedGeneration], ["Invalid", generation]);
  assertStringIncludes(refused.message, "spec.template.annotations");
  await set({ "a-name": "x" });
  const healed = await rig.inPhase(namespace, "odd", "Running");
  const condition = await eventually("it is taken back", async () => {
    const { status } = await rig.client.get(OdooInstanceKind, { namespace, name: "odd" });
    const condition = conditionOf(status?.conditions, "ChildrenApplied");
    return condition?.status === "True" && condition;
  });
  assertEquals(condition.reason, "AllApplied");
  assertEquals(conditionOf(healed.status?.conditions, "NameConflict"), undefined);
});
