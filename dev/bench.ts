/**
 * `deno task bench`: figures of the operator (its bundle, as it is shipped) on a local cluster, as JSON on stdout.
 * Requests come from the API server's audit log, the operator under a user of its own, watches counted apart.
 *
 *     deno task bench [--stages single,rounds] [--runs 3] [--operator 'program with arguments'] > figures.json
 *     deno task bench --table figures.json
 *
 * The stages, their sizes and how long they take are in docs/performance.md.
 */
import type { Figures } from "./bench/figures.ts";
import { readOptions, UsageError } from "./bench/options.ts";
import { runBench } from "./bench/run.ts";
import { renderTable } from "./bench/table.ts";
import { stderrProgress } from "./progress.ts";

/** Measures, or prints what was measured; the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if ("table" in options) {
    write(renderTable(JSON.parse(await Deno.readTextFile(options.table)) as Figures));
    return 0;
  }
  const ending = new AbortController();
  Deno.addSignalListener("SIGINT", () => ending.abort());
  const { figures, failure } = await runBench(options, { progress: stderrProgress(), signal: ending.signal });
  write(`${JSON.stringify(figures, undefined, 2)}\n`);
  if (failure === undefined) return 0;
  write(`${failure}\n`, Deno.stderr);
  return 1;
}

function write(text: string, to: { writeSync(data: Uint8Array): number } = Deno.stdout): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at)); // a pipe takes 64 KiB at a time
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    write(`${error.message}\n`, Deno.stderr);
    Deno.exit(2);
  }
}
