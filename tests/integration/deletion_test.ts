/** Deletions that something stands in the way of: a namespace that goes with all that is in it, a PostgreSQL that is down. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { OPERATOR_USER } from "../../dev/operator.ts";
import { conditionOf, isNotFound, type KubeObject, pause, type ResourceType } from "../../src/kit/mod.ts";
import { INSTANCE_FINALIZER, INSTANCE_LABEL } from "../../src/odoo/model/names.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";
import { silence } from "../support/silence.ts";

const Namespace: ResourceType<KubeObject & { readonly status?: { readonly conditions?: readonly unknown[] } }> = {
  group: "",
  version: "v1",
  kind: "Namespace",
  plural: "namespaces",
  namespaced: false,
};

const ClusterRole: ResourceType = {
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind: "ClusterRole",
  plural: "clusterroles",
  namespaced: false,
};
/** What the namespace controller may do; whom it is bound to stays. */
const NAMESPACE_CONTROLLER = "system:controller:namespace-controller";

const WATCHED_MS = 10_000;
/**
 * How often one child may be refused in that time: doubling from 5 ms a dozen attempts, and one whenever another of the dozen
 * children goes; without the doubling, hundreds.
 */
const MOST_REFUSED = 24;
const MOST_REQUESTS = 200;

let rig: Rig;

Deno.test.beforeAll(async () => {
  const neverEnds = { delayMs: 600_000 };
  rig = await startRig({
    cluster: {}, // one of its own: it takes rights from the namespace controller
    jobs: { outcomeOf: ({ metadata }) => metadata.labels?.[INSTANCE_LABEL] === "slow" ? neverEnds : undefined },
  });
});
Deno.test.afterAll(() => rig?.stop());

/** Roles and databases of the instances of a namespace. */
async function leftInPostgres(namespace: string): Promise<unknown[]> {
  return await rig.sql(
    `SELECT rolname AS name FROM pg_roles WHERE rolname LIKE $1
     UNION ALL SELECT datname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE rolname LIKE $1`,
    [`odoo.${namespace}.%`],
  );
}

interface Answered {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly stage: string;
  readonly requestURI: string;
  readonly objectRef: { readonly resource: string; readonly name: string };
  readonly responseStatus?: { readonly code?: number };
}

/** What the operator asked for in a namespace, but watches, as the API server wrote it down. */
async function asked(namespace: string): Promise<Answered[]> {
  const lines = (await Deno.readTextFile(rig.cluster.auditLog)).split("\n").slice(0, -1);
  return lines.filter((line) => line.includes(`/namespaces/${namespace}/`)).map((line) => JSON.parse(line) as Answered)
    .filter(({ user, verb, stage }) =>
      user.username === OPERATOR_USER && verb !== "watch" && stage === "ResponseComplete"
    );
}

/** Whether the controller that empties namespaces may delete what is ours. */
async function mayDeleteInstances(apiGroups: readonly string[]): Promise<void> {
  const verbs = ["get", "list", "delete", "deletecollection"];
  await rig.client.patch(ClusterRole, { name: NAMESPACE_CONTROLLER }, [{
    op: "replace",
    path: "/rules",
    value: [
      { apiGroups: [""], resources: ["namespaces", "namespaces/finalize", "namespaces/status"], verbs: ["*"] },
      { apiGroups, resources: ["*"], verbs },
    ],
  }]);
}

Deno.test("an instance whose namespace is emptied around it asks for little, and goes with role, database and namespace", async () => {
  const namespace = await rig.namespace();
  await rig.create(namespace, "shop");
  await rig.create(namespace, "slow");
  await rig.inPhase(namespace, "shop", "Running");
  await rig.inPhase(namespace, "slow", "Initializing");
  assertEquals((await leftInPostgres(namespace)).length, 4);
  await mayDeleteInstances(["", "apps", "batch", "networking.k8s.io", "policy"]);
  const before = (await asked(namespace)).length;

  await rig.client.delete(Namespace, { name: namespace });
  await eventually("the first child cannot be put back", async () => {
    const answers = (await asked(namespace)).slice(before);
    return answers.some(({ responseStatus }) => responseStatus?.code === 403);
  });
  await pause(WATCHED_MS); // what is tested is how little happens
  const requests = (await asked(namespace)).slice(before);
  const refused = requests.filter(({ requestURI, responseStatus }) =>
    responseStatus?.code === 403 && !requestURI.startsWith("/apis/events.k8s.io/")
  );
  const ofEach = Object.values(Object.groupBy(refused, ({ objectRef }) => `${objectRef.resource}/${objectRef.name}`));
  const most = Math.max(...ofEach.map((ofOne) => ofOne?.length ?? 0));
  const told = requests.map(({ verb, objectRef, responseStatus }) =>
    `${verb} ${objectRef.resource}/${objectRef.name} ${responseStatus?.code}`
  );
  assert(most <= MOST_REFUSED, `one was refused ${most} times:\n${told.join("\n")}`);
  assert(requests.length <= MOST_REQUESTS, `${requests.length} requests:\n${told.join("\n")}`);
  for (const name of ["shop", "slow"]) {
    const { status } = await rig.client.get(OdooInstanceKind, { namespace, name });
    const condition = conditionOf(status?.conditions, "ChildrenApplied");
    assertEquals(condition?.status, "False");
    assertStringIncludes(condition?.message ?? "", "because it is being terminated");
  }

  await mayDeleteInstances(["*"]);
  await eventually("the namespace is gone", async () => {
    try {
      const { status } = await rig.client.get(Namespace, { name: namespace });
      throw new Error(`it is there: ${JSON.stringify(status?.conditions)}`);
    } catch (error) {
      if (isNotFound(error)) return true;
      throw error;
    }
  }, { timeoutMs: 60_000 });
  assertEquals(await leftInPostgres(namespace), []);
  await silence(rig);
});

Deno.test("a deletion waits for a PostgreSQL that is down, says how to give the data up, and ends when it is back", async () => {
  const namespace = await rig.namespace();
  const address = { namespace, name: "leaving" };
  await rig.create(namespace, "leaving");
  await rig.inPhase(namespace, "leaving", "Running");
  await rig.cluster.postgres.stop();
  await rig.client.delete(OdooInstanceKind, address);
  const waiting = await eventually("the conditions name the obstacle", async () => {
    const instance = await rig.client.get(OdooInstanceKind, address);
    const [ready, database] = ["Ready", "DatabaseReachable"].map((type) =>
      conditionOf(instance.status?.conditions, type)
    );
    assertEquals([ready?.status, ready?.reason], ["False", "DatabaseUnreachable"]);
    assertEquals(database?.status, "False");
    return instance;
  });
  assertStringIncludes(waiting.status?.message ?? "", "Cannot drop database and role: ");
  assertStringIncludes(waiting.status?.message ?? "", `remove the finalizer ${INSTANCE_FINALIZER}`);
  assert(waiting.metadata.finalizers?.includes(INSTANCE_FINALIZER));
  await rig.cluster.postgres.start();
  assertEquals((await leftInPostgres(namespace)).length, 2);
  await rig.gone(OdooInstanceKind, namespace, "leaving");
  assertEquals(await leftInPostgres(namespace), []);
});
