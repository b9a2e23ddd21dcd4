/** Restores of what another Odoo makes of itself, a double of it that answers as its database manager does; the rest is real. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromOdoo, MASTER_PASSWORD, startOdoo } from "../support/odoo_source.ts";
import { type RestoreRig, startRestoreRig } from "../support/restore_rig.ts";

let rig: RestoreRig;

Deno.test.beforeAll(async () => {
  rig = await startRestoreRig();
});
Deno.test.afterAll(() => rig?.[Symbol.asyncDispose]());

for (const format of ["zip", "dump"] as const) {
  Deno.test(`job restore brings back a ${format} that another Odoo makes, by its only database's name`, async () => {
    await using odoo = startOdoo(() =>
      new Response(new Uint8Array(rig.backups[format]), { headers: { "content-type": "application/octet-stream" } })
    );
    const { report, output } = await rig.attempt(fromOdoo(odoo, format));
    assertEquals([report.ok, report.attachments], [true, 30], output);
    assertEquals(odoo.asked.map((form) => Object.fromEntries(form)), [
      { master_pwd: MASTER_PASSWORD, name: "old", backup_format: format },
    ]);
  });
}

function page(error: string): Response {
  return new Response(`<html><body><div class="alert">Database backup error: ${error}</div></body></html>`, {
    headers: { "content-type": "text/html; charset=utf-8" },
  });
}

/** How another Odoo fails. */
const ODOO_FAILURES: Readonly<
  Record<string, {
    readonly answer: () => Response;
    readonly databases?: readonly string[];
    readonly reason: string;
    readonly says: string;
  }>
> = {
  "the master password is wrong": {
    answer: () => page("Access Denied"),
    reason: "MasterPasswordWrong",
    says: "masterPassword",
  },
  "it fails otherwise": { answer: () => page("disk full"), reason: "SourceRefuses", says: "disk full" },
  "it redirects": {
    answer: () => new Response(null, { status: 303, headers: { location: "http://elsewhere.example.com/web?pwd=1" } }),
    reason: "SourceRedirects",
    says: "redirects to http://elsewhere.example.com/web,",
  },
  "its database manager is closed": {
    answer: () => new Response("no", { status: 403 }),
    reason: "SourceRefuses",
    says: "answers 403",
  },
  "it has two databases": {
    answer: () => page(""),
    databases: ["a", "b"],
    reason: "SourceDatabaseUnknown",
    says: "2 databases",
  },
  "it sends too much": {
    answer: () => new Response(new Uint8Array(rig.backups.zip)),
    reason: "SourceTooLarge",
    says: "more than 5000 bytes",
  },
  "it sends a page as if it were a backup": {
    answer: () => new Response("<html>", { headers: { "content-type": "application/octet-stream" } }),
    reason: "FormatMismatch",
    says: "a page of HTML",
  },
};

for (const [sentence, { answer, databases, reason, says }] of Object.entries(ODOO_FAILURES)) {
  Deno.test(`job restore says why when of another Odoo ${sentence}`, async () => {
    await using odoo = startOdoo(answer, databases);
    const what = fromOdoo(odoo, "zip");
    const { report, codes, output } = await rig.attempt({
      ...what,
      env: { ...what.env, ...(reason === "SourceTooLarge" ? { RESTORE_MAX_BYTES: "5000" } : {}) },
    });
    assertEquals([report.reason, codes], [reason, { restore: 1, load: 1 }], output);
    assertStringIncludes(String(report.error), says);
    assert(
      !output.includes(MASTER_PASSWORD) && !output.includes(encodeURIComponent(MASTER_PASSWORD)),
      "the master password",
    );
  });
}

for (const url of ["http://169.254.169.254", "http://127.0.0.9:8069"]) {
  Deno.test(`job restore sends no password when the other Odoo is said to be at ${url}, the metadata service or the API server`, async () => {
    await using odoo = startOdoo(() => page(""));
    const what = fromOdoo(odoo, "zip");
    const env = { ...what.env, SOURCE_URL: url, KUBERNETES_SERVICE_HOST: "127.0.0.9" };
    const { report, output } = await rig.attempt({ ...what, env });
    assertEquals([report.ok, report.reason], [false, "ServiceRefused"], output);
    assertStringIncludes(String(report.error), `Cannot connect to ${url}`);
  });
}

Deno.test("job restore says why when another Odoo breaks off", async () => {
  await using odoo = startOdoo(() => {
    const pieces = async function* () {
      yield rig.backups.dump.slice(0, 4000);
      await Promise.reject(new Error("gone"));
    };
    return new Response(ReadableStream.from(pieces()), { headers: { "content-type": "application/octet-stream" } });
  });
  const { report, output } = await rig.attempt(fromOdoo(odoo, "dump", "old"));
  assertEquals([report.ok, report.reason], [false, "SourceUnreachable"], output);
});
