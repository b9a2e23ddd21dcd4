import { assertEquals, assertNotEquals } from "@std/assert";
import { hashOf, sha256Hex } from "../../../src/kit/hash.ts";

Deno.test("sha256Hex() is the SHA-256 of the text's UTF-8", () => {
  assertEquals(sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assertEquals(sha256Hex("ü"), "607474ca475a9724d7360aba71a56d5df77e61350e3f724cfa1f46e857e2d85f");
});

Deno.test("hashOf() does not depend on the order of keys at any depth, nor on absent fields", () => {
  const one = { a: 1, b: { c: [{ x: 1, y: 2 }], d: "e" } };
  const other = { b: { d: "e", c: [{ y: 2, x: 1 }], f: undefined }, a: 1 };
  assertEquals(hashOf(one), hashOf(other));
});

Deno.test("hashOf() differs when a value, a type, the order of a list or a null differs", () => {
  const values: readonly unknown[] = [
    { a: 1 },
    { a: 2 },
    { a: "1" },
    { a: [1, 2] },
    { a: [2, 1] },
    { a: null },
    {},
    [],
    null,
  ];
  assertEquals(new Set(values.map(hashOf)).size, values.length);
});

Deno.test("hashOf() of undefined is that of null, and numeric keys are sorted like others", () => {
  assertEquals(hashOf(undefined), hashOf(null));
  assertEquals(hashOf({ 10: "a", 9: "b" }), hashOf({ 9: "b", 10: "a" }));
  assertNotEquals(hashOf({ 9: "a" }), hashOf({ 10: "a" }));
});
