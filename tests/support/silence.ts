/** That nothing is written: what a state must be followed by once it is reached. */
import { pause } from "../../src/kit/mod.ts";
import { AuditLog } from "../../dev/measure.ts";
import { OPERATOR_USER } from "../../dev/operator.ts";
import type { Rig } from "./rig.ts";

/** Options of {@linkcode silence}. */
export interface SilenceOptions {
  /** How long nothing is written. @default {5_000} */
  readonly forMs?: number;
  /** When it must have begun: events for people are written in the background. @default {5_000} */
  readonly withinMs?: number;
  /** Who the operator is to the API server. @default {OPERATOR_USER} */
  readonly user?: string;
}

/** Resolves when the operator has written nothing to the API server for `forMs`. */
export async function silence(rig: Rig, options: SilenceOptions = {}): Promise<void> {
  const { forMs = 5_000, withinMs = 5_000, user = OPERATOR_USER } = options;
  const audit = new AuditLog(rig.cluster.auditLog, user);
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    const beganMs = performance.now();
    const mark = await audit.mark();
    await pause(forMs); // nothing can be waited for: that nothing comes is what is tested
    const { writes, byKind } = await audit.since(mark);
    if (writes === 0) return;
    if (beganMs > deadlineMs) throw new Error(`It still writes after ${withinMs} ms: ${JSON.stringify(byKind)}`);
  }
}
