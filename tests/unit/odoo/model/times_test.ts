import { assertEquals } from "@std/assert";
import { jobTime } from "../../../../src/odoo/model/times.ts";

const MOMENT = Date.UTC(2026, 10, 21, 4, 0, 0, 999);

Deno.test("jobTime() writes the format of operator 2.5.0 in UTC", () => {
  assertEquals(jobTime(MOMENT), "2026-11-21 04:00:00");
});
