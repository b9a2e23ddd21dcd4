import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import type { Client, ObjectList, RawWatchEvent, WatchOptions } from "../../../src/kit/client.ts";
import { ApiError, isGone, messageOf } from "../../../src/kit/errors.ts";
import {
  type OpenWatch,
  step,
  type WatchEvent,
  watchObjects,
  type WatchObjectsOptions,
  type WatchSource,
  type WatchState,
} from "../../../src/kit/watch.ts";
import { FakeClock, settled } from "../../support/clock.ts";
import { countListeners } from "../../support/listeners.ts";
import { aBookmark, anErrorEvent, anEvent, aThing, fakeClient, type Thing, THINGS } from "./fake_client.ts";

type Line = RawWatchEvent<Thing> | Error;

/** A connection that says `lines` and then ends. */
function aWatch(lines: readonly Line[]): OpenWatch<Thing> & { readonly closed: () => boolean } {
  const rest = [...lines];
  let closed = false;
  return {
    next: () => {
      const line = rest.shift();
      return line instanceof Error ? Promise.reject(line) : Promise.resolve(line);
    },
    close: () => {
      closed = true;
      return Promise.resolve();
    },
    closed: () => closed,
  };
}

/** A server that answers by script, and remembers what it was asked. */
function aSource(
  script: { readonly lists?: readonly (ObjectList<Thing> | Error)[]; readonly watches?: readonly Line[][] },
) {
  const asked: string[] = [];
  const lists = [...script.lists ?? []];
  const watches = [...script.watches ?? []];
  const source: WatchSource<Thing> = {
    list: (token) => {
      asked.push(`list ${token ?? "first page"}`);
      const answer = lists.shift() ?? new Error("no more lists");
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    open: (from) => {
      asked.push(`watch ${from === "initialEvents" ? from : from.resourceVersion}`);
      return aWatch(watches.shift() ?? []);
    },
  };
  return { source, asked };
}

/** Runs steps from `state` until it has had `count` of them. */
async function steps(state: WatchState<Thing>, source: WatchSource<Thing>, count: number) {
  const events: WatchEvent<Thing>[] = [];
  const failures: unknown[] = [];
  for (let i = 0; i < count; i++) {
    const result = await step(state, source);
    state = result.state;
    if (result.event) events.push(result.event);
    if (result.failure !== undefined) failures.push(result.failure);
  }
  return { state, events, failures };
}

const [a1, b2, a3] = [aThing("a"), aThing("b", { version: "2" }), aThing("a", { version: "3" })];
const empty: WatchState<Thing> = { name: "empty" };
const gone = new ApiError(410, "Expired", "too old");

Deno.test("step() gives the full set once when the server streams the initial list", async () => {
  const { source, asked } = aSource({
    watches: [[
      anEvent("ADDED", a1),
      anEvent("ADDED", b2),
      aBookmark("2"),
      anEvent("MODIFIED", a3),
      anEvent("DELETED", b2),
      aBookmark("9", { initialEventsEnd: true }),
      anEvent("ADDED", aThing("c", { version: "10" })),
    ]],
  });
  const { state, events } = await steps(empty, source, 8);
  assertEquals(events, [
    { type: "restarted", objects: [a3], resourceVersion: "9" },
    { type: "applied", object: aThing("c", { version: "10" }) },
  ]);
  assertEquals([state.name, asked], ["watching", ["watch initialEvents"]]);
});

Deno.test("step() asks for pages when the server refuses to stream, and watches from the list's version", async () => {
  for (const status of [400, 422]) {
    const { source, asked } = aSource({
      watches: [[new ApiError(status, "Invalid", "sendInitialEvents is forbidden")], [anEvent("DELETED", b2)]],
      lists: [
        { items: [a1], resourceVersion: "7", continueToken: "more" },
        { items: [b2], resourceVersion: "7" },
      ],
    });
    const { events, failures } = await steps(empty, source, 6);
    assertEquals(events, [
      { type: "restarted", objects: [a1, b2], resourceVersion: "7" },
      { type: "deleted", object: b2 },
    ]);
    assertEquals([failures, asked], [[], ["watch initialEvents", "list first page", "list more", "watch 7"]]);
  }
});

Deno.test("step() begins the list again when a page fails", async () => {
  const { source, asked } = aSource({
    lists: [{ items: [a1], resourceVersion: "7", continueToken: "stale" }, gone, { items: [b2], resourceVersion: "9" }],
  });
  const { events, failures } = await steps({ name: "empty", paged: true }, source, 3);
  assertEquals([failures, asked], [[gone], ["list first page", "list stale", "list first page"]]);
  assertEquals(events, [{ type: "restarted", objects: [b2], resourceVersion: "9" }]);
});

Deno.test("step() resumes where it was when the connection ends or breaks", async () => {
  const { source, asked } = aSource({
    watches: [[anEvent("ADDED", b2)], [anEvent("MODIFIED", a3), new Error("connection reset")], [aBookmark("8")], []],
  });
  const { failures } = await steps({ name: "connecting", resourceVersion: "1", quickEnds: 0 }, source, 9);
  assertEquals(asked, ["watch 1", "watch 2", "watch 3"]);
  assertEquals(failures.map(messageOf), ["connection reset"]);
});

const RELISTS: Readonly<Record<string, Line>> = {
  "is answered 410": gone,
  "hears an ERROR line with code 410": anErrorEvent(410, "Expired"),
};
for (const [sentence, line] of Object.entries(RELISTS)) {
  Deno.test(`step() starts from nothing when a watch ${sentence}`, async () => {
    const { source } = aSource({ watches: [[line]] });
    const { state, failures } = await steps({ name: "connecting", resourceVersion: "1", quickEnds: 0 }, source, 2);
    assertEquals(state, empty);
    assert(isGone(failures[0]));
  });
}

Deno.test("step() keeps its place when a watch hears an ERROR line that is not 410", async () => {
  const { source } = aSource({ watches: [[anEvent("ADDED", b2), anErrorEvent(500, "InternalError")]] });
  const { state, failures } = await steps({ name: "connecting", resourceVersion: "1", quickEnds: 0 }, source, 3);
  assertEquals(state, { name: "connecting", resourceVersion: "2", quickEnds: 0 });
  assertEquals(failures.length, 1);
});

Deno.test("step() starts from nothing when three connections in a row end at once", async () => {
  const { source, asked } = aSource({ watches: [[], [], []] });
  const { state, failures } = await steps({ name: "connecting", resourceVersion: "1", quickEnds: 0 }, source, 6);
  assertEquals([state, asked.length], [empty, 3]);
  assert(isGone(failures[0]));
});

Deno.test("step() counts quick ends afresh when a connection brought something", async () => {
  const { source } = aSource({ watches: [[], [], [aBookmark("5")], [], []] });
  const { state } = await steps({ name: "connecting", resourceVersion: "1", quickEnds: 0 }, source, 9);
  assertEquals(state, { name: "connecting", resourceVersion: "5", quickEnds: 2 });
});

Deno.test("step() closes every connection that it leaves", async () => {
  const left: Line[][] = [[], [gone], [new Error("reset")], [anErrorEvent(410, "Expired")], [
    anErrorEvent(500, "Oops"),
  ]];
  for (const lines of left) {
    for (const name of ["streaming", "watching"] as const) {
      const watch = aWatch(lines);
      const state: WatchState<Thing> = name === "watching"
        ? { name, resourceVersion: "1", quickEnds: 0, watch }
        : { name, objects: new Map(), watch };
      await step(state, aSource({}).source);
      assert(watch.closed(), `${name}: ${JSON.stringify(lines)}`);
    }
  }
});

Deno.test("step() says that the initial list failed when the server ends it early", async () => {
  const { source } = aSource({ watches: [[anEvent("ADDED", a1)]] });
  const { state, events, failures } = await steps(empty, source, 3);
  assertEquals([state, events], [empty, []]);
  assertInstanceOf(failures[0], ApiError);
});

/** Follows `watchObjects` on a server whose connections are `connections`; further ones stay silent until aborted. */
function follow(
  connections: readonly Line[][],
  options: Partial<WatchObjectsOptions> & Pick<Partial<Client>, "list"> = {},
) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const listeners = countListeners(stop.signal);
  const rest = [...connections];
  const asked: WatchOptions[] = [];
  const failures: unknown[] = [];
  const events: WatchEvent<Thing>[] = [];
  const { list, ...watchOptions } = options;
  const client = fakeClient({
    ...(list ? { list } : {}),
    watch: async function* (_type: unknown, watched: WatchOptions) {
      asked.push(watched);
      const lines = rest.shift();
      for (const line of lines ?? []) {
        if (line instanceof Error) throw line;
        yield line;
      }
      if (lines) return;
      await new Promise((_, reject) => watched.signal.addEventListener("abort", () => reject(watched.signal.reason)));
    } as Client["watch"],
  });
  const ended = (async () => {
    const all = watchObjects(client, THINGS, {
      signal: stop.signal,
      clock,
      onFailure: (failure) => failures.push(failure),
      ...watchOptions,
    });
    for await (const event of all) events.push(event);
  })();
  const end = async () => {
    stop.abort();
    await ended;
    assertEquals(clock.pending, 0);
  };
  return { clock, asked, failures, events, listeners, end };
}

