/** A rig whose operator reaches the API server through the fault proxy; the test itself goes past it. */
import { type FaultProxy, startFaultProxy } from "../../dev/fault_proxy.ts";
import { OPERATOR_USER, type OperatorOptions } from "../../dev/operator.ts";
import { type Rig, type RigOptions, startRig } from "./rig.ts";

/** What {@linkcode startFaultRig} starts. */
export interface FaultRig {
  readonly rig: Rig;
  readonly proxy: FaultProxy;
  stop(): Promise<void>;
}

/** Options of {@linkcode startFaultRig}. */
export interface FaultRigOptions extends Omit<RigOptions, "bare" | "operator"> {
  readonly operator?: Omit<OperatorOptions, "kubeconfig">;
}

/** Starts cluster, proxy and operator. */
export async function startFaultRig({ operator = {}, ...options }: FaultRigOptions = {}): Promise<FaultRig> {
  const rig = await startRig({ ...options, operator: "later" });
  const proxy = await startFaultProxy(await rig.cluster.accessFor(OPERATOR_USER));
  await rig.start({
    ...operator,
    kubeconfig: await proxy.writeKubeconfig(`${rig.cluster.directory}/proxy.kubeconfig`),
  });
  return {
    rig,
    proxy,
    async stop() {
      await rig.operator?.[Symbol.asyncDispose]();
      rig.operator = undefined;
      await proxy[Symbol.asyncDispose]();
      await rig.stop();
    },
  };
}
