import { assertEquals } from "@std/assert";
import { WorkQueue, type WorkQueueOptions } from "../../../src/kit/queue.ts";
import { FakeClock, settled } from "../../support/clock.ts";

function aQueue(options: WorkQueueOptions = {}) {
  const clock = new FakeClock();
  const queue = new WorkQueue({ clock, random: () => 0.999_999, ...options });
  /** Takes and finishes keys until none waits. */
  const drain = async (): Promise<string[]> => {
    const keys: string[] = [];
    while (queue.length > 0) {
      const item = await queue.take();
      if (!item) break;
      keys.push(item.key);
      queue.done(item.key);
    }
    return keys;
  };
  return { queue, clock, drain };
}

Deno.test("WorkQueue.add() hands a key out once when it was added twice", async () => {
  const { queue, drain } = aQueue();
  queue.add("a");
  queue.add("b");
  queue.add("a");
  assertEquals(await drain(), ["a", "b"]);
});

Deno.test("WorkQueue.add() brings a key back after done() when it was being worked on", async () => {
  const { queue, drain } = aQueue();
  queue.add("a");
  await queue.take();
  queue.add("a");
  queue.add("a");
  assertEquals(queue.length, 0);
  queue.done("a");
  assertEquals(await drain(), ["a"]);
});

Deno.test("WorkQueue.take() never hands a key out twice at a time when many workers wait", async () => {
  const { queue } = aQueue();
  const taken: string[] = [];
  for (let i = 0; i < 3; i++) void queue.take().then((item) => taken.push(item?.key ?? "end"));
  queue.add("a");
  queue.add("a");
  await settled();
  assertEquals(taken, ["a"]);
  queue.add("a");
  queue.add("b");
  await settled();
  assertEquals(taken, ["a", "b"]);
  queue.done("a");
  await settled();
  assertEquals(taken, ["a", "b", "a"]);
});

Deno.test("WorkQueue.take() prefers fresh keys when background ones came first", async () => {
  const { queue, drain } = aQueue();
  queue.add("old", "background");
  queue.add("new");
  assertEquals(await drain(), ["new", "old"]);
});

Deno.test("WorkQueue.take() prefers a background key when it has waited for its patience", async () => {
  const { queue, clock, drain } = aQueue({ backgroundPatienceMs: 1_000 });
  queue.add("old", "background");
  await clock.advance(999);
  queue.add("new");
  queue.add("newer");
  await clock.advance(1);
  assertEquals(await drain(), ["old", "new", "newer"]);
});

Deno.test("WorkQueue.take() prefers fresh keys to first ones, and these to background ones", async () => {
  const { queue, drain } = aQueue();
  queue.add("background", "background");
  queue.add("first", "first");
  queue.add("fresh");
  assertEquals(await drain(), ["fresh", "first", "background"]);
});

Deno.test("WorkQueue.take() lets fifteen fresh keys pass before each further key that has waited for its patience", async () => {
  const { queue, clock, drain } = aQueue({ backgroundPatienceMs: 1_000 });
  for (const key of ["old-1", "old-2"]) queue.add(key, "first");
  queue.add("old-3", "background");
  await clock.advance(1_000);
  const fresh = Array.from({ length: 40 }, (_, index) => `fresh-${index}`);
  for (const key of fresh) queue.add(key);
  assertEquals(await drain(), [
    "old-1",
    ...fresh.slice(0, 15),
    "old-2",
    ...fresh.slice(15, 30),
    "old-3",
    ...fresh.slice(30),
  ]);
});

Deno.test("WorkQueue.add() makes a background key fresh when it is added as fresh, and never the other way", async () => {
  const { queue, drain } = aQueue();
  queue.add("a", "background");
  queue.add("b", "background");
  queue.add("b");
  queue.add("b", "background");
  assertEquals(await drain(), ["b", "a"]);
});

