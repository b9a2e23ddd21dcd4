/** The local cluster itself: what the other integration tests stand on. */
import pg from "pg";
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { startLocalCluster } from "../../dev/control_plane.ts";
import { isRecord, listOf, parseReport } from "../../src/odoo/model/operations/reports/report.ts";
import { type OdooJobsOptions, OUTCOME_ANNOTATION, startOdooJobs } from "../../dev/odoo_jobs.ts";
import {
  container,
  Deployment,
  deployment,
  env,
  envFromSecret,
  Job,
  job,
  PersistentVolumeClaim,
  Pod,
  Secret,
} from "../../src/kit/builders/mod.ts";
import { createClient } from "../../src/kit/client.ts";
import { ApiError } from "../../src/kit/errors.ts";
import type { ResourceType } from "../../src/kit/types.ts";
import { INSTANCE_LABEL } from "../../src/odoo/model/names.ts";
import { eventually } from "../support/eventually.ts";
import { aliveAmong, descendantsOf } from "../support/process_table.ts";

const Namespace: ResourceType = {
  group: "",
  version: "v1",
  kind: "Namespace",
  plural: "namespaces",
  namespaced: false,
};

const cluster = await startLocalCluster();
const client = createClient(cluster.access, { fieldManager: "test" });
let namespaces = 0;

Deno.test.afterAll(async () => {
  client.close();
  await cluster.stop();
});

/** A namespace of its own for a test, with the service account that pods need. */
async function newNamespace(): Promise<string> {
  const name = `test-${++namespaces}`;
  await client.create(Namespace, { metadata: { name } });
  const ServiceAccount: ResourceType = { group: "", version: "v1", kind: "ServiceAccount", plural: "serviceaccounts" };
  await eventually(
    "the default service account",
    () => client.get(ServiceAccount, { namespace: name, name: "default" }),
  );
  return name;
}

/** Runs SQL as the administrator, or as `user` in their own database. */
async function sql(text: string, as: { user: string; database: string; password: string } | undefined = undefined) {
  const { host, port, adminUser, adminPassword } = cluster.postgres;
  const login = as ?? { user: adminUser, password: adminPassword, database: "postgres" };
  const connection = new pg.Client({ host, port, ...login });
  await connection.connect();
  try {
    return (await connection.query(text)).rows;
  } finally {
    await connection.end();
  }
}

