/**
 * What a person sees while something takes long: one line that is rewritten on a terminal, a plain line now and then in
 * a log. Goes to stderr, so that the output of a command stays usable.
 */

/**
 * Told where a long step stands. A `passing` line says the same as the one before with newer numbers and may be dropped;
 * an empty one takes the last one back.
 */
export type Progress = (line: string, options?: { readonly passing?: boolean }) => void;

/** In a log, a passing line appears when nothing was written for this long: never silent for more than five seconds. */
const LOG_INTERVAL_MS = 4000;

/** A {@linkcode Progress} that writes to stderr. */
export function stderrProgress(): Progress {
  const terminal = Deno.stderr.isTerminal();
  const encoder = new TextEncoder();
  const write = (text: string) => Deno.stderr.writeSync(encoder.encode(text));
  let rewriting = false;
  let writtenAt = performance.now();
  return (line, { passing = false } = {}) => {
    if (terminal) {
      write(`${rewriting ? "\r\x1b[2K" : ""}${line}${passing ? "" : "\n"}`);
      rewriting = passing && line !== "";
      return;
    }
    if (!line || passing && performance.now() - writtenAt < LOG_INTERVAL_MS) return;
    writtenAt = performance.now();
    write(`${line}\n`);
  };
}

/**
 * Repeats `line(elapsed)` once a second while `work` runs: a step that takes long is seen to be alive, one that does
 * not leaves no line in a log.
 */
export async function reporting<T>(
  progress: Progress,
  line: (elapsed: string) => string,
  work: Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  const timer = setInterval(() => progress(line(elapsedText(performance.now() - startedAt)), { passing: true }), 1000);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    progress("", { passing: true });
  }
}

/** `4 s`, `2 min 05 s`. */
export function elapsedText(elapsedMs: number): string {
  const seconds = Math.round(elapsedMs / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}
