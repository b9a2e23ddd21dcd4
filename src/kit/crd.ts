/**
 * zod schemas + names -> a CustomResourceDefinition that kube-apiserver accepts. For build time tools: the rest of the
 * kit never imports this file by value, so zod stays out of the operator's binary.
 *
 * A schema says everything once: `.nullish()` is optional and nullable, `.optional()` only optional, `.default()` a
 * default of the API server, `.describe()` what `kubectl explain` shows, `.meta(kubernetes({…}))` what zod cannot say.
 * What a structural schema cannot say (unions, intersections, recursion) is refused here, and not by the API server.
 */
import { z } from "zod";
import type { Condition, KubeObject } from "./types.ts";

/** `x-kubernetes-validations[]`: a rule in CEL and what a user reads when it is broken. */
export interface CelRule {
  /** True means valid. `self` is the value; `oldSelf` the stored one. */
  readonly rule: string;
  readonly message: string;
  /** Where the finger points, relative to the value: `.replicas`. */
  readonly fieldPath?: string;
  readonly reason?: "FieldValueInvalid" | "FieldValueForbidden" | "FieldValueRequired" | "FieldValueDuplicate";
  /** Makes `oldSelf` an optional, so that a rule about changes is judged on creation too. */
  readonly optionalOldSelf?: boolean;
}

/** What a Kubernetes schema can say and zod cannot. */
export interface KubernetesHints {
  readonly rules?: readonly CelRule[];
  readonly listType?: "atomic" | "set" | "map";
  /** The fields that identify an entry of a list of type `map`. */
  readonly listMapKeys?: readonly string[];
  readonly mapType?: "atomic" | "granular";
  readonly preserveUnknownFields?: boolean;
  /** As in OpenAPI: `date-time`, `byte`… */
  readonly format?: string;
  /** Most entries of a map; without it no rule can look at all of them. */
  readonly maxProperties?: number;
}

/** A structural schema: the subset of OpenAPI v3 that a CustomResourceDefinition may use. */
export interface StructuralSchema {
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  readonly description?: string;
  readonly format?: string;
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly additionalProperties?: StructuralSchema;
  readonly items?: StructuralSchema;
  readonly anyOf?: readonly StructuralSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly pattern?: string;
  readonly "x-kubernetes-int-or-string"?: true;
  readonly "x-kubernetes-preserve-unknown-fields"?: true;
  readonly "x-kubernetes-validations"?: readonly CelRule[];
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-map-type"?: string;
}

/** One column of `kubectl get`. */
export interface PrinterColumn {
  readonly name: string;
  readonly jsonPath: string;
  /** @default {"string"} */
  readonly type?: "string" | "integer" | "number" | "boolean" | "date";
  readonly description?: string;
  /** Above 0: only with `-o wide`. */
  readonly priority?: number;
}

/** What `kubectl scale` and a HorizontalPodAutoscaler read and write. */
export interface ScaleSubresource {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  readonly labelSelectorPath?: string;
}

/** One version of a kind. */
export interface CrdVersion {
  readonly name: string;
  /** @default {true} */
  readonly served?: boolean;
  /** @default {true} */
  readonly storage?: boolean;
  /** Marks the version as deprecated, with a warning that says what to do. */
  readonly deprecationWarning?: string;
  /** What `kubectl explain <kind>` opens with. */
  readonly description?: string;
  /** Absent: a placeholder that keeps any field, for a version that is only known by name. */
  readonly spec?: z.ZodType;
  readonly status?: z.ZodType;
  /** Rules about the whole object: the only ones that see `self.metadata.name` and both spec and status. */
  readonly rules?: readonly CelRule[];
  readonly printerColumns?: readonly PrinterColumn[];
  /** JSON paths that field selectors may use. */
  readonly selectableFields?: readonly string[];
  readonly scale?: ScaleSubresource;
}

/** Everything about a kind that is not generated. */
export interface CrdDefinition {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  /** @default the kind in lower case */
  readonly singular?: string;
  readonly shortNames?: readonly string[];
  /** @default {"Namespaced"} */
  readonly scope?: "Namespaced" | "Cluster";
  readonly annotations?: Readonly<Record<string, string>>;
  readonly versions: readonly CrdVersion[];
}

/** One entry of `spec.versions`, as generated. */
export interface CustomResourceDefinitionVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly deprecated?: boolean;
  readonly deprecationWarning?: string;
  readonly additionalPrinterColumns?: readonly PrinterColumn[];
  readonly selectableFields?: readonly { readonly jsonPath: string }[];
  readonly schema: { readonly openAPIV3Schema: StructuralSchema };
  readonly subresources: { readonly status: Readonly<Record<string, never>>; readonly scale?: ScaleSubresource };
}