const INITIAL: Line[] = [anEvent("ADDED", a1), aBookmark("5", { initialEventsEnd: true })];

Deno.test("watchObjects() cuts and resumes a watch when it is silent for the idle time", async () => {
  const { clock, asked, failures, end } = follow([[...INITIAL]], { idleTimeoutMs: 10_000 });
  await settled();
  await clock.advance(10_000); // the connection ended after INITIAL; the next one is silent
  assertEquals(failures.map(messageOf), ["Cannot hear the watch: nothing came for 10000 ms"]);
  await clock.advance(1_000);
  assertEquals(asked.map(({ resourceVersion }) => resourceVersion), [undefined, "5", "5"]);
  await end();
});

Deno.test("watchObjects() asks for connections of ten to fifteen minutes, each of another length", async () => {
  const { asked, end } = follow(Array.from({ length: 20 }, () => [...INITIAL, aBookmark("6")]));
  await settled();
  const lengths = asked.map(({ timeoutSeconds }) => timeoutSeconds);
  assert(lengths.length > 10 && lengths.every((seconds) => seconds >= 600 && seconds < 900), `${lengths}`);
  assert(new Set(lengths).size > 1, `${lengths}`);
  await end();
});

Deno.test("watchObjects() waits between attempts, a second at most, when the server cannot be reached", async () => {
  const down = () => [new ApiError(0, "Unreachable", "refused")];
  const { clock, asked, failures, end } = follow(Array.from({ length: 100 }, down));
  await settled();
  assertEquals(asked.length, 1);
  await clock.advance(60_000);
  assert(failures.length >= 55 && failures.length <= 100, `${failures.length} attempts in a minute`);
  await end();
});

