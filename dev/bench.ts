/**
 * `deno task bench`: figures of the operator (its bundle, as it is shipped) on a local cluster, as JSON on stdout.
 * Requests come from the API server's audit log, the operator under a user of its own, watches counted apart.
 */
import { parseArgs } from "@std/cli/parse-args";
import {
  type Client,
  type Deployment,
  Deployment as Deployments,
  Job as Jobs,
  type KubeObject,
  pause,
  PersistentVolumeClaim as PersistentVolumeClaims,
  Pod as Pods,
  type ResourceType,
  Service as Services,
  type Stored,
  watchObjects,
} from "../src/kit/mod.ts";
import type { OdooInstance } from "../src/odoo/crd/mod.ts";
import { OdooInstanceKind } from "../src/odoo/shell/kinds.ts";
import { build, IMAGE_ENVIRONMENT, V8_FLAGS } from "../tools/build.ts";
import { type LocalCluster, startLocalCluster } from "./control_plane.ts";
import { AuditLog, calibrationMs, cpuSeconds, cpuSecondsOf, memoryOf, occurrences, percentile } from "./measure.ts";
import { type PodAccess, podAccess } from "./pod_access.ts";
import { startOdooJobs } from "./odoo_jobs.ts";
import {
  adminClient,
  ensureNamespace,
  OPERATOR_NAMESPACE,
  OPERATOR_USER,
  type OperatorProcess,
  prepareForOperator,
  startOperator,
} from "./operator.ts";
import { startProcessGroup } from "./processes.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const NAMESPACE = "bench";

/** Deno as the image has it: its environment and V8 flags, and no looking for a configuration, packages or caches. */
const LIKE_COMPILED = [
  "env",
  ...IMAGE_ENVIRONMENT,
  Deno.execPath(),
  "run",
  "-A",
  V8_FLAGS,
  "--no-config",
  "--no-lock",
  "--no-npm",
  "--no-remote",
  "--no-code-cache",
];
const BUNDLE = [...LIKE_COMPILED, "dist/main.js"];

/** An instance that is not Running after this has not arrived. */
const ARRIVAL_MS = 60_000;

/** No request for so long means that the operator is quiet. */
const QUIET_MS = 3_000;

interface Rig {
  readonly cluster: LocalCluster;
  readonly client: Client;
  readonly audit: AuditLog;
  readonly seen: Sightings;
  readonly start: () => Promise<OperatorProcess>;
}

/** When each instance was first seen to reach something, in milliseconds of performance.now(). */
class Sightings {
  readonly phases = new Map<string, Map<string, number>>();
  readonly jobDone = new Map<string, number>();
  readonly webReady = new Map<string, number>();
  readonly current = new Map<string, string>();

  instance(instance: Stored<OdooInstance>, deleted: boolean): void {
    const { name } = instance.metadata;
    const phase = instance.status?.phase ?? "";
    if (deleted) this.current.delete(name);
    else this.current.set(name, phase);
    const phases = this.phases.get(name) ?? new Map<string, number>();
    if (!phases.has(phase)) phases.set(phase, performance.now());
    this.phases.set(name, phases);
  }

  job(job: Stored<Jobs>): void {
    const done = job.status?.conditions?.some(({ type, status }) => type === "Complete" && status === "True");
    const name = job.metadata.labels?.["bemade.org/instance"] ?? "";
    if (done && !this.jobDone.has(name)) this.jobDone.set(name, performance.now());
  }

  deployment({ metadata: { name }, spec, status }: Stored<Deployment>): void {
    const ready = (spec?.replicas ?? 0) > 0 && (status?.readyReplicas ?? 0) >= (spec?.replicas ?? 0);
    if (ready && !name.endsWith("-cron") && !this.webReady.has(name)) this.webReady.set(name, performance.now());
  }

  /** From a sighting to the phase that answers it, for all instances that have both. */
  latencies(from: ReadonlyMap<string, number>, phase: string): number[] {
    return [...from].flatMap(([name, at]) => {
      const reached = this.phases.get(name)?.get(phase);
      return reached === undefined ? [] : [Math.max(0, reached - at)];
    });
  }
}

