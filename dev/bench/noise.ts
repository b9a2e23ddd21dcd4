/** Stage noise: what is none of the operator's business, in masses. Secrets of others that change all the time, and Events. */
import { type KubeObject, type ResourceType, Secret } from "../../src/kit/mod.ts";
import { cpuSecondsOf, memoryOf } from "../measure.ts";
import { ensureNamespace } from "../operator.ts";
import { editEach } from "./edits.ts";
import { type Figures, percentile, round1, summaryOf } from "./figures.ts";
import { inParallel } from "./parallel.ts";
import { growTo, members } from "./population.ts";
import { type BenchRig, NAMESPACE } from "./rig.ts";
import { alongside } from "./sampling.ts";

/** Where the foreign Secrets are. */
const FOREIGN_NAMESPACE = "noise";
const SECRET_BYTES = 100_000;

/** 50 changes a second. */
const CHANGE_INTERVAL_MS = 20;

/** So many requests at the same time while things are made. */
const AT_ONCE = 20;

/** So many instances are edited before and beside the Events. */
const EDITS = 20;

const Event: ResourceType<KubeObject & Readonly<Record<string, unknown>>> = {
  group: "",
  version: "v1",
  kind: "Event",
  plural: "events",
};

export async function measureNoise(rig: BenchRig): Promise<Figures> {
  await growTo(rig, EDITS);
  return { secrets: await measureSecrets(rig), events: await measureEvents(rig) };
}

/** Memory and CPU of an operator at rest, without and with the Secrets. */
async function measureSecrets(rig: BenchRig): Promise<Figures> {
  const { secrets, churnSeconds, restSeconds, settleSeconds } = rig.sizes;
  await rig.pause(settleSeconds * 1000); // the operator may just have been started
  const beforeMiB = await rig.rssAtRestMiB();
  const idleCpuPercent = await cpuPercentDuring(rig, () => rig.pause(restSeconds * 1000));
  rig.say(`  ${secrets} foreign Secrets`);
  await ensureNamespace(rig.client, FOREIGN_NAMESPACE);
  const names = Array.from({ length: secrets }, (_, index) => `foreign-${index + 1}`);
  const data = { blob: btoa("x".repeat(SECRET_BYTES)) };
  await inParallel(
    names,
    AT_ONCE,
    (name) => rig.client.create(Secret, { metadata: { name, namespace: FOREIGN_NAMESPACE }, data }),
  );
  rig.say(`  ${churnSeconds} s of changes`);
  let begun = 0;
  let changes = 0;
  let unanswered = 0;
  let underWay = 0;
  const change = async () => {
    if (underWay === AT_ONCE) return; // the API server takes no more: then it is fewer, and the figures say how many
    const name = names[begun++ % names.length] ?? "";
    const operation = { op: "add", path: "/metadata/annotations", value: { change: String(begun) } } as const;
    underWay++;
    const changed = rig.client.patch(Secret, { name, namespace: FOREIGN_NAMESPACE }, [operation]);
    await changed.then(() => changes++, () => unanswered++).finally(() => underWay--);
  };
  const cpuPercent = await cpuPercentDuring(rig, async () => {
    await alongside(CHANGE_INTERVAL_MS, change, () => rig.pause(churnSeconds * 1000));
  });
  const { rssMiB } = await memoryOf(rig.pid);
  return {
    secrets,
    changesPerSecond: round1(changes / churnSeconds),
    unanswered,
    idleCpuPercent,
    cpuPercent,
    beforeRssMiB: beforeMiB,
    afterRssMiB: rssMiB,
    growthMiB: round1(rssMiB - beforeMiB),
  };
}

/** Share of one core that the operator takes. */
async function cpuPercentDuring(rig: BenchRig, work: () => Promise<void>): Promise<number> {
  const [used, startedMs] = [await cpuSecondsOf(rig.pid), performance.now()];
  await work();
  const seconds = await cpuSecondsOf(rig.pid) - used;
  return Math.round(seconds / (performance.now() - startedMs) * 1e7) / 100;
}

/** The answer to an edit, without and with Events in the namespace. */
async function measureEvents(rig: BenchRig): Promise<Figures> {
  const { events } = rig.sizes;
  const edited = members(EDITS);
  await rig.untilQuiet();
  const before = await editEach(rig, edited);
  rig.say(`  ${events} Events`);
  const names = Array.from({ length: events }, (_, index) => `noise-${index + 1}`);
  await inParallel(names, AT_ONCE, (name) =>
    rig.client.create(Event, {
      metadata: { name, namespace: NAMESPACE },
      involvedObject: { apiVersion: "v1", kind: "Pod", namespace: NAMESPACE, name },
      reason: "Noise",
      message: "Somebody else's event",
      type: "Normal",
    }));
  await rig.untilQuiet();
  const after = await editEach(rig, edited);
  return {
    events,
    editBeforeMs: summaryOf(before),
    editAfterMs: summaryOf(after),
    slowdown: Math.round(percentile(after, 50) / percentile(before, 50) * 100) / 100,
  };
}
