import { assertEquals } from "@std/assert";
import type { Pod } from "../../../../../src/kit/builders/kinds.ts";
import type { Stored } from "../../../../../src/kit/types.ts";
import {
  awaitedPods,
  podSituation,
  podsRefused,
  podTrouble,
  troublesOf,
} from "../../../../../src/odoo/model/pods/pods.ts";
import { aBatchJob, aDeployment, aWorld, merged, oneJob, type Overrides } from "../../../../support/builders.ts";
import { JOB_NAME, OPERATION } from "../../machine/operation_worlds.ts";

type Status = NonNullable<Pod["status"]>;
type ContainerState = NonNullable<NonNullable<Status["containerStatuses"]>[number]["state"]>;

function aPod(status: Status, overrides: Overrides<Stored<Pod>> = {}): Stored<Pod> {
  const base: Stored<Pod> = {
    metadata: { name: "shop-1", namespace: "blue", uid: "uid-of-pod", resourceVersion: "1", labels: { app: "shop" } },
    spec: { nodeName: "node-7", containers: [{ name: "odoo-shop", image: "odoo:18" }] },
    status,
  };
  return merged(base, overrides);
}

function waiting(state: ContainerState, lastState: ContainerState = {}): Status {
  const container = { name: "odoo-shop", image: "", imageID: "", ready: false, restartCount: 0 };
  const ready = { type: "Ready", status: "False", reason: "ContainersNotReady" };
  return { conditions: [ready], containerStatuses: [{ ...container, state, lastState }] };
}

const SILENT: Status = {
  conditions: [{ type: "Ready", status: "False" }, { type: "ContainersReady", status: "True" }],
};

const TROUBLES: Readonly<Record<string, { readonly pod: Stored<Pod>; readonly want: string | undefined }>> = {
  "nothing of a pod that serves": { pod: aPod({ conditions: [{ type: "Ready", status: "True" }] }), want: undefined },
  "nothing of a pod that is on its way": {
    pod: aPod(waiting({ waiting: { reason: "ContainerCreating" } })),
    want: undefined,
  },
  "nothing of a pod that is to end": {
    pod: aPod(waiting({ waiting: { reason: "ErrImagePull" } }), {
      metadata: { deletionTimestamp: "2026-11-21T04:00:00Z" },
    }),
    want: undefined,
  },
  "the message of the scheduler about a pod without a node": {
    pod: aPod({
      conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/2 nodes" }],
    }, {
      spec: { nodeName: undefined },
    }),
    want:
      "PodUnschedulable: Pod shop-1 cannot be scheduled: 0/2 nodes. Add a node that fits, or change resources, nodeSelector, affinity or tolerations",
  },
  "the image that cannot be pulled": {
    pod: aPod(waiting({ waiting: { reason: "ErrImagePull", message: "not found" } })),
    want:
      "ImagePullFailed: Pod shop-1 cannot pull image odoo:18: ErrImagePull: not found. Correct spec.image or spec.imagePullSecret",
  },
  "that a Job keeps its image": {
    pod: aPod(waiting({ waiting: { reason: "InvalidImageName" } }), {
      metadata: { labels: { "batch.kubernetes.io/job-name": "first" } },
    }),
    want:
      "ImagePullFailed: Pod shop-1 cannot pull image odoo:18: InvalidImageName. Correct spec.image or spec.imagePullSecret, then delete the job resource: its Job keeps the image with which it was created",
  },
  "the last end of a container that restarts repeatedly": {
    pod: aPod(
      waiting({ waiting: { reason: "CrashLoopBackOff" } }, {
        terminated: { exitCode: 137, reason: "OOMKilled", message: "a word that might be a secret" },
      }),
    ),
    want:
      "PodCrashing: Container odoo-shop of pod shop-1 restarts repeatedly (OOMKilled, exit code 137): find the cause with kubectl logs shop-1 --previous",
  },
  "why a container cannot start": {
    pod: aPod(waiting({ waiting: { reason: "CreateContainerConfigError", message: 'secret "keys" not found' } })),
    want:
      'ContainerNotStarted: Container odoo-shop of pod shop-1 cannot start: CreateContainerConfigError: secret "keys" not found. Correct the spec of the instance, or create the missing object',
  },
  "the node that is silent": {
    pod: aPod(SILENT),
    want:
      "NodeNotReady: Pod shop-1 is on node node-7, which does not answer. Kubernetes replaces the pod after five minutes, or once the node is deleted (kubectl delete node)",
  },
  "what keeps a pod on a silent node from ending": {
    pod: aPod({ reason: "NodeLost" }, { metadata: { deletionTimestamp: "2026-11-21T04:00:00Z" } }),
    want:
      "NodeNotReady: Pod shop-1 is on node node-7, which does not answer. The pod cannot terminate: start the node again, or delete it (kubectl delete node)",
  },
};

