/** Stage rounds: the same many at once, again and again, each time beginning with nothing. */
import { calibrationMs, memoryOf, resetPeak } from "../measure.ts";
import { type Figures, round1, summaryOf } from "./figures.ts";
import { createMany, removeMany } from "./population.ts";
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
  const used = await rig.workSoFar();
  const { arrived, notArrived, seconds } = await createMany(rig, names);
  const cpuSeconds = workSince(used, await rig.workSoFar());
  await rig.untilQuiet();
  const { requests, byKind } = await rig.audit.since(mark);
  const { peakMiB } = await memoryOf(rig.pid);
  await removeMany(rig, names);
  return {
    arrived,
    notArrived,
    seconds,
    calibrationMs: calibration,
    requestsPerInstance: round1(requests / count),
    peakRssMiB: peakMiB,
    cpuSeconds,
    byKind,
  };
}

/** CPU seconds of each program between two readings. */
export function workSince(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>): Figures {
  return Object.fromEntries(Object.entries(after).map(([name, at]) => [name, round1(at - (before[name] ?? 0))]));
}
