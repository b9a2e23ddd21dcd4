/** Laws of what the status, its conditions and the events report. */
import type { Phase } from "../../../../src/odoo/crd/mod.ts";
import { childrenObstacle } from "../../../../src/odoo/machine/child_conditions.ts";
import { assess } from "../../../../src/odoo/machine/assess.ts";
import { isStatus, type Law, phaseAfter, servesIn, statusOf } from "./plan_facts.ts";

/** Where an instance stays until something or somebody wants it elsewhere. */
const RESTING_PHASES: readonly Phase[] = ["Uninitialized", "InitFailed", "Running", "Degraded", "Stopped", "Error"];

export const STATUS_LAWS: Readonly<Record<string, Law>> = {
  "writes the instance's status once": (_world, plan) => plan.effects.filter(isStatus).length === 1,
  "names the phase that the table names": (world, plan) => phaseAfter(plan) === assess(world).nextPhase,
  "tells with the status which row fired, if one did": (world, plan) => {
    const { change: row } = assess(world);
    const { change } = plan.effects.find(isStatus) ?? {};
    if (!row || !change) return !row && !change;
    return change.from === row.from && change.guard === row.guard && change.to === assess(world).nextPhase;
  },
  "tells of each change of phase, once": (world, plan) => {
    const told = plan.effects.filter((effect) => effect.type === "event" && effect.reason === "PhaseChanged").length;
    return told === (phaseAfter(plan) === world.phase ? 0 : 1);
  },
  "gives every condition a reason and a message": (_world, plan) =>
    (statusOf(plan)?.conditions ?? []).length >= 3 &&
    (statusOf(plan)?.conditions ?? []).every(({ reason, message }) => /^[A-Z]\w+$/.test(reason) && message.length > 0),
  "says of every condition to which generation it belongs: this one, but for the last migration": (world, plan) => {
    const { generation = 0 } = world.instance.metadata;
    return (statusOf(plan)?.conditions ?? []).every(({ type, observedGeneration }) =>
      observedGeneration === generation || type === "DatabaseMigrated" && observedGeneration !== undefined
    );
  },
  "says whether the instance goes on by itself, by the phase that it says": (_world, plan) => {
    const after = phaseAfter(plan);
    const progressing = statusOf(plan)?.conditions?.find(({ type }) => type === "Progressing");
    return progressing?.reason === after &&
      (progressing?.status === "False") === RESTING_PHASES.some((it) => it === after);
  },
  "says that children are applied only where the same plan applies them, and nowhere that they are when it must not": (
    world,
    plan,
  ) => {
    const applied = statusOf(plan)?.conditions?.find(({ type }) => type === "ChildrenApplied")?.status;
    const applies = plan.effects.some(({ type }) => type === "apply" || type === "applyIfPresent");
    if (childrenObstacle(world)) return applied === "False" && !applies;
    return applied === undefined || applied === "True" && applies;
  },
  "says that children are applied when all that Provisioning makes is there": (world, plan) => {
    const applied = statusOf(plan)?.conditions?.find(({ type }) => type === "ChildrenApplied")?.status;
    const began = world.status.activeCluster !== undefined && phaseAfter(plan) !== "Provisioning";
    return !began || applied !== undefined;
  },
  "calls an instance Ready only when it serves and nothing is wrong with it": (world, plan) => {
    const ready = statusOf(plan)?.conditions?.find(({ type }) => type === "Ready");
    return ready?.status !== "True" ||
      (servesIn(world, phaseAfter(plan)) && world.resolved !== undefined &&
        world.cluster.problem === undefined);
  },
};
