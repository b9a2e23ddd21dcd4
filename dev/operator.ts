/**
 * The operator on a local cluster: its CRDs, its namespace with the clusters Secret, and the process itself, from source
 * or as a bundle, under a user of its own so that its requests can be told apart in the audit log.
 */
import { parse } from "yaml";
import {
  type Client,
  type ClusterAccess,
  createClient,
  isNotFound,
  isUnavailable,
  type KubeObject,
  pause,
  type ResourceType,
  Secret,
} from "../src/kit/mod.ts";
import { OdooInstanceKind, REQUEST_KINDS } from "../src/odoo/shell/kinds.ts";
import type { LocalCluster } from "./control_plane.ts";
import type { PodAccess } from "./pod_access.ts";
import { freePort, type ManagedProcess, type ProcessGroup, startProcessGroup, waitUntilReady } from "./processes.ts";

/** Who the operator is to the API server. */
export const OPERATOR_USER = "odoo-operator";
export const OPERATOR_NAMESPACE = "odoo-operator";

/** Nothing that starts takes so long, however much else the machine has to do. */
const LONGEST_START_MS = 60_000;

const ROOT = new URL("..", import.meta.url);
const CRD_FILES = [
  "odoo-crd",
  "initjob-crd",
  "backupjob-crd",
  "restorejob-crd",
  "upgradejob-crd",
  "stagingrefreshjob-crd",
];

const Namespace: ResourceType = { group: "", version: "v1", kind: "Namespace", plural: "namespaces" };
const Binding: ResourceType = {
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind: "ClusterRoleBinding",
  plural: "clusterrolebindings",
};
const Crd: ResourceType<KubeObject & { status?: { conditions?: { type: string; status: string }[] } }> = {
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
};

/** An administrator's client for a local cluster; close it. */
export function adminClient(cluster: LocalCluster): Client & { close(): void } {
  return createClient(cluster.access, { fieldManager: "dev" });
}

/** Creates a namespace, unless it exists. */
export async function ensureNamespace(client: Client, name: string): Promise<void> {
  await client.apply(Namespace, { metadata: { name } });
}

/** Installs the CRDs and waits until they are served. */
export async function installCrds(client: Client): Promise<void> {
  for (const file of CRD_FILES) {
    await client.apply(Crd, parse(await Deno.readTextFile(new URL(`crds/${file}.yaml`, ROOT))));
  }
  await waitUntilServed(client);
}

/** The controllers are to know our kinds from the beginning, as those of a cluster that has been there for a while do. */
export async function prepareCrds(access: ClusterAccess): Promise<void> {
  const client = createClient(access, { fieldManager: "dev" });
  try {
    await installCrds(client);
  } finally {
    client.close();
  }
}

async function waitUntilServed(client: Client): Promise<void> {
  const abort = new AbortController();
  for (const type of [OdooInstanceKind, ...REQUEST_KINDS] as readonly ResourceType[]) {
    const name = `${type.plural}.${type.group}`;
    for await (
      const { object } of client.watch(Crd, {
        fieldSelector: `metadata.name=${name}`,
        timeoutSeconds: 60,
        signal: abort.signal,
      })
    ) {
      if (
        object.status?.conditions?.some((condition) => condition.type === "Established" && condition.status === "True")
      ) break;
    }
    // Established means that the name is taken; the new path and what stores its objects can lag behind by a moment.
    await until(`${name} to be served`, () => client.list(type, { limit: 1 }).then(() => true, isNotServedYet));
  }
}

/** Writes the clusters Secret; `entries` as in clusters.yaml, by default the local PostgreSQL as cluster `main`. */
export async function writeClustersSecret(client: Client, cluster: LocalCluster, entries?: unknown): Promise<void> {
  const { host, port, adminUser, adminPassword } = cluster.postgres;
  const clusters = entries ?? { main: { host, port, adminUser, adminPassword, default: true } };
  const text = typeof clusters === "string" ? clusters : JSON.stringify(clusters);
  await client.apply(Secret, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "postgres-clusters", namespace: OPERATOR_NAMESPACE },
    stringData: { "clusters.yaml": text },
  });
}

