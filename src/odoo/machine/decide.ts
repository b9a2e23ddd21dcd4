/**
 * The decision: what to do now, and which phase comes next. Pure: the same world gives the same plan.
 *
 * The work of a phase is planned only once that phase is committed in status; entering it and recording what it will do
 * (status.operation) is one write. So a crash at any point repeats a decision, never a deed.
 */
import type { Deployment } from "../../kit/builders/mod.ts";
import { conditionOf, setConditions } from "../../kit/conditions.ts";
import { timestamp } from "../../kit/timestamp.ts";
import type { Stored } from "../../kit/types.ts";
import { FIELD_MANAGER } from "../api.ts";
import type { OdooInstanceStatus, OperationStatus, Phase } from "../crd/mod.ts";
import { CONTENT_HASH_ANNOTATION, operationJobName, publicUrl, webSelector } from "../model/names.ts";
import { servesBesideCopy } from "../model/operations/copy/copy_steps.ts";
import { migrationOperation } from "../model/operations/migration/database_migration.ts";
import { advanced, atStep, firstCopyStep } from "../model/operations/copy/copying.ts";
import {
  filestoreFields,
  filestoreOperation,
  migrationDueTime,
} from "../model/operations/migration/filestore_migration.ts";
import { waitsForSource } from "../model/operations/copy/refresh_source.ts";
import { snapshotWork } from "../model/operations/copy/snapshot_step.ts";
import { operationOutcome } from "../model/operations/outcome.ts";
import { type Effect, inOrder, type PhaseChange, type Plan } from "../model/plan.ts";
import { jobNameOf, nextDueTime, nextRequest, requestKind, REQUESTS } from "../model/operations/requests.ts";
import { odooVersion } from "../model/instance/version_profile.ts";
import { readyReplicas, type World } from "../model/world.ts";
import {
  cronDeployment,
  nextStepTo,
  obsoleteChildren,
  steadyChildren,
  webDeployment,
  withReplicas,
  type WorkloadInput,
} from "../resources/mod.ts";
import { keepsConfigMap, keepsPods, planAdoption } from "../planners/adopting.ts";
import { awaitsDeletion, planDeletion } from "../planners/deleting.ts";
import { planFilestore } from "../planners/filestore.ts";
import { planFormerFilestores } from "../planners/filestore_migration.ts";
import { migrationStatus, planMigrationRemains } from "../planners/migrating_database.ts";
import { planLeftovers } from "../planners/leftovers.ts";
import { planOutcome, planRefusals, planReleases, planWaiting } from "../planners/operating.ts";
import { planHistory } from "../planners/history.ts";
import { pendingNotifications, planNotifications, planPhaseNotifications } from "../planners/notifying.ts";
import { planPullSecret } from "../planners/pull_secret.ts";
import { planDisowning, planFoundations, planOwnership, planPreparation } from "../planners/provisioning.ts";
import { planReadOnlyAccess, planReadOnlyEnd } from "../planners/read_only.ts";
import { planSnapshotEnd } from "../planners/snapshotting.ts";
import { retriesMounts } from "../planners/stuck_mounts.ts";
import { conditionsFor, explain } from "./conditions.ts";
import { guards } from "./guards.ts";
import { type PhaseRow, PHASES, type Scale } from "./phases.ts";
import { SETTLED, type Transition, TRANSITIONS } from "./transitions.ts";

/** How often one looks whether another instance can be copied. */
const SOURCE_LOOK_MS = 10_000;

/** What to do now. */
export function decide(world: World): Plan {
  if (world.instance.metadata.deletionTimestamp) {
    // Our part is done: what is left is somebody else's finalizer, or a cache that is behind.
    if (!awaitsDeletion(world)) return { effects: [] };
    const effects = [...planSnapshotEnd(world), ...planDeletion(world)];
    const leaves = effects.some(({ type }) => type === "removeFinalizer"); // and then there is no status to write
    return {
      effects: leaves ? effects : inOrder([...effects, { type: "status", status: nextStatus(world, world.phase) }]),
    };
  }
  const preparation = planPreparation(world);
  if (preparation.length) return { effects: preparation };
  const row: PhaseRow = PHASES[world.phase];
  const transition = transitionOf(world);
  const phase = nextPhase(world);
  const change = transition && { from: transition.from, to: phase, guard: transition.when };
  const status = nextStatus(world, phase);
  const requeueAfterMs = nextLook(world);
  return {
    ...(requeueAfterMs === undefined ? {} : { requeueAfterMs }),
    effects: inOrder([
      ...planDisowning(world, FIELD_MANAGER),
      ...planAdoption(world, FIELD_MANAGER),
      ...planOwnership(world),
      ...planFoundations(world),
      ...planPullSecret(world),
      ...planReadOnlyAccess(world),
      ...planChildren(world, row),
      ...planReadOnlyEnd(world),
      ...row.plan?.(world) ?? [],
      ...planReleases(world),
      ...planSnapshotEnd(world),
      ...planOutcome(world),
      ...planRefusals(world),
      ...planWaiting(world),
      { type: "status", status, ...(change ? { change } : {}) },
      ...planNotifications(world),
      ...planPhaseNotifications(world, status.pendingNotifications ?? []),
      ...(change ? [phaseChanged(world, change)] : []),
      ...databaseMissed(world, phase),
      ...(change ? [] : [...planLeftovers(world), ...planMigrationRemains(world), ...planFormerFilestores(world)]),
      ...planHistory(world),
    ]),
  };
}

