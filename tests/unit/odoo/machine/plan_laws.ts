/** What is true of every plan for a living instance; exhaustive_test.ts asks it of every world. */
import type { Phase } from "../../../../src/odoo/crd/mod.ts";
import { childrenObstacle } from "../../../../src/odoo/machine/child_conditions.ts";
import { assess } from "../../../../src/odoo/machine/assess.ts";
import { isSwapping, servesBesideCopy } from "../../../../src/odoo/model/operations/copy/copy_steps.ts";
import { jobNameOf, requestOf } from "../../../../src/odoo/model/operations/request.ts";
import { REQUEST_KIND_ROWS } from "../../../../src/odoo/model/operations/request_kinds.ts";
import type { Effect, Plan } from "../../../../src/odoo/model/plan.ts";
import type { World } from "../../../../src/odoo/model/world.ts";
import { SERVING_PHASES } from "./worlds.ts";

/** The contract of design C1, by effect; what is first in a plan has the lower number. */
const PLACE_IN_PLAN: Readonly<Record<Effect["type"], number>> = {
  patchInstance: 0,
  ensureUserSecret: 1,
  ownSecret: 1,
  ensureSourceSecret: 1,
  copyPullSecret: 1,
  adoptRole: 2,
  restrictRole: 2,
  ensureRole: 2,
  ensureDatabase: 2,
  ensureReadOnlyRole: 2,
  dropReadOnlyRole: 2,
  dropDatabase: 2,
  swapDatabase: 2,
  unswapDatabase: 2,
  dropRole: 2,
  renderConfig: 3,
  adoptConfigMap: 3,
  takeOverFields: 3,
  apply: 4,
  applyIfPresent: 4,
  create: 4,
  deleteChild: 4,
  deleteSecret: 4,
  disown: 4,
  releaseJob: 4,
  jobStatus: 5,
  status: 6,
  removeFinalizer: 6,
  deletePod: 7,
  event: 7,
  notify: 8,
  deleteClaim: 9,
  deleteRequest: 9,
};

/** Where an instance stays until something or somebody wants it elsewhere. */
const RESTING_PHASES: readonly Phase[] = ["Uninitialized", "InitFailed", "Running", "Degraded", "Stopped", "Error"];

/** A sentence that is true of every plan for a living instance. */
export type Law = (world: World, plan: Plan) => boolean;

