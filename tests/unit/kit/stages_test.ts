import { assertEquals, assertRejects } from "@std/assert";
import { configureLogging, getLogger } from "../../../src/kit/log.ts";
import { runInStages, type Runnable } from "../../../src/kit/stages.ts";
import { FakeClock, settled } from "../../support/clock.ts";

async function aProgram() {
  const lines: string[] = [];
  await configureLogging({ write: (line) => lines.push(line) });
  const clock = new FakeClock();
  const stop = new AbortController();
  const story: string[] = [];
  /** A part that tells its story; `ending` is how long it takes to end, `ready` when it is. */
  const part = (
    name: string,
    options: { readonly ready?: Promise<void>; readonly ended?: () => Promise<void> } = {},
  ): Runnable => ({
    name,
    async run(signal) {
      story.push(`${name} runs`);
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      story.push(`${name} stops`);
      await options.ended?.();
      story.push(`${name} ended`);
    },
    ...(options.ready ? { ready: () => options.ready ?? Promise.resolve() } : {}),
  });
  const run = (stages: readonly (readonly Runnable[])[], drainMs = 1_500) =>
    runInStages(stages, { signal: stop.signal, log: getLogger(["test"]), clock, drainMs });
  return { clock, stop, story, part, run, lines };
}

Deno.test("runInStages() starts a stage when the one before is ready, and stops them the other way round", async () => {
  const { clock, stop, story, part, run } = await aProgram();
  const ready = Promise.withResolvers<void>();
  const workersEnd = Promise.withResolvers<void>();
  const running = run([[part("health")], [part("caches", { ready: ready.promise })], [
    part("workers", { ended: () => workersEnd.promise }),
  ]]);
  await settled();
  assertEquals(story, ["health runs", "caches runs"]);
  ready.resolve();
  await settled();
  assertEquals(story.splice(0), ["health runs", "caches runs", "workers runs"]);
  stop.abort();
  await settled();
  assertEquals(story, ["workers stops"]);
  workersEnd.resolve();
  await running;
  assertEquals(story, [
    "workers stops",
    "workers ended",
    "caches stops",
    "caches ended",
    "health stops",
    "health ended",
  ]);
  assertEquals(clock.pending, 0);
});

Deno.test("runInStages() starts no further stage when it is stopped while one gets ready", async () => {
  const { stop, story, part, run } = await aProgram();
  const never = new Promise<void>(() => {});
  const running = run([[part("caches", { ready: never })], [part("workers")]]);
  await settled();
  stop.abort();
  await running;
  assertEquals(story, ["caches runs", "caches stops", "caches ended"]);
});

Deno.test("runInStages() starts nothing when the signal is aborted already", async () => {
  const { stop, story, part, run } = await aProgram();
  stop.abort();
  await run([[part("caches")]]);
  assertEquals(story, []);
});

Deno.test("runInStages() stops everything and throws when a part ends by itself", async () => {
  const { story, part, run, clock } = await aProgram();
  const quitter: Runnable = { name: "quitter", run: () => Promise.resolve() };
  await assertRejects(() => run([[part("health")], [quitter]]), Error, "Cannot go on: quitter ended by itself");
  assertEquals([story, clock.pending], [["health runs", "health stops", "health ended"], 0]);
});

Deno.test("runInStages() throws the error of a part that fails, or that cannot get ready", async () => {
  const failing: Runnable = { name: "failing", run: () => Promise.reject(new RangeError("port taken")) };
  const first = await aProgram();
  await assertRejects(() => first.run([[first.part("health")], [failing]]), RangeError, "port taken");
  assertEquals(first.story.at(-1), "health ended");
  const second = await aProgram();
  const unready = second.part("caches", { ready: Promise.reject(new RangeError("no list")) });
  await assertRejects(() => second.run([[unready]]), RangeError, "no list");
  assertEquals(second.story.at(-1), "caches ended");
});

Deno.test("runInStages() gives up waiting at the deadline, and still tells all parts to stop", async () => {
  const { clock, stop, story, part, run, lines } = await aProgram();
  const never = new Promise<void>(() => {});
  const running = run([[part("health")], [part("stuck", { ended: () => never })]], 1_000);
  await settled();
  stop.abort();
  await clock.advance(999);
  assertEquals(story.splice(0), ["health runs", "stuck runs", "stuck stops"]);
  await clock.advance(1);
  await running;
  await settled();
  assertEquals([story, lines.length], [["health stops", "health ended"], 1]);
});

Deno.test("runInStages() resolves and logs when a part fails while it is being stopped", async () => {
  const { stop, part, run, lines, clock } = await aProgram();
  const running = run([[part("sore", { ended: () => Promise.reject(new Error("ouch")) })]]);
  await settled();
  stop.abort();
  await running;
  await clock.advance(10_000);
  assertEquals([lines.length, lines[0]?.includes("part=sore")], [1, true]);
});
