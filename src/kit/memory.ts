/**
 * Giving memory back. V8 collects its garbage when the heap has grown by a good part, not when a program has nothing to do:
 * what the first lists and a burst leave behind would stay resident for ever. A program whose V8 has the flag
 * `--expose-gc` has it collected here, when it is not busy: a busy one would wait for it, and compile again all the code
 * that is given back with it. Without the flag nothing happens.
 */
import { cpuUsage } from "node:process";
import { type Clock, pause, systemClock } from "./clock.ts";
import { type Runnable, untilAborted } from "./stages.ts";

/** Options of {@linkcode garbageCollection}. */
export interface GarbageCollectionOptions {
  readonly clock?: Clock;
  /** Time between two looks. @default {10_000} */
  readonly intervalMs?: number;
  /** Growth of the heap since the last collection that is worth the next one, in bytes. @default {256 KiB} */
  readonly worthBytes?: number;
  /** Time of a processor in an interval, in milliseconds, from which on the program is busy. @default {an eighth of it} */
  readonly busyMs?: number;
  /** Time of a processor that the program has used so far, in milliseconds. @default what the system says */
  readonly usedMs?: () => number;
  /** Bytes of the heap that are in use, garbage among them. @default what V8 says */
  readonly heapUsed?: () => number;
  /** Collects all that can be collected, now. @default V8's, if it is exposed */
  readonly collect?: (() => void) | undefined;
}

/** A part of the program that collects garbage in regular intervals, if there can be any. */
export function garbageCollection(options: GarbageCollectionOptions = {}): Runnable {
  const { clock = systemClock, intervalMs = 10_000, worthBytes = 262_144 } = options;
  const { busyMs = intervalMs / 8, usedMs = processorTimeMs } = options;
  const { heapUsed = () => Deno.memoryUsage().heapUsed, collect = exposedCollector() } = options;
  return {
    name: "garbage collection",
    async run(stop) {
      if (!collect) return await untilAborted(stop);
      let left = 0;
      while (!stop.aborted) {
        const before = usedMs();
        await pause(intervalMs, { clock, signal: stop });
        const isBusy = usedMs() - before >= busyMs;
        if (stop.aborted || isBusy || heapUsed() - left < worthBytes) continue;
        collect();
        left = heapUsed();
      }
    },
  };
}

/** Time of a processor that this program has used so far, in milliseconds. */
export function processorTimeMs(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1_000;
}

/** `gc` of V8: "last-resort" also gives back the code that has not been used for long, and the pages that are empty then. */
function exposedCollector(): (() => void) | undefined {
  const { gc } = globalThis as { gc?: (options: Readonly<Record<string, string>>) => void };
  return gc && (() => gc({ type: "major", execution: "sync", flavor: "last-resort" }));
}
