/** Two files on one cluster, one after the other: what the first leaves, and what neither may do. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { startLocalCluster } from "../../dev/control_plane.ts";
import { adminClient, prepareCrds } from "../../dev/operator.ts";
import { SHARED_CLUSTER_URL } from "../../dev/shared_cluster.ts";
import { Job, type KubeObject, type ResourceType } from "../../src/kit/mod.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { TestClusters } from "../../tools/test_clusters.ts";
import { eventually } from "../support/eventually.ts";
import { startRig } from "../support/rig.ts";
import { query } from "../support/sql.ts";

const Namespace: ResourceType = { group: "", version: "v1", kind: "Namespace", plural: "namespaces" };

Deno.test("startRig() joins the cluster that files share, and stop() leaves it as it was", async () => {
  await using cluster = await startLocalCluster({ prepare: prepareCrds });
  await using clusters = new TestClusters(() => Promise.resolve(cluster));
  const outer = Deno.env.get(SHARED_CLUSTER_URL);
  Deno.env.set(SHARED_CLUSTER_URL, clusters.environmentOf(0)[SHARED_CLUSTER_URL] ?? "");
  const client = adminClient(cluster);
  try {
    const first = await startRig({ jobs: { outcomeOf: () => ({ delayMs: 600_000 }) } });
    const namespace = await first.namespace();
    await first.create(namespace, "shop");
    await first.inPhase(namespace, "shop", "Initializing");
    await eventually("the Job is held", async () => (await client.list<KubeObject>(Job)).items.length === 1);
    await assertRejects(() => first.cluster.killApiServer(), Error, "that other test files use");
    await assertRejects(() => first.cluster.postgres.stop(), Error, "that other test files use");
    await first.stop();

    for (const type of [OdooInstanceKind, OdooInitJobKind, Job]) {
      assertEquals((await client.list<KubeObject>(type)).items, [], type.kind);
    }
    const sql = `select datname as name from pg_database where not datistemplate
      union select rolname from pg_roles where rolname !~ '^pg_'`;
    assertEquals((await query(cluster.postgres, { sql })).map(({ name }) => name), ["postgres"]);
    await eventually("the namespace is gone", async () => {
      const { items } = await client.list<KubeObject>(Namespace);
      return items.every(({ metadata: { name } }) => name !== namespace);
    }, { timeoutMs: 60_000 });

    const second = await startRig({ operator: "later", ownPostgres: true });
    assertEquals(await second.namespace() === namespace, false);
    const audit = await Deno.readTextFile(second.cluster.auditLog);
    assertEquals(
      audit.includes(`/namespaces/${namespace}/odooinstances`),
      false,
      "requests of the first file are gone",
    );
    assertStringIncludes(audit, "odoo-operator"); // its namespace: the log goes on
    await second.cluster.postgres.stop();
    await second.stop();
    assertEquals(await query(cluster.postgres, { sql: "select 1 as one" }), [{ one: 1 }]);
  } finally {
    client.close();
    if (outer === undefined) Deno.env.delete(SHARED_CLUSTER_URL);
    else Deno.env.set(SHARED_CLUSTER_URL, outer);
  }
});
