/**
 * The deletion of an instance: pods first, then database and role, then the Jobs with their pods, and the finalizer last. As
 * long as a cluster cannot be reached the finalizer stays, so no database is left behind. With deletionPolicy Retain the
 * objects that hold data lose their owner instead, and PostgreSQL is not used.
 */
import { conditionOf } from "../../kit/conditions.ts";
import { roleAdoptions } from "../model/instance/adoption.ts";
import { databaseOwnerUid, databasesOwnedBy } from "../model/postgres/database.ts";
import {
  databaseName,
  INSTANCE_FINALIZER,
  LEGACY_FINALIZER,
  OUTCOME_FINALIZER,
  readOnlyRoleName,
  roleName,
} from "../model/names.ts";
import { retains } from "../model/instance/deletion.ts";
import type { Effect } from "../model/plan.ts";
import type { PlannedWrite } from "../model/postgres/sql_writes.ts";
import type { Problem } from "../model/problem.ts";
import type { Assessment } from "../model/assessment.ts";
import type { ChosenCluster } from "../model/world.ts";

/** Event: database and role of a deleted instance cannot be dropped now. */
export const CLEANUP_FAILED = "CleanupFailed";

/** The finalizers that wait for this, ours last. */
const DELETION_FINALIZERS: readonly string[] = [LEGACY_FINALIZER, INSTANCE_FINALIZER];

/** Whether the deletion waits for a finalizer of this operator. */
export function awaitsDeletion({ instance }: Assessment): boolean {
  return instance.metadata.finalizers?.some((finalizer) => DELETION_FINALIZERS.includes(finalizer)) ?? false;
}

/** What must be removed before the instance, in order; the finalizer comes last. */
export function planDeletion(world: Assessment): Effect[] {
  const { observed, instance, facts } = world;
  const workloads = [observed.web, observed.cron].flatMap((object): Effect[] =>
    object && !object.metadata.deletionTimestamp ? [{ type: "deleteChild", object }] : []
  );
  if (workloads.length) {
    return [{
      type: "event",
      about: instance,
      warning: false,
      reason: "Cleanup",
      note: retains(instance) ? "Ending the pods, nothing else" : "Ending the pods, then dropping database and role",
    }, ...workloads];
  }
  const { obstacle } = facts.deletion ?? {};
  if (obstacle) return planObstacleEvent(world, obstacle);
  const adoptions = retains(instance) ? [] : roleAdoptions(world);
  if (adoptions.length) return adoptions; // only roles with our owner comment are dropped; the change of the inventory triggers the next reconcile
  const drops = retains(instance) ? planRetention(world) : planDrops(world);
  const releases = observed.jobs.filter((job) => job.metadata.finalizers?.includes(OUTCOME_FINALIZER)).map((
    job,
  ): Effect => ({ type: "releaseJob", job }));
  // Their pods delay the deletion of the volume, even if they have ended.
  const ends = observed.jobs.filter(({ metadata }) => !metadata.deletionTimestamp).map((object): Effect => ({
    type: "deleteChild",
    object,
  }));
  const held = DELETION_FINALIZERS.filter((finalizer) => instance.metadata.finalizers?.includes(finalizer));
  return [...drops, ...releases, ...ends, ...held.map((finalizer): Effect => ({ type: "removeFinalizer", finalizer }))];
}

/** An event when the condition begins to report the obstacle; a cluster that has not been asked yet is none. */
function planObstacleEvent({ instance, status }: Assessment, { reason, message }: Problem): Effect[] {
  const isReported = conditionOf(status.conditions, "Ready")?.message === message;
  if (isReported || reason === "Connecting") return [];
  return [{ type: "event", about: instance, warning: true, reason: CLEANUP_FAILED, note: message }];
}

/** The progress of a deletion without an obstacle. */
export function deletion({ instance }: Assessment): Problem {
  const message = retains(instance)
    ? "Ending the pods. Role, database, volume and Secrets stay: spec.deletionPolicy is Retain"
    : "Dropping database and role";
  return { reason: "Deleting", message };
}

/** Removes the owner of what would be garbage collected with the instance, and reports what is kept. */
function planRetention({ instance, observed, status }: Assessment): Effect[] {
  const { name, namespace = "", uid } = instance.metadata;
  const { userSecret, adminSecret, readOnlySecret, configSecret } = observed;
  const secrets = [userSecret, adminSecret, readOnlySecret, configSecret].flatMap((secret) => secret?.name ?? []);
  const volumes = [observed.filestore, observed.filestoreCopy, observed.formerFilestore].flatMap((claim) =>
    claim?.metadata.name ?? []
  );
  const kept = [
    ...(status.activeCluster
      ? [
        `database ${databaseName(instance, uid)} and role ${
          roleName({ name, namespace })
        } on cluster '${status.activeCluster}'`,
      ]
      : []),
    ...volumes.map((volume) => `PersistentVolumeClaim ${volume}`),
    ...secrets.map((secret) => `Secret ${secret}`),
  ];
  return [
    ...volumes.map((name) => ({ type: "disown", kind: "PersistentVolumeClaim", name }) as const),
    ...secrets.map((secret) => ({ type: "disown", kind: "Secret", name: secret }) as const),
    {
      type: "event",
      about: instance,
      warning: false,
      reason: "Retained",
      note: `spec.deletionPolicy is Retain. Kept: ${kept.join(", ") || "nothing, there was nothing"}`,
    },
  ];
}

function planDrops(world: Assessment): Effect[] {
  return (world.facts.deletion?.clusters ?? []).flatMap((cluster) => planDropsOn(cluster, world));
}

function planDropsOn(cluster: ChosenCluster, { instance }: Assessment): Effect[] {
  if (!cluster.address || !cluster.facts.known) return [];
  const { name, namespace = "", uid } = instance.metadata;
  const role = roleName({ name, namespace });
  const { facts, address } = cluster;
  const ownership = { uid };
  const sql = (write: PlannedWrite): Effect => ({ type: "sql", cluster: address.name, write });
  const present = facts.roles.get(role);
  const readOnly = readOnlyRoleName({ name, namespace });
  const readOnlyDrops: Effect[] = facts.roles.get(readOnly)?.ownership?.uid === uid
    ? [sql({ type: "dropRole", role: readOnly, ownership })] // its grants were dropped with the database
    : [];
  if (present?.ownership?.uid !== uid) return readOnlyDrops;
  const databases = databasesOwnedBy(facts, role).filter((database) => {
    const held = facts.databases.get(database);
    return held && databaseOwnerUid({ role: present?.ownership, database: held.ownership }) === uid;
  });
  return [
    ...databases.map((database) => sql({ type: "dropDatabase", database, ownership })),
    ...readOnlyDrops,
    sql({ type: "dropRole", role, ownership }),
  ];
}
