/** Where pods may run, and that they share one node when their volume cannot be on two. */
import type { PodSpec } from "../../kit/builders/mod.ts";
import { INSTANCE_LABEL, webSelector } from "../model/names.ts";
import { type Resolved, sharesNode } from "../model/resolve.ts";

const HOSTNAME = "kubernetes.io/hostname";

/** The fields of a pod that say where it runs. */
export type Placement = Pick<PodSpec, "affinity" | "nodeSelector" | "tolerations" | "topologySpreadConstraints">;

/** Web pods: as the spec has it, spread if it asks for that. */
export function webPlacement(resolved: Resolved): Placement {
  const constraints = resolved.topologySpreadConstraints.map((constraint) => ({
    ...constraint,
    labelSelector: isEmpty(constraint.labelSelector) // which would count no pod at all
      ? { matchLabels: webSelector(resolved.name) }
      : constraint.labelSelector,
  }));
  return {
    ...cronPlacement(resolved),
    ...(constraints.length ? { topologySpreadConstraints: constraints as NonNullable<Placement[Spread]> } : {}),
  };
}

type Spread = "topologySpreadConstraints";

/** Cron pods: as the spec has it. */
export function cronPlacement(resolved: Resolved): Placement {
  return placed(resolved, resolved);
}

/** Pods of Jobs: as spec.jobDefaults has it. */
export function jobPlacement(resolved: Resolved): Placement {
  return placed(resolved, resolved.jobs);
}

function placed(
  resolved: Resolved,
  wish: Pick<Resolved["jobs"], "affinity" | "nodeSelector" | "tolerations">,
): Placement {
  const affinity = sharesNode(resolved) ? besideTheOthers(resolved.name, wish.affinity) : wish.affinity;
  return {
    ...(affinity ? { affinity: affinity as NonNullable<Placement["affinity"]> } : {}),
    ...(wish.nodeSelector ? { nodeSelector: { ...wish.nodeSelector } } : {}),
    ...(wish.tolerations.length ? { tolerations: [...wish.tolerations] } : {}),
  };
}

/** The first pod of an instance is free to choose: a term that the pod itself matches does not keep it waiting. */
function besideTheOthers(name: string, affinity: Resolved["affinity"]): NonNullable<Resolved["affinity"]> {
  const { podAffinity } = affinity ?? {};
  const together = { labelSelector: { matchLabels: { [INSTANCE_LABEL]: name } }, topologyKey: HOSTNAME };
  return {
    ...affinity,
    podAffinity: {
      ...podAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: [
        ...podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
        together,
      ],
    },
  };
}

function isEmpty(selector: object | undefined): boolean {
  return !selector || Object.keys(selector).length === 0;
}
