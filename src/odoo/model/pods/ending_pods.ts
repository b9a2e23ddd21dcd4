/**
 * Before a Job touches a database or files, the pods that the phase wants gone are gone: not scaled to zero, gone. They
 * are counted only then, by asking for them; a Deployment's own count leaves out pods that are still ending.
 */
import type { Deployment } from "../../../kit/builders/kinds.ts";
import type { Stored } from "../../../kit/types.ts";
import type { Phase } from "../../crd/mod.ts";
import { isSwapping } from "../operations/copy/copy_steps.ts";
import { cronSelector, webSelector } from "../names.ts";
import type { Problem } from "../resolve.ts";
import { type CachedWorld, jobStateOf, type World } from "../world.ts";

/** Which pods the Jobs of a phase must not meet. */
const UNWANTED: Readonly<Partial<Record<Phase, "all" | "cron">>> = {
  Initializing: "all",
  Upgrading: "cron",
  FinalizingFilestoreMigration: "all",
  MigratingDatabase: "all",
};

/** The values of label `app` of the pods that must be gone before the next Job is made; empty if none has to be. */
export function unwantedApps(world: CachedWorld): string[] {
  const { operation, dbInitialized: mayHavePods } = world.status; // whose Deployment somebody has deleted
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

/** Whether it is worth while to ask for pods: before that their Deployments say themselves that there are some. */
export function mayBeGone(world: CachedWorld): boolean {
  const { web, cron } = world.observed;
  return [...(unwanted(world) === "all" ? [web] : []), cron].every((deployment) => !deployment || isEmpty(deployment));
}

/** Whether pods that must be gone are there, or may be. */
export function areEnding(world: World): boolean {
  return unwantedApps(world).length > 0 && world.observed.endingPods?.length !== 0;
}

/** Which pod an operation waits for. */
export function endingProblem(world: World): Problem | undefined {
  const [pod] = world.observed.endingPods ?? [];
  if (!pod || !areEnding(world)) return undefined;
  const where = pod.node ? ` on node ${pod.node}` : "";
  return {
    reason: "PodsEnding",
    message:
      `Waiting for pod ${pod.name}${where} to end. It is not forced: if the node is gone for good, delete the pod with --force`,
  };
}

function unwanted(world: CachedWorld): "all" | "cron" | undefined {
  return isSwapping(world) ? "all" : UNWANTED[world.phase];
}

function isEmpty({ metadata, spec, status }: Stored<Deployment>): boolean {
  const isSeen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  return isSeen && spec?.replicas === 0 && !status?.replicas;
}
