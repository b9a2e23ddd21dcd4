/**
 * No question is answered twice in a decision. V8 counts how often each function of the pure core ran while one world was
 * assessed and planned for; a function whose only argument is the world has the same answer each time, so it must run once.
 */
import { assert, assertEquals } from "@std/assert";
import { type InspectorNotification, Session } from "node:inspector";
import { assess } from "../../../../src/odoo/machine/assess.ts";
import { plan } from "../../../../src/odoo/machine/decide.ts";
import type { World } from "../../../../src/odoo/model/world.ts";
import { aWorld } from "../../../support/builders.ts";
import { forEachWorld } from "./worlds.ts";

const ROOT = new URL("../../../../src/odoo/", import.meta.url);
const FOLDERS = ["model/", "planners/", "machine/", "resources/"];

/** Guards and rows read one or two answers each; they compute none. */
const READERS = /machine\/guards\.ts$/;

/** A declaration with the world, or a part of its answers, as the only parameter. */
const QUESTION =
  /function (\w+)\(\s*(?:\{(?:[^{}]|\{[^{}]*\})*\}|\w+): (?:World|CachedWorld|Assessment|Assessed<[^>]*>|Input)\s*,?\s*\)/g;

/** One world in so many is examined: a prime, so that each value of each dimension is among them. */
const STRIDE = 211;

/** `file name` of each function that answers a question about the world. */
async function questionsIn(folder: URL): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) found.push(...await questionsIn(new URL(`${name}/`, folder)));
    else if (name.endsWith(".ts")) {
      const file = new URL(name, folder);
      if (READERS.test(file.pathname)) continue;
      const source = await Deno.readTextFile(file);
      found.push(
        ...[...source.matchAll(QUESTION)].map(([, called]) => `${file.pathname.slice(ROOT.pathname.length)} ${called}`),
      );
    }
  }
  return found;
}

interface Counted {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly functionName: string;
      readonly ranges: readonly { readonly count: number }[];
    }[];
  }[];
}

/** Counts calls of the functions of src/odoo, by `file name`. */
class CallCounter implements Disposable {
  readonly #session = new Session();

  static async start(): Promise<CallCounter> {
    const counter = new CallCounter();
    counter.#session.connect();
    await counter.#post("Profiler.enable");
    await counter.#post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
    return counter;
  }

  /** The calls since the last time. */
  async take(): Promise<ReadonlyMap<string, number>> {
    const { result } = await this.#post("Profiler.takePreciseCoverage") as Counted;
    const counts = new Map<string, number>();
    for (const { url, functions } of result) {
      if (!url.startsWith(ROOT.href)) continue;
      for (const { functionName, ranges: [range] } of functions) {
        if (range?.count) counts.set(`${url.slice(ROOT.href.length)} ${functionName}`, range.count);
      }
    }
    return counts;
  }

  #post(method: string, parameters: Record<string, unknown> = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#session.post(
        method,
        parameters,
        (error: Error | null, result?: InspectorNotification<object> | object) =>
          error ? reject(error) : resolve(result),
      );
    });
  }

  [Symbol.dispose](): void {
    this.#session.disconnect();
  }
}

function examinedWorlds(): World[] {
  const worlds: World[] = [];
  let count = 0;
  forEachWorld((world) => {
    if (count++ % STRIDE === 0) worlds.push(world);
  });
  const deleted = { metadata: { deletionTimestamp: "2026-11-21T03:59:00Z" } };
  return [
    ...worlds,
    aWorld(),
    aWorld({ instance: deleted }),
    aWorld({ instance: deleted, observed: { web: undefined } }),
  ];
}

Deno.test("plan(assess(world)) answers no question about the world twice", async () => {
  const questions = new Set((await Promise.all(FOLDERS.map((folder) => questionsIn(new URL(folder, ROOT))))).flat());
  assert(questions.size > 60, `only ${questions.size} questions were found in the source`);
  const worlds = examinedWorlds();
  using counter = await CallCounter.start();
  await counter.take();
  const repeated = new Map<string, number>();
  const asked = new Set<string>();
  for (const world of worlds) {
    plan(assess(world));
    for (const [name, count] of await counter.take()) {
      if (!questions.has(name)) continue;
      asked.add(name);
      if (count > 1) repeated.set(name, Math.max(repeated.get(name) ?? 0, count));
    }
  }
  assertEquals([...repeated].sort(), []); // functions that ran more than once for one world, and how often
  assert(asked.size > 60, `only ${asked.size} of ${questions.size} questions were asked in ${worlds.length} worlds`);
});