async function bench(
  options: { readonly rounds: number; readonly perRound: number; readonly restartWith: number },
  signal: AbortSignal,
): Promise<unknown> {
  await build({ folder: ROOT, steps: ["bundle"], stdio: "null" });
  await using cluster = await startLocalCluster({
    signal,
    nodes: 4,
    postgres: { maxConnections: 300, settings: { log_connections: "on" } },
  });
  const client = adminClient(cluster);
  const watching = new AbortController();
  const seen = new Sightings();
  const watches = [
    follow(client, OdooInstanceKind, (object, deleted) => seen.instance(object, deleted), watching.signal),
    follow(client, Jobs, (object) => seen.job(object), watching.signal),
    follow(client, Deployments, (object) => seen.deployment(object), watching.signal),
  ];
  try {
    await prepareForOperator(client, cluster);
    await ensureNamespace(client, NAMESPACE);
    await using _jobs = await startOdooJobs(cluster);
    const pod = await podAccess(cluster, { namespace: OPERATOR_NAMESPACE, name: OPERATOR_USER });
    const rig: Rig = {
      cluster,
      client,
      audit: new AuditLog(cluster.auditLog, pod?.user ?? OPERATOR_USER),
      seen,
      start: () => startOperator(cluster, { command: BUNDLE, pod }),
    };
    await (await rig.start())[Symbol.asyncDispose](); // deno analyses a new bundle at its first start, and needs memory for it
    await using operator = await rig.start();
    const single = await measureSingle(rig, operator);
    const floorRssMiB = pod ? await measureFloor(cluster, pod) : undefined;
    const rounds = [];
    for (let round = 1; round <= options.rounds; round++) {
      rounds.push(await measureRound(rig, operator, { round, count: options.perRound }));
    }
    const latency = {
      jobCompleteToStartingMs: summary(seen.latencies(seen.jobDone, "Starting")),
      webReadyToRunningMs: summary(seen.latencies(seen.webReady, "Running")),
    };
    await createMany(rig, "rest", options.restartWith - 1);
    await operator[Symbol.asyncDispose]();
    const restart = await measureRestart(rig);
    return {
      date: new Date().toISOString(),
      deno: Deno.version.deno,
      cores: navigator.hardwareConcurrency,
      login: pod ? "service account" : "kubeconfig",
      single,
      floorRssMiB,
      rounds,
      latency,
      restart,
    };
  } finally {
    watching.abort();
    await Promise.all(watches);
    client.close();
  }
}

/** One instance, at rest: memory, and what a reconcile costs that has nothing to do. */
async function measureSingle(rig: Rig, operator: OperatorProcess): Promise<unknown> {
  const startedMs = performance.now();
  await createMany(rig, "one", 1);
  const runningMs = performance.now() - startedMs;
  await untilQuiet(rig);
  await pause(20_000); // idle connections to PostgreSQL end after ten seconds, garbage is collected later
  const { rssMiB } = await memoryOf(operator.process.pid);
  const mark = await rig.audit.mark();
  const connections = await connectionsSoFar(rig);
  await rig.client.patch(OdooInstanceKind, { name: "one-1", namespace: NAMESPACE }, [{
    op: "add",
    path: "/metadata/annotations",
    value: { touched: "yes" },
  }]);
  await pause(5_000);
  const { requests } = await rig.audit.since(mark);
  return {
    runningMs: Math.round(runningMs),
    idleRssMiB: rssMiB,
    noOp: { requests, postgresConnections: await connectionsSoFar(rig) - connections },
  };
}

/** Paths of as many kinds as the operator watches. */
const FLOOR_WATCHES = [
  "/apis/bemade.org/v1alpha1/odooinstances",
  "/apis/bemade.org/v1alpha1/odooinitjobs",
  ...["secrets", "configmaps", "services", "persistentvolumeclaims", "pods", "namespaces"].map((kind) =>
    `/api/v1/${kind}`
  ),
  "/apis/apps/v1/deployments",
  "/apis/batch/v1/jobs",
  "/apis/networking.k8s.io/v1/ingresses",
  "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
];

/** Resident memory of a program that only stands where the operator stands (memory_floor.ts, bundled like it). */
async function measureFloor(cluster: LocalCluster, pod: PodAccess): Promise<number> {
  const program = `${cluster.directory}/memory_floor.js`;
  const args = ["bundle", "--minify", "-o", program, "dev/memory_floor.ts"];
  const { success } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdout: "null", stderr: "null" })
    .output();
  if (!success) throw new Error("Cannot measure the floor: deno bundle failed");
  await using group = await startProcessGroup();
  const floor = await group.spawn({
    name: "memory-floor",
    command: LIKE_COMPILED[0] ?? "",
    args: [...LIKE_COMPILED.slice(1), program],
    env: {
      BASE_URL: cluster.baseUrl,
      TOKEN: pod.token,
      CA_CERT: cluster.caPem,
      WATCHES: FLOOR_WATCHES.join(","),
      DATABASE_URL: cluster.postgres.adminUrl,
    },
  });
  await pause(10_000);
  if (floor.exit) throw new Error(`Cannot measure the floor: ${await Deno.readTextFile(floor.logPath)}`);
  return (await memoryOf(floor.pid)).rssMiB;
}

/** Many at once: how many arrive, when, at what price. */
async function measureRound(
  rig: Rig,
  operator: OperatorProcess,
  { round, count }: { readonly round: number; readonly count: number },
): Promise<unknown> {
  const mark = await rig.audit.mark();
  const calibration = calibrationMs();
  const used = await workSoFar(operator);
  const startedMs = performance.now();
  const arrived = await createMany(rig, `r${round}`, count);
  const elapsedMs = performance.now() - startedMs;
  const work = await workSoFar(operator);
  await untilQuiet(rig);
  const { requests, byKind } = await rig.audit.since(mark);
  const { peakMiB } = await memoryOf(operator.process.pid);
  await removeAll(rig, `r${round}-`);
  return {
    arrived: `${arrived} of ${count}`,
    seconds: round1(elapsedMs / 1000),
    calibrationMs: calibration,
    requestsPerInstance: round1(requests / count),
    peakRssMiB: peakMiB,
    cpuSeconds: Object.fromEntries(Object.entries(work).map(([name, at]) => [name, round1(at - (used[name] ?? 0))])),
    byKind,
  };
}

