/** Laws of pods and the volume that they serve from. */
import { isSwapping } from "../../../../src/odoo/model/operations/copy/copy_steps.ts";
import {
  isCopying,
  isEnding,
  isJob,
  isServing,
  isSurelyMissing,
  isUndecided,
  type Law,
  phaseAfter,
  replicasOf,
  somethingIsUnknown,
  statusOf,
} from "./plan_facts.ts";
import { SERVING_PHASES } from "./worlds.ts";

export const POD_LAWS: Readonly<Record<string, Law>> = {
  "wants no pod, not of cron either, of an instance that is to be stopped": (world, plan) =>
    world.resolved?.webReplicas !== 0 || isUndecided(world.phase) ||
    plan.effects.every((effect) => !replicasOf(effect)),
  "never deletes the volume that is served, nor another one while that is in danger": (world, plan) => {
    const { filestore } = world.observed;
    return plan.effects.every((effect) =>
      effect.type !== "deleteClaim" || filestore !== undefined && !filestore.metadata.deletionTimestamp &&
        effect.claim.metadata.name !== filestore.metadata.name &&
        effect.claim.metadata.name !== statusOf(plan)?.filestore?.claim
    );
  },
  "deletes the volume that was served before only when another one is": (world, plan) =>
    world.phase === "Running" ||
    plan.effects.every((effect) =>
      effect.type !== "deleteClaim" || effect.claim.metadata.name !== world.status.filestore?.former
    ),
  "serves from another volume only when both hold the same, and no pod has served meanwhile": (world, plan) => {
    const [before, after] = [world.status.filestore?.claim, statusOf(plan)?.filestore?.claim];
    const { operation } = world.status;
    return before === after ||
      after === world.status.filestore?.copy && operation?.stage === "compareFiles" &&
        world.observed.jobStates.get(operation.jobName ?? "")?.state === "succeeded" &&
        world.observed.filestoreCopy !== undefined;
  },
  "has no pod while the last round copies files": (world, plan) =>
    world.phase !== "FinalizingFilestoreMigration" || plan.effects.every((effect) => !replicasOf(effect)),
  "begins the last round only when all pods are gone": (world, plan) =>
    world.phase !== "FinalizingFilestoreMigration" || !isEnding(world) || !plan.effects.some(isJob),
  "keeps a serving instance serving when something is unknown": (world, plan) =>
    isSurelyMissing(world) && world.resolved?.missingPolicy === "Recreate" ||
    !(isServing(world) && somethingIsUnknown(world)) || SERVING_PHASES.some((phase) => phase === phaseAfter(plan)),
  "stops no pod of a serving instance, unless the spec says so": (world, plan) =>
    world.phase === "Stopped" || !isServing(world) || world.resolved?.webReplicas === 0 ||
    !plan.effects.some((effect) => replicasOf(effect) === 0),
  "makes the pods that the spec wants, or none, or as many as there are": (world, plan) =>
    plan.effects.every((effect) =>
      [undefined, 0, world.resolved?.webReplicas, 1, world.observed.web?.spec?.replicas].includes(replicasOf(effect))
    ),
  "serves nothing while a copy takes the data's place, or gives it back": (world, plan) =>
    !isSwapping(world.status) || !isCopying(world.phase) || plan.effects.every((effect) => !replicasOf(effect)),
};
