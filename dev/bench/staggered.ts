/** Stage staggered: as many in flight as in a round, whose Jobs end one after the other, as those of customers would. */
import { calibrationMs } from "../measure.ts";
import { type Figures, summaryOf } from "./figures.ts";
import { createMany, removeMany } from "./population.ts";
import { type BenchRig, STAGGERED_PREFIX } from "./rig.ts";

export async function measureStaggered(rig: BenchRig): Promise<Figures> {
  const { seen } = rig;
  const names = Array.from({ length: rig.sizes.count }, (_, index) => `${STAGGERED_PREFIX}${index + 1}`);
  const calibration = calibrationMs();
  const arrival = await createMany(rig, names);
  const [jobDone, webReady] = [ours(seen.jobDone), ours(seen.webReady)];
  const firstEndMs = Math.min(...jobDone.values());
  const begunMs = names.map((name) => seen.phases.get(name)?.get("Initializing") ?? Infinity);
  await removeMany(rig, names);
  return {
    ...arrival,
    calibrationMs: calibration,
    inFlightAtFirstEnd: begunMs.filter((atMs) => atMs < firstEndMs).length,
    jobCompleteToStartingMs: summaryOf(seen.latencies(jobDone, "Starting")),
    webReadyToRunningMs: summaryOf(seen.latencies(webReady, "Running")),
  };
}

function ours(sightings: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map([...sightings].filter(([name]) => name.startsWith(STAGGERED_PREFIX)));
}
