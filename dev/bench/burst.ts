/** Stage burst: hundreds at once beside a hundred that run, with everything counted that is scarce then. */
import { calibrationMs, memoryOf, resetPeak } from "../measure.ts";
import { type Figures, round1 } from "./figures.ts";
import { type Arrival, growTo, runningNow } from "./population.ts";
import type { BenchRig } from "./rig.ts";
import { mostConnectionsDuring } from "./sampling.ts";
import { workSince } from "./rounds.ts";

export async function measureBurst(rig: BenchRig): Promise<Figures> {
  const { hundred, burst, settleSeconds } = rig.sizes;
  await growTo(rig, hundred);
  await rig.restart();
  const beforeMiB = await rig.rssAtRestMiB();
  const figures = await burstBeside(rig);
  const running = runningNow(rig);
  const idleRssMiB = await rig.rssAtRestMiB();
  await rig.restart();
  await rig.untilQuiet();
  const { rssMiB } = await memoryOf(rig.pid);
  await rig.pause(settleSeconds * 1000);
  return {
    ...figures,
    running,
    idleBeforeRssMiB: beforeMiB,
    idleRssMiB,
    growthKiBPerInstance: round1((idleRssMiB - beforeMiB) * 1024 / burst),
    restart: { rssMiB, settledRssMiB: (await memoryOf(rig.pid)).rssMiB, settleSeconds },
  };
}

async function burstBeside(rig: BenchRig): Promise<Figures> {
  const { hundred, burst } = rig.sizes;
  const calibration = calibrationMs();
  await resetPeak(rig.pid);
  const [mark, used] = [await rig.audit.mark(), await rig.workSoFar()];
  let arrival: Arrival | undefined;
  const postgresConnectionsAtMost = await mostConnectionsDuring(rig.cluster.postgres, async () => {
    arrival = await growTo(rig, hundred + burst);
  });
  const cpuSeconds = workSince(used, await rig.workSoFar());
  const { requests } = await rig.audit.since(mark);
  return {
    ...arrival,
    calibrationMs: calibration,
    requestsPerInstance: round1(requests / burst),
    cpuSeconds,
    peakRssMiB: (await memoryOf(rig.pid)).peakMiB,
    postgresConnectionsAtMost,
  };
}