for (const [sentence, { pod, want }] of Object.entries(TROUBLES)) {
  Deno.test(`podTrouble() reports ${sentence}`, () => {
    const trouble = podTrouble(pod);
    assertEquals(trouble && `${trouble.reason}: ${trouble.message}`, want);
  });
}

Deno.test("troublesOf() files the first trouble under the purpose of its pod, and leaves strangers out", () => {
  const labelled = (name: string, labels: Record<string, string>) => aPod(SILENT, { metadata: { name, labels } });
  const pods = [
    aPod({}),
    labelled("shop-2", { app: "shop" }),
    labelled("shop-3", { app: "shop" }),
    labelled("shop-cron-1", { app: "shop-cron" }),
    labelled("first-1", { "batch.kubernetes.io/job-name": "first" }),
    labelled("stranger", { app: "stranger" }),
  ];
  const found = Object.entries(troublesOf(pods, "shop")).map(([purpose, { message }]) => [
    purpose,
    message.split(" ", 2)[1],
  ]);
  assertEquals(found.sort(), [["cron", "shop-cron-1"], ["job", "first-1"], ["web", "shop-2"]]);
});

Deno.test("podsRefused() leaves out the name of a pod that never was, and says what to do about a quota", () => {
  const refusal = (pod: string) => `Error creating: pods "${pod}" is forbidden: exceeded quota: none, limited: pods=0`;
  assertEquals(podsRefused("Job first", refusal("first-x7k2p")), podsRefused("Job first", refusal("first-9zz")));
  assertEquals(
    podsRefused("Job first", refusal("first-x7k2p")).message,
    "The API server refuses the pods of Job first: a pod is forbidden: exceeded quota: none, limited: pods=0. Raise that ResourceQuota, or delete objects that it counts",
  );
  assertEquals(
    podsRefused("Deployment shop", 'pods "shop-1" is forbidden: violates PodSecurity').message,
    "The API server refuses the pods of Deployment shop: a pod is forbidden: violates PodSecurity",
  );
});

/** A Deployment whose former pod serves beside a new one that does not. */
const ROLLING = { ...aDeployment("shop"), status: { readyReplicas: 1, unavailableReplicas: 1 } };
const active = (ready?: number) => ({
  ...aBatchJob(JOB_NAME),
  status: { active: 1, ...(ready === undefined ? {} : { ready }) },
});
const initialising = { phase: "Initializing", status: { operation: OPERATION } } as const;

const AWAITED: Readonly<
  Record<string, { readonly world: ReturnType<typeof aWorld>; readonly want: readonly string[] }>
> = {
  "nothing when all are ready": { world: aWorld(), want: [] },
  "nothing when none are wanted": {
    world: aWorld({ observed: { web: aDeployment("shop", { replicas: 0 }), cron: undefined } }),
    want: [],
  },
  "those that a Deployment lacks": {
    world: aWorld({
      observed: { web: aDeployment("shop", { ready: 0 }), cron: aDeployment("shop-cron", { replicas: 2, ready: 1 }) },
    }),
    want: ["web", "cron"],
  },
  "those of a roll-out beside which the former ones serve": {
    world: aWorld({ observed: { web: ROLLING } }),
    want: ["web"],
  },
  "that of a Job which has not begun": {
    world: aWorld({ ...initialising, observed: oneJob(active(), { state: "active" }) }),
    want: ["job"],
  },
  "nothing of a Job that is running": {
    world: aWorld({ ...initialising, observed: oneJob(active(1), { state: "active" }) }),
    want: [],
  },
  "nothing of a Job that has ended": {
    world: aWorld({ ...initialising, observed: oneJob(active(), { state: "failed", message: "" }) }),
    want: [],
  },
};

for (const [sentence, { world, want }] of Object.entries(AWAITED)) {
  Deno.test(`awaitedPods() is ${sentence}`, () => assertEquals(awaitedPods(world), [...want]));
}

Deno.test("podSituation() changes with the spec and with the counts, and with nothing else", () => {
  const lacking = { web: aDeployment("shop", { ready: 0 }) };
  const one = podSituation(aWorld({ observed: lacking }));
  assertEquals(podSituation(aWorld({ observed: lacking, now: 1, status: { message: "x" } })), one);
  const others = [
    aWorld({ observed: lacking, instance: { metadata: { generation: 2 } } }),
    aWorld({ observed: { web: ROLLING } }),
    aWorld({ ...initialising, observed: { ...lacking, ...oneJob(active(), { state: "active" }) } }),
  ].map(podSituation);
  assertEquals(new Set([one, ...others]).size, 4);
});
