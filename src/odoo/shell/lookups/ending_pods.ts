/** Lists the pods that must end before a Job starts: only once their Deployments say that none is left. */
import { Pod } from "../../../kit/mod.ts";
import { mayBeGone, unwantedApps } from "../../model/pods/ending_pods.ts";
import type { CachedWorld, EndingPod } from "../../model/world.ts";
import { type Lookup, NOTHING_TO_ASK } from "./lookup.ts";

/** No watch reports the end of a Deployment's pod. */
const RECHECK_AFTER_MS = 2_000;

/** Web and cron pods that have not ended and delay the next Job. */
export const endingPodsLookup: Lookup<CachedWorld, readonly EndingPod[]> = {
  async ask(world, { client, signal }) {
    const apps = unwantedApps(world);
    if (!apps.length || !mayBeGone(world)) return NOTHING_TO_ASK;
    const { namespace = "" } = world.instance.metadata;
    const { items } = await client.list(Pod, { namespace, labelSelector: `app in (${apps.join(",")})`, signal });
    const pods = items.filter(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed").map((
      { metadata, spec },
    ): EndingPod => ({ name: metadata.name, ...(spec?.nodeName ? { node: spec.nodeName } : {}) }));
    return pods.length ? { facts: pods, recheckAfterMs: RECHECK_AFTER_MS } : { facts: pods };
  },
};
