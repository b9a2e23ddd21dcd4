import { assert, assertEquals } from "@std/assert";
import { done, type Outcome, requeue, Workers, type WorkersOptions } from "../../../src/kit/workers.ts";
import { ApiError, TerminalError } from "../../../src/kit/errors.ts";
import { configureLogging, getLogger } from "../../../src/kit/log.ts";
import { createMetrics } from "../../../src/kit/metrics.ts";
import { WorkQueue } from "../../../src/kit/queue.ts";
import { FakeClock, settled } from "../../support/clock.ts";

/** Runs a controller until `end()`, which gives the log lines. */
async function aController(reconcile: WorkersOptions["reconcile"], options: { readonly concurrency?: number } = {}) {
  const lines: string[] = [];
  await configureLogging({ level: "debug", write: (line) => lines.push(line) });
  const clock = new FakeClock();
  const queue = new WorkQueue({ clock, random: () => 0.999_999 });
  const stop = new AbortController();
  const metrics = createMetrics();
  const controller = new Workers({
    name: "test",
    queue,
    reconcile,
    clock,
    metrics,
    log: getLogger(["test"]),
    ...options,
  });
  const running = controller.run(stop.signal);
  const end = async () => {
    stop.abort();
    await running;
    assertEquals(clock.pending, 0);
    return lines;
  };
  const logged = (level: string) => lines.filter((line) => line.includes(` ${level} `));
  return { queue, clock, metrics, stop, running, end, logged };
}

const failed = (error: unknown): Outcome => ({ type: "failed", error });

Deno.test("Workers.run() works on different keys together and never twice at once on the same", async () => {
  const now = new Map<string, number>();
  let most = 0;
  let worst = 0;
  let total = 0;
  const { queue, end } = await aController(async (key) => {
    now.set(key, (now.get(key) ?? 0) + 1);
    worst = Math.max(worst, now.get(key) ?? 0);
    most = Math.max(most, [...now.values()].reduce((sum, count) => sum + count));
    total++;
    await settled();
    now.set(key, (now.get(key) ?? 0) - 1);
    return done();
  }, { concurrency: 3 });
  for (let round = 0; round < 4; round++) {
    for (const key of ["a", "b", "c", "d"]) queue.add(key);
    await settled();
  }
  for (let i = 0; i < 10; i++) await settled();
  await end();
  assertEquals([worst, most], [1, 3]);
  assert(total >= 8 && total <= 16, `${total} reconciles`);
});

Deno.test("Workers.run() lets everybody else have the thread between the beginnings of two reconciles", async () => {
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const { queue, end } = await aController((key) => {
    order.push(key);
    setTimeout(() => order.push(`what was due in ${key}`) === 6 && resolve(), 0);
    const dueMs = performance.now() + 3;
    while (performance.now() < dueMs); // the thread is taken until the timer is due
    return Promise.resolve(done());
  });
  for (const key of ["a", "b", "c"]) queue.add(key);
  await promise;
  await end();
  assertEquals(order, ["a", "what was due in a", "b", "what was due in b", "c", "what was due in c"]);
});

Deno.test("Workers.run() reconciles again when the outcome asks for it, without counting a failure", async () => {
  const times: number[] = [];
  const { queue, clock, end } = await aController(() => {
    times.push(clock.now());
    return Promise.resolve(times.length < 3 ? requeue(500) : done());
  });
  queue.add("a");
  await clock.advance(5_000);
  await end();
  assertEquals(times.map((time) => time - (times[0] ?? 0)), [0, 500, 1_000]);
  assertEquals(queue.failuresOf("a"), 0);
});

const THROWN: Readonly<Record<string, () => Promise<Outcome>>> = {
  "rejects": () => Promise.reject(new Error("boom")),
  "throws before its first await": () => {
    throw new Error("boom");
  },
  "returns a failed outcome": () => Promise.resolve(failed(new Error("boom"))),
};
for (const [sentence, fail] of Object.entries(THROWN)) {
  Deno.test(`Workers.run() backs off and starts afresh after a success when a reconcile ${sentence}`, async () => {
    let runs = 0;
    const { queue, clock, end, logged } = await aController(() => ++runs % 4 ? fail() : Promise.resolve(done()));
    queue.add("a");
    await clock.advance(4);
    assertEquals(runs, 1);
    await clock.advance(5 + 10 + 20);
    assertEquals([runs, queue.failuresOf("a")], [4, 0]);
    queue.add("a");
    await clock.advance(6);
    assertEquals(runs, 6);
    await end();
    assertEquals(logged("error").length, 5);
    assert(
      logged("error").every((line) => /Reconcile failed key=a reconcileId=\d+ error=boom waitMs=\d+$/m.test(line)),
    );
  });
}