Deno.test("WorkQueue.add() keeps the place of a background key when it is added again", async () => {
  const { queue, drain } = aQueue();
  for (const key of ["a", "b", "a"]) queue.add(key, "background");
  assertEquals(await drain(), ["a", "b"]);
});

Deno.test("WorkQueue.add() brings a key back as fresh when any of the adds during the work was fresh", async () => {
  const { queue, drain } = aQueue();
  queue.add("a");
  await queue.take();
  queue.add("a");
  queue.add("a", "background");
  queue.add("other", "background");
  queue.done("a");
  assertEquals(await drain(), ["a", "other"]);
});

Deno.test("WorkQueue.add() adds a lazy key after its wait, once", async () => {
  const { queue, clock, drain } = aQueue({ lazyMs: 1_000 });
  queue.add("a", "lazy");
  await clock.advance(600);
  queue.add("a", "lazy");
  await clock.advance(399);
  assertEquals(await drain(), []);
  await clock.advance(1);
  assertEquals(await drain(), ["a"]);
  await clock.advance(1_000);
  assertEquals(queue.length, 0);
});

Deno.test("WorkQueue.add() does lazy work together with fresh or background work on the key", async () => {
  for (const urgency of ["fresh", "background"] as const) {
    const { queue, clock, drain } = aQueue();
    queue.add("a", "lazy");
    queue.add("a", urgency);
    assertEquals(await drain(), ["a"], urgency);
    await clock.advance(60_000);
    assertEquals(queue.length, 0, urgency);
  }
});

Deno.test("WorkQueue.done() brings a key back after the wait when it was only added as lazy meanwhile", async () => {
  const { queue, clock, drain } = aQueue({ lazyMs: 1_000 });
  queue.add("a");
  await queue.take();
  queue.add("a", "lazy");
  queue.add("a", "background");
  queue.done("a");
  assertEquals(await drain(), []);
  await clock.advance(1_000);
  assertEquals(await drain(), ["a"]);
});

Deno.test("WorkQueue.forget() takes back an addAfter() from before", async () => {
  const { queue, clock, drain } = aQueue();
  queue.addAfter("a", 100);
  queue.addAfter("b", 100);
  queue.forget("a");
  await clock.advance(100);
  assertEquals(await drain(), ["b"]);
});

Deno.test("WorkQueue.take() says how long the key had waited", async () => {
  const { queue, clock } = aQueue();
  queue.add("a");
  await clock.advance(250);
  assertEquals(await queue.take(), { key: "a", urgency: "fresh", waitedMs: 250 });
});

Deno.test("WorkQueue.addAfter() adds the key when the time has come, and not before", async () => {
  const { queue, clock, drain } = aQueue();
  queue.addAfter("a", 100);
  await clock.advance(99);
  assertEquals(queue.length, 0);
  await clock.advance(1);
  assertEquals(await drain(), ["a"]);
});

Deno.test("WorkQueue.addAfter() keeps the earliest wish when there are several", async () => {
  const { queue, clock, drain } = aQueue();
  queue.addAfter("a", 100);
  queue.addAfter("a", 50);
  queue.addAfter("a", 500);
  assertEquals(clock.pending, 1);
  await clock.advance(50);
  assertEquals(await drain(), ["a"]);
  await clock.advance(1_000);
  assertEquals(queue.length, 0);
});

Deno.test("WorkQueue.addAfter() adds the key at once when the time is zero or past", async () => {
  const { queue, drain } = aQueue();
  queue.addAfter("a", 0);
  queue.addAfter("b", -5);
  assertEquals(await drain(), ["a", "b"]);
});

Deno.test("WorkQueue.addAfter() does not fire at once when the time exceeds what timers can hold", async () => {
  const { queue, clock } = aQueue();
  queue.addAfter("a", 90 * 86_400_000);
  await clock.advance(86_400_000);
  assertEquals(queue.length, 0);
  await queue.shutDown();
});

