import { assertEquals } from "@std/assert";
import type { Change } from "../../../src/kit/cache.ts";
import { conditionsOf, isOnlyReport, reasonOf, RECONCILED_REPORT } from "../../../src/kit/failure_report.ts";
import { ApiError, NotOursError } from "../../../src/kit/errors.ts";
import type { KubeObject } from "../../../src/kit/types.ts";
import { aThing, type ThingOptions } from "./fake_client.ts";

const report = { type: "Reconciled", status: "False", reason: "ReconcileFailed", message: "no" } as const;
const ready = { type: "Ready", status: "True", reason: "Fine", message: "" };

function aChange(before: unknown, after: unknown, options: ThingOptions = {}): Change<KubeObject> {
  const previous: Change<KubeObject>["object"] = { ...aThing("a"), ...Object(before) };
  const object: Change<KubeObject>["object"] = { ...aThing("a", { version: "2", ...options }), ...Object(after) };
  return { key: "ns/a", object, previous, deleted: false, initial: false };
}

const CHANGES: Readonly<Record<string, { readonly given: Change<KubeObject>; readonly want: boolean }>> = {
  "is true when the first report was added": {
    given: aChange({}, { status: { conditions: [report] } }),
    want: true,
  },
  "is true when the report changed beside other conditions": {
    given: aChange({ status: { x: 1, conditions: [report, ready] } }, {
      status: { x: 1, conditions: [{ ...report, message: "other" }, ready] },
    }),
    want: true,
  },
  "is true when several conditions of the report changed": {
    given: aChange({ status: { conditions: [ready, report] } }, {
      status: { conditions: [ready, { ...report, status: "True" }, { ...report, type: "Conflict" }] },
    }),
    want: true,
  },
  "is false when another condition changed too": {
    given: aChange({ status: { conditions: [ready] } }, {
      status: { conditions: [{ ...ready, status: "False" }, report] },
    }),
    want: false,
  },
  "is false when the spec changed too": {
    given: aChange({}, { spec: { a: 1 }, status: { conditions: [report] } }),
    want: false,
  },
  "is false when a label changed": { given: aChange({}, {}, { metadata: { labels: { a: "b" } } }), want: false },
  "is false when the object is new": {
    given: { key: "ns/a", object: aThing("a"), deleted: false, initial: true },
    want: false,
  },
  "is false when the object was deleted": { given: { ...aChange({}, {}), deleted: true }, want: false },
};
for (const [sentence, { given, want }] of Object.entries(CHANGES)) {
  Deno.test(`isOnlyReport() ${sentence}`, () => assertEquals(isOnlyReport(given, ["Reconciled", "Conflict"]), want));
}

Deno.test("conditionsOf() is empty when there is no object, no status or no condition", () => {
  assertEquals([undefined, {}, aChange({}, { status: {} }).object].map((object) => conditionsOf(object)), [[], [], []]);
});

Deno.test("reasonOf() tells what a person can do something about from all other errors", () => {
  const reasons: Readonly<Record<string, unknown>> = {
    NameConflict: new NotOursError("Thing", "ns/a", undefined),
    QuotaExceeded: new ApiError(403, "Forbidden", 'things "a" is forbidden: exceeded quota: none, requested: things=1'),
    Forbidden: new ApiError(403, "Forbidden", 'things "a" is forbidden: you may not'),
    Invalid: new ApiError(422, "Invalid", 'Thing "a" is invalid: spec.size: must be positive'),
    ReconcileFailed: new Error("x"),
  };
  for (const [reason, error] of Object.entries(reasons)) assertEquals(reasonOf(error), reason);
  assertEquals(reasonOf(new ApiError(500, "InternalError", "x")), "ReconcileFailed");
});

Deno.test("RECONCILED_REPORT says True only where it has said False", () => {
  const [failed] = RECONCILED_REPORT.failed(new Error("no"), {
    metadata: { name: "a", uid: "u", resourceVersion: "1" },
  });
  assertEquals(failed, report);
  const told = { ...report, status: "False", lastTransitionTime: "2026-01-01T00:00:00Z" } as const;
  assertEquals(RECONCILED_REPORT.succeeded?.([told])[0]?.status, "True");
  assertEquals(RECONCILED_REPORT.succeeded?.([]), []);
  assertEquals(RECONCILED_REPORT.succeeded?.([{ ...told, status: "True" }]), []);
});
