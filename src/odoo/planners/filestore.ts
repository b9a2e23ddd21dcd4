/** The volume: made once, kept for ever. What is lost is told, never replaced by an empty one. */
import { filestoreClaimName, INSTANCE_LABEL, LAST_APPLIED_ANNOTATION } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { Problem, Resolved } from "../model/resolve.ts";
import type { World } from "../model/world.ts";
import { filestoreClaim } from "../resources/mod.ts";

/** The claim, made if there was no data yet. With data it may still be there, out of our sight: without its label. */
export function planFilestore({ status, observed }: World, resolved: Resolved): Effect {
  const object = filestoreClaim(resolved, observed.filestore);
  const lost = status.dbInitialized === true && !observed.filestore;
  return lost ? { type: "applyIfPresent", object } : { type: "apply", object };
}

/** Why the files are gone, or about to go. */
export function filestoreProblem({ status, observed, instance }: World): Problem | undefined {
  if (status.dbInitialized !== true) return undefined;
  const { name, uid } = instance.metadata;
  const claim = filestoreClaimName(instance);
  if (!observed.filestore) {
    return {
      reason: "FilestoreMissing",
      message: `PersistentVolumeClaim ${claim} is gone, and no empty one is put in its place: create it anew from a ` +
        `backup, with the label ${INSTANCE_LABEL}: ${name} and the annotation ${LAST_APPLIED_ANNOTATION}: ${uid}/restored`,
    };
  }
  if (!observed.filestore.metadata.deletionTimestamp) return undefined;
  return {
    reason: "FilestoreTerminating",
    message:
      `PersistentVolumeClaim ${claim} is being deleted, and goes as soon as no pod uses it: back its files up now`,
  };
}
