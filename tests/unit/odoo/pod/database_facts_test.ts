import { assertEquals, assertThrows } from "@std/assert";
import {
  copiedText,
  isFileName,
  manifest,
  odooVersion,
  parseFacts,
  pgVersion,
} from "../../../../src/odoo/pod/database_facts.ts";
import { failureReport, JobError, successReport } from "../../../../src/odoo/pod/report.ts";

const LINE = '{"database" : "a\\\\"b", "server" : 180004, "databaseBytes" : 7, "attachments" : 2, "fileBytes" : 9, ' +
  '"modules" : { "base" : "saas~18.2.1.3", "x" : null }}';

Deno.test("parseFacts() reads a line of COPY when the name of the database has quotes", () => {
  const facts = parseFacts(LINE);
  assertEquals(facts.database, 'a"b');
  assertEquals(facts.modules, { base: "saas~18.2.1.3", x: "" });
  assertEquals([odooVersion(facts), pgVersion(facts)], ["saas~18.2", "18.0"]);
  assertEquals(manifest(facts).version_info, ["saas~18", 2, 0, "final", 0, ""]);
});

Deno.test("parseFacts() throws when a number is none", () => {
  assertThrows(() => parseFacts(LINE.replace("180004", '"x"')), TypeError, "no server");
});

const NAMES: Readonly<Record<string, boolean>> = {
  "ab/abcdef0123": true,
  "checklist": true,
  "../x": false,
  "a/../x": false,
  "a/./x": false,
  "/etc/passwd": false,
  "a//b": false,
  "a\\b": false,
  "a\nb": false,
  "": false,
};

for (const [given, want] of Object.entries(NAMES)) {
  Deno.test(`isFileName() says ${want} when the name is ${JSON.stringify(given)}`, () => {
    assertEquals(isFileName(given), want);
  });
}

Deno.test("copiedText() gives back what COPY was given when it had control characters", () => {
  assertEquals(copiedText("a\\nb\\\\c\\td"), "a\nb\\c\td");
});

Deno.test("failureReport() keeps to 4,000 bytes, ends with the last words and has no secret when the log is long", () => {
  const log = `${"é\n".repeat(9000)}last s3cr3t`;
  const text = failureReport(new JobError("DumpFailed", "No s3cr3t", { log }), ["s3cr3t", ""]);
  const report = JSON.parse(text);
  assertEquals(new TextEncoder().encode(text).length <= 4000, true);
  assertEquals([report.ok, report.reason, report.error, report.log.slice(-8)], [
    false,
    "DumpFailed",
    "No ***",
    "last ***",
  ]);
});

Deno.test("failureReport() tells what went wrong first when putting things away failed, too", () => {
  const first = new JobError("S3Unreachable", "Cannot reach S3");
  const failure = new SuppressedError(new Error("no abort"), new SuppressedError(new Error("no close"), first));
  const { reason, error } = JSON.parse(failureReport(failure, []));
  assertEquals([reason, error], ["S3Unreachable", "Cannot reach S3"]);
});

Deno.test("failureReport() has a reason when the error has none, or one that is no constant", () => {
  assertEquals(JSON.parse(failureReport("odd", [])).reason, "JobFailed");
  assertEquals(JSON.parse(failureReport(new JobError("two words", "x"), [])).reason, "JobFailed");
  assertEquals(JSON.parse(successReport({ bytes: 1 })), { ok: true, bytes: 1 });
});
