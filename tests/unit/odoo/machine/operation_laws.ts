/** Laws of operations: their Jobs, their steps and the requests that asked for them. */
import { jobNameOf, requestOf } from "../../../../src/odoo/model/operations/request.ts";
import { isJob, isMigrating, isMoving, isOperating, type Law, nameOf, phaseAfter, statusOf } from "./plan_facts.ts";
import { flattened } from "../../../support/flat_effects.ts";

export const OPERATION_LAWS: Readonly<Record<string, Law>> = {
  "remembers no operation outside the phases of operations": (world, plan) =>
    isOperating(phaseAfter(plan)) || phaseAfter(plan) === world.phase || statusOf(plan)?.operation === undefined,
  "keeps the operation that it has begun, until its next step": (world, plan) => {
    const [before, after] = [world.status.operation, statusOf(plan)?.operation];
    if (phaseAfter(plan) !== world.phase || before === after) return true;
    return before?.stage !== undefined && after?.uid === before.uid &&
      (after?.stage !== before.stage || (after?.attempt ?? 0) > (before.attempt ?? 0));
  },
  "completes a restore only with the swap, or behind it": (world, plan) => {
    const completes = plan.effects.some((effect) =>
      effect.type === "jobStatus" && effect.status.phase === "Completed" && effect.cr.kind === "OdooRestoreJob"
    );
    const { stage } = world.status.operation ?? {};
    return !completes || stage === "move" ||
      stage === "swap" && flattened(plan.effects).some(({ type }) => type === "swapDatabase");
  },
  "enters the phase of an operation with the operation in the same write, and no Job yet": (world, plan) => {
    if (phaseAfter(plan) === world.phase || !isOperating(phaseAfter(plan))) return true;
    const operation = statusOf(plan)?.operation;
    const isAsked = isMigrating(phaseAfter(plan)) || isMoving(phaseAfter(plan)) ||
      operation && requestOf(world, operation);
    return !!operation?.jobName && !!isAsked && !plan.effects.some(isJob);
  },
  "creates a Job in the phase of its operation only, and never once it was seen": (world, plan) =>
    plan.effects.filter(isJob).every((effect) => {
      const { operation } = world.status;
      const cr = operation && requestOf(world, operation);
      const again = /^(move|return|copyFiles|compareFiles)$/.test(operation?.stage ?? ""); // to the same end however often
      return isOperating(world.phase) && nameOf(effect) === operation?.jobName && world.observed.jobs.length === 0 &&
        (again || isMigrating(world.phase) || cr !== undefined && jobNameOf(cr) !== operation?.jobName);
    }),
  "says in the CR, if it is there, which Job it creates, in the same plan or before": (world, plan) => {
    const { operation } = world.status;
    const cr = operation && requestOf(world, operation);
    return !cr || plan.effects.filter(isJob).every((effect) =>
      jobNameOf(cr) === nameOf(effect) ||
      plan.effects.some((other) => other.type === "jobStatus" && other.status.jobName === nameOf(effect))
    );
  },
  "closes the CR in the plan that leaves the operation": (world, plan) => {
    const { operation } = world.status;
    const cr = operation && requestOf(world, operation);
    if (!cr || isMigrating(world.phase) || !isOperating(world.phase) || phaseAfter(plan) === world.phase) return true;
    const last = plan.effects.findLast((effect) => effect.type === "jobStatus" && effect.cr === cr);
    return /^(Completed|Failed)$/.test((last?.type === "jobStatus" ? last.status : cr.status)?.phase ?? "");
  },
  "deletes no request that has not ended, nor the one that the status names, and keeps one": (world, plan) => {
    const deleted = plan.effects.flatMap((effect) => effect.type === "deleteRequest" ? [effect.cr] : []);
    return deleted.length < Math.max(1, world.observed.requests.length) &&
      deleted.every(({ metadata, status }) =>
        /^(Completed|Failed)$/.test(status?.phase ?? "") && metadata.uid !== world.status.operation?.uid
      );
  },
};
