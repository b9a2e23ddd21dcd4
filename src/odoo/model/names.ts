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

/** Pod annotation: the operation after which the pods were restarted. */
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

/** On refreshes that this operator asks for; upstream's. */
export const AUTO_REFRESH_LABEL = "bemade.org/auto-refresh";

const LONGEST_NAME = 63;
const COPY_END = /_(new|old)_([a-z0-9]{8})$/;

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
  autoRefresh: (name: string, round = 1) => round === 1 ? `${name}-auto-refresh` : `${name}-auto-refresh-${round}`,
  blocked: (name: string) => fitted(`${name}-blocked`, "-"),
  disruptionBudget: (name: string) => name,
} as const;

/** Which of our requests for an initialisation is called `name`; `undefined` if none would be. */
export function autoInitRound(instance: string, name: string): number | undefined {
  return roundOf(name, (round) => objectNames.autoInit(instance, round));
}

/** Which of our requests for a first copy of the production instance is called `name`; `undefined` if none would be. */
export function autoRefreshRound(instance: string, name: string): number | undefined {
  return roundOf(name, (round) => objectNames.autoRefresh(instance, round));
}

function roundOf(name: string, called: (round: number) => string): number | undefined {
  if (name === called(1)) return 1;
  const round = Number(name.slice(called(1).length + 1));
  return Number.isSafeInteger(round) && round > 1 && name === called(round) ? round : undefined;
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

/** The database of an instance: once it has data, the one that holds it, whatever the spec says by then. */
export function databaseName(instance: OdooInstance, uid: string): string {
  const { dbInitialized, databaseName: fixed } = instance.status ?? {};
  return dbInitialized && fixed ? fixed : wantedDatabaseName(instance, uid);
}

/** The database that an instance asks for, else one made from its uid. */
export function wantedDatabaseName(instance: OdooInstance, uid: string): string {
  return instance.spec.database?.name || `odoo_${uid.replace(/[^a-z0-9]/g, "_")}`;
}

/** The claim that holds an instance's files: the first one, until they were moved to another. */
export function filestoreClaimName({ metadata, status }: OdooInstance): string {
  return status?.filestore?.claim ?? objectNames.filestore(metadata?.name ?? "");
}

/** The claim that an instance's files are moved to: one for each storage class. */
export function filestoreCopyName({ metadata = {} }: OdooInstance, storageClass: string): string {
  const { name, uid, generation } = metadata;
  const id = sha256Hex(`${uid}/${storageClass}/${generation}`).slice(0, 8);
  return fitted(`${name}-filestore`, "-", { end: `-${id}` });
}

/** The batch/v1 Job of a step of that move. */
export function filestoreJobName(copy: string, step: string): string {
  return fitted(copy, "-", { end: `-${step}` });
}

/** The batch/v1 Job of an operation: the same for the same CR, so that it cannot be started twice. */
export function operationJobName(cr: KubeObject, uid: string): string {
  return fitted(`${cr.metadata?.name}-${uid.slice(0, 8)}`, "-");
}

/** The batch/v1 Job of one step of an operation that has several; `attempt` counts from 1. */
export function stepJobName(
  { name, uid }: { readonly name: string; readonly uid: string },
  step: string,
  attempt = 1,
): string {
  const end = attempt > 1 ? `-${step}-${attempt}` : `-${step}`;
  return fitted(`${name}-${uid.slice(0, 8)}`, "-", { end });
}

/** By which it is known with which image something was done. */
export function imageHash(image: string): string {
  return sha256Hex(image).slice(0, 16);
}

/** The Secret that a request's Jobs read a password from that stands in its spec. */
export function requestSecretName({ name, uid }: { readonly name: string; readonly uid: string }): string {
  return fitted(`${name}-${uid.slice(0, 8)}`, "-", { end: "-source" });
}

/** The VolumeSnapshot that a refresh takes, and the claim that is made of it. Ends as upstream's. */
export function snapshotName({ name, uid }: { readonly name: string; readonly uid: string }): string {
  return fitted(`${name}-${uid.slice(0, 8)}`, "-", { end: "-src" });
}

/** Names of databases, and of directories of files, beside those that an instance lives in. */
export interface CopyNames {
  /** What is to take their place. */
  readonly side: string;
  /** What they were before. */
  readonly old: string;
}

/** The names that an operation uses, by the uid of its request. */
export function copyNames(database: string, uid: string): CopyNames {
  const id = uid.replace(/[^a-z0-9]/g, "").slice(0, 8);
  return { side: copyName(database, `_new_${id}`), old: copyName(database, `_old_${id}`) };
}

/** Whether a name is one of {@linkcode copyNames}, and what for. */
export function copyRole(database: string, name: string): keyof CopyNames | undefined {
  const [end, kind] = COPY_END.exec(name) ?? [];
  if (!end || name !== copyName(database, end)) return undefined;
  return kind === "new" ? "side" : "old";
}

/** What all {@linkcode copyNames} of a database begin with. */
export function copyStem(database: string): string {
  return copyNames(database, "00000000").side.replace(COPY_END, "");
}

/** The {@linkcode copyStem} of a name that may be one of a copy. */
export function stemOf(name: string): string | undefined {
  return COPY_END.test(name) ? name.replace(COPY_END, "") : undefined;
}

/** The Job that removes the files that a copy has left. */
export function cleaningJobName(instance: string, copy: string): string {
  const [, kind, id] = COPY_END.exec(copy) ?? [];
  return fitted(instance, "-", { end: `-clean-${kind}-${id}` });
}

/** Of letters that a path, a shell and PostgreSQL all take as they are, whatever the database is called. */
function copyName(database: string, end: string): string {
  const plain = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(database) ? database : `odoo_${sha256Hex(database).slice(0, 20)}`;
  return fitted(plain, "_", { end });
}

function fitted(name: string, separator: string, { end = "" }: { readonly end?: string } = {}): string {
  if (name.length + end.length <= LONGEST_NAME) return name + end;
  const hash = sha256Hex(name).slice(0, 10);
  const kept = name.slice(0, LONGEST_NAME - hash.length - 1 - end.length).replace(/[^a-z0-9]+$/, "");
  return `${kept}${separator}${hash}${end}`;
}

/** Where people reach an instance; `null` if it has no host. */
export function publicUrl({ spec }: OdooInstance): string | null {
  const [host] = spec.ingress.hosts;
  return host ? `https://${host}` : null;
}
