import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  ApiError,
  type Client,
  createMetrics,
  getLogger,
  type Metrics,
  type ObjectKey,
  type Secret,
  type Stored,
} from "../../../../src/kit/mod.ts";
import type { Notification, NotificationTarget } from "../../../../src/odoo/model/network/notification.ts";
import { readAllowedHosts } from "../../../../src/odoo/model/network/webhook_target.ts";
import { Notifier, type NotifyRequest, type NotifyResult } from "../../../../src/odoo/ports/notify.ts";
import {
  type DeliveryResult,
  Notifications,
  type NotificationsOptions,
} from "../../../../src/odoo/shell/notifications.ts";
import { FakeClock, settled } from "../../../support/clock.ts";
import { eventually } from "../../../support/eventually.ts";
import { startReceiver } from "../../../support/receiver.ts";
import { fakeClient } from "../../kit/fake_client.ts";

const CLUSTERS_SECRET = { name: "postgres-clusters", namespace: "operators" };

/** A stand-in for Notifier that holds every request until the test lets it go. */
class Gate implements Pick<Notifier, "send"> {
  readonly requests: NotifyRequest[] = [];
  readonly #held = new Map<string, (result: NotifyResult) => void>();

  /** Ids of what is under way, in the order of their start. */
  get underWay(): string[] {
    return [...this.#held.keys()];
  }

  send(request: NotifyRequest, signal: AbortSignal): Promise<NotifyResult> {
    this.requests.push(request);
    return new Promise((resolve) => {
      this.#held.set(request.id, resolve);
      signal.addEventListener("abort", () => resolve({ ok: false, reason: "Cancelled", message: "" }), { once: true });
    });
  }

  async release(id: string, result: NotifyResult = { ok: true }): Promise<void> {
    this.#held.get(id)?.(result);
    this.#held.delete(id);
    await settled();
  }
}

/** Notifications that run, and what came of them. */
class Desk implements AsyncDisposable {
  readonly gate = new Gate();
  readonly clock = new FakeClock();
  readonly metrics: Metrics = createMetrics();
  readonly results: [id: string, outcome: string][] = [];
  readonly messages: string[] = [];
  readonly notifications: Notifications;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(
    options: Partial<NotificationsOptions> & {
      readonly get?: Client["get"];
      readonly notifier?: Pick<Notifier, "send">;
    } = {},
  ) {
    const { get, notifier = this.gate, ...others } = options;
    const tools = {
      client: fakeClient(get ? { get } : {}),
      log: getLogger(["test"]),
      metrics: this.metrics,
      clock: this.clock,
      enqueue: () => {},
      enqueueAll: () => {},
    };
    const onResult = (id: string, result: DeliveryResult) => {
      this.results.push([id, result.ok ? "Delivered" : result.reason]);
      if (!result.ok) this.messages.push(result.message);
    };
    this.notifications = new Notifications(tools, notifier, { clustersSecret: CLUSTERS_SECRET, onResult, ...others });
    this.#ended = this.notifications.run(this.#stop.signal);
  }

  async submit(id: string, key: ObjectKey = `blue/${id}`, target: Partial<NotificationTarget> = {}): Promise<void> {
    this.notifications.submit(aNotification(id, target), key);
    await settled();
  }

