/** Stage burst: hundreds at once beside a hundred that run, with everything counted that is scarce then. */
import { calibrationMs, memoryOf, resetPeak } from "../measure.ts";
import { type Figure, type Figures, round1 } from "./figures.ts";
import { type Arrival, growTo, runningNow } from "./population.ts";
import { histogramIn, histogramNames, percentileBetween } from "./prometheus.ts";
import { prepareWebhook } from "./reviews.ts";
import type { BenchRig } from "./rig.ts";
import { mostConnectionsDuring } from "./sampling.ts";
import { workSince } from "./rounds.ts";

export async function measureBurst(rig: BenchRig): Promise<Figures> {
  const { hundred, burst, settleSeconds } = rig.sizes;
  const webhook = await prepareWebhook(rig);
  try {
    await growTo(rig, hundred);
    await rig.restart({ args: webhook.args });
    const beforeMiB = await rig.rssAtRestMiB();
    const figures = await burstBeside(rig, webhook.reviewDuring);
    const running = runningNow(rig);
    const idleRssMiB = await rig.rssAtRestMiB();
    await rig.restart({ args: webhook.args });
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
  } finally {
    webhook.close();
  }
}

async function burstBeside(
  rig: BenchRig,
  reviewDuring: (work: () => Promise<void>) => Promise<Figures | null>,
): Promise<Figures> {
  const { hundred, burst } = rig.sizes;
  const calibration = calibrationMs();
  await resetPeak(rig.pid);
  const [mark, used, metrics] = [await rig.audit.mark(), await rig.workSoFar(), await rig.metrics()];
  let arrival: Arrival | undefined;
  let webhookMs: Figure = null;
  const postgresConnectionsAtMost = await mostConnectionsDuring(rig.cluster.postgres, async () => {
    webhookMs = await reviewDuring(async () => {
      arrival = await growTo(rig, hundred + burst);
    });
  });
  const cpuSeconds = workSince(used, await rig.workSoFar());
  const eventLoopLagMs = lagBetween(metrics, await rig.metrics());
  const { requests } = await rig.audit.since(mark);
  return {
    ...arrival,
    calibrationMs: calibration,
    requestsPerInstance: round1(requests / burst),
    cpuSeconds,
    peakRssMiB: (await memoryOf(rig.pid)).peakMiB,
    postgresConnectionsAtMost,
    webhook: webhookMs,
    eventLoopLagMs,
  };
}

/** What the operator says of its event loop; `null` as long as none of its histograms does. */
function lagBetween(before: string | undefined, after: string | undefined): Figure {
  const name = histogramNames(after ?? "").find((name) => /event_?loop.*lag/.test(name));
  if (name === undefined || before === undefined || after === undefined) return null;
  const seconds = percentileBetween(histogramIn(before, name), histogramIn(after, name), 99);
  return seconds === null ? null : { p99: round1(seconds * 1000) };
}
