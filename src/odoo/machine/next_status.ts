/** The status of the instance after a decision. */
import { setConditions } from "../../kit/conditions.ts";
import type { OdooInstanceStatus, OperationStatus } from "../crd/mod.ts";
import type { Assessment } from "../model/assessment.ts";
import { operationJobName, publicUrl, webSelector } from "../model/names.ts";
import { advanced, atStep } from "../model/operations/copy/copying.ts";
import { jobNameOf } from "../model/operations/request.ts";
import { requestKind, rowOf } from "../model/operations/request_kinds.ts";
import { timestamp } from "../../kit/timestamp.ts";
import { MIGRATIONS } from "../planners/migrations/mod.ts";
import { pendingNotifications } from "../planners/notifying.ts";
import { conditionsFor, type Explanation } from "./conditions.ts";
import { guards } from "./guards.ts";

/** Computes it; entering a phase and recording its operation is one write. */
export function nextStatus(world: Assessment, explanation: Explanation): OdooInstanceStatus {
  const { status, resolved, cluster, instance, facts, nextPhase: phase, outcome } = world;
  const { operation: _, filestore: __, databaseName: ___, pendingNotifications: ____, ...kept } = status;
  const hasData = hasDataAfter(world);
  const name = hasData ? fixedDatabaseName(world) : undefined;
  const operation = nextOperation(world);
  const pending = pendingNotifications(world);
  const ended = outcome.state === "succeeded" ? world.phase : undefined;
  return {
    ...kept,
    phase,
    message: explanation.message,
    ready: phase === "Running",
    readyReplicas: facts.readyReplicas,
    dbInitialized: hasData,
    url: publicUrl(instance),
    targetReplicas: resolved?.webReplicas ?? instance.spec.replicas ?? 1,
    selector: `app=${webSelector(instance.metadata.name).app}`,
    conditions: setConditions(status.conditions ?? [], conditionsFor(world, explanation), timestamp(world.now)),
    observedGeneration: instance.metadata.generation ?? 0,
    ...(status.activeCluster || !cluster.address ? {} : { activeCluster: cluster.address.name }),
    ...(name === undefined ? {} : { databaseName: name }),
    ...(operation ? { operation } : {}),
    ...Object.assign({}, ...MIGRATIONS.all.map((migration) => migration.advance(world, operation))),
    ...(ended === "BackingUp" ? { lastBackup: timestamp(world.now) } : {}),
    ...(facts.odooVersion === undefined ? {} : { odooVersion: facts.odooVersion }),
    ...(facts.retriesMounts ? { lastMountRetryTime: timestamp(world.now) } : {}),
    ...(pending.length ? { pendingNotifications: pending } : {}),
    // Modules have changed under the code that the pods have loaded, so web and cron pods are restarted.
    ...(ended === "Upgrading" ? { restartedFor: status.operation?.uid ?? null } : {}),
  };
}

/** Whether the instance has data. It is reset in one case only, in the write that starts again with an empty database. */
function hasDataAfter(world: Assessment): boolean {
  const { status: { dbInitialized }, instance, outcome } = world;
  if (world.nextPhase === "Uninitialized" && guards.databaseToRecreate(world)) return false;
  if (instance.metadata.deletionTimestamp) return dbInitialized === true; // no operation continues
  return dbInitialized === true || outcome.state === "succeeded";
}

/** The name of the database from the moment that data was seen in it: another name would be another database. */
function fixedDatabaseName({ status, resolved, cluster }: Assessment): string | undefined {
  if (status.databaseName || !resolved || cluster.address?.name !== status.activeCluster) return status.databaseName;
  const present = cluster.facts?.known ? cluster.facts.databases.get(resolved.databaseName) : undefined;
  return present?.owner === resolved.roleName ? present.name : undefined;
}

/** The operation to record: it begins with the phase that executes it, and is dropped when that phase is left. */
function nextOperation(world: Assessment): OperationStatus | undefined {
  const { phase, nextPhase, queue } = world;
  const isDatabaseMigrating = phase === "MigratingDatabase" && nextPhase === "FinalizingDatabaseMigration";
  if (nextPhase === phase || isDatabaseMigrating) return advanced(world);
  const migration = MIGRATIONS.all.map((each) => each.begin(world)).find((operation) => operation !== undefined);
  if (migration) return migration;
  const { next: request } = queue;
  if (!request || rowOf(request).phase !== nextPhase) return undefined;
  const { name, uid } = request.metadata;
  const kind = requestKind(request);
  const jobName = jobNameOf(request);
  const { firstStep } = rowOf(request);
  if (firstStep && !jobName) return atStep({ kind, name, uid }, firstStep);
  return { kind, name, uid, jobName: jobName ?? operationJobName(request, uid), attempt: 1 };
}
