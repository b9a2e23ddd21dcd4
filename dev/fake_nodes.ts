/**
 * Nodes without machines: kwok marks pods ready that nobody runs, ends the pods of Jobs and provides volumes. What it
 * does is written in its stages; these are the ones that come with it, with four changes (see {@linkcode kwokConfig}).
 */
import { parseAllDocuments, stringify } from "yaml";
import { INSTANCE_LABEL } from "../src/odoo/model/names.ts";
import type { ClusterApi } from "./cluster_api.ts";
import { type ManagedProcess, waitUntilReady } from "./processes.ts";

const READY_TIMEOUT_MS = 60_000;

/** The default StorageClass, which provides volumes of every access mode. */
export const STORAGE_CLASS = {
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name: "standard", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
  provisioner: "kwok.x-k8s.io/volume",
  reclaimPolicy: "Delete",
  volumeBindingMode: "Immediate",
  allowVolumeExpansion: true,
} as const;

/** Another one, to move files to. */
export const SECOND_STORAGE_CLASS = {
  ...STORAGE_CLASS,
  metadata: { name: "second" },
} as const;

const STORAGE_CLASSES = [STORAGE_CLASS, SECOND_STORAGE_CLASS];

/** How kwok's own stages ask for the class. */
const KWOK_STORAGE_CLASS = "== 'kwok-volume'";
const OUR_STORAGE_CLASSES = `in [${STORAGE_CLASSES.map(({ metadata }) => `'${metadata.name}'`).join(", ")}]`;

/** Without leases: nobody here watches them. More pods at a time than the default of four. */
const KWOK_OPTIONS = {
  apiVersion: "config.kwok.x-k8s.io/v1alpha1",
  kind: "KwokConfiguration",
  options: { nodeLeaseDurationSeconds: 0, podPlayStageParallelism: 16, nodePlayStageParallelism: 4 },
};

/** Stages in which kwok does what the controller manager does as well, so that both run into each other's writes. */
const DONE_BY_VOLUME_CONTROLLER = ["pv-bind", "pvc-delete"];

/** An image that no registry has: its pods wait for it, as a kubelet lets them. */
export const MISSING_IMAGE = "registry.example.com/odoo:missing";

const POD_IMAGE = ".spec.containers.[].image";

const PULL_FAILS = {
  apiVersion: "kwok.x-k8s.io/v1alpha1",
  kind: "Stage",
  metadata: { name: "pod-image-missing" },
  spec: {
    resourceRef: { apiGroup: "v1", kind: "Pod" },
    selector: {
      matchExpressions: [
        { key: ".metadata.deletionTimestamp", operator: "DoesNotExist" },
        { key: POD_IMAGE, operator: "In", values: [MISSING_IMAGE] },
        { key: ".status.containerStatuses", operator: "DoesNotExist" },
      ],
    },
    next: {
      statusTemplate: `
phase: Pending
conditions:
- {type: Ready, status: "False", reason: ContainersNotReady}
- {type: ContainersReady, status: "False", reason: ContainersNotReady}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  restartCount: 0
  state: {waiting: {reason: ImagePullBackOff, message: 'Back-off pulling image "${MISSING_IMAGE}": not found'}}
{{ end }}
`,
    },
  },
};

interface Stage {
  readonly kind?: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly selector: { matchExpressions: unknown[] }; steps: readonly unknown[] };
}

/**
 * kwok's configuration with the stages found in `stageDirectory`. Four changes: volumes belong to
 * {@linkcode STORAGE_CLASSES}; kwok provides and deletes them as a provisioner does, the volume controller binds them;
 * Job pods of an instance are left running: odoo_jobs.ts decides how they end and what they did; pods with
 * {@linkcode MISSING_IMAGE} never start.
 */
export async function kwokConfig(stageDirectory: string): Promise<string> {
  const stages = await readStages(stageDirectory);
  const named = (name: string) => {
    const stage = stages.find(({ metadata }) => metadata.name === name);
    if (!stage) throw new Error(`Cannot use kwok's stages in ${stageDirectory}: there is no ${name}`);
    return stage;
  };
  named("pod-complete").spec.selector.matchExpressions.push({
    key: `.metadata.labels["${INSTANCE_LABEL}"]`,
    operator: "DoesNotExist",
  });
  named("pod-ready").spec.selector.matchExpressions.push({
    key: POD_IMAGE,
    operator: "NotIn",
    values: [MISSING_IMAGE],
  });
  const provision = named("pvc-provision").spec;
  provision.steps = provision.steps.slice(0, 1); // makes the volume; the others bind it
  const kept = stages.filter(({ metadata }) => !DONE_BY_VOLUME_CONTROLLER.includes(metadata.name));
  return [KWOK_OPTIONS, ...kept, PULL_FAILS].map((document) => stringify(document)).join("---\n");
}

async function readStages(directory: string): Promise<Stage[]> {
  const stages: Stage[] = [];
  for (const folder of ["node/fast", "node/heartbeat-with-lease", "pod/fast", "volume/fast"]) {
    for await (const { name, isFile } of Deno.readDir(`${directory}/${folder}`)) {
      if (!isFile || !name.endsWith(".yaml")) continue;
      const text = await Deno.readTextFile(`${directory}/${folder}/${name}`);
      const documents = parseAllDocuments(text.replaceAll(KWOK_STORAGE_CLASS, OUR_STORAGE_CLASSES));
      for (const document of documents) {
        const stage = document.toJS() as Stage;
        if (stage.kind === "Stage") stages.push(stage);
      }
    }
  }
  return stages;
}

/** Creates nodes (big enough for anything; kwok fills in their status) and the StorageClasses. */
export async function createFakeNodes(api: ClusterApi, count: number): Promise<void> {
  for (const one of STORAGE_CLASSES) await api.create("/apis/storage.k8s.io/v1/storageclasses", one);
  for (let index = 1; index <= count; index++) await api.create("/api/v1/nodes", fakeNode(`node-${index}`));
}

function fakeNode(name: string): unknown {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" },
      annotations: { "kwok.x-k8s.io/node": "fake" },
    },
  };
}

const PROBE_PODS = "/api/v1/namespaces/kube-system/pods";
const PROBE = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "probe" },
  spec: { containers: [{ name: "probe", image: "probe" }], terminationGracePeriodSeconds: 0 },
};

/**
 * Waits until a pod runs, which takes everyone: the controller manager makes the service account that it needs, the
 * scheduler gives it a node, kwok starts it. Then nothing of it is left.
 */
export async function awaitFakeNodes(
  api: ClusterApi,
  wait: { readonly processes: readonly ManagedProcess[]; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const { processes, signal } = wait;
  const runs = async () => {
    const { status, body } = await api.request(`${PROBE_PODS}/probe`);
    if (status === 404) await api.create(PROBE_PODS, PROBE); // forbidden until the service account is there
    const { status: { phase, conditions } = {} } = body as { status?: { phase?: string; conditions?: unknown } };
    if (phase !== "Running") throw new Error(`the first pod is ${phase ?? "not there"}, ${JSON.stringify(conditions)}`);
    return true;
  };
  const options = { timeoutMs: READY_TIMEOUT_MS, intervalMs: 50, signal };
  await Promise.all(processes.map((managed) => waitUntilReady(managed, runs, options))); // fails as soon as one of them ends
  await api.request(`${PROBE_PODS}/probe`, { method: "DELETE" });
}
