/** Things that go on beside what is measured: looking at PostgreSQL ten times a second, for one. */
import pg from "pg";
import type { PostgresServer } from "../postgres.ts";
import { BENCH_APPLICATION } from "./rig.ts";

const INTERVAL_MS = 100;

/** The operator logs in as PostgreSQL's administrator, and so does nobody else but the bench itself. */
const COUNT = `select count(*)::int as n from pg_stat_activity
  where usename = current_user and backend_type = 'client backend' and application_name <> '${BENCH_APPLICATION}'`;

/** How many connections of the operator were open at most while `work` ran. */
export async function mostConnectionsDuring(postgres: PostgresServer, work: () => Promise<void>): Promise<number> {
  const client = new pg.Client({ connectionString: postgres.adminUrl, application_name: BENCH_APPLICATION });
  await client.connect();
  let most = 0;
  try {
    await alongside(INTERVAL_MS, async () => {
      const { rows } = await client.query(COUNT);
      most = Math.max(most, Number(rows[0]?.n));
    }, work);
  } finally {
    await client.end();
  }
  return most;
}

/**
 * Calls `beat` every so often while `work` runs, whether the last call is over or not: what is slow does not lower the
 * rate. Resolves when all are over; an error of either side is thrown.
 */
export async function alongside(
  intervalMs: number,
  beat: () => Promise<void>,
  work: () => Promise<void>,
): Promise<void> {
  const beats: Promise<void>[] = [];
  const failures: unknown[] = [];
  const startedMs = performance.now();
  const timer = setInterval(() => {
    const due = (performance.now() - startedMs) / intervalMs; // a timer that came late has some to make up for
    while (beats.length < due) beats.push(beat().catch((error) => void failures.push(error)));
  }, intervalMs);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  await Promise.all(beats);
  if (failures.length > 0) throw failures[0];
}