/** Everything that the operator finds when it starts: CRDs, its namespace, its permissions, the clusters Secret. */
export async function prepareForOperator(client: Client, cluster: LocalCluster): Promise<void> {
  await installCrds(client);
  await ensureNamespace(client, OPERATOR_NAMESPACE);
  await client.apply(Binding, {
    metadata: { name: OPERATOR_USER },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [
      { apiGroup: "rbac.authorization.k8s.io", kind: "User", name: OPERATOR_USER },
      { kind: "ServiceAccount", name: OPERATOR_USER, namespace: OPERATOR_NAMESPACE },
    ],
  } as KubeObject);
  await writeClustersSecret(client, cluster);
}

/** Options of {@linkcode startOperator}. */
export interface OperatorOptions {
  /** The program with its first arguments. @default {deno run -A main.ts} */
  readonly command?: readonly string[];
  /** Further flags. */
  readonly args?: readonly string[];
  /** Replaces the kubeconfig of {@linkcode OPERATOR_USER}. */
  readonly kubeconfig?: string;
  /** Replaces the kubeconfig altogether: the operator finds the API server as a pod does. */
  readonly pod?: PodAccess | undefined;
  /** Where its log goes. @default the group's directory */
  readonly group?: ProcessGroup;
  /** Wait until /readyz says ok. @default {true} */
  readonly wait?: boolean;
}

/** A running operator. */
export interface OperatorProcess extends AsyncDisposable {
  readonly process: ManagedProcess;
  /** `http://127.0.0.1:port` of /healthz, /readyz and /metrics. */
  readonly healthUrl: string;
}

/** Starts the operator; it ends with `await using`, at the latest with this process. */
export async function startOperator(cluster: LocalCluster, options: OperatorOptions = {}): Promise<OperatorProcess> {
  const { command = [Deno.execPath(), "run", "-A", "main.ts"], args = [], wait = true } = options;
  const env = options.pod?.env ?? { KUBECONFIG: options.kubeconfig ?? await cluster.kubeconfigFor(OPERATOR_USER) };
  const group = options.group ?? await startProcessGroup();
  const port = freePort();
  const [program = "", ...first] = options.pod?.wrap(command) ?? command;
  const flags = [
    `--operator-namespace=${OPERATOR_NAMESPACE}`,
    `--health-probe-bind-address=127.0.0.1:${port}`,
    ...args,
  ];
  const process = await group.spawn({
    name: `operator-${port}`,
    command: program,
    args: [...first, ...flags],
    cwd: ROOT.pathname,
    env: { OPERATOR_IMAGE: "odoo-operator:dev", ...env },
  });
  const healthUrl = `http://127.0.0.1:${port}`;
  const dispose = async () => {
    await process.stop();
    if (!options.group) await group.stop();
  };
  try {
    if (wait) await waitUntilReady(process, () => isReady(healthUrl), { timeoutMs: LONGEST_START_MS });
  } catch (error) {
    await dispose();
    throw error;
  }
  return { process, healthUrl, [Symbol.asyncDispose]: dispose };
}

/** Asks again and again until it is so; fails after {@linkcode LONGEST_START_MS}. */
async function until(what: string, probe: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + LONGEST_START_MS;
  while (!await probe()) {
    if (performance.now() > deadline) throw new Error(`Cannot go on: still waiting for ${what}`);
    await pause(25);
  }
}

function isNotServedYet(error: unknown): boolean {
  if (isNotFound(error) || isUnavailable(error)) return false;
  throw error;
}

async function isReady(healthUrl: string): Promise<boolean> {
  try {
    const response = await fetch(`${healthUrl}/readyz`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // not listening yet
  }
}
