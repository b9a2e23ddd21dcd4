import { assert, assertEquals } from "@std/assert";
import {
  describeInit,
  describeInitFailure,
  type InitReport,
  parseInitReport,
  unbelievable,
} from "../../../../src/odoo/model/init_report.ts";

const WHOLE: InitReport = {
  ok: true,
  error: "",
  odoo: "18.0",
  seconds: 42,
  installed: 87,
  languages: ["en_US"],
  modules: [{ name: 'a "quoted" one', state: "installed", version: "18.0.1.0" }],
};

Deno.test("parseInitReport() reads what the script writes, and fills in what is not there", () => {
  assertEquals(parseInitReport(JSON.stringify(WHOLE)), WHOLE);
  const bare = { ok: true, error: "", odoo: "", seconds: 0, installed: 0, languages: [], modules: [] };
  assertEquals(parseInitReport('{"ok":true}'), bare);
  assertEquals(parseInitReport('{"ok":false,"error":"no","modules":[7,{"name":7}],"languages":[null],"seconds":"x"}'), {
    ...bare,
    ok: false,
    error: "no",
    modules: [{ name: "", state: "", version: "" }],
  });
});

const NO_REPORTS: Readonly<Record<string, string>> = {
  "nothing": "",
  "the end of a log": "psycopg2.OperationalError: connection refused",
  "JSON that was cut": '{"ok":true,"modules":[{"na',
  "JSON of another form": '["ok"]',
  "JSON without ok": '{"modules":[]}',
  "ok as a text": '{"ok":"true"}',
  "a failure without a reason": '{"ok":false}',
  "null": "null",
};

for (const [what, message] of Object.entries(NO_REPORTS)) {
  Deno.test(`parseInitReport() finds no report when the message is ${what}`, () => {
    assertEquals(parseInitReport(message), undefined);
    assertEquals(unbelievable(message) === undefined, message === "");
  });
}

Deno.test("unbelievable() doubts a success that calls itself a failure, and no other report", () => {
  assertEquals(unbelievable('{"ok":false,"error":"not installed: sale"}'), "not installed: sale");
  assertEquals(unbelievable(JSON.stringify(WHOLE)), undefined);
});

Deno.test("describeInit() and describeInitFailure() count what would be too long, and keep the last words", () => {
  const names = Array.from({ length: 14 }, (_, index) => `m${index}`);
  const modules = names.map((name) => ({ name, state: "installed", version: "" }));
  assertEquals(
    describeInit({ ...WHOLE, modules }),
    "Installed m0, m1, m2, m3, m4, m5, m6, m7, m8, m9 and 4 more (87 modules in all) with Odoo 18.0 in 42 s; languages: en_US",
  );
  const failure = describeInitFailure(`${"x".repeat(9000)}the end`, names);
  assert(failure.startsWith("The Job ended before m0, m1, ") && failure.endsWith("xthe end"), failure);
  assert(failure.length < 2200);
  assertEquals(describeInitFailure('{"ok":false,"error":"no"}', names), "no");
});
