/**
 * The plan of a decision, as data. It names Secrets and never holds their contents, so it may be logged.
 *
 * The order of effects is fixed: Secrets, SQL, configuration, workloads and Jobs, status of requests, status of the instance,
 * stuck pods and events, notifications, history. execute() takes them one after the other. A crash between any two is
 * harmless, because the next decision plans the rest again from what exists.
 */
import type { JsonPatchOperation, KubeObject, Stored } from "../../kit/types.ts";
import type { Job, PersistentVolumeClaim, Pod } from "../../kit/builders/kinds.ts";
import type { JobRequest, JobRequestStatus, OdooInstanceStatus, Phase } from "../crd/mod.ts";
import type { ConfigText } from "./instance/config_text.ts";
import type { Notification } from "./network/notification.ts";
import type { PlannedWrite } from "./postgres/sql_writes.ts";
import type { SecretKeyRef } from "./resolve.ts";

/** The transition that a status write commits, for the log. */
export interface PhaseChange {
  readonly from: Phase;
  readonly to: Phase;
  /** The guard that held in `from`. */
  readonly guard: string;
}

/** One write, event or notification. */
export type Effect =
  /** Patches the instance itself (finalizers, defaults). */
  | { readonly type: "patchInstance"; readonly operations: readonly JsonPatchOperation[] }
  /** Copies a pull Secret from the operator's namespace, or updates the copy. */
  | {
    readonly type: "copyPullSecret";
    readonly name: string;
    readonly version: string;
    readonly labels: Readonly<Record<string, string>>;
  }
  /** Creates a Secret with the name of a user (a role, a login) and a new password, unless it exists. */
  | {
    readonly type: "ensureUserSecret";
    readonly name: string;
    readonly username: string;
    readonly labels: Readonly<Record<string, string>>;
  }
  /** Makes the instance the owner of its Secret again. */
  | { readonly type: "ownSecret"; readonly name: string }
  /** Creates a Secret with the password that a request has in its spec, for its Jobs; it is deleted with the request. */
  | {
    readonly type: "ensureSourceSecret";
    readonly name: string;
    readonly cr: Stored<JobRequest>;
    readonly labels: Readonly<Record<string, string>>;
  }
  /** Writes to a PostgreSQL cluster. Repeating it has the same result. */
  | { readonly type: "sql"; readonly cluster: string; readonly write: PlannedWrite }
  /** Renders odoo.conf into its Secret. */
  | {
    readonly type: "renderConfig";
    readonly name: string;
    readonly text: ConfigText;
    /** The text, or where to read it. */
    readonly adminPassword: string | SecretKeyRef;
    readonly userSecret: string;
    readonly labels: Readonly<Record<string, string>>;
  }
  /** Applies the ConfigMap of operator 2.5.0 unchanged, so that caches hold it. Only the shell reads its content. */
  | {
    readonly type: "adoptConfigMap";
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
  }
  /** Takes over the fields of a Deployment that operator 2.5.0 wrote by update. */
  | { readonly type: "takeOverFields"; readonly name: string }
  /** Applies a child. */
  | { readonly type: "apply"; readonly object: KubeObject }
  /** Applies a child that exists; creates none. */
  | { readonly type: "applyIfPresent"; readonly object: KubeObject }
  /** Creates an object once; an existing one is not changed. */
  | { readonly type: "create"; readonly object: KubeObject; readonly owner: Stored<KubeObject> }
  | { readonly type: "deleteChild"; readonly object: Stored<KubeObject> }
  | { readonly type: "deleteSecret"; readonly name: string }
  /** Removes the instance from a child's owners, so that the child outlives it. */
  | { readonly type: "disown"; readonly kind: "PersistentVolumeClaim" | "Secret"; readonly name: string }
  /** Removes the finalizer of a Job whose outcome is recorded, and sets a time to live. */
  | { readonly type: "releaseJob"; readonly job: Stored<Job> }
  | { readonly type: "jobStatus"; readonly cr: Stored<JobRequest>; readonly status: JobRequestStatus }
  | { readonly type: "status"; readonly status: OdooInstanceStatus; readonly change?: PhaseChange }
  | {
    readonly type: "event";
    readonly about: Stored<KubeObject>;
    readonly warning: boolean;
    readonly reason: string;
    readonly note: string;
  }
  /** Notifies a webhook; the delivery runs beside the reconcile. */
  | { readonly type: "notify"; readonly notification: Notification }
  /** Deletes a pod that its controller recreates; another pod of that name is not deleted. */
  | { readonly type: "deletePod"; readonly pod: Stored<Pod> }
  /** Deletes a volume without needed files; one that policy protects stays. */
  | { readonly type: "deleteClaim"; readonly claim: Stored<PersistentVolumeClaim> }
  /** Deletes a request that is not needed any more; one that policy protects stays. */
  | { readonly type: "deleteRequest"; readonly cr: Stored<JobRequest> }
  /** Removes a finalizer of the instance. */
  | { readonly type: "removeFinalizer"; readonly finalizer: string };

/** The order of effects. */
const PLACE: Readonly<Record<Effect["type"], number>> = {
  patchInstance: 0,
  ensureUserSecret: 1,
  ownSecret: 1,
  ensureSourceSecret: 1,
  copyPullSecret: 1,
  sql: 2,
  renderConfig: 3,
  adoptConfigMap: 3,
  takeOverFields: 3,
  apply: 4,
  applyIfPresent: 4,
  create: 4,
  deleteChild: 4,
  deleteSecret: 4,
  disown: 4,
  releaseJob: 4,
  jobStatus: 5,
  status: 6,
  removeFinalizer: 6,
  deletePod: 7,
  event: 7,
  notify: 8,
  deleteClaim: 9,
  deleteRequest: 9,
};

/** The effects in order; effects of the same place keep the order in which they were planned. */
export function inOrder(effects: readonly Effect[]): Effect[] {
  return effects.toSorted((a, b) => PLACE[a.type] - PLACE[b.type]);
}

/** Effects on independent objects, which may run at the same time. */
const INDEPENDENT: ReadonlySet<Effect["type"]> = new Set([
  "apply",
  "applyIfPresent",
  "create",
  "deleteChild",
  "releaseJob",
  "deletePod",
  "event",
  "notify",
  "deleteClaim",
  "deleteRequest",
]);

/** Effects in order as steps: those of one step may run at the same time. */
export function inSteps(effects: readonly Effect[]): Effect[][] {
  const steps: Effect[][] = [];
  for (const effect of effects) {
    const last = steps.at(-1);
    const together = [...last ?? [], effect].every(({ type }) =>
      INDEPENDENT.has(type) && PLACE[type] === PLACE[effect.type]
    );
    if (last && together) last.push(effect);
    else steps.push([effect]);
  }
  return steps;
}

/** The result of a decision. */
export interface Plan {
  readonly effects: readonly Effect[];
  readonly requeueAfterMs?: number;
}
