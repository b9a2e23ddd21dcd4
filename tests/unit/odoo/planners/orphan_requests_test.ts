import { assertEquals } from "@std/assert";
import type { OdooBackupJob } from "../../../../src/odoo/crd/mod.ts";
import { orphanStatus } from "../../../../src/odoo/planners/orphan_requests.ts";

const NOW = Date.UTC(2026, 10, 21, 4);
const MESSAGE = "OdooInstance shop does not exist in namespace web: create it, or correct spec.odooInstanceRef.name";
const CONDITION = {
  type: "Succeeded",
  status: "Unknown",
  reason: "InstanceNotFound",
  message: MESSAGE,
  observedGeneration: 2,
  lastTransitionTime: "2026-11-21T04:00:00Z",
} as const;

function aRequest(overrides: Pick<Partial<OdooBackupJob>, "status" | "metadata"> = {}): OdooBackupJob {
  return {
    kind: "OdooBackupJob",
    spec: { odooInstanceRef: { name: "shop" } } as OdooBackupJob["spec"],
    ...overrides,
    metadata: { namespace: "web", name: "nightly", generation: 2, ...overrides.metadata },
  };
}

Deno.test("orphanStatus() reports the missing instance and keeps the rest of the status", () => {
  const other = {
    type: "Notified",
    status: "True",
    reason: "Delivered",
    message: "",
    lastTransitionTime: "x",
  } as const;
  const status = { startTime: "2026-11-21 03:00:00", conditions: [other] };
  assertEquals(orphanStatus({ request: aRequest({ status }), instanceExists: false, now: NOW }), {
    ...status,
    phase: "Pending",
    message: MESSAGE,
    conditions: [other, CONDITION],
  });
});

Deno.test("orphanStatus() writes nothing when the instance exists, the request has ended or is deleted, or it is reported", () => {
  const reported = { phase: "Pending", message: MESSAGE, conditions: [CONDITION] } as const;
  const cases: Readonly<Record<string, readonly [OdooBackupJob, boolean]>> = {
    exists: [aRequest(), true],
    completed: [aRequest({ status: { phase: "Completed" } }), false],
    failed: [aRequest({ status: { phase: "Failed" } }), false],
    deleted: [aRequest({ metadata: { deletionTimestamp: "2026-11-21T04:00:00Z" } }), false],
    reported: [aRequest({ status: reported }), false],
  };
  for (const [name, [request, instanceExists]] of Object.entries(cases)) {
    assertEquals(orphanStatus({ request, instanceExists, now: NOW }), undefined, name);
  }
});

Deno.test("orphanStatus() keeps the phase of a request that has begun", () => {
  const status = orphanStatus({
    request: aRequest({ status: { phase: "Running" } }),
    instanceExists: false,
    now: NOW,
  });
  assertEquals([status?.phase, status?.message], ["Running", MESSAGE]);
});
