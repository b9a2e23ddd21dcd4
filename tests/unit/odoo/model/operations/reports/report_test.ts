import { assert, assertEquals } from "@std/assert";
import { describeInit } from "../../../../../../src/odoo/model/operations/reports/init_report.ts";
import { judge, listed, parseReport, withLog } from "../../../../../../src/odoo/model/operations/reports/report.ts";

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

const TRACE = [
  "Traceback (most recent call last):",
  '  File "/usr/bin/odoo", line 8, in <module>',
  "psycopg2.OperationalError: FATAL: no room for user=odoo password=h0rse-staple",
  "  ^^^^^^^^^",
  "DETAIL: postgres://odoo:h0rse-staple@db:5432/shop",
  "",
].join("\n");

Deno.test("judge() tells the line that names the cause, and keeps the others as the log, when a Job leaves no report", () => {
  const verdict = judge({ state: "failed", message: `\x1b[31m${TRACE}\x1b[0m` }, "sale was installed");
  assertEquals(verdict, {
    state: "failed",
    reason: "JobFailed",
    message: "The Job ended before sale was installed: " +
      "psycopg2.OperationalError: FATAL: no room for user=odoo password=***",
    log: TRACE.replaceAll("h0rse-staple", "***").trim(),
  });
});

Deno.test("judge() tells the last line with words, and no log beside it, when none speaks of an error", () => {
  const { message, log } = failed({ state: "failed", message: "adding user\n\n---\n" });
  assertEquals([message, log], ["The Job ended before it was done: adding user", "adding user\n\n---"]);
  assertEquals(failed({ state: "failed", message: "adding user\n" }).log, undefined);
  assertEquals(failed({ state: "failed", message: "" }).message, "The Job ended before it was done: no word");
});

Deno.test("judge() cuts what has no end", () => {
  const { message, log } = failed({ state: "failed", message: `${"y".repeat(9000)}${"x".repeat(3000)}` });
  assert(/^The Job ended before it was done: y{199}…$/.test(message), message);
  assertEquals(log, "x".repeat(2048));
  const error = "e".repeat(5000);
  assertEquals(failed({ state: "failed", message: JSON.stringify({ ok: false, error }) }).message.length, 1000);
});

Deno.test("judge() keeps the cause that Kubernetes gives, before a report and before a log", () => {
  const late = (words: string) => failed({ state: "failed", message: `DeadlineExceeded: ${words}` });
  const report = '{"ok":false,"reason":"Stopped","error":"told to stop"}';
  assertEquals(late(report), { state: "failed", reason: "Stopped", message: "DeadlineExceeded: told to stop" });
  assertEquals(late("one\ntwo").message, "The Job ended before it was done: DeadlineExceeded: two");
});

Deno.test("judge() masks what a report says, and takes no reason that is no constant", () => {
  const report = {
    ok: false,
    reason: "wrong: PGPASSWORD=h0rse",
    error: "postgres://u:h0rse@db fails",
    log: "x\nPGPASSWORD=h0rse",
  };
  assertEquals(failed({ state: "succeeded", message: JSON.stringify(report) }), {
    state: "failed",
    reason: "JobFailed",
    message: "postgres://u:***@db fails",
    log: "x\nPGPASSWORD=***",
  });
});

Deno.test("withLog() adds the line that names the cause, unless the message has it", () => {
  assertEquals(withLog({ message: "The copy failed" }), "The copy failed");
  assertEquals(
    withLog({ message: "The copy failed", log: "error: disk full\nbye" }),
    "The copy failed (error: disk full)",
  );
  assertEquals(withLog({ message: "It ended: disk full", log: "disk full" }), "It ended: disk full");
});

function failed(job: Parameters<typeof judge>[0]) {
  const verdict = judge(job, "it was done");
  assert(verdict.state === "failed");
  return verdict;
}

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
