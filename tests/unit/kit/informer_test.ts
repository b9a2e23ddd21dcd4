import { assertEquals } from "@std/assert";
import { Informer, type InformerOptions } from "../../../src/kit/cache.ts";
import type { Client, RawWatchEvent, WatchOptions } from "../../../src/kit/client.ts";
import { ApiError, messageOf } from "../../../src/kit/errors.ts";
import { FakeClock, settled } from "../../support/clock.ts";
import { aBookmark, anEvent, aThing, fakeClient, type Thing, THINGS } from "./fake_client.ts";

type Line = RawWatchEvent<Thing> | Error;

/** Runs an informer on a server that plays one connection after the other; the last one stays open. */
function anInformer(connections: readonly (readonly Line[])[], options: InformerOptions<Thing> = {}) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const rest = [...connections];
  const failures: string[] = [];
  const client = fakeClient({
    watch: async function* (_type: unknown, { signal, onOpen }: WatchOptions) {
      const [first] = rest[0] ?? [];
      if (!(first instanceof Error)) onOpen?.();
      for (const line of rest.shift() ?? []) {
        if (line instanceof Error) throw line;
        yield line;
      }
      if (rest.length > 0) return;
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    } as Client["watch"],
  });
  const informer = new Informer(client, THINGS, {
    clock,
    onFailure: (failure) => failures.push(messageOf(failure)),
    ...options,
  });
  const running = informer.run(stop.signal);
  const end = async () => {
    stop.abort();
    await running;
    assertEquals(clock.pending, 0);
  };
  return { informer, clock, failures, end };
}

const a1 = aThing("a");
const SYNCED: readonly Line[] = [anEvent("ADDED", a1), aBookmark("5", { initialEventsEnd: true })];
const down = new ApiError(0, "Unreachable", "Cannot GET /things: connection refused");
const absent = new ApiError(404, "NotFound", "Cannot GET /things: 404 page not found");

Deno.test("Informer.whenSynced() resolves when the first list is complete, and not before", async () => {
  const { informer, end } = anInformer([[anEvent("ADDED", a1)], SYNCED, []]);
  await settled();
  assertEquals([informer.synced, informer.store.size], [false, 0]);
  assertEquals(informer.problem, "Thing: Cannot read the initial list: the server ended it early");
  await end();

  const second = anInformer([SYNCED]);
  await second.informer.whenSynced(new AbortController().signal);
  assertEquals([second.informer.store.list(), second.informer.problem], [[a1], undefined]);
  await second.end();
});

Deno.test("Informer.whenSynced() resolves when its signal is aborted", async () => {
  const { informer, end } = anInformer([[]]);
  const impatient = new AbortController();
  const waiting = informer.whenSynced(impatient.signal);
  impatient.abort();
  await waiting;
  assertEquals(informer.synced, false);
  await end();
});

Deno.test("Informer.run() feeds events into the store", async () => {
  const b = aThing("b", { version: "6" });
  const { informer, end } = anInformer([[
    ...SYNCED,
    anEvent("ADDED", b),
    anEvent("DELETED", aThing("a", { version: "7" })),
    aBookmark("20"),
  ]]);
  await settled();
  informer.store.observe(aThing("late", { version: "19" }));
  assertEquals(informer.store.list(), [b]);
  await end();
});

Deno.test("Informer.problem tells of a failure until the watch works again, and onFailure hears it once", async () => {
  const { informer, clock, failures, end } = anInformer([SYNCED, [down], [down], [down], [aBookmark("6")]]);
  await settled();
  await clock.advance(90);
  assertEquals([informer.problem, informer.synced], [`Thing: ${down.message}`, true]);
  await clock.advance(5_000);
  assertEquals([informer.problem, failures], [undefined, [down.message]]);
  await end();
});

Deno.test("Informer.problem ends when the server has taken the watch again, though it has nothing to tell", async () => {
  const { informer, clock, end } = anInformer([SYNCED, [down], []]);
  await settled();
  assertEquals(informer.problem, `Thing: ${down.message}`);
  await clock.advance(200);
  assertEquals(informer.problem, undefined);
  await end();
});

Deno.test("Informer.problem names a kind that is not installed when it is not optional", async () => {
  const { informer, end } = anInformer([[absent], []]);
  await settled();
  assertEquals([informer.problem, informer.synced], ["Thing: the kind is not installed in this cluster", false]);
  await end();
});

Deno.test("Informer.run() counts as synced and empty when an optional kind is not installed, until it is", async () => {
  const { informer, clock, failures, end } = anInformer([[absent], SYNCED], {
    optional: true,
    idleTimeoutMs: 600_000,
  });
  await settled();
  assertEquals([informer.problem, informer.synced, informer.store.size], [undefined, true, 0]);
  await clock.advance(300_000);
  assertEquals([informer.store.list(), failures], [[a1], []]);
  await end();
});

Deno.test("Informer.run() forgets an earlier failure when an optional kind turns out to be missing", async () => {
  const { informer, clock, end } = anInformer([[down], [absent], []], { optional: true });
  await settled();
  await clock.advance(1_000);
  assertEquals(informer.problem, undefined);
  await end();
});

Deno.test("Informer.run() empties the store when an optional kind is removed from the cluster", async () => {
  const expired = new ApiError(410, "Expired", "too old");
  const { informer, clock, end } = anInformer([SYNCED, [expired], [absent], []], { optional: true });
  await settled();
  assertEquals(informer.store.size, 1);
  await clock.advance(2_000);
  assertEquals(informer.store.size, 0);
  await end();
});