Deno.test("Workers.run() waits as long as the server asked when it sent Retry-After", async () => {
  let runs = 0;
  const busy = new ApiError(429, "TooManyRequests", "busy", { retryAfterMs: 7_000 });
  const { queue, clock, end } = await aController(() => ++runs === 1 ? Promise.reject(busy) : Promise.resolve(done()));
  queue.add("a");
  await clock.advance(6_999);
  assertEquals(runs, 1);
  await clock.advance(1);
  assertEquals(runs, 2);
  await end();
});

Deno.test("Workers.run() waits as long as an overloaded server asked, although the key is added meanwhile", async () => {
  let runs = 0;
  const busy = new ApiError(429, "TooManyRequests", "busy", { retryAfterMs: 1_000 });
  const { queue, clock, end } = await aController(() => ++runs === 1 ? Promise.reject(busy) : Promise.resolve(done()));
  queue.add("a");
  await clock.advance(500);
  queue.add("a");
  await clock.advance(499);
  assertEquals(runs, 1);
  await clock.advance(1);
  assertEquals(runs, 2);
  await end();
});

const LONGEST_WAITS_MS: Readonly<Record<string, { readonly error: unknown; readonly want: number }>> = {
  "the server does not answer": { error: new ApiError(0, "Unreachable", "refused"), want: 2_000 },
  "the server is broken": { error: new ApiError(500, "InternalError", "boom"), want: 2_000 },
  "the server starts": { error: new ApiError(503, "Unavailable", "soon", { retryAfterMs: 30_000 }), want: 2_000 },
  "a quota refuses": { error: new ApiError(403, "Forbidden", 'things "a" is forbidden: exceeded quota'), want: 8_000 },
  "the server refuses": { error: new ApiError(403, "Forbidden", "not you"), want: 60_000 },
  "the fault is ours": { error: new Error("boom"), want: 300_000 },
};

for (const [sentence, { error, want }] of Object.entries(LONGEST_WAITS_MS)) {
  Deno.test(`Workers.run() tries again every ${want} ms, however long it goes on, when ${sentence}`, async () => {
    const times: number[] = [];
    const { queue, clock, end } = await aController(() => {
      times.push(clock.now());
      return Promise.reject(error);
    });
    queue.add("a");
    await clock.advance(20 * 60_000);
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    assertEquals(Math.round(Math.max(...gaps)), want);
    await end();
  });
}

Deno.test("Workers.run() retries a conflict quietly", async () => {
  let runs = 0;
  const conflict = new ApiError(409, "Conflict", "somebody wrote first");
  const { queue, clock, end, logged } = await aController(() =>
    ++runs < 3 ? Promise.reject(conflict) : Promise.resolve(done())
  );
  queue.add("a");
  await clock.advance(100);
  await end();
  assertEquals([runs, logged("error"), logged("warning"), logged("debug").length], [3, [], [], 2]);
});

Deno.test("Workers.run() does not retry a TerminalError until the key is added again", async () => {
  let runs = 0;
  const { queue, clock, end, logged } = await aController(() => {
    runs++;
    return Promise.reject(new TerminalError("no such plan"));
  });
  queue.add("a");
  await clock.advance(3_600_000);
  assertEquals(runs, 1);
  queue.add("a");
  await clock.advance(1);
  assertEquals(runs, 2);
  await end();
  assertEquals(logged("error").length, 2);
});

Deno.test("Workers.run() ends only when the running reconciles have, and takes no new key", async () => {
  const finish = Promise.withResolvers<void>();
  const keys: string[] = [];
  let sawAbort = false;
  const { queue, stop, running, clock } = await aController(async (key, { signal }) => {
    keys.push(key);
    await finish.promise;
    sawAbort = signal.aborted;
    return failed(new Error("interrupted"));
  }, { concurrency: 1 });
  queue.add("a");
  queue.add("b");
  await settled();
  let ended = false;
  void running.then(() => ended = true);
  stop.abort();
  await settled();
  assertEquals(ended, false);
  finish.resolve();
  await running;
  assertEquals([keys, sawAbort, clock.pending, queue.failuresOf("a")], [["a"], true, 0, 0]);
});

Deno.test("Workers.run() does nothing when the signal is aborted already", async () => {
  const queue = new WorkQueue({ clock: new FakeClock() });
  queue.add("a");
  const reconcile = () => Promise.reject(new Error("must not run"));
  const controller = new Workers({
    name: "t",
    queue,
    reconcile,
    log: getLogger(["test"]),
    metrics: createMetrics(),
  });
  await controller.run(AbortSignal.abort());
});

Deno.test("Workers.run() counts reconciles by result", async () => {
  const { queue, metrics, end } = await aController((key) =>
    Promise.resolve(key === "a" ? done() : requeue(1_000_000))
  );
  for (const key of ["a", "b", "c"]) queue.add(key);
  for (let i = 0; i < 3; i++) await settled();
  const { values } = await metrics.reconciles.get();
  assertEquals(values.map(({ labels, value }) => [labels.result, value]), [["done", 1], ["requeue", 2]]);
  await end();
});
