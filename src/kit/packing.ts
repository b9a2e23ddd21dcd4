/** Texts that are seldom read, held small. Deno's node:zlib ignores dictionaries, so each stands alone. */
import { Buffer } from "node:buffer";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type Clock, pause, systemClock } from "./clock.ts";
import type { Runnable } from "./stages.ts";

/** A text as {@linkcode pack} returns it: one character a byte, which is how V8 holds it. */
export type Packed = string;

/** So many arguments as one call takes. */
const PIECE = 8_192;

export function pack(text: string): Packed {
  const bytes = deflateRawSync(text);
  const pieces = Array.from(
    { length: Math.ceil(bytes.length / PIECE) },
    (_, index) => String.fromCharCode(...bytes.subarray(index * PIECE, (index + 1) * PIECE)),
  );
  return pieces.join("");
}

export function unpack(packed: Packed): string {
  return inflateRawSync(Buffer.from(packed, "latin1")).toString();
}

/** What holds texts that can be packed, such as a `Store`. */
export interface Packable {
  settle(): void;
  pack(limit: number): number;
}

/** Options of {@linkcode packing}. */
export interface PackingOptions {
  readonly clock?: Clock;
  /** Time between two rounds: what has not changed for so long is packed. @default {10_000} */
  readonly intervalMs?: number;
}

/** A few milliseconds of work, then a pause ten times as long: others have their turn, and the program still counts as idle. */
const SLICE = 8;
const SLICE_PAUSE_MS = 25;

/** A part of the program that packs what has come to rest. */
export function packing(stores: readonly Packable[], options: PackingOptions = {}): Runnable {
  const { clock = systemClock, intervalMs = 10_000 } = options;
  return {
    name: "packing of caches",
    async run(signal) {
      while (!signal.aborted) {
        await pause(intervalMs, { clock, signal });
        for (const store of stores) {
          while (!signal.aborted && store.pack(SLICE)) await pause(SLICE_PAUSE_MS, { clock, signal });
          store.settle();
        }
      }
    },
  };
}
