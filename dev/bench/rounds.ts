/** Stage rounds: the same many at once, again and again, each time beginning with nothing. */
import { calibrationMs, memoryOf, resetPeak } from "../measure.ts";
import { type Figures, round1, summaryOf } from "./figures.ts";
import { createMany, removeMany } from "./population.ts";
import { counterIn } from "./prometheus.ts";
import type { BenchRig } from "./rig.ts";

export async function measureRounds(rig: BenchRig): Promise<Figures> {
  const each: Figures[] = [];
  while (each.length < rig.sizes.rounds) {
    const round = each.length + 1;
    rig.say(`  round ${round} of ${rig.sizes.rounds}`);
    each.push(await measureRound(rig, `r${round}`));
  }
  const { seen } = rig;
  return {
    each,
    jobCompleteToStartingMs: summaryOf(seen.latencies(seen.jobDone, "Starting")),
    webReadyToRunningMs: summaryOf(seen.latencies(seen.webReady, "Running")),
  };
}

async function measureRound(rig: BenchRig, prefix: string): Promise<Figures> {
  const { count } = rig.sizes;
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index + 1}`);
  const mark = await rig.audit.mark();
  const calibration = calibrationMs();
  await resetPeak(rig.pid);
  const [used, metrics] = [await rig.workSoFar(), await rig.metrics()];
  const { arrived, notArrived, seconds } = await createMany(rig, names);
  const cpuSeconds = workSince(used, await rig.workSoFar());
  await rig.untilQuiet();
  const { requests, byKind } = await rig.audit.since(mark);
  const reconciles = reconcilesBetween(metrics, await rig.metrics());
  const { peakMiB } = await memoryOf(rig.pid);
  await removeMany(rig, names);
  return {
    arrived,
    notArrived,
    seconds,
    calibrationMs: calibration,
    requestsPerInstance: round1(requests / count),
    reconcilesPerInstance: reconciles === null ? null : round1(reconciles / count),
    peakRssMiB: peakMiB,
    cpuSeconds,
    byKind,
  };
}

function reconcilesBetween(before: string | undefined, after: string | undefined): number | null {
  if (before === undefined || after === undefined) return null;
  const [from = 0, to = 0] = [before, after].map((text) => counterIn(text, "controller_reconcile_total"));
  return to - from;
}

/** CPU seconds of each program between two readings. */
export function workSince(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>): Figures {
  return Object.fromEntries(Object.entries(after).map(([name, at]) => [name, round1(at - (before[name] ?? 0))]));
}
