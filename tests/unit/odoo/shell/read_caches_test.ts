import { assertEquals } from "@std/assert";
import type { Job, Pod, Secret } from "../../../../src/kit/builders/kinds.ts";
import type { Stored } from "../../../../src/kit/types.ts";
import type { JobState } from "../../../../src/odoo/model/world.ts";
import { jobState } from "../../../../src/odoo/model/pods/job_state.ts";
import { secretFacts } from "../../../../src/odoo/shell/read_caches.ts";
import { aBatchJob, anInstance } from "../../../support/builders.ts";

/** What a container left behind. */
interface End {
  readonly exitCode: number;
  readonly reason?: string;
  readonly message?: string;
}

function aJob(type: "Complete" | "Failed", reason = "BackoffLimitExceeded"): Stored<Job> {
  const message = "Job has reached the specified backoff limit";
  return { ...aBatchJob("first-1"), status: { conditions: [{ type, status: "True", reason, message }] } };
}

function aPod(terminated: End): Stored<Pod> {
  const metadata = { name: "first-1-x", namespace: "blue", uid: "uid-of-pod", resourceVersion: "1" };
  const container = { name: "init", image: "", imageID: "", ready: false, restartCount: 0 };
  return { metadata, status: { containerStatuses: [{ ...container, state: { terminated } }] } };
}

interface Case {
  readonly job: Stored<Job>;
  readonly end?: End;
  readonly want: JobState;
}

const CASES: Readonly<Record<string, Case>> = {
  "active until its conditions say more, whatever its pod": {
    job: aBatchJob("first-1"),
    end: { exitCode: 1 },
    want: { state: "active" },
  },
  "succeeded with the words of its container": {
    job: aJob("Complete"),
    end: { exitCode: 0, message: " done\n" },
    want: { state: "succeeded", message: "done" },
  },
  "succeeded without words when its pod is gone": {
    job: aJob("Complete"),
    want: { state: "succeeded", message: "" },
  },
  "failed with the words of its container, and nothing before them": {
    job: aJob("Failed"),
    end: { exitCode: 1, reason: "Error", message: '{"ok":false}' },
    want: { state: "failed", message: '{"ok":false}' },
  },
  "failed with the kubelet's reason and advice when the container was killed for its memory": {
    job: aJob("Failed"),
    end: { exitCode: 137, reason: "OOMKilled" },
    want: {
      state: "failed",
      message: "OOMKilled (exit code 137): it used more memory than its limit, raise spec.resources.limits.memory",
    },
  },
  "failed with the exit code when there is nothing else": {
    job: aJob("Failed"),
    end: { exitCode: 2 },
    want: { state: "failed", message: "Error (exit code 2)" },
  },
  "failed with the Job's own reason when its pod is gone": {
    job: aJob("Failed"),
    want: { state: "failed", message: "BackoffLimitExceeded: Job has reached the specified backoff limit" },
  },
  "failed by its deadline, which goes before the words of the container": {
    job: aJob("Failed", "DeadlineExceeded"),
    end: { exitCode: 143, message: "loading sale" },
    want: { state: "failed", message: "DeadlineExceeded: loading sale" },
  },
};

for (const [sentence, { job, end, want }] of Object.entries(CASES)) {
  Deno.test(`jobState() is ${sentence}`, () => {
    assertEquals(jobState(job, end ? [aPod(end)] : []), want);
  });
}

const OWNER = { apiVersion: "bemade.org/v1alpha1", kind: "OdooInstance", name: "shop", uid: "u", controller: true };
const MADE = [{ manager: "odoo-operator", operation: "Update" }] as const;
const YOUNGER = "2026-11-21T03:00:00Z";
const BORN = "2026-11-21T02:00:00Z";

const ORPHANS: Readonly<
  Record<string, { readonly given: Partial<Stored<Secret>["metadata"]>; readonly want: boolean }>
> = {
  "one that we made and that has an owner": {
    given: { ownerReferences: [OWNER], managedFields: MADE, creationTimestamp: YOUNGER },
    want: false,
  },
  "one that we made and that has lost its owner": {
    given: { managedFields: MADE, creationTimestamp: YOUNGER },
    want: true,
  },
  "one of the same second": { given: { managedFields: MADE, creationTimestamp: BORN }, want: true },
  "one that a former instance of that name has left": {
    given: { managedFields: MADE, creationTimestamp: "2026-11-21T01:59:59Z" },
    want: false,
  },
  "one that somebody else made": {
    given: { managedFields: [{ manager: "kubectl-create", operation: "Update" }], creationTimestamp: YOUNGER },
    want: false,
  },
  "one of which nothing is known": { given: {}, want: false },
};

for (const [sentence, { given, want }] of Object.entries(ORPHANS)) {
  Deno.test(`secretFacts() calls ${want ? "an" : "no"} orphan ${sentence}`, () => {
    const metadata = { name: "shop-admin", uid: "s", resourceVersion: "7", ...given };
    const instance = anInstance({ metadata: { creationTimestamp: BORN } });
    assertEquals(secretFacts({ metadata }, instance)?.isOrphan, want);
  });
}
