/** Stage webhook: how long an AdmissionReview takes while hundreds come up, and what the reviews cost in memory. */
import { calibrationMs, memoryOf, resetPeak } from "../measure.ts";
import { type Figure, type Figures, round1 } from "./figures.ts";
import { type Arrival, growTo, runningNow } from "./population.ts";
import { histogramIn, histogramNames, percentileBetween } from "./prometheus.ts";
import { prepareWebhook } from "./reviews.ts";
import type { BenchRig } from "./rig.ts";

export async function measureWebhook(rig: BenchRig): Promise<Figures> {
  const webhook = await prepareWebhook(rig);
  try {
    await growTo(rig, rig.sizes.hundred);
    const beside = runningNow(rig);
    await rig.restart({ args: webhook.args });
    const calibration = calibrationMs();
    await resetPeak(rig.pid);
    const metrics = await rig.metrics();
    let arrival: Arrival | undefined;
    const reviewMs = await webhook.reviewDuring(async () => {
      arrival = await growTo(rig, beside + rig.sizes.burst);
    });
    const eventLoopLagMs = lagBetween(metrics, await rig.metrics());
    const { peakMiB } = await memoryOf(rig.pid);
    const idleRssMiB = await rig.rssAtRestMiB();
    return {
      ...arrival,
      beside,
      calibrationMs: calibration,
      reviewMs,
      eventLoopLagMs,
      peakRssMiB: peakMiB,
      idleRssMiB,
    };
  } finally {
    webhook.close();
    await rig.restart();
  }
}

/** What the operator says of its event loop; `null` as long as none of its histograms does. */
function lagBetween(before: string | undefined, after: string | undefined): Figure {
  const name = histogramNames(after ?? "").find((name) => /event_?loop.*lag/.test(name));
  if (name === undefined || before === undefined || after === undefined) return null;
  const seconds = percentileBetween(histogramIn(before, name), histogramIn(after, name), 99);
  return seconds === null ? null : { p99: round1(seconds * 1000) };
}
