/** What the client makes of servers that misbehave; what it makes of a real one is in tests/integration. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Client, createClient } from "../../../src/kit/client.ts";
import { ApiError } from "../../../src/kit/errors.ts";
import { aThing, THINGS } from "./fake_client.ts";

const A = { name: "a", namespace: "ns" };

/** A client of a server that answers with `handler`. */
async function withServer(
  handler: (request: Request) => Response | Promise<Response>,
  test: (client: Client, codes: string[]) => Promise<void>,
  options: { readonly timeoutMs?: number } = {},
): Promise<void> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  const codes: string[] = [];
  const access = {
    baseUrl: `http://127.0.0.1:${server.addr.port}`,
    credentials: () => Promise.resolve({ headers: {} }),
  };
  const client = createClient(access, {
    fieldManager: "tester",
    onResponse: ({ method, code }) => codes.push(`${method} ${code}`),
    ...options,
  });
  try {
    await test(client, codes);
  } finally {
    client.close();
    await server.shutdown();
  }
}

function broken(chunk: string): Response {
  return new Response(
    new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(chunk));
        queueMicrotask(() => controller.close());
      },
    }),
  );
}

interface Failure {
  readonly given: () => Response;
  readonly want: {
    readonly status: number;
    readonly reason: string;
    readonly retryAfterMs?: number;
    readonly text: string;
  };
}

const FAILURES: Readonly<Record<string, Failure>> = {
  "a Status object": {
    given: () =>
      Response.json({ kind: "Status", reason: "Conflict", message: "the object was modified" }, { status: 409 }),
    want: {
      status: 409,
      reason: "Conflict",
      text: "Cannot GET /apis/example.com/v1/namespaces/ns/things/a: the object was modified",
    },
  },
  "429 with Retry-After": {
    given: () => new Response("busy", { status: 429, headers: { "retry-after": "7" } }),
    want: { status: 429, reason: "Too Many Requests", retryAfterMs: 7_000, text: "busy" },
  },
  "a Retry-After that is a date": {
    given: () => new Response("", { status: 503, headers: { "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" } }),
    want: { status: 503, reason: "Service Unavailable", text: ": 503" },
  },
  "a proxy's HTML page": {
    given: () => new Response("<html>bad gateway</html>", { status: 502 }),
    want: { status: 502, reason: "Bad Gateway", text: "bad gateway" },
  },
  "JSON that is no Status": {
    given: () => Response.json(null, { status: 500 }),
    want: { status: 500, reason: "Internal Server Error", text: "null" },
  },
  "a body that is not JSON": {
    given: () => new Response("<html>log in</html>"),
    want: { status: 0, reason: "Unreachable", text: "Cannot GET" },
  },
  "a body that is cut off": {
    given: () => broken('{"metadata":{"na'),
    want: { status: 0, reason: "Unreachable", text: "Cannot GET" },
  },
};

for (const [sentence, { given, want }] of Object.entries(FAILURES)) {
  Deno.test(`Client.get() throws an ApiError when the server answers with ${sentence}`, async () => {
    await withServer(given, async (client) => {
      const error = await assertRejects(() => client.get(THINGS, A), ApiError, want.text);
      assertEquals([error.status, error.reason, error.retryAfterMs], [want.status, want.reason, want.retryAfterMs]);
    });
  });
}

Deno.test("Client.get() throws an ApiError of status 0 when nothing listens, and counts code 0", async () => {
  const codes: number[] = [];
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const access = { baseUrl: `http://127.0.0.1:${port}`, credentials: () => Promise.resolve({ headers: {} }) };
  const client = createClient(access, { fieldManager: "t", onResponse: ({ code }) => codes.push(code) });
  const error = await assertRejects(() => client.get(THINGS, A), ApiError, "refused");
  assertEquals([error.status, error.reason, codes], [0, "Unreachable", [0]]);
  client.close();
});

Deno.test("Client.get() gives up at its deadline when the server is silent before or inside the answer", async () => {
  for (const start of ["", '{"metadata":']) {
    const over = new AbortController();
    const handler = () => {
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(start));
          over.signal.addEventListener("abort", () => controller.close());
        },
      });
      if (start) return new Response(body);
      return new Promise<Response>((resolve) => over.signal.addEventListener("abort", () => resolve(new Response())));
    };
    await withServer(handler, async (client) => {
      const error = await assertRejects(() => client.get(THINGS, A), ApiError, "no answer in 30 ms");
      assertEquals([error.status, error.reason], [0, "Timeout"]);
      over.abort();
    }, { timeoutMs: 30 });
  }
});

