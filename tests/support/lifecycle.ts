/** The life of an instance, step by step: what a person does, and the state by which each step is over. */
import type { JsonPatchOperation, Stored } from "../../src/kit/mod.ts";
import type { OdooInstance } from "../../src/odoo/crd/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { replicas } from "./edits.ts";
import { eventually } from "./eventually.ts";
import type { Rig } from "./rig.ts";

/** A change, and what it leads to. */
export interface LifeStep {
  readonly name: string;
  readonly phase: string;
  readonly readyReplicas: number;
  /** Absent: the instance is created. */
  readonly patch?: readonly JsonPatchOperation[];
}

/** One pod may be missing at a time, and none comes in addition: a template that cannot run takes away exactly one. */
const SPEC = {
  replicas: 1,
  strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "1", maxSurge: "0" } },
} as const;

/** From nothing to Running, and through every phase that a healthy instance can be in, back to Running. */
export const LIFE: readonly LifeStep[] = [
  { name: "create", phase: "Running", readyReplicas: 1 },
  { name: "scale", phase: "Running", readyReplicas: 2, patch: replicas(2) },
  {
    name: "degrade",
    phase: "Degraded",
    readyReplicas: 1,
    patch: [{ op: "add", path: "/spec/nodeSelector", value: { moon: "full" } }], // no node is there
  },
  { name: "heal", phase: "Running", readyReplicas: 2, patch: [{ op: "remove", path: "/spec/nodeSelector" }] },
  { name: "stop", phase: "Stopped", readyReplicas: 0, patch: replicas(0) },
  { name: "start", phase: "Running", readyReplicas: 1, patch: replicas(1) },
];

/** Where a life is lived. */
export interface LifeOptions {
  readonly namespace: string;
  readonly name: string;
  /** How long a step may take. */
  readonly timeoutMs: number;
}

/** Takes one step, and returns the instance as it is after it. */
export async function live(rig: Rig, step: LifeStep, options: LifeOptions): Promise<Stored<OdooInstance>> {
  const { namespace, name, timeoutMs } = options;
  if (step.patch) await rig.client.patch(OdooInstanceKind, { namespace, name }, step.patch);
  else await rig.create(namespace, name, SPEC);
  return await eventually(
    `${step.name}: ${namespace}/${name} is ${step.phase} with ${step.readyReplicas}`,
    async () => {
      const instance = await rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
      const { phase, readyReplicas, observedGeneration, conditions } = instance.status ?? {};
      const isOver = phase === step.phase && readyReplicas === step.readyReplicas &&
        observedGeneration === instance.metadata.generation;
      if (isOver) return instance;
      throw new Error(`it is ${phase} with ${readyReplicas}: ${JSON.stringify(conditions)}`);
    },
    { timeoutMs, intervalMs: 50 },
  );
}
