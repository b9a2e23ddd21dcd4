/** A time in which the API server refuses much, with work to be done in it, and what must be so when it is over. */
import { assert, assertEquals } from "@std/assert";
import { pause } from "../../src/kit/mod.ts";
import type { FaultProxy } from "../../dev/fault_proxy.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import type { FaultRig } from "./fault_rig.ts";
import { startHistory } from "./history.ts";
import type { Rig } from "./rig.ts";
import { silence, type SilenceOptions } from "./silence.ts";

/** From the end of a storm to everything as it should be, where five instances come up in a second and a half. */
const CLEAR_MS = 5_000;

/** So long a refused write waits for its next attempt, at most. */
const LONGEST_PAUSE_MS = 2_000;

const NAMES: readonly string[] = ["a", "b", "c", "d", "e"];

/** Options of {@linkcode survives}. */
export interface StormOptions {
  /** Adds the rules; they are taken away again. */
  readonly storm: () => void;
  readonly lastsMs: number;
  /** What must follow. @default nothing is asked */
  readonly silence?: SilenceOptions;
}

/** A fifth of all requests is answered with 500 or 503. */
export function refuseAFifth(proxy: FaultProxy): void {
  proxy.onRequest({ hits: { fraction: 0.1, seed: 1 } }, { type: "answer", status: 500 });
  proxy.onRequest({ hits: { fraction: 0.1, seed: 2 } }, { type: "answer", status: 503 });
}

/**
 * Instances that are created or scaled in the storm are well 5 s after it, or, where all is slow, after the longest pause and
 * twice the time that they take without a storm; nothing is made twice, nobody is led back.
 */
export async function survives({ rig, proxy }: FaultRig, { storm, lastsMs, ...options }: StormOptions): Promise<void> {
  const namespace = await rig.namespace();
  await rig.create(namespace, "old");
  await rig.inPhase(namespace, "old", "Running");
  await using history = await startHistory(rig.client, namespace);
  const paceMs = await timeOfFive(rig);
  const faultless = proxy.requests.length;
  storm();
  await Promise.all(NAMES.map((name) => rig.create(namespace, name)));
  await rig.client.patch(OdooInstanceKind, { namespace, name: "old" }, [
    { op: "replace", path: "/spec/replicas", value: 2 },
  ]);
  await pause(lastsMs); // the storm itself
  assert(proxy.requests.slice(faultless).some(({ faults }) => faults.includes("answer")), "nothing was refused");
  proxy.heal();
  const fromMs = performance.now();
  for (const name of ["old", ...NAMES]) await rig.inPhase(namespace, name, "Running", { timeoutMs: 60_000 });
  const tookMs = performance.now() - fromMs;
  const limitMs = Math.max(CLEAR_MS, LONGEST_PAUSE_MS + 2 * paceMs);
  assert(tookMs <= limitMs, `${Math.round(tookMs)} ms after the storm; without one it takes ${Math.round(paceMs)} ms`);
  await history.upToDate();
  assertEquals([history.strangeSteps(), history.jobs.size, history.replicas("old")], [[], NAMES.length + 1, [1, 2]]);
  if (options.silence) await silence(rig, options.silence);
}

/** Milliseconds in which as many come up when nothing is refused. */
async function timeOfFive(rig: Rig): Promise<number> {
  const namespace = await rig.namespace();
  const fromMs = performance.now();
  await Promise.all(NAMES.map((name) => rig.create(namespace, name)));
  for (const name of NAMES) await rig.inPhase(namespace, name, "Running", { timeoutMs: 60_000 });
  return performance.now() - fromMs;
}
