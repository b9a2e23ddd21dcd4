/** What is promised, as data: the rows of the table of performance goals, and where the bench keeps their figures. */

/** What a figure must be. `≤` is judged by the median of the runs; `=` holds in every run, because once is too often. */
export interface Goal {
  readonly comparator: "≤" | "=";
  readonly value: number;
}

/** A line of the table. */
export interface Row {
  /** The number of the goal; one goal may have several lines. */
  readonly id: number;
  readonly what: string;
  /** Where the figure is in the bench's JSON (see figureAt in figures.ts). */
  readonly path: string;
  readonly goal: Goal;
  readonly unit: "" | "s" | "ms" | "MiB" | "KiB" | "%" | "/min";
  /** What the Rust operator 2.5.0 was measured at; empty if it was not. */
  readonly peer: string;
}

const atMost = (value: number): Goal => ({ comparator: "≤", value });
const exactly = (value: number): Goal => ({ comparator: "=", value });

export const ROWS: readonly Row[] = [
  row(1, "API requests from create to Running, one alone", "single.requests", atMost(30), "", "361"),
  row(1, "the same per instance, 50 at once", "rounds.each.*.requestsPerInstance", atMost(30), "", "363–366"),
  row(1, "50 at once: instances that do not arrive", "rounds.each.*.notArrived", exactly(0), "", "2 of 50"),
  row(2, "requests of a reconcile that has nothing to do", "single.noOp.requests", exactly(0), "", "33"),
  row(3, "PostgreSQL connections from create to Running", "single.postgresConnections", atMost(3), "", "38"),
  row(3, "PostgreSQL connections of such a reconcile", "single.noOp.postgresConnections", exactly(0), "", "5"),
  row(4, "one instance to Running, with a Job of 1 s", "single.runningSeconds", atMost(2), "s", "11.1 s"),
  row(5, "100 at once: time until all run", "hundred.seconds", atMost(12), "s", "62.9 s (loaded)"),
  row(6, "300 at once beside 100: time until all run", "burst.seconds", atMost(40), "s", "138 s"),
  row(6, "300 at once beside 100: instances that do not arrive", "burst.notArrived", exactly(0), "", "1 of 300"),
  row(7, "1,000 at once: time until all run", "thousand.secondsFromNothing", atMost(150), "s", ""),
  row(7, "up to 1,000: instances that do not arrive", "thousand.notArrived", exactly(0), "", ""),
  row(7, "up to 1,000: wait in the queue, p99", "thousand.queueMs.p99", atMost(1000), "ms", ""),
  row(7, "the same, of fresh changes alone", "thousand.queueMs.fresh.p99", atMost(1000), "ms", ""),
  row(8, "Job complete → Starting in status, p50", "rounds.jobCompleteToStartingMs.p50", atMost(100), "ms", "0–10 s"),
  row(8, "Job complete → Starting in status, p99", "rounds.jobCompleteToStartingMs.p99", atMost(500), "ms", "0–10 s"),
  row(8, "the same, Jobs end one by one, p50", "staggered.jobCompleteToStartingMs.p50", atMost(100), "ms", "0–10 s"),
  row(8, "the same, Jobs end one by one, p99", "staggered.jobCompleteToStartingMs.p99", atMost(500), "ms", "0–10 s"),
  row(9, "edit among 1,000 idle → Deployment patched, p99", "thousand.editMs.p99", atMost(300), "ms", ""),
  row(
    10,
    "requests beside 1,000 idle, watches included",
    "thousand.idle.requestsPerMinute",
    atMost(2.5),
    "/min",
    "2.5",
  ),
  row(10, "renewals of the lease", "thousand.idle.leasesPerMinute", atMost(12), "/min", "none"),
  row(11, "restart beside 100: requests", "hundred.restart.requests", atMost(60), "", "3,390"),
  row(11, "restart beside 100: writes", "hundred.restart.writes", exactly(0), "", "600"),
  row(11, "restart beside 100: time until the last request", "hundred.restart.quietSeconds", atMost(2), "s", "5 s"),
  row(11, "restart beside 1,000: thread per instance", "thousand.restart.threadMsPerInstance", atMost(5), "ms", ""),
  row(12, "process start → /readyz, p50", "single.readyMs.p50", atMost(400), "ms", ""),
  row(13, "resident memory at rest with 1", "single.idleRssMiB", atMost(75), "MiB", "23 (with 0)"),
  row(13, "resident memory at rest with 100", "hundred.idleRssMiB", atMost(66), "MiB", "56"),
  row(13, "resident memory at rest with 400", "burst.idleRssMiB", atMost(90), "MiB", "91"),
  row(13, "resident memory at rest with 1,000", "thousand.idleRssMiB", atMost(110), "MiB", ""),
  row(13, "growth per instance, from 100 to 400", "burst.growthKiBPerInstance", atMost(50), "KiB", "170–330 KB"),
  row(14, "resident memory at its peak, 300 beside 100", "burst.peakRssMiB", atMost(100), "MiB", "175"),
  row(15, "2,000 foreign Secrets, 50 changes/s: memory", "noise.secrets.growthMiB", atMost(2), "MiB", ""),
  row(15, "2,000 foreign Secrets, 50 changes/s: CPU", "noise.secrets.cpuPercent", atMost(1), "%", ""),
  row(16, "edit beside 5,000 Events, by that without", "noise.events.slowdown", atMost(1.25), "", ""),
  row(17, "CPU seconds to bring up 100", "hundred.cpuSeconds.operator", atMost(8), "s", "8.4 s"),
  row(20, "API server back → edit answered, slowest", "faults.apiServerRestart.max", atMost(2000), "ms", "305 s"),
  row(21, "watches reset → edit answered, slowest", "faults.watchReset.max", atMost(1000), "ms", "32–233 s"),
  row(22, "429, Retry-After 1 → edit answered, slowest", "faults.tooManyRequests.max", atMost(1500), "ms", "30 s"),
  row(23, "100 AdmissionReviews/s in the burst: p99", "webhook.reviewMs.p99", atMost(50), "ms", ""),
  row(23, "lag of the event loop in the burst: p99", "webhook.eventLoopLagMs.p99", atMost(50), "ms", ""),
  row(24, "API requests of one backup, with a Job of 1 s", "operations.backup.requests", atMost(12), "", ""),
  row(24, "the same with a Job of 30 s", "operations.longBackup.requests", atMost(12), "", "2,100 in ten minutes"),
];

function row(...[id, what, path, goal, unit, peer]: readonly [number, string, string, Goal, Row["unit"], string]): Row {
  return { id, what, path, goal, unit, peer };
}
