import { assert, assertEquals } from "@std/assert";
import { describeInit } from "../../../../src/odoo/model/init_report.ts";
import { judge, listed, parseReport } from "../../../../src/odoo/model/report.ts";

Deno.test("parseReport() reads what a job program writes, and fills in what is not there", () => {
  assertEquals(parseReport('{"ok":true,"odoo":"18.0","seconds":42}'), {
    ok: true,
    reason: "",
    error: "",
    log: "",
    fields: { odoo: "18.0", seconds: 42 },
  });
  assertEquals(parseReport('{"ok":false,"reason":"BucketMissing","error":"no bucket","log":["x"]}'), {
    ok: false,
    reason: "BucketMissing",
    error: "no bucket",
    log: "",
    fields: {},
  });
});

const NO_REPORTS: Readonly<Record<string, string>> = {
  "nothing": "",
  "the end of a log": "psycopg2.OperationalError: connection refused",
  "JSON that was cut": '{"ok":true,"modules":[{"na',
  "JSON of another form": '["ok"]',
  "JSON without ok": '{"modules":[]}',
  "ok as a text": '{"ok":"true"}',
  "a failure without an error": '{"ok":false,"reason":"Odd"}',
  "null": "null",
};

for (const [what, message] of Object.entries(NO_REPORTS)) {
  Deno.test(`parseReport() finds no report when the message is ${what}`, () => {
    assertEquals(parseReport(message), undefined);
    const { state } = judge({ state: "succeeded", message }, "anything was done");
    assertEquals(state, message === "" ? "succeeded" : "failed");
  });
}

Deno.test("judge() believes no success that calls itself a failure, and keeps reason and log", () => {
  const message = '{"ok":false,"reason":"ModuleMissing","error":"not installed: sale","log":"boom"}';
  const verdict = { state: "failed", reason: "ModuleMissing", message: "not installed: sale", log: "boom" } as const;
  assertEquals(judge({ state: "succeeded", message }, "sale was installed"), verdict);
  assertEquals(judge({ state: "failed", message }, "sale was installed"), verdict);
});

Deno.test("judge() believes no failure that calls itself a success", () => {
  const verdict = judge({ state: "failed", message: '{"ok":true}' }, "sale was installed");
  assertEquals(verdict.state, "failed");
});

Deno.test("judge() quotes the last words of a Job without a report, and says what it was to do", () => {
  const verdict = judge({ state: "failed", message: `${"x".repeat(9000)}the end` }, "sale was installed");
  assert(verdict.state === "failed");
  assertEquals(verdict.reason, "JobFailed");
  assert(/^The Job ended before sale was installed: x.*xthe end$/.test(verdict.message), verdict.message);
  assert(verdict.message.length < 2200);
});

Deno.test("listed() counts what would be too long", () => {
  const names = Array.from({ length: 14 }, (_, index) => `m${index}`);
  assertEquals(listed(names), "m0, m1, m2, m3, m4, m5, m6, m7, m8, m9 and 4 more");
  assertEquals(listed(names.slice(0, 2)), "m0, m1");
});

Deno.test("describeInit() names modules with their versions, and says nothing of lost words", () => {
  const modules = [{ name: "sale", version: "18.0.1.2" }, { name: "stock" }, 7];
  assertEquals(
    describeInit({ odoo: "18.0", seconds: 42, installed: 87, languages: ["en_US", null], modules }),
    "Installed sale 18.0.1.2, stock (87 modules in all) with Odoo 18.0 in 42 s; languages: en_US",
  );
  assertEquals(describeInit({}), undefined);
});
