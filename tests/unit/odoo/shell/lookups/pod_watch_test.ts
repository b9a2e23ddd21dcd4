import { assertEquals } from "@std/assert";
import { ApiError, type Event, type Pod, type Stored } from "../../../../../src/kit/mod.ts";
import type { World } from "../../../../../src/odoo/model/world.ts";
import { type PodEyes, PodWatch } from "../../../../../src/odoo/shell/lookups/pod_watch.ts";
import { aBatchJob, aDeployment, aWorld, oneJob } from "../../../../support/builders.ts";
import { JOB_NAME, OPERATION } from "../../machine/operation_worlds.ts";

/** A namespace with one pod, whose image is missing. */
class Namespace implements PodEyes {
  reads = 0;
  error: Error | undefined;
  reason = "ErrImagePull";
  events: Stored<Event>[] = [];

  pods(): Promise<Stored<Pod>[]> {
    this.reads += 1;
    if (this.error) return Promise.reject(this.error);
    const container = { name: "odoo", image: "odoo:18", imageID: "", ready: false, restartCount: 0 };
    const containerStatuses = [{ ...container, state: { waiting: { reason: this.reason } } }];
    const controller = {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      name: "shop-5d",
      uid: "uid-of-set",
      controller: true,
    };
    const metadata = {
      ...{ name: "shop-1", namespace: "blue", uid: "uid", resourceVersion: "1" },
      labels: { app: "shop", "pod-template-hash": "5d" },
      ownerReferences: [controller],
    };
    const spec = { nodeName: "node-7", containers: [{ name: "odoo" }] };
    return Promise.resolve([{ metadata, spec, status: { containerStatuses } }]);
  }

  refusals(): Promise<Stored<Event>[]> {
    return Promise.resolve(this.events);
  }

  news(): Promise<Stored<Event>[]> {
    return Promise.resolve(this.events);
  }
}

function waitingAt(seconds: number, overrides: Parameters<typeof aWorld>[0] = {}): World {
  return aWorld({
    phase: "Starting",
    observed: { web: aDeployment("shop", { ready: 0 }) },
    ...overrides,
    now: seconds * 1_000,
  });
}

async function reasonAt(watch: PodWatch, world: World, eyes: PodEyes): Promise<string | undefined> {
  return (await watch.look(world, eyes))?.troubles.web?.reason;
}

Deno.test("look() reads nothing for eight seconds, then after ever longer pauses, at most a minute", async () => {
  const [watch, eyes] = [new PodWatch(), new Namespace()];
  const looks: number[] = [];
  for (let second = 0; second <= 300; second++) {
    const before = eyes.reads;
    await watch.look(waitingAt(second), eyes);
    if (eyes.reads > before) looks.push(second);
  }
  assertEquals(looks, [8, 16, 32, 64, 124, 184, 244]);
});

Deno.test("look() keeps what it has found, and says when it will look again", async () => {
  const [watch, eyes] = [new PodWatch(), new Namespace()];
  assertEquals(await watch.look(waitingAt(0), eyes), { troubles: {}, stuckPods: [], againAfterMs: 8_000 });
  assertEquals(await reasonAt(watch, waitingAt(8), eyes), "ImagePullFailed");
  assertEquals((await watch.look(waitingAt(10), eyes))?.againAfterMs, 6_000);
  assertEquals(await reasonAt(watch, waitingAt(10), eyes), "ImagePullFailed");
  assertEquals(eyes.reads, 1);
});

Deno.test("look() looks within eight seconds when something has moved", async () => {
  const [watch, eyes] = [new PodWatch(), new Namespace()];
  for (const second of [0, 8, 16, 32]) await watch.look(waitingAt(second), eyes);
  eyes.reason = "CrashLoopBackOff";
  const edited = { instance: { metadata: { generation: 2 } } };
  assertEquals(await reasonAt(watch, waitingAt(33, edited), eyes), "ImagePullFailed");
  assertEquals((await watch.look(waitingAt(33, edited), eyes))?.againAfterMs, 8_000);
  assertEquals(await reasonAt(watch, waitingAt(41, edited), eyes), "PodCrashing");
});

