/** Stages on a fresh cluster, as often as asked for, and one set of figures of it all. */
import { messageOf } from "../../src/kit/mod.ts";
import { elapsedText } from "../progress.ts";
import { measureBurst } from "./burst.ts";
import { measureFaults } from "./faults.ts";
import { type Figures, mergeRuns } from "./figures.ts";
import { measureHundred } from "./hundred.ts";
import { measureNoise } from "./noise.ts";
import { type BenchOptions, changedSizes, type StageName } from "./options.ts";
import { type BenchRig, type RigOptions, startRig } from "./rig.ts";
import { measureOperations } from "./operations.ts";
import { measureRounds } from "./rounds.ts";
import { measureSingle } from "./single.ts";
import { measureStaggered } from "./staggered.ts";
import { measureThousand } from "./thousand.ts";
import { measureWebhook } from "./webhook.ts";

const STAGES: Readonly<Record<StageName, (rig: BenchRig) => Promise<Figures>>> = {
  single: measureSingle,
  operations: measureOperations,
  rounds: measureRounds,
  staggered: measureStaggered,
  hundred: measureHundred,
  burst: measureBurst,
  webhook: measureWebhook,
  thousand: measureThousand,
  noise: measureNoise,
  faults: measureFaults,
};

/** What a bench brought. */
export interface BenchResult {
  readonly figures: Figures;
  /** Why it ended early; what was measured until then is in the figures. */
  readonly failure?: string;
}

/** Runs the stages on as many fresh clusters as asked for; ends with the first stage that fails. */
export async function runBench(options: BenchOptions, rigOptions: RigOptions): Promise<BenchResult> {
  const runs: Figures[] = [];
  let failure: string | undefined;
  let login = "kubeconfig";
  while (runs.length < options.sizes.runs && failure === undefined) {
    await using rig = await startRig(options, rigOptions);
    if (rig.pod) login = "service account";
    const measured: Record<string, Figures> = {};
    for (const stage of options.stages) {
      const startedMs = performance.now();
      rig.say(`Run ${runs.length + 1} of ${options.sizes.runs}: ${stage}`);
      try {
        measured[stage] = await STAGES[stage](rig);
      } catch (error) {
        failure = `Stage ${stage} broke off: ${messageOf(error)}`;
        break;
      }
      rig.say(`  ${stage} took ${elapsedText(performance.now() - startedMs)}`);
    }
    runs.push(measured);
  }
  const figures = {
    date: new Date().toISOString(),
    deno: Deno.version.deno,
    cores: navigator.hardwareConcurrency,
    login,
    operator: options.operator?.join(" ") ?? "ours",
    runs: runs.length,
    sizes: changedSizes(options.sizes),
    ...mergeRuns(runs) as Figures,
  };
  return { figures, ...(failure === undefined ? {} : { failure }) };
}
