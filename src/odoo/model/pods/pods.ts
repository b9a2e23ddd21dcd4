/**
 * What keeps pods from working, in words for people. A pod is looked at only while somebody waits for it, and of what was
 * read the words are kept, nothing else: see shell/pod_watch.ts.
 */
import type { Deployment, Pod } from "../../../kit/builders/kinds.ts";
import type { Stored } from "../../../kit/types.ts";
import { cronSelector, JOB_LABEL, webSelector } from "../names.ts";
import type { Problem } from "../resolve.ts";
import { type CachedWorld, jobStateOf, type PodPurpose, type PodTroubles, type World } from "../world.ts";

const PURPOSES: readonly PodPurpose[] = ["job", "web", "cron"];

/** The pods that somebody waits for: those that a Deployment lacks, and that of a Job which has not begun. */
export function awaitedPods(world: CachedWorld): PodPurpose[] {
  const { web, cron } = world.observed;
  const isAwaited: Readonly<Record<PodPurpose, boolean>> = {
    job: awaitedJob(world) !== undefined,
    web: lacksPods(web),
    cron: lacksPods(cron),
  };
  return PURPOSES.filter((purpose) => isAwaited[purpose]);
}

/** The Job of the operation in progress, as long as no container of it runs. */
export function awaitedJob(world: CachedWorld) {
  const { operation } = world.status;
  const state = jobStateOf(world, operation?.jobName);
  const job = world.observed.jobs.find(({ metadata }) => metadata.name === operation?.jobName);
  return job && state.state === "active" && !job.status?.ready ? job : undefined;
}

/** A Deployment that has all its pods, and none of a former template beside them, lacks nothing. */
function lacksPods(deployment: Stored<Deployment> | undefined): boolean {
  const { readyReplicas = 0, unavailableReplicas = 0 } = deployment?.status ?? {};
  return deployment !== undefined && (unavailableReplicas > 0 || readyReplicas < (deployment.spec?.replicas ?? 0));
}

/** Changes when something has moved, so that it is worth while to look again. */
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

/** What is wrong with the pods for `purpose`: what its Deployment says goes first, because it is never old. */
function podProblem(world: World, purpose: PodPurpose): Problem | undefined {
  const { web, cron, podTroubles } = world.observed;
  const deployment = { web, cron, job: undefined }[purpose];
  return (deployment && notCreated(deployment)) ?? podTroubles?.[purpose];
}

/** The problem of each purpose. */
export function podProblems(world: World): PodTroubles {
  const problems = PURPOSES.map((purpose) => [purpose, podProblem(world, purpose)] as const);
  return Object.fromEntries(problems.filter(([, problem]) => problem !== undefined));
}

/** The first problem of any pod. */
export function anyPodProblem(problems: PodTroubles): Problem | undefined {
  return PURPOSES.map((purpose) => problems[purpose]).find((problem) => problem !== undefined);
}

/** What else is wrong with pods, beside what they say themselves. */
type FurtherTroubles = ReadonlyMap<Stored<Pod>, Problem>;

/** The first trouble of each purpose among the pods of the instance `name`. */
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

/** Why nobody makes the pods of a Deployment. */
function notCreated({ metadata, status }: Stored<Deployment>): Problem | undefined {
  const failure = status?.conditions?.find(({ type, status }) => type === "ReplicaFailure" && status === "True");
  return failure && podsRefused(`Deployment ${metadata.name}`, failure.message ?? failure.reason ?? "no reason given");
}

/** `refusal` is in the words of the API server, which names a pod that never was, and another one each time. */
export function podsRefused(owner: string, refusal: string): Problem {
  const words = refusal.replace(/^Error creating: /, "").replace(/\bpods? "[^"]*"/, "a pod");
  const advice = words.includes("exceeded quota") ? ". Raise that ResourceQuota, or free what it counts" : "";
  return { reason: "PodsNotCreated", message: `${owner} gets no pod: ${words}${advice}` };
}

function purposeOf({ metadata: { labels = {} } }: Stored<Pod>, name: string): PodPurpose | undefined {
  if (labels[JOB_LABEL]) return "job";
  if (labels.app === webSelector(name).app) return "web";
  return labels.app === cronSelector(name).app ? "cron" : undefined;
}

type ContainerStatus = NonNullable<NonNullable<Pod["status"]>["containerStatuses"]>[number];

/** Why a pod does not work, if it says so. */
export function podTrouble(pod: Stored<Pod>): Problem | undefined {
  if (isOnSilentNode(pod)) return onSilentNode(pod);
  if (pod.metadata.deletionTimestamp) return undefined;
  const { conditions = [], containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const placing = conditions.find(({ type }) => type === "PodScheduled");
  if (placing?.status === "False") {
    return { reason: "PodUnschedulable", message: `Pod ${pod.metadata.name} finds no node: ${placing.message}` };
  }
  for (const container of [...initContainerStatuses, ...containerStatuses]) {
    const trouble = containerTrouble(pod, container);
    if (trouble) return trouble;
  }
  return undefined;
}

/** A kubelet always says why a pod is not ready; the controller that does it for a node that is silent never does. */
function isOnSilentNode({ spec, status }: Stored<Pod>): boolean {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return spec?.nodeName !== undefined && (status?.reason === "NodeLost" || ready?.status === "False" && !ready.reason);
}

function onSilentNode({ metadata, spec }: Stored<Pod>): Problem {
  const next = metadata.deletionTimestamp
    ? "It is to end and cannot: start the node again, or remove it (kubectl delete node)"
    : "Kubernetes replaces the pod when the node stays silent for five minutes, or is removed (kubectl delete node)";
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

/** On the way to a container; all other reasons to wait are trouble. */
const HARMLESS_REASONS: ReadonlySet<string> = new Set(["ContainerCreating", "PodInitializing"]);

function containerTrouble({ metadata, spec }: Stored<Pod>, { name, image, state, lastState }: ContainerStatus) {
  const { reason, message } = state?.waiting ?? {};
  if (!reason || HARMLESS_REASONS.has(reason)) return undefined;
  const words = message ? `${reason}: ${message}` : reason;
  if (IMAGE_REASONS.has(reason)) {
    const wanted = spec?.containers.find((container) => container.name === name)?.image ?? image;
    const advice = metadata.labels?.[JOB_LABEL]
      ? "Correct spec.image or spec.imagePullSecret, then delete the OdooInitJob: a Job keeps the image that it began with"
      : "Correct spec.image or spec.imagePullSecret";
    return {
      reason: "ImagePullFailed",
      message: `Pod ${metadata.name} cannot get image ${wanted}: ${words}. ${advice}`,
    };
  }
  const container = `Container ${name} of pod ${metadata.name}`;
  if (reason !== "CrashLoopBackOff") {
    return { reason: "ContainerNotStarted", message: `${container} cannot start: ${words}` };
  }
  const end = lastState?.terminated;
  const how = end ? ` (${end.reason ?? "Error"}, exit code ${end.exitCode})` : "";
  return {
    reason: "PodCrashing",
    message: `${container} ends again and again${how}: kubectl logs ${metadata.name} --previous says why`,
  };
}
