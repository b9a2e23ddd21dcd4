/** The Greeting operator on an API server that has its generated CustomResourceDefinition. */
import { assertEquals } from "@std/assert";
import { ConfigMap, createClient } from "../src/kit/mod.ts";
import { startBareApiServer } from "../tests/support/api_server.ts";
import { assertInvalid, establish } from "../tests/support/crds.ts";
import { eventually } from "../tests/support/eventually.ts";
import { Greeting, GREETING_CRD, greetingOperator } from "./my_crd.ts";

const ADDRESS = { namespace: "default", name: "hello" };

Deno.test("my_crd.ts says what a Greeting wants to have said, also when that changes, and its schema refuses what nobody can say", async () => {
  await using server = await startBareApiServer();
  const client = createClient(server.access, { fieldManager: "user" });
  const stop = new AbortController();
  await establish(client, GREETING_CRD);
  const ended = greetingOperator.run({ access: server.access, signal: stop.signal });
  const said = (text: string) =>
    eventually(text, async () => {
      assertEquals((await client.get(Greeting, ADDRESS)).status?.text, text);
      assertEquals((await client.get(ConfigMap, ADDRESS)).data, { text });
      return true;
    });
  try {
    await client.create(Greeting, { metadata: ADDRESS, spec: { recipient: "Ada" } });
    await said("Hello, Ada!");
    await client.patch(Greeting, ADDRESS, [{ op: "replace", path: "/spec/language", value: "fr" }]);
    await said("Bonjour, Ada!");
    const klingon = [{ op: "replace", path: "/spec/language", value: "tlh" }] as const;
    await assertInvalid(() => client.patch(Greeting, ADDRESS, klingon), "spec.language: Unsupported value");
  } finally {
    stop.abort();
    await ended;
    client.close();
  }
});
