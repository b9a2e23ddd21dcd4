import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { prepareCopyJob, removeFilesJob, restoreLoadJob, swapFilesJob } from "../../../../../src/odoo/resources/mod.ts";
import { anAddress, aResolved, aRestoreJob, someDefaults } from "../../../../support/builders.ts";

const DEFAULTS = someDefaults({ operatorImage: "odoo-operator:test", postgresClientImage: "postgres:17" });
const PREPARE = { side: "shop_side", data: "neutralized", update: "none" } as const;

Deno.test("prepareCopyJob() works on the copy whatever spec.extraEnv says", () => {
  const hostile = ["PGDATABASE", "PREPARE_NEUTRALIZE", "PREPARE_FILES"].map((name) => ({ name, value: "shop" }));
  const resolved = aResolved({ spec: { extraEnv: [...hostile, { name: "FONT", value: "x" }] } }, DEFAULTS);
  const [prepare] = prepareCopyJob("back-prepare", resolved, anAddress(), PREPARE).spec?.template.spec?.containers ??
    [];
  const values = (name: string) => prepare?.env?.filter((variable) => variable.name === name).map(({ value }) => value);
  assertEquals(values("PGDATABASE"), ["shop_side"]);
  assertEquals(values("PREPARE_NEUTRALIZE"), ["true"]);
  assertEquals(values("PREPARE_FILES"), [""]);
  assertEquals(values("FONT"), ["x"]);
});

Deno.test("restoreLoadJob() gives keys to the one that fetches and the password to the one that loads, and no code the extra variables", () => {
  const resolved = aResolved({ spec: { extraEnv: [{ name: "EXTRA", value: "x" }] } }, DEFAULTS);
  const job = restoreLoadJob("back-load", aRestoreJob(), resolved, anAddress(), { side: "shop_side" });
  const containers = job.spec?.template.spec?.containers ?? [];
  const secretsOf = (index: number) =>
    containers[index]?.env?.filter(({ valueFrom }) => valueFrom).map(({ name }) => name);
  assertEquals(containers.map(({ name, image }) => [name, image]), [
    ["restore", "odoo-operator:test"],
    ["load", "postgres:17"],
  ]);
  assertEquals(secretsOf(0), ["S3_ACCESS_KEY", "S3_SECRET_KEY"]);
  assertEquals(secretsOf(1), ["PGPASSWORD"]);
  assertEquals(JSON.stringify(containers).includes("EXTRA"), false);
  assertEquals(containers[1]?.env?.find(({ name }) => name === "PGDATABASE")?.value, "shop_side");
});

Deno.test("restoreLoadJob() gives the authority to the one that fetches, from S3 alone", () => {
  const caSecretRef = { name: "s3-ca" };
  const podOf = (type: "s3" | "odoo") => {
    const cr = aRestoreJob({
      spec: { source: { type, s3: { caSecretRef }, odoo: { url: "https://old.example.com" } } },
    });
    return restoreLoadJob("back-load", cr, aResolved({}, DEFAULTS), anAddress(), { side: "s" }).spec?.template.spec;
  };
  const { containers: [restore, load] = [], volumes } = podOf("s3") ?? {};
  const path = "/etc/s3-authority/ca.crt";
  assertEquals(restore?.env?.find(({ name }) => name === "S3_CA_FILE")?.value, path);
  assertEquals(restore?.volumeMounts?.at(-1), { name: "s3-authority", mountPath: "/etc/s3-authority", readOnly: true });
  assertEquals(load?.volumeMounts?.length, 1);
  const secret = { secretName: "s3-ca", items: [{ key: "ca.crt", path: "ca.crt" }], optional: true };
  assertEquals(volumes?.at(-1), { name: "s3-authority", secret });
  assertEquals(JSON.stringify(podOf("odoo")).includes("authority"), false);
});

Deno.test("restoreLoadJob() never carries the master password of the CR", () => {
  const odoo = { url: "https://old.example.com", masterPassword: "canary" };
  const cr = aRestoreJob({ spec: { source: { type: "odoo", s3: undefined, odoo } } });
  const masterPassword = { name: "back-source", key: "masterPassword" };
  const job = restoreLoadJob("back-load", cr, aResolved({}, DEFAULTS), anAddress(), { side: "s", masterPassword });
  assertEquals(JSON.stringify(job).includes("canary"), false);
  assertStringIncludes(JSON.stringify(job), '"SOURCE_PASSWORD","valueFrom":{"secretKeyRef":{"name":"back-source"');
});

Deno.test("restoreLoadJob() cannot be made when the operator does not know its own image", () => {
  const { operatorImage: _, ...defaults } = DEFAULTS;
  const resolved = aResolved({}, defaults);
  assertThrows(() => restoreLoadJob("back-load", aRestoreJob(), resolved, anAddress(), { side: "s" }), RangeError);
});

Deno.test("swapFilesJob() and removeFilesJob() have the files and nothing else of the instance", () => {
  const resolved = aResolved({}, DEFAULTS);
  const swap = swapFilesJob("back-files", resolved, anAddress(), { direction: "back", side: "s", old: "o" });
  const remove = removeFilesJob("back-remove", resolved, anAddress(), { directory: "o", pattern: "o*" });
  for (const job of [swap, remove]) {
    const pod = job.spec?.template.spec;
    assertEquals(pod?.volumes?.map(({ name }) => name), ["filestore"]);
    assertEquals(JSON.stringify(pod?.containers).includes("PGPASSWORD"), false);
  }
});
