/** Notifications over real sockets: who is knocked at, with what, how often, and what is told of it. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createHmac } from "node:crypto";
import { createCertificateAuthority } from "../../dev/certificates.ts";
import type { Clock } from "../../src/kit/clock.ts";
import { PRIVATE_RANGES, readAllowedHosts } from "../../src/odoo/model/network/webhook_target.ts";
import { Notifier, type NotifierOptions, type NotifyResult, type ResolveName } from "../../src/odoo/ports/notify.ts";
import { FakeClock } from "../support/clock.ts";
import { eventually } from "../support/eventually.ts";
import { type Answer, NO_CONTENT, type ReceiverOptions, startReceiver } from "../support/receiver.ts";

const NEVER = new AbortController().signal;
const ATTEMPT_MS = 10_000;
/** Half of the jitter: waits of three quarters of the longest. */
const WAITS_MS = [7_500, 15_000, 30_000, 60_000] as const;

/** Time in which waits between attempts pass at once, and are noted; deadlines of attempts never come. */
class HastyClock implements Clock {
  readonly waitsMs: number[] = [];
  now(): number {
    return Date.UTC(2026, 10, 21, 4);
  }
  monotonicMs(): number {
    return 0;
  }
  setTimeout(fn: () => void, ms: number): () => void {
    if (ms === ATTEMPT_MS || ms === 1_000) return () => {};
    this.waitsMs.push(ms);
    queueMicrotask(fn);
    return () => {};
  }
}

function aNotifier(options: Partial<NotifierOptions> = {}): Notifier {
  const allowedHosts = readAllowedHosts(["127.0.0.0/8"]);
  return new Notifier({ allowedHosts, clock: new HastyClock(), random: () => 0.5, ...options });
}

function send(notifier: Notifier, url: string, token?: string, signal = NEVER): Promise<NotifyResult> {
  return notifier.send(
    { url, id: "uid-1/Completed", body: '{"phase":"Completed"}', ...(token ? { token } : {}) },
    signal,
  );
}

function names(table: Readonly<Record<string, readonly string[]>>): ResolveName {
  return (name) => Promise.resolve(table[name] ?? []);
}

function reasonOf(result: NotifyResult): string {
  return result.ok ? "" : result.reason;
}

Deno.test("send() posts the body with its id, and without a token nothing that looks like one", async () => {
  await using receiver = startReceiver();
  assertEquals(await send(aNotifier(), `http://127.0.0.1:${receiver.port}/hook/a%20b?to=me#part`), { ok: true });
  assertEquals(receiver.requests, [
    [
      "POST /hook/a%20b?to=me HTTP/1.1",
      `Host: 127.0.0.1:${receiver.port}`,
      "User-Agent: odoo-operator",
      "Content-Type: application/json",
      "Content-Length: 21",
      "Idempotency-Key: uid-1/Completed",
      "Connection: close",
      "",
      '{"phase":"Completed"}',
    ].join("\r\n"),
  ]);
});

Deno.test("send() signs the body when there is a token", async () => {
  await using receiver = startReceiver();
  await send(aNotifier(), `http://127.0.0.1:${receiver.port}`, "s3cret");
  const expected = createHmac("sha256", "s3cret").update('{"phase":"Completed"}').digest("hex");
  assertStringIncludes(receiver.requests[0] ?? "", "\r\nAuthorization: Bearer s3cret\r\n");
  assertStringIncludes(receiver.requests[0] ?? "", `\r\nX-Signature-256: sha256=${expected}\r\n`);
});

Deno.test("send() does not connect when the token would end its header", async () => {
  await using receiver = startReceiver();
  for (const token of ["a\r\nX-Evil: 1", "a\n", "with space", "naïve", "x".repeat(4_097)]) {
    const result = await send(aNotifier(), `http://127.0.0.1:${receiver.port}`, token);
    assertEquals(reasonOf(result), "TokenUnusable");
    assert(!JSON.stringify(result).includes(token), "the token is told");
  }
  assertEquals(receiver.connections, 0);
});

