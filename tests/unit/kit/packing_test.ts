import { assert, assertEquals, assertMatch } from "@std/assert";
import { pack, packing, unpack } from "../../../src/kit/packing.ts";
import { FakeClock } from "../../support/clock.ts";

/** JSON as objects are. */
function aText(name: string, more = ""): string {
  const settings = Array.from({ length: 40 }, (_, index) => ({ name: `SETTING_${index}`, value: `${index * 7919}` }));
  return JSON.stringify({ metadata: { name, uid: `${name}-0123` }, spec: { settings, more } });
}

const TEXTS: Readonly<Record<string, string>> = {
  "JSON": aText("one"),
  "what is not ASCII": aText("café", "中文 🦉 \u0000"),
  "a mebibyte that cannot be made smaller": Array.from({ length: 30_000 }, () => crypto.randomUUID()).join(""),
  "an empty text": "",
};

for (const [sentence, text] of Object.entries(TEXTS)) {
  Deno.test(`unpack() gives back ${sentence}`, () => assertEquals(unpack(pack(text)), text));
}

Deno.test("pack() makes JSON a quarter as long, of characters that take a byte", () => {
  const text = aText("one");
  const packed = pack(text);
  assert(packed.length < text.length / 4, `${packed.length} of ${text.length}`);
  // deno-lint-ignore no-control-regex -- every byte can come
  assertMatch(packed, /^[\x00-\xff]+$/);
});

/** A store with so many objects that may be packed, and what was done with it. */
function aPackable(name: string, settled: number, done: string[]) {
  return {
    settle: () => void done.push(`${name} settles`),
    pack(limit: number) {
      const count = Math.min(limit, settled);
      settled -= count;
      done.push(`${name} packs ${count}`);
      return count;
    },
  };
}

Deno.test("packing() packs all that had settled by the last round, a little at a time, until it is stopped", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const done: string[] = [];
  const stores = [aPackable("a", 17, done), aPackable("b", 0, done)];
  const ended = packing(stores, { clock, intervalMs: 1_000, usedMs: () => 0 }).run(stop.signal);
  await clock.advance(999);
  assertEquals(done, []);
  await clock.advance(1);
  assertEquals(done, ["a packs 16"]);
  for (let turn = 0; turn < 2; turn++) await clock.advance(25);
  assertEquals(done.slice(1), ["a packs 1", "a packs 0", "a settles", "b packs 0", "b settles"]);
  stop.abort();
  await ended;
});

Deno.test("packing() packs nothing after an interval in which the program was busy, and lets the stores settle", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const done: string[] = [];
  let used = 0;
  const options = { clock, intervalMs: 1_000, busyMs: 100, usedMs: () => used };
  const ended = packing([aPackable("a", 1, done)], options).run(stop.signal);
  used += 100;
  await clock.advance(1_000);
  assertEquals(done, ["a settles"]);
  used += 99;
  await clock.advance(1_000);
  await clock.advance(25);
  assertEquals(done.slice(1), ["a packs 1", "a packs 0", "a settles"]);
  stop.abort();
  await ended;
});
