import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Stored } from "../../../../../src/kit/types.ts";
import type { OdooInstance } from "../../../../../src/odoo/crd/mod.ts";
import { chooseCluster, readClusters, unknownClusters } from "../../../../../src/odoo/model/postgres/clusters.ts";
import { anInstance, type Overrides } from "../../../../support/builders.ts";

const ENTRY = { host: "pg.example.com", port: 5432, adminUser: "admin", adminPassword: "do-not-tell" };

const PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

/** Where an instance goes: the name of the cluster, or the reason why it goes nowhere. */
function choice(document: unknown, overrides: Overrides<Stored<OdooInstance>> = {}): string {
  const chosen = chooseCluster(anInstance(overrides), readClusters(document, "postgres-clusters"));
  return "address" in chosen ? chosen.address.name : chosen.problem.reason;
}

function messageFor(document: unknown, overrides: Overrides<Stored<OdooInstance>> = {}): string {
  const chosen = chooseCluster(anInstance(overrides), readClusters(document, "postgres-clusters"));
  assert("problem" in chosen);
  return chosen.problem.message;
}

Deno.test("readClusters() reads an entry with what it needs, and ignores what it does not know", () => {
  const clusters = readClusters({ main: { ...ENTRY, default: true, colour: "blue" } }, "postgres-clusters");
  assert(clusters.known);
  assertEquals([...clusters.entries], [["main", { address: { name: "main", ...ENTRY }, isDefault: true }]]);
});

for (const sslmode of ["disable", "require", "verify-ca", "verify-full"] as const) {
  Deno.test(`readClusters() reads sslmode ${sslmode}`, () => {
    const clusters = readClusters({ main: { ...ENTRY, sslmode } }, "postgres-clusters");
    assert(clusters.known);
    assertEquals(clusters.entries.get("main")?.address, { name: "main", ...ENTRY, sslMode: sslmode });
  });
}

Deno.test("readClusters() reads the certificate of an authority", () => {
  const clusters = readClusters({ main: { ...ENTRY, sslmode: "verify-ca", sslRootCert: PEM } }, "postgres-clusters");
  assert(clusters.known);
  assertEquals(clusters.entries.get("main")?.address?.sslRootCert, PEM);
});

for (const document of [null, undefined, "text", 5, [], [ENTRY]]) {
  Deno.test(`readClusters() knows nothing when the document is ${JSON.stringify(document)?.slice(0, 10)}`, () => {
    assertEquals(choice(document), "ClustersSecretInvalid");
    assertStringIncludes(messageFor(document), "Secret postgres-clusters");
  });
}

const BAD_ENTRIES: Readonly<Record<string, { readonly given: unknown; readonly want: string }>> = {
  "is no map": { given: "pg.example.com", want: "it is not a map" },
  "is null": { given: null, want: "it is not a map" },
  "has no host": { given: { ...ENTRY, host: undefined }, want: "host must be" },
  "has an empty host": { given: { ...ENTRY, host: "" }, want: "host must be" },
  "has a quoted port": { given: { ...ENTRY, port: "5432" }, want: "port must be" },
  "has port 0": { given: { ...ENTRY, port: 0 }, want: "port must be" },
  "has a port beyond the last": { given: { ...ENTRY, port: 65536 }, want: "port must be" },
  "has a broken port": { given: { ...ENTRY, port: 54.32 }, want: "port must be" },
  "has no adminUser": { given: { ...ENTRY, adminUser: undefined }, want: "adminUser must be" },
  "has no adminPassword": { given: { ...ENTRY, adminPassword: undefined }, want: "adminPassword must be" },
  "has an sslmode that we do not know": { given: { ...ENTRY, sslmode: "prefer" }, want: "sslmode must be one of" },
  "has true as sslmode": { given: { ...ENTRY, sslmode: true }, want: "sslmode must be one of" },
  "has no certificate as sslRootCert": {
    given: { ...ENTRY, sslmode: "verify-full", sslRootCert: "/etc/ca.crt" },
    want: "sslRootCert must be",
  },
  "has an sslRootCert that nothing would look at": {
    given: { ...ENTRY, sslmode: "require", sslRootCert: PEM },
    want: "sslmode must be verify-ca or verify-full",
  },
  "has a number as adminPassword": { given: { ...ENTRY, adminPassword: 5 }, want: "adminPassword must be" },
};

for (const [sentence, { given, want }] of Object.entries(BAD_ENTRIES)) {
  Deno.test(`chooseCluster() harms only those who use an entry that ${sentence}, and tells no password`, () => {
    const document = { bad: given, good: { ...ENTRY, default: true } };
    assertEquals(choice(document), "good");
    assertEquals(choice(document, { spec: { database: { cluster: "good" } } }), "good");
    const wanting = { spec: { database: { cluster: "bad" } } };
    assertEquals(choice(document, wanting), "ClusterInvalid");
    const message = messageFor(document, wanting);
    assertStringIncludes(message, want);
    assertStringIncludes(message, "'bad'");
    assert(!message.includes("do-not-tell"), message);
  });
}

const CHOICES: Readonly<Record<string, { readonly given: Overrides<Stored<OdooInstance>>; readonly want: string }>> = {
  "the one that the spec names": { given: { spec: { database: { cluster: "c" } } }, want: "c" },
  "the one that it was given at first, though the default has moved": {
    given: { status: { activeCluster: "a" } },
    want: "a",
  },
  "the one that holds the data, though the spec names another": {
    given: { spec: { database: { cluster: "c" } }, status: { activeCluster: "a" } },
    want: "a",
  },
  "the alphabetically first default, when nothing is said": { given: {}, want: "b" },
  "that default too, when the spec says null": { given: { spec: { database: { cluster: null } } }, want: "b" },
  "that default too, when the spec says an empty name": { given: { spec: { database: { cluster: "" } } }, want: "b" },
  "the one that holds the data, when the instance is deleted": {
    given: {
      metadata: { deletionTimestamp: "2026-11-21T03:59:00Z" },
      spec: { database: { cluster: "c" } },
      status: { activeCluster: "a" },
    },
    want: "a",
  },
  "nothing, when the named one does not exist": {
    given: { spec: { database: { cluster: "z" } } },
    want: "ClusterNotFound",
  },
  "nothing, when the recorded one does not exist any more": {
    given: { status: { activeCluster: "z" } },
    want: "ClusterNotFound",
  },
};

for (const [sentence, { given, want }] of Object.entries(CHOICES)) {
  Deno.test(`chooseCluster() takes ${sentence}`, () => {
    const marked = { ...ENTRY, default: true };
    assertEquals(choice({ d: marked, c: ENTRY, b: marked, a: ENTRY }, given), want);
  });
}

Deno.test("chooseCluster() names the clusters that there are when it does not find one", () => {
  const wanting = { spec: { database: { cluster: "z" } } };
  assertStringIncludes(messageFor({ a: ENTRY, b: ENTRY }, wanting), "one of: a, b");
  assertStringIncludes(messageFor({}, wanting), "(none)");
});

Deno.test("chooseCluster() takes no default when none is marked with the boolean true", () => {
  assertEquals(choice({}), "NoDefaultCluster");
  assertEquals(choice({ a: ENTRY, b: { ...ENTRY, default: "true" } }), "NoDefaultCluster");
});

Deno.test("chooseCluster() hands on why nothing is known", () => {
  const chosen = chooseCluster(anInstance(), unknownClusters("ClustersSecretMissing", "there is no Secret"));
  assertEquals(chosen, { problem: { reason: "ClustersSecretMissing", message: "there is no Secret" } });
});
