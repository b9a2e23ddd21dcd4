import { assertEquals } from "@std/assert";
import type { Secret } from "../../../../../src/kit/mod.ts";
import type { Stored } from "../../../../../src/kit/types.ts";
import { AdminPasswordSecrets, type SecretEyes } from "../../../../../src/odoo/shell/lookups/admin_passwords.ts";
import { anInstance } from "../../../../support/builders.ts";

const TEN_MINUTES = 600_000;
const HALF_A_MINUTE = 30_000;

function vault(version: string, data: Readonly<Record<string, string>> = { master: btoa("open sesame") }) {
  const metadata = { name: "vault", namespace: "blue", uid: "uid", resourceVersion: version };
  return { apiVersion: "v1", kind: "Secret", metadata, data } satisfies Stored<Secret>;
}

/** A namespace with at most one Secret, and how often it was read. */
class Namespace implements SecretEyes {
  secret: Stored<Secret> | undefined;
  labelled = false;
  now = 0;
  reads = 0;

  cached(): Stored<Secret> | undefined {
    return this.labelled ? this.secret : undefined;
  }

  read(): Promise<Stored<Secret> | undefined> {
    this.reads += 1;
    return Promise.resolve(this.secret);
  }
}

function referring(overrides: Parameters<typeof anInstance>[0] = {}) {
  return anInstance({ ...overrides, spec: { adminPasswordSecretRef: { name: "vault", key: "master" } } });
}

Deno.test("look() reads a Secret of somebody else when it is ten minutes old, and says when that will be", async () => {
  const [passwords, eyes] = [new AdminPasswordSecrets(), new Namespace()];
  eyes.secret = vault("1");
  const first = { facts: { version: "uid/1" }, againAfterMs: TEN_MINUTES };
  assertEquals(await passwords.look(referring(), eyes), first);
  eyes.secret = vault("2");
  eyes.now = TEN_MINUTES - 1;
  assertEquals(await passwords.look(referring(), eyes), { ...first, againAfterMs: 1 });
  assertEquals(eyes.reads, 1);
  eyes.now = TEN_MINUTES;
  assertEquals((await passwords.look(referring(), eyes))?.facts, { version: "uid/2" });
});

Deno.test("look() looks for a missing password every half minute", async () => {
  const [passwords, eyes] = [new AdminPasswordSecrets(), new Namespace()];
  assertEquals(await passwords.look(referring(), eyes), {
    facts: { missing: "noSecret" },
    againAfterMs: HALF_A_MINUTE,
  });
  eyes.now = HALF_A_MINUTE;
  for (const data of [{}, { master: "" }]) {
    eyes.secret = vault("1", data);
    assertEquals((await passwords.look(referring(), eyes))?.facts, { version: "uid/1", missing: "noKey" });
    eyes.now += HALF_A_MINUTE;
  }
  assertEquals(eyes.reads, 3);
});

Deno.test("look() reads a Secret with our label when its version differs, and sets no time", async () => {
  const [passwords, eyes] = [new AdminPasswordSecrets(), new Namespace()];
  eyes.labelled = true;
  eyes.secret = vault("1");
  assertEquals(await passwords.look(referring(), eyes), { facts: { version: "uid/1" } });
  eyes.now = 10 * TEN_MINUTES;
  await passwords.look(referring(), eyes);
  assertEquals(eyes.reads, 1);
  eyes.secret = vault("2");
  assertEquals(await passwords.look(referring(), eyes), { facts: { version: "uid/2" } });
  eyes.secret = undefined;
  assertEquals((await passwords.look(referring(), eyes))?.facts, { missing: "noSecret" });
  assertEquals(eyes.reads, 3);
});

Deno.test("look() reads at once when the reference changes, and not without one or for an instance that goes", async () => {
  const [passwords, eyes] = [new AdminPasswordSecrets(), new Namespace()];
  eyes.secret = vault("1");
  await passwords.look(referring(), eyes);
  const other = anInstance({ spec: { adminPasswordSecretRef: { name: "vault", key: "other" } } });
  assertEquals((await passwords.look(other, eyes))?.facts.missing, "noKey");
  assertEquals(eyes.reads, 2);
  const incomplete = anInstance({ spec: { adminPasswordSecretRef: { name: "", key: "master" } } });
  assertEquals(await passwords.look(incomplete, eyes), { facts: { missing: "incomplete" } });
  assertEquals(await passwords.look(anInstance(), eyes), undefined);
  assertEquals(
    await passwords.look(referring({ metadata: { deletionTimestamp: "2026-11-21T04:00:00Z" } }), eyes),
    undefined,
  );
  assertEquals(eyes.reads, 2);
  await passwords.look(referring(), eyes);
  assertEquals(eyes.reads, 3, "what was known of a former reference is used");
});
