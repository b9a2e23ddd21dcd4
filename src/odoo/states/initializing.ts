/** From an empty database to one with modules: who asks for it, the Job that does it, and how its end is recorded. */
import type { OdooInitJobStatus } from "../crd/mod.ts";
import { forbidsInit, unfinishedDatabase, worksForUpstream } from "../model/adoption.ts";
import { instanceLabels, objectNames, OUTCOME_FINALIZER } from "../model/names.ts";
import { isStray, isTerminal, operationOutcome, pendingInitJobs, requestOf, wasStarted } from "../model/outcome.ts";
import type { Effect } from "../model/plan.ts";
import type { Resolved } from "../model/resolve.ts";
import { jobTime } from "../model/times.ts";
import { jobStateOf, type World } from "../model/world.ts";
import { initJob } from "../resources/mod.ts";

/** Uninitialized: if the spec wants it and nobody has asked yet, asks for an initialisation. */
export function planInitRequest(world: World): Effect[] {
  const { resolved, instance, observed, status } = world;
  // With data the next phase is another one; a request would be refused, and stand in the way of a later one.
  if (status.dbInitialized || !resolved?.init.enabled || instance.spec.productionInstanceRef) return [];
  const name = nextRequest(resolved.name, observed.initJobs);
  if (pendingInitJobs(world).length || !name || forbidsInit(world)) return [];
  const { modules, demo } = resolved.init;
  const languages = instance.spec.init?.languages;
  const webhook = instance.spec.init?.webhook;
  const object = {
    apiVersion: "bemade.org/v1alpha1",
    kind: "OdooInitJob",
    metadata: { name, namespace: resolved.namespace, labels: instanceLabels(resolved.name, resolved.environment) },
    spec: {
      odooInstanceRef: { name: resolved.name },
      modules,
      demo,
      ...(languages?.length ? { languages } : {}),
      ...(webhook ? { webhook } : {}),
    },
  };
  return [{ type: "create", object, owner: instance }];
}

/**
 * The name of our next request: one that was carried out is of a database that is gone, so another one follows it. One
 * that failed is not repeated.
 */
function nextRequest(instance: string, initJobs: World["observed"]["initJobs"]): string | undefined {
  for (let round = 1;; round++) {
    const name = objectNames.autoInit(instance, round);
    const former = initJobs.find((cr) => cr.metadata.name === name);
    if (!former) return name;
    if (former.status?.phase !== "Completed") return undefined;
  }
}

/** Initializing: creates the Job of the operation, once, and the Secret that it reads; the CR says so as soon as it exists. */
export function planInitialJob(world: World): Effect[] {
  const { operation } = world.status;
  const { resolved, cluster } = world;
  const cr = operation && requestOf(world, operation);
  if (!cr || !operation?.jobName || isTerminal(cr) || !resolved || !cluster.address) return [];
  const job = jobStateOf(world, operation.jobName);
  if (job.state === "succeeded" || job.state === "failed") return []; // planOutcome() closes the CR at once
  if (worksForUpstream(world)) return []; // it needs nothing of ours, and goes before
  if (job.state === "absent" && (wasStarted(cr, operation) || otherJobActive(world, operation.jobName))) return [];
  const create: Effect[] = [
    ...(world.observed.adminSecret ? [] : [adminSecret(resolved)]),
    ...(job.state === "absent"
      ? [{ type: "create", object: initJob(operation.jobName, cr, resolved, cluster.address), owner: cr } as const]
      : []),
  ];
  if (wasStarted(cr, operation)) return create;
  const status: OdooInitJobStatus = {
    phase: "Running",
    jobName: operation.jobName,
    startTime: jobTime(world.now),
    ...generationOf(cr),
  };
  return [
    ...create,
    { type: "jobStatus", cr, status },
    { type: "event", about: cr, warning: false, reason: "InitStarted", note: `Created Job ${operation.jobName}` },
  ];
}

