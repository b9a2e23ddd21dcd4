import { assertEquals, assertStringIncludes } from "@std/assert";
import { MOST_PARTS, partBytes } from "../../../../../src/odoo/model/s3/multipart.ts";
import { mayPass, s3Reason, saidBy } from "../../../../../src/odoo/model/s3/s3_failure.ts";
import { backupProblem, type S3Field, s3Problem } from "../../../../../src/odoo/model/s3/s3_location.ts";
import { aBackupJob, merged, type Overrides } from "../../../../support/builders.ts";

const GOOD: S3Field = {
  bucket: "backups",
  objectKey: "shop/2026-11-21.zip",
  endpoint: "https://s3.example.com",
  s3CredentialsSecretRef: { name: "s3-keys" },
};

const FIELDS: Readonly<Record<string, { readonly given: Overrides<S3Field>; readonly want: string | undefined }>> = {
  "nothing is wrong": { given: {}, want: undefined },
  "the key has what a shell or Kubernetes would replace": {
    given: { objectKey: "k$(id) `id` $HOME é.zip" },
    want: undefined,
  },
  "the endpoint has a port": { given: { endpoint: "http://minio.storage:9000" }, want: undefined },
  "requests are not signed": { given: { s3CredentialsSecretRef: undefined }, want: undefined },
  "the Secret's namespace is this one": {
    given: { s3CredentialsSecretRef: { name: "s3-keys", namespace: "blue" } },
    want: undefined,
  },
  "an authority is named without its key": { given: { caSecretRef: { name: "s3-ca" } }, want: undefined },
  "the authority's Secret has no name": {
    given: { caSecretRef: { name: "" } },
    want: "InvalidDestination: spec.destination.caSecretRef.name is no name of a Secret",
  },
  "the authority's key leads elsewhere": {
    given: { caSecretRef: { name: "s3-ca", key: "../token" } },
    want: "InvalidDestination: spec.destination.caSecretRef.key is no key of a Secret, such as ca.crt",
  },
  "the authority's key is a folder": {
    given: { caSecretRef: { name: "s3-ca", key: ".." } },
    want: "InvalidDestination: spec.destination.caSecretRef.key is no key of a Secret, such as ca.crt",
  },
  "the bucket is empty": {
    given: { bucket: "" },
    want: "InvalidDestination: spec.destination.bucket is no name of a bucket",
  },
  "the bucket leads elsewhere": {
    given: { bucket: "a/../b" },
    want: "InvalidDestination: spec.destination.bucket is no name of a bucket",
  },
  "the key is empty": {
    given: { objectKey: "" },
    want: "InvalidDestination: spec.destination.objectKey is empty: write a name such as shop/2026-11-21.zip",
  },
  "the key leads to another bucket": {
    given: { objectKey: "../other/x.zip" },
    want: "InvalidDestination: spec.destination.objectKey has a . or .. between its slashes",
  },
  "the key begins with a slash": {
    given: { objectKey: "/x.zip" },
    want: "InvalidDestination: spec.destination.objectKey begins or ends with a slash, or has two in a row",
  },
  "the key has a line break": {
    given: { objectKey: "x\r\ny" },
    want: "InvalidDestination: spec.destination.objectKey has control characters",
  },
  "the key is half a character": {
    given: { objectKey: "x\ud800" },
    want: "InvalidDestination: spec.destination.objectKey has control characters",
  },
  "the key has no room for the description": {
    given: { objectKey: "é".repeat(510) },
    want: "InvalidDestination: spec.destination.objectKey is longer than 1019 bytes",
  },
  "the endpoint has no scheme": {
    given: { endpoint: "minio:9000" },
    want: "InvalidDestination: spec.destination.endpoint is no address such as https://s3.example.com",
  },
  "the endpoint is a file": {
    given: { endpoint: "file:///etc/passwd" },
    want: "InvalidDestination: spec.destination.endpoint is no address such as https://s3.example.com",
  },
  "the endpoint has a password": {
    given: { endpoint: "https://me:secret@s3.example.com" },
    want: "InvalidDestination: spec.destination.endpoint has credentials in it: " +
      "they belong into the Secret of s3CredentialsSecretRef",
  },
  "the endpoint has a query": {
    given: { endpoint: "https://s3.example.com/?x=" },
    want: "InvalidDestination: spec.destination.endpoint has a ? or # in it: write the address alone",
  },
  "the region is a sentence": {
    given: { region: "eu central" },
    want: "InvalidDestination: spec.destination.region is no name of a region, such as eu-central-1",
  },
  "the Secret has no name": {
    given: { s3CredentialsSecretRef: { name: undefined } },
    want: "InvalidDestination: spec.destination.s3CredentialsSecretRef.name is no name of a Secret",
  },
  "the Secret is another namespace's": {
    given: { s3CredentialsSecretRef: { name: "s3-keys", namespace: "red" } },
    want: "ForeignSecret: spec.destination.s3CredentialsSecretRef.namespace is another than this object's: " +
      "copy the Secret to namespace blue and leave the field out",
  },
};

