/** The edit that tests make to see whether somebody is listening, and how long its answer takes. */
import { Deployment, type JsonPatchOperation } from "../../src/kit/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "./eventually.ts";
import type { Rig } from "./rig.ts";

/** Where an instance is. */
export interface InstanceAddress {
  readonly namespace: string;
  readonly name: string;
}

/** The edit of an instance that is to have so many web pods. */
export function replicas(count: number): JsonPatchOperation[] {
  return [{ op: "replace", path: "/spec/replicas", value: count }];
}

/** Milliseconds until the web Deployment is to have so many pods; `notUid` names one that does not count. */
export async function answered(
  rig: Rig,
  at: InstanceAddress,
  { count, notUid }: { readonly count: number; readonly notUid?: string },
): Promise<number> {
  const fromMs = performance.now();
  await eventually(`${at.name} wants ${count} pods`, async () => {
    const { spec, metadata } = await rig.client.get(Deployment, at);
    if (spec?.replicas !== count || metadata.uid === notUid) throw new Error(`${metadata.uid} wants ${spec?.replicas}`);
    return true;
  }, { timeoutMs: 30_000, intervalMs: 10 });
  return performance.now() - fromMs;
}

/** Has an instance scaled; the milliseconds from then on until its Deployment is to have so many pods. */
export async function scaled(rig: Rig, at: InstanceAddress, count: number): Promise<number> {
  await rig.client.patch(OdooInstanceKind, at, replicas(count));
  return await answered(rig, at, { count });
}
