/** Values that nobody should write, for every place of a schema at any depth; after Acto, which finds bugs in operators so. */
import { assert } from "@std/assert";
import type { StructuralSchema } from "../../src/kit/crd.ts";
import { conditionOf, type KubeObject, type ResourceType, type Stored } from "../../src/kit/mod.ts";
import { ALL_CRDS, type OdooInstance } from "../../src/odoo/crd/mod.ts";
import type { Rig } from "./rig.ts";

/** One value at one place below `spec`. */
export interface Trial {
  /** The way there: names of fields, keys of maps, indexes of lists. */
  readonly path: readonly (string | number)[];
  /** `undefined`: the field is absent, whatever else is there. */
  readonly value: unknown;
}

/** Where a person may put text: nothing, too much, code for a shell or SQL, characters that end lines. */
function hostileTexts(marker: string): string[] {
  return [
    "",
    "x".repeat(5_000),
    `-c '; CREATE ROLE marker; -- $(touch ${marker}/shell) \`touch ${marker}/shell\``,
    "host=example.com\ndb_name = postgres\u0000\u{1F4A9}",
  ];
}

const HOSTILE_QUANTITIES = [null, -1, 0, "", "1Zi", "10 apples"];
/** Not for a volume's size, which may grow to anything and can never be taken back. */
const HUGE_QUANTITY = "9".repeat(400);
const HOSTILE_NUMBERS = [null, "7", -1, 0, 1.5, 2 ** 31 - 1, 2 ** 53];

function hostileValues(schema: StructuralSchema, marker: string): unknown[] {
  if (schema["x-kubernetes-int-or-string"]) return HOSTILE_QUANTITIES;
  switch (schema.type) {
    case "string":
      return [null, ...schema.enum ? ["", "Nonsense"] : hostileTexts(marker)];
    case "integer": {
      const edges = [schema.minimum, schema.maximum].flatMap((edge) =>
        edge === undefined ? [] : [edge - 1, edge, edge + 1]
      );
      return [...new Set([...HOSTILE_NUMBERS, ...edges])];
    }
    case "boolean":
      return [null, "yes"];
    case "array":
      return [null, [], [null], {}];
    default:
      return [null, {}, "text"];
  }
}

/** Every trial below `spec`; `marker` is a folder in which a file appears if somebody runs what is only text. */
export function hostileTrials(marker: string): Trial[] {
  return trialsBelow(specSchema(), [], marker);
}

function trialsBelow(schema: StructuralSchema, path: Trial["path"], marker: string): Trial[] {
  const { properties = {}, items, additionalProperties } = schema;
  const inner: [string | number, StructuralSchema][] = [
    ...Object.entries(properties),
    ...items ? [[0, items] satisfies [number, StructuralSchema]] : [],
    ...additionalProperties ? [["key", additionalProperties] satisfies [string, StructuralSchema]] : [],
  ];
  return inner.flatMap(([step, schema]) => {
    const here = [...path, step];
    const huge = schema["x-kubernetes-int-or-string"] && step !== "storageSize" ? [HUGE_QUANTITY] : [];
    const own = [...hostileValues(schema, marker), ...huge, ...typeof step === "string" ? [undefined] : []];
    return [...own.map((value) => ({ path: here, value })), ...trialsBelow(schema, here, marker)];
  });
}

function specSchema(): StructuralSchema {
  const versions = ALL_CRDS["odoo-crd"]?.spec.versions ?? [];
  const schema = versions.find(({ served }) => served)?.schema.openAPIV3Schema.properties?.spec;
  assert(schema, "the CRD has a schema");
  return schema;
}

/** `good` with the trial's value in it. What must stand around it and is not in `good` is made, as harmless as may be. */
export function withTrial(good: object, { path, value }: Trial): Record<string, unknown> {
  const spec = placed(good, specSchema(), path, value);
  return spec as Record<string, unknown>;
}

function placed(around: unknown, schema: StructuralSchema | undefined, path: Trial["path"], value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (typeof step === "number") {
    return [placed((around as unknown[] | undefined)?.[step], schema?.items, rest, value)];
  }
  const present = { ...requiredOf(schema), ...around as Record<string, unknown> | undefined };
  const inner = schema?.properties?.[step] ?? schema?.additionalProperties;
  return { ...present, [step]: placed(present[step], inner, rest, value) };
}

/** Looked at since it became so: either carried out, or said why not. */
export function isAnswered({ metadata, status }: Stored<OdooInstance>): boolean {
  const report = conditionOf(status?.conditions, "ChildrenApplied");
  const refused = report?.status === "False" && report.observedGeneration === metadata.generation && report.message;
  return Boolean(refused) || status?.observedGeneration === metadata.generation;
}

/** So many pods are enough for everything here; two milliards, which a field allows, are kept from the cluster by this. */
export async function limitPods(rig: Rig, namespace: string): Promise<void> {
  const quota = { metadata: { name: "pods", namespace }, spec: { hard: { pods: "30" } } };
  await rig.client.create<KubeObject>(ResourceQuota, quota);
}

const ResourceQuota: ResourceType = { group: "", version: "v1", kind: "ResourceQuota", plural: "resourcequotas" };

/** What is harmless, by the name of the field. */
const HARMLESS: Readonly<Record<string, unknown>> = {
  key: "kubernetes.io/hostname",
  mountPath: "/mnt/extra",
  operator: "Exists",
  topologyKey: "kubernetes.io/hostname",
  whenUnsatisfiable: "ScheduleAnyway",
};

function requiredOf(schema: StructuralSchema | undefined): Record<string, unknown> {
  const { required = [], properties = {} } = schema ?? {};
  return Object.fromEntries(required.map((name) => [name, HARMLESS[name] ?? harmless(properties[name])]));
}

function harmless(schema: StructuralSchema | undefined): unknown {
  switch (schema?.type) {
    case "integer":
      return schema.minimum ?? 1;
    case "boolean":
      return false;
    case "array":
      return [harmless(schema.items)];
    case "object":
      return requiredOf(schema);
    default:
      return schema?.enum?.[0] ?? "extra";
  }
}
