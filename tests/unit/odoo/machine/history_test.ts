import { assertEquals } from "@std/assert";
import type { Stored } from "../../../../src/kit/types.ts";
import type { JobRequest } from "../../../../src/odoo/crd/mod.ts";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import { assess } from "../../../../src/odoo/machine/assess.ts";
import { planHistory } from "../../../../src/odoo/planners/history.ts";
import { anInitJob, anUpgradeJob, aWorld, type WorldOverrides } from "../../../support/builders.ts";

type Phase = NonNullable<NonNullable<JobRequest["status"]>["phase"]>;

function initJob(name: string, phase: Phase = "Completed"): Stored<JobRequest> {
  return anInitJob({ metadata: { name, uid: `uid-of-${name}` }, status: { phase } });
}

function upgradeJob(name: string, phase: Phase = "Completed"): Stored<JobRequest> {
  return anUpgradeJob({ metadata: { name, uid: `uid-of-${name}` }, status: { phase } });
}

/** One that has ended under this operator, and whose webhook may have been told so. */
function toldJob(name: string, { told, url }: { readonly told?: "True" | "False"; readonly url?: string }) {
  const condition = { reason: "Any", message: "", lastTransitionTime: "" };
  const conditions = [
    { type: "Succeeded", status: "True" as const, ...condition },
    ...(told ? [{ type: "Notified", status: told, ...condition }] : []),
  ];
  return anInitJob({
    metadata: { name, uid: `uid-of-${name}` },
    spec: url ? { webhook: { url } } : {},
    status: { phase: "Completed", conditions },
  });
}

const URL = "https://hooks.example.com/a";
const CURRENT = { kind: "OdooInitJob", name: "old", uid: "uid-of-old", jobName: "old-1", attempt: 1 } as const;

/** What is there, oldest first, with a limit of 2; what is deleted. */
const HISTORIES: Readonly<
  Record<
    string,
    {
      readonly given: readonly Stored<JobRequest>[];
      readonly world?: Omit<WorldOverrides, "observed">;
      readonly want: readonly string[];
    }
  >
> = {
  "nothing when there are as many as are kept": { given: [initJob("a"), initJob("b", "Failed")], want: [] },
  "the oldest that have ended, whether well or not": {
    given: [initJob("a"), initJob("b", "Failed"), initJob("c"), initJob("d", "Failed")],
    want: ["a", "b"],
  },
  "none of another kind": {
    given: [initJob("a"), upgradeJob("u"), initJob("b"), upgradeJob("v"), upgradeJob("w")],
    want: ["u"],
  },
  "none that has not ended, however old, and counts none": {
    given: [initJob("a", "Pending"), initJob("b", "Running"), initJob("c"), initJob("d")],
    want: [],
  },
  "none that nobody has looked at": { given: [anInitJob(), initJob("b"), initJob("c")], want: [] },
  "nothing when the limit is 0": {
    given: [initJob("a"), initJob("b"), initJob("c")],
    world: { jobHistoryLimit: 0 },
    want: [],
  },
  "not the one that the status names": {
    given: [initJob("old"), initJob("b"), initJob("c"), initJob("d")],
    world: { status: { operation: CURRENT } },
    want: ["b"],
  },
  "none whose webhook has still to be told": {
    given: [toldJob("a", { url: URL }), toldJob("b", { url: URL, told: "True" }), initJob("c"), initJob("d")],
    want: ["b"],
  },
  "one whose webhook could not be told, and one that has none": {
    given: [toldJob("a", { url: URL, told: "False" }), toldJob("b", {}), initJob("c"), initJob("d")],
    want: ["a", "b"],
  },
  "one that ended under operator 2.5.0, which told of it": {
    given: [anInitJob({ spec: { webhook: { url: URL } }, status: { phase: "Failed" } }), initJob("b"), initJob("c")],
    want: ["first"],
  },
  "not our own last one that failed: it would be made again": {
    given: [initJob("shop-auto-init"), initJob("shop-auto-init-2", "Failed"), initJob("c"), initJob("d")],
    want: ["shop-auto-init"],
  },
  "our own last one that was carried out": {
    given: [initJob("shop-auto-init"), initJob("c"), initJob("d")],
    want: ["shop-auto-init"],
  },
  "nothing twice": {
    given: [
      anInitJob({ metadata: { deletionTimestamp: "2026-11-21T04:00:00Z" }, status: { phase: "Failed" } }),
      initJob("b"),
      initJob("c"),
    ],
    want: [],
  },
};

for (const [sentence, { given, world, want }] of Object.entries(HISTORIES)) {
  Deno.test(`planHistory() deletes ${sentence}`, () => {
    const effects = planHistory(assess(aWorld({ jobHistoryLimit: 2, ...world, observed: { requests: given } })));
    assertEquals(effects.map((effect) => effect.type === "deleteRequest" && effect.cr.metadata.name), [...want]);
  });
}

Deno.test("planHistory() deletes twenty at a time when there are many", () => {
  const requests = Array.from({ length: 50 }, (_, index) => initJob(`number-${index}`));
  assertEquals(planHistory(assess(aWorld({ observed: { requests } }))).length, 20);
});

Deno.test("decide() deletes old requests last, and in the plan that lost its database keeps what it asks for next", () => {
  const requests = [initJob("shop-auto-init"), initJob("shop-auto-init-2")];
  const world = aWorld({
    phase: "Uninitialized",
    status: { dbInitialized: false },
    jobHistoryLimit: 1,
    observed: { requests },
  });
  const { effects } = decide(world);
  assertEquals(effects.flatMap((effect) => effect.type === "create" ? [effect.object.metadata?.name] : []), [
    "shop-auto-init-3",
  ]);
  assertEquals(effects.at(-1)?.type, "deleteRequest");
  const left = aWorld({
    phase: "Uninitialized",
    status: { dbInitialized: false },
    jobHistoryLimit: 1,
    observed: { requests: requests.slice(1) },
  });
  const again = decide(left).effects.flatMap((effect) =>
    effect.type === "create" ? [effect.object.metadata?.name] : []
  );
  assertEquals(again, ["shop-auto-init-3"]);
});