/** CPU seconds of each program so far; of the three that are Deno, the operator is told from the bench and its double. */
async function workSoFar(operator: OperatorProcess): Promise<Record<string, number>> {
  const [{ deno = 0, ...programs }, own] = await Promise.all([cpuSeconds(), cpuSecondsOf(operator.process.pid)]);
  return { ...programs, operator: own, bench: deno - own };
}

/** Killed and started again beside many that run: it may look, it must not touch. */
async function measureRestart(rig: Rig): Promise<unknown> {
  const running = [...rig.seen.current.values()].filter((phase) => phase === "Running").length;
  const mark = await rig.audit.mark();
  await using operator = await rig.start();
  await untilQuiet(rig);
  const { requests, watches, writes, byKind } = await rig.audit.since(mark);
  const { rssMiB } = await memoryOf(operator.process.pid);
  return { running, requests, watches, writes, byKind, rssMiB };
}

/** Creates instances and waits until all run; resolves with how many do when the time is over. */
async function createMany({ client, seen }: Rig, prefix: string, count: number): Promise<number> {
  const names = Array.from({ length: count }, (_, i) => `${prefix}-${i + 1}`);
  await Promise.all(
    names.map((name) =>
      client.create<OdooInstance>(OdooInstanceKind, {
        metadata: { name, namespace: NAMESPACE },
        spec: { adminPassword: "bench", ingress: { hosts: [`${name}.example.com`] } },
      })
    ),
  );
  const arrived = () => names.filter((name) => seen.current.get(name) === "Running").length;
  const deadline = performance.now() + ARRIVAL_MS;
  while (arrived() < count && performance.now() < deadline) await pause(10);
  return arrived();
}

async function removeAll(rig: Rig, prefix: string): Promise<void> {
  const { client, seen } = rig;
  const names = [...seen.current.keys()].filter((name) => name.startsWith(prefix));
  await Promise.all(names.map((name) => client.delete(OdooInstanceKind, { name, namespace: NAMESPACE })));
  const deadline = performance.now() + ARRIVAL_MS;
  while (names.some((name) => seen.current.has(name))) {
    if (performance.now() > deadline) {
      throw new Error(
        `Cannot go on: ${names.filter((name) => seen.current.has(name)).length} instances are still being deleted`,
      );
    }
    await pause(50);
  }
  await untilCleared(rig, prefix);
}

/** Waits until the garbage collector and the volume controller have cleared away, too: their work is not the next round's. */
async function untilCleared({ client }: Rig, prefix: string): Promise<void> {
  const deadline = performance.now() + ARRIVAL_MS;
  for (;;) {
    const lists = await Promise.all(
      [Pods, PersistentVolumeClaims, Services].map((type) => client.list<KubeObject>(type, { namespace: NAMESPACE })),
    );
    const left = lists.flatMap(({ items }) => items.map(({ metadata }) => metadata?.name ?? "")).filter((name) =>
      name.startsWith(prefix)
    );
    if (left.length === 0) return;
    if (performance.now() > deadline) throw new Error(`Cannot go on: ${left.join(", ")} are still there`);
    await pause(500);
  }
}

async function untilQuiet({ audit }: Rig): Promise<void> {
  for (let mark = await audit.mark();; mark = await audit.mark()) {
    await pause(QUIET_MS);
    if ((await audit.since(mark)).requests === 0) return;
  }
}

async function connectionsSoFar({ cluster }: Rig): Promise<number> {
  return await occurrences(cluster.postgres.logPath, "application_name=odoo-operator");
}

async function follow<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  tell: (object: Stored<T>, deleted: boolean) => void,
  signal: AbortSignal,
): Promise<void> {
  for await (const event of watchObjects(client, type, { signal })) {
    if (event.type === "restarted") { for (const object of event.objects) tell(object, false); }
    if (event.type === "applied" || event.type === "deleted") tell(event.object, event.type === "deleted");
  }
}

function summary(values: readonly number[]): unknown {
  return {
    count: values.length,
    p50: round1(percentile(values, 50)),
    p99: round1(percentile(values, 99)),
    max: round1(Math.max(...values)),
  };
}

function round1(value: number): number {
  return Math.round(value * 10) / 10;
}

if (import.meta.main) {
  const args = parseArgs(Deno.args, { string: ["rounds", "count", "restart"] });
  const number = (name: string, fallback: number) => Number(args[name] ?? fallback);
  const ending = new AbortController();
  Deno.addSignalListener("SIGINT", () => ending.abort());
  const figures = await bench({
    rounds: number("rounds", 5),
    perRound: number("count", 50),
    restartWith: number("restart", 100),
  }, ending.signal);
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(figures, undefined, 2)}\n`));
  Deno.exit();
}
