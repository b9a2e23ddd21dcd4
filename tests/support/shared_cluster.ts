/**
 * The local cluster that a test file uses. The files that tools/run_tests.ts runs one after another share one: each has
 * namespaces, an operator and databases of its own, and removes them at its end. A file under `deno test` starts its own.
 */
import { type LocalCluster, type LocalClusterOptions, startLocalCluster } from "../../dev/control_plane.ts";
import { prepareCrds } from "../../dev/operator.ts";
import {
  type ClusterAnswer,
  joinCluster,
  type JoinClusterOptions,
  SHARED_CLUSTER_URL,
} from "../../dev/shared_cluster.ts";
import { type Client, isNotFound, Job, type KubeObject, type ResourceType, type Stored } from "../../src/kit/mod.ts";
import { isConflict } from "../../src/kit/errors.ts";
import { INSTANCE_LABEL } from "../../src/odoo/model/names.ts";
import { OdooInstanceKind, REQUEST_KINDS } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "./eventually.ts";
import { query } from "./sql.ts";

/** How long the objects of a file may take to be gone. */
const CLEANUP_MS = 30_000;

const HELD_KINDS: readonly { readonly type: ResourceType; readonly labelSelector?: string }[] = [
  ...[OdooInstanceKind, ...REQUEST_KINDS].map((type: ResourceType) => ({ type })),
  { type: Job, labelSelector: INSTANCE_LABEL },
];

const Namespace: ResourceType = { group: "", version: "v1", kind: "Namespace", plural: "namespaces" };

/** A cluster that has the CRDs of the operator. */
export interface TestCluster {
  readonly cluster: LocalCluster;
  /** What the names of this file's namespaces begin with: no other file on this cluster has had it. */
  readonly prefix: string;
  /** Removes what this file has created, and ends the cluster if it is this file's own. */
  end(client: Client): Promise<void>;
}

/** Joins the cluster that files share, or starts one where there is none. */
export async function findTestCluster(options: JoinClusterOptions = {}): Promise<TestCluster> {
  const url = Deno.env.get(SHARED_CLUSTER_URL);
  if (url === undefined) return await startTestCluster({ prepare: prepareCrds });
  const response = await fetch(url);
  if (!response.ok) throw new Error(`Cannot start the cluster that test files share: ${await response.text()}`);
  const { cluster: description, file } = await response.json() as ClusterAnswer;
  const cluster = await joinCluster(description, options);
  await Deno.truncate(cluster.auditLog); // requests of earlier files are not those of this one
  const prefix = `test-${file}-`;
  return {
    cluster,
    prefix,
    async end(client) {
      try {
        await removeObjects(client, prefix);
        if (!options.ownPostgres) await removeDatabases(cluster);
      } finally {
        await cluster.stop();
      }
    },
  };
}

/** Starts a cluster for this file alone. */
export async function startTestCluster(options: LocalClusterOptions = {}): Promise<TestCluster> {
  const cluster = await startLocalCluster(options);
  return { cluster, prefix: "test-", end: () => cluster.stop() };
}

/** No operator runs any more, so finalizers are taken away. The garbage collector removes what custom resources own. */
async function removeObjects(client: Client, prefix: string): Promise<void> {
  await eventually("all custom resources and Jobs of this file are gone", async () => {
    const held = (await Promise.all(HELD_KINDS.map(async ({ type, ...selection }) => {
      const { items } = await client.list<KubeObject>(type, selection);
      return items.map((object) => ({ type, object }));
    }))).flat();
    await Promise.all(held.map(({ type, object }) => remove(client, type, object)));
    if (held.length > 0) throw new Error(held.map(({ type, object }) => `${type.kind} ${object.metadata.name}`).join());
    return true;
  }, { timeoutMs: CLEANUP_MS, intervalMs: 100 });
  const { items } = await client.list<KubeObject>(Namespace);
  const own = items.filter(({ metadata: { name } }) => name.startsWith(prefix));
  await Promise.all(own.map(({ metadata: { name } }) => client.delete(Namespace, { name })));
}

async function remove(client: Client, type: ResourceType, { metadata }: Stored<KubeObject>): Promise<void> {
  const { finalizers = [], deletionTimestamp, uid } = metadata;
  try {
    if (!deletionTimestamp) await client.delete(type, metadata, { uid });
    if (finalizers.length > 0) await client.patch(type, metadata, [{ op: "remove", path: "/metadata/finalizers" }]);
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error; // gone or changed meanwhile: the next list shows it
  }
}

/** The server has nothing but what files have created in it. */
async function removeDatabases({ postgres }: LocalCluster): Promise<void> {
  const names = async (sql: string) => (await query(postgres, { sql })).map(({ name }) => String(name));
  const databases = await names(`
    select datname as name from pg_database where datname not in ('postgres', 'template0', 'template1')`);
  for (const name of databases) {
    await query(postgres, { sql: `update pg_database set datistemplate = false where datname = '${name}'` });
    await query(postgres, { sql: `drop database ${quoted(name)} with (force)` });
  }
  const roles = await names(`select rolname as name from pg_roles where oid >= 16384 order by oid desc`);
  for (const name of roles) {
    await query(postgres, { sql: `drop owned by ${quoted(name)} cascade` });
    await query(postgres, { sql: `drop role ${quoted(name)}` });
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
