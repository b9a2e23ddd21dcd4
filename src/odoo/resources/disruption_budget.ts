/** How many web pods may be missing while nodes are drained. */
import type { PodDisruptionBudget } from "../../kit/builders/mod.ts";
import { instanceLabels, objectNames, webSelector } from "../model/names.ts";
import type { Resolved } from "../model/resolve.ts";

/** One web pod at a time may be moved. A budget for a single pod would only keep its node from being drained. */
export function disruptionBudget(resolved: Resolved): PodDisruptionBudget | undefined {
  const { name, namespace, environment, webReplicas } = resolved;
  if (webReplicas < 2) return undefined;
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: objectNames.disruptionBudget(name), namespace, labels: instanceLabels(name, environment) },
    spec: { maxUnavailable: 1, selector: { matchLabels: webSelector(name) } },
  };
}
