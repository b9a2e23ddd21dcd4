import { assertEquals } from "@std/assert";
import type { ReconcileContext, Secret } from "../../../../../src/kit/mod.ts";
import type { Stored } from "../../../../../src/kit/types.ts";
import { AdminPasswordLookup, type SecretReader } from "../../../../../src/odoo/shell/lookups/admin_password.ts";
import { anInstance, aWorld } from "../../../../support/builders.ts";

const TEN_MINUTES = 600_000;
const HALF_A_MINUTE = 30_000;

function vault(version: string, data: Readonly<Record<string, string>> = { master: btoa("open sesame") }) {
  const metadata = { name: "vault", namespace: "blue", uid: "uid", resourceVersion: version };
  return { apiVersion: "v1", kind: "Secret", metadata, data } satisfies Stored<Secret>;
}

/** A namespace with at most one Secret, and how often it was read. */
class Namespace implements SecretReader {
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

/** A lookup in a namespace. */
function aNamespace() {
  const secrets = new Namespace();
  const lookup = new AdminPasswordLookup(() => secrets);
  const unused = {} as ReconcileContext; // the lookup gets its reader from the constructor
  return { secrets, ask: (instance: ReturnType<typeof anInstance>) => lookup.ask({ ...aWorld(), instance }, unused) };
}

Deno.test("ask() reads a Secret without our label again when ten minutes have passed, and returns the time until then", async () => {
  const { ask, secrets } = aNamespace();
  secrets.secret = vault("1");
  const first = { facts: { version: "uid/1" }, recheckAfterMs: TEN_MINUTES };
  assertEquals(await ask(referring()), first);
  secrets.secret = vault("2");
  secrets.now = TEN_MINUTES - 1;
  assertEquals(await ask(referring()), { ...first, recheckAfterMs: 1 });
  assertEquals(secrets.reads, 1);
  secrets.now = TEN_MINUTES;
  assertEquals((await ask(referring())).facts, { version: "uid/2" });
});

Deno.test("ask() reads a Secret without the password again every half minute", async () => {
  const { ask, secrets } = aNamespace();
  assertEquals(await ask(referring()), {
    facts: { missing: "noSecret" },
    recheckAfterMs: HALF_A_MINUTE,
  });
  secrets.now = HALF_A_MINUTE;
  for (const data of [{}, { master: "" }]) {
    secrets.secret = vault("1", data);
    assertEquals((await ask(referring())).facts, { version: "uid/1", missing: "noKey" });
    secrets.now += HALF_A_MINUTE;
  }
  assertEquals(secrets.reads, 3);
});

Deno.test("ask() reads a Secret with our label when its version differs, and returns no time", async () => {
  const { ask, secrets } = aNamespace();
  secrets.labelled = true;
  secrets.secret = vault("1");
  assertEquals(await ask(referring()), { facts: { version: "uid/1" } });
  secrets.now = 10 * TEN_MINUTES;
  await ask(referring());
  assertEquals(secrets.reads, 1);
  secrets.secret = vault("2");
  assertEquals(await ask(referring()), { facts: { version: "uid/2" } });
  secrets.secret = undefined;
  assertEquals((await ask(referring())).facts, { missing: "noSecret" });
  assertEquals(secrets.reads, 3);
});

Deno.test("ask() reads at once when the reference changes, and nothing without a reference or for a deleted instance", async () => {
  const { ask, secrets } = aNamespace();
  secrets.secret = vault("1");
  await ask(referring());
  const other = anInstance({ spec: { adminPasswordSecretRef: { name: "vault", key: "other" } } });
  assertEquals((await ask(other)).facts?.missing, "noKey");
  assertEquals(secrets.reads, 2);
  const incomplete = anInstance({ spec: { adminPasswordSecretRef: { name: "", key: "master" } } });
  assertEquals(await ask(incomplete), { facts: { missing: "incomplete" } });
  assertEquals(await ask(anInstance()), {});
  assertEquals(await ask(referring({ metadata: { deletionTimestamp: "2026-11-21T04:00:00Z" } })), {});
  assertEquals(secrets.reads, 2);
  await ask(referring());
  assertEquals(secrets.reads, 3, "what was known of a former reference is used");
});
