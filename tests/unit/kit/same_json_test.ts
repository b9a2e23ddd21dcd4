import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { hashOf } from "../../../src/kit/hash.ts";
import { isSameJson } from "../../../src/kit/same_json.ts";

const PAIRS: Readonly<Record<string, { readonly a: unknown; readonly b: unknown; readonly want: boolean }>> = {
  "true when only the order of keys differs": {
    a: { x: 1, y: [{ z: null }] },
    b: { y: [{ z: null }], x: 1 },
    want: true,
  },
  "true when a field is absent here and undefined there": { a: { x: 1 }, b: { x: 1, y: undefined }, want: true },
  "false when a field is absent here and null there": { a: { x: 1 }, b: { x: 1, y: null }, want: false },
  "false when a field is missing in the second": { a: { x: 1, y: 2 }, b: { x: 1 }, want: false },
  "false when a field is missing in the first": { a: { x: 1 }, b: { x: 1, y: 2 }, want: false },
  "false when the order of a list differs": { a: [1, 2], b: [2, 1], want: false },
  "false when a list is longer": { a: [1], b: [1, 2], want: false },
  "false when a list stands for an object": { a: [], b: {}, want: false },
  "false when a number stands for its text": { a: 1, b: "1", want: false },
  "false when null stands for an object": { a: null, b: {}, want: false },
};

for (const [sentence, { a, b, want }] of Object.entries(PAIRS)) {
  Deno.test(`isSameJson() is ${sentence}`, () => assertEquals([isSameJson(a, b), isSameJson(b, a)], [want, want]));
}

Deno.test("isSameJson() says of any JSON values what their hashes say", () => {
  const json = fc.jsonValue({ maxDepth: 3 });
  const isSo = (a: unknown, b: unknown) => isSameJson(a, b) === (hashOf(a) === hashOf(b));
  fc.assert(fc.property(json, json, isSo));
  fc.assert(fc.property(json, (value) => isSameJson(value, JSON.parse(JSON.stringify(value)))));
});