Deno.test("WorkQueue.addRateLimited() doubles the wait per failure when it is not forgotten, up to the longest", async () => {
  const { queue, clock } = aQueue({ baseBackoffMs: 10, maxBackoffMs: 75 });
  const waits: number[] = [];
  for (let i = 0; i < 5; i++) waits.push(Math.round(queue.addRateLimited("a")));
  assertEquals(waits, [10, 20, 40, 75, 75]);
  assertEquals(queue.failuresOf("a"), 5);
  queue.forget("a");
  assertEquals(Math.round(queue.addRateLimited("a")), 10);
  assertEquals(clock.pending, 1);
  await queue.shutDown();
});

Deno.test("WorkQueue.addRateLimited() waits at least as long as the server asked when the backoff is shorter", async () => {
  const { queue } = aQueue();
  assertEquals(queue.addRateLimited("a", { notBeforeMs: 7_000 }), 7_000);
  await queue.shutDown();
});

Deno.test("WorkQueue.addRateLimited() keeps a key away when it must wait, whoever adds it meanwhile", async () => {
  const { queue, clock } = aQueue();
  queue.addRateLimited("a", { notBeforeMs: 1_000 });
  queue.add("a");
  queue.addAfter("a", 10);
  await clock.advance(999);
  assertEquals(queue.length, 0);
  await clock.advance(1);
  assertEquals(queue.length, 1);
  await queue.take();
  queue.done("a");
  queue.add("a");
  assertEquals([queue.length, clock.pending], [1, 0]);
  await queue.shutDown();
});

for (const hours of [1, -1]) {
  Deno.test(`WorkQueue keeps its waits and its order when somebody sets the clock by ${hours} h`, async () => {
    const { queue, clock } = aQueue({ backgroundPatienceMs: 1_000 });
    queue.addRateLimited("a", { notBeforeMs: 1_000 });
    queue.add("b", "background");
    clock.jump(hours * 3_600_000);
    queue.add("a");
    queue.add("c");
    assertEquals((await queue.take())?.key, "c"); // nobody has waited for his patience
    queue.done("c");
    await clock.advance(1_000);
    assertEquals(queue.length, 2);
    assertEquals(await queue.take(), { key: "b", urgency: "background", waitedMs: 1_000 });
    queue.done("b");
    await queue.shutDown();
  });
}

Deno.test("WorkQueue.addRateLimited() waits no longer than it is told when the backoff has grown beyond that", async () => {
  const { queue } = aQueue({ baseBackoffMs: 10, maxBackoffMs: 75 });
  for (let i = 0; i < 5; i++) queue.addRateLimited("a");
  assertEquals(Math.round(queue.addRateLimited("a", { atMostMs: 30 })), 30);
  await queue.shutDown();
});

Deno.test("WorkQueue.shutDown() cancels the waits of lazy keys", async () => {
  const { queue, clock } = aQueue();
  queue.add("a", "lazy");
  await queue.shutDown();
  await clock.advance(60_000);
  assertEquals(queue.length, 0);
});

Deno.test("WorkQueue.shutDown() ends waiting workers and cancels timers when nothing is being worked on", async () => {
  const { queue, clock } = aQueue();
  const waiting = queue.take();
  queue.addAfter("a", 100);
  await queue.shutDown();
  assertEquals(await waiting, undefined);
  assertEquals(await queue.take(), undefined);
  assertEquals(clock.pending, 0);
  queue.add("b");
  queue.addAfter("c", 5);
  assertEquals([queue.length, clock.pending], [0, 0]);
});

Deno.test("WorkQueue.shutDown() waits for the keys that are being worked on, and does not bring them back", async () => {
  const { queue } = aQueue();
  queue.add("a");
  await queue.take();
  queue.add("a");
  let ended = false;
  const drained = queue.shutDown().then(() => ended = true);
  await settled();
  assertEquals(ended, false);
  queue.done("a");
  await drained;
  assertEquals(queue.length, 0);
});