Deno.test("watchObjects() stays away for as long as the server asked when it sent Retry-After", async () => {
  const busy = new ApiError(429, "TooManyRequests", "busy", { retryAfterMs: 9_000 });
  const { clock, asked, end } = follow([[busy]]);
  await clock.advance(8_999);
  assertEquals(asked.length, 1);
  await clock.advance(1);
  assertEquals(asked.length, 2);
  await end();
});

Deno.test("watchObjects() tries again within a second when a server that starts speaks of half a minute", async () => {
  const starting = new ApiError(503, "ServiceUnavailable", "starting", { retryAfterMs: 30_000 });
  const { clock, asked, end } = follow([[starting]]);
  await clock.advance(1_000);
  assertEquals(asked.length, 2);
  await end();
});

Deno.test("watchObjects() waits for the longer time when the kind is not installed", async () => {
  const absent = new ApiError(404, "NotFound", "no such kind");
  const { clock, asked, end } = follow([[absent]], { absentRetryMs: 300_000, idleTimeoutMs: 600_000 });
  await clock.advance(149_000);
  assertEquals(asked.length, 1);
  await clock.advance(151_000);
  assertEquals(asked.length, 2);
  await end();
});

Deno.test("watchObjects() backs off when the server lists well but ends every watch at once", async () => {
  const connections = Array.from({ length: 400 }, (_, i) => i % 3 === 0 ? [...INITIAL] : []);
  const { clock, events, end } = follow(connections);
  await clock.advance(20_000);
  assert(events.length <= 45, `${events.length} full lists in 20 s`);
  await end();
});

Deno.test("watchObjects() goes on asking for pages after a 410 when pages were asked for", async () => {
  let lists = 0;
  const list = (() => Promise.resolve({ items: [], resourceVersion: String(++lists) })) as Client["list"];
  const { clock, asked, end } = follow([[gone]], { paged: true, list });
  await clock.advance(5_000);
  assertEquals([lists, asked.some(({ sendInitialEvents }) => sendInitialEvents)], [2, false]);
  await end();
});

Deno.test("watchObjects() leaves no listener on the signal with each connection", async () => {
  const { clock, asked, listeners, end } = follow(Array.from({ length: 50 }, () => [...INITIAL, new Error("reset")]));
  await clock.advance(10_000);
  assert(asked.length > 10 && listeners() <= 2, `${listeners()} listeners after ${asked.length} connections`);
  await end();
  assertEquals(listeners(), 0);
});

Deno.test("watchObjects() ends at once when it is aborted in each of its waits", async () => {
  const silent = follow([]);
  await settled();
  await silent.end();
  const pausing = follow([[new Error("down")]]);
  await settled();
  await pausing.end();
  const early = follow([]);
  await early.end();
});
