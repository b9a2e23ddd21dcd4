/** The fault proxy in front of a real API server: every fault is what it says, and without one nothing is different. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ApiError, type Client, ConfigMap, createClient, isGone, isNotFound } from "../../src/kit/mod.ts";
import { type EventRecord, type FaultProxy, startFaultProxy, WRITE_VERBS } from "../../dev/fault_proxy.ts";
import { type BareApiServer, startBareApiServer } from "../support/api_server.ts";
import { eventually } from "../support/eventually.ts";

type ClosableClient = Client & { close(): void };

let server: BareApiServer;
let direct: ClosableClient;
let proxy: FaultProxy;
let client: ClosableClient;
let names = 0;

Deno.test.beforeAll(async () => {
  server = await startBareApiServer();
  direct = createClient(server.access, { fieldManager: "direct" });
});
Deno.test.beforeEach(async () => {
  proxy = await startFaultProxy(server.access);
  client = createClient(proxy.access, { fieldManager: "tester", timeoutMs: 10_000 });
});
Deno.test.afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  client.close();
});
Deno.test.afterAll(async () => {
  direct?.close();
  await server?.[Symbol.asyncDispose]();
});

const namespace = "default";

function aConfigMap(name: string, data: Record<string, string> = {}): ConfigMap {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data };
}

/** A name that no test had before. */
function newName(): string {
  return `map-${++names}`;
}

/** Creates through the proxy; the status of the error, if there is one. */
async function statusOfCreate(name: string): Promise<number | "created"> {
  try {
    await client.create(ConfigMap, aConfigMap(name));
    return "created";
  } catch (error) {
    if (error instanceof ApiError) return error.status;
    throw error;
  }
}

async function exists(name: string): Promise<boolean> {
  return await direct.get(ConfigMap, { namespace, name }).then(() => true, (error) => {
    if (isNotFound(error)) return false;
    throw error;
  });
}

/** What the proxy has seen of the tests' own objects. */
function changes(): readonly EventRecord[] {
  return proxy.events.filter(({ type }) => type !== "BOOKMARK");
}

/** A watch through the proxy, and what came of it; bookmarks are left out. */
class Watching {
  readonly lines: string[] = [];
  /** How it ended: with the server's word, or the text of an error. */
  readonly ended: Promise<string>;
  readonly #opened = Promise.withResolvers<void>();
  readonly #abort = new AbortController();

  constructor(name: string) {
    this.ended = this.#read(name);
  }

