import { assertEquals } from "@std/assert";
import { ApiError, type Event, type Pod, type ReconcileContext, type Stored } from "../../../../../src/kit/mod.ts";
import type { World } from "../../../../../src/odoo/model/world.ts";
import { PodProblemsLookup, type PodReader } from "../../../../../src/odoo/shell/lookups/pod_problems.ts";
import { aBatchJob, aDeployment, aWorld, oneJob } from "../../../../support/builders.ts";
import { JOB_NAME, OPERATION } from "../../machine/operation_worlds.ts";

/** A namespace with one pod, whose image is missing. */
class Namespace implements PodReader {
  reads = 0;
  error: Error | undefined;
  reason = "ErrImagePull";
  reported: Stored<Event>[] = [];

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
    return Promise.resolve(this.reported);
  }

  events(): Promise<Stored<Event>[]> {
    return Promise.resolve(this.reported);
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

const NOTHING_YET = { facts: { troubles: {}, stuckPods: [] }, recheckAfterMs: 8_000 };

/** A lookup in a namespace. */
function aNamespace() {
  const pods = new Namespace();
  const lookup = new PodProblemsLookup(() => pods);
  const unused = {} as ReconcileContext; // the lookup gets its reader from the constructor
  return { pods, lookup, ask: (world: World) => lookup.ask(world, unused) };
}

type Ask = ReturnType<typeof aNamespace>["ask"];

async function reasonAt(ask: Ask, world: World): Promise<string | undefined> {
  return (await ask(world)).facts?.troubles.web?.reason;
}

Deno.test("ask() reads nothing for eight seconds, then at growing intervals of at most a minute", async () => {
  const { ask, pods } = aNamespace();
  const reads: number[] = [];
  for (let second = 0; second <= 300; second++) {
    const before = pods.reads;
    await ask(waitingAt(second));
    if (pods.reads > before) reads.push(second);
  }
  assertEquals(reads, [8, 16, 32, 64, 124, 184, 244]);
});

Deno.test("ask() keeps its findings, and returns the time until it reads again", async () => {
  const { ask, pods } = aNamespace();
  assertEquals(await ask(waitingAt(0)), NOTHING_YET);
  assertEquals(await reasonAt(ask, waitingAt(8)), "ImagePullFailed");
  assertEquals((await ask(waitingAt(10))).recheckAfterMs, 6_000);
  assertEquals(await reasonAt(ask, waitingAt(10)), "ImagePullFailed");
  assertEquals(pods.reads, 1);
});

Deno.test("ask() reads within eight seconds when the state has changed", async () => {
  const { ask, pods } = aNamespace();
  for (const second of [0, 8, 16, 32]) await ask(waitingAt(second));
  pods.reason = "CrashLoopBackOff";
  const edited = { instance: { metadata: { generation: 2 } } };
  assertEquals(await reasonAt(ask, waitingAt(33, edited)), "ImagePullFailed");
  assertEquals((await ask(waitingAt(33, edited))).recheckAfterMs, 8_000);
  assertEquals(await reasonAt(ask, waitingAt(41, edited)), "PodCrashing");
});

Deno.test("ask() drops its findings when the instance waits for no pod any more, or is deleted", async () => {
  const { lookup, ask } = aNamespace();
  const deletionTimestamp = "2026-11-21T04:00:00Z";
  for (const over of [aWorld(), waitingAt(9, { instance: { metadata: { deletionTimestamp } } })]) {
    for (const second of [0, 8]) await ask(waitingAt(second));
    assertEquals(await ask(over), {});
    assertEquals(await ask(waitingAt(10)), NOTHING_YET);
    lookup.forget("blue/shop");
  }
});

Deno.test("ask() keeps its findings when it is not allowed to read", async () => {
  const { ask, pods } = aNamespace();
  for (const second of [0, 8]) await ask(waitingAt(second));
  pods.error = new ApiError(403, "Forbidden", "no");
  assertEquals(await reasonAt(ask, waitingAt(16)), "ImagePullFailed");
  assertEquals((await ask(waitingAt(17))).recheckAfterMs, 15_000);
});

Deno.test("ask() returns the latest message of the Job controller for a Job without a pod", async () => {
  const { ask, pods } = aNamespace();
  const metadata = { name: "e", namespace: "blue", uid: "uid-of-event", resourceVersion: "1" };
  pods.reported = [
    { metadata, note: "Error creating: late", deprecatedLastTimestamp: "2026-11-21T04:00:09Z" },
    { metadata, note: "Error creating: early", deprecatedLastTimestamp: "2026-11-21T04:00:01Z" },
  ];
  const job = { ...aBatchJob(JOB_NAME), status: {} };
  const world = {
    phase: "Initializing",
    status: { operation: OPERATION },
    observed: oneJob(job, { state: "active" }),
  } as const;
  await ask(waitingAt(0, world));
  const { facts } = await ask(waitingAt(8, world));
  assertEquals(facts?.troubles, {
    job: { reason: "PodsNotCreated", message: `The API server refuses the pods of Job ${JOB_NAME}: late` },
  });
});

const METADATA = { name: "e", namespace: "blue", uid: "uid-of-event", resourceVersion: "1" };
const WAITS =
  "Pod shop-1 on node node-7 waits for a volume: FailedMount, 2 times: no such export. The volume may still " +
  "be attached to another node: check kubectl get volumeattachments";

Deno.test("ask() finds a pod that waits for a volume when its events report it twice, with the message of the last", async () => {
  const { ask, pods } = aNamespace();
  pods.reason = "ContainerCreating";
  pods.reported = [
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
  await ask(waitingAt(0));
  const { facts } = await ask(waitingAt(8));
  assertEquals(facts?.troubles, { web: { reason: "VolumeNotMounted", message: WAITS } });
  assertEquals(facts?.stuckPods, [{
    pod: { metadata: { name: "shop-1", namespace: "blue", uid: "uid", resourceVersion: "1" } },
    message: WAITS,
  }]);
});

Deno.test("ask() reads no events of a pod that has containers", async () => {
  const { ask, pods } = aNamespace();
  pods.events = () => Promise.reject(new Error("asked"));
  for (const second of [0, 8]) await ask(waitingAt(second));
});
