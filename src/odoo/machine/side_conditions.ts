/** Conditions that most instances never have: added when they apply, and set to the opposite afterwards. */
import { conditionOf, type ConditionState } from "../../kit/conditions.ts";
import type { Assessment } from "../model/assessment.ts";
import { databaseName, objectNames, wantedDatabaseName } from "../model/names.ts";
import { NOTIFIED } from "../model/network/notification.ts";
import { anyPodProblem } from "../model/pods/pods.ts";
import { sharesNode } from "../model/resolve.ts";
import { postgresProblem } from "../model/instance/version_profile.ts";
import { phaseNotified } from "../planners/notifying.ts";

type SideCondition = Omit<ConditionState, "observedGeneration">;

/** Those that apply. */
export function sideConditions(world: Assessment): SideCondition[] {
  return [
    specAccepted(world),
    filestoreShared(world),
    pullSecretAvailable(world),
    podsWork(world),
    adopted(world),
    postgresSupported(world),
    notified(world),
  ].filter((condition) => condition !== undefined);
}

/** Whether the spec asks for what cannot be changed any more; the instance stays as it is. */
function specAccepted({ instance, status }: Assessment): SideCondition | undefined {
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
  return { type, status: "True", reason: "Accepted", message: "The spec asks for nothing that cannot be changed" };
}

/** Whether the volume can be mounted on many nodes. */
function filestoreShared({ resolved, status }: Assessment): SideCondition | undefined {
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

/** How far the adoption of an instance of operator 2.5.0 is. */
function adopted(world: Assessment): SideCondition | undefined {
  const type = "Adopted";
  const name = objectNames.config(world.instance.metadata.name);
  if (world.adoption.keepsPods) {
    return {
      type,
      status: "False",
      reason: "PodsKept",
      message: `The pods are those of operator 2.5.0, and ConfigMap ${name} holds their password: both change when ` +
        "something rolls the pods, or with the operator's flag --adopted-instances=switch",
    };
  }
  if (world.adoption.keepsConfigMap) {
    const { reasonsToRoll: reasons } = world.adoption;
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

/** Whether the pull Secret exists. A pod may have its image all the same, so Ready does not depend on it. */
function pullSecretAvailable(world: Assessment): SideCondition | undefined {
  const type = "PullSecretAvailable";
  const problem = world.facts.pullSecretProblem;
  if (problem) return { type, status: "False", ...problem };
  if (!conditionOf(world.status.conditions, type)) return undefined;
  return { type, status: "True", reason: "Available", message: "There is a Secret to pull the image with" };
}

/** Whether the server is new enough for the Odoo that a Job last found; unknown if either is unknown. */
function postgresSupported(world: Assessment): SideCondition | undefined {
  const type = "PostgresSupported";
  const problem = postgresProblem(world);
  if (problem) return { type, status: "False", ...problem };
  if (!conditionOf(world.status.conditions, type) || !world.cluster.facts?.known) return undefined;
  return {
    type,
    status: "True",
    reason: "Supported",
    message: `PostgreSQL ${world.cluster.facts.serverMajor} is new enough for Odoo ${world.facts.odooVersion}`,
  };
}

/** Whether a pod is known not to run: also of cron, or of a roll-out while the former pods still serve. */
function podsWork(world: Assessment): SideCondition | undefined {
  const type = "PodsWork";
  const problem = anyPodProblem(world.facts.podProblems);
  if (problem) return { type, status: "False", ...problem };
  if (!conditionOf(world.status.conditions, type)) return undefined;
  return { type, status: "True", reason: "NoTrouble", message: "No pod is known to have a problem" };
}

/** Whether the webhook has received the last change of phase; one that is being sent is not reported yet. */
function notified(world: Assessment): SideCondition | undefined {
  const former = conditionOf(world.status.conditions, NOTIFIED);
  if (!world.instance.spec.webhook?.url) {
    return former && { type: NOTIFIED, status: "Unknown", reason: "NoWebhook", message: "spec.webhook is not set" };
  }
  const last = phaseNotified(world) ?? former;
  return last && { type: NOTIFIED, status: last.status, reason: last.reason, message: last.message };
}
