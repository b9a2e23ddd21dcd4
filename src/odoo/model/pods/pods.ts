/**
 * Messages about pods that do not run. Pods are read only while the operator waits for them, and only the messages are
 * kept: see shell/lookups/pod_watch.ts.
 */
import type { Deployment, Pod } from "../../../kit/builders/kinds.ts";
import type { Stored } from "../../../kit/types.ts";
import { cronSelector, JOB_LABEL, webSelector } from "../names.ts";
import type { Problem } from "../problem.ts";
import { type CachedWorld, jobStateOf, type PodPurpose, type PodTroubles, type World } from "../world.ts";

const PURPOSES: readonly PodPurpose[] = ["job", "web", "cron"];

/** The pods that the operator waits for: those that a Deployment lacks, and that of a Job which has not started. */
export function awaitedPods(world: CachedWorld): PodPurpose[] {
  const { web, cron } = world.observed;
  const isAwaited: Readonly<Record<PodPurpose, boolean>> = {
    job: awaitedJob(world) !== undefined,
    web: lacksPods(web),
    cron: lacksPods(cron),
  };
  return PURPOSES.filter((purpose) => isAwaited[purpose]);
}

/** The Job of the operation in progress, while none of its pods is ready. */
export function awaitedJob(world: CachedWorld) {
  const { operation } = world.status;
  const state = jobStateOf(world, operation?.jobName);
  const job = world.observed.jobs.find(({ metadata }) => metadata.name === operation?.jobName);
  return job && state.state === "active" && !job.status?.ready ? job : undefined;
}

/** Whether a Deployment lacks ready pods, or still has pods of a former template. */
function lacksPods(deployment: Stored<Deployment> | undefined): boolean {
  const { readyReplicas = 0, unavailableReplicas = 0 } = deployment?.status ?? {};
  return deployment !== undefined && (unavailableReplicas > 0 || readyReplicas < (deployment.spec?.replicas ?? 0));
}

/** A text that changes when the counts of pods change, so that the pods must be read again. */
export function podSituation(world: CachedWorld): string {
  const { web, cron } = world.observed;
  const countsOf = (deployment: Stored<Deployment> | undefined) => {
    const { replicas, readyReplicas, updatedReplicas, unavailableReplicas } = deployment?.status ?? {};
    return [replicas, readyReplicas, updatedReplicas, unavailableReplicas];
  };
  const job = awaitedJob(world);
  const { generation } = world.instance.metadata;
  return JSON.stringify([generation, countsOf(web), countsOf(cron), job && [job.metadata.name, job.status?.active]]);
}

/** The problem of the pods for `purpose`. That of its Deployment comes first, because it is never stale. */
function podProblem(world: World, purpose: PodPurpose): Problem | undefined {
  const { web, cron, podTroubles } = world.observed;
  const deployment = { web, cron, job: undefined }[purpose];
  return (deployment && notCreated(deployment)) ?? podTroubles?.[purpose];
}

/** The first problem of any pod. */
export function podProblems(world: World): PodTroubles {
  const problems = PURPOSES.map((purpose) => [purpose, podProblem(world, purpose)] as const);
  return Object.fromEntries(problems.filter(([, problem]) => problem !== undefined));
}

/** The first problem of any pod. */
export function anyPodProblem(problems: PodTroubles): Problem | undefined {
  return PURPOSES.map((purpose) => problems[purpose]).find((problem) => problem !== undefined);
}

/** Problems of pods that their status does not show. */
type FurtherTroubles = ReadonlyMap<Stored<Pod>, Problem>;

/** The first problem for each purpose among the pods of the instance `name`. */
export function troublesOf(
  pods: readonly Stored<Pod>[],
  name: string,
  further: FurtherTroubles = new Map(),
): PodTroubles {
  const troubles: { -readonly [purpose in PodPurpose]?: Problem } = {};
  for (const pod of pods) {
    const purpose = purposeOf(pod, name);
    const trouble = purpose && !troubles[purpose] ? podTrouble(pod) ?? further.get(pod) : undefined;
    if (purpose && trouble) troubles[purpose] = trouble;
  }
  return troubles;
}

/** Why the ReplicaSet of a Deployment cannot create its pods. */
function notCreated({ metadata, status }: Stored<Deployment>): Problem | undefined {
  const failure = status?.conditions?.find(({ type, status }) => type === "ReplicaFailure" && status === "True");
  return failure && podsRefused(`Deployment ${metadata.name}`, failure.message ?? failure.reason ?? "no reason given");
}