export const LAWS: Readonly<Record<string, Law>> = {
  "orders the effects as the contract has it": (_world, plan) => {
    const places = plan.effects.map(({ type }) => PLACE_IN_PLAN[type]);
    return places.every((place, index) => place >= (places[index - 1] ?? 0));
  },
  "writes the instance's status once": (_world, plan) => plan.effects.filter(isStatus).length === 1,
  "names the phase that the table names": (world, plan) => phaseAfter(plan) === assess(world).nextPhase,
  "tells with the status which row fired, if one did": (world, plan) => {
    const { change: row } = assess(world);
    const { change } = plan.effects.find(isStatus) ?? {};
    if (!row || !change) return !row && !change;
    return change.from === row.from && change.guard === row.guard && change.to === assess(world).nextPhase;
  },
  "drops nothing from the cluster that holds the data": ({ status }, plan) =>
    plan.effects.every((effect) => !isDrop(effect) || clusterOf(effect) !== status.activeCluster),
  "drops a database that has moved only while the instance serves where it is now": (world, plan) =>
    plan.effects.every((effect) =>
      !isDrop(effect) || clusterOf(effect) !== world.status.migrationPreviousCluster ||
      world.phase === "Running" && world.cluster.facts?.known === true && !isSurelyMissing(world)
    ),
  "deletes no child while the way in stays the same": (_world, plan) =>
    plan.effects.every((effect) => effect.type !== "deleteChild" || effect.object.kind === "Job"),
  "writes no SQL to a cluster of which nothing is known": ({ cluster, otherClusters }, plan) =>
    plan.effects.every((effect) => {
      const name = clusterOf(effect) ?? "";
      const { facts } = cluster.address?.name === name ? cluster : otherClusters?.get(name) ?? {};
      return !isSql(effect) || facts?.known === true;
    }),
  "touches no cluster but those in the status": ({ status }, plan) =>
    plan.effects.every((effect) =>
      !isSql(effect) ||
      [status.activeCluster, status.migrationPreviousCluster, status.migrationTargetCluster].includes(clusterOf(effect))
    ),
  "points children at the cluster that holds the data, and at no other": ({ cluster, otherClusters }, plan) => {
    const others = [...otherClusters?.values() ?? []].flatMap(({ address }) => address?.host ?? []);
    const hosts = others.filter((host) => host !== cluster.address?.host);
    return hosts.length === 0 ||
      plan.effects.every((effect) =>
        effect.type !== "apply" && effect.type !== "renderConfig" ||
        !hosts.some((host) => JSON.stringify(effect).includes(host))
      );
  },
  "makes on a cluster that does not hold the data only what a copy goes into": (world, plan) =>
    plan.effects.every((effect) =>
      effect.type !== "ensureDatabase" || effect.cluster === world.status.activeCluster ||
      world.phase === "MigratingDatabase" && effect.database !== world.resolved?.databaseName
    ),
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
  "gives read access to a database that is there and initialised, and to no other": (world, plan) =>
    !plan.effects.some(({ type }) => type === "ensureReadOnlyRole") ||
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
  "remembers no operation outside the phases of operations": (world, plan) =>
    isOperating(phaseAfter(plan)) || phaseAfter(plan) === world.phase || statusOf(plan)?.operation === undefined,
  "keeps the operation that it has begun, until its next step": (world, plan) => {
    const [before, after] = [world.status.operation, statusOf(plan)?.operation];
    if (phaseAfter(plan) !== world.phase || before === after) return true;
    return before?.stage !== undefined && after?.uid === before.uid &&
      (after?.stage !== before.stage || (after?.attempt ?? 0) > (before.attempt ?? 0));
  },
  "lets a copy take the data's place only when it is prepared and all pods are gone": (world, plan) =>
    !plan.effects.some(({ type }) => type === "swapDatabase") ||
    world.status.operation?.stage === "swap" && !isEnding(world) &&
      requestOf(world, world.status.operation) !== undefined ||
    world.phase === "MigratingDatabase" && assess(world).nextPhase === "FinalizingDatabaseMigration",
  "serves nothing while a copy takes the data's place, or gives it back": (world, plan) =>
    !isSwapping(world.status) || !isCopying(world.phase) || plan.effects.every((effect) => !replicasOf(effect)),
  "completes a restore only with the swap, or behind it": (world, plan) => {
    const completes = plan.effects.some((effect) =>
      effect.type === "jobStatus" && effect.status.phase === "Completed" && effect.cr.kind === "OdooRestoreJob"
    );
    const { stage } = world.status.operation ?? {};
    return !completes || stage === "move" ||
      stage === "swap" && plan.effects.some(({ type }) => type === "swapDatabase");
  },
  "leaves a swap that was begun only done, or put back": (world, plan) =>
    !isSwapping(world.status) || !isCopying(world.phase) || phaseAfter(plan) === world.phase ||
    plan.effects.some((effect) => effect.type === "jobStatus" && effect.status.phase === "Completed") ||
    plan.effects.some(({ type }) => type === "unswapDatabase"),
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
  "never forgets that there is data, unless it is surely gone": (world, plan) =>
    !world.status.dbInitialized || isSurelyMissing(world) || statusOf(plan)?.dbInitialized === true,
  "records that there is data with the phase that follows": (world, plan) =>
    world.phase !== "Initializing" || phaseAfter(plan) !== "Starting" || statusOf(plan)?.dbInitialized === true,
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
  "fixes the name of the database only where there is data in it": ({ resolved }, plan) => {
    const after = statusOf(plan);
    return after?.databaseName === undefined ||
      after.dbInitialized === true && after.databaseName === resolved?.databaseName;
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

function servesIn(world: World, phase: Phase | null | undefined): boolean {
  return phase === "Running" || phase === "BackingUp" || phase === "MigratingFilestore" ||
    isCopying(phase) && servesBesideCopy(world.status);
}

function isCopying(phase: Phase | null | undefined): boolean {
  return phase === "Restoring" || phase === "CloningFromSource";
}

function isEnding({ observed }: World): boolean {
  return (observed.web !== undefined || observed.cron !== undefined) && observed.endingPods?.length !== 0;
}

function makesLiveDatabase({ resolved }: World, plan: Plan): boolean {
  return plan.effects.some((effect) => effect.type === "ensureDatabase" && effect.database === resolved?.databaseName);
}

function isMoving(phase: Phase | null | undefined): boolean {
  return phase === "MigratingFilestore" || phase === "FinalizingFilestoreMigration";
}

function isOperating(phase: Phase | null | undefined): boolean {
  return isMigrating(phase) || isMoving(phase) ||
    Object.values(REQUEST_KIND_ROWS).some((traits) => traits.phase === phase);
}

function isGivenUp({ status }: World, plan: Plan): boolean {
  return status.dbInitialized === true && statusOf(plan)?.dbInitialized === false;
}

function isSurelyMissing({ status, cluster, resolved }: World): boolean {
  return resolved !== undefined && cluster.facts?.known === true && cluster.address?.name === status.activeCluster &&
    !cluster.facts.databases.has(resolved.databaseName);
}

/** Phases that leave pods as they are. */
function isUndecided(phase: Phase): boolean {
  return phase === "Provisioning" || phase === "Error";
}

function isServing({ phase }: World): boolean {
  return SERVING_PHASES.includes(phase);
}

function somethingIsUnknown({ cluster, resolved, observed }: World): boolean {
  return cluster.facts?.known !== true || resolved === undefined || observed.configSecret === undefined;
}

function isStatus(effect: Effect): effect is Effect & { type: "status" } {
  return effect.type === "status";
}

function isDrop({ type }: Effect): boolean {
  return type === "dropDatabase" || type === "dropRole" || type === "dropReadOnlyRole";
}

function isSql(effect: Effect): boolean {
  return isDrop(effect) || /^(ensure(Role|Database|ReadOnlyRole)|(un)?swapDatabase)$/.test(effect.type);
}

function clusterOf(effect: Effect): string | undefined {
  return "cluster" in effect ? effect.cluster : undefined;
}

function isMigrating(phase: Phase | null | undefined): boolean {
  return phase === "MigratingDatabase" || phase === "FinalizingDatabaseMigration";
}

function isJob(effect: Effect): boolean {
  return effect.type === "create" && effect.object.kind === "Job" && !/-clean-(new|old)-/.test(nameOf(effect) ?? "");
}

/** Name of the object that an effect is about. */
export function nameOf(effect: Effect): string | undefined {
  return "object" in effect ? effect.object.metadata?.name : undefined;
}

function replicasOf(effect: Effect): number | undefined {
  if (effect.type !== "apply" || effect.object.kind !== "Deployment") return undefined;
  return (effect.object as { readonly spec?: { readonly replicas?: number } }).spec?.replicas;
}

function statusOf(plan: Plan) {
  return plan.effects.find(isStatus)?.status;
}

function phaseAfter(plan: Plan): Phase | null | undefined {
  return statusOf(plan)?.phase;
}