  async #read(name: string): Promise<string> {
    const options = { namespace, fieldSelector: `metadata.name=${name}`, timeoutSeconds: 120 };
    const { signal } = this.#abort;
    try {
      for await (
        const { type, object } of client.watch(ConfigMap, { ...options, signal, onOpen: this.#opened.resolve })
      ) {
        if (type === "BOOKMARK") continue; // the server's own time
        const code = "code" in object ? ` ${object.code}` : "";
        this.lines.push(`${type}${code}${object.data ? ` ${object.data.n}` : ""}`);
      }
      return "end";
    } catch (error) {
      return error instanceof Error ? error.name : String(error);
    }
  }

  opened(): Promise<void> {
    return this.#opened.promise;
  }

  async sees(...lines: string[]): Promise<void> {
    await eventually(lines.join(), () => {
      assertEquals(this.lines, lines);
      return true;
    });
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.ended;
  }
}

async function openWatch(name: string): Promise<Watching> {
  const watching = new Watching(name);
  await watching.opened();
  return watching;
}

/** Creates an object and changes it: events ADDED 1, MODIFIED 2, … MODIFIED `versions`. */
async function write(name: string, { from = 1, to }: { readonly from?: number; readonly to: number }): Promise<void> {
  for (let n = from; n <= to; n++) await direct.apply(ConfigMap, aConfigMap(name, { n: String(n) }));
}

Deno.test("startFaultProxy() without rules passes requests and watches on, and remembers them", async () => {
  const name = newName();
  const watching = await openWatch(name);
  await client.create(ConfigMap, aConfigMap(name, { n: "1" }));
  await client.apply(ConfigMap, aConfigMap(name, { n: "ä" }), { force: true }).then(
    ({ data }) => assertEquals(data, { n: "ä" }),
  );
  await watching.sees("ADDED 1", "MODIFIED ä");
  await client.delete(ConfigMap, { namespace, name });
  await watching.sees("ADDED 1", "MODIFIED ä", "DELETED ä");
  const error = await assertRejects(() => client.get(ConfigMap, { namespace, name }), ApiError);
  assertEquals([error.status, error.reason], [404, "NotFound"]);
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  assertEquals(
    proxy.requests.map(({ verb, path, status }) => [verb, path, status]),
    [
      ["WATCH", maps, 200],
      ["POST", maps, 201],
      ["PATCH", `${maps}/${name}`, 200],
      ["DELETE", `${maps}/${name}`, 200],
      ["GET", `${maps}/${name}`, 404],
    ].map(([verb, path, status]) => [verb, path, verb === "WATCH" ? undefined : status]),
  );
  assert(proxy.requests.every(({ userAgent, faults }) => userAgent.startsWith("Deno/") && faults.length === 0));
  assert(proxy.requests[2]?.body.includes("ä"));
  assertEquals(changes().map(({ type, object }) => [type, object]), [
    ["ADDED", `${namespace}/${name}`],
    ["MODIFIED", `${namespace}/${name}`],
    ["DELETED", `${namespace}/${name}`],
  ]);
  assert(changes().every(({ atMs, deliveredAtMs }) => deliveredAtMs !== undefined && deliveredAtMs - atMs < 1_000));
  assertEquals(proxy.openWatches.map(({ path }) => path), [maps]);
  await watching.stop();
  await eventually("the watch is closed", () => proxy.openWatches.length === 0);
});

Deno.test("startFaultProxy() costs a few milliseconds at most, and counts what is under way at a time", async () => {
  const median = async (from: Client) => {
    const took: number[] = [];
    for (let i = 0; i < 60; i++) {
      const startedMs = performance.now();
      await from.list(ConfigMap, { namespace });
      took.push(performance.now() - startedMs);
    }
    return took.sort((a, b) => a - b)[30] ?? NaN;
  };
  await Promise.all([median(direct), median(client)]); // sockets and caches
  const [without, through] = [await median(direct), await median(client)];
  assert(through - without < 20, `${through} ms through the proxy, ${without} ms without`);
  const rule = proxy.onRequest({ verb: "GET" }, { type: "delay", ms: 200 });
  await Promise.all(Array.from({ length: 12 }, () => client.list(ConfigMap, { namespace })));
  assertEquals([proxy.maxInFlight, rule.strikes], [12, 12]);
});

Deno.test("a kubeconfig that the proxy wrote leads through it", async () => {
  const path = await Deno.makeTempFile({ suffix: ".kubeconfig" });
  await proxy.writeKubeconfig(path);
  const script = `
    const { kubeconfigAccess } = await import("./src/kit/kubeconfig.ts");
    const { createClient } = await import("./src/kit/mod.ts");
    await createClient(await kubeconfigAccess(), { fieldManager: "child" }).serverVersion();
  `;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", script],
    env: { KUBECONFIG: path },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  assertEquals(proxy.requests.map((request) => request.path), ["/version"]);
  await Deno.remove(path);
});

Deno.test("rules strike by verb, path, query, sender and body, and on the hits that they name", async () => {
  const fault = { type: "answer", status: 503 } as const;
  const strikesOf = async (hits: Parameters<FaultProxy["onRequest"]>[0]["hits"]) => {
    const rule = proxy.onRequest({ verb: "GET", ...(hits === undefined ? {} : { hits }) }, fault);
    const struck: number[] = [];
    for (let n = 1; n <= 10; n++) {
      await client.serverVersion().catch(() => struck.push(n));
    }
    assertEquals([rule.hits, rule.strikes], [10, struck.length]);
    rule.remove();
    return struck;
  };
  assertEquals(await strikesOf(3), [3]);
  assertEquals(await strikesOf({ from: 9 }), [9, 10]);
  assertEquals(await strikesOf({ from: 2, to: 4 }), [2, 3, 4]);
  assertEquals(await strikesOf({ every: 4 }), [4, 8]);
  assertEquals((await strikesOf(undefined)).length, 10);
  const some = await strikesOf({ fraction: 0.4, seed: 7 });
  assertEquals(await strikesOf({ fraction: 0.4, seed: 7 }), some);
  assert(some.length > 0 && some.length < 10, `struck: ${some}`);

  const others = [
    { verb: "PUT" },
    { path: /secrets/ },
    { query: /fieldManager=nobody/ },
    { userAgent: /curl/ },
    { where: ({ body }: { readonly body: string }) => body.includes("elsewhere") },
  ] as const;
  for (const match of others) proxy.onRequest(match, fault);
  assertEquals(await statusOfCreate(newName()), "created");
  proxy.heal();
  const name = newName();
  const [verb, path, query, userAgent] = [WRITE_VERBS, /\/configmaps$/, /fieldManager=tester/, /^Deno/];
  proxy.onRequest({ verb, path, query, userAgent, where: ({ body }) => body.includes(name) }, fault);
  assertEquals([await statusOfCreate(name), await statusOfCreate(newName())], [503, "created"]);
});

Deno.test("answer: the API server is not asked, and Retry-After is told", async () => {
  const name = newName();
  proxy.onRequest({ verb: "POST" }, { type: "answer", status: 429, reason: "TooManyRequests", retryAfterSeconds: 3 });
  const error = await assertRejects(() => client.create(ConfigMap, aConfigMap(name)), ApiError);
  assertEquals([error.status, error.reason, error.retryAfterMs], [429, "TooManyRequests", 3_000]);
  assertEquals(await exists(name), false);
  const [{ status, serverStatus, faults } = {}] = proxy.requests;
  assertEquals([status, serverStatus, faults], [429, undefined, ["answer"]]);
});

Deno.test("answer: a list that goes on can be Gone", async () => {
  await write(newName(), { to: 1 });
  await write(newName(), { to: 1 });
  proxy.onRequest({ verb: "GET", query: /continue=/ }, { type: "answer", status: 410, reason: "Expired" });
  const { continueToken = "" } = await client.list(ConfigMap, { namespace, limit: 1 });
  const error = await assertRejects(() => client.list(ConfigMap, { namespace, limit: 1, continueToken }), ApiError);
  assert(isGone(error), String(error));
});

Deno.test("delay: the request is answered later", async () => {
  proxy.onRequest({ path: /version/, hits: 2 }, { type: "delay", ms: 300 });
  await client.serverVersion();
  const startedMs = performance.now();
  await client.serverVersion();
  assert(performance.now() - startedMs >= 300);
  const [first, second] = proxy.requests;
  assert((first?.tookMs ?? NaN) < 300 && (second?.tookMs ?? NaN) >= 300);
});

Deno.test("drop and loseAnswer: no answer comes, and what was asked for is not done, or done", async () => {
  for (const [type, isDone] of [["drop", false], ["loseAnswer", true]] as const) {
    const name = newName();
    const rule = proxy.onRequest({ verb: "POST" }, { type });
    assertEquals([await statusOfCreate(name), await exists(name)], [0, isDone], type);
    rule.remove();
    assertEquals(await statusOfCreate(name), isDone ? 409 : "created", type);
  }
  assertEquals(proxy.requests.map(({ status, serverStatus }) => [status, serverStatus]), [
    [0, undefined],
    [201, 201],
    [0, 201],
    [409, 409],
  ]);
});

Deno.test("killBefore and killAfter: the hook is called before the deed that is not done, or after it", async () => {
  for (const [type, isDone] of [["killBefore", false], ["killAfter", true]] as const) {
    const name = newName();
    const atTheKill: boolean[] = [];
    const rule = proxy.onRequest({ verb: "POST" }, { type, kill: async () => void atTheKill.push(await exists(name)) });
    assertEquals(await statusOfCreate(name), 0, type);
    assertEquals([atTheKill, await exists(name)], [[isDone], isDone], type);
    rule.remove();
  }
});

Deno.test("corrupt: the answer is not JSON any more", async () => {
  proxy.onRequest({ path: /version/, hits: 1 }, { type: "corrupt" });
  const error = await assertRejects(() => client.serverVersion(), ApiError);
  assertEquals(error.status, 0);
  await client.serverVersion();
});

Deno.test("holdWatches() keeps what open and new watches say, until it is released, in order", async () => {
  const name = newName();
  const open = await openWatch(name);
  const other = await openWatch(newName());
  const held = proxy.holdWatches({ query: new RegExp(`name=${name}&`) });
  const late = await openWatch(name);
  await write(name, { to: 3 });
  await eventually("the proxy has six events", () => changes().length === 6);
  assert(changes().every(({ deliveredAtMs }) => deliveredAtMs === undefined));
  assertEquals([open.lines, late.lines], [[], []]);
  held.release();
  await open.sees("ADDED 1", "MODIFIED 2", "MODIFIED 3");
  await late.sees("ADDED 1", "MODIFIED 2", "MODIFIED 3");
  await write(name, { from: 4, to: 4 });
  await open.sees("ADDED 1", "MODIFIED 2", "MODIFIED 3", "MODIFIED 4");
  await Promise.all([open.stop(), late.stop(), other.stop()]);
});

Deno.test("onEvent() drops, replays at once or later, and corrupts single events", async () => {
  const cases = {
    "drop": { fault: { type: "drop" }, lines: ["ADDED 1", "MODIFIED 3", "MODIFIED 4"] },
    "replay": {
      fault: { type: "replay" },
      lines: ["ADDED 1", "MODIFIED 2", "MODIFIED 2", "MODIFIED 3", "MODIFIED 4"],
    },
    "replay later": {
      fault: { type: "replay", afterEvents: 1 },
      lines: ["ADDED 1", "MODIFIED 2", "MODIFIED 3", "MODIFIED 2", "MODIFIED 4"],
    },
  } as const;
  for (const { fault, lines } of Object.values(cases)) {
    const name = newName();
    const rule = proxy.onEvent({ object: new RegExp(`^${namespace}/${name}$`), type: "MODIFIED", hits: 1 }, fault);
    const watching = await openWatch(name);
    await write(name, { to: 4 });
    await watching.sees(...lines);
    assertEquals([rule.hits, rule.strikes], [3, 1]);
    await watching.stop();
  }
  const name = newName();
  proxy.onEvent({ where: ({ object }) => object.metadata?.name === name, hits: 2 }, { type: "corrupt" });
  const watching = await openWatch(name);
  await write(name, { to: 2 });
  assertEquals(await watching.ended, "SyntaxError");
  assertEquals(watching.lines, ["ADDED 1"]);
});

Deno.test("onEvent() ends a watch with an ERROR, or breaks it, in place of an event", async () => {
  const endings = [
    [{ type: "error" }, ["ADDED 1", "ERROR 410"], "end"],
    [{ type: "error", code: 500, reason: "InternalError" }, ["ADDED 1", "ERROR 500"], "end"],
    [{ type: "cut" }, ["ADDED 1"], "TypeError"],
  ] as const;
  for (const [fault, lines, end] of endings) {
    const name = newName();
    const rule = proxy.onEvent({ path: /configmaps$/, type: ["MODIFIED", "DELETED"] }, fault);
    const watching = await openWatch(name);
    await write(name, { to: 2 });
    assertEquals([await watching.ended, watching.lines], [end, [...lines]]);
    rule.remove();
  }
  await eventually("no watch is open", () => proxy.openWatches.length === 0);
});

Deno.test("endWatches() breaks or ends the open watches that match, though nothing happens in them", async () => {
  for (
    const [how, lines, end] of [["reset", [], "TypeError"], ["end", [], "end"], [
      { code: 410 },
      ["ERROR 410"],
      "end",
    ]] as const
  ) {
    const [one, two] = await Promise.all([openWatch("one"), openWatch("two")]);
    assertEquals(proxy.endWatches(how, { query: /name=one&/ }), 1);
    assertEquals([await one.ended, one.lines], [end, [...lines]]);
    assertEquals(proxy.endWatches("reset"), 1);
    assertEquals(await two.ended, "TypeError");
  }
});

Deno.test("a watch can be refused, lost or delayed like any request", async () => {
  const name = newName();
  proxy.onRequest({ verb: "WATCH", hits: 1 }, { type: "answer", status: 410, reason: "Expired" });
  proxy.onRequest({ verb: "WATCH", hits: 2 }, { type: "drop" });
  proxy.onRequest({ verb: "WATCH", hits: 3 }, { type: "loseAnswer" });
  const delay = proxy.onRequest({ verb: "WATCH", hits: 4 }, { type: "delay", ms: 100 });
  for (let n = 1; n <= 3; n++) assertEquals(await new Watching(name).ended, "ApiError");
  const watching = await openWatch(name);
  assertEquals(delay.strikes, 1);
  assertEquals(proxy.requests.map(({ status }) => status), [410, 0, 0, undefined]);
  await watching.stop();
});

Deno.test("a proxy that ends breaks what is open, also what is delayed", async () => {
  const watching = await openWatch(newName());
  proxy.onRequest({ path: /version/ }, { type: "delay", ms: 600_000 });
  const asked = client.serverVersion().catch((error) => error);
  await eventually("the request is delayed", () => proxy.requests.length === 2);
  await proxy[Symbol.asyncDispose]();
  assertEquals([await watching.ended, (await asked).status], ["TypeError", 0]);
});
