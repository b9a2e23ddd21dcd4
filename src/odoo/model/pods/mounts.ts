/**
 * Pods that wait for a volume. Neither pod nor Deployment shows it: the kubelet and the attach/detach controller report it
 * in events only, and a single failed attempt is harmless.
 */
import type { Pod } from "../../../kit/builders/kinds.ts";
import type { Stored } from "../../../kit/types.ts";
import { objectNames } from "../names.ts";
import type { Problem } from "../problem.ts";

/** An event about a pod. */
export interface PodEvent {
  readonly reason: string;
  readonly note: string;
  /** Number of occurrences. */
  readonly times: number;
}

/** Reasons of a waiting container while a volume is not mounted. */
const BEFORE_CONTAINERS: ReadonlySet<string> = new Set(["ContainerCreating", "PodInitializing"]);

const MOUNT_FAILURES: ReadonlySet<string> = new Set(["FailedMount", "FailedAttachVolume", "FailedAttach"]);

/** A single failure is harmless: the volume may still be detaching from the node of a pod that has just terminated. */
const LEAST_TIMES = 2;

const LONGEST_QUOTE = 400;

/** Whether the pod is on a node and none of its containers was created: only then can events report a missing volume. */
export function awaitsContainers({ metadata, spec, status }: Stored<Pod>): boolean {
  if (!spec?.nodeName || metadata.deletionTimestamp) return false;
  return [...status?.initContainerStatuses ?? [], ...status?.containerStatuses ?? []].some(({ state }) =>
    BEFORE_CONTAINERS.has(state?.waiting?.reason ?? "")
  );
}

/** Why the volumes of the pod are not mounted; `undefined`, if events have not reported it at least {@linkcode LEAST_TIMES} times. */
export function mountProblem({ metadata, spec }: Stored<Pod>, events: readonly PodEvent[]): Problem | undefined {
  const failure = events.findLast(({ reason, times }) => MOUNT_FAILURES.has(reason) && times >= LEAST_TIMES);
  if (!failure) return undefined;
  const note = failure.note.replaceAll(/\s+/g, " ").trim().slice(0, LONGEST_QUOTE);
  return {
    reason: "VolumeNotMounted",
    message:
      `Pod ${metadata.name} on node ${spec?.nodeName} waits for a volume: ${failure.reason}, ${failure.times} times: ` +
      `${note}. The volume may still be attached to another node: check kubectl get volumeattachments`,
  };
}

/** Whether the pod belongs to a ReplicaSet of the instance's Deployments, which recreates it when it is deleted. */
export function isRecreated({ metadata: { labels = {}, ownerReferences = [] } }: Stored<Pod>, name: string): boolean {
  const deployment = [objectNames.web(name), objectNames.cron(name)].find((own) => own === labels.app);
  const owner = ownerReferences.find(({ controller }) => controller);
  const isOurs = deployment !== undefined && owner?.name === `${deployment}-${labels["pod-template-hash"]}`;
  return isOurs && owner.kind === "ReplicaSet";
}
