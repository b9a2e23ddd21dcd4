/** The answers that follow from the world alone. */
import type { Facts } from "./assessment.ts";
import { adminPasswordProblem } from "./instance/admin_password.ts";
import { isAdopted, isUpstreamJobRunning, unfinishedDatabase } from "./instance/adoption.ts";
import { deletionFacts } from "./instance/deletion.ts";
import { pullSecretProblem } from "./instance/pull_secret.ts";
import { odooVersion } from "./instance/version_profile.ts";
import { isDone } from "./operations/copy/copying.ts";
import { copyStep, isSwapping, servesBesideCopy } from "./operations/copy/copy_steps.ts";
import { firstSourceProblem, readerOf } from "./operations/copy/refresh_source.ts";
import { isJobRunning } from "./operations/job_exclusion.ts";
import { migrationRemains, targetCluster } from "./operations/migration/database_migration.ts";
import { migrationDeadlineMs } from "./operations/migration/filestore_migration.ts";
import { arePodsEnding, endingProblem } from "./pods/ending_pods.ts";
import { podProblems } from "./pods/pods.ts";
import { retriesMounts } from "./pods/stuck_pods.ts";
import { databaseOwnerUid } from "./postgres/database.ts";
import type { Problem } from "./problem.ts";
import { readyReplicas, type World } from "./world.ts";

/** Computes them. */
export function factsOf(world: World): Facts {
  const { status, cluster, instance } = world;
  const ending = arePodsEnding(world);
  const adopted = isAdopted(world);
  const unfinished = adopted ? unfinishedDatabase(world) : undefined;
  return {
    configurationProblem: configurationProblem(world),
    isProvisioned: isProvisioned(world),
    isDatabaseMissing: isDatabaseMissing(world),
    wantedReplicas: world.resolved?.webReplicas,
    readyReplicas: readyReplicas(world),
    copyStep: copyStep(status.operation),
    isStepDone: isDone(world),
    reachableInventory: cluster.facts?.known && cluster.address.name === status.activeCluster
      ? cluster.facts
      : undefined,
    isSwapping: isSwapping(status),
    servesBesideCopy: servesBesideCopy(status),
    reader: readerOf(world),
    isJobRunning: isJobRunning(world),
    isUpstreamJobRunning: isUpstreamJobRunning(world),
    arePodsEnding: ending,
    endingProblem: ending ? endingProblem(world) : undefined,
    isAdopted: adopted,
    unfinishedDatabase: unfinished,
    forbidsInit: unfinished !== undefined || (adopted && !cluster.facts?.known),
    podProblems: podProblems(world),
    odooVersion: odooVersion(world),
    targetCluster: targetCluster(world),
    migrationRemains: migrationRemains(world),
    migrationDeadlineMs: migrationDeadlineMs(world),
    pullSecretProblem: pullSecretProblem(world),
    retriesMounts: retriesMounts(world),
    deletion: instance.metadata.deletionTimestamp ? deletionFacts(world) : undefined,
    firstSourceProblem: firstSourceProblem(world),
  };
}

/** What is wrong with the spec, the clusters Secret, or the login in it. */
function configurationProblem(world: World): Problem | undefined {
  const problem = world.problem ?? adminPasswordProblem(world) ?? world.cluster.problem;
  if (problem || world.cluster.problem) return problem;
  const { facts, address } = world.cluster;
  if (facts.known || facts.reason !== "DatabaseLoginFailed") return undefined;
  return {
    reason: facts.reason,
    message:
      `${facts.message}. Correct adminUser and adminPassword of cluster '${address.name}' in the clusters Secret`,
  };
}

/** An unknown inventory lacks nothing. */
function isDatabaseMissing({ status, cluster, resolved }: World): boolean {
  if (!status.dbInitialized || !resolved || !cluster.address || !cluster.facts.known) return false;
  if (status.activeCluster !== cluster.address.name) return false; // that cluster's inventory has not been read
  return !cluster.facts.databases.has(resolved.databaseName);
}

function isProvisioned({ cluster, resolved, observed, instance }: World): boolean {
  if (!resolved || !cluster.address || !cluster.facts.known) return false;
  const { roles, databases } = cluster.facts;
  const role = roles.get(resolved.roleName);
  const database = databases.get(resolved.databaseName);
  const { uid } = instance.metadata;
  const ours = role?.ownership?.uid === uid && !!database &&
    databaseOwnerUid({ role: role?.ownership, database: database.ownership }) === uid;
  return ours && !!observed.configSecret && !!observed.userSecret && !!observed.filestore;
}