/** `apiextensions.k8s.io/v1`, as far as {@linkcode customResourceDefinition} fills it. */
export interface CustomResourceDefinition extends KubeObject {
  readonly apiVersion: "apiextensions.k8s.io/v1";
  readonly kind: "CustomResourceDefinition";
  readonly spec: {
    readonly group: string;
    readonly names: {
      readonly kind: string;
      readonly plural: string;
      readonly singular: string;
      readonly shortNames?: readonly string[];
    };
    readonly scope: "Namespaced" | "Cluster";
    readonly versions: readonly CustomResourceDefinitionVersion[];
  };
}

declare const embedded: unique symbol;

/** A place in a schema whose TypeScript type is written elsewhere, see {@linkcode embeddedType}. */
export interface Embedded<T> {
  readonly [embedded]: T;
}

/** `T` with every object and array read-only; embedded types stay as they are written. */
export type DeepReadonly<T> = T extends Embedded<infer Foreign> ? Foreign
  : T extends readonly (infer Item)[] ? readonly DeepReadonly<Item>[]
  : T extends object ? { readonly [Key in keyof T]: DeepReadonly<Exclude<T[Key], undefined>> }
  : T;

/** The JSON that a schema accepts: fields with a default may be absent, nullable ones may be `null`. */
export type ManifestOf<Schema extends z.ZodType> = DeepReadonly<z.input<Schema>>;

/**
 * Gives a schema the TypeScript type of a Kubernetes API type, so that code which takes that type takes the field as it
 * is. Nothing checks that both agree.
 *
 * @example
 * ```ts
 * const toleration = embeddedType<V1Toleration>(z.object({ key: z.string().optional() }));
 * ```
 */
export function embeddedType<T>(schema: z.ZodType): z.ZodType<Embedded<T>, Embedded<T>> {
  return schema as z.ZodType<Embedded<T>, Embedded<T>>;
}

/** The argument of zod's `.meta()` for what only Kubernetes knows. */
export function kubernetes(hints: KubernetesHints): Record<string, unknown> {
  const { rules, listType, listMapKeys, mapType, preserveUnknownFields, format, maxProperties } = hints;
  return withoutUndefined({
    "x-kubernetes-validations": rules,
    "x-kubernetes-list-type": listType,
    "x-kubernetes-list-map-keys": listMapKeys,
    "x-kubernetes-map-type": mapType,
    "x-kubernetes-preserve-unknown-fields": preserveUnknownFields,
    format,
    maxProperties,
  });
}

/** An entry of `status.conditions`, typed as the kit's own Condition. */
export const conditionSchema = embeddedType<Condition>(z.object({
  lastTransitionTime: z.string().meta(kubernetes({ format: "date-time" })).describe(
    "When the status of the condition last changed, in RFC 3339.",
  ),
  message: z.string().describe("Explanation for users, with the next step when something is wrong."),
  observedGeneration: z.int().optional().describe("Value of metadata.generation that the condition refers to."),
  reason: z.string().describe("Reason of the status in CamelCase, for programs."),
  status: z.string().describe("Status of the condition: True, False or Unknown."),
  type: z.string().describe("Type of the condition, such as Ready."),
}));

/** An integer or a string, such as a port or a quantity: `x-kubernetes-int-or-string`. */
export function intOrString(): z.ZodUnion<readonly [z.ZodInt, z.ZodString]> {
  return z.union([z.int(), z.string()]);
}

/**
 * The definition of a custom resource, ready to be applied.
 *
 * @example
 * ```ts
 * const crd = customResourceDefinition({
 *   group: "example.com",
 *   kind: "WebApp",
 *   plural: "webapps",
 *   versions: [{ name: "v1", spec: z.object({ image: z.string(), replicas: z.int32().default(1) }) }],
 * });
 * ```
 */