/** When to decide again though nothing brings us here. */
function nextLook(world: World): number | undefined {
  const due = nextDueTime(world);
  const late = migrationDueTime(world);
  const snapshot = snapshotWork(world);
  const looks = [
    ...(due === undefined ? [] : [due - world.now]),
    ...(late === undefined ? [] : [Math.max(late - world.now, 0)]),
    ...(waitsForSource(world) ? [SOURCE_LOOK_MS] : []),
    ...(snapshot?.next === "wait" ? [Math.max(snapshot.untilMs - world.now, 0)] : []),
  ];
  return looks.length ? Math.min(...looks) : undefined;
}

/** The row that leads out of the committed phase, if one holds. */
export function transitionOf(world: World): Transition | undefined {
  return TRANSITIONS.find(({ from, when }) => from === world.phase && guards[when](world));
}

/** The phase after this decision. */
export function nextPhase(world: World): Phase {
  const { to = world.phase } = transitionOf(world) ?? {};
  if (to !== "settled") return to;
  return SETTLED.find(({ when }) => !when || guards[when](world))?.to ?? world.phase;
}

function planChildren(world: World, row: PhaseRow): Effect[] {
  const { resolved, cluster, observed, status } = world;
  if (!resolved || !cluster.address || status.activeCluster !== cluster.address.name) return [];
  const wanted = steadyChildren(resolved, cluster.address).filter(({ kind }) =>
    kind !== "ConfigMap" || !keepsConfigMap(world)
  );
  const children: Effect[] = [
    planFilestore(world, resolved),
    ...wanted.map((object): Effect => ({ type: "apply", object })),
    ...obsoleteChildren(resolved, observed).map((object): Effect => ({ type: "deleteChild", object })),
  ];
  const web = scaled(scaleNow(world, row.web), resolved.webReplicas, observed.web);
  const cron = scaled(scaleNow(world, row.cron), resolved.cronReplicas, observed.cron);
  const frozenWeb = row.web === "frozen" && observed.web !== undefined;
  if (keepsPods(world)) return [...children, ...rescaled(observed.web, web), ...rescaled(observed.cron, cron)];
  const configHash = observed.configSecret?.annotations[CONTENT_HASH_ANNOTATION];
  if (!configHash) return children;
  const restartedFor = status.restartedFor ?? undefined;
  const workload = (
    live: Stored<Deployment> | undefined,
    replicas: number | undefined,
    build: (input: WorkloadInput) => Deployment,
  ): Effect[] => {
    if (replicas === undefined) return [];
    return [{
      type: "apply",
      object: nextStepTo(build({ cluster: cluster.address, configHash, replicas, restartedFor }), live),
    }];
  };
  return [
    ...children,
    ...(frozenWeb
      ? rescaled(observed.web, web)
      : workload(observed.web, web, (input) => webDeployment(resolved, input))),
    ...workload(observed.cron, cron, (input) => cronDeployment(resolved, input)),
  ];
}

/** A Deployment that stays as it is but for the number of its pods. */
function rescaled(live: Stored<Deployment> | undefined, replicas: number | undefined): Effect[] {
  if (!live || replicas === undefined || live.spec?.replicas === replicas) return [];
  return [{ type: "apply", object: withReplicas(live, replicas) }];
}

/** A scale that depends on how far the operation is, as what it is now. */
function scaleNow(world: World, scale: Scale): Exclude<Scale, "untilSwap"> {
  if (scale !== "untilSwap") return scale;
  return servesBesideCopy(world) ? "spec" : "zero";
}

/** How many replicas to apply; `undefined` means that the Deployment is not touched. */
function scaled(
  scale: Exclude<Scale, "untilSwap">,
  wanted: number,
  live: Stored<Deployment> | undefined,
): number | undefined {
  switch (scale) {
    case "spec":
    case "frozen":
      return wanted;
    case "zero":
      return live && 0; // what does not exist need not be made in order to have no pods
    case "keep":
      return live?.spec?.replicas;
  }
}

