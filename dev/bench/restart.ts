/** The operator is killed and started beside instances that run: it may read, it must not write. */
import { memoryOf, threadSecondsOf } from "../measure.ts";
import { type Figures, round1 } from "./figures.ts";
import { runningNow } from "./population.ts";
import { counterIn } from "./prometheus.ts";
import type { BenchRig } from "./rig.ts";

/** From the kill until the operator is quiet. `threadMsPerInstance`: start, first lists and first reconciles together. */
export async function measureRestart(rig: BenchRig): Promise<Figures> {
  const mark = await rig.audit.mark();
  const connections = await rig.connectionsSoFar();
  const startedAtMs = Date.now();
  const readyMs = await rig.restart();
  await rig.untilQuiet();
  const { requests, watches, writes, byKind, lastAtMs } = await rig.audit.since(mark);
  const threadSeconds = await threadSecondsOf(rig.pid);
  const metrics = await rig.metrics();
  const { rssMiB } = await memoryOf(rig.pid);
  const running = runningNow(rig);
  return {
    running,
    readyMs: Math.round(readyMs),
    quietSeconds: lastAtMs === undefined ? 0 : Math.max(0, round1((lastAtMs - startedAtMs) / 1000)),
    requests,
    watches,
    writes,
    postgresConnections: await rig.connectionsSoFar() - connections,
    byKind,
    threadSeconds,
    threadMsPerInstance: running === 0 ? null : round1(threadSeconds * 1000 / running),
    reconciles: metrics === undefined ? null : counterIn(metrics, "controller_reconcile_total"),
    rssMiB,
  };
}