export function customResourceDefinition(definition: CrdDefinition): CustomResourceDefinition {
  const { group, kind, plural, singular = kind.toLowerCase(), shortNames, scope = "Namespaced", annotations } =
    definition;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}`, ...(annotations && { annotations }) },
    spec: {
      group,
      names: { kind, plural, singular, ...(shortNames && { shortNames }) },
      scope,
      versions: definition.versions.map(versionEntry),
    },
  };
}

/** The structural schema of a zod schema. Throws a TypeError for what no structural schema can say. */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  const json = z.toJSONSchema(schema, {
    target: "openapi-3.0",
    io: "input",
    cycles: "throw",
    override: ({ zodSchema, jsonSchema, path }) => makeStructural(jsonSchema, { zodSchema, path }),
  });
  return inReadingOrder(JSON.parse(JSON.stringify(json))); // a plain tree: zod shares subtrees
}

/** Generated files are read by people: what a field is comes before what is in it. */
function inReadingOrder(schema: StructuralSchema): StructuralSchema {
  const { description, type, required, properties, items, additionalProperties, ...rest } = schema;
  return {
    ...(description && { description }),
    ...(type && { type }),
    ...rest,
    ...(required && { required }),
    ...(properties && { properties: mapValues(properties, inReadingOrder) }),
    ...(items && { items: inReadingOrder(items) }),
    ...(additionalProperties && { additionalProperties: inReadingOrder(additionalProperties) }),
  };
}

function mapValues<T>(record: Readonly<Record<string, T>>, map: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

function versionEntry(version: CrdVersion): CustomResourceDefinitionVersion {
  const { name, served = true, storage = true, deprecationWarning, printerColumns, selectableFields, scale } = version;
  return {
    name,
    served,
    storage,
    ...(deprecationWarning && { deprecated: true, deprecationWarning }),
    ...(printerColumns && { additionalPrinterColumns: printerColumns.map(typedColumn) }),
    ...(selectableFields && { selectableFields: selectableFields.map((jsonPath) => ({ jsonPath })) }),
    schema: { openAPIV3Schema: version.spec ? rootSchema(version, version.spec) : ANYTHING },
    subresources: { status: {}, ...(scale && { scale }) },
  };
}

function typedColumn({ name, type = "string", ...rest }: PrinterColumn): PrinterColumn {
  return { name, type, ...rest };
}

const ANYTHING: StructuralSchema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

function rootSchema(version: CrdVersion, spec: z.ZodType): StructuralSchema {
  const { description, status, rules } = version;
  // An operator may store `status: null`, and must get such an object back in order to repair it.
  const root = structuralSchema(z.object({ spec, ...(status && { status: status.nullish() }) }));
  return { ...(description && { description }), ...root, ...(rules && { "x-kubernetes-validations": rules }) };
}

interface OverrideContext {
  readonly zodSchema: z.core.$ZodType;
  readonly path: readonly (string | number)[];
}

/** Bounds that zod writes for its integer formats: the format says the same, and some of them the server refuses. */
const FORMAT_BOUNDS: Readonly<
  Record<string, { readonly format: string; readonly minimum: number; readonly maximum: number }>
> = {
  int32: { format: "int32", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 },
  safeint: { format: "int64", minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
};

function makeStructural(json: z.core.JSONSchema.BaseSchema, { zodSchema, path }: OverrideContext): void {
  delete json.$schema;
  delete json.propertyNames;
  delete json.readOnly;
  if (zodSchema instanceof z.ZodNumberFormat) nameIntegerFormat(json, zodSchema._zod.def.format);
  if (zodSchema instanceof z.ZodUnknown || zodSchema instanceof z.ZodAny) {
    json["x-kubernetes-preserve-unknown-fields"] = true;
  }
  if (zodSchema instanceof z.ZodObject) openUnknownFields(json);
  if (isIntOrString(json)) {
    json["x-kubernetes-int-or-string"] = true;
    json.anyOf = [{ type: "integer" }, { type: "string" }]; // the only form in which the API server takes types here
  }
  const foreign = ["anyOf", "oneOf", "allOf", "not", "$ref"].find((keyword) =>
    keyword in json && !json["x-kubernetes-int-or-string"]
  );
  if (foreign) throw new TypeError(`Cannot express ${path.join(".") || "the schema"}: ${foreign} is not structural`);
}

function nameIntegerFormat(json: z.core.JSONSchema.BaseSchema, zodFormat: string): void {
  const known = FORMAT_BOUNDS[zodFormat];
  if (!known) return;
  json.format = known.format;
  if (json.minimum === known.minimum) delete json.minimum;
  if (json.maximum === known.maximum) delete json.maximum;
}

/** The API server prunes unknown fields unless the schema preserves them, and does not take `additionalProperties: false`. */
function openUnknownFields(json: z.core.JSONSchema.BaseSchema): void {
  if (json.additionalProperties !== false && json.additionalProperties !== undefined) {
    json["x-kubernetes-preserve-unknown-fields"] = true;
  }
  delete json.additionalProperties;
}

function isIntOrString({ anyOf }: z.core.JSONSchema.BaseSchema): boolean {
  const types = anyOf?.map((branch) => typeof branch === "object" ? branch.type : undefined).sort();
  return types?.join() === "integer,string";
}

function withoutUndefined(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}
