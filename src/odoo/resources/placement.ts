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

/** Options of {@linkcode jobPlacement}. */
export interface JobPlacementOptions {
  /** Name of another instance, whose pods have a volume that cannot be on two nodes. */
  readonly beside?: string;
}

/** Pods of Jobs: as spec.jobDefaults has it. */
export function jobPlacement(resolved: Resolved, { beside }: JobPlacementOptions = {}): Placement {
  // Not beside both: where one has no pods, the scheduler would find no node.
  return beside === undefined ? placed(resolved, resolved.jobs) : placedBeside(beside, resolved.jobs);
}

type Constraints = Pick<Resolved["jobs"], "affinity" | "nodeSelector" | "tolerations">;

function placed(resolved: Resolved, constraints: Constraints): Placement {
  return sharesNode(resolved) ? placedBeside(resolved.name, constraints) : placedAs(constraints);
}

function placedBeside(name: string, constraints: Constraints): Placement {
  return placedAs({ ...constraints, affinity: besideTheOthers(name, constraints.affinity) });
}

function placedAs({ affinity, ...constraints }: Constraints): Placement {
  return {
    ...(affinity ? { affinity: affinity as NonNullable<Placement["affinity"]> } : {}),
    ...(constraints.nodeSelector ? { nodeSelector: { ...constraints.nodeSelector } } : {}),
    ...(constraints.tolerations.length ? { tolerations: [...constraints.tolerations] } : {}),
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
