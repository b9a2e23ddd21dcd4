/** `job backup` and services with a region and an authority of their own: what is believed, and what is told. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { createCertificateAuthority } from "../../dev/certificates.ts";
import { type S3Server, startS3 } from "../../dev/s3.ts";
import { type BackupRig, startBackupRig } from "../support/backup_rig.ts";

const REGION = "eu-central-1";
let rig: BackupRig;
let secure: S3Server;
let folder: string;

Deno.test.beforeAll(async () => {
  rig = await startBackupRig();
  secure = await startS3({ scheme: "https", region: REGION });
  folder = await Deno.makeTempDir({ prefix: "authorities-" });
  await Deno.writeTextFile(`${folder}/known`, secure.ca ?? "");
  await Deno.writeTextFile(`${folder}/other`, (await createCertificateAuthority()).certPem);
  await Deno.writeTextFile(`${folder}/text`, "not a certificate");
});
Deno.test.afterAll(async () => {
  await Deno.remove(folder, { recursive: true });
  await secure?.[Symbol.asyncDispose]();
  await rig?.[Symbol.asyncDispose]();
});

function run(environment: Readonly<Record<string, string>>) {
  return rig.run({
    S3_ENDPOINT: secure.endpoint,
    S3_ACCESS_KEY: secure.accessKey,
    S3_SECRET_KEY: secure.secretKey,
    S3_REGION: REGION,
    BACKUP_PEER_SECONDS: "8",
    ...environment,
  });
}

Deno.test("job backup completes over TLS when it is given the authority and the region of the service", async () => {
  const { job } = await run({ S3_CA_FILE: `${folder}/known`, S3_KEY: "tls.zip" });
  assertEquals(job.report.ok, true, job.log);
  const { size } = await Deno.stat(`${secure.directory}/backups/tls.zip`);
  assertEquals(job.report.bytes, size);
});

interface Failure {
  readonly given: () => Readonly<Record<string, string>>;
  readonly want: { readonly reason: string; readonly error: string };
}

const FAILURES: Readonly<Record<string, Failure>> = {
  "nobody has named the authority of the service": {
    given: () => ({}),
    want: { reason: "CertificateUnknown", error: "name a Secret with the authority of the endpoint's certificate" },
  },
  "the authority is another one": {
    given: () => ({ S3_CA_FILE: `${folder}/other` }),
    want: { reason: "CertificateUnknown", error: "in caSecretRef" },
  },
  "the Secret with the authority is not there": {
    given: () => ({ S3_CA_FILE: `${folder}/nowhere` }),
    want: { reason: "AuthorityMissing", error: "as caSecretRef names" },
  },
  "the Secret has no certificate": {
    given: () => ({ S3_CA_FILE: `${folder}/text` }),
    want: { reason: "AuthorityUnusable", error: "as PEM" },
  },
  "the region is another one": {
    given: () => ({ S3_CA_FILE: `${folder}/known`, S3_REGION: "eu-west-3" }),
    want: { reason: "RegionWrong", error: "set region to the one of the bucket" },
  },
  "no region is given, and the service has another than the usual one": {
    given: () => ({ S3_CA_FILE: `${folder}/known`, S3_REGION: "" }),
    want: { reason: "RegionWrong", error: "set region to the one of the bucket" },
  },
};

for (const [sentence, { given, want }] of Object.entries(FAILURES)) {
  Deno.test(`job backup reports ${want.reason} when ${sentence}`, async () => {
    const { job } = await run({ S3_KEY: "failed.zip", ...given() });
    assertEquals([job.report.ok, job.report.reason], [false, want.reason], job.log);
    assertStringIncludes(job.report.error ?? "", want.error);
  });
}
