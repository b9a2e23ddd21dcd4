/** How a batch/v1 Job has ended: by its conditions, because counts include retries, and with its container's message. */
import type { Job, Pod } from "../../../kit/builders/kinds.ts";
import type { Stored } from "../../../kit/types.ts";
import { JOB_LABEL } from "../names.ts";
import type { JobState } from "../world.ts";

/** The condition by which a Job has ended, if it has. */
export function jobEnd(job: Job) {
  return job.status?.conditions?.find(({ type, status }) =>
    status === "True" && (type === "Complete" || type === "Failed")
  );
}

/** The state of a Job; the message is the termination message of its container. */
export function jobState(job: Stored<Job>, pods: readonly Stored<Pod>[]): JobState {
  const ended = jobEnd(job);
  if (!ended) return { state: "active" };
  const end = terminationOf(pods);
  const message = end?.message?.trim() ?? "";
  if (ended.type === "Complete") return { state: "succeeded", message };
  const reason = ended.reason ?? "Failed";
  if (reason !== "BackoffLimitExceeded") return { state: "failed", message: `${reason}: ${message || ended.message}` };
  return { state: "failed", message: message || withoutMessage(end) || `${reason}: ${ended.message}` };
}

/** Whether all containers of the pod have ended. */
export function hasEnded({ status }: Pod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed";
}

/** Names of the Jobs, existing or not, that have a pod which has not ended. */
export function jobsWithPods(pods: readonly Stored<Pod>[]): ReadonlySet<string> {
  return new Set(
    pods.filter((pod) => !hasEnded(pod)).flatMap(({ metadata }) => metadata.labels?.[JOB_LABEL] ?? []),
  );
}

function terminationOf(pods: readonly Stored<Pod>[]) {
  const ends = pods.flatMap((pod) => pod.status?.containerStatuses ?? []).flatMap(({ state }) =>
    state?.terminated ?? []
  );
  return ends.find(({ exitCode }) => exitCode !== 0) ?? ends[0];
}

/** Describes the end of a container that was killed before it could write a message. */
function withoutMessage(end: ReturnType<typeof terminationOf>): string {
  if (!end) return "";
  const advice = end.reason === "OOMKilled"
    ? ": it used more memory than its limit, raise spec.resources.limits.memory"
    : "";
  return `${end.reason ?? "Error"} (exit code ${end.exitCode})${advice}`;
}
