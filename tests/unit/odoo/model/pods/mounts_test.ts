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

const NEWS: PodEvent = { reason: "FailedMount", note: "timed out\n  waiting", times: 2 };

/** What is told of a pod, oldest first, and which of it explains that it waits. */
const TOLD: Readonly<Record<string, { readonly given: readonly PodEvent[]; readonly want: string | undefined }>> = {
  "nothing when nothing is told": { given: [], want: undefined },
  "nothing when it has failed once": { given: [{ ...NEWS, times: 1 }], want: undefined },
  "nothing when other things are told": { given: [{ ...NEWS, reason: "Pulling" }], want: undefined },
  "the mount": { given: [NEWS], want: "FailedMount, 2 times: timed out waiting." },
  "the attachment": { given: [{ ...NEWS, reason: "FailedAttachVolume" }], want: "FailedAttachVolume, 2 times" },
  "the last of both": { given: [{ ...NEWS, reason: "FailedAttach" }, { ...NEWS, times: 7 }], want: "FailedMount, 7" },
};

for (const [sentence, { given, want }] of Object.entries(TOLD)) {
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
  "nobody": { given: aPod({ metadata: { ownerReferences: [] } }), want: false },
  "somebody else's ReplicaSet": {
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
