import { assertEquals, assertNotEquals } from "@std/assert";
import { controllerReference, isCurrent, wasAppliedFor, withLastApplied } from "../../../src/kit/apply.ts";
import type { KubeObject, Stored } from "../../../src/kit/types.ts";
import { aThing } from "./fake_client.ts";

interface Case {
  /** `spec` that we would send, and the live one. */
  readonly given: { readonly desired: unknown; readonly live: unknown };
  readonly want: boolean;
}

interface Body extends KubeObject {
  readonly spec: unknown;
}

const CASES: Readonly<Record<string, Case>> = {
  "is true when all fields are equal": { given: { desired: { replicas: 1 }, live: { replicas: 1 } }, want: true },
  "is false when a field was edited": { given: { desired: { replicas: 1 }, live: { replicas: 3 } }, want: false },
  "is false when a field was removed": { given: { desired: { paused: true }, live: {} }, want: false },
  "is false when zero was edited": { given: { desired: { replicas: 0 }, live: { replicas: 1 } }, want: false },
  "is true when others own further fields, such as defaults": {
    given: { desired: { replicas: 1 }, live: { replicas: 1, revisionHistoryLimit: 10, strategy: { type: "R" } } },
    want: true,
  },
  "is false when a field has another type": { given: { desired: { port: 80 }, live: { port: "80" } }, want: false },
  "is true when we send undefined": { given: { desired: { a: undefined }, live: { a: 1 } }, want: true },
  "is true when an empty object or list was not stored": {
    given: { desired: { annotations: {}, volumes: [], securityContext: {} }, live: {} },
    want: true,
  },
  "is true when quantities are written differently": {
    given: {
      desired: { requests: { cpu: "1000m", memory: "1024Mi", storage: "1e3" }, limits: { cpu: 2 } },
      live: { requests: { cpu: "1", memory: "1Gi", storage: "1k" }, limits: { cpu: "2" } },
    },
    want: true,
  },
  "is true when the server wrote a fraction of a binary unit as milli": {
    given: { desired: { limits: { memory: "1.1Gi" } }, live: { limits: { memory: "1181116006400m" } } },
    want: true,
  },
  "is true when the size limit of a volume is written differently": {
    given: {
      desired: { volumes: [{ name: "tmp", emptyDir: { sizeLimit: "1024Mi" } }] },
      live: { volumes: [{ name: "tmp", emptyDir: { sizeLimit: "1Gi" } }] },
    },
    want: true,
  },
  "is false when a quantity differs": {
    given: { desired: { limits: { memory: "1Gi" } }, live: { limits: { memory: "1G" } } },
    want: false,
  },
  "is false when a quantity is not one": {
    given: { desired: { limits: { memory: "lots" } }, live: { limits: { memory: "many" } } },
    want: false,
  },
  "is false when text outside of quantities looks like an equal number": {
    given: { desired: { data: { version: "1.0" } }, live: { data: { version: "1" } } },
    want: false,
  },
  "is true when containers stand in another order beside injected ones": {
    given: {
      desired: { containers: [{ name: "web", image: "a" }, { name: "log", image: "b" }] },
      live: { containers: [{ name: "mesh" }, { name: "log", image: "b" }, { name: "web", image: "a", tty: false }] },
    },
    want: true,
  },
  "is false when a container is missing": {
    given: { desired: { containers: [{ name: "web" }, { name: "log" }] }, live: { containers: [{ name: "web" }] } },
    want: false,
  },
  "is false when a variable of a container was edited": {
    given: {
      desired: { containers: [{ name: "web", env: [{ name: "A", value: "1" }] }] },
      live: { containers: [{ name: "web", env: [{ name: "B", value: "1" }, { name: "A", value: "2" }] }] },
    },
    want: false,
  },
  "is true when the protocol of a port was defaulted": {
    given: {
      desired: { ports: [{ containerPort: 80 }] },
      live: { ports: [{ containerPort: 80, protocol: "TCP" }] },
    },
    want: true,
  },
  "is false when only the UDP port of that number exists": {
    given: { desired: { ports: [{ port: 53 }] }, live: { ports: [{ port: 53, protocol: "UDP" }] } },
    want: false,
  },
  "is false when the order of an atomic list changed": {
    given: { desired: { args: ["a", "b"] }, live: { args: ["b", "a"] } },
    want: false,
  },
  "is false when somebody added to an atomic list": {
    given: { desired: { args: ["a"] }, live: { args: ["a", "b"] } },
    want: false,
  },
  "is false when somebody filled an atomic list that we send empty": {
    given: { desired: { args: [] }, live: { args: ["b"] } },
    want: false,
  },
  "is false when a list became something else": {
    given: { desired: { args: ["a"] }, live: { args: "a" } },
    want: false,
  },
  "is false when an object became a list": { given: { desired: { args: { a: 1 } }, live: { args: [1] } }, want: false },
};

