import { assertEquals } from "@std/assert";
import type { Pod } from "../../../../../src/kit/builders/kinds.ts";
import type { Stored } from "../../../../../src/kit/types.ts";
import {
  awaitsContainers,
  isRecreated,
  mountProblem,
  type PodEvent,
} from "../../../../../src/odoo/model/pods/mounts.ts";
import { merged, type Overrides } from "../../../../support/builders.ts";

function aPod(overrides: Overrides<Stored<Pod>> = {}): Stored<Pod> {
  const container = { name: "odoo", image: "", imageID: "", ready: false, restartCount: 0 };
  const base: Stored<Pod> = {
    metadata: {
      ...{ name: "shop-1", namespace: "blue", uid: "uid", resourceVersion: "1" },
      labels: { app: "shop", "pod-template-hash": "5d" },
      ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "shop-5d", uid: "set", controller: true }],
    },
    spec: { nodeName: "node-7", containers: [{ name: "odoo" }] },
    status: { containerStatuses: [{ ...container, state: { waiting: { reason: "ContainerCreating" } } }] },
  };
  return merged(base, overrides);
}

const FAILED_MOUNT: PodEvent = { reason: "FailedMount", note: "timed out\n  waiting", times: 2 };

/** Events about a pod, the oldest first, and the one that explains why it waits. */
const EVENTS: Readonly<Record<string, { readonly given: readonly PodEvent[]; readonly want: string | undefined }>> = {
  "nothing without events": { given: [], want: undefined },
  "nothing when it has failed once": { given: [{ ...FAILED_MOUNT, times: 1 }], want: undefined },
  "nothing when events report something else": { given: [{ ...FAILED_MOUNT, reason: "Pulling" }], want: undefined },
  "the mount": { given: [FAILED_MOUNT], want: "FailedMount, 2 times: timed out waiting." },
  "the attachment": { given: [{ ...FAILED_MOUNT, reason: "FailedAttachVolume" }], want: "FailedAttachVolume, 2 times" },
  "the last of both": {
    given: [{ ...FAILED_MOUNT, reason: "FailedAttach" }, { ...FAILED_MOUNT, times: 7 }],
    want: "FailedMount, 7",
  },
};

for (const [sentence, { given, want }] of Object.entries(EVENTS)) {
  Deno.test(`mountProblem() names ${sentence}`, () => {
    const problem = mountProblem(aPod(), given);
    assertEquals(
      [problem?.reason, problem?.message.includes(want ?? "?")],
      want ? ["VolumeNotMounted", true] : [undefined, undefined],
    );
  });
}

const WAITING: Readonly<Record<string, { readonly given: Stored<Pod>; readonly want: boolean }>> = {
  "waits for its first container": { given: aPod(), want: true },
  "has no node": { given: aPod({ spec: { nodeName: undefined } }), want: false },
  "is to end": { given: aPod({ metadata: { deletionTimestamp: "2026-11-21T04:00:00Z" } }), want: false },
  "runs": { given: aPod({ status: { containerStatuses: [] } }), want: false },
};

for (const [sentence, { given, want }] of Object.entries(WAITING)) {
  Deno.test(`awaitsContainers() is ${want} when the pod ${sentence}`, () =>
    assertEquals(awaitsContainers(given), want));
}

const owned = (owner: object) => ({ ...aPod().metadata.ownerReferences?.[0], ...owner }) as never;

const OWNERS: Readonly<Record<string, { readonly given: Stored<Pod>; readonly want: boolean }>> = {
  "a ReplicaSet of its web Deployment": { given: aPod(), want: true },
  "a ReplicaSet of its cron Deployment": {
    given: aPod({ metadata: { labels: { app: "shop-cron" }, ownerReferences: [owned({ name: "shop-cron-5d" })] } }),
    want: true,
  },
  "no controller": { given: aPod({ metadata: { ownerReferences: [] } }), want: false },
  "another ReplicaSet": {
    given: aPod({ metadata: { ownerReferences: [owned({ name: "mine-5d" })] } }),
    want: false,
  },
  "a Job": { given: aPod({ metadata: { ownerReferences: [owned({ kind: "Job" })] } }), want: false },
  "a Deployment of another app": { given: aPod({ metadata: { labels: { app: "other" } } }), want: false },
};

for (const [sentence, { given, want }] of Object.entries(OWNERS)) {
  Deno.test(`isRecreated() is ${want} when the pod belongs to ${sentence}`, () => {
    assertEquals(isRecreated(given, "shop"), want);
  });
}
