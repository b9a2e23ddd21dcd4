import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { AdmissionServer } from "../../../src/kit/admission.ts";
import { allowed, denied, type Validator } from "../../../src/kit/admission_review.ts";
import { TerminalError } from "../../../src/kit/errors.ts";
import { configureLogging, getLogger } from "../../../src/kit/log.ts";
import { createMetrics } from "../../../src/kit/metrics.ts";
import { type CertificateFiles, certificateFiles } from "../../support/certificate_files.ts";
import { FakeClock } from "../../support/clock.ts";
import { eventually } from "../../support/eventually.ts";

const LIMIT = 10_000;

/** A running server over real TLS; its clock moves by hand only. */
interface Rig extends AsyncDisposable {
  readonly files: CertificateFiles;
  readonly clock: FakeClock;
  readonly server: AdmissionServer;
  readonly port: number;
  readonly lines: readonly string[];
  readonly stop: AbortController;
  readonly running: Promise<void>;
  /** POSTs to the path of the validator on a connection of its own. */
  post(body: string, path?: string): Promise<{ readonly status: number; readonly text: string }>;
  connect(): Promise<Deno.TlsConn>;
  metric(line: string): Promise<boolean>;
}

async function start(validator: Validator = () => allowed()): Promise<Rig> {
  const lines: string[] = [];
  await configureLogging({ level: "debug", write: (line) => lines.push(line) });
  const files = await certificateFiles();
  const clock = new FakeClock();
  const metrics = createMetrics();
  const stop = new AbortController();
  const server = new AdmissionServer({
    certPath: files.certPath,
    keyPath: files.keyPath,
    validators: { "/judge": validator },
    log: getLogger(["test"]),
    metrics,
    clock,
    hostname: "127.0.0.1",
    port: 0,
    reloadMs: 1_000,
    bodyLimitBytes: LIMIT,
    deadlineMs: 5_000,
  });
  const running = server.run(stop.signal);
  const port = await Promise.race([server.port, running.then(() => 0)]);
  return {
    files,
    clock,
    server,
    port,
    lines,
    stop,
    running,
    async post(body, path = "/judge") {
      using client = Deno.createHttpClient({ caCerts: [files.caPem], poolMaxIdlePerHost: 0 });
      const response = await fetch(`https://127.0.0.1:${port}${path}`, { client, method: "POST", body });
      return { status: response.status, text: await response.text() };
    },
    connect: () => Deno.connectTls({ hostname: "localhost", port, caCerts: [files.caPem] }),
    metric: async (line) => (await metrics.registry.metrics()).includes(line),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await whileTimePasses(clock, running);
      await files[Symbol.asyncDispose]();
    },
  };
}

/** What `promise` resolves to; the clock moves on meanwhile. */
async function whileTimePasses<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settle = () => isSettled = true;
  promise.then(settle, settle);
  await eventually("it has ended", async () => {
    await clock.advance(1_000);
    return isSettled;
  });
  return await promise;
}

function httpPost(body: string): string {
  return `POST /judge HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

/** What comes first on the connection after `words`. */
async function say(connection: Deno.TlsConn, words: string): Promise<string> {
  await connection.write(new TextEncoder().encode(words));
  const bytes = new Uint8Array(1_000);
  return new TextDecoder().decode(bytes.subarray(0, await connection.read(bytes) ?? 0));
}

function review(request: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: { uid: "abc", operation: "CREATE", object: { metadata: { name: "shop" } }, ...request },
  });
}

function answer(text: string): unknown {
  const { apiVersion, kind, response } = JSON.parse(text);
  assertEquals([apiVersion, kind], ["admission.k8s.io/v1", "AdmissionReview"]);
  return response;
}

Deno.test("AdmissionServer answers with the validator's verdict, the request's uid and its warnings", async () => {
  await using rig = await start(({ object }) =>
    object?.metadata?.name === "shop" ? allowed(["old"]) : denied("metadata.name: no", ["older"])
  );
  const passed = await rig.post(review(), "/judge?timeout=5s");
  assertEquals([passed.status, answer(passed.text)], [200, { uid: "abc", allowed: true, warnings: ["old"] }]);
  const refused = await rig.post(review({ uid: "def", object: {} }));
  const status = { code: 403, reason: "Forbidden", message: "metadata.name: no" };
  assertEquals(answer(refused.text), { uid: "def", allowed: false, status, warnings: ["older"] });
  assert(await rig.metric('admission_requests_total{path="/judge",result="allowed"} 1'));
  assert(await rig.metric('admission_requests_total{path="/judge",result="denied"} 1'));
});

Deno.test("AdmissionServer denies, says why and logs it when a validator throws", async () => {
  await using rig = await start(() => {
    throw new TypeError("spec is undefined");
  });
  const { status, text } = await rig.post(review());
  assertEquals(status, 200);
  assertMatch(text, /"allowed":false.*cannot be judged.*spec is undefined/);
  assertMatch(rig.lines.join(""), /error +Validator failed.*spec is undefined/);
});

/** Bodies that are no review, and what the answer names. */
const NO_REVIEW: Readonly<Record<string, { readonly body: string; readonly want: string }>> = {
  "it is empty": { body: "", want: "not JSON" },
  "it is no JSON": { body: "<xml>", want: "not JSON" },
  "it is null": { body: "null", want: "no AdmissionReview" },
  "it is another kind": { body: '{"kind":"Pod"}', want: "no AdmissionReview" },
  "it is of another version": { body: review().replace("/v1", "/v1beta1"), want: "admission.k8s.io/v1" },
  "it has no request": { body: '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}', want: "uid" },
  "its uid is a number": { body: review({ uid: 1 }), want: "uid" },
  "its operation is unknown": { body: review({ operation: "READ" }), want: "operation" },
  "its object is a text": { body: review({ object: "shop" }), want: "request.object" },
};

Deno.test("AdmissionServer answers 400 and what is missing when a body is no review", async () => {
  await using rig = await start();
  for (const [sentence, { body, want }] of Object.entries(NO_REVIEW)) {
    const { status, text } = await rig.post(body);
    assertEquals([sentence, status], [sentence, 400]);
    assertStringIncludes(text, want);
  }
});

Deno.test("AdmissionServer answers 404 elsewhere, and 405 to what is no POST", async () => {
  await using rig = await start();
  for (const path of ["/", "/judge/", "/constructor", "/judges"]) {
    assertEquals((await rig.post(review(), path)).status, 404);
  }
  using client = Deno.createHttpClient({ caCerts: [rig.files.caPem], poolMaxIdlePerHost: 0 });
  const response = await fetch(`https://127.0.0.1:${rig.port}/judge`, { client });
  assertEquals([response.status, await response.text()], [405, "An AdmissionReview is sent by POST\n"]);
});

