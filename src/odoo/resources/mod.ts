/** Resolved wishes as Kubernetes objects. Nothing here decides; what depends on the phase comes in as a parameter. */
import type { KubeObject } from "../../kit/types.ts";
import type { ClusterAddress } from "../model/database.ts";
import type { Resolved } from "../model/resolve.ts";
import type { Observed } from "../model/world.ts";
import { configMap } from "./config.ts";
import { httpRoute, ingress, webService } from "./routing.ts";
import { filestoreClaim } from "./storage.ts";

export { initJob } from "./jobs.ts";
export { cronDeployment, webDeployment, type WorkloadInput } from "./workloads.ts";

/** The children that are the same in every phase, in the order in which they are applied. */
export function steadyChildren(resolved: Resolved, cluster: ClusterAddress, observed: Observed): KubeObject[] {
  return [
    configMap(resolved, cluster),
    filestoreClaim(resolved, observed.filestore),
    webService(resolved),
    resolved.gatewayRef ? httpRoute(resolved, resolved.gatewayRef) : ingress(resolved),
  ];
}

/** Children of the other way in, left over from before a Gateway was named or unnamed. */
export function obsoleteChildren(
  resolved: Resolved,
  observed: Observed,
): NonNullable<Observed["ingress"] | Observed["route"]>[] {
  const obsolete = resolved.gatewayRef ? observed.ingress : observed.route;
  return obsolete ? [obsolete] : [];
}
