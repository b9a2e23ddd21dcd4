/** Laws of databases: when one is created, swapped, given up or dropped. */
import { assess } from "../../../../src/odoo/machine/assess.ts";
import { isSwapping } from "../../../../src/odoo/model/operations/copy/copy_steps.ts";
import { requestOf } from "../../../../src/odoo/model/operations/request.ts";
import {
  clusterOf,
  isCopying,
  isDrop,
  isEnding,
  isGivenUp,
  isSurelyMissing,
  type Law,
  makesLiveDatabase,
  phaseAfter,
  statusOf,
} from "./plan_facts.ts";
import { flattened } from "../../../support/flat_effects.ts";

export const DATABASE_LAWS: Readonly<Record<string, Law>> = {
  "drops nothing from the cluster that holds the data": ({ status }, plan) =>
    plan.effects.every((effect) => !isDrop(effect) || clusterOf(effect) !== status.activeCluster),
  "drops a database that has moved only while the instance serves where it is now": (world, plan) =>
    plan.effects.every((effect) =>
      !isDrop(effect) || clusterOf(effect) !== world.status.migrationPreviousCluster ||
      world.phase === "Running" && world.cluster.facts?.known === true && !isSurelyMissing(world)
    ),
  "makes on a cluster that does not hold the data only what a copy goes into": (world, plan) =>
    flattened(plan.effects).every((effect) =>
      effect.type !== "ensureDatabase" || effect.cluster === world.status.activeCluster ||
      world.phase === "MigratingDatabase" && effect.database !== world.resolved?.databaseName
    ),
  "gives read access to a database that is there and initialised, and to no other": (world, plan) =>
    !flattened(plan.effects).some(({ type }) => type === "ensureReadOnlyRole") ||
    world.status.dbInitialized === true && !isSurelyMissing(world),
  "never makes an empty database in the place of a lost one": (world, plan) =>
    !world.status.dbInitialized || !makesLiveDatabase(world, plan),
  "gives up a database only if it is surely missing, and the spec wants a new one": (world, plan) =>
    !isGivenUp(world, plan) || isSurelyMissing(world) && world.resolved?.missingPolicy === "Recreate",
  "gives up a database in the write that begins anew, and makes no new one before": (world, plan) =>
    !isGivenUp(world, plan) ||
    phaseAfter(plan) === "Uninitialized" && !makesLiveDatabase(world, plan),
  "tells of a lost database once": ({ status }, plan) => {
    const told = plan.effects.filter((effect) => effect.type === "event" && effect.reason === "DatabaseMissing").length;
    return told <= 1 && (told === 0 || !status.conditions?.some(({ reason }) => reason === "DatabaseMissing"));
  },
  "lets a copy take the data's place only when it is prepared and all pods are gone": (world, plan) =>
    !flattened(plan.effects).some(({ type }) => type === "swapDatabase") ||
    world.status.operation?.stage === "swap" && !isEnding(world) &&
      requestOf(world, world.status.operation) !== undefined ||
    world.phase === "MigratingDatabase" && assess(world).nextPhase === "FinalizingDatabaseMigration",
  "leaves a swap that was begun only done, or put back": (world, plan) =>
    !isSwapping(world.status) || !isCopying(world.phase) || phaseAfter(plan) === world.phase ||
    plan.effects.some((effect) => effect.type === "jobStatus" && effect.status.phase === "Completed") ||
    flattened(plan.effects).some(({ type }) => type === "unswapDatabase"),
  "never forgets that there is data, unless it is surely gone": (world, plan) =>
    !world.status.dbInitialized || isSurelyMissing(world) || statusOf(plan)?.dbInitialized === true,
  "records that there is data with the phase that follows": (world, plan) =>
    world.phase !== "Initializing" || phaseAfter(plan) !== "Starting" || statusOf(plan)?.dbInitialized === true,
  "fixes the name of the database only where there is data in it": ({ resolved }, plan) => {
    const after = statusOf(plan);
    return after?.databaseName === undefined ||
      after.dbInitialized === true && after.databaseName === resolved?.databaseName;
  },
};
