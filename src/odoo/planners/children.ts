/** The children that every phase keeps: volume, routes, ConfigMap and Deployments, with as many pods as the phase runs. */
import type { Deployment } from "../../kit/builders/kinds.ts";
import type { Stored } from "../../kit/types.ts";
import type { Assessment } from "../model/assessment.ts";
import { CONTENT_HASH_ANNOTATION } from "../model/names.ts";
import { phaseRow, type Scale } from "../model/phases.ts";
import type { Effect } from "../model/plan.ts";
import {
  cronDeployment,
  nextStepTo,
  obsoleteChildren,
  steadyChildren,
  webDeployment,
  withReplicas,
  type WorkloadInput,
} from "../resources/mod.ts";
import { planFilestore } from "./filestore.ts";

/** The children, as the committed phase runs them. */
export function planChildren(world: Assessment): Effect[] {
  const { resolved, cluster, observed, status, adoption } = world;
  const row = phaseRow(world.phase);
  if (!resolved || !cluster.address || status.activeCluster !== cluster.address.name) return [];
  const wanted = steadyChildren(resolved, cluster.address).filter(({ kind }) =>
    kind !== "ConfigMap" || !adoption.keepsConfigMap
  );
  const children: Effect[] = [
    planFilestore(world, resolved),
    ...wanted.map((object): Effect => ({ type: "apply", object })),
    ...obsoleteChildren(resolved, observed).map((object): Effect => ({ type: "deleteChild", object })),
  ];
  const web = scaled(scaleNow(world, row.web), resolved.webReplicas, observed.web);
  const cron = scaled(scaleNow(world, row.cron), resolved.cronReplicas, observed.cron);
  const frozenWeb = row.web === "frozen" && observed.web !== undefined;
  if (adoption.keepsPods) return [...children, ...rescaled(observed.web, web), ...rescaled(observed.cron, cron)];
  const configHash = observed.configSecret?.annotations[CONTENT_HASH_ANNOTATION];
  if (!configHash) return children;
  const restartedFor = status.restartedFor ?? undefined;
  const workload = (
    live: Stored<Deployment> | undefined,
    replicas: number | undefined,
    build: (input: WorkloadInput) => Deployment,
  ): Effect[] => {
    if (replicas === undefined) return [];
    return [{
      type: "apply",
      object: nextStepTo(build({ cluster: cluster.address, configHash, replicas, restartedFor }), live),
    }];
  };
  return [
    ...children,
    ...(frozenWeb
      ? rescaled(observed.web, web)
      : workload(observed.web, web, (input) => webDeployment(resolved, input))),
    ...workload(observed.cron, cron, (input) => cronDeployment(resolved, input)),
  ];
}

/** A Deployment that stays as it is but for the number of its pods. */
function rescaled(live: Stored<Deployment> | undefined, replicas: number | undefined): Effect[] {
  if (!live || replicas === undefined || live.spec?.replicas === replicas) return [];
  return [{ type: "apply", object: withReplicas(live, replicas) }];
}

/** The present value of a scale that depends on the progress of the operation. */
function scaleNow({ facts }: Assessment, scale: Scale): Exclude<Scale, "untilSwap"> {
  if (scale !== "untilSwap") return scale;
  return facts.servesBesideCopy ? "spec" : "zero";
}

/** How many replicas to apply; `undefined` means that the Deployment is not touched. */
function scaled(
  scale: Exclude<Scale, "untilSwap">,
  wanted: number,
  live: Stored<Deployment> | undefined,
): number | undefined {
  switch (scale) {
    case "spec":
    case "frozen":
      return wanted;
    case "zero":
      return live && 0; // a missing Deployment has no pods
    case "keep":
      return live?.spec?.replicas;
  }
}