interface InitOptions {
  readonly namespace: string;
  readonly password?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A tenant's database and Secret and an init Job as the operator makes it; `name` is all of their names. */
async function createInit(
  name: string,
  { namespace, password = "correct", annotations = {} }: InitOptions,
): Promise<void> {
  await sql(`CREATE ROLE ${name} LOGIN PASSWORD 'correct'`);
  await sql(`CREATE DATABASE ${name} OWNER ${name}`);
  await client.create(Secret, { metadata: { name, namespace }, data: { password: btoa(password) } });
  const { host, port } = cluster.postgres;
  const init = container("init", "odoo:19.0", {
    env: [
      ...env({
        PGHOST: host,
        PGPORT: String(port),
        PGUSER: name,
        PGDATABASE: name,
        INIT_MODULES: "base,sale",
        INIT_DEMO: "false",
        INIT_OWNER: name,
        INIT_REPORT_URL: `http://${name}:8069`,
        INIT_BASE_URL: `https://${name}.example.com`,
        INIT_ADMIN_PASSWORD: "for-the-login",
      }),
      envFromSecret("PGPASSWORD", { name, key: "password" }),
    ],
  });
  const built = job({ name, namespace }, {
    podLabels: { [INSTANCE_LABEL]: name },
    pod: { containers: [init] },
    spec: { backoffLimit: 0 },
  });
  if (built.spec) built.spec.template.metadata = { ...built.spec.template.metadata, annotations: { ...annotations } };
  await client.create(Job, built);
}

/** The pod of a Job, once it is in a phase. */
function podIn(phase: string, name: string, namespace: string) {
  return eventually(`the pod of Job ${name} is ${phase}`, async () => {
    const { items } = await client.list(Pod, { namespace, labelSelector: `batch.kubernetes.io/job-name=${name}` });
    assertEquals(items.map((pod) => pod.status?.phase), [phase]);
    return items[0];
  });
}

function terminationMessage(pod: Pod): string | undefined {
  return pod.status?.containerStatuses?.[0]?.state?.terminated?.message;
}

async function withJobs<T>(options: OdooJobsOptions, body: () => Promise<T>): Promise<T> {
  await using _double = await startOdooJobs(cluster, options);
  return await body();
}

Deno.test("startLocalCluster() refuses a user without a role and lets the administrator in", async () => {
  const user = createClient(await cluster.accessFor("eve", ["strangers"]), { fieldManager: "test" });
  const error = await assertRejects(() => user.list(Pod, { namespace: "default" }), ApiError);
  user.close();
  assertEquals(error.status, 403);
  assertStringIncludes(error.message, 'User "eve" cannot list resource "pods"');
  assertEquals((await client.list(Pod, { namespace: "default" })).items.length, 0);
});

Deno.test("kubeconfigFor() writes a file by which kubectl's users are known", async () => {
  const text = await Deno.readTextFile(await cluster.kubeconfigFor("alice"));
  assertStringIncludes(text, cluster.baseUrl);
  assertMatch(text, /user: alice/);
});

Deno.test("startLocalCluster() has nodes on which a Deployment becomes ready and scales to zero", async () => {
  const namespace = await newNamespace();
  const pod = { containers: [container("web", "web:1")] };
  const created = await client.apply(
    Deployment,
    deployment({ name: "web", namespace }, { replicas: 3, selector: { app: "web" }, pod }),
  );
  const ready = async (count: number | undefined) => {
    const { status } = await client.get(Deployment, { namespace, name: "web" });
    assertEquals(status?.readyReplicas, count);
    return true;
  };
  await eventually("three replicas are ready", () => ready(3));
  await client.patch(Deployment, { namespace, name: created.metadata.name }, [{
    op: "replace",
    path: "/spec/replicas",
    value: 0,
  }]);
  await eventually("no replica is left", () => ready(undefined));
});

Deno.test("startLocalCluster() completes a Job that belongs to no instance", async () => {
  const namespace = await newNamespace();
  await client.create(
    Job,
    job({ name: "plain", namespace }, { pod: { containers: [container("main", "busybox:1")] } }),
  );
  await eventually(
    "the Job is complete",
    async () => (await client.get(Job, { namespace, name: "plain" })).status?.succeeded === 1,
  );
});

Deno.test("startLocalCluster() binds a claim of every access mode to the default class", async () => {
  const namespace = await newNamespace();
  for (const mode of ["ReadWriteOnce", "ReadWriteMany"]) {
    const name = mode.toLowerCase();
    const spec = { accessModes: [mode], resources: { requests: { storage: "1Gi" } } };
    await client.create(PersistentVolumeClaim, { metadata: { name, namespace }, spec });
    const bound = await eventually(`the ${mode} claim is bound`, async () => {
      const claim = await client.get(PersistentVolumeClaim, { namespace, name });
      assertEquals(claim.status?.phase, "Bound");
      return claim;
    });
    assertEquals(bound.spec?.storageClassName, "standard");
    assertEquals(bound.status?.accessModes, [mode]);
  }
});

Deno.test("startOdooJobs() ends the Job pods of an instance, which run until then, with their effect in PostgreSQL", async () => {
  const namespace = await newNamespace();
  await createInit("shop", { namespace });
  await podIn("Running", "shop", namespace);
  await withJobs({ delayMs: 0 }, async () => {
    const report = parseReport(terminationMessage(await podIn("Succeeded", "shop", namespace)) ?? "");
    const names = listOf(report?.fields.modules).filter(isRecord).map(({ name }) => name);
    assertEquals([report?.ok, names], [true, ["base", "sale"]]);
  });
  await eventually(
    "the Job is complete",
    async () => (await client.get(Job, { namespace, name: "shop" })).status?.succeeded === 1,
  );
  const modules = await sql("SELECT name, state FROM ir_module_module ORDER BY name", {
    user: "shop",
    password: "correct",
    database: "shop",
  });
  assertEquals(modules, [{ name: "base", state: "installed" }, { name: "sale", state: "installed" }]);
});

Deno.test("startOdooJobs() fails the pod with PostgreSQL's words when the login is refused", async () => {
  const namespace = await newNamespace();
  await createInit("locked", { namespace, password: "wrong" });
  await withJobs({ delayMs: 0 }, async () => {
    const pod = await podIn("Failed", "locked", namespace);
    assertEquals(terminationMessage(pod), 'password authentication failed for user "locked"');
    assertEquals(pod.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 1);
  });
  await eventually(
    "the Job has failed",
    async () => (await client.get(Job, { namespace, name: "locked" })).status?.failed === 1,
  );
});

Deno.test("startOdooJobs() ends a pod as outcomeOf or its annotation says, and then does nothing in PostgreSQL", async () => {
  const namespace = await newNamespace();
  await createInit("killed", { namespace, annotations: { [OUTCOME_ANNOTATION]: '{"exitCode":137,"message":"OOM"}' } });
  await createInit("broken", { namespace });
  const outcomeOf = (pod: Pod) =>
    pod.metadata?.labels?.[INSTANCE_LABEL] === "broken" ? { exitCode: 3, message: "no module" } : undefined;
  await withJobs({ outcomeOf, delayMs: 0 }, async () => {
    assertEquals(terminationMessage(await podIn("Failed", "killed", namespace)), "OOM");
    assertEquals(terminationMessage(await podIn("Failed", "broken", namespace)), "no module");
  });
  const tables = await sql("SELECT to_regclass('ir_module_module') AS found", {
    user: "killed",
    password: "correct",
    database: "killed",
  });
  assertEquals(tables, [{ found: null }]);
});

Deno.test("startOdooJobs() ends fifty pods at a time", async () => {
  const namespace = await newNamespace();
  const names = Array.from({ length: 50 }, (_, index) => `many${index}`);
  await withJobs({}, async () => {
    for (const name of names) await createInit(name, { namespace });
    await eventually("fifty Jobs are complete", async () => {
      const { items } = await client.list(Job, { namespace });
      assertEquals(items.filter((item) => item.status?.succeeded === 1).length, names.length);
      return true;
    }, { timeoutMs: 60_000 });
  });
});

Deno.test("restartApiServer() brings the API server back on the same address with the same objects", async () => {
  const namespace = await newNamespace();
  await cluster.killApiServer();
  await assertRejects(() => client.list(Pod, { namespace }), ApiError);
  await cluster.restartApiServer();
  await client.create(
    Job,
    job({ name: "after", namespace }, { pod: { containers: [container("main", "busybox:1")] } }),
  );
  await eventually("the controllers work again", async () => {
    return (await client.get(Job, { namespace, name: "after" })).status?.succeeded === 1;
  }, { timeoutMs: 60_000 });
});

Deno.test("PostgresServer.restart() keeps port and data, after a crash too", async () => {
  await sql("CREATE TABLE kept AS SELECT 1 AS one");
  for (const mode of ["fast", "immediate"] as const) {
    await cluster.postgres.restart(mode);
    assertEquals(await sql("SELECT one FROM kept"), [{ one: 1 }]);
  }
  await cluster.postgres.stop();
  await assertRejects(() => sql("SELECT 1"), Error, "ECONNREFUSED");
  await cluster.postgres.start();
});

interface ChildCluster {
  readonly process: Deno.ChildProcess;
  readonly directory: string;
  /** All processes below it, by pid. */
  readonly descendants: readonly number[];
}

/** `deno run dev/control_plane.ts` as a process of its own. */
async function startChildCluster(): Promise<ChildCluster> {
  const script = new URL("../../dev/control_plane.ts", import.meta.url).pathname;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let output = "";
  for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    if (output.includes("# Logs")) break;
  }
  const directory = /^export KUBECONFIG=(.*)\/admin\.kubeconfig$/m.exec(output)?.[1];
  assert(directory, `no KUBECONFIG in ${output}`);
  return { process, directory, descendants: await descendantsOf(process.pid) };
}

