/** The port to S3 against a real service: what arrives, what comes back, what is left behind, and what an error says. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type S3Server, startS3 } from "../../dev/s3.ts";
import type { S3Reason } from "../../src/odoo/model/s3/s3_failure.ts";
import type { S3Location } from "../../src/odoo/model/s3/s3_location.ts";
import { S3Error, S3Object, type S3Options } from "../../src/odoo/ports/s3.ts";
import { eventually } from "../support/eventually.ts";
import { startS3Proxy } from "../support/s3_proxy.ts";

const MIB = 2 ** 20;
let server: S3Server;

Deno.test.beforeAll(async () => {
  server = await startS3();
});
Deno.test.afterAll(() => server?.[Symbol.asyncDispose]());

/** A location in which `undefined` takes the credentials away. */
type Elsewhere = Partial<Omit<S3Location, "credentials">> & {
  readonly credentials?: S3Location["credentials"] | undefined;
};

function object(elsewhere: Elsewhere = {}, options: S3Options = {}): S3Object {
  const { credentials, ...location } = { credentials: server.credentials, ...elsewhere };
  const at = { endpoint: server.endpoint, bucket: "backups", key: crypto.randomUUID(), ...location };
  return new S3Object({ ...at, ...(credentials ? { credentials } : {}) }, options);
}

