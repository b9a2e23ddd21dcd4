import { assertEquals } from "@std/assert";
import { masked } from "../../../../../../src/odoo/model/operations/reports/masking.ts";

const TEXTS: Readonly<Record<string, { readonly given: string; readonly want: string }>> = {
  "a password in a URL": {
    given: "cannot open postgres://odoo:pa:ss@w/rd@db.lab:5432/shop now",
    want: "cannot open postgres://odoo:***@db.lab:5432/shop now",
  },
  "a connection string": {
    given: "host=db password='a \\' b' user=odoo, password=abc dbname=shop",
    want: "host=db password=*** user=odoo, password=*** dbname=shop",
  },
  "an environment": { given: "PGPASSWORD=abc SOURCE_PGPASSWORD=d&f", want: "PGPASSWORD=*** SOURCE_PGPASSWORD=***&f" },
  "a setting of odoo.conf": {
    given: "admin_passwd = $pbkdf2$x\ndb_passwd: y",
    want: "admin_passwd = ***\ndb_passwd: ***",
  },
  "a dictionary of Python": {
    given: "{'password': 'a b', 'token': \"c\", 'user': 'odoo'}",
    want: "{'password': ***, 'token': ***, 'user': 'odoo'}",
  },
  "JSON": { given: '{"accessKey":"abc","masterPassword":"d\\"e"}', want: '{"accessKey":***,"masterPassword":***}' },
  "SQL": { given: "STATEMENT: ALTER ROLE odoo PASSWORD 'it''s'", want: "STATEMENT: ALTER ROLE odoo PASSWORD ***" },
  "a header": {
    given: "> Authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature=c\n> Host: s3",
    want: "> Authorization: ***\n> Host: s3",
  },
  "a token": { given: "sent bearer abcdefghijklmnop1234", want: "sent bearer ***" },
  "the keys of AWS": {
    given: "AKIAIOSFODNN7EXAMPLE aws_secret_access_key = abc/d+e X-Amz-Signature=12ab&X-Amz-Expires=5",
    want: "*** aws_secret_access_key = *** X-Amz-Signature=***&X-Amz-Expires=5",
  },
  "a private key": {
    given: "-----BEGIN RSA PRIVATE KEY-----\nMII\nx\n-----END RSA PRIVATE KEY-----",
    want: "-----BEGIN RSA PRIVATE KEY-----*** RSA PRIVATE KEY-----",
  },
};

for (const [what, { given, want }] of Object.entries(TEXTS)) {
  Deno.test(`masked() takes the secret out when it is in ${what}`, () => assertEquals(masked(given), want));
}

const HARMLESS: readonly string[] = [
  'FATAL: password authentication failed for user "odoo"',
  "correct accessKey and secretKey in the Secret of s3CredentialsSecretRef",
  "Cannot read Secret shop-keys: not found",
  "https://shop.example.com:8069/web and me@example.com",
  "spec.destination.endpoint has credentials in it: they belong into the Secret of s3CredentialsSecretRef",
];

for (const text of HARMLESS) {
  Deno.test(`masked() leaves what is no secret: ${text}`, () => assertEquals(masked(text), text));
}

Deno.test("masked() takes all of a known secret when another one is its beginning", () => {
  assertEquals(masked("it was abcdef", ["abc", "", "abcdef"]), "it was ***");
});

Deno.test("masked() needs no time when a text is long and hostile", () => {
  const began = performance.now();
  for (const piece of ["a:", "x".repeat(50), "password", "a://b:", "'\\'", "-----BEGIN PRIVATE KEY-----"]) {
    masked(piece.repeat(8192 / piece.length));
  }
  assertEquals(performance.now() - began < 2000, true);
});
