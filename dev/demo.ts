/**
 * `deno task demo`: from nothing to two running instances, on a cluster of its own. A table follows them live; afterwards
 * the cluster stays until Ctrl-C. With `--once` it ends as soon as both run (exit code 0) or one cannot (1, with the
 * reason that is in its status). With `--failing-init` one of them cannot, to see how that is told. If something
 * fails, the logs stay, and it says where; otherwise nothing does.
 */
import { parseArgs } from "@std/cli/parse-args";
import { type Client, conditionOf, messageOf, type Stored, watchObjects } from "../src/kit/mod.ts";
import type { OdooInstance } from "../src/odoo/crd/mod.ts";
import { INSTANCE_LABEL } from "../src/odoo/model/names.ts";
import { OdooInstanceKind } from "../src/odoo/shell/kinds.ts";
import { type LocalCluster, startLocalCluster } from "./control_plane.ts";
import { type OdooJobsOptions, startOdooJobs } from "./odoo_jobs.ts";
import { adminClient, ensureNamespace, prepareForOperator, startOperator } from "./operator.ts";
import { startProcessGroup } from "./processes.ts";
import { type Row, Screen } from "./screen.ts";

const NAMESPACE = "demo";

/** The two instances, as a user would write them. */
const INSTANCES = [
  { name: "staging", environment: "Staging", hosts: ["staging.example.com"], replicas: 1 },
  { name: "shop", environment: "Production", hosts: ["shop.example.com", "www.example.com"], replicas: 2 },
] as const;

/** What `--failing-init` asks for: an image that lacks a module which one of the instances wants. */
const FAILING_INIT: OdooJobsOptions = {
  outcomeOf: ({ metadata }) =>
    metadata.labels?.[INSTANCE_LABEL] === "shop" ? { image: { unknown: ["web"] } } : undefined,
};

/** Phases that lead nowhere by themselves. */
const STUCK = new Set(["Error", "InitFailed"]);

/** With `--once`, the patience after which a demo that shows nothing new has failed. */
const PATIENCE_MS = 120_000;

/** What a demo is asked to show. */
interface DemoOptions {
  /** Ends as soon as the end is known, instead of staying. */
  readonly once: boolean;
  /** How the Jobs of the instances end. */
  readonly jobs: OdooJobsOptions;
  readonly signal: AbortSignal;
}

async function demo({ once, jobs, signal }: DemoOptions): Promise<number> {
  await using cluster = await startLocalCluster({ signal });
  const client = adminClient(cluster);
  try {
    await prepareForOperator(client, cluster);
    await ensureNamespace(client, NAMESPACE);
    await using _jobs = await startOdooJobs(cluster, jobs);
    await using group = await startProcessGroup({ logsDirectory: cluster.logsDirectory }); // one folder to look into
    await using _operator = await startOperator(cluster, { group });
    const startedMs = performance.now();
    for (const instance of INSTANCES) await client.create<OdooInstance>(OdooInstanceKind, manifest(instance));
    const failure = await follow(client, once, signal);
    if (failure) throw new Error(failure);
    if (signal.aborted) return once ? 1 : 0;
    write(`\nBoth instances run, ${((performance.now() - startedMs) / 1000).toFixed(1)} s after they were created.\n`);
    if (once) return 0;
    write(hints(cluster));
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    return 0;
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Error(`${messageOf(error)}\nLogs of the operator and the cluster: ${await cluster.keepLogs()}`, {
      cause: error,
    });
  } finally {
    client.close();
  }
}

/** Shows the instances until all run; resolves with the reason why one cannot. */
async function follow(client: Client, once: boolean, signal: AbortSignal): Promise<string | undefined> {
  const ended = new AbortController();
  const end = () => ended.abort();
  signal.addEventListener("abort", end);
  const patience = once ? setTimeout(end, PATIENCE_MS) : undefined;
  const screen = new Screen();
  const instances = new Map<string, Stored<OdooInstance>>();
  const tick = setInterval(() => screen.show(rows(instances)), 1000);
  try {
    for await (const event of watchObjects(client, OdooInstanceKind, { namespace: NAMESPACE, signal: ended.signal })) {
      if (event.type === "bookmark") continue;
      const changed = event.type === "restarted" ? event.objects : [event.object];
      for (const instance of changed) instances.set(instance.metadata.name, instance);
      screen.show(rows(instances));
      const stuck = [...instances.values()].find(({ status }) => STUCK.has(status?.phase ?? ""));
      if (stuck && once) {
        return `${stuck.metadata.name} is in ${stuck.status?.phase}: ${reasonOf(stuck)}: ${stuck.status?.message}`;
      }
      if (
        instances.size === INSTANCES.length &&
        [...instances.values()].every(({ status }) => status?.phase === "Running")
      ) return undefined;
    }
    if (signal.aborted) return undefined;
    const late = [...instances.values()].find(({ status }) => status?.phase !== "Running");
    return `${late?.metadata.name ?? "An instance"} is not Running after ${PATIENCE_MS / 1000} s: ${
      late && reasonOf(late)
    }: ${late?.status?.message}`;
  } finally {
    clearTimeout(patience);
    clearInterval(tick);
    signal.removeEventListener("abort", end);
  }
}

function rows(instances: ReadonlyMap<string, Stored<OdooInstance>>): Row[] {
  return INSTANCES.flatMap(({ name }) => {
    const instance = instances.get(name);
    if (!instance) return [];
    const { metadata, spec, status } = instance;
    const ageSeconds = Math.max(0, Math.round((Date.now() - Date.parse(metadata.creationTimestamp ?? "")) / 1000));
    return [{
      instance: `${metadata.namespace}/${name}`,
      environment: spec.environment ?? "",
      phase: status?.phase ?? "",
      ready: `${status?.readyReplicas ?? 0}/${spec.replicas ?? 1}`,
      reason: reasonOf(instance),
      age: `${ageSeconds}s`,
    }];
  });
}

function reasonOf(instance: OdooInstance): string {
  return conditionOf(instance.status?.conditions, "Ready")?.reason ?? "";
}

function manifest({ name, environment, hosts, replicas }: typeof INSTANCES[number]): OdooInstance {
  return {
    metadata: { name, namespace: NAMESPACE },
    spec: {
      adminPassword: crypto.randomUUID(),
      environment,
      replicas,
      ingress: { hosts },
      image: "odoo:19.0",
      init: { modules: ["base", "web"] },
    },
  };
}

function hints(cluster: LocalCluster): string {
  return `
  export KUBECONFIG=${cluster.kubeconfig}

  kubectl -n ${NAMESPACE} get odoo,deploy,ingress,pvc
  kubectl -n ${NAMESPACE} describe odoo shop
  kubectl -n ${NAMESPACE} patch odoo shop --type merge -p '{"spec":{"replicas":3}}'

Ctrl-C ends everything.
`;
}

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

if (import.meta.main) {
  const flags = parseArgs(Deno.args, { boolean: ["once", "failing-init"] });
  const ending = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(name, () => ending.abort());
  try {
    Deno.exit(
      await demo({
        once: flags["once"] === true,
        jobs: flags["failing-init"] === true ? FAILING_INIT : {},
        signal: ending.signal,
      }),
    );
  } catch (error) {
    if (!ending.signal.aborted) {
      Deno.stderr.writeSync(new TextEncoder().encode(`\n${messageOf(error)}\n`));
    }
    Deno.exit(1);
  }
}
