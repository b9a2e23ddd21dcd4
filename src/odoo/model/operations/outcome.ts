/**
 * The end of an operation is looked up, never remembered from an event: first in the object that asked for it, else in
 * its Job. So a crash at any moment finds the same answer again.
 */
import { conditionOf } from "../../../kit/conditions.ts";
import type { JobRequest, OperationStatus } from "../../crd/mod.ts";
import { describeBackup } from "./reports/backup_report.ts";
import { describeCopy } from "./reports/copy_report.ts";
import { copyStep, isSwapping } from "./copy/copy_steps.ts";
import { copiesFiles, hasReturned, isDone, swapFailure, swapsNow } from "./copy/copying.ts";
import { filestoreOutcome, filestoreStep } from "./migration/filestore_migration.ts";
import { describeInit } from "./reports/init_report.ts";
import { refreshProblem } from "./copy/refresh_source.ts";
import { judge, listed, type Report } from "./reports/report.ts";
import { snapshotWork } from "./copy/snapshot_step.ts";
import { jobNameOf, requestOf, SUCCEEDED } from "./requests.ts";
import { orBase } from "../resolve.ts";
import { describeUpgrade } from "./reports/upgrade_report.ts";
import { jobStateOf, type World } from "../world.ts";

/** How the operation in progress stands. */
export type OperationOutcome =
  | { readonly state: "none" }
  | { readonly state: "running" }
  /** With what it did, in words and as its Job reported it. */
  | { readonly state: "succeeded"; readonly message?: string; readonly summary?: Report["fields"] }
  | { readonly state: "failed"; readonly reason: string; readonly message: string; readonly log?: string }
  /** The object that asked for it was deleted before its end. */
  | { readonly state: "cancelled" };

/** The outcome of `status.operation`. */
export function operationOutcome(world: World): OperationOutcome {
  const { operation } = world.status;
  if (!operation) return { state: "none" };
  if (filestoreStep(operation)) return filestoreOutcome(world);
  if (operation.kind === "OdooInstance") return { state: "running" }; // a migration, which nobody asks for by a request
  const cr = requestOf(world, operation);
  switch (cr?.status?.phase) {
    case "Completed":
      return { state: "succeeded" };
    case "Failed":
      return {
        state: "failed",
        reason: conditionOf(cr.status.conditions, SUCCEEDED)?.reason ?? "JobFailed",
        message: cr.status.message ?? "no reason was recorded",
      };
  }
  if (isSwapping(world)) return swapOutcome(world, cr);
  if (copyStep(operation) === "snapshot") {
    const work = snapshotWork(world);
    if (!cr) return { state: "cancelled" };
    return work?.next === "fail" ? { state: "failed", ...work.problem } : { state: "running" };
  }
  const job = jobStateOf(world, operation.jobName);
  switch (job.state) {
    case "succeeded":
    case "failed": {
      const verdict = judge(job, taskOf(cr, operation));
      if (verdict.state === "failed") return verdict;
      return copyStep(operation) ? { state: cr ? "running" : "cancelled" } : succeeded(cr, verdict.fields);
    }
    case "active":
      return { state: cr ? "running" : "cancelled" };
    case "absent":
      if (!cr) return { state: "cancelled" };
      if (!wasStarted(cr, operation)) return notStarted(world, cr, operation);
      return {
        state: "failed",
        reason: "JobDeleted",
        message: `Job ${operation.jobName} was deleted before its result could be read`,
      };
  }
}

/** The places are being changed: from here there is no giving up, but the way back. */
function swapOutcome(world: World, cr: JobRequest | undefined): OperationOutcome {
  const { operation } = world.status;
  switch (copyStep(operation)) {
    case "return":
      if (!hasReturned(world)) return { state: "running" };
      return cr ? { state: "failed", ...swapFailure(world) } : { state: "cancelled" };
    case "move": // without a spec that can be read nothing could be removed, and nothing is served anyway
      return isDone(world) && cr && world.resolved ? succeeded(cr, cr.status?.summary ?? {}) : { state: "running" };
    default:
      return swapsNow(world) && !copiesFiles(cr) ? succeeded(cr, cr?.status?.summary ?? {}) : { state: "running" };
  }
}

/** A Job that reads another instance cannot be made any more when that is gone. */
function notStarted(world: World, cr: JobRequest, operation: OperationStatus): OperationOutcome {
  const step = copyStep(operation);
  const reads = cr.kind === "OdooStagingRefreshJob" && (step === "database" || step === "files");
  const problem = reads ? refreshProblem(world, cr) : undefined;
  return problem ? { state: "failed", ...problem } : { state: "running" };
}

/** Whether the Job of an operation has been seen: from then on it is never created again. */
export function wasStarted(cr: JobRequest, operation: OperationStatus): boolean {
  return jobNameOf(cr) === operation.jobName;
}

function succeeded(cr: JobRequest | undefined, summary: Report["fields"]): OperationOutcome {
  const message = describe(cr, summary);
  return {
    state: "succeeded",
    ...(message === undefined ? {} : { message }),
    ...(Object.keys(summary).length ? { summary } : {}),
  };
}

function describe(cr: JobRequest | undefined, summary: Report["fields"]): string | undefined {
  switch (cr?.kind) {
    case "OdooInitJob":
      return describeInit(summary);
    case "OdooUpgradeJob":
      return summary.odoo === undefined ? undefined : describeUpgrade(summary);
    case "OdooBackupJob":
      return describeBackup(summary);
    case "OdooRestoreJob":
    case "OdooStagingRefreshJob":
      return describeCopy(summary);
    default:
      return undefined;
  }
}

/** What a Job was to do, to be read behind "The Job ended before". */
function taskOf(cr: JobRequest | undefined, operation: OperationStatus): string {
  switch (copyStep(operation)) {
    case "load":
      return "the backup was loaded";
    case "database":
      return "the database was copied";
    case "files":
      return "the files were copied";
    case "prepare":
      return "the copy was fit to be served";
  }
  switch (cr?.kind) {
    case "OdooInitJob":
      return `${listed(orBase(cr.spec.modules))} could be installed`;
    case "OdooUpgradeJob":
      return `${listed([...cr.spec.modules ?? [], ...cr.spec.modulesInstall ?? []])} could be upgraded`;
    case "OdooBackupJob":
      return "the backup was complete";
    default:
      return "its work was done";
  }
}