function nextStatus(world: World, phase: Phase): OdooInstanceStatus {
  const { status, resolved, cluster, instance } = world;
  const { operation: _, filestore: __, databaseName: ___, pendingNotifications: ____, ...kept } = status;
  const name = fixedDatabaseName(world, phase);
  const operation = nextOperation(world, phase);
  const version = odooVersion(world);
  const pending = pendingNotifications(world, phase);
  return {
    ...kept,
    phase,
    message: explain(world, phase).message,
    ready: phase === "Running",
    readyReplicas: readyReplicas(world),
    dbInitialized: hasData(world, phase),
    url: publicUrl(instance),
    targetReplicas: resolved?.webReplicas ?? instance.spec.replicas ?? 1,
    selector: `app=${webSelector(instance.metadata.name).app}`,
    conditions: setConditions(status.conditions ?? [], conditionsFor(world, phase), timestamp(world.now)),
    observedGeneration: instance.metadata.generation ?? 0,
    ...(status.activeCluster || !cluster.address ? {} : { activeCluster: cluster.address.name }),
    ...(name === undefined ? {} : { databaseName: name }),
    ...(operation ? { operation } : {}),
    ...filestoreFields(world, phase),
    ...migrationStatus(world, phase),
    ...(hasBackedUp(world) ? { lastBackup: timestamp(world.now) } : {}),
    ...(version === undefined ? {} : { odooVersion: version }),
    ...(retriesMounts(world) ? { lastMountRetryTime: timestamp(world.now) } : {}),
    ...(pending.length ? { pendingNotifications: pending } : {}),
    ...(restarts(world) ? { restartedFor: world.status.operation?.uid ?? null } : {}),
  };
}

function hasBackedUp(world: World): boolean {
  return world.phase === "BackingUp" && operationOutcome(world).state === "succeeded";
}

/** Whether web and cron pods are to be started anew: modules have changed under the code that they have loaded. */
function restarts(world: World): boolean {
  return world.phase === "Upgrading" && operationOutcome(world).state === "succeeded";
}

/** Forgotten in one case only, and in the write that begins anew. */
function hasData(world: World, phase: Phase): boolean {
  if (phase === "Uninitialized" && guards.databaseToRecreate(world)) return false;
  if (world.instance.metadata.deletionTimestamp) return world.status.dbInitialized === true; // no operation goes on
  return world.status.dbInitialized === true || operationOutcome(world).state === "succeeded";
}

/** The name that data is under, from the moment that it was seen under it: another one would be another database. */
function fixedDatabaseName(world: World, phase: Phase): string | undefined {
  const { status, resolved, cluster } = world;
  if (!hasData(world, phase)) return undefined;
  if (status.databaseName || !resolved || cluster.address?.name !== status.activeCluster) return status.databaseName;
  const present = cluster.facts?.known ? cluster.facts.databases.get(resolved.databaseName) : undefined;
  return present?.owner === resolved.roleName ? present.name : undefined;
}

/** The operation to remember: begun with the phase that carries it out, forgotten when that phase is left. */
function nextOperation(world: World, phase: Phase): OperationStatus | undefined {
  if (phase === "MigratingDatabase" && phase !== world.phase) return migrationOperation(world);
  if (phase === world.phase || phase === "FinalizingDatabaseMigration") return advanced(world);
  const migration = filestoreOperation(world, phase);
  if (migration) return migration;
  const cr = nextRequest(world);
  if (!cr || REQUESTS[requestKind(cr)].phase !== phase) return undefined;
  const step = firstCopyStep(cr);
  const { name, uid } = cr.metadata;
  if (step && !jobNameOf(cr)) return atStep({ kind: requestKind(cr), name, uid }, step);
  const jobName = jobNameOf(cr) ?? operationJobName(cr, cr.metadata.uid);
  return { kind: requestKind(cr), name: cr.metadata.name, uid: cr.metadata.uid, jobName, attempt: 1 };
}

/** A lost database that stays lost is told when the condition begins to say so, not at every look. */
function databaseMissed(world: World, phase: Phase): Effect[] {
  const { reason, message } = explain(world, phase);
  const told = conditionOf(world.status.conditions, "Ready")?.reason === reason;
  if (reason !== "DatabaseMissing" || told || phase !== world.phase) return [];
  return [{ type: "event", about: world.instance, warning: true, reason, note: message }];
}

function phaseChanged(world: World, { from, to }: PhaseChange): Effect {
  const { message } = explain(world, to);
  const warning = to === "Error" || to === "InitFailed" || guards.databaseToRecreate(world);
  return {
    type: "event",
    about: world.instance,
    warning,
    reason: "PhaseChanged",
    note: `From ${from} to ${to}: ${message}`,
  };
}
