/** What laws read of a world and of its plan. */
import type { Phase } from "../../../../src/odoo/crd/mod.ts";
import { servesBesideCopy } from "../../../../src/odoo/model/operations/copy/copy_steps.ts";
import type { Effect, Plan } from "../../../../src/odoo/model/plan.ts";
import {} from "../../../../src/odoo/model/operations/request.ts";
import { REQUEST_KIND_ROWS } from "../../../../src/odoo/model/operations/request_kinds.ts";
import type { World } from "../../../../src/odoo/model/world.ts";
import { SERVING_PHASES } from "./worlds.ts";
import { flat, flattened } from "../../../support/flat_effects.ts";

export function servesIn(world: World, phase: Phase | null | undefined): boolean {
  return phase === "Running" || phase === "BackingUp" || phase === "MigratingFilestore" ||
    isCopying(phase) && servesBesideCopy(world.status);
}

export function isCopying(phase: Phase | null | undefined): boolean {
  return phase === "Restoring" || phase === "CloningFromSource";
}

export function isEnding({ observed }: World): boolean {
  return (observed.web !== undefined || observed.cron !== undefined) && observed.endingPods?.length !== 0;
}

export function makesLiveDatabase({ resolved }: World, plan: Plan): boolean {
  return flattened(plan.effects).some((effect) =>
    effect.type === "ensureDatabase" && effect.database === resolved?.databaseName
  );
}

export function isMoving(phase: Phase | null | undefined): boolean {
  return phase === "MigratingFilestore" || phase === "FinalizingFilestoreMigration";
}

export function isOperating(phase: Phase | null | undefined): boolean {
  return isMigrating(phase) || isMoving(phase) ||
    Object.values(REQUEST_KIND_ROWS).some((traits) => traits.phase === phase);
}

export function isGivenUp({ status }: World, plan: Plan): boolean {
  return status.dbInitialized === true && statusOf(plan)?.dbInitialized === false;
}

export function isSurelyMissing({ status, cluster, resolved }: World): boolean {
  return resolved !== undefined && cluster.facts?.known === true && cluster.address?.name === status.activeCluster &&
    !cluster.facts.databases.has(resolved.databaseName);
}

/** Phases that leave pods as they are. */
export function isUndecided(phase: Phase): boolean {
  return phase === "Provisioning" || phase === "Error";
}

export function isServing({ phase }: World): boolean {
  return SERVING_PHASES.includes(phase);
}

export function somethingIsUnknown({ cluster, resolved, observed }: World): boolean {
  return cluster.facts?.known !== true || resolved === undefined || observed.configSecret === undefined;
}

export function isStatus(effect: Effect): effect is Effect & { type: "status" } {
  return effect.type === "status";
}

export function isDrop(effect: Effect): boolean {
  const { type } = flat(effect);
  return type === "dropDatabase" || type === "dropRole" || type === "dropReadOnlyRole";
}

export function isSql(effect: Effect): boolean {
  return effect.type === "sql";
}

export function clusterOf(effect: Effect): string | undefined {
  return "cluster" in effect ? effect.cluster : undefined;
}

export function isMigrating(phase: Phase | null | undefined): boolean {
  return phase === "MigratingDatabase" || phase === "FinalizingDatabaseMigration";
}

export function isJob(effect: Effect): boolean {
  return effect.type === "create" && effect.object.kind === "Job" && !/-clean-(new|old)-/.test(nameOf(effect) ?? "");
}

/** Name of the object that an effect is about. */
export function nameOf(effect: Effect): string | undefined {
  return "object" in effect ? effect.object.metadata?.name : undefined;
}

export function replicasOf(effect: Effect): number | undefined {
  if (effect.type !== "apply" || effect.object.kind !== "Deployment") return undefined;
  return (effect.object as { readonly spec?: { readonly replicas?: number } }).spec?.replicas;
}

export function statusOf(plan: Plan) {
  return plan.effects.find(isStatus)?.status;
}

export function phaseAfter(plan: Plan): Phase | null | undefined {
  return statusOf(plan)?.phase;
}

/** A sentence that is true of every plan for a living instance. */
export type Law = (world: World, plan: Plan) => boolean;
