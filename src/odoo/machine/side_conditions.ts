/** Conditions that most instances never have: said where something is so, and taken back where it was so. */
import { conditionOf, type ConditionState } from "../../kit/conditions.ts";
import type { Phase } from "../crd/mod.ts";
import { databaseName, objectNames, wantedDatabaseName } from "../model/names.ts";
import { NOTIFIED } from "../model/network/notification.ts";
import { anyPodProblem } from "../model/pods/pods.ts";
import { sharesNode } from "../model/resolve.ts";
import { odooVersion, postgresProblem } from "../model/instance/version_profile.ts";
import type { World } from "../model/world.ts";
import { filestoreMigrated } from "./filestore_condition.ts";
import { keepsConfigMap, keepsPods, reasonsToRoll } from "../planners/adopting.ts";
import { phaseDelivery } from "../planners/notifying.ts";
import { pullSecretProblem } from "../planners/pull_secret.ts";

type SideCondition = Omit<ConditionState, "observedGeneration">;

/** Those that are to be said of this world. */
export function sideConditions(world: World, phase: Phase): SideCondition[] {
  return [
    specAccepted(world),
    filestoreShared(world),
    pullSecretAvailable(world),
    podsWork(world),
    adopted(world),
    postgresSupported(world),
    filestoreMigrated(world, phase),
    notified(world),
  ].filter((condition) => condition !== undefined);
}

/** Whether the spec asks for what can no longer be had; the instance goes on as it was. */
function specAccepted({ instance, status }: World): SideCondition | undefined {
  const type = "SpecAccepted";
  const { uid } = instance.metadata;
  const [name, wanted] = [databaseName(instance, uid), wantedDatabaseName(instance, uid)];
  if (name !== wanted) {
    return {
      type,
      status: "False",
      reason: "DatabaseNameFixed",
      message: `The data is in database ${name}, which goes on being served: spec.database.name is fixed once the ` +
        `database exists. Set it to ${name}, or restore a backup into a new instance of the other name`,
    };
  }
  if (!conditionOf(status.conditions, type)) return undefined;
  return { type, status: "True", reason: "Accepted", message: "The spec asks for nothing that cannot be had" };
}

/** Whether the volume can be on many nodes. */
function filestoreShared({ resolved, status }: World): SideCondition | undefined {
  const type = "FilestoreShared";
  if (!resolved) return undefined;
  if (!sharesNode(resolved)) {
    if (!conditionOf(status.conditions, type)) return undefined;
    return { type, status: "True", reason: "ManyNodes", message: "The volume can be on many nodes" };
  }
  const alone = resolved.accessModes.every((mode) => mode === "ReadWriteOncePod");
  return {
    type,
    status: "False",
    reason: alone ? "OnePod" : "OneNode",
    message: alone
      ? "The volume can be in one pod only: further pods wait. Set replicas or cron.replicas to 0, or use ReadWriteMany"
      : "The volume can be on one node only: all pods share a node, and old ones end before new ones start. For more, use ReadWriteMany",
  };
}

/** How far an instance of operator 2.5.0 has come. */
function adopted(world: World): SideCondition | undefined {
  const type = "Adopted";
  const name = objectNames.config(world.instance.metadata.name);
  if (keepsPods(world)) {
    return {
      type,
      status: "False",
      reason: "PodsKept",
      message: `The pods are those of operator 2.5.0, and ConfigMap ${name} holds their password: both change when ` +
        "something rolls the pods, or with the operator's flag --adopted-instances=switch",
    };
  }
  if (keepsConfigMap(world)) {
    const reasons = reasonsToRoll(world);
    return {
      type,
      status: "False",
      reason: "Switching",
      message: `ConfigMap ${name} is kept until the last pod and Job of operator 2.5.0 has ended` +
        (reasons.length ? `. The pods roll because of ${reasons.join(", ")}` : ""),
    };
  }
  if (!conditionOf(world.status.conditions, type)) return undefined;
  return { type, status: "True", reason: "Switched", message: "Nothing is left of operator 2.5.0" };
}

/** Whether there is something to pull with; a pod may have its image all the same, so this is not Ready. */
function pullSecretAvailable(world: World): SideCondition | undefined {
  const type = "PullSecretAvailable";
  const problem = pullSecretProblem(world);
  if (problem) return { type, status: "False", ...problem };
  if (!conditionOf(world.status.conditions, type)) return undefined;
  return { type, status: "True", reason: "Available", message: "There is a Secret to pull the image with" };
}

/** Whether the server is new enough for the Odoo that was last seen; what is unknown is neither. */
function postgresSupported(world: World): SideCondition | undefined {
  const type = "PostgresSupported";
  const problem = postgresProblem(world);
  if (problem) return { type, status: "False", ...problem };
  if (!conditionOf(world.status.conditions, type) || !world.cluster.facts?.known) return undefined;
  return {
    type,
    status: "True",
    reason: "Supported",
    message: `PostgreSQL ${world.cluster.facts.serverMajor} is new enough for Odoo ${odooVersion(world)}`,
  };
}

/** Whether a pod is known not to work: also one of cron, or of a roll-out beside which the former pods still serve. */
function podsWork(world: World): SideCondition | undefined {
  const type = "PodsWork";
  const problem = anyPodProblem(world);
  if (problem) return { type, status: "False", ...problem };
  if (!conditionOf(world.status.conditions, type)) return undefined;
  return { type, status: "True", reason: "NoTrouble", message: "Nothing is known to be wrong with any pod" };
}

/** Whether the webhook was told of the last change of phase; what is on its way says nothing yet. */
function notified(world: World): SideCondition | undefined {
  const former = conditionOf(world.status.conditions, NOTIFIED);
  if (!world.instance.spec.webhook?.url) {
    return former && { type: NOTIFIED, status: "Unknown", reason: "NoWebhook", message: "spec.webhook is not set" };
  }
  const told = phaseDelivery(world) ?? former;
  return told && { type: NOTIFIED, status: told.status, reason: told.reason, message: told.message };
}
