/**
 * What a decision asks for, as data: names of secrets, never their contents, so a plan may be logged and kept.
 *
 * The order of the steps is the contract (design: Secrets, SQL, configuration, workloads and Jobs, job CRs' status,
 * instance status, stuck pods and events, history): execute() takes one after the other, and a crash between any two effects is harmless,
 * because each is derived again from what is there.
 */
import type { JsonPatchOperation, KubeObject, Stored } from "../../kit/types.ts";
import type { Job, PersistentVolumeClaim, Pod } from "../../kit/builders/kinds.ts";
import type { JobRequest, JobRequestStatus, OdooInstanceStatus, Phase } from "../crd/mod.ts";
import type { ConfigText } from "./instance/config_text.ts";
import type { Notification } from "./network/notification.ts";
import type { SecretKeyRef } from "./resolve.ts";

/** What a status that brings another phase brings with it: the row that fired, for the log. */
export interface PhaseChange {
  readonly from: Phase;
  readonly to: Phase;
  /** The name of what held in `from`. */
  readonly guard: string;
}

/** One thing to do. */
export type Effect =
  /** Patches the instance itself (finalizers, defaults). */
  | { readonly type: "patchInstance"; readonly operations: readonly JsonPatchOperation[] }
  /** Copies a pull secret from the operator's namespace, or renews the copy. */
  | {
    readonly type: "copyPullSecret";
    readonly name: string;
    readonly version: string;
    readonly labels: Readonly<Record<string, string>>;
  }
  /** Makes a Secret with the name of a user (a role, a login) and a fresh password, unless it exists. */
  | {
    readonly type: "ensureUserSecret";
    readonly name: string;
    readonly username: string;
    readonly labels: Readonly<Record<string, string>>;
  }
  /** Makes the instance the owner of a Secret again that was made for it. */
  | { readonly type: "ownSecret"; readonly name: string }
  /** Makes a Secret of the password that a request has in its spec, for its Jobs; it goes with the request. */
  | {
    readonly type: "ensureSourceSecret";
    readonly name: string;
    readonly cr: Stored<JobRequest>;
    readonly labels: Readonly<Record<string, string>>;
  }
  /** Signs a role that operator 2.5.0 made for this instance. */
  | { readonly type: "adoptRole"; readonly cluster: string; readonly role: string; readonly uid: string }
  /** Takes from the role the right to create databases. */
  | { readonly type: "restrictRole"; readonly cluster: string; readonly role: string; readonly uid: string }
  /** Makes or mends the role; its password is that of the Secret. */
  | {
    readonly type: "ensureRole";
    readonly cluster: string;
    readonly role: string;
    readonly uid: string;
    readonly secret: string;
  }
  | {
    readonly type: "ensureDatabase";
    readonly cluster: string;
    readonly database: string;
    readonly role: string;
    readonly uid: string;
    /** It is older than this operator: who may connect to it stays as it is. */
    readonly adopt?: true;
  }
  /** Makes or mends the role that may only read; its password is that of the Secret. */
  | {
    readonly type: "ensureReadOnlyRole";
    readonly cluster: string;
    readonly role: string;
    readonly database: string;
    readonly uid: string;
    readonly secret: string;
    readonly connectionLimit: number;
  }
  | {
    readonly type: "dropReadOnlyRole";
    readonly cluster: string;
    readonly role: string;
    readonly database: string;
    readonly uid: string;
  }
  /** Lets the database of a copy take the place of the live one, or gives that its place back. */
  | {
    readonly type: "swapDatabase" | "unswapDatabase";
    readonly cluster: string;
    readonly live: string;
    readonly side: string;
    readonly old: string;
    readonly role: string;
    readonly uid: string;
  }
  | { readonly type: "dropDatabase"; readonly cluster: string; readonly database: string; readonly uid: string }
  | { readonly type: "dropRole"; readonly cluster: string; readonly role: string; readonly uid: string }
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
  /** Applies the ConfigMap of operator 2.5.0 as it is, so that caches see it. What is in it is for the shell only. */
  | {
    readonly type: "adoptConfigMap";
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
  }
  /** Makes the fields of a Deployment that operator 2.5.0 wrote in another manner ours alone. */
  | { readonly type: "takeOverFields"; readonly name: string }
  /** Makes a child so. */
  | { readonly type: "apply"; readonly object: KubeObject }
  /** Makes a child so, if it exists. */
  | { readonly type: "applyIfPresent"; readonly object: KubeObject }
  /** Creates an object once; what exists is left. */
  | { readonly type: "create"; readonly object: KubeObject; readonly owner: Stored<KubeObject> }
  | { readonly type: "deleteChild"; readonly object: Stored<KubeObject> }
  | { readonly type: "deleteSecret"; readonly name: string }
  /** Takes the instance off a child's owners, so that the child outlives it. */
  | { readonly type: "disown"; readonly kind: "PersistentVolumeClaim" | "Secret"; readonly name: string }
  /** Lets a Job go whose outcome is recorded: finalizer off, time to live on. */
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
  /** Tells a webhook; the sending goes on beside the reconcile. */
  | { readonly type: "notify"; readonly notification: Notification }
  /** Deletes a pod that is made again; one that is gone already, or another of that name, is left. */
  | { readonly type: "deletePod"; readonly pod: Stored<Pod> }
  /** Deletes a volume that holds no files which are needed; one that may not be deleted stays. */
  | { readonly type: "deleteClaim"; readonly claim: Stored<PersistentVolumeClaim> }
  /** Deletes a request that nobody needs any more; one that may not be deleted stays. */
  | { readonly type: "deleteRequest"; readonly cr: Stored<JobRequest> }
  /** Lets the instance go. */
  | { readonly type: "removeFinalizer"; readonly finalizer: string };

/** The contract of the order. */
const PLACE: Readonly<Record<Effect["type"], number>> = {
  patchInstance: 0,
  ensureUserSecret: 1,
  ownSecret: 1,
  ensureSourceSecret: 1,
  copyPullSecret: 1,
  adoptRole: 2,
  restrictRole: 2,
  ensureRole: 2,
  ensureDatabase: 2,
  ensureReadOnlyRole: 2,
  dropReadOnlyRole: 2,
  swapDatabase: 2,
  unswapDatabase: 2,
  dropDatabase: 2,
  dropRole: 2,
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

/** The effects in the order of the contract; what has the same place keeps the order in which it was planned. */
export function inOrder(effects: readonly Effect[]): Effect[] {
  return effects.toSorted((a, b) => PLACE[a.type] - PLACE[b.type]);
}

/** Effects on objects of their own, which need not wait for each other: children and events. */
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

/** Effects in order as steps: those of one step may be carried out at the same time. */
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

/** A decision. */
export interface Plan {
  readonly effects: readonly Effect[];
  readonly requeueAfterMs?: number;
}