/** Bytes of which no two stretches are the same. */
function content(bytes: number): Uint8Array<ArrayBuffer> {
  const numbers = new Uint32Array(Math.ceil(bytes / 4));
  for (let i = 0; i < numbers.length; i++) numbers[i] = i * 2_654_435_761;
  return new Uint8Array(numbers.buffer).subarray(0, bytes);
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const text = (stream: ReadableStream<Uint8Array>) => new Response(stream).text();

Deno.test("S3Object.put() writes content and metadata that head() and read() give back", async () => {
  using shop = object({ key: "shop/k$(id) é+.zip" });
  assertEquals(await shop.head(), undefined);
  await shop.put(new TextEncoder().encode("hello"), { metadata: { format: "zip" } });
  const head = await shop.head();
  assertEquals([head?.bytes, head?.metadata], [5, { format: "zip" }]);
  assertEquals(await text(shop.read()), "hello");
  assertEquals(await text(shop.read({ offset: 1, length: 3 })), "ell");
  assertEquals(await text(shop.read({ offset: 3 })), "lo");
  assertEquals(await Deno.readTextFile(`${server.directory}/backups/shop/k$(id) é+.zip`), "hello");
  await shop.delete();
  assertEquals(await shop.head(), undefined);
});

Deno.test("S3Writer puts parts together when their sizes do not match those of the chunks", async () => {
  const wanted = content(21 * MIB + 12_345);
  using shop = object();
  await using writer = await shop.writer({ metadata: { format: "dump" } });
  for (let at = 0; at < wanted.length; at += 1_000_003) await writer.write(wanted.subarray(at, at + 1_000_003));
  const head = await writer.close();
  assertEquals([head.bytes, head.metadata, writer.bytes], [wanted.length, { format: "dump" }, wanted.length]);
  assertEquals(await bytesOf(shop.read()), wanted);
  assertEquals(await bytesOf(shop.read({ offset: 8 * MIB - 1, length: 3 })), wanted.subarray(8 * MIB - 1, 8 * MIB + 2));
  assertEquals(await server.orphans(), []);
});

Deno.test("S3Writer leaves no part behind when it is disposed of before it is closed", async () => {
  using shop = object();
  {
    await using writer = await shop.writer();
    await writer.write(content(9 * MIB));
    await eventually("a part has arrived", async () => (await server.orphans()).length > 0);
  }
  assertEquals(await server.orphans(), []);
  assertEquals(await shop.head(), undefined);
});

Deno.test("S3Writer leaves no part behind when its caller gives up", async () => {
  const stop = new AbortController();
  using shop = object({}, { signal: stop.signal });
  const writing = async () => {
    await using writer = await shop.writer();
    await writer.write(content(9 * MIB));
    stop.abort(new Error("enough"));
    await writer.write(content(16 * MIB));
    await writer.close();
  };
  await assertRejects(writing, Error, "enough");
  assertEquals(await server.orphans(), []);
});

Deno.test("S3Object.read() refuses when the object is no longer the one that was looked at", async () => {
  using shop = object();
  await shop.put(content(10));
  const etag = (await shop.head())?.etag ?? "";
  assertEquals((await bytesOf(shop.read({ offset: 2, etag }))).length, 8);
  await shop.put(content(11));
  const error = await assertRejects(() => text(shop.read({ offset: 2, etag })), S3Error);
  assertEquals(error.reason, "ObjectChanged");
});

const FAILURES: Readonly<Record<string, { readonly given: () => Elsewhere; readonly want: S3Reason }>> = {
  "the bucket is missing": { given: () => ({ bucket: "nobodys" }), want: "BucketMissing" },
  "the access key is unknown": {
    given: () => ({ credentials: { accessKey: "unknown-key", secretKey: "s3cr3t-of-nobody" } }),
    want: "CredentialsWrong",
  },
  "the secret key is wrong": {
    given: () => ({ credentials: { accessKey: server.accessKey, secretKey: "s3cr3t-of-nobody" } }),
    want: "CredentialsWrong",
  },
  "requests are not signed": {
    given: () => ({ credentials: undefined }),
    want: "AccessDenied",
  },
  "nothing listens there": { given: () => ({ endpoint: "http://127.0.0.1:1" }), want: "S3Unreachable" },
  "the host is unknown": { given: () => ({ endpoint: "http://s3.invalid" }), want: "S3Unreachable" },
};

for (const [sentence, { given, want }] of Object.entries(FAILURES)) {
  Deno.test(`S3Object throws ${want} when ${sentence}`, async () => {
    const attempts = [
      (shop: S3Object) => shop.head(),
      (shop: S3Object) => text(shop.read()),
      (shop: S3Object) => shop.put(content(1)),
      (shop: S3Object) => shop.writer(),
      (shop: S3Object) => shop.delete(),
    ];
    for (const attempt of attempts) {
      using shop = object(given(), { patienceMs: 0 });
      const error = await assertRejects(() => attempt(shop), S3Error);
      assertEquals(error.reason, want, error.message);
      assert(!error.message.includes("s3cr3t-of-nobody"), error.message);
    }
  });
}

Deno.test("S3Object.read() throws ObjectMissing when the bucket has no such object", async () => {
  using shop = object({ key: "nowhere.zip" });
  const error = await assertRejects(() => text(shop.read()), S3Error);
  assertEquals(error.reason, "ObjectMissing");
  assertStringIncludes(error.message, "Cannot read s3://backups/nowhere.zip");
});

Deno.test("S3Writer outlasts a storm of 503 when it passes within the patience", async () => {
  await using proxy = startS3Proxy(server);
  const wanted = content(20 * MIB);
  using shop = object({ endpoint: proxy.endpoint }, { patienceMs: 20_000 });
  await using writer = await shop.writer();
  await writer.write(wanted.subarray(0, 9 * MIB));
  proxy.turn("busy");
  const rest = writer.write(wanted.subarray(9 * MIB)).then(() => writer.close());
  await eventually("requests are refused", () => proxy.refused >= 3);
  proxy.turn("fair");
  await rest;
  assertEquals(await bytesOf(object({ key: shop.address.Key }).read()), wanted);
});

Deno.test("S3Writer throws S3Busy when the storm outlasts the patience", async () => {
  await using proxy = startS3Proxy(server);
  using shop = object({ endpoint: proxy.endpoint }, { patienceMs: 500 });
  const writer = await shop.writer();
  proxy.turn("busy");
  await assertRejects(() => writer.write(content(20 * MIB)).then(() => writer.close()), S3Error);
  proxy.turn("fair");
  await writer.abort();
  assertEquals(await server.orphans(), []);
});

Deno.test("S3Object.read() goes on where it broke off when a connection breaks", async () => {
  await using proxy = startS3Proxy(server);
  const wanted = content(24 * MIB);
  using direct = object();
  await direct.put(wanted);
  using shop = object({ endpoint: proxy.endpoint, key: direct.address.Key });
  const pieces: Uint8Array[] = [];
  for await (const piece of shop.read()) {
    if (pieces.length === 2) proxy.turn("fair"); // which breaks all connections
    pieces.push(piece.slice());
  }
  assertEquals(await bytesOf(new Blob(pieces as Uint8Array<ArrayBuffer>[]).stream()), wanted);
});

Deno.test("S3Object believes a certificate when its authority is given, and any when told not to check", async () => {
  await using secure = await startS3({ scheme: "https" });
  const at = { endpoint: secure.endpoint, credentials: secure.credentials };
  using stranger = object(at, { patienceMs: 0 });
  const error = await assertRejects(() => stranger.head(), S3Error);
  assertEquals(error.reason, "CertificateUnknown");
  using known = object({ ...at, ca: secure.ca ?? "" });
  await known.put(content(3));
  assertEquals((await known.head())?.bytes, 3);
  using careless = object({ ...at, key: known.address.Key, insecure: true });
  assertEquals((await bytesOf(careless.read())).length, 3);
  await using writer = await careless.writer();
  await writer.write(content(9 * MIB));
  assertEquals((await writer.close()).bytes, 9 * MIB);
});
