/** Which StorageClass must be read: only while a decision depends on it. */
import type { OdooStagingRefreshJob } from "../../../crd/mod.ts";
import { copyStep } from "./copy_steps.ts";
import { isDone } from "./copying.ts";
import { sourceOf } from "./refresh_source.ts";
import { isTerminal, requestOf } from "../request.ts";
import { snapshotOf, snapshottingRequest, temporaryClaimOf } from "./snapshot_step.ts";
import { storageClassOf } from "./snapshot_support.ts";
import type { CachedWorld } from "../../world.ts";

/**
 * The name of the StorageClass to read, if any: a refresh may begin that allows nothing but a snapshot, or it must be decided
 * how files are copied, with which class a snapshot is taken, or whether its volume waits for a pod.
 */
export function storageToAsk(world: CachedWorld): string | undefined {
  if (world.instance.metadata.deletionTimestamp) return undefined;
  const cr = asking(world);
  const source = cr && sourceOf(world, cr);
  return source && (storageClassOf(source) || undefined);
}

function asking(world: CachedWorld): OdooStagingRefreshJob | undefined {
  const { operation } = world.status;
  const cr = operation ? requestOf(world, operation) : firstOpenRefresh(world);
  if (cr?.kind !== "OdooStagingRefreshJob" || cr.spec.skipFilestore) return undefined;
  if (!operation) return cr.spec.filestoreMethod === "snapshot" ? cr : undefined;
  if (snapshottingRequest(world)) {
    const claim = temporaryClaimOf(world, cr);
    return !snapshotOf(world, cr) || claim && claim.status?.phase !== "Bound" ? cr : undefined;
  }
  return copyStep(operation) === "database" && isDone(world) ? cr : undefined;
}

/** The refresh that begins next, if nothing delays or refuses it. */
function firstOpenRefresh({ observed }: CachedWorld): OdooStagingRefreshJob | undefined {
  return observed.requests.find((cr): cr is Extract<typeof cr, { readonly kind?: "OdooStagingRefreshJob" }> =>
    cr.kind === "OdooStagingRefreshJob" && !isTerminal(cr)
  );
}
