/** Every name that the operator derives: objects, labels, roles, databases. Nothing else in the program builds a name. */
import { sha256Hex } from "../../kit/hash.ts";
import type { KubeObject } from "../../kit/types.ts";
import type { OdooInstance } from "../crd/mod.ts";

/** Label that says to which instance an object belongs; caches select by it. */
export const INSTANCE_LABEL = "bemade.org/instance";
export const ENVIRONMENT_LABEL = "bemade.org/environment";

/** Set by Kubernetes on the pods of a Job. */
export const JOB_LABEL = "batch.kubernetes.io/job-name";

/** Keeps an instance until its database and role are gone. The name is upstream's: it serves both operators. */
export const INSTANCE_FINALIZER = "bemade.org/postgres-cleanup";

/** The same, of the Python operator before upstream's: ours takes its place. */
export const LEGACY_FINALIZER = "kopf.zalando.org/KopfFinalizerMarker";

/** Keeps a Job until its outcome is recorded in the object that asked for it. */
export const OUTCOME_FINALIZER = "bemade.org/outcome";

/** Pod annotation: the operation after which the pods were started anew. */
export const RESTARTED_FOR_ANNOTATION = "bemade.org/restarted-for";

/** Pod annotation that rolls the pods when their configuration or a password changes. */
export const CONFIG_HASH_ANNOTATION = "bemade.org/odoo-conf-hash";

/** On the configuration Secret: what it was rendered from, and what pods are to be rolled by. */
export const RENDERED_FROM_ANNOTATION = "bemade.org/rendered-from";
export const CONTENT_HASH_ANNOTATION = "bemade.org/content-hash";

/** On the configuration Secret too: which password the role has, to be compared with one that others keep. */
export const PASSWORD_HASH_ANNOTATION = "bemade.org/password-hash";

/** On everything that we apply, as the kit writes it: for whom, and what. */
export const LAST_APPLIED_ANNOTATION = "bemade.org/last-applied";

/** On the copy of a pull secret: which version of which Secret it is a copy of. */
export const COPIED_FROM_ANNOTATION = "bemade.org/copied-from";

/** Key of the configuration Secret: the certificate by which pods know PostgreSQL. */
export const ROOT_CERTIFICATE_KEY = "root.crt";

/** Longest name for which every derived label and Service name is valid (63 for a label, less `-cron`). */
export const LONGEST_INSTANCE_NAME = 58;

const LONGEST_NAME = 63;

/** Names of the objects of the instance `name`. */
export const objectNames = {
  web: (name: string) => name,
  cron: (name: string) => `${name}-cron`,
  service: (name: string) => name,
  route: (name: string) => name,
  userSecret: (name: string) => `${name}-odoo-user`,
  adminSecret: (name: string) => `${name}-admin`,
  readOnlySecret: (name: string) => `${name}-db-ro-password`,
  config: (name: string) => `${name}-odoo-conf`,
  filestore: (name: string) => `${name}-filestore-pvc`,
  tlsSecret: (name: string) => `${name}-tls`,
  /** The first one bears no number, as upstream has it. */
  autoInit: (name: string, round = 1) => round === 1 ? `${name}-auto-init` : `${name}-auto-init-${round}`,
  blocked: (name: string) => fitted(`${name}-blocked`, "-"),
  disruptionBudget: (name: string) => name,
} as const;

/** Which of our requests for an initialisation is called `name`; `undefined` if none would be. */
export function autoInitRound(instance: string, name: string): number | undefined {
  const first = objectNames.autoInit(instance);
  if (name === first) return 1;
  const round = Number(name.slice(first.length + 1));
  return Number.isSafeInteger(round) && round > 1 && name === objectNames.autoInit(instance, round) ? round : undefined;
}

/** Names of the containers: upstream's, cut where a long instance name would make them invalid. */
export const containerNames = {
  web: (name: string) => fitted(`odoo-${name}`, "-"),
  cron: (name: string) => fitted(`odoo-cron-${name}`, "-"),
} as const;

/**
 * Names of instances that cannot live beside the instance `name`: each of them would have a Deployment or Service of the
 * same name. The other kinds of children never meet: nothing of theirs is called as its instance is.
 */
export function rivalNames(name: string): string[] {
  const suffixes = ["-cron", "-blocked"];
  const shorter = suffixes.filter((suffix) => name.endsWith(suffix)).map((suffix) => name.slice(0, -suffix.length));
  return [objectNames.cron(name), objectNames.blocked(name), ...shorter].filter(Boolean);
}

/** Of two instances, the one that has the older right to a name; of equal age, the one whose uid sorts first. */
export function isOlder(a: OdooInstance, b: OdooInstance): boolean {
  const rank = ({ metadata }: OdooInstance) => `${metadata?.creationTimestamp} ${metadata?.uid}`;
  return rank(a) < rank(b);
}

/** Labels of everything that belongs to an instance. */
export function instanceLabels(name: string, environment: "Staging" | "Production"): Record<string, string> {
  return { [ENVIRONMENT_LABEL]: environment.toLowerCase(), [INSTANCE_LABEL]: name };
}

/** Immutable selectors of the two Deployments. */
export function webSelector(name: string): Record<string, string> {
  return { app: objectNames.web(name) };
}
/** Selects no pod: none of ours bears that label. */
export function blockedSelector(name: string): Record<string, string> {
  return { "bemade.org/blocked": name };
}
export function cronSelector(name: string): Record<string, string> {
  return { app: objectNames.cron(name) };
}

/** The PostgreSQL role of an instance; beyond 63 bytes, where PostgreSQL would cut it, the end is a hash. */
export function roleName(instance: { readonly name: string; readonly namespace: string }): string {
  return fitted(`odoo.${instance.namespace}.${instance.name}`, ".");
}

/** The role that may only read. Its end is one that the owner's role can never have, so the two are never the same. */
export function readOnlyRoleName(instance: { readonly name: string; readonly namespace: string }): string {
  const end = "_ro";
  return fitted(`odoo.${instance.namespace}.${instance.name}`, ".", { end });
}

/** The database of an instance: the one it asks for, else one made from its uid. */
export function databaseName(instance: OdooInstance, uid: string): string {
  return instance.spec.database?.name || `odoo_${uid.replace(/[^a-z0-9]/g, "_")}`;
}

/** The batch/v1 Job of an operation: the same for the same CR, so that it cannot be started twice. */
export function operationJobName(cr: KubeObject, uid: string): string {
  return fitted(`${cr.metadata?.name}-${uid.slice(0, 8)}`, "-");
}

function fitted(name: string, separator: string, { end = "" }: { readonly end?: string } = {}): string {
  if (name.length + end.length <= LONGEST_NAME) return name + end;
  const hash = sha256Hex(name).slice(0, 10);
  const kept = name.slice(0, LONGEST_NAME - hash.length - 1 - end.length).replace(/[^a-z0-9]+$/, "");
  return `${kept}${separator}${hash}${end}`;
}
