import { assertEquals } from "@std/assert";
import type { Change } from "../../../src/kit/cache.ts";
import { conditionsOf, isOnlyReport, reasonOf } from "../../../src/kit/failure_report.ts";
import { ApiError, NotOursError } from "../../../src/kit/errors.ts";
import type { KubeObject } from "../../../src/kit/types.ts";
import { aThing, type ThingOptions } from "./fake_client.ts";

const report = { type: "Reconciled", status: "False", reason: "ReconcileFailed", message: "no" };
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
  Deno.test(`isOnlyReport() ${sentence}`, () => assertEquals(isOnlyReport(given), want));
}

Deno.test("conditionsOf() is empty when there is no object, no status or no condition", () => {
  assertEquals([undefined, {}, aChange({}, { status: {} }).object].map((object) => conditionsOf(object)), [[], [], []]);
});

Deno.test("reasonOf() tells a taken name and a used-up quota from all other errors", () => {
  const errors = [
    new NotOursError("Thing", "ns/a", undefined),
    new ApiError(403, "Forbidden", 'things "a" is forbidden: exceeded quota: none, requested: things=1'),
    new ApiError(403, "Forbidden", 'things "a" is forbidden: you may not'),
    new Error("x"),
  ];
  assertEquals(errors.map(reasonOf), ["NameConflict", "QuotaExceeded", "ReconcileFailed", "ReconcileFailed"]);
});
