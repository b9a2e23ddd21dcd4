import { assertEquals } from "@std/assert";
import { assess } from "../../../../../src/odoo/machine/assess.ts";
import type { OperationOutcome } from "../../../../../src/odoo/model/assessment.ts";
import type { Observed } from "../../../../../src/odoo/model/world.ts";
import { jobStateOf, readyReplicas } from "../../../../../src/odoo/model/world.ts";
import { aBatchJob, aDeployment, anInitJob, aWorld, oneJob } from "../../../../support/builders.ts";
import { JOB_NAME, OPERATION } from "../../machine/operation_worlds.ts";

const ASKED = anInitJob();
const STARTED = anInitJob({ status: { phase: "Running", jobName: JOB_NAME } });
const JOB = aBatchJob(JOB_NAME);

const REPORT = JSON.stringify({
  ok: true,
  odoo: "18.0",
  seconds: 42,
  installed: 87,
  languages: ["en_US", "fr_CA"],
  modules: [{ name: "sale", state: "installed", version: "18.0.1.0" }],
});

interface Case {
  readonly given: Partial<Observed>;
  readonly want: OperationOutcome;
}

const OUTCOMES: Readonly<Record<string, Case>> = {
  "running while the Job is to be created": { given: { requests: [ASKED] }, want: { state: "running" } },
  "running while the Job works": {
    given: { requests: [STARTED], ...oneJob(JOB, { state: "active" }) },
    want: { state: "running" },
  },
  "succeeded by the Job": {
    given: { requests: [STARTED], ...oneJob(JOB, { state: "succeeded", message: "" }) },
    want: { state: "succeeded" },
  },
  "succeeded by the Job, though its CR is gone": {
    given: { requests: [], ...oneJob(JOB, { state: "succeeded", message: "" }) },
    want: { state: "succeeded" },
  },
  "failed by the Job, with its message": {
    given: { requests: [STARTED], ...oneJob(JOB, { state: "failed", message: "out of memory" }) },
    want: {
      state: "failed",
      reason: "JobFailed",
      message: "The Job ended before sale could be installed: out of memory",
    },
  },
  "succeeded by the Job, with what it did": {
    given: { requests: [STARTED], ...oneJob(JOB, { state: "succeeded", message: REPORT }) },
    want: {
      state: "succeeded",
      message: "Installed sale 18.0.1.0 (87 modules in all) with Odoo 18.0 in 42 s; languages: en_US, fr_CA",
      summary: (({ ok: _, ...fields }) => fields)(JSON.parse(REPORT)),
    },
  },
  "failed by a Job that ended well and says that nothing is well": {
    given: { requests: [STARTED], ...oneJob(JOB, { state: "succeeded", message: '{"ok":false,"error":"no"}' }) },
    want: { state: "failed", reason: "JobFailed", message: "no" },
  },
  "failed by a Job that ended well with words that nobody can read": {
    given: { requests: [STARTED], ...oneJob(JOB, { state: "succeeded", message: '{"ok":true' }) },
    want: {
      state: "failed",
      reason: "ResultUnreadable",
      message: 'The Job ended without a result that can be read; it left: {"ok":true',
    },
  },
  "failed by the Job, in its own words": {
    given: { requests: [STARTED], ...oneJob(JOB, { state: "failed", message: '{"ok":false,"error":"no"}' }) },
    want: { state: "failed", reason: "JobFailed", message: "no" },
  },
  "failed when a Job that was seen is gone": {
    given: { requests: [STARTED] },
    want: {
      state: "failed",
      reason: "JobDeleted",
      message: `Job ${JOB_NAME} was deleted before its result could be read`,
    },
  },
  "cancelled when the CR is gone before the Job": { given: { requests: [] }, want: { state: "cancelled" } },
  "cancelled when the CR is gone while the Job works": {
    given: { requests: [], ...oneJob(JOB, { state: "active" }) },
    want: { state: "cancelled" },
  },
  "what the CR says when it is completed, whatever the Job": {
    given: {
      requests: [anInitJob({ status: { phase: "Completed" } })],
      ...oneJob(JOB, { state: "failed", message: "out of memory" }),
    },
    want: { state: "succeeded" },
  },
  "what the CR says when it is failed, whatever the Job": {
    given: {
      requests: [anInitJob({ status: { phase: "Failed", message: "broken" } })],
      ...oneJob(JOB, { state: "succeeded", message: "" }),
    },
    want: { state: "failed", reason: "JobFailed", message: "broken" },
  },
  "failed without a reason when the CR has none": {
    given: { requests: [anInitJob({ status: { phase: "Failed" } })] },
    want: { state: "failed", reason: "JobFailed", message: "no reason was recorded" },
  },
  "not judged by another Job or another CR": {
    given: {
      requests: [anInitJob({ metadata: { uid: "another" }, status: { phase: "Completed" } }), ASKED],
      ...oneJob(aBatchJob("another"), { state: "succeeded", message: "" }),
    },
    want: { state: "running" },
  },
};

for (const [sentence, { given, want }] of Object.entries(OUTCOMES)) {
  Deno.test(`operationOutcome() is ${sentence}`, () => {
    assertEquals(assess(aWorld({ status: { operation: OPERATION }, observed: given })).outcome, want);
  });
}

Deno.test("operationOutcome() is none when there is no operation, whatever else there is", () => {
  const observed = { requests: [STARTED], ...oneJob(JOB, { state: "succeeded", message: "" }) } as const;
  assertEquals(assess(aWorld({ observed })).outcome, { state: "none" });
});

Deno.test("jobStateOf() calls a Job absent that was never asked for", () => {
  const world = aWorld({ observed: oneJob(JOB, { state: "active" }) });
  assertEquals([JOB_NAME, "other", null, undefined].map((name) => jobStateOf(world, name).state), [
    "active",
    "absent",
    "absent",
    "absent",
  ]);
});

Deno.test("readyReplicas() is 0 without a Deployment or without a status", () => {
  const ready = (web: Observed["web"]) => readyReplicas(aWorld({ observed: { web } }));
  const { status: _, ...silent } = aDeployment("shop");
  assertEquals([ready(undefined), ready(silent), ready(aDeployment("shop", { replicas: 3, ready: 2 }))], [0, 0, 2]);
});
