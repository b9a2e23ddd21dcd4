/**
 * Tier test:slow. Twenty minutes (SOAK_MINUTES: fewer or more) in which a watch breaks and an instance is edited each
 * second: the operator, as it is shipped, keeps its memory and its files, and has nothing to complain about.
 *
 * Memory is judged by its floor, the least of each half minute, because garbage is collected every ten seconds; the first
 * quarter is left out, in which code is compiled and buffers are made. A leak is a slope that is above the limit beyond
 * its doubt (two standard errors); a doubt above its own limit would hide one, so that fails, too.
 */
import { assert, assertEquals } from "@std/assert";
import { bundleOperator } from "../../dev/bench/bundle.ts";
import { memoryOf } from "../../dev/measure.ts";
import { stderrProgress } from "../../dev/progress.ts";
import { pause } from "../../src/kit/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { answered, replicas } from "../support/edits.ts";
import { type FaultRig, startFaultRig } from "../support/fault_rig.ts";
import { silence } from "../support/silence.ts";
import { floors, type Point, trendOf } from "../support/trend.ts";

const MINUTES = Number(Deno.env.get("SOAK_MINUTES") ?? 20);
const NAMES = ["a", "b", "c", "d", "e"];
const WINDOW_MS = 30_000;
const WARM_UP_MS = MINUTES * 60_000 / 4;
/** Of a program that runs for months. */
const MIB_PER_HOUR = 1;
/** In 20 minutes. An hour has 3,600 cuts and edits: 4 KiB lost with each are 14 MiB/h, twice the doubt above the limit. */
const DOUBT_MIB_PER_HOUR = 6;
/** A doubt shrinks with the time watched, and with the root of the number of windows. */
const MOST_DOUBT = DOUBT_MIB_PER_HOUR * (20 / MINUTES) ** 1.5;
/** A connection that breaks is there beside its successor for a moment. */
const SPARE_FILES = 3;

const EXPECTED = /^$|^\S+ (debug|info) |Watch failed, trying again|there is no certificate/;

interface Sample {
  readonly atMs: number;
  readonly rssMiB: number;
  readonly files: number;
}

let faults: FaultRig;

Deno.test.beforeAll(async () => {
  faults = await startFaultRig({ operator: { command: await bundleOperator() } });
});
Deno.test.afterAll(() => faults?.stop());

function operatorProcess() {
  const { operator } = faults.rig;
  assert(operator, "the operator runs");
  return operator.process;
}

async function sampled(atMs: number): Promise<Sample> {
  const { pid } = operatorProcess();
  const files = await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`));
  return { atMs, rssMiB: (await memoryOf(pid)).rssMiB, files: files.length };
}

/** Breaks one of the open watches, each kind in its turn. */
function cut(turn: number): number {
  const paths = [...new Set(faults.proxy.openWatches.map(({ path }) => path))].sort();
  const path = paths[turn % paths.length];
  return path === undefined ? 0 : faults.proxy.endWatches("reset", { where: (request) => request.path === path });
}

/** What the operator has logged that a watch which broke does not explain. */
async function complaints(): Promise<string[]> {
  const text = await Deno.readTextFile(operatorProcess().logPath);
  return text.split("\n").filter((line) => !EXPECTED.test(line));
}

Deno.test(`slow: ${MINUTES} min with a watch cut and an edit each second: memory and files stay, no error`, async () => {
  const { rig } = faults;
  const progress = stderrProgress();
  const namespace = await rig.namespace();
  await Promise.all(NAMES.map((name) => rig.create(namespace, name)));
  await Promise.all(NAMES.map((name) => rig.inPhase(namespace, name, "Running")));

  const samples: Sample[] = [];
  const wanted = new Map<string, number>();
  const startedMs = performance.now();
  let cuts = 0;
  for (let turn = 0, atMs = 0; atMs < MINUTES * 60_000; turn++) {
    cuts += cut(turn);
    const name = NAMES[turn % NAMES.length] ?? "";
    const count = 1 + Math.floor(turn / NAMES.length) % 2;
    await rig.client.patch(OdooInstanceKind, { namespace, name }, replicas(count));
    wanted.set(name, count);
    const sample = await sampled(atMs);
    samples.push(sample);
    progress(`${cuts} cuts, ${sample.rssMiB} MiB, ${sample.files} files`, { passing: turn % 60 > 0 });
    await pause(startedMs + (turn + 1) * 1000 - performance.now()); // the pace of the faults
    atMs = performance.now() - startedMs;
  }

  for (const [name, count] of wanted) await answered(rig, { namespace, name }, { count });
  for (const name of NAMES) await rig.inPhase(namespace, name, "Running");
  const warm = samples.filter(({ atMs }) => atMs >= WARM_UP_MS);
  const memory = floors(warm.map(({ atMs, rssMiB }): Point => ({ atMs, value: rssMiB })), WINDOW_MS);
  const { perHour, doubtPerHour } = trendOf(memory);
  const half = Math.ceil(warm.length / 2);
  const [first, second] = [warm.slice(0, half), warm.slice(half)].map((part) => Math.max(...part.map((s) => s.files)));
  const said = `${samples.length} edits, ${cuts} cuts; memory ${memory[0]?.value}–${memory.at(-1)?.value} MiB, ` +
    `${perHour.toFixed(2)} ± ${doubtPerHour.toFixed(2)} MiB/h; files at most ${first}, then ${second}`;
  progress(said);
  assertEquals(await complaints(), []);
  assert(cuts >= samples.length * 0.9, said);
  assert(perHour - doubtPerHour <= MIB_PER_HOUR, said);
  assert(doubtPerHour <= MOST_DOUBT, said);
  assert((second ?? Infinity) <= (first ?? 0) + SPARE_FILES, said);
  await silence(rig, { forMs: 60_000 });
});
