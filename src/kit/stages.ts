/**
 * Starts the parts of a program in order and stops them in the opposite one: servers, caches, controllers. A part that
 * ends by itself ends the program: half a controller is worse than a restart.
 */
import { type Clock, pause, systemClock } from "./clock.ts";
import type { Logger } from "./log.ts";

/** A part of the program. */
export interface Runnable {
  readonly name: string;
  /** Runs until `signal` is aborted; then ends soon. */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves when the next stage may start. @default at once */
  ready?(signal: AbortSignal): Promise<void>;
}

/** Options of {@linkcode runInStages}. */
export interface StagesOptions {
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** How long all parts together may take to end. @default {1_500} */
  readonly drainMs?: number;
  readonly clock?: Clock;
}

/**
 * Runs `stages` one after the other until `signal` is aborted, then ends them from the last to the first.
 *
 * @throws the error of a part that failed, or an Error naming one that ended by itself.
 */
export async function runInStages(stages: readonly (readonly Runnable[])[], options: StagesOptions): Promise<void> {
  const { signal, log, drainMs = 1_500, clock = systemClock } = options;
  const running: { readonly stop: AbortController; readonly ended: Promise<unknown> }[] = [];
  const stopped = untilAborted(signal);
  let failed: (error: unknown) => void = () => {};
  const failure = new Promise<never>((_, reject) => failed = reject);
  failure.catch(() => {}); // awaited below; a failure during the stop is logged

  try {
    for (const stage of stages) {
      if (signal.aborted) break;
      const stop = new AbortController();
      const ended = Promise.all(stage.map(async (part) => {
        try {
          await part.run(stop.signal);
          if (!stop.signal.aborted) failed(new Error(`Cannot go on: ${part.name} ended by itself`));
        } catch (error) {
          if (stop.signal.aborted) log.warn("Part ended with an error while stopping", { part: part.name, error });
          else failed(error);
        }
      }));
      running.push({ stop, ended });
      await Promise.race([stopped, failure, Promise.all(stage.map((part) => part.ready?.(stop.signal)))]);
    }
    await Promise.race([stopped, failure]);
  } finally {
    const deadline = new AbortController();
    const drained = (async () => {
      for (const { stop, ended } of running.reverse()) {
        stop.abort();
        await ended;
      }
    })();
    const late = pause(drainMs, { clock, signal: deadline.signal }).then(() =>
      deadline.signal.aborted || log.warn("Stopping without waiting any longer", { drainMs })
    );
    await Promise.race([drained, late]);
    deadline.abort();
    for (const { stop } of running) stop.abort();
  }
}

/** Resolves as soon as `signal` is aborted. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) =>
    signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })
  );
}

/** A signal that is aborted at SIGTERM or SIGINT; the second one ends the process at once. */
export function terminationSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(name, () => controller.signal.aborted ? Deno.exit(1) : controller.abort());
  }
  return controller.signal;
}
