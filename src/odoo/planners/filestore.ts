/** The volume: created once, and kept. A lost volume is reported, never replaced by an empty one. */
import { filestoreClaimName, INSTANCE_LABEL, LAST_APPLIED_ANNOTATION } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { Problem } from "../model/problem.ts";
import type { Resolved } from "../model/resolve.ts";
import type { Assessment } from "../model/assessment.ts";
import { filestoreClaim } from "../resources/mod.ts";

/** The claim, created if there was no data yet. With data it may still exist without its label, which no watch brings. */
export function planFilestore({ status, observed }: Assessment, resolved: Resolved): Effect {
  const object = filestoreClaim(resolved, observed.filestore);
  const lost = status.dbInitialized === true && !observed.filestore;
  return lost ? { type: "applyIfPresent", object } : { type: "apply", object };
}

/** Why the files are lost, or about to be deleted. */
export function filestoreProblem({ status, observed, instance }: Assessment): Problem | undefined {
  if (status.dbInitialized !== true) return undefined;
  const { name, uid } = instance.metadata;
  const claim = filestoreClaimName(instance);
  if (!observed.filestore) {
    return {
      reason: "FilestoreMissing",
      message:
        `PersistentVolumeClaim ${claim} does not exist, and is not replaced by an empty one: create it again from a ` +
        `backup, with the label ${INSTANCE_LABEL}: ${name} and the annotation ${LAST_APPLIED_ANNOTATION}: ${uid}/restored`,
    };
  }
  if (!observed.filestore.metadata.deletionTimestamp) return undefined;
  return {
    reason: "FilestoreTerminating",
    message: `PersistentVolumeClaim ${claim} is being deleted as soon as no pod uses it: back up its files now`,
  };
}