for (const [sentence, { given, want }] of Object.entries(FIELDS)) {
  Deno.test(`s3Problem() tells ${want ? "what to write" : "of nothing"} when ${sentence}`, () => {
    const problem = s3Problem(merged(GOOD, given), { field: "spec.destination", namespace: "blue" });
    assertEquals(problem && `${problem.reason}: ${problem.message}`, want);
  });
}

const NO_SERVICES: readonly string[] = [
  "http://169.254.169.254",
  "http://169.254.169.254.",
  "http://2852039166",
  "http://0xa9fea9fe",
  "http://0xa9.0xfe.0xa9.0xfe",
  "http://0251.0376.0251.0376",
  "http://169.16689662",
  "http://[::ffff:169.254.169.254]",
  "http://[::169.254.169.254]",
  "http://[64:ff9b::a9fe:a9fe]",
  "http://[fe80::1]",
  "http://[febf::1]",
  "http://[fd00:ec2::254]",
  "http://0.0.0.0:9000",
  "http://100.100.100.200",
  "http://metadata.google.internal",
  "http://METADATA.google.internal.",
  "http://instance-data.ec2.internal",
  "https://kubernetes",
  "https://kubernetes.default",
  "https://kubernetes.default.svc:443",
  "https://Kubernetes.Default.svc.cluster.local.",
];

for (const endpoint of NO_SERVICES) {
  Deno.test(`s3Problem() refuses the endpoint when it is ${endpoint}`, () => {
    const problem = s3Problem({ ...GOOD, endpoint }, { field: "spec.destination", namespace: "blue" });
    assertStringIncludes(problem?.message ?? "", "spec.destination.endpoint leads where no S3 service is: ");
  });
}

for (
  const endpoint of [
    "http://127.0.0.1:7070",
    "https://10.0.0.5:9000",
    "http://[fd12::1]",
    "https://kubernetes.example.com",
    "http://minio.kubernetes",
    "https://1.2.3.4",
  ]
) {
  Deno.test(`s3Problem() takes the endpoint when it is ${endpoint}`, () => {
    assertEquals(s3Problem({ ...GOOD, endpoint }, { field: "spec.destination", namespace: "blue" }), undefined);
  });
}

Deno.test("backupProblem() judges the destination when it is that of a CR", () => {
  assertEquals(backupProblem(aBackupJob()), undefined);
  assertEquals(backupProblem(aBackupJob({ spec: { destination: { bucket: "" } } }))?.reason, "InvalidDestination");
});

Deno.test("partBytes() lets 10,000 parts hold what S3 takes when nothing was announced, and stays at 8 MiB for 54 GiB", () => {
  const sizes = Array.from({ length: MOST_PARTS }, (_, index) => partBytes(index + 1));
  const sum = (list: readonly number[]) => list.reduce((total, bytes) => total + bytes, 0);
  assertEquals(sum(sizes) > 5 * 2 ** 40, true);
  assertEquals(Math.max(...sizes) <= 5 * 2 ** 30, true);
  assertEquals(Math.floor(sum(sizes.filter((bytes) => bytes === 8 * 2 ** 20)) / 2 ** 30), 54);
});

Deno.test("partBytes() gives parts of one size when the size was announced", () => {
  assertEquals([partBytes(1, 100 * 2 ** 30), partBytes(7000, 100 * 2 ** 30)], [15 * 2 ** 20, 15 * 2 ** 20]);
});

Deno.test("s3Reason() goes by the code, then by the status, then by the network", () => {
  assertEquals(s3Reason({ code: "NoSuchBucket", status: 404 }), "BucketMissing");
  assertEquals(s3Reason({ code: "Whatever", status: 507 }), "S3Full");
  assertEquals(s3Reason({ code: "Whatever", status: 502 }), "S3Busy");
  assertEquals(s3Reason({ code: "RequestTimeTooSkewed", status: 403 }), "ClockSkewed");
  assertEquals(s3Reason({ code: "ECONNRESET" }), "S3Unreachable");
  assertEquals(s3Reason({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" }), "CertificateUnknown");
  assertEquals([mayPass("S3Busy"), mayPass("S3Unreachable"), mayPass("S3Full")], [true, true, false]);
});

Deno.test("saidBy() keeps to one line without secrets when a service is hostile", () => {
  const error = Object.assign(new Error(`no\x1b[2J\r\n${"x".repeat(500)}`), { name: "Bad" });
  assertEquals(saidBy(error).length, 200);
  assertEquals(saidBy(new Error("key s3cr3t"), ["s3cr3t", ""]), "Error key ***");
});
