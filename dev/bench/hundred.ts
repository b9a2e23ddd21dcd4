/** Stage hundred: a hundred come up at once, rest, and the operator is killed and started beside them. */
import { calibrationMs, memoryOf, resetPeak } from "../measure.ts";
import type { Figures } from "./figures.ts";
import { growTo } from "./population.ts";
import { measureRestart } from "./restart.ts";
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