async function assertNothingLeft({ descendants, directory }: ChildCluster): Promise<void> {
  await eventually("all processes are gone", async () => {
    assertEquals(await aliveAmong(descendants), []);
    return true;
  }, { timeoutMs: 15_000 });
  await assertRejects(() => Deno.stat(directory), Deno.errors.NotFound);
}

for (const signal of ["SIGKILL", "SIGINT", "SIGTERM"] as const) {
  Deno.test(`startLocalCluster() leaves no process behind when its parent is ended by ${signal}`, async () => {
    const child = await startChildCluster();
    assert(child.descendants.length >= 7, `expected the whole cluster, found ${child.descendants.length} processes`);
    child.process.kill(signal);
    await child.process.status;
    await assertNothingLeft(child);
  });
}

Deno.test("startLocalCluster() leaves nothing behind when it is broken off", async () => {
  const controller = new AbortController();
  const before = await descendantsOf(Deno.pid);
  const starting = startLocalCluster({ signal: controller.signal, progress: () => {} });
  await eventually(
    "the first process was started",
    async () => (await descendantsOf(Deno.pid)).length > before.length + 2,
  );
  controller.abort(new Error("changed my mind"));
  await assertRejects(() => starting, Error, "changed my mind");
  const after = await descendantsOf(Deno.pid);
  assertEquals(after.filter((pid) => !before.includes(pid)), []);
});
