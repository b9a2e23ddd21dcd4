import { z } from "zod";
import { assertEquals, assertThrows } from "@std/assert";
import {
  customResourceDefinition,
  embeddedType,
  intOrString,
  kubernetes,
  type ManifestOf,
  structuralSchema,
} from "../../../src/kit/crd.ts";

const rule = { rule: "self > 0", message: "must be positive" };

const SCHEMAS: Readonly<Record<string, { readonly given: z.ZodType; readonly want: unknown }>> = {
  "writes an int32 by its format when zod writes bounds": {
    given: z.int32(),
    want: { type: "integer", format: "int32" },
  },
  "keeps the bounds when they are narrower than the format": {
    given: z.int32().min(0).max(9),
    want: { type: "integer", minimum: 0, maximum: 9, format: "int32" },
  },
  "writes an int64 when the schema is a safe integer": { given: z.int(), want: { type: "integer", format: "int64" } },
  "writes int-or-string when given the union of both": {
    given: intOrString(),
    want: { anyOf: [{ type: "integer" }, { type: "string" }], "x-kubernetes-int-or-string": true },
  },
  "writes nullable when a field is nullish, and not when it is optional": {
    given: z.object({ a: z.string().nullish(), b: z.string().optional(), c: intOrString().nullish() }),
    want: {
      type: "object",
      properties: {
        a: { type: "string", nullable: true },
        b: { type: "string" },
        c: {
          anyOf: [{ type: "integer" }, { type: "string" }],
          "x-kubernetes-int-or-string": true,
          nullable: true,
        },
      },
    },
  },
  "requires a field when it is neither optional nor has a default": {
    given: z.object({ a: z.string(), b: z.string().default("x"), c: z.string().optional() }),
    want: {
      type: "object",
      required: ["a"],
      properties: { a: { type: "string" }, b: { type: "string", default: "x" }, c: { type: "string" } },
    },
  },
  "keeps the inner defaults when an object has a default too": {
    given: z.object({ n: z.int32().default(2) }).default({ n: 1 }),
    want: {
      type: "object",
      default: { n: 1 },
      properties: { n: { type: "integer", format: "int32", default: 2 } },
    },
  },
  "writes enums when nullable without null among them": {
    given: z.enum(["A", "B"]).nullable(),
    want: { type: "string", enum: ["A", "B"], nullable: true },
  },
  "writes additionalProperties when given a record": {
    given: z.record(z.string(), intOrString()),
    want: {
      type: "object",
      additionalProperties: { anyOf: [{ type: "integer" }, { type: "string" }], "x-kubernetes-int-or-string": true },
    },
  },
  "leaves additionalProperties out when an object is strict": {
    given: z.strictObject({ a: z.string() }),
    want: { type: "object", required: ["a"], properties: { a: { type: "string" } } },
  },
  "preserves unknown fields when an object is loose": {
    given: z.looseObject({}),
    want: { type: "object", properties: {}, "x-kubernetes-preserve-unknown-fields": true },
  },
  "preserves unknown fields when anything goes": {
    given: z.unknown(),
    want: { "x-kubernetes-preserve-unknown-fields": true },
  },
  "drops readOnly when an object is read-only in TypeScript": {
    given: z.object({ a: z.string() }).readonly(),
    want: { type: "object", required: ["a"], properties: { a: { type: "string" } } },
  },
  "writes descriptions and rules when they are on a wrapped schema": {
    given: z.int32().default(1).describe("How many").meta(kubernetes({ rules: [rule] })),
    want: {
      description: "How many",
      type: "integer",
      format: "int32",
      default: 1,
      "x-kubernetes-validations": [rule],
    },
  },
  "writes how many entries a map may have when hinted": {
    given: z.record(z.string(), z.string()).nullish().meta(kubernetes({ maxProperties: 3 })),
    want: { type: "object", nullable: true, additionalProperties: { type: "string" }, maxProperties: 3 },
  },
  "writes list keys, map type and format when hinted": {
    given: z.object({
      list: z.array(z.object({ name: z.string() })).meta(kubernetes({ listType: "map", listMapKeys: ["name"] })),
      time: z.string().meta(kubernetes({ format: "date-time" })),
    }).meta(kubernetes({ mapType: "atomic", preserveUnknownFields: true })),
    want: {
      type: "object",
      "x-kubernetes-map-type": "atomic",
      "x-kubernetes-preserve-unknown-fields": true,
      required: ["list", "time"],
      properties: {
        list: {
          type: "array",
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["name"],
          items: { type: "object", required: ["name"], properties: { name: { type: "string" } } },
        },
        time: { type: "string", format: "date-time" },
      },
    },
  },
};

