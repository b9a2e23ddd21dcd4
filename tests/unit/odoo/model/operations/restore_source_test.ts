import { assertEquals, assertStringIncludes } from "@std/assert";
import type { OdooRestoreJob, OdooRestoreJobSpec } from "../../../../../src/odoo/crd/mod.ts";
import { restoreProblem, sourceUrlProblem } from "../../../../../src/odoo/model/operations/restore_source.ts";

function aRestoreJob(spec: Partial<OdooRestoreJobSpec>): OdooRestoreJob {
  return {
    metadata: { name: "back", namespace: "blue" },
    spec: {
      odooInstanceRef: { name: "shop" },
      source: { type: "odoo", odoo: { url: "https://old.example.com" } },
      ...spec,
    },
  };
}

const S3 = { bucket: "backups", objectKey: "shop/backup.zip", endpoint: "https://s3.example.com" };

const GOOD: Readonly<Record<string, Partial<OdooRestoreJobSpec>>> = {
  "another Odoo": {},
  "another Odoo of which the database is known": {
    format: "dump",
    source: {
      type: "odoo",
      odoo: { url: "http://old.other.svc:8069/", sourceDatabase: "my db", masterPassword: "é $(x)" },
    },
  },
  "an object": { format: "sql", source: { type: "s3", s3: S3 } },
};

for (const [sentence, spec] of Object.entries(GOOD)) {
  Deno.test(`restoreProblem() finds none in ${sentence}`, () => {
    assertEquals(restoreProblem(aRestoreJob(spec)), undefined);
  });
}

const BAD: Readonly<Record<string, { readonly spec: Partial<OdooRestoreJobSpec>; readonly says: string }>> = {
  "there is no s3": { spec: { source: { type: "s3" } }, says: "spec.source.s3 is missing" },
  "there is no odoo": { spec: { source: { type: "odoo", s3: S3 } }, says: "spec.source.odoo is missing" },
  "the object has no bucket": {
    spec: { source: { type: "s3", s3: { ...S3, bucket: "" } } },
    says: "spec.source.s3.bucket",
  },
  "the credentials are somebody else's": {
    spec: { source: { type: "s3", s3: { ...S3, s3CredentialsSecretRef: { name: "keys", namespace: "red" } } } },
    says: "namespace",
  },
  "SQL is asked of another Odoo": { spec: { format: "sql" }, says: "zip or dump" },
  "the database has a control character": {
    spec: { source: { type: "odoo", odoo: { url: "https://old.example.com", sourceDatabase: "a\nb" } } },
    says: "spec.source.odoo.sourceDatabase",
  },
};

for (const [sentence, { spec, says }] of Object.entries(BAD)) {
  Deno.test(`restoreProblem() names it when ${sentence}`, () => {
    assertStringIncludes(restoreProblem(aRestoreJob(spec))?.message ?? "", says);
  });
}

const REFUSED_URLS: readonly string[] = [
  "",
  "old.example.com",
  "file:///etc/passwd",
  "ftp://old.example.com",
  "https://user:secret@old.example.com",
  "https://old.example.com/?x=1",
  "https://old.example.com/#x",
  "https://old example.com",
  "https://old.example.com\n",
  "http://127.0.0.1:8069",
  "http://127.1",
  "http://2130706433",
  "http://0x7f.1",
  "http://0.0.0.0",
  "http://localhost",
  "http://a.localhost.",
  "http://169.254.169.254/latest",
  "http://[::1]",
  "http://[::ffff:127.0.0.1]",
  "http://[::127.0.0.1]",
  "http://[64:ff9b::7f00:1]",
  "http://[::]",
  "http://[::ffff:169.254.169.254]",
  "http://[64:ff9b::a9fe:a9fe]",
  "http://[fe80::1]",
  "http://[fd00:ec2::254]",
  "http://metadata.google.internal",
  "https://kubernetes.default.svc",
  "https://kubernetes.default.svc.cluster.local",
];

for (const url of REFUSED_URLS) {
  Deno.test(`sourceUrlProblem() refuses ${JSON.stringify(url)}`, () => {
    assertEquals(typeof sourceUrlProblem(url), "string");
  });
}

for (
  const url of ["https://old.example.com", "http://10.0.0.7:8069", "http://[2001:db8::1]", "http://odoo.other.svc"]
) {
  Deno.test(`sourceUrlProblem() takes ${url}`, () => assertEquals(sourceUrlProblem(url), undefined));
}