Deno.test("look() forgets when nobody waits any more, or the instance goes", async () => {
  const [watch, eyes] = [new PodWatch(), new Namespace()];
  const deletionTimestamp = "2026-11-21T04:00:00Z";
  for (const over of [aWorld(), waitingAt(9, { instance: { metadata: { deletionTimestamp } } })]) {
    for (const second of [0, 8]) await watch.look(waitingAt(second), eyes);
    assertEquals(await watch.look(over, eyes), undefined);
    assertEquals(await watch.look(waitingAt(10), eyes), { troubles: {}, stuckPods: [], againAfterMs: 8_000 });
    watch.forget("blue/shop");
  }
});

Deno.test("look() goes on without an explanation when it may not read", async () => {
  const [watch, eyes] = [new PodWatch(), new Namespace()];
  for (const second of [0, 8]) await watch.look(waitingAt(second), eyes);
  eyes.error = new ApiError(403, "Forbidden", "no");
  assertEquals(await reasonAt(watch, waitingAt(16), eyes), "ImagePullFailed");
  assertEquals((await watch.look(waitingAt(17), eyes))?.againAfterMs, 15_000);
});

Deno.test("look() tells the latest of the Job controller's words for a Job without a pod", async () => {
  const [watch, eyes] = [new PodWatch(), new Namespace()];
  const metadata = { name: "e", namespace: "blue", uid: "uid-of-event", resourceVersion: "1" };
  eyes.events = [
    { metadata, note: "Error creating: late", deprecatedLastTimestamp: "2026-11-21T04:00:09Z" },
    { metadata, note: "Error creating: early", deprecatedLastTimestamp: "2026-11-21T04:00:01Z" },
  ];
  const job = { ...aBatchJob(JOB_NAME), status: {} };
  const world = {
    phase: "Initializing",
    status: { operation: OPERATION },
    observed: oneJob(job, { state: "active" }),
  } as const;
  await watch.look(waitingAt(0, world), eyes);
  const look = await watch.look(waitingAt(8, world), eyes);
  assertEquals(look?.troubles, {
    job: { reason: "PodsNotCreated", message: `The API server refuses the pods of Job ${JOB_NAME}: late` },
  });
});

const METADATA = { name: "e", namespace: "blue", uid: "uid-of-event", resourceVersion: "1" };
const WAITS =
  "Pod shop-1 on node node-7 waits for a volume: FailedMount, 2 times: no such export. The volume may still " +
  "be attached to another node: check kubectl get volumeattachments";

Deno.test("look() finds a pod that waits for a volume when its events say so twice, in the words of the last", async () => {
  const [watch, eyes] = [new PodWatch(), new Namespace()];
  eyes.reason = "ContainerCreating";
  eyes.events = [
    {
      metadata: METADATA,
      reason: "FailedMount",
      note: "no such export",
      series: { count: 2, lastObservedTime: "2026-11-21T04:00:09Z" },
    },
    {
      metadata: METADATA,
      reason: "FailedAttachVolume",
      note: "early",
      deprecatedCount: 9,
      deprecatedLastTimestamp: "2026-11-21T04:00:01Z",
    },
    { metadata: METADATA, reason: "Scheduled", note: "late", eventTime: "2026-11-21T04:00:10Z" },
  ];
  await watch.look(waitingAt(0), eyes);
  const look = await watch.look(waitingAt(8), eyes);
  assertEquals(look?.troubles, { web: { reason: "VolumeNotMounted", message: WAITS } });
  assertEquals(look?.stuckPods, [{
    pod: { metadata: { name: "shop-1", namespace: "blue", uid: "uid", resourceVersion: "1" } },
    message: WAITS,
  }]);
});

Deno.test("look() asks for no events of a pod that has come further", async () => {
  const [watch, eyes] = [new PodWatch(), new Namespace()];
  eyes.news = () => Promise.reject(new Error("asked"));
  for (const second of [0, 8]) await watch.look(waitingAt(second), eyes);
});
