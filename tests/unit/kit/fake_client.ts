/** Objects and API servers made up for the kit's unit tests. */
import type { Client, RawWatchEvent } from "../../../src/kit/client.ts";
import type { KubeObject, ObjectMeta, ResourceType, Stored } from "../../../src/kit/types.ts";

/** A kind with a body. */
export interface Thing extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
}

export const THINGS: ResourceType<Thing> = { group: "example.com", version: "v1", kind: "Thing", plural: "things" };

/** What {@linkcode aThing} may be told. */
export interface ThingOptions {
  readonly version?: string;
  readonly spec?: Thing["spec"];
  readonly metadata?: ObjectMeta;
}

/** A stored object in namespace `ns`; its uid is derived from its name. */
export function aThing(name: string, options: ThingOptions = {}): Stored<Thing> {
  const { version = "1", spec, metadata } = options;
  return {
    apiVersion: "example.com/v1",
    kind: "Thing",
    metadata: { namespace: "ns", ...metadata, name, uid: `uid-${name}`, resourceVersion: version },
    ...(spec ? { spec } : {}),
  };
}

/** A line of a watch. */
export function anEvent(type: RawWatchEvent<Thing>["type"], object: Stored<Thing>): RawWatchEvent<Thing> {
  return { type, object };
}

/** A bookmark; `initialEventsEnd` closes a streamed list. */
export function aBookmark(
  version: string,
  options: { readonly initialEventsEnd?: boolean } = {},
): RawWatchEvent<Thing> {
  const annotations = options.initialEventsEnd ? { "k8s.io/initial-events-end": "true" } : {};
  return anEvent("BOOKMARK", aThing("", { version, metadata: { annotations } }));
}

/** An ERROR line as the API server writes it. */
export function anErrorEvent(code: number, reason: string): RawWatchEvent<Thing> {
  return JSON.parse(JSON.stringify({ type: "ERROR", object: { kind: "Status", code, reason, message: reason } }));
}

/** A client that can only do what it is given; anything else fails the test. */
export function fakeClient(can: Partial<Client>): Client {
  const refuse = (what: string) => (): never => {
    throw new Error(`The test did not expect ${what}`);
  };
  return {
    get: refuse("get"),
    list: refuse("list"),
    watch: refuse("watch"),
    create: refuse("create"),
    apply: refuse("apply"),
    patch: refuse("patch"),
    delete: refuse("delete"),
    serverVersion: refuse("serverVersion"),
    ...can,
  };
}
