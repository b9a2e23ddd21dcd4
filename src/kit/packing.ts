/** Texts that are seldom read, held small. Deno's node:zlib ignores dictionaries, so each is packed by itself. */
import { Buffer } from "node:buffer";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type Clock, pause, systemClock } from "./clock.ts";
import type { Runnable } from "./stages.ts";
import { processorTimeMs } from "./memory.ts";

/** A text as {@linkcode pack} returns it: one character a byte, which is how V8 holds it. */
export type Packed = string;

/** So many arguments as one call takes. */
const PIECE = 8_192;

/**
 * A window of 8 KiB holds most objects whole. With zlib's defaults a call takes twice as long, because it allocates (and
 * glibc maps, see the image's environment) 256 KiB for two kilobytes of text.
 */
const DEFLATE = { windowBits: 13, memLevel: 5, chunkSize: 4_096 } as const;
const INFLATE = { windowBits: DEFLATE.windowBits, chunkSize: 8_192 } as const;

export function pack(text: string): Packed {
  const bytes = deflateRawSync(text, DEFLATE);
  const pieces = Array.from(
    { length: Math.ceil(bytes.length / PIECE) },
    (_, index) => String.fromCharCode(...bytes.subarray(index * PIECE, (index + 1) * PIECE)),
  );
  return pieces.join("");
}

export function unpack(packed: Packed): string {
  return inflateRawSync(Buffer.from(packed, "latin1"), INFLATE).toString();
}

/** What holds texts that can be packed, such as a `Store`. */
export interface Packable {
  settle(): void;
  pack(limit: number): number;
}

/** Options of {@linkcode packing}. */
export interface PackingOptions {
  readonly clock?: Clock;
  /** Time between two rounds: what was neither changed nor read for so long is packed. @default {10_000} */
  readonly intervalMs?: number;
  /** Processor time in an interval, in milliseconds, from which on nothing is packed. @default {an eighth of it} */
  readonly busyMs?: number;
  /** Processor time that the program has used so far, in milliseconds. @default {processorTimeMs} */
  readonly usedMs?: () => number;
}

/** So many texts in one go take one to two milliseconds; with a pause ten times as long the program still counts as idle. */
const SLICE = 16;
const SLICE_PAUSE_MS = 25;

/** A part of the program that packs what is idle. A busy program packs nothing: it would unpack most of it soon. */
export function packing(stores: readonly Packable[], options: PackingOptions = {}): Runnable {
  const { clock = systemClock, intervalMs = 10_000, usedMs = processorTimeMs } = options;
  const { busyMs = intervalMs / 8 } = options;
  return {
    name: "packing of caches",
    async run(signal) {
      while (!signal.aborted) {
        const before = usedMs();
        await pause(intervalMs, { clock, signal });
        const isBusy = usedMs() - before >= busyMs;
        for (const store of stores) {
          while (!isBusy && !signal.aborted && store.pack(SLICE)) await pause(SLICE_PAUSE_MS, { clock, signal });
          store.settle();
        }
      }
    },
  };
}