for (const [sentence, { given, want }] of Object.entries(SCHEMAS)) {
  Deno.test(`structuralSchema() ${sentence}`, () => assertEquals<unknown>(structuralSchema(given), want));
}

Deno.test("structuralSchema() names the path when a union is not structural", () => {
  const schema = z.object({ a: z.object({ b: z.union([z.string(), z.boolean()]) }) });
  assertThrows(() => structuralSchema(schema), TypeError, "properties.a.properties.b: anyOf is not structural");
});

Deno.test("structuralSchema() throws when types are intersected or recursive", () => {
  const both = z.intersection(z.object({ a: z.string() }), z.object({ b: z.string() }));
  assertThrows(() => structuralSchema(both), TypeError, "allOf is not structural");
  const tree: z.ZodType = z.object({
    get child() {
      return tree.optional();
    },
  });
  assertThrows(() => structuralSchema(tree), Error, "Cycle detected");
});

Deno.test("structuralSchema() writes what a field is before what is in it when both are there", () => {
  const schema = structuralSchema(z.object({ type: z.string() }).default({ type: "x" }).describe("Which"));
  assertEquals(Object.keys(schema), ["description", "type", "default", "required", "properties"]);
});

Deno.test("customResourceDefinition() fills in names, columns and subresources when only the least is given", () => {
  const crd = customResourceDefinition({
    group: "example.com",
    kind: "WebApp",
    plural: "webapps",
    versions: [{
      name: "v1",
      description: "A web application.",
      spec: z.object({ image: z.string() }),
      status: z.object({ url: z.string().optional() }),
      printerColumns: [{ name: "Image", jsonPath: ".spec.image" }],
      selectableFields: [".spec.image"],
    }],
  });
  assertEquals<unknown>(crd, {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "webapps.example.com" },
    spec: {
      group: "example.com",
      names: { kind: "WebApp", plural: "webapps", singular: "webapp" },
      scope: "Namespaced",
      versions: [{
        name: "v1",
        served: true,
        storage: true,
        additionalPrinterColumns: [{ name: "Image", type: "string", jsonPath: ".spec.image" }],
        selectableFields: [{ jsonPath: ".spec.image" }],
        schema: {
          openAPIV3Schema: {
            description: "A web application.",
            type: "object",
            required: ["spec"],
            properties: {
              spec: { type: "object", required: ["image"], properties: { image: { type: "string" } } },
              status: { type: "object", nullable: true, properties: { url: { type: "string" } } },
            },
          },
        },
        subresources: { status: {} },
      }],
    },
  });
});

Deno.test("customResourceDefinition() writes a placeholder when a version has no schema", () => {
  const scale = { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" };
  const { versions } = customResourceDefinition({
    group: "example.com",
    kind: "WebApp",
    plural: "webapps",
    versions: [{ name: "v0", served: false, storage: false, deprecationWarning: "use v1", scale }],
  }).spec;
  assertEquals<unknown>(versions, [{
    name: "v0",
    served: false,
    storage: false,
    deprecated: true,
    deprecationWarning: "use v1",
    schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
    subresources: { status: {}, scale },
  }]);
});

Deno.test("customResourceDefinition() writes rules at the root when they are about the whole object", () => {
  const { versions } = customResourceDefinition({
    group: "example.com",
    kind: "WebApp",
    plural: "webapps",
    versions: [{ name: "v1", spec: z.object({ a: z.string() }), rules: [rule] }],
  }).spec;
  assertEquals(versions[0]?.schema.openAPIV3Schema["x-kubernetes-validations"], [rule]);
});

Deno.test("ManifestOf types fields as optional, nullable, read-only or foreign when the schema says so", () => {
  interface Foreign {
    names: string[];
  }
  const schema = z.object({
    a: z.string().nullish(),
    b: z.int32().default(1),
    list: z.array(z.string()),
    foreign: embeddedType<Foreign>(z.object({ names: z.array(z.string()) })).optional(),
  });
  const manifest: ManifestOf<typeof schema> = { a: null, list: ["x"], foreign: { names: [] } };
  const names: string[] = manifest.foreign?.names ?? []; // compiles: a foreign type stays mutable
  const list: readonly string[] = manifest.list;
  // @ts-expect-error a list of ours does not
  const mutable: string[] = manifest.list;
  assertEquals([names, list, mutable], [[], ["x"], ["x"]]);
});
