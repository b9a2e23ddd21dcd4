import { assertEquals } from "@std/assert";
import { timestamp } from "../../../src/kit/timestamp.ts";

Deno.test("timestamp() writes RFC 3339 in UTC without a fraction", () => {
  assertEquals(timestamp(Date.UTC(2026, 10, 21, 4, 0, 0, 987)), "2026-11-21T04:00:00Z");
  assertEquals(timestamp(0), "1970-01-01T00:00:00Z");
});
