import { assertEquals } from "@std/assert";
import { largerQuantity, parseQuantity } from "../../../src/kit/quantity.ts";

const QUANTITIES: Readonly<Record<string, number | undefined>> = {
  "0": 0,
  "1": 1,
  "500m": 0.5,
  "0.5": 0.5,
  ".5": 0.5,
  "5.": 5,
  "100u": 1e-4,
  "1n": 1e-9,
  "2k": 2_000,
  "1M": 1e6,
  "1e3": 1_000,
  "1E3": 1_000,
  "1E": 1e18,
  "12e-1": 1.2,
  "1Ki": 1_024,
  "1.5Gi": 1.5 * 1024 ** 3,
  "1Ei": 1024 ** 6,
  "+1": 1,
  "-1Gi": -(1024 ** 3),
  "": undefined,
  "Gi": undefined,
  "1gi": undefined,
  "1K": undefined,
  "1 Gi": undefined,
  "1Gi ": undefined,
  "1GiB": undefined,
  "0x10": undefined,
  "1e": undefined,
  "--1": undefined,
  "1.2.3": undefined,
  "NaN": undefined,
  "Infinity": undefined,
  "1\n": undefined,
};

Deno.test("parseQuantity() reads what the API server reads, and nothing else", () => {
  const read = Object.fromEntries(Object.keys(QUANTITIES).map((text) => [text, parseQuantity(text)]));
  assertEquals(read, { ...QUANTITIES });
});

Deno.test("parseQuantity() takes numbers and refuses what is neither number nor text", () => {
  assertEquals([2, 1.5, undefined, null, {}, true].map(parseQuantity), [
    2,
    1.5,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

const LARGER: Readonly<Record<string, { readonly given: readonly [string, string]; readonly want: string }>> = {
  "is the second when it is larger in another unit": { given: ["900Mi", "1Gi"], want: "1Gi" },
  "is the first, as it was written, when both are equal": { given: ["1024Mi", "1Gi"], want: "1024Mi" },
  "is the first when the second is no quantity": { given: ["1Gi", "huge"], want: "1Gi" },
  "is the first when the first is no quantity": { given: ["huge", "1Gi"], want: "huge" },
};
for (const [sentence, { given, want }] of Object.entries(LARGER)) {
  Deno.test(`largerQuantity() ${sentence}`, () => assertEquals(largerQuantity(...given), want));
}
