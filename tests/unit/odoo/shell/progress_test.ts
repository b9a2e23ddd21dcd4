import { assertEquals } from "@std/assert";
import type { Change, Deployment, Job, KubeObject, Pod, Stored } from "../../../../src/kit/mod.ts";
import { isJobProgress, isPodProgress, isRolloutProgress } from "../../../../src/odoo/shell/progress.ts";

const labels = { "bemade.org/instance": "shop" };

function metadata(name: string, more: Partial<Stored<KubeObject>["metadata"]> = {}) {
  return { name, namespace: "a", uid: "1", resourceVersion: "7", generation: 1, labels, ...more };
}

function aChange<T extends KubeObject>(object: Stored<T>, previous?: Stored<T>, deleted = false): Change<T> {
  return { key: "a/x", object, deleted, initial: false, ...(previous ? { previous } : {}) };
}

function aDeployment(
  status: Deployment["status"],
  { name = "shop", replicas = 2, annotations = {}, generation = 1 } = {},
): Stored<Deployment> {
  return {
    metadata: metadata(name, { annotations, generation }),
    spec: { replicas, selector: {}, template: { spec: { containers: [] } } },
    ...(status ? { status } : {}),
  };
}

const rolling = aDeployment({ replicas: 1, unavailableReplicas: 1 });
const refused = [{ type: "ReplicaFailure", status: "True" }];
const ROLLOUTS: Readonly<Record<string, { readonly change: Change<Deployment>; readonly want: boolean }>> = {
  "true when only counts of pods that are not ready have changed": {
    change: aChange(aDeployment({ replicas: 2, unavailableReplicas: 2 }), rolling),
    want: true,
  },
  "true when the controller has noted its revision": {
    change: aChange(
      aDeployment({ replicas: 1 }, { annotations: { "deployment.kubernetes.io/revision": "1" } }),
      aDeployment({ replicas: 1 }),
    ),
    want: true,
  },
  "false when another pod is ready": {
    change: aChange(aDeployment({ replicas: 2, readyReplicas: 1 }), rolling),
    want: false,
  },
  "true when a cron pod is ready": {
    change: aChange(
      aDeployment({ readyReplicas: 1 }, { name: "shop-cron" }),
      aDeployment({ replicas: 1 }, { name: "shop-cron" }),
    ),
    want: true,
  },
  "false when pods are refused": {
    change: aChange(aDeployment({ replicas: 1, unavailableReplicas: 1, conditions: refused }), rolling),
    want: false,
  },
  "false when the last pods are gone": {
    change: aChange(aDeployment({}, { replicas: 0 }), aDeployment({ replicas: 1 }, { replicas: 0 })),
    want: false,
  },
  "false when its spec was edited": {
    change: aChange(aDeployment({ replicas: 1 }, { generation: 2 }), aDeployment({ replicas: 1 })),
    want: false,
  },
  "false when an annotation was edited": {
    change: aChange(aDeployment({ replicas: 1 }, { annotations: { by: "hand" } }), aDeployment({ replicas: 1 })),
    want: false,
  },
  "false when it is new": { change: aChange(rolling), want: false },
  "false when it was deleted": { change: aChange(rolling, rolling, true), want: false },
};

for (const [sentence, { change, want }] of Object.entries(ROLLOUTS)) {
  Deno.test(`isRolloutProgress() is ${sentence}`, () => assertEquals(isRolloutProgress(change), want));
}

function aJob(status: Job["status"], finalizers = ["bemade.org/outcome"]): Stored<Job> {
  return { metadata: metadata("shop-init", { finalizers }), ...(status ? { status } : {}) };
}

const JOBS: Readonly<Record<string, { readonly change: Change<Job>; readonly want: boolean }>> = {
  "true when its pod has started": { change: aChange(aJob({ active: 1, ready: 1 }), aJob({ active: 1 })), want: true },
  "false when it has ended": {
    change: aChange(aJob({ conditions: [{ type: "Complete", status: "True" }] }), aJob({ active: 1 })),
    want: false,
  },
  "false when a finalizer was taken off": {
    change: aChange(aJob({ active: 1 }, []), aJob({ active: 1 })),
    want: false,
  },
  "false when it is new": { change: aChange(aJob(undefined)), want: false },
  "false when it was deleted": { change: aChange(aJob({}), aJob({}), true), want: false },
};

for (const [sentence, { change, want }] of Object.entries(JOBS)) {
  Deno.test(`isJobProgress() is ${sentence}`, () => assertEquals(isJobProgress(change), want));
}

const running: Stored<Pod> = { metadata: metadata("shop-init-x"), status: { containerStatuses: [] } };
const PODS: Readonly<Record<string, { readonly change: Change<Pod>; readonly want: boolean }>> = {
  "true when it has not ended": { change: aChange(running), want: true },
  "false when it has ended": { change: aChange({ ...running, status: { phase: "Failed" } }, running), want: false },
  "false when it was deleted": { change: aChange(running, running, true), want: false },
  "false when it is being deleted": {
    change: aChange({ ...running, metadata: metadata("x", { deletionTimestamp: "2026-12-01T00:00:00Z" }) }, running),
    want: false,
  },
};

for (const [sentence, { change, want }] of Object.entries(PODS)) {
  Deno.test(`isPodProgress() is ${sentence}`, () => assertEquals(isPodProgress(change), want));
}
