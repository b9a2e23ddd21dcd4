/** Stage thousand: whether all arrive, what they cost when nobody does anything, and how soon an edit among them is answered. */
import { calibrationMs, memoryOf, resetPeak } from "../measure.ts";
import { editEach } from "./edits.ts";
import { type Figure, type Figures, round1, summaryOf } from "./figures.ts";
import { growTo, members, runningNow } from "./population.ts";
import { measureRestart } from "./restart.ts";
import { histogramIn, percentileBetween } from "./prometheus.ts";
import type { BenchRig } from "./rig.ts";

const QUEUE = "workqueue_queue_duration_seconds";

export async function measureThousand(rig: BenchRig): Promise<Figures> {
  const { thousand, edits } = rig.sizes;
  const isFromNothing = rig.seen.current.size === 0;
  const calibration = calibrationMs();
  await resetPeak(rig.pid);
  const metrics = await rig.metrics();
  const arrival = await growTo(rig, thousand);
  const queueMs = queueBetween(metrics, await rig.metrics());
  const { peakMiB } = await memoryOf(rig.pid);
  const idleRssMiB = await rig.rssAtRestMiB();
  const idle = await measureIdle(rig);
  rig.say(`  ${edits} edits`);
  const edited = members(thousand).slice(0, edits); // each once: none of them is still busy with the edit before
  return {
    ...arrival,
    secondsFromNothing: isFromNothing ? arrival.seconds : null,
    running: runningNow(rig),
    calibrationMs: calibration,
    queueMs,
    peakRssMiB: peakMiB,
    idleRssMiB,
    idle,
    editMs: summaryOf(await editEach(rig, edited)),
    restart: await measureRestart(rig),
  };
}

/** How long keys waited before they were worked on, as the operator reports it: all keys, and fresh changes alone. */
function queueBetween(before: string | undefined, after: string | undefined): Figure {
  if (before === undefined || after === undefined) return null;
  const waited = (p: number, label?: string) => {
    const seconds = percentileBetween(histogramIn(before, QUEUE, label), histogramIn(after, QUEUE, label), p);
    return seconds === null ? null : round1(seconds * 1000);
  };
  const fresh = 'urgency="fresh"';
  return { p50: waited(50), p99: waited(99), fresh: { p50: waited(50, fresh), p99: waited(99, fresh) } };
}

/** Requests of an operator that nobody gives anything to do, renewals of its lease apart. */
async function measureIdle(rig: BenchRig): Promise<Figures> {
  const { idleMinutes } = rig.sizes;
  rig.say(`  ${idleMinutes} min of nothing`);
  const mark = await rig.audit.mark();
  await rig.pause(idleMinutes * 60_000);
  const { requests, watches, byKind } = await rig.audit.since(mark);
  const leases = Object.entries(byKind).filter(([kind]) => kind.endsWith(" leases")).reduce((sum, [, n]) => sum + n, 0);
  return {
    minutes: idleMinutes,
    requestsPerMinute: round1((requests + watches - leases) / idleMinutes),
    leasesPerMinute: round1(leases / idleMinutes),
    watches,
    byKind,
  };
}
