/** Pods of a starting instance that wait for a volume: when they are deleted, so that they are recreated. */
import type { World } from "../world.ts";

/** Milliseconds between two attempts. */
const PAUSE_MS = 300_000;

/**
 * Whether stuck pods are deleted now. The time is written to the status before a pod is deleted, so a crash between the two
 * skips one attempt and never adds one.
 */
export function retriesMounts({ phase, status, observed, now }: World): boolean {
  if (phase !== "Starting" || !observed.stuckPods?.length) return false;
  const last = Date.parse(status.lastMountRetryTime ?? "");
  return !(Math.abs(now - last) < PAUSE_MS); // an invalid time, or one in the future, delays nothing
}