/** Hosts, what they resolve to, and why nobody is knocked at. The port is that of a listener on all addresses. */
const REFUSED: Readonly<Record<string, { readonly given: string; readonly resolved?: readonly string[] }>> = {
  "it is loopback": { given: "http://127.0.0.1" },
  "it is loopback in octal": { given: "http://0177.0.0.1" },
  "it is loopback in hexadecimal": { given: "http://0x7f000001" },
  "it is loopback in decimal": { given: "http://2130706433" },
  "it is loopback, shortened": { given: "http://127.1" },
  "it is this host": { given: "http://0.0.0.0" },
  "it is this host, shortened": { given: "http://0" },
  "it is loopback mapped into IPv6": { given: "http://[::ffff:127.0.0.1]" },
  "it is loopback in IPv6": { given: "http://[::1]" },
  "it is unspecified in IPv6": { given: "http://[::]" },
  "its name means loopback": { given: "http://evil.example", resolved: ["127.0.0.1"] },
  "its name means IPv6 loopback": { given: "http://evil.example", resolved: ["::1"] },
  "its name means a mapped loopback": { given: "http://evil.example", resolved: ["::ffff:127.0.0.1"] },
  "its name means a public address and loopback": {
    given: "http://evil.example",
    resolved: ["93.184.216.34", "127.0.0.1"],
  },
  "its name means the API server": { given: "http://evil.example", resolved: ["10.96.0.1"] },
  "it is the API server's name": { given: "http://kubernetes.default.svc", resolved: ["127.0.0.1"] },
  "it is metadata mapped into IPv6": { given: "http://[::ffff:169.254.169.254]" },
  "its name means metadata": { given: "http://evil.example", resolved: ["169.254.169.254"] },
};

for (const [sentence, { given, resolved = [] }] of Object.entries(REFUSED)) {
  Deno.test(`send() connects to nobody when ${sentence}`, async () => {
    await using receiver = startReceiver({ hostname: "0.0.0.0" });
    await using receiver6 = startReceiver({ hostname: "::" });
    const notifier = aNotifier({
      allowedHosts: readAllowedHosts(PRIVATE_RANGES.split(",")),
      apiServerHost: "10.96.0.1",
      resolve: () => Promise.resolve(resolved),
    });
    for (const port of [receiver.port, receiver6.port]) {
      const result = await send(notifier, `${given}:${port}/path-is-secret`);
      assertEquals(reasonOf(result), "AddressRefused");
      assert(!result.ok && !result.message.includes("path-is-secret"), "the path is told");
    }
    assertEquals([receiver.connections, receiver6.connections], [0, 0]);
  });
}

for (const name of ["localhost", "localhost."]) {
  Deno.test(`send() connects to nobody when ${name} is looked up by the system`, async () => {
    await using receiver = startReceiver();
    const notifier = aNotifier({ allowedHosts: readAllowedHosts(PRIVATE_RANGES.split(",")) });
    assertEquals(reasonOf(await send(notifier, `http://${name}:${receiver.port}`)), "AddressRefused");
    assertEquals(receiver.connections, 0);
  });
}

Deno.test("send() connects by a name when the system knows it and the flag names it", async () => {
  await using receiver = startReceiver();
  const notifier = aNotifier({ allowedHosts: readAllowedHosts(["localhost"]) });
  assertEquals(await send(notifier, `http://localhost:${receiver.port}`), { ok: true });
  assertStringIncludes(receiver.requests[0] ?? "", `Host: localhost:${receiver.port}\r\n`);
});

Deno.test("send() is not led elsewhere when a name changes its meaning after it was judged", async () => {
  await using allowed = startReceiver({ hostname: "127.0.0.2", answer: (_, n) => n > 1 ? UNAVAILABLE : NO_CONTENT });
  await using forbidden = startReceiver({ hostname: "127.0.0.1", port: allowed.port });
  const meanings = [["127.0.0.2"], ["127.0.0.2"], ["127.0.0.1"]];
  const notifier = aNotifier({
    allowedHosts: readAllowedHosts(["127.0.0.2"]),
    resolve: () => Promise.resolve(meanings.shift() ?? ["127.0.0.1"]),
  });
  const url = `http://rebind.example:${allowed.port}`;
  assertEquals(await send(notifier, url), { ok: true });
  assertEquals(meanings.length, 2, "one attempt resolves once");
  assertEquals(reasonOf(await send(notifier, url)), "AddressRefused");
  assertEquals([allowed.connections, forbidden.connections], [2, 0]);
});

Deno.test("send() takes the next address when the first refuses the connection", async () => {
  await using receiver = startReceiver({ hostname: "127.0.0.3" });
  const notifier = aNotifier({ resolve: names({ "two.example": ["127.0.0.2", "127.0.0.3"] }) });
  assertEquals(await send(notifier, `http://two.example:${receiver.port}`), { ok: true });
});