Deno.test("Client.get() throws the caller's reason when its signal is aborted, before or during the request", async () => {
  const over = new AbortController();
  await withServer(
    () => new Promise((resolve) => over.signal.addEventListener("abort", () => resolve(new Response()))),
    async (client) => {
      const stop = new AbortController();
      const asked = assertRejects(() => client.get(THINGS, A, { signal: stop.signal }), RangeError, "enough");
      stop.abort(new RangeError("enough"));
      await asked;
      await assertRejects(() => client.get(THINGS, A, { signal: stop.signal }), RangeError, "enough");
      over.abort();
    },
  );
});

Deno.test("Client.list() asks for a page with all that was said, and names the kind of each item", async () => {
  const urls: URL[] = [];
  const { apiVersion: _, kind: __, ...item } = aThing("a");
  await withServer((request) => {
    urls.push(new URL(request.url));
    return Response.json({ metadata: { resourceVersion: "9", continue: "more" }, items: [item] });
  }, async (client) => {
    const list = await client.list(THINGS, {
      namespace: "n/s",
      labelSelector: "a=b,c",
      limit: 5,
      continueToken: "x&y",
    });
    assertEquals(list, { items: [aThing("a")], resourceVersion: "9", continueToken: "more" });
  });
  assertEquals(urls[0]?.pathname, "/apis/example.com/v1/namespaces/n%2Fs/things");
  assertEquals(Object.fromEntries(urls[0]?.searchParams ?? []), {
    labelSelector: "a=b,c",
    limit: "5",
    continue: "x&y",
  });
});

Deno.test("Client.apply() sends a forced server-side apply under the field manager", async () => {
  const seen: unknown[] = [];
  await withServer(async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    seen.push(request.method, pathname, Object.fromEntries(searchParams), request.headers.get("content-type"));
    return Response.json(await request.json());
  }, async (client, codes) => {
    await client.apply(THINGS, { metadata: { name: "a", namespace: "ns" }, spec: {} }, { subresource: "status" });
    assertEquals(codes, ["PATCH 200"]);
  });
  assertEquals(seen, [
    "PATCH",
    "/apis/example.com/v1/namespaces/ns/things/a/status",
    { fieldManager: "tester", force: "true" },
    "application/apply-patch+yaml",
  ]);
});

Deno.test("Client.watch() leaves no timer and no listener when the server refuses it", async () => {
  await withServer(() => new Response("gone", { status: 410 }), async (client) => {
    const { signal } = new AbortController();
    const error = await assertRejects(async () => {
      for await (const _ of client.watch(THINGS, { signal, timeoutSeconds: 5 })) assert(false);
    }, ApiError);
    assertEquals(error.status, 410);
  }); // a timer that is left behind fails the test: the sanitizers see it
});

Deno.test("Client.watch() has no deadline once it has begun, and ends the request when the reader stops", async () => {
  const cancelled = Promise.withResolvers<void>();
  let send = (_line: string) => {};
  await withServer(() =>
    new Response(
      new ReadableStream({
        start: (controller) => {
          send = (line) => controller.enqueue(new TextEncoder().encode(line));
          send(`${JSON.stringify({ type: "ADDED", object: aThing("a") })}\n`);
        },
        cancel: () => cancelled.resolve(),
      }),
    ), async (client) => {
    const { signal } = new AbortController();
    const events = client.watch(THINGS, { signal, timeoutSeconds: 5, resourceVersion: "3" })[Symbol.asyncIterator]();
    assertEquals((await events.next()).value, { type: "ADDED", object: aThing("a") });
    await new Promise((resolve) => setTimeout(resolve, 40)); // longer than the deadline of a request
    send(`${JSON.stringify({ type: "DELETED", object: aThing("a") })}\n`);
    assertEquals((await events.next()).value?.type, "DELETED");
    await events.return?.(undefined);
    await cancelled.promise;
  }, { timeoutMs: 30 });
});
