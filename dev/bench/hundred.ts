/** Stage hundred: a hundred come up at once, rest, and the operator is killed and started beside them. */
import { calibrationMs, memoryOf, resetPeak } from "../measure.ts";
import { type Figures, round1 } from "./figures.ts";
import { growTo, runningNow } from "./population.ts";
import type { BenchRig } from "./rig.ts";
import { workSince } from "./rounds.ts";

export async function measureHundred(rig: BenchRig): Promise<Figures> {
  const calibration = calibrationMs();
  await resetPeak(rig.pid);
  const used = await rig.workSoFar();
  const arrival = await growTo(rig, rig.sizes.hundred);
  const cpuSeconds = workSince(used, await rig.workSoFar());
  const { peakMiB } = await memoryOf(rig.pid);
  const idleRssMiB = await rig.rssAtRestMiB();
  return {
    ...arrival,
    calibrationMs: calibration,
    cpuSeconds,
    peakRssMiB: peakMiB,
    idleRssMiB,
    restart: await measureRestart(rig),
  };
}

/** Killed and started again beside many that run: it may look, it must not touch. */
async function measureRestart(rig: BenchRig): Promise<Figures> {
  const mark = await rig.audit.mark();
  const connections = await rig.connectionsSoFar();
  const startedAtMs = Date.now();
  const readyMs = await rig.restart();
  await rig.untilQuiet();
  const { requests, watches, writes, byKind, lastAtMs } = await rig.audit.since(mark);
  const { rssMiB } = await memoryOf(rig.pid);
  return {
    running: runningNow(rig),
    readyMs: Math.round(readyMs),
    quietSeconds: lastAtMs === undefined ? 0 : Math.max(0, round1((lastAtMs - startedAtMs) / 1000)),
    requests,
    watches,
    writes,
    postgresConnections: await rig.connectionsSoFar() - connections,
    byKind,
    rssMiB,
  };
}
