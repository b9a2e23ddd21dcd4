/**
 * How a test writes down the fields of a CRD, and how it reads them from one. Notation of a field: type, `!` required,
 * `?` nullable, ` = default`; `[]` list, `{}` map. Upstream had strings where we take a `Quantity`.
 */
import { assert } from "@std/assert";
import type { CelRule, CustomResourceDefinition, StructuralSchema } from "../../../../src/kit/crd.ts";
import { ALL_CRDS } from "../../../../src/odoo/crd/mod.ts";

/** Path of a field -> what is known about it. */
export type Facts = Readonly<Record<string, string>>;

export const QUANTITY = "Quantity";

/** The same fields, below another one. */
export function under(prefix: string, facts: Facts): Facts {
  return Object.fromEntries(Object.entries(facts).map(([path, fact]) => [`${prefix}${path}`, fact]));
}

/** A field with fields, and these; of each entry, where it is a list. */
export function object(path: string, own: string, facts: Facts): Facts {
  return { [path]: own, ...under(own.startsWith("[") ? `${path}[].` : `${path}.`, facts) };
}

export const WEBHOOK: Facts = {
  url: "string!",
  token: "string?",
  ...object("secretTokenSecretRef", "object?", { name: "string!", key: "string!" }),
};

export const CONDITIONS = object("conditions", "[object]", {
  type: "string!",
  status: "string!",
  reason: "string!",
  message: "string!",
  lastTransitionTime: "date-time!",
  observedGeneration: "int64",
});

export interface Field {
  readonly path: string;
  readonly fact: string;
  readonly description: string | undefined;
}

export function crdNamed(name: string): CustomResourceDefinition {
  const crd = ALL_CRDS[name];
  assert(crd, `no CRD ${name}`);
  return crd;
}

export function schemaOf(crd: CustomResourceDefinition): StructuralSchema {
  const current = crd.spec.versions.find((version) => version.storage);
  assert(current);
  return current.schema.openAPIV3Schema;
}

export function fieldsOf(schema: StructuralSchema, prefix = ""): Field[] {
  const required = new Set(schema.required);
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const path = `${prefix}${name}`;
    const mark = `${required.has(name) ? "!" : ""}${child.nullable ? "?" : ""}`;
    const standard = child.default === undefined ? "" : ` = ${JSON.stringify(child.default)}`;
    const own = { path, fact: `${typeOf(child)}${mark}${standard}`, description: child.description };
    return [own, ...fieldsOf(child.items ?? child, child.items ? `${path}[].` : `${path}.`)];
  });
}

function typeOf(schema: StructuralSchema): string {
  if (schema["x-kubernetes-int-or-string"]) return QUANTITY;
  if (schema.enum) return schema.enum.join("|");
  if (schema.items) return `[${typeOf(schema.items)}]`;
  if (schema.additionalProperties) return `{${typeOf(schema.additionalProperties)}}`;
  return schema.format ?? schema.type ?? "any";
}

export function columns(given: CustomResourceDefinition["spec"]["versions"][number]["additionalPrinterColumns"]) {
  return given?.map(({ name, jsonPath, type }) => `${name} ${jsonPath} ${type}`);
}

export function sorted(facts: Facts): Facts {
  return Object.fromEntries(Object.entries(facts).toSorted(([a], [b]) => a < b ? -1 : 1));
}

/** The fields of the served version of the CRD in `crds/<name>.yaml`. */
export function factsOf(name: string): Facts {
  return Object.fromEntries(fieldsOf(schemaOf(crdNamed(name))).map(({ path, fact }) => [path, fact]));
}

/** Every rule with the path of what it judges. */
export function rulesOf(schema: StructuralSchema, path = ""): { readonly path: string; readonly rule: CelRule }[] {
  const { properties = {}, items, "x-kubernetes-validations": own = [] } = schema;
  return [
    ...own.map((rule) => ({ path, rule })),
    ...Object.entries(properties).flatMap(([name, child]) => rulesOf(child, path ? `${path}.${name}` : name)),
    ...(items ? rulesOf(items, `${path}[]`) : []),
  ];
}
