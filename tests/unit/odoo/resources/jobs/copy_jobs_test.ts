import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { copyDatabaseJob, copyFilesJob, type CopyFilesOptions } from "../../../../../src/odoo/resources/mod.ts";
import { anAddress, aResolved, someDefaults } from "../../../../support/builders.ts";

const DEFAULTS = someDefaults({ postgresClientImage: "postgres:17" });
const SOURCE = {
  cluster: anAddress({ host: "old.pg.example.com", port: 6432, sslMode: "verify-full", sslRootCert: "old's PEM" }),
  role: "odoo_main",
  database: "main",
  password: { name: "main-odoo-user", key: "password" },
};

Deno.test("copyDatabaseJob() logs in at both servers, each password from its own Secret, each certificate its own", () => {
  const target = anAddress({ sslMode: "verify-ca", sslRootCert: "new's PEM" });
  const job = copyDatabaseJob("copy", aResolved({}, DEFAULTS), target, { source: SOURCE, target: "shop_side" });
  const pod = job.spec?.template.spec;
  const [copy] = pod?.containers ?? [];
  const plain = Object.fromEntries(
    (copy?.env ?? []).flatMap(({ name, value }) => value === undefined ? [] : [[name, value]]),
  );
  const secret = Object.fromEntries(
    (copy?.env ?? []).flatMap(({ name, valueFrom }) => valueFrom ? [[name, valueFrom.secretKeyRef?.name]] : []),
  );
  assertEquals(copy?.image, "postgres:17");
  assertEquals(
    ["SOURCE_PGHOST", "SOURCE_PGPORT", "SOURCE_PGUSER", "SOURCE_PGDATABASE", "SOURCE_PGSSLMODE", "SOURCE_PGSSLROOTCERT"]
      .map((name) => plain[name]),
    ["old.pg.example.com", "6432", "odoo_main", "main", "verify-full", "/copy/source.pem"],
  );
  assertEquals([plain.PGDATABASE, plain.PGSSLMODE, plain.PGSSLROOTCERT], [
    "shop_side",
    "verify-ca",
    "/copy/target.pem",
  ]);
  assertEquals([plain.SOURCE_CERTIFICATE, plain.TARGET_CERTIFICATE], ["old's PEM", "new's PEM"]);
  assertEquals(secret, { SOURCE_PGPASSWORD: "main-odoo-user", PGPASSWORD: "shop-odoo-user" });
  assertEquals(JSON.stringify(job).includes(SOURCE.cluster.adminPassword), false);
  assertEquals(pod?.volumes?.map(({ name }) => name), ["work"]);
});

Deno.test("copyDatabaseJob() has nothing of spec.extraEnv, whose variables could lead libpq elsewhere", () => {
  const hostile = ["SOURCE_PGHOST", "PGOPTIONS"].map((name) => ({ name, value: "hostile.example.com" }));
  const resolved = aResolved({ spec: { extraEnv: hostile } }, DEFAULTS);
  const job = copyDatabaseJob("copy", resolved, anAddress(), { source: SOURCE, target: "shop_side" });
  assertEquals(JSON.stringify(job).includes("hostile.example.com"), false);
});

const FILES: CopyFilesOptions = {
  source: { claim: "main-filestore-pvc", directory: "main" },
  target: { claim: "shop-filestore-pvc", directory: "shop_side" },
  state: "inUse",
};

Deno.test("copyFilesJob() reads one volume, writes another, and has no login", () => {
  const job = copyFilesJob("copy", aResolved({}, DEFAULTS), anAddress(), FILES);
  const pod = job.spec?.template.spec;
  const [copy] = pod?.containers ?? [];
  assertEquals(pod?.volumes?.map(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName), [
    "main-filestore-pvc",
    "shop-filestore-pvc",
  ]);
  assertEquals(copy?.volumeMounts?.map(({ mountPath, readOnly }) => [mountPath, readOnly ?? false]), [
    ["/source", true],
    ["/var/lib/odoo", false],
  ]);
  assertEquals(copy?.env?.map(({ name, value }) => [name, value]), [
    ["SOURCE_DIR", "/source/filestore/main"],
    ["TARGET_DIR", "/var/lib/odoo/filestore/shop_side"],
    ["COPY_LIVE", "true"],
  ]);
});

Deno.test("copyFilesJob() runs beside the pods that have the volume it reads, and not beside its own as well", () => {
  const resolved = aResolved({ spec: { filestore: { accessModes: ["ReadWriteOnce"] } } }, DEFAULTS);
  const terms = (options: CopyFilesOptions) =>
    copyFilesJob("copy", resolved, anAddress(), options).spec?.template.spec?.affinity?.podAffinity
      ?.requiredDuringSchedulingIgnoredDuringExecution?.map(({ labelSelector }) => labelSelector?.matchLabels);
  assertEquals(terms({ ...FILES, beside: { instance: "main" } }), [{ "bemade.org/instance": "main" }]);
  assertEquals(terms(FILES), [{ "bemade.org/instance": "shop" }]);
});

/** What would destroy data, or lead out of a volume. */
const REFUSED: Readonly<Record<string, { readonly change: Partial<CopyFilesOptions>; readonly says: string }>> = {
  "the target is the directory that the instance serves": {
    change: { target: { claim: "shop-filestore-pvc", directory: aResolved().databaseName } },
    says: "serves",
  },
  "the target is the volume that the instance serves": {
    change: { target: { claim: "shop-filestore-pvc" } },
    says: "serves",
  },
  "both are on one volume": {
    change: { source: { claim: "shop-filestore-pvc", directory: "a" } },
    says: "both are on the volume",
  },
  "a name leads out of the filestore": {
    change: { source: { claim: "main-filestore-pvc", directory: "../sessions" } },
    says: "../sessions",
  },
  "a name leads to the filestore itself": {
    change: { target: { claim: "other", directory: "." } },
    says: "no directory of a filestore",
  },
};

for (const [sentence, { change, says }] of Object.entries(REFUSED)) {
  Deno.test(`copyFilesJob() cannot be made when ${sentence}`, () => {
    const resolved = aResolved({}, DEFAULTS);
    const error = assertThrows(() => copyFilesJob("copy", resolved, anAddress(), { ...FILES, ...change }), RangeError);
    assertStringIncludes(error.message, says);
  });
}
