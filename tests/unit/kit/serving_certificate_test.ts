import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { TerminalError } from "../../../src/kit/errors.ts";
import { readServingCertificate } from "../../../src/kit/serving_certificate.ts";
import { certificateFiles } from "../../support/certificate_files.ts";

async function openssl(...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args: [...args], stdout: "null" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** What is wrong with the files, made from a good pair, and which file the message names first. */
const BROKEN: Readonly<
  Record<string, { readonly write: (cert: string, key: string) => Promise<void>; readonly want: RegExp }>
> = {
  "the certificate is missing": { write: (cert) => Deno.remove(cert), want: /tls\.crt for TLS: it does not exist$/ },
  "the key is missing": { write: (_, key) => Deno.remove(key), want: /tls\.key for TLS: it does not exist$/ },
  "the certificate is empty": {
    write: (cert) => Deno.writeTextFile(cert, "\n"),
    want: /tls\.crt for TLS: it is empty$/,
  },
  "the key is empty": { write: (_, key) => Deno.writeTextFile(key, ""), want: /tls\.key for TLS: it is empty$/ },
  "the certificate is cut": {
    write: async (cert) => await Deno.writeTextFile(cert, (await Deno.readTextFile(cert)).slice(0, 200)),
    want: /tls\.crt with .*tls\.key for TLS: /,
  },
  "the key is no key": { write: (_, key) => Deno.writeTextFile(key, "secret"), want: /for TLS: No keys found/ },
  "the key is another's": {
    write: async (_, key) => await openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key),
    want: /for TLS: .*KeyMismatch/,
  },
  "the certificate is a folder": {
    write: async (cert) => {
      await Deno.remove(cert);
      await Deno.mkdir(cert);
    },
    want: /tls\.crt for TLS: /,
  },
};

for (const [sentence, { write, want }] of Object.entries(BROKEN)) {
  Deno.test(`readServingCertificate() says what to look at in one line when ${sentence}`, async () => {
    await using files = await certificateFiles();
    await write(files.certPath, files.keyPath);
    const { message } = await assertRejects(() => readServingCertificate(files), TerminalError);
    assertMatch(message, want);
    assertMatch(message, /^Cannot use [^\n]+$/);
  });
}

Deno.test("readServingCertificate() takes what openssl writes, with its chain", async () => {
  await using files = await certificateFiles();
  await openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", files.keyPath);
  await openssl("req", "-x509", "-key", files.keyPath, "-days", "1", "-subj", "/CN=localhost", "-out", files.certPath);
  const cert = await Deno.readTextFile(files.certPath) + files.caPem;
  await Deno.writeTextFile(files.certPath, cert);
  assertEquals((await readServingCertificate(files)).cert, cert);
});
