import { assertEquals, assertRejects } from "@std/assert";
import { inClusterAccess } from "../../../src/kit/access.ts";
import { TerminalError } from "../../../src/kit/errors.ts";

interface Pod {
  readonly directory: string;
  readonly write: (file: string, text: string) => Promise<void>;
  /** Milliseconds since the epoch, to be moved by the test. */
  now: number;
}

/** A service account's files in a directory of its own. */
async function inPod(test: (pod: Pod) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  const write = (file: string, text: string) => Deno.writeTextFile(`${directory}/${file}`, text);
  try {
    await Promise.all([write("token", "first\n"), write("ca.crt", "CA\n"), write("namespace", "shop")]);
    await test({ directory, write, now: 0 });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("inClusterAccess() reads token, certificate and namespace of the service account", async () => {
  await inPod(async ({ directory }) => {
    const access = await inClusterAccess({ host: "10.0.0.1", port: "443", directory });
    assertEquals([access.baseUrl, access.namespace], ["https://10.0.0.1:443", "shop"]);
    assertEquals(await access.credentials(), { headers: { authorization: "Bearer first" }, caCerts: ["CA"] });
  });
});

Deno.test("inClusterAccess() puts an IPv6 address into brackets", async () => {
  await inPod(async ({ directory }) => {
    const { baseUrl } = await inClusterAccess({ host: "fd00::1", port: "443", directory });
    assertEquals(baseUrl, "https://[fd00::1]:443");
  });
});

Deno.test("inClusterAccess() reads the token again when it is a minute old, and not before", async () => {
  await inPod(async (pod) => {
    const { directory, write } = pod;
    const access = await inClusterAccess({ host: "h", port: "1", directory, now: () => pod.now });
    const token = async () => (await access.credentials()).headers.authorization;
    await write("token", "second");
    pod.now = 59_999;
    assertEquals(await token(), "Bearer first");
    pod.now = 60_000;
    assertEquals(await token(), "Bearer second");
    await write("token", "third");
    pod.now = 119_999;
    assertEquals(await token(), "Bearer second");
  });
});

Deno.test("inClusterAccess() goes on with the former token when it cannot be read, and tries at the next request", async () => {
  await inPod(async (pod) => {
    const { directory, write } = pod;
    const access = await inClusterAccess({ host: "h", port: "1", directory, now: () => pod.now });
    const token = async () => (await access.credentials()).headers.authorization;
    await Deno.remove(`${directory}/token`);
    pod.now = 60_000;
    assertEquals(await token(), "Bearer first");
    await write("token", "second");
    assertEquals(await token(), "Bearer second");
  });
});

Deno.test("inClusterAccess() throws a TerminalError that names the file when the pod has no service account", async () => {
  await inPod(async ({ directory }) => {
    await Deno.remove(`${directory}/ca.crt`);
    const error = await assertRejects(() => inClusterAccess({ host: "h", port: "1", directory }), TerminalError);
    assertEquals(error.message, `Cannot use the pod's service account: ${directory}/ca.crt is not readable`);
  });
});
