/**
 * The end of an instance: pods first, then database and role, then the Jobs with their pods, and the finalizer last.
 * Whatever cannot be reached keeps the finalizer, so nothing is left behind unnoticed. With deletionPolicy Retain what
 * holds data is set free instead, and PostgreSQL is not asked at all.
 */
import { conditionOf } from "../../kit/conditions.ts";
import { clusterInUse, roleAdoptions } from "../model/instance/adoption.ts";
import { databaseOwnerUid, databasesOwnedBy } from "../model/postgres/database.ts";
import {
  databaseName,
  INSTANCE_FINALIZER,
  LEGACY_FINALIZER,
  OUTCOME_FINALIZER,
  readOnlyRoleName,
  roleName,
} from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { Problem } from "../model/resolve.ts";
import type { ChosenCluster, World } from "../model/world.ts";

/** Event: database and role of an instance that goes cannot be dropped, for now. */
export const CLEANUP_FAILED = "CleanupFailed";

/** The finalizers that wait for this, ours last. */
const DELETION_FINALIZERS: readonly string[] = [LEGACY_FINALIZER, INSTANCE_FINALIZER];

/** Whether a deletion waits for this operator. */
export function awaitsDeletion({ instance }: World): boolean {
  return instance.metadata.finalizers?.some((finalizer) => DELETION_FINALIZERS.includes(finalizer)) ?? false;
}

/** What must be gone before the instance may go, in order; the finalizer comes last, once nothing is left. */
export function planDeletion(world: World): Effect[] {
  const { observed, instance } = world;
  const workloads = [observed.web, observed.cron].flatMap((object): Effect[] =>
    object && !object.metadata.deletionTimestamp ? [{ type: "deleteChild", object }] : []
  );
  if (workloads.length) {
    return [{
      type: "event",
      about: instance,
      warning: false,
      reason: "Cleanup",
      note: retains(world) ? "Ending the pods, nothing else" : "Ending the pods, then dropping database and role",
    }, ...workloads];
  }
  const obstacle = deletionObstacle(world);
  if (obstacle) return planComplaint(world, obstacle);
  const adoptions = retains(world) ? [] : roleAdoptions(world);
  if (adoptions.length) return adoptions; // only what is signed is ever dropped; the news of it brings us back
  const drops = retains(world) ? planRetention(world) : planDrops(world);
  const releases = observed.jobs.filter((job) => job.metadata.finalizers?.includes(OUTCOME_FINALIZER)).map((
    job,
  ): Effect => ({ type: "releaseJob", job }));
  // Their pods keep the volume from going, however long ago they ended.
  const ends = observed.jobs.filter(({ metadata }) => !metadata.deletionTimestamp).map((object): Effect => ({
    type: "deleteChild",
    object,
  }));
  const held = DELETION_FINALIZERS.filter((finalizer) => instance.metadata.finalizers?.includes(finalizer));
  return [...drops, ...releases, ...ends, ...held.map((finalizer): Effect => ({ type: "removeFinalizer", finalizer }))];
}

/** Told when the condition begins to say so, not at every look; that nobody was asked yet is no failure. */
function planComplaint({ instance, status }: World, { reason, message }: Problem): Effect[] {
  const told = conditionOf(status.conditions, "Ready")?.message === message;
  if (told || reason === "Connecting") return [];
  return [{ type: "event", about: instance, warning: true, reason: CLEANUP_FAILED, note: message }];
}

/** What is going on while nothing stands in the way. */
export function deletion(world: World): Problem {
  const message = retains(world)
    ? "Ending the pods. Role, database, volume and Secrets stay: spec.deletionPolicy is Retain"
    : "Dropping database and role";
  return { reason: "Deleting", message };
}

/** Why database and role cannot be dropped now, if they may exist. */
export function deletionObstacle(world: World): Problem | undefined {
  const { cluster } = world;
  const active = clusterInUse(world);
  if (!active || retains(world)) return undefined; // nothing was ever made on a cluster, or all of it stays
  const wayOut = `To give database and role up, remove the finalizer ${INSTANCE_FINALIZER}`;
  if (cluster.problem) {
    return {
      reason: cluster.problem.reason,
      message: `Cannot drop database and role: ${cluster.problem.message}. ${wayOut}`,
    };
  }
  if (!cluster.facts.known) {
    return {
      reason: cluster.facts.reason,
      message: `Cannot drop database and role: ${cluster.facts.message}. ${wayOut}`,
    };
  }
  const [other, far] = [...otherClusters(world)].find(([, { facts }]) => facts && !facts.known) ?? [];
  if (other !== undefined && far?.facts && !far.facts.known) {
    return {
      reason: far.facts.reason,
      message: `Cannot drop what a migration left on cluster '${other}': ${far.facts.message}. ${wayOut}`,
    };
  }
  return undefined;
}

/** Clusters that hold something of a migration; those that nobody lists any more are given up. */
function otherClusters({ status, otherClusters }: World): ReadonlyMap<string, ChosenCluster> {
  const names = [status.migrationPreviousCluster, status.migrationTargetCluster];
  return new Map([...otherClusters ?? []].filter(([name]) => names.includes(name)));
}

/** Whether role, database, volume and Secrets outlive the instance. */
function retains({ instance }: World): boolean {
  return instance.spec.deletionPolicy === "Retain";
}

/** Sets free what would be collected with the instance, and says what is kept. */
function planRetention({ instance, observed, status }: World): Effect[] {
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

function planDrops(world: World): Effect[] {
  if (!clusterInUse(world)) return [];
  const others = [...otherClusters(world).values()];
  return [world.cluster, ...others].flatMap((cluster) => planDropsOn(cluster, world));
}

function planDropsOn(cluster: ChosenCluster, { instance }: World): Effect[] {
  if (!cluster.address || !cluster.facts.known) return [];
  const { name, namespace = "", uid } = instance.metadata;
  const role = roleName({ name, namespace });
  const { facts, address } = cluster;
  const present = facts.roles.get(role);
  const readOnly = readOnlyRoleName({ name, namespace });
  const readOnlyDrops: Effect[] = facts.roles.get(readOnly)?.ownership?.uid === uid
    ? [{ type: "dropRole", cluster: address.name, role: readOnly, uid }] // with the database went what it was granted
    : [];
  if (present?.ownership?.uid !== uid) return readOnlyDrops;
  const databases = databasesOwnedBy(facts, role).filter((database) => {
    const held = facts.databases.get(database);
    return held && databaseOwnerUid({ role: present?.ownership, database: held.ownership }) === uid;
  });
  return [
    ...databases.map((database): Effect => ({ type: "dropDatabase", cluster: address.name, database, uid })),
    ...readOnlyDrops,
    { type: "dropRole", cluster: address.name, role, uid },
  ];
}
