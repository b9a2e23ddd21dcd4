import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { JobError } from "../../../../src/odoo/pod/report.ts";
import { assertServiceHost, type LookUp } from "../../../../src/odoo/pod/service_host.ts";

/** In place of DNS: no zone of a test can be made to lead to such addresses. */
const answering = (...addresses: readonly string[]): LookUp => () => Promise.resolve(addresses);

const REFUSED: Readonly<Record<string, { readonly given: readonly string[]; readonly want: string }>> = {
  "a link-local address": { given: ["169.254.169.254"], want: "link-local, metadata" },
  "one among good ones": { given: ["93.184.216.34", "169.254.1.1"], want: "link-local, metadata" },
  "one within IPv6": { given: ["::ffff:169.254.169.254"], want: "link-local, metadata" },
  "a link-local one of IPv6": { given: ["fe80::1"], want: "special IPv6" },
  "the API server": { given: ["10.96.0.1"], want: "Kubernetes API server" },
  "the API server within IPv6": { given: ["::ffff:10.96.0.1"], want: "Kubernetes API server" },
};

for (const [sentence, { given, want }] of Object.entries(REFUSED)) {
  Deno.test(`assertServiceHost() throws ServiceRefused when the name leads to ${sentence}`, async () => {
    const options = { apiServer: "10.96.0.1", lookUp: answering(...given) };
    const error = await assertRejects(() => assertServiceHost("https://old.example.com/x", options), JobError);
    assertEquals(error.reason, "ServiceRefused");
    assertStringIncludes(error.message, `Cannot connect to https://old.example.com: it `);
    assertStringIncludes(error.message, want);
  });
}

Deno.test("assertServiceHost() judges an address itself, and names that need no look", async () => {
  const never: LookUp = () => Promise.reject(new TypeError("nobody is asked"));
  for (const url of ["http://169.254.169.254:80", "http://[fe80::1]", "https://kubernetes.default.svc"]) {
    await assertRejects(() => assertServiceHost(url, { lookUp: never }), JobError);
  }
  await assertServiceHost("http://127.0.0.1:9000", { lookUp: never });
});

Deno.test("assertServiceHost() lets private and public addresses be, and names that nobody knows", async () => {
  await assertServiceHost("https://s3.lab", { lookUp: answering("10.0.0.7", "fd12::1", "93.184.216.34") });
  const unknown: LookUp = () => Promise.reject(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }));
  await assertServiceHost("https://s3.invalid", { lookUp: unknown });
});

Deno.test("assertServiceHost() lets nothing be when it may not look", async () => {
  const lookUp = () => Promise.reject(new Deno.errors.NotCapable("no"));
  await assertRejects(() => assertServiceHost("https://s3.lab", { lookUp }), Deno.errors.NotCapable);
});
