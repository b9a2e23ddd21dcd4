import { assert, assertEquals, assertThrows } from "@std/assert";
import { Canaries } from "../../support/canaries.ts";

const VALUE = `it's "the\\canary"`;

const WRITTEN: Readonly<Record<string, string>> = {
  "as it is": `password=${VALUE}!`,
  "in a JSON object": JSON.stringify({ password: VALUE }),
  "in JSON within JSON": JSON.stringify({ body: JSON.stringify({ password: VALUE }) }),
  "in a SQL literal": `alter role x password '${VALUE.replaceAll("'", "''")}'`,
  "in a URL": `postgres://admin:${encodeURIComponent(VALUE)}@host`,
  "in Base64": btoa(VALUE),
  "in Base64 of a text with one character before it": btoa(`x${VALUE}`),
  "in Base64 of a longer text": btoa(`ab${VALUE} and more`),
};

for (const [sentence, text] of Object.entries(WRITTEN)) {
  Deno.test(`findIn() finds a secret ${sentence}`, () => {
    const canaries = new Canaries();
    canaries.add("password", VALUE);
    const leaks = canaries.findIn([{ what: "a quiet place", text: "nothing" }, { what: "the log", text }]);
    assert(leaks.length > 0);
    assertEquals(new Set(leaks.map(({ canary, place }) => `${canary} in ${place}`)), new Set(["password in the log"]));
  });
}

Deno.test("findIn() finds no secret in a text that has only the names of secrets", () => {
  const canaries = new Canaries();
  canaries.add("password", VALUE);
  assertEquals(canaries.findIn([{ what: "the log", text: 'secretKeyRef: {name: shop, key: "password"} it\'s' }]), []);
});

Deno.test("add() takes no secret that is so short that chance would find it", () => {
  assertThrows(() => new Canaries().add("pin", "1234"), RangeError);
});