Deno.test("AdmissionServer answers 413 when a body is too large, and takes one that just is not", async () => {
  await using rig = await start();
  const pad = (bytes: number) => review({ pad: "x".repeat(bytes - review({ pad: "" }).length) });
  assertEquals((await rig.post(pad(LIMIT))).status, 200);
  const { status, text } = await rig.post(pad(LIMIT + 1));
  assertEquals([status, text], [413, `The body is larger than ${LIMIT} bytes\n`]);
  assertEquals((await rig.post("x".repeat(300 * LIMIT))).status, 413);
});

Deno.test("AdmissionServer answers 429 when strangers fill its memory, and serves on when they have gone", async () => {
  await using rig = await start();
  const half = `POST /judge HTTP/1.1\r\nhost: a\r\ncontent-length: ${LIMIT}\r\n\r\n${"x".repeat(LIMIT - 1)}`;
  const strangers: Deno.TlsConn[] = [];
  for (let stranger = 0; stranger < 4; stranger++) {
    const connection = await rig.connect();
    await connection.write(new TextEncoder().encode(half));
    strangers.push(connection);
  }
  await eventually("there is no room", async () => (await rig.post(review())).status === 429);
  for (const connection of strangers) connection.close();
  await eventually("there is room", async () => (await rig.post(review())).status === 200);
});

Deno.test("AdmissionServer answers 503 when a validator takes too long", async () => {
  const called = Promise.withResolvers<void>();
  await using rig = await start(() => {
    called.resolve();
    return new Promise(() => {});
  });
  const posted = rig.post(review());
  await called.promise;
  await rig.clock.advance(5_000);
  assertEquals(await posted, { status: 503, text: "No verdict within 5000 ms\n" });
});

Deno.test("AdmissionServer lets go of clients that never finish a handshake or a body", async () => {
  await using rig = await start();
  using silent = await Deno.connect({ hostname: "127.0.0.1", port: rig.port });
  using halting = await rig.connect();
  assertMatch(await say(halting, httpPost(review())), /^HTTP\/1\.1 200 /);
  const answered = say(halting, "POST /judge HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc");
  assertMatch(await whileTimePasses(rig.clock, answered), /^HTTP\/1\.1 503 /);
  assertEquals(await whileTimePasses(rig.clock, silent.read(new Uint8Array(1))), null);
});

Deno.test("AdmissionServer serves on when clients go away in the middle of what they say", async () => {
  await using rig = await start();
  for (const words of ["", "POST /judge HTTP/1.1\r\nhost: a\r\ncontent-length: 99\r\n\r\nabc", "nonsense\r\n\r\n"]) {
    const connection = await rig.connect();
    await connection.write(new TextEncoder().encode(words));
    connection.close();
  }
  using plain = await Deno.connect({ hostname: "127.0.0.1", port: rig.port });
  await plain.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  await eventually("plain text is refused", () => rig.metric("admission_tls_handshake_failures_total 1"));
  assertEquals((await rig.post(review())).status, 200);
});

Deno.test("AdmissionServer counts a caller who does not trust its certificate", async () => {
  await using rig = await start();
  await using stranger = await certificateFiles();
  using client = Deno.createHttpClient({ caCerts: [stranger.caPem] });
  await assertRejects(() => fetch(`https://localhost:${rig.port}/judge`, { client, method: "POST" }), TypeError);
  await eventually("it is counted", () => rig.metric("admission_tls_handshake_failures_total 1"));
});

