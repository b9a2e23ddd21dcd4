/** Asks for the pods that an operation waits for to end: only when their Deployments say that none is left, and seldom. */
import { Pod, type ReconcileContext } from "../../../kit/mod.ts";
import { mayBeGone, unwantedApps } from "../../model/pods/ending_pods.ts";
import type { EndingPod, World } from "../../model/world.ts";

/** A pod that is ending changes nothing that is watched. */
const AGAIN_AFTER_MS = 2_000;

/** What was seen, and when to look again. */
export interface EndingPodsLook {
  readonly pods: readonly EndingPod[];
  readonly againAfterMs?: number;
}

/** Web and cron pods that are in the way of the next Job; `undefined` if there is no reason to look. */
export async function lookForEndingPods(
  world: World,
  { client, signal }: Pick<ReconcileContext, "client" | "signal">,
): Promise<EndingPodsLook | undefined> {
  const apps = unwantedApps(world);
  if (!apps.length || !mayBeGone(world)) return undefined;
  const { namespace = "" } = world.instance.metadata;
  const { items } = await client.list(Pod, { namespace, labelSelector: `app in (${apps.join(",")})`, signal });
  const pods = items.filter(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed").map((
    { metadata, spec },
  ): EndingPod => ({ name: metadata.name, ...(spec?.nodeName ? { node: spec.nodeName } : {}) }));
  return pods.length ? { pods, againAfterMs: AGAIN_AFTER_MS } : { pods };
}
