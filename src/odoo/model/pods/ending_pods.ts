/**
 * Before a Job writes to a database or files, the pods that must not run beside it have terminated; scaled to zero is not
 * enough. They are listed from the API server at that time, because the counts of a Deployment leave out terminating pods.
 */
import type { Deployment } from "../../../kit/builders/kinds.ts";
import type { Stored } from "../../../kit/types.ts";
import { isSwapping } from "../operations/copy/copy_steps.ts";
import { cronSelector, webSelector } from "../names.ts";
import { phaseRow } from "../phases.ts";
import type { Problem } from "../problem.ts";
import { type CachedWorld, jobStateOf, type World } from "../world.ts";

/** The values of label `app` of the pods that must be gone before the next Job is made; empty if none has to be. */
export function unwantedApps(world: CachedWorld): string[] {
  const { operation, dbInitialized: mayHavePods } = world.status; // even if a user has deleted their Deployment
  const { web, cron } = world.observed;
  const which = unwanted(world);
  if (!which || !operation || jobStateOf(world, operation.jobName).state !== "absent") return [];
  const { name } = world.instance.metadata;
  const apps = [
    ...(which === "all" && (web || mayHavePods) ? Object.values(webSelector(name)) : []),
    ...(cron || mayHavePods ? Object.values(cronSelector(name)) : []),
  ];
  return apps;
}

/** Whether the pods must be listed: before that, the counts of their Deployments already show that some exist. */
export function mayBeGone(world: CachedWorld): boolean {
  const { web, cron } = world.observed;
  return [...(unwanted(world) === "all" ? [web] : []), cron].every((deployment) => !deployment || isEmpty(deployment));
}

/** Whether pods that must terminate exist, or may exist. */
export function arePodsEnding(world: World): boolean {
  return unwantedApps(world).length > 0 && world.observed.endingPods?.length !== 0;
}

/** The pod that an operation waits for to end, given that some {@linkcode arePodsEnding}. */
export function endingProblem({ observed: { endingPods: [pod] = [] } }: World): Problem | undefined {
  if (!pod) return undefined;
  const where = pod.node ? ` on node ${pod.node}` : "";
  return {
    reason: "PodsEnding",
    message: `Waiting for pod ${pod.name}${where} to terminate. The operator never force-deletes it: if the node is ` +
      `permanently lost, run kubectl delete pod ${pod.name} --force`,
  };
}

function unwanted(world: CachedWorld): "all" | "cron" | undefined {
  const { evicts } = phaseRow(world.phase);
  return isSwapping(world.status) ? "all" : evicts === "none" ? undefined : evicts;
}

function isEmpty({ metadata, spec, status }: Stored<Deployment>): boolean {
  const isSeen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  return isSeen && spec?.replicas === 0 && !status?.replicas;
}
