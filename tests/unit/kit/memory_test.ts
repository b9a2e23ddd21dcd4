import { assertEquals } from "@std/assert";
import { garbageCollection } from "../../../src/kit/memory.ts";
import { FakeClock } from "../../support/clock.ts";

const INTERVAL_MS = 10_000;

/** What a program does in an interval: bytes by which its heap grows, and processor time, in milliseconds. */
interface Step {
  readonly growth: number;
  readonly usedMs?: number;
}

/** Runs the part on a heap that a test fills; gives the bytes in use after each of `steps`. */
async function collected(steps: readonly Step[], collect = true): Promise<number[]> {
  const clock = new FakeClock();
  const stop = new AbortController();
  let used = 10_000_000;
  let processorMs = 0;
  const live = 9_000_000;
  const part = garbageCollection({
    clock,
    intervalMs: INTERVAL_MS,
    worthBytes: 1_000_000,
    busyMs: 1_000,
    usedMs: () => processorMs,
    heapUsed: () => used,
    collect: collect ? () => used = live : undefined,
  });
  const ended = part.run(stop.signal);
  const seen: number[] = [];
  for (const { growth, usedMs = 0 } of steps) {
    used += growth;
    processorMs += usedMs;
    await clock.advance(INTERVAL_MS);
    seen.push(used);
  }
  stop.abort();
  await ended;
  return seen;
}

Deno.test("garbageCollection() collects when the heap has grown by what is worth it", async () => {
  assertEquals(await collected([0, 999_999, 1, 500_000, 500_000].map((growth) => ({ growth }))), [
    9_000_000,
    9_999_999,
    9_000_000,
    9_500_000,
    9_000_000,
  ]);
});

Deno.test("garbageCollection() waits for an interval in which the program is not busy", async () => {
  const steps = [{ growth: 1, usedMs: 1_000 }, { growth: 1, usedMs: 5_000 }, { growth: 0, usedMs: 999 }];
  assertEquals(await collected(steps), [10_000_001, 10_000_002, 9_000_000]);
});

Deno.test("garbageCollection() does nothing, and ends only when told, when V8's collector is not exposed", async () => {
  assertEquals(await collected([{ growth: 5_000_000 }, { growth: 0 }], false), [15_000_000, 15_000_000]);
});

Deno.test("garbageCollection() uses V8's collector when it is exposed", async () => {
  const program = `
    import { garbageCollection } from "${new URL("../../../src/kit/memory.ts", import.meta.url)}";
    const stop = new AbortController();
    let garbage = Array.from({ length: 300_000 }, (_, i) => ({ i }));
    garbage = undefined;
    const before = Deno.memoryUsage().heapUsed;
    const timer = setInterval(() => {
      if (before - Deno.memoryUsage().heapUsed > 5_000_000) stop.abort();
    }, 5);
    await garbageCollection({ intervalMs: 5 }).run(stop.signal);
    clearInterval(timer);
  `;
  const args = [
    "run",
    "-A",
    "--no-check",
    "--v8-flags=--expose-gc",
    `data:application/typescript,${encodeURIComponent(program)}`,
  ];
  const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, signal: AbortSignal.timeout(60_000) })
    .output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
});