  async count(result: string): Promise<number | undefined> {
    const metric = await this.metrics.registry.getSingleMetric("odoo_notifications_total")?.get();
    return metric?.values.find(({ labels }) => labels.result === result)?.value;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function aNotification(id: string, target: Partial<NotificationTarget> = {}): Notification {
  return { id, target: { url: "https://hooks.example.com", ...target }, body: `{"id":"${id}"}` };
}

Deno.test("submit() sends a notification, reports its result and counts it", async () => {
  await using desk = new Desk();
  await desk.submit("a");
  await desk.submit("b");
  await desk.gate.release("b", { ok: false, reason: "StatusRefused", message: "Cannot notify: it answers 404" });
  await desk.gate.release("a");
  assertEquals(desk.results, [["b", "StatusRefused"], ["a", "Delivered"]]);
  assertEquals([await desk.count("Delivered"), await desk.count("StatusRefused")], [1, 1]);
  assertEquals(desk.gate.requests[0], { url: "https://hooks.example.com", id: "a", body: '{"id":"a"}' });
});

Deno.test("submit() takes an id once: while it waits, is under way, and has ended", async () => {
  await using desk = new Desk();
  await desk.submit("a", "blue/shop");
  await desk.submit("b", "blue/shop");
  for (const id of ["a", "b"]) await desk.submit(id, "blue/shop");
  await desk.gate.release("a");
  await desk.gate.release("b", { ok: false, reason: "NoAnswer", message: "" });
  for (const id of ["a", "b"]) await desk.submit(id, "blue/shop");
  assertEquals(desk.gate.requests.map(({ id }) => id), ["a", "b"]);
});

Deno.test("submit() forgets the ids that were mentioned longest ago when there are too many others", async () => {
  await using desk = new Desk({ mostSeen: 10 });
  await desk.submit("first", "red/shop");
  await desk.submit("second", "red/shop");
  await desk.gate.release("first");
  await desk.gate.release("second");
  desk.notifications.submit(aNotification("first"), "red/shop"); // mentioned again
  for (let n = 0; n < 9; n++) desk.notifications.submit(aNotification(`n${n}`), `blue/${n}`);
  await desk.submit("first", "red/shop");
  await desk.submit("second", "red/shop");
  assertEquals(desk.gate.requests.filter(({ id }) => !id.startsWith("n")).map(({ id }) => id), [
    "first",
    "second",
    "second",
  ]);
});

Deno.test("submit() keeps the order of an instance, and has two of a namespace and eight in all under way", async () => {
  await using desk = new Desk();
  for (const namespace of ["a", "b", "c", "d", "e"]) {
    for (const name of ["x", "y", "z"]) {
      for (const number of [1, 2]) await desk.submit(`${namespace}${name}${number}`, `${namespace}/${name}`);
    }
  }
  assertEquals(desk.gate.underWay, ["ax1", "ay1", "bx1", "by1", "cx1", "cy1", "dx1", "dy1"]);
  await desk.gate.release("bx1");
  assertEquals(desk.gate.underWay.at(-1), "bx2");
  await desk.gate.release("by1");
  assertEquals(desk.gate.underWay.at(-1), "by2");
  await desk.gate.release("by2");
  assertEquals(desk.gate.underWay.at(-1), "bz1");
  await desk.gate.release("bz1");
  await desk.gate.release("bx2");
  assertEquals(desk.gate.underWay.slice(-2), ["bz2", "ex1"]);
});

Deno.test("submit() drops the oldest of the namespace with most when too many wait, and takes it again later", async () => {
  await using desk = new Desk({ mostWaiting: 4 });
  await desk.submit("quiet1", "quiet/shop");
  await desk.submit("quiet2", "quiet/shop");
  for (let n = 1; n <= 6; n++) await desk.submit(`loud${n}`, "loud/shop");
  assertEquals(desk.results, [["loud2", "QueueFull"], ["loud3", "QueueFull"]]);
  assertEquals(await desk.count("QueueFull"), 2);
  for (const id of ["quiet1", "loud1", "loud4", "loud5"]) await desk.gate.release(id);
  await desk.submit("loud2", "loud/shop");
  for (const id of ["quiet2", "loud6"]) await desk.gate.release(id);
  assertEquals(desk.gate.requests.map(({ id }) => id), [
    "quiet1",
    "loud1",
    "quiet2",
    "loud4",
    "loud5",
    "loud6",
    "loud2",
  ]);
});

Deno.test("run() ends at once when it is aborted, reports no result of aborted deliveries, and starts nothing more", async () => {
  const desk = new Desk();
  await desk.submit("a", "blue/shop");
  await desk.submit("b", "blue/shop");
  await desk.stop();
  await desk.submit("c", "blue/other");
  assertEquals(desk.results, []);
  assertEquals(desk.gate.requests.map(({ id }) => id), ["a"]);
});

function aSecret(overrides: Partial<Stored<Secret>> = {}, metadata: Partial<Stored<Secret>["metadata"]> = {}) {
  const base = { name: "hook", namespace: "blue", uid: "uid", resourceVersion: "1" };
  const data = { token: btoa("s3cret\n"), empty: "" };
  return { type: "Opaque", data, ...overrides, metadata: { ...base, ...metadata } } satisfies Stored<Secret>;
}

/** An API server that has one Secret. */
function having(secret: Stored<Secret>): Client["get"] {
  const get = (_type: unknown, { name, namespace }: { readonly name: string; readonly namespace?: string }) =>
    name === secret.metadata.name && namespace === secret.metadata.namespace
      ? Promise.resolve(secret)
      : Promise.reject(new ApiError(404, "NotFound", "not found"));
  return get as Client["get"];
}

const REF = { secretTokenSecretRef: { name: "hook", key: "token" } } as const;

/** Targets and the Secret that is there → the token that is sent; `undefined` for a request without one. */
const TOKENS: Readonly<
  Record<string, { readonly given: Partial<NotificationTarget>; readonly want: string | undefined }>
> = {
  "there is neither token nor reference": { given: {}, want: undefined },
  "it is in the Secret, with the newline of a file": { given: REF, want: "s3cret" },
  "it is in the object, whatever the Secret says": { given: { ...REF, token: "plain" }, want: "plain" },
  "the one in the object is empty": { given: { ...REF, token: "" }, want: "s3cret" },
};

for (const [sentence, { given, want }] of Object.entries(TOKENS)) {
  Deno.test(`submit() sends ${want ? `the token ${want}` : "no token"} when ${sentence}`, async () => {
    await using desk = new Desk({ get: having(aSecret()) });
    await desk.submit("a", "blue/shop", given);
    assertEquals(desk.gate.requests.map(({ token }) => token), [want]);
  });
}

/** What keeps a token from being used → what the message names. */
const WITHHELD: Readonly<
  Record<string, {
    readonly given: Stored<Secret>;
    readonly ref?: { readonly name: string; readonly key: string };
    readonly key?: ObjectKey;
    readonly want: string;
  }>
> = {
  "the Secret is in another namespace": { given: aSecret({}, { namespace: "red" }), want: "does not exist" },
  "the Secret lacks the key": { given: aSecret(), ref: { name: "hook", key: "other" }, want: "no key other" },
  "the key is empty": { given: aSecret(), ref: { name: "hook", key: "empty" }, want: "no key empty" },
  "the reference has no name": { given: aSecret(), ref: { name: "", key: "token" }, want: "not a valid name" },
  "the reference is a path": { given: aSecret(), ref: { name: "..", key: "token" }, want: "not a valid name" },
  "it is a service account's": {
    given: aSecret({ type: "kubernetes.io/service-account-token" }),
    want: "other credentials",
  },
  "it is a pull secret": { given: aSecret({ type: "kubernetes.io/dockerconfigjson" }), want: "other credentials" },
  "it is a role's password": {
    given: aSecret({}, { name: "shop-odoo-user", labels: { "bemade.org/instance": "shop" } }),
    ref: { name: "shop-odoo-user", key: "token" },
    want: "other credentials",
  },
  "it is the clusters Secret": {
    given: aSecret({}, CLUSTERS_SECRET),
    ref: { name: CLUSTERS_SECRET.name, key: "token" },
    key: "operators/shop",
    want: "other credentials",
  },
};

for (const [sentence, { given, ref = REF.secretTokenSecretRef, key = "blue/shop", want }] of Object.entries(WITHHELD)) {
  Deno.test(`submit() sends nothing when ${sentence}`, async () => {
    await using desk = new Desk({ get: having(given) });
    await desk.submit("a", key, { secretTokenSecretRef: ref });
    assertEquals([desk.results, desk.gate.requests], [[["a", "TokenMissing"]], []]);
    assertStringIncludes(desk.messages[0] ?? "", want);
    assert(!desk.messages[0]?.includes("s3cret"));
  });
}

Deno.test("submit() sends a user's Secret's token when the Secret bears our label, so that we watch it", async () => {
  await using desk = new Desk({ get: having(aSecret({}, { labels: { "bemade.org/instance": "shop" } })) });
  await desk.submit("a", "blue/shop", REF);
  assertEquals(desk.gate.requests.map(({ token }) => token), ["s3cret"]);
});

Deno.test("submit() waits for an API server that is away for a moment, and gives up one that stays away", async () => {
  let failures = 2;
  const present = having(aSecret());
  const get =
    ((...args: Parameters<Client["get"]>) =>
      failures-- > 0 ? Promise.reject(new ApiError(503, "", "away")) : present(...args)) as Client["get"];
  await using desk = new Desk({ get });
  await desk.submit("a", "blue/shop", REF);
  await desk.clock.advance(10_000);
  assertEquals(desk.gate.requests.map(({ token }) => token), ["s3cret"]);
  failures = 10;
  await desk.submit("b", "red/shop", REF);
  await desk.clock.advance(60_000);
  assertEquals(desk.results, [["b", "InternalError"]]);
});

Deno.test("submit() delivers to a real receiver, signed, and frees the queue of one that refuses", async () => {
  await using receiver = startReceiver({
    answer: (request) => request.includes("bad") ? "HTTP/1.1 410 Gone\r\n\r\n" : "HTTP/1.1 204 No Content\r\n\r\n",
  });
  const notifier = new Notifier({ allowedHosts: readAllowedHosts(["127.0.0.1"]) });
  await using desk = new Desk({ get: having(aSecret()), notifier });
  const target = { url: `http://127.0.0.1:${receiver.port}`, ...REF };
  for (const id of ["bad", "good"]) desk.notifications.submit(aNotification(id, target), "blue/shop");
  await eventually("both have ended", () => desk.results.length === 2);
  assertEquals(desk.results, [["bad", "StatusRefused"], ["good", "Delivered"]]);
  assertStringIncludes(receiver.requests[1] ?? "", "\r\nX-Signature-256: sha256=");
});