for (const [version, works] of [["-tls1_1", false], ["-tls1_2", true], ["-tls1_3", true]] as const) {
  Deno.test(`AdmissionServer ${works ? "talks to" : "refuses"} openssl s_client ${version}`, async () => {
    await using rig = await start();
    const args = ["s_client", "-connect", `127.0.0.1:${rig.port}`, version, "-cipher", "ALL:@SECLEVEL=0"];
    const { stdout } = await new Deno.Command("openssl", { args, stdin: "null", stderr: "null" }).output();
    assertEquals(/^ *New, TLSv1\.[23]/m.test(new TextDecoder().decode(stdout)), works);
  });
}

Deno.test("AdmissionServer fails no handshake while its certificate is replaced under load", async () => {
  await using rig = await start();
  const pairs = [await rig.files.issue(), await rig.files.issue()];
  let answered = 0;
  let isOver = false;
  const load = async () => {
    while (!isOver) {
      assertEquals((await rig.post(review())).status, 200);
      answered++;
    }
  };
  const clients = [load(), load(), load()];
  for (let round = 1; round <= 20; round++) {
    await rig.files.replace(pairs[round % 2]);
    await rig.clock.advance(1_000);
    await eventually(`pair ${round} is served`, () => rig.metric(`reloads_total{result="success"} ${round}`));
    const before = answered;
    await eventually("handshakes go on", () => answered > before + 3);
  }
  isOver = true;
  await Promise.all(clients);
  assert(await rig.metric("admission_tls_handshake_failures_total 0"));
});

Deno.test("AdmissionServer serves the new certificate to new connections only", async () => {
  await using rig = await start();
  await using other = await certificateFiles();
  using open = await rig.connect();
  await open.handshake();
  await rig.files.replace(await other.issue());
  await rig.clock.advance(1_000);
  await eventually("the new pair is served", () => rig.metric('reloads_total{result="success"} 1'));
  await assertRejects(() => rig.post(review()), TypeError); // the new one is of another authority
  assertMatch(await say(open, httpPost(review())), /^HTTP\/1\.1 200 /);
});

Deno.test("AdmissionServer keeps its certificate, logs once and shows it when the files hold nothing usable", async () => {
  await using rig = await start();
  const [one, two] = [await rig.files.issue(), await rig.files.issue()];
  await rig.files.replace({ certPem: one.certPem, keyPem: two.keyPem });
  for (const round of [1, 2]) {
    await rig.clock.advance(1_000);
    await eventually("it is tried", () => rig.metric(`reloads_total{result="failure"} ${round}`));
  }
  assert(await rig.metric("admission_certificate_reload_failed 1"));
  assertEquals((await rig.post(review())).status, 200);
  assertEquals(rig.lines.filter((line) => /Keeping the former certificate/.test(line)).length, 1);
  await rig.files.replace(two);
  await rig.clock.advance(1_000);
  await eventually("it has recovered", () => rig.metric("admission_certificate_reload_failed 0"));
  assertEquals((await rig.post(review())).status, 200);
});

Deno.test("AdmissionServer finishes its requests and refuses new connections when it is stopped", async () => {
  const called = Promise.withResolvers<void>();
  const verdict = Promise.withResolvers<void>();
  await using rig = await start(async () => {
    called.resolve();
    await verdict.promise;
    return allowed();
  });
  const posted = rig.post(review());
  using idle = await rig.connect();
  await idle.handshake();
  await called.promise;
  rig.stop.abort();
  await eventually("nobody new is let in", () => assertRejects(() => rig.connect(), Error));
  assertEquals(rig.server.problem(), "the admission server is not listening");
  verdict.resolve();
  assertEquals((await posted).status, 200);
});

Deno.test("AdmissionServer is stopped within its drain time when a request hangs", async () => {
  const called = Promise.withResolvers<void>();
  await using rig = await start(() => {
    called.resolve();
    return new Promise(() => {});
  });
  const posted = assertRejects(() => rig.post(review()), Error);
  await called.promise;
  rig.stop.abort();
  await eventually("the drain is timed", () => rig.clock.pending > 0);
  await rig.clock.advance(1_000);
  await rig.running;
  await posted;
});

Deno.test("AdmissionServer ends with one line when its port is taken or its certificate is missing", async () => {
  await using rig = await start();
  const options = { validators: {}, log: getLogger(["test"]), hostname: "127.0.0.1", port: rig.port };
  const taken = new AdmissionServer({
    ...options,
    certPath: rig.files.certPath,
    keyPath: rig.files.keyPath,
    metrics: createMetrics(),
  });
  const { signal } = new AbortController();
  assertMatch((await assertRejects(() => taken.run(signal), Error)).message, /^Cannot serve admission: [^\n]*in use/);
  const bare = new AdmissionServer({ ...options, certPath: "/no/crt", keyPath: "/no/key", metrics: createMetrics() });
  await assertRejects(() => bare.run(signal), TerminalError, "/no/crt");
});
