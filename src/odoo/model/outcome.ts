/**
 * The end of an operation is looked up, never remembered from an event: first in the object that asked for it, else in
 * its Job. So a crash at any moment finds the same answer again.
 */
import type { Stored } from "../../kit/types.ts";
import type { OdooInitJob, OperationStatus } from "../crd/mod.ts";
import { describeInit, describeInitFailure, parseInitReport, unbelievable } from "./init_report.ts";
import { orBase } from "./resolve.ts";
import { jobStateOf, type World } from "./world.ts";

/** How the operation in progress stands. */
export type OperationOutcome =
  | { readonly state: "none" }
  | { readonly state: "running" }
  /** With what it did, if the Job left a summary. */
  | { readonly state: "succeeded"; readonly summary?: string }
  | { readonly state: "failed"; readonly message: string }
  /** The object that asked for it was deleted before its end. */
  | { readonly state: "cancelled" };

/** The outcome of `status.operation`. */
export function operationOutcome(world: World): OperationOutcome {
  const { operation } = world.status;
  if (!operation) return { state: "none" };
  const cr = requestOf(world, operation);
  switch (cr?.status?.phase) {
    case "Completed":
      return { state: "succeeded" };
    case "Failed":
      return { state: "failed", message: cr.status.message ?? "no reason was recorded" };
  }
  const job = jobStateOf(world, operation.jobName);
  switch (job.state) {
    case "succeeded": {
      const doubt = unbelievable(job.message);
      if (doubt) return { state: "failed", message: doubt };
      const report = parseInitReport(job.message);
      return report ? { state: "succeeded", summary: describeInit(report) } : { state: "succeeded" };
    }
    case "failed":
      return { state: "failed", message: describeInitFailure(job.message, orBase(cr?.spec.modules)) };
    case "active":
      return { state: cr ? "running" : "cancelled" };
    case "absent":
      if (!cr) return { state: "cancelled" };
      if (!wasStarted(cr, operation)) return { state: "running" };
      return { state: "failed", message: `Job ${operation.jobName} was deleted before its result could be read` };
  }
}

/** The CR behind an operation, if it still exists. */
export function requestOf(world: World, operation: OperationStatus): Stored<OdooInitJob> | undefined {
  return world.observed.initJobs.find(({ metadata }) => metadata.uid === operation.uid);
}

/** Whether the Job of an operation has been seen: from then on it is never created again. */
export function wasStarted(cr: OdooInitJob, operation: OperationStatus): boolean {
  return cr.status?.jobName === operation.jobName;
}

/** Init CRs that want to be carried out, oldest first. */
export function pendingInitJobs(world: World): Stored<OdooInitJob>[] {
  return world.observed.initJobs.filter((cr) => !isTerminal(cr) && !cr.metadata.deletionTimestamp && !isStray(cr));
}

/** Whether a CR has come to its end. */
export function isTerminal(cr: OdooInitJob): boolean {
  return cr.status?.phase === "Completed" || cr.status?.phase === "Failed";
}

/** Whether a CR points into another namespace, where it has no say. */
export function isStray(cr: OdooInitJob): boolean {
  const { namespace } = cr.spec.odooInstanceRef;
  return !!namespace && namespace !== cr.metadata?.namespace;
}
