/** CRDs and objects of all kinds on a real API server: where they come from, and when they are in force. */
import { parse, parseAllDocuments } from "yaml";
import { assertEquals, assertRejects } from "@std/assert";
import type { Client } from "../../src/kit/client.ts";
import type { CustomResourceDefinition } from "../../src/kit/crd.ts";
import { ApiError, isInvalid } from "../../src/kit/errors.ts";
import type { KubeObject, ResourceType } from "../../src/kit/types.ts";
import { type Kind, namesOf, PLURALS } from "../../src/odoo/api.ts";
import { ALL_CRDS } from "../../src/odoo/crd/mod.ts";
import { eventually } from "./eventually.ts";

/** An object of any kind of ours, stored or yet to be: what a hostile manifest holds is not for types to say. */
export interface Manifest extends KubeObject {
  readonly kind: string;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>> | null;
}

interface InstalledCrd extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] | null };
}

const CRDS: ResourceType<InstalledCrd> = {
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  namespaced: false,
};

const TIMEOUT_MS = 30_000;
const UPSTREAM = new URL("../fixtures/upstream-2.5.0/", import.meta.url);

/** The type of objects of a kind of ours. */
export function typeOf(kind: string): ResourceType<Manifest> {
  const known = Object.keys(PLURALS).find((name): name is Kind => name === kind);
  if (!known) throw new RangeError(`Cannot name the type of ${kind}: no kind of the operator's`);
  return namesOf(known);
}

/** That the API server refuses an object, with these words. */
export async function assertInvalid(act: () => Promise<unknown>, message: string): Promise<void> {
  const error = await assertRejects(act, ApiError, message);
  assertEquals(error.status, 422);
}

/** crds/*.yaml, as committed. */
export function committedCrds(): Promise<CustomResourceDefinition[]> {
  const files = Object.keys(ALL_CRDS).map((name) => new URL(`../../crds/${name}.yaml`, import.meta.url));
  return Promise.all(files.map(async (file) => parse(await Deno.readTextFile(file))));
}

/** The CRDs of upstream 2.5.0. */
export function upstreamCrds(): Promise<CustomResourceDefinition[]> {
  return documents(new URL("crds.yaml", UPSTREAM));
}

/** Objects of a fleet as upstream 2.5.0 left it, with their status. */
export function upstreamObjects(): Promise<Manifest[]> {
  return documents(new URL("objects.yaml", UPSTREAM));
}

/** The CRD with neither rules nor the limits that rules need, as if it were older than they are. */
export function withoutRules(crd: CustomResourceDefinition): CustomResourceDefinition {
  const ours = new Set(["x-kubernetes-validations", "maxItems", "maxLength", "maxProperties"]);
  return JSON.parse(JSON.stringify(crd, (key, value) => ours.has(key) ? undefined : value));
}

/** The documents of a YAML file. */
// deno-lint-ignore no-explicit-any -- what a file holds is not for types to say
export async function documents<T = any>(file: URL): Promise<T[]> {
  return parseAllDocuments(await Deno.readTextFile(file)).map((document) => document.toJS());
}

/** Applies a CRD and waits until its objects can be created. */
export async function establish(client: Client, crd: CustomResourceDefinition): Promise<void> {
  const { metadata } = await client.apply(CRDS, crd);
  const fieldSelector = `metadata.name=${metadata.name}`;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const changes = client.watch(CRDS, { fieldSelector, timeoutSeconds: 60, sendInitialEvents: true, signal });
  for await (const { object } of changes) {
    if (object.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True")) return;
  }
  throw new Error(`Cannot use ${metadata.name}: not established`);
}

/**
 * Waits until `probe`, which only the new schema refuses, is refused: the API server goes on with the old one for a
 * moment after it took the new one, and does not say how long.
 */
export async function untilRefused(client: Client, probe: Manifest): Promise<void> {
  await eventually(`${probe.kind} is judged`, async () => {
    if (!await isTaken(client, probe)) return true;
    await client.delete(typeOf(probe.kind), { name: "", ...probe.metadata });
    return false;
  }, { timeoutMs: TIMEOUT_MS });
}

/** Creates an object as soon as the API server takes it: it may judge by the former schema for a moment. */
export async function createOnceTaken(client: Client, object: Manifest): Promise<void> {
  await eventually(`${object.kind} is taken`, () => isTaken(client, object), { timeoutMs: TIMEOUT_MS });
}

async function isTaken(client: Client, object: Manifest): Promise<boolean> {
  try {
    await client.create(typeOf(object.kind), object);
    return true;
  } catch (error) {
    if (isInvalid(error)) return false;
    throw error;
  }
}
