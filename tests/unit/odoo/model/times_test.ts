import { assertEquals } from "@std/assert";
import { jobTime, rfc3339 } from "../../../../src/odoo/model/times.ts";

const MOMENT = Date.UTC(2026, 10, 21, 4, 0, 0, 999);

Deno.test("rfc3339() writes UTC without a fraction", () => {
  assertEquals(rfc3339(MOMENT), "2026-11-21T04:00:00Z");
  assertEquals(rfc3339(0), "1970-01-01T00:00:00Z");
});

Deno.test("jobTime() writes upstream's format in UTC", () => {
  assertEquals(jobTime(MOMENT), "2026-11-21 04:00:00");
});