Deno.test("send() does not follow a redirect", async () => {
  await using target = startReceiver();
  const location = `http://127.0.0.1:${target.port}/latest/meta-data`;
  for (const status of [301, 302, 303, 307, 308]) {
    await using receiver = startReceiver({
      answer: () => `HTTP/1.1 ${status} Moved\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`,
    });
    const result = await send(aNotifier(), `http://127.0.0.1:${receiver.port}`);
    assertEquals(reasonOf(result), "Redirected");
    assert(!result.ok && !result.message.includes("meta-data"), "the location is told");
    assertEquals(receiver.connections, 1);
  }
  assertEquals(target.connections, 0);
});

const UNAVAILABLE = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

function answers(...list: readonly Answer[]): ReceiverOptions {
  return { answer: (_, n) => list[n - 1] ?? NO_CONTENT };
}

function status(line: string, ...headers: readonly string[]): string {
  return [`HTTP/1.1 ${line}`, ...headers, "Content-Length: 6", "", "secret"].join("\r\n");
}

/** Answers in their order → what becomes of the notification, and how long was waited in between. */
const ANSWERS: Readonly<
  Record<
    string,
    {
      readonly given: readonly Answer[];
      readonly want: string;
      readonly waits: readonly number[];
      readonly told?: string;
    }
  >
> = {
  "the answer is 200": { given: [status("200 OK")], want: "", waits: [] },
  "the answer has no reason phrase": { given: ["HTTP/1.1 202\r\n\r\n"], want: "", waits: [] },
  "hints come first": { given: [`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${NO_CONTENT}`], want: "", waits: [] },
  "it is 503, then 200": { given: [UNAVAILABLE, status("200 OK")], want: "", waits: [7_500] },
  "it is 500, 502, 408, then 204": {
    given: [status("500 Error"), status("502 Bad"), status("408 Timeout"), NO_CONTENT],
    want: "",
    waits: [7_500, 15_000, 30_000],
  },
  "it is 503 for good": {
    given: [UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, UNAVAILABLE],
    want: "StatusRefused",
    waits: WAITS_MS,
    told: "503 (5 attempts)",
  },
  "429 asks for 42 seconds": {
    given: [status("429 Slow down", "Retry-After: 42")],
    want: "",
    waits: [42_000],
  },
  "429 asks for less than we wait anyway": { given: [status("429 x", "retry-after: 1")], want: "", waits: [7_500] },
  "429 names a date": {
    given: [status("429 x", "Retry-After: Sat, 21 Nov 2026 04:00:30 GMT")],
    want: "",
    waits: [30_000],
  },
  "429 asks for a year": { given: [status("429 x", "Retry-After: 31536000")], want: "", waits: [120_000] },
  "429 asks for nonsense": { given: [status("429 x", "Retry-After: soon")], want: "", waits: [7_500] },
  "it is 404": { given: [status("404 Not Found")], want: "StatusRefused", waits: [], told: "it answers 404" },
  "it is 401": { given: [status("401 No")], want: "StatusRefused", waits: [] },
  "it is not HTTP, then it is": { given: ["220 mail.example ESMTP\r\n\r\n", NO_CONTENT], want: "", waits: [7_500] },
  "the connection is closed without a word, then not": { given: ["", NO_CONTENT], want: "", waits: [7_500] },
  "the head never ends, then it does": {
    given: [`HTTP/1.1 200 OK\r\nX: ${"x".repeat(100_000)}`, NO_CONTENT],
    want: "",
    waits: [7_500],
  },
};

for (const [sentence, { given, want, waits, told = "" }] of Object.entries(ANSWERS)) {
  Deno.test(`send() ends ${want ? `with ${want}` : "well"} when ${sentence}`, async () => {
    await using receiver = startReceiver(answers(...given));
    const clock = new HastyClock();
    const result = await send(aNotifier({ clock }), `http://127.0.0.1:${receiver.port}/path-is-secret`);
    assertEquals([reasonOf(result), clock.waitsMs], [want, [...waits]]);
    assertEquals(receiver.connections, waits.length + 1);
    if (result.ok) return;
    assertMatch(result.message, /^Cannot notify http:\/\/127\.0\.0\.1:\d+: [^\n]+[^.]$/);
    assertStringIncludes(result.message, told);
    assert(!result.message.includes("secret"), "the answer's body or the path is told");
  });
}

Deno.test("send() tries five times when nobody listens, and when the name does not exist", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  for (const [url, reason] of [[`http://127.0.0.1:${port}`, "Unreachable"], ["http://no.example", "NameNotResolved"]]) {
    const clock = new HastyClock();
    assertEquals(reasonOf(await send(aNotifier({ clock, resolve: names({}) }), url ?? "")), reason);
    assertEquals(clock.waitsMs, [...WAITS_MS]);
  }
});