/** In any phase: an operation that has ended is closed in its CR before the instance forgets it. */
export function planOutcome(world: World): Effect[] {
  const { operation } = world.status;
  const cr = operation && requestOf(world, operation);
  if (!cr || isTerminal(cr)) return [];
  const outcome = operationOutcome(world);
  if (outcome.state !== "succeeded" && outcome.state !== "failed") return [];
  const failed = outcome.state === "failed";
  const message = outcome.state === "failed" ? outcome.message : outcome.summary;
  const status: OdooInitJobStatus = {
    startTime: jobTime(world.now), // unless it is known better: the Job may end before the CR says that it runs
    ...cr.status,
    jobName: operation.jobName ?? null,
    phase: failed ? "Failed" : "Completed",
    completionTime: jobTime(world.now),
    ...(message === undefined ? {} : { message }),
    ...generationOf(cr),
  };
  const note = failed ? `The initialisation failed: ${message}` : message ?? "The database is initialised";
  return [
    { type: "jobStatus", cr, status },
    { type: "event", about: cr, warning: failed, reason: failed ? "InitFailed" : "InitCompleted", note },
  ];
}

/** In any phase: CRs that can never be carried out are told why, instead of waiting for ever. */
export function planRefusals(world: World): Effect[] {
  const { initJobs } = world.observed;
  const refuse = (cr: (typeof initJobs)[number], message: string): Effect[] => [
    {
      type: "jobStatus",
      cr,
      status: { ...cr.status, phase: "Failed", completionTime: jobTime(world.now), message, ...generationOf(cr) },
    },
    { type: "event", about: cr, warning: true, reason: "InitRefused", note: message },
  ];
  const open = initJobs.filter((cr) => !isTerminal(cr) && cr.metadata.uid !== world.status.operation?.uid);
  const unfinished = unfinishedDatabase(world);
  return open.flatMap((cr) => {
    if (isStray(cr)) return refuse(cr, "spec.odooInstanceRef.namespace must be the namespace of this object");
    if (world.status.dbInitialized) return refuse(cr, "The instance is initialised already: nothing was done");
    if (unfinished) return refuse(cr, `${describeUnfinished(unfinished)}: nothing was done`);
    return [];
  });
}

/** In any phase: Jobs whose outcome is recorded, or asked for by nobody any more, may go. */
export function planReleases(world: World): Effect[] {
  const { jobs, initJobs } = world.observed;
  return jobs.flatMap((job): Effect[] => {
    const owner = job.metadata.ownerReferences?.find(({ controller }) => controller);
    const cr = initJobs.find(({ metadata }) => metadata.uid === owner?.uid);
    const held = job.metadata.finalizers?.includes(OUTCOME_FINALIZER) ?? false;
    return held && (!cr || isTerminal(cr)) ? [{ type: "releaseJob", job }] : [];
  });
}

/** A database that nobody may install anything in, and what to do about it. */
export function describeUnfinished(database: string): string {
  return `Database ${database} was left behind by operator 2.5.0, and nothing says that it is complete. To serve it, set ` +
    "status.dbInitialized to true (kubectl edit --subresource=status); to begin anew, drop it";
}

/** The password that Odoo's first user gets instead of the one that all the world knows. */
function adminSecret({ name, environment }: Resolved): Effect {
  const labels = instanceLabels(name, environment);
  return { type: "ensureUserSecret", name: objectNames.adminSecret(name), username: "admin", labels };
}

/** Two Jobs must never work on one database: not even the last seconds of a pod whose Job is deleted already. */
function otherJobActive({ observed }: World, jobName: string): boolean {
  const active = [...observed.jobStates].flatMap(([name, { state }]) => state === "active" ? [name] : []);
  return [...active, ...observed.jobsWithPods].some((name) => name !== jobName);
}

function generationOf(
  { metadata }: { readonly metadata: { readonly generation?: number } },
): { observedGeneration?: number } {
  return metadata.generation === undefined ? {} : { observedGeneration: metadata.generation };
}