/** `refusal` is the message of the API server. The name of the refused pod is removed, because it differs at each attempt. */
export function podsRefused(owner: string, refusal: string): Problem {
  const text = refusal.replace(/^Error creating: /, "").replace(/\bpods? "[^"]*"/, "a pod");
  const advice = text.includes("exceeded quota") ? ". Raise that ResourceQuota, or delete objects that it counts" : "";
  return { reason: "PodsNotCreated", message: `The API server refuses the pods of ${owner}: ${text}${advice}` };
}

function purposeOf({ metadata: { labels = {} } }: Stored<Pod>, name: string): PodPurpose | undefined {
  if (labels[JOB_LABEL]) return "job";
  if (labels.app === webSelector(name).app) return "web";
  return labels.app === cronSelector(name).app ? "cron" : undefined;
}

type ContainerStatus = NonNullable<NonNullable<Pod["status"]>["containerStatuses"]>[number];

/** Why a pod does not run, according to its status; `undefined`, if the status shows no problem. */
export function podTrouble(pod: Stored<Pod>): Problem | undefined {
  if (isOnSilentNode(pod)) return onSilentNode(pod);
  if (pod.metadata.deletionTimestamp) return undefined;
  const { conditions = [], containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const placing = conditions.find(({ type }) => type === "PodScheduled");
  if (placing?.status === "False") {
    const why = (placing.message ?? "").replace(/\.$/, "");
    const advice = "Add a node that fits, or change resources, nodeSelector, affinity or tolerations";
    return { reason: "PodUnschedulable", message: `Pod ${pod.metadata.name} cannot be scheduled: ${why}. ${advice}` };
  }
  for (const container of [...initContainerStatuses, ...containerStatuses]) {
    const trouble = containerTrouble(pod, container);
    if (trouble) return trouble;
  }
  return undefined;
}

/** A kubelet always sets the reason of a pod that is not ready; the controller that does it for a silent node never does. */
function isOnSilentNode({ spec, status }: Stored<Pod>): boolean {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return spec?.nodeName !== undefined && (status?.reason === "NodeLost" || ready?.status === "False" && !ready.reason);
}

function onSilentNode({ metadata, spec }: Stored<Pod>): Problem {
  const next = metadata.deletionTimestamp
    ? "The pod cannot terminate: start the node again, or delete it (kubectl delete node)"
    : "Kubernetes replaces the pod after five minutes, or once the node is deleted (kubectl delete node)";
  return {
    reason: "NodeNotReady",
    message: `Pod ${metadata.name} is on node ${spec?.nodeName}, which does not answer. ${next}`,
  };
}

const IMAGE_REASONS: ReadonlySet<string> = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "ErrImageNeverPull",
  "ImageInspectError",
  "RegistryUnavailable",
]);

/** Reasons of containers that are about to start; all other reasons to wait are problems. */
const HARMLESS_REASONS: ReadonlySet<string> = new Set(["ContainerCreating", "PodInitializing"]);

function containerTrouble({ metadata, spec }: Stored<Pod>, { name, image, state, lastState }: ContainerStatus) {
  const { reason, message } = state?.waiting ?? {};
  if (!reason || HARMLESS_REASONS.has(reason)) return undefined;
  const text = message ? `${reason}: ${message}` : reason;
  if (IMAGE_REASONS.has(reason)) {
    const wanted = spec?.containers.find((container) => container.name === name)?.image ?? image;
    const advice = metadata.labels?.[JOB_LABEL]
      ? "Correct spec.image or spec.imagePullSecret, then delete the job resource: its Job keeps the image with which it was created"
      : "Correct spec.image or spec.imagePullSecret";
    return {
      reason: "ImagePullFailed",
      message: `Pod ${metadata.name} cannot pull image ${wanted}: ${text}. ${advice}`,
    };
  }
  const container = `Container ${name} of pod ${metadata.name}`;
  if (reason !== "CrashLoopBackOff") {
    return {
      reason: "ContainerNotStarted",
      message: `${container} cannot start: ${text}. Correct the spec of the instance, or create the missing object`,
    };
  }
  const end = lastState?.terminated;
  const how = end ? ` (${end.reason ?? "Error"}, exit code ${end.exitCode})` : "";
  return {
    reason: "PodCrashing",
    message: `${container} restarts repeatedly${how}: find the cause with kubectl logs ${metadata.name} --previous`,
  };
}