Deno.test("send() looks a name up again when it could not be", async () => {
  await using receiver = startReceiver();
  let lookups = 0;
  const resolve = () => ++lookups === 1 ? Promise.reject(new Error("SERVFAIL")) : Promise.resolve(["127.0.0.1"]);
  assertEquals(await send(aNotifier({ resolve }), `http://hook.example:${receiver.port}`), { ok: true });
  assertEquals(lookups, 2);
});

Deno.test("send() hangs up when the body does not end", async () => {
  await using receiver = startReceiver(answers("endless"));
  assertEquals(await send(aNotifier(), `http://127.0.0.1:${receiver.port}`), { ok: true });
  await eventually("the receiver cannot write any more", () => receiver.ended === 1);
});

Deno.test("send() waits a second for a body that does not come, and takes the status for the answer", async () => {
  await using receiver = startReceiver(answers("unfinished"));
  const clock = new FakeClock();
  const result = send(aNotifier({ clock }), `http://127.0.0.1:${receiver.port}`);
  await eventually("it waits for the body", () => clock.pending === 2);
  await clock.advance(999);
  assertEquals(receiver.ended, 0);
  await clock.advance(1);
  assertEquals(await result, { ok: true });
  assertEquals(clock.pending, 0);
});

Deno.test("send() gives each attempt ten seconds when the receiver does not answer", async () => {
  await using receiver = startReceiver({ answer: () => "silence" });
  const clock = new FakeClock();
  const result = send(aNotifier({ clock }), `http://127.0.0.1:${receiver.port}`);
  for (const [index, waitMs] of [...WAITS_MS, 0].entries()) {
    await eventually(`attempt ${index + 1}`, () => receiver.requests.length === index + 1);
    await clock.advance(ATTEMPT_MS - 1);
    assertEquals(receiver.ended, index);
    await clock.advance(1);
    await eventually("the connection is gone", () => receiver.ended === index + 1);
    if (waitMs === 0) break;
    await eventually("it waits", () => clock.pending === 1);
    await clock.advance(waitMs - 1);
    assertEquals(receiver.connections, index + 1);
    await clock.advance(1);
  }
  assertEquals(reasonOf(await result), "NoAnswer");
  assertEquals(clock.pending, 0);
});

Deno.test("send() stops at once when it is told to: while a receiver is silent, and while it waits", async () => {
  for (const answer of ["silence", UNAVAILABLE] as const) {
    await using receiver = startReceiver({ answer: () => answer });
    const clock = new FakeClock();
    const stop = new AbortController();
    const result = send(aNotifier({ clock }), `http://127.0.0.1:${receiver.port}`, undefined, stop.signal);
    const isAtIt = () =>
      answer === "silence" ? receiver.requests.length === 1 : receiver.ended === 1 && clock.pending === 1;
    await eventually("it is at it", isAtIt);
    stop.abort();
    assertEquals(reasonOf(await result), "Cancelled");
    assertEquals(clock.pending, 0);
  }
});

Deno.test("send() speaks TLS to the judged address when the certificate is the host's, and else says nothing", async () => {
  const authority = await createCertificateAuthority();
  const tls = await authority.issueServer({ dnsNames: ["hook.example"], ips: ["127.0.0.1"] });
  await using receiver = startReceiver({ tls });
  const resolve = names({ "hook.example": ["127.0.0.1"], "other.example": ["127.0.0.1"] });
  const trusting = aNotifier({ resolve, caCerts: [authority.certPem] });
  for (const host of ["hook.example", "127.0.0.1"]) {
    assertEquals(await send(trusting, `https://${host}:${receiver.port}`, "s3cret"), { ok: true });
  }
  const others: [Notifier, string][] = [[trusting, "other.example"], [aNotifier({ resolve }), "hook.example"]];
  for (const [notifier, host] of others) {
    const result = await send(notifier, `https://${host}:${receiver.port}`, "s3cret");
    assertEquals(reasonOf(result), "Unreachable");
    assertStringIncludes(JSON.stringify(result), "certificate");
    assert(host === "hook.example" || !JSON.stringify(result).includes("hook.example"), "the certificate is quoted");
  }
  assertEquals(receiver.requests.length, 2);
});

Deno.test("send() fails as Unreachable when no certificate can bear the host's name", async () => {
  await using receiver = startReceiver();
  const host = `${"a".repeat(64)}.example`;
  const notifier = aNotifier({ resolve: () => Promise.resolve(["127.0.0.1"]) });
  assertEquals(reasonOf(await send(notifier, `https://${host}:${receiver.port}`)), "Unreachable");
});
