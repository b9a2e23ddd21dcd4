/** What holds for every kind: descriptions, group, versions, and rules that let stored objects live. */
import { assert, assertEquals } from "@std/assert";
import type { CelRule } from "../../../../src/kit/crd.ts";
import { ALL_CRDS } from "../../../../src/odoo/crd/mod.ts";
import { LONGEST_INSTANCE_NAME } from "../../../../src/odoo/model/names.ts";
import { crdNamed, fieldsOf, rulesOf, schemaOf } from "./crd_facts.ts";

/** Names of the files in crds/, which are those of upstream's chart, and the kinds in them. */
const KINDS: Readonly<Record<string, string>> = {
  "odoo-crd": "OdooInstance",
  "initjob-crd": "OdooInitJob",
  "backupjob-crd": "OdooBackupJob",
  "restorejob-crd": "OdooRestoreJob",
  "upgradejob-crd": "OdooUpgradeJob",
  "stagingrefreshjob-crd": "OdooStagingRefreshJob",
};
const WITHOUT_LEGACY_VERSION = "OdooStagingRefreshJob";

Deno.test("ALL_CRDS holds every kind under the name of its file when it is listed", () => {
  assertEquals(Object.fromEntries(Object.entries(ALL_CRDS).map(([name, { spec }]) => [name, spec.names.kind])), KINDS);
});

for (const [name, kind] of Object.entries(KINDS)) {
  Deno.test(`ALL_CRDS explains every field when the kind is ${kind}`, () => {
    const root = schemaOf(crdNamed(name));
    const silent = fieldsOf(root).filter(({ description }) => !description?.endsWith("."));
    assertEquals(silent.map(({ path }) => path), []);
    assert(root.description?.endsWith("."), "the kind itself is not explained");
  });

  Deno.test(`ALL_CRDS keeps group, scope, columns and legacy version when the kind is ${kind}`, () => {
    const { metadata, spec } = crdNamed(name);
    const { versions, names } = spec;
    const plural = `${kind.toLowerCase()}s`;
    assertEquals([names.kind, names.plural, names.singular], [kind, plural, kind.toLowerCase()]);
    assertEquals([metadata?.name, spec.group, spec.scope], [`${plural}.bemade.org`, "bemade.org", "Namespaced"]);
    assertEquals(metadata?.annotations, { "helm.sh/resource-policy": "keep" });
    const current = versions.at(-1);
    assertEquals([current?.name, current?.served, current?.storage], ["v1alpha1", true, true]);
    const legacy = versions.slice(0, -1);
    assertEquals(
      legacy.map(({ name, served, storage, deprecated }) => [name, served, storage, deprecated]),
      kind === WITHOUT_LEGACY_VERSION ? [] : [["v1", false, false, true]],
    );
    for (const { additionalPrinterColumns, schema } of legacy) {
      assertEquals(additionalPrinterColumns, current?.additionalPrinterColumns);
      assertEquals(schema.openAPIV3Schema, { type: "object", "x-kubernetes-preserve-unknown-fields": true });
    }
  });
}

/** Where rules are, how many, and in which manner each of them leaves a stored object alone. */
const RULES: Readonly<Record<string, readonly string[]>> = {
  "odoo-crd": [
    ": creation",
    ": change",
    "spec: upstream",
    "spec: unless the old one lacks it, too",
    "spec.replicas: unless unchanged",
    "spec.cron.replicas: unless unchanged",
    "spec.ingress.hosts: unless unchanged",
    "spec.filestore.storageSize: unless unchanged",
    "spec.filestore.storageSize: change",
    "spec.configOptions: unless unchanged",
    "spec.configOptions: unless unchanged",
    "spec.extraVolumes: unless unchanged",
    "spec.extraVolumes[]: unless unchanged",
  ],
  "initjob-crd": [],
  "backupjob-crd": [],
  "restorejob-crd": ["spec.source: unless unchanged", "spec.source: unless unchanged"],
  "upgradejob-crd": [],
  "stagingrefreshjob-crd": [],
};

for (const [name, want] of Object.entries(RULES)) {
  Deno.test(`ALL_CRDS judges only new and changed values when a rule of ${name} is not upstream's`, () => {
    const found = rulesOf(schemaOf(crdNamed(name))).map(({ path, rule }) => `${path}: ${mannerOf(rule)}`);
    assertEquals(found, want);
  });
}

function mannerOf({ rule, optionalOldSelf }: CelRule): string {
  if (!rule.includes("oldSelf")) return "upstream";
  if (!optionalOldSelf) return "change";
  if (rule.startsWith("oldSelf.hasValue() || ")) return "creation";
  if (rule.endsWith("|| (oldSelf.hasValue() && oldSelf.value() == self)")) return "unless unchanged";
  return /\|\| \(oldSelf\.hasValue\(\) && !.*\)$/.test(rule) ? "unless the old one lacks it, too" : "always";
}

Deno.test("ALL_CRDS refuses the names that the operator refuses when an instance is created", () => {
  const [creation] = schemaOf(crdNamed("odoo-crd"))["x-kubernetes-validations"] ?? [];
  assert(creation?.rule.includes(`self.metadata.name.size() <= ${LONGEST_INSTANCE_NAME}`));
});