for (const [sentence, { given: { desired, live }, want }] of Object.entries(CASES)) {
  Deno.test(`isCurrent() ${sentence}`, () => {
    const stored: Stored<Body> = { ...aThing("a"), spec: live };
    assertEquals(isCurrent<Body>({ metadata: { name: "a" }, spec: desired }, stored), want);
  });
}

const ANNOTATION = "example.com/last-applied";

function applied(spec: unknown, ownerUid = "owner"): Body {
  return withLastApplied({ metadata: { name: "a", labels: { x: "y" } }, spec }, ANNOTATION, ownerUid);
}

/** What a server would store of an apply. */
function stored(object: Body): Stored<Body> {
  return { ...object, metadata: { ...object.metadata, name: "a", uid: "u", resourceVersion: "1" } };
}

Deno.test("isCurrent() is false when we dropped a field that is still live, thanks to the annotation", () => {
  const live = stored(applied({ a: 1, b: 2 }));
  assertEquals([isCurrent(applied({ a: 1, b: 2 }), live), isCurrent(applied({ a: 1 }), live)], [true, false]);
});

Deno.test("isCurrent() is false when the annotation was edited or removed", () => {
  const desired = applied({ a: 1 });
  const live = stored(desired);
  const without = { ...live, metadata: { ...live.metadata, annotations: { other: "1" } } };
  assertEquals(isCurrent(desired, without), false);
});

Deno.test("isCurrent() ignores finalizers and owners that others added, and misses ours when they were removed", () => {
  const owner = { apiVersion: "v1", kind: "Thing", name: "o", uid: "1", controller: true };
  const other = { ...owner, name: "p", uid: "2", controller: false };
  const desired: KubeObject = { metadata: { name: "a", finalizers: ["ours"], ownerReferences: [owner] } };
  const live = (metadata: KubeObject["metadata"]) => aThing("a", { ...metadata ? { metadata } : {} });
  assertEquals(isCurrent(desired, live({ finalizers: ["theirs", "ours"], ownerReferences: [other, owner] })), true);
  assertEquals(isCurrent(desired, live({ finalizers: ["theirs"], ownerReferences: [owner] })), false);
  assertEquals(isCurrent(desired, live({ finalizers: ["ours"], ownerReferences: [other] })), false);
});

Deno.test("withLastApplied() keeps annotations, and its hash is the same for the same object only", () => {
  const hashOf = (object: KubeObject) => {
    const { keep, [ANNOTATION]: hash } = withLastApplied(object, ANNOTATION, "owner").metadata?.annotations ?? {};
    assertEquals(keep, "me");
    return hash;
  };
  const annotations = { keep: "me" };
  assertEquals(hashOf({ metadata: { name: "a", annotations } }), hashOf({ metadata: { name: "a", annotations } }));
  assertNotEquals(hashOf({ metadata: { name: "a", annotations } }), hashOf({ metadata: { name: "b", annotations } }));
});

Deno.test("wasAppliedFor() is true for exactly the owner of the apply", () => {
  const live = applied({}, "owner-1");
  assertEquals(["owner-1", "owner-2", "owner", ""].map((uid) => wasAppliedFor(live, ANNOTATION, uid)), [
    true,
    false,
    false,
    false,
  ]);
  assertEquals(wasAppliedFor({ metadata: {} }, ANNOTATION, "owner-1"), false);
});

Deno.test("controllerReference() names the owner as the controller", () => {
  assertEquals(controllerReference(aThing("a")), {
    apiVersion: "example.com/v1",
    kind: "Thing",
    name: "a",
    uid: "uid-a",
    controller: true,
    blockOwnerDeletion: true,
  });
});

Deno.test("isCurrent() compares stringData of a Secret with the live data in base64", () => {
  const desired = { kind: "Secret", metadata: { name: "a" }, data: { a: "b2xk", c: "Yw==" }, stringData: { a: "é" } };
  const live = (data: Record<string, string>) => ({ ...aThing("a"), kind: "Secret", data });
  assertEquals(isCurrent<KubeObject>(desired, live({ a: "w6k=", c: "Yw==" })), true);
  assertEquals(isCurrent<KubeObject>(desired, live({ a: "b2xk", c: "Yw==" })), false);
});
