/**
 * Pods that wait for a volume. Neither pod nor Deployment says so: the kubelet and the controller that attaches volumes tell
 * it in events only, and those of a first attempt that fails are harmless.
 */
import type { Pod } from "../../../kit/builders/kinds.ts";
import type { Stored } from "../../../kit/types.ts";
import { objectNames } from "../names.ts";
import type { Problem } from "../resolve.ts";

/** What is told of a pod. */
export interface MountEvent {
  readonly reason: string;
  readonly note: string;
  /** How often it was so. */
  readonly times: number;
}

/** What a container waits for as long as a volume is missing. */
const BEFORE_CONTAINERS: ReadonlySet<string> = new Set(["ContainerCreating", "PodInitializing"]);

const MOUNT_FAILURES: ReadonlySet<string> = new Set(["FailedMount", "FailedAttachVolume", "FailedAttach"]);

/** One failure is no trouble: a volume may be on its way from the node of a pod that has just ended. */
const LEAST_TIMES = 2;

const LONGEST_QUOTE = 400;

/** Whether it is on a node and has no container there yet: only then its events may tell of a volume. */
export function awaitsContainers({ metadata, spec, status }: Stored<Pod>): boolean {
  if (!spec?.nodeName || metadata.deletionTimestamp) return false;
  return [...status?.initContainerStatuses ?? [], ...status?.containerStatuses ?? []].some(({ state }) =>
    BEFORE_CONTAINERS.has(state?.waiting?.reason ?? "")
  );
}

/** Why its volumes are not there, if that has been told often enough. */
export function mountProblem({ metadata, spec }: Stored<Pod>, news: readonly MountEvent[]): Problem | undefined {
  const told = news.findLast(({ reason, times }) => MOUNT_FAILURES.has(reason) && times >= LEAST_TIMES);
  if (!told) return undefined;
  const note = told.note.replaceAll(/\s+/g, " ").trim().slice(0, LONGEST_QUOTE);
  return {
    reason: "VolumeNotMounted",
    message:
      `Pod ${metadata.name} waits on node ${spec?.nodeName} for a volume: ${told.reason}, ${told.times} times: ` +
      `${note}. The volume may still be attached to another node: kubectl get volumeattachments`,
  };
}

/** Whether the pod is one of a ReplicaSet of the instance's Deployments: those are made again when they are deleted. */
export function isRecreated({ metadata: { labels = {}, ownerReferences = [] } }: Stored<Pod>, name: string): boolean {
  const deployment = [objectNames.web(name), objectNames.cron(name)].find((own) => own === labels.app);
  const owner = ownerReferences.find(({ controller }) => controller);
  const isOurs = deployment !== undefined && owner?.name === `${deployment}-${labels["pod-template-hash"]}`;
  return isOurs && owner.kind === "ReplicaSet";
}
