/**
 * What the operator knows of a PostgreSQL cluster, and the format of its owner comments. Pure.
 *
 * The COMMENT of a role or database carries the uid of the instance that owns it. A tenant can change the comment of its
 * database but not that of its role, so a role's word goes before its databases' ({@linkcode databaseOwnerUid}).
 */

import { hashOf } from "../../../kit/hash.ts";

/** How a connection is protected: libpq's `sslmode`. */
export const SSL_MODES = ["disable", "require", "verify-ca", "verify-full"] as const;

/** {@linkcode SSL_MODES}. */
export type SslMode = typeof SSL_MODES[number];

/** Whether a value is one of {@linkcode SSL_MODES}. */
export function isSslMode(value: unknown): value is SslMode {
  return SSL_MODES.some((mode) => mode === value);
}

/** One entry of clusters.yaml, parsed and checked elsewhere. */
export interface ClusterAddress {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly adminUser: string;
  readonly adminPassword: string;
  /** `require` encrypts and checks nothing. @default {"disable"} */
  readonly sslMode?: SslMode;
  /** PEM. @default the certificates that the runtime trusts */
  readonly sslRootCert?: string;
}

/** What the COMMENT of a role or database says of its owner. */
export interface Ownership {
  /** Of the OdooInstance. */
  readonly uid: string;
  /** `uid/resourceVersion` of the Secret whose password the role has. */
  readonly secretVersion?: string;
}

/** A role; without `ownership` its comment is absent or was not written by the operator. */
export interface RoleFacts {
  readonly name: string;
  readonly ownership?: Ownership;
  /** As the roles of the former operator may (CREATEDB). @default {false} */
  readonly createsDatabases?: boolean;
}

/** A database; `owner` is a role's name. */
export interface DatabaseFacts {
  readonly name: string;
  readonly owner: string;
  readonly ownership?: Ownership;
}

/** Why a connection or a statement failed: the server does not answer, not to these credentials, or not this request. */
export type PostgresReason = "DatabaseUnreachable" | "DatabaseLoginFailed" | "DatabaseRefused";

/** An error that says why: what the port throws when a connection or a statement failed. */
export interface PostgresFailure extends Error {
  readonly reason: PostgresReason;
  /** Whether there was a connection; without one, no other client gets one now. */
  readonly connected: boolean;
}

/** The inventory of a cluster that answers. */
export interface KnownClusterFacts {
  readonly known: true;
  readonly serverMajor: number;
  readonly roles: ReadonlyMap<string, RoleFacts>;
  readonly databases: ReadonlyMap<string, DatabaseFacts>;
}

/** Why nothing is known of a cluster. `message` is for people and never holds a password. */
export interface UnknownClusterFacts {
  readonly known: false;
  readonly reason: PostgresReason | "Connecting" | "ClusterNotConfigured";
  readonly message: string;
}

/** Everything the operator knows of one PostgreSQL cluster, or why it knows nothing. */
export type ClusterFacts = KnownClusterFacts | UnknownClusterFacts;

/** What differs between two facts: everything, or these names of roles and databases. */
export type FactsChange = "all" | ReadonlySet<string>;

/** What a write of our own did to one role or database; without `facts` it is gone, what they leave out is as before. */
export type InventoryWrite =
  | { readonly kind: "role"; readonly name: string; readonly facts?: RoleFacts }
  | { readonly kind: "database"; readonly name: string; readonly facts?: DatabaseFacts };

/** One row of the inventory as PostgreSQL returns it. */
export interface InventoryRow {
  readonly kind: "role" | "database" | "server";
  /** Of kind `server`: server_version_num. */
  readonly name: string;
  readonly owner: string | null;
  readonly comment: string | null;
  /** Of kind `role`, unless it is a superuser. */
  readonly createsDatabases?: boolean | null;
}

const REASONS: readonly unknown[] = [
  "DatabaseUnreachable",
  "DatabaseLoginFailed",
  "DatabaseRefused",
] satisfies PostgresReason[];
const OWNER_KEY = "bemade.org/owner";
const UID = /^[\w.-]{1,128}$/;
const IDENTIFIER_MAX_BYTES = 63;
const PASSWORD_MAX_LENGTH = 1024;

/** Whether an entry of clusters.yaml is as it was. */
export function isSameAddress(one: ClusterAddress | undefined, other: ClusterAddress): boolean {
  return one !== undefined && fieldsOf(one) === fieldsOf(other);
}

function fieldsOf(address: ClusterAddress): string {
  return JSON.stringify(Object.entries(address).sort());
}

/** Whether two entries lead to the same server, maybe by another login. */
export function isSameServer(one: ClusterAddress, other: ClusterAddress): boolean {
  return one.host === other.host && one.port === other.port;
}

/** The text of the COMMENT that says who owns a role or database. */
export function formatOwnership(ownership: Ownership): string {
  const { uid, secretVersion } = ownership;
  const problem = ownerProblem(uid);
  if (problem) throw new RangeError(`Cannot write an owner comment: ${problem}`);
  return JSON.stringify({ [OWNER_KEY]: uid, ...(secretVersion === undefined ? {} : { secret: secretVersion }) });
}

/** The owner in a COMMENT, or `undefined` for any text that {@linkcode formatOwnership} cannot have written. */
export function parseOwnership(comment: string | null | undefined): Ownership | undefined {
  if (!comment?.startsWith("{")) return undefined;
  const fields = parseRecord(comment);
  const uid = fields?.[OWNER_KEY];
  const secretVersion = fields?.secret;
  if (typeof uid !== "string" || !UID.test(uid)) return undefined;
  if (secretVersion === undefined) return { uid };
  return typeof secretVersion === "string" ? { uid, secretVersion } : undefined;
}

function parseRecord(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text); // starts with "{", so it is an object or no JSON at all
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The facts of one reading of the inventory. */
export function clusterFacts(rows: readonly InventoryRow[]): KnownClusterFacts {
  const roles = new Map<string, RoleFacts>();
  const databases = new Map<string, DatabaseFacts>();
  let serverMajor = NaN;
  for (const { kind, name, owner, comment, createsDatabases } of rows) {
    const ownership = parseOwnership(comment);
    if (kind === "server") serverMajor = Math.floor(Number(name) / 10000);
    else if (kind === "role") {
      roles.set(name, { name, ...(ownership && { ownership }), ...(createsDatabases && { createsDatabases }) });
    } else databases.set(name, { name, owner: owner ?? "", ...(ownership && { ownership }) });
  }
  if (!(serverMajor > 0)) throw new TypeError("Cannot read the inventory: it has no server version");
  return { known: true, serverMajor, roles, databases };
}

/** The facts after a write of our own. */
export function afterWrite(facts: KnownClusterFacts, write: InventoryWrite): KnownClusterFacts {
  return write.kind === "role"
    ? { ...facts, roles: withEntry(facts.roles, write) }
    : { ...facts, databases: withEntry(facts.databases, write) };
}

function withEntry<T extends object>(
  entries: ReadonlyMap<string, T>,
  write: { readonly name: string; readonly facts?: T },
): ReadonlyMap<string, T> {
  const next = new Map(entries);
  if (write.facts) next.set(write.name, { ...next.get(write.name), ...write.facts });
  else next.delete(write.name);
  return next;
}

/** What differs between two facts, or `undefined` if nothing does. */
export function factsChange(before: ClusterFacts, after: ClusterFacts): FactsChange | undefined {
  if (before === after) return undefined;
  if (!before.known || !after.known) {
    const same = !before.known && !after.known && before.reason === after.reason && before.message === after.message;
    return same ? undefined : "all";
  }
  if (before.serverMajor !== after.serverMajor) return "all";
  const names = new Set([
    ...changedNames(before.roles, after.roles),
    ...changedNames(before.databases, after.databases),
  ]);
  return names.size > 0 ? names : undefined;
}

/** A write of ours changes one entry and keeps the others: most entries are the same objects, and need no fingerprint. */
function changedNames(before: ReadonlyMap<string, FactsEntry>, after: ReadonlyMap<string, FactsEntry>): string[] {
  if (before === after) return [];
  const all = new Set([...before.keys(), ...after.keys()]);
  return [...all].filter((name) => {
    const [former, present] = [before.get(name), after.get(name)];
    return former !== present && fingerprint(former) !== fingerprint(present);
  });
}

type FactsEntry = RoleFacts & { readonly owner?: string };

function fingerprint(entry: FactsEntry | undefined): string {
  if (!entry) return "absent";
  const { owner, ownership, createsDatabases = false } = entry;
  return JSON.stringify([owner, ownership?.uid, ownership?.secretVersion, createsDatabases]);
}

/** The uid that owns a database: what its role's comment says, else what its own says. */
export function databaseOwnerUid(comments: {
  readonly role: Ownership | undefined;
  readonly database: Ownership | undefined;
}): string | undefined {
  return (comments.role ?? comments.database)?.uid;
}

/** What a read-only role was given, in one word: it stands in its comment where an owner's role has its Secret. */
export function readOnlyVersion(
  given: { readonly secretVersion: string; readonly database: string; readonly connectionLimit: number },
): string {
  return hashOf([given.secretVersion, given.database, given.connectionLimit]).slice(0, 32);
}

/** The names of the databases that a role owns, sorted. */
export function databasesOwnedBy(facts: KnownClusterFacts, role: string): string[] {
  return [...facts.databases.values()].filter(({ owner }) => owner === role).map(({ name }) => name).sort();
}

/** Why a text cannot stand for an owner, or `undefined` if it can. */
export function ownerProblem(uid: string): string | undefined {
  return UID.test(uid) ? undefined : `${JSON.stringify(uid)} is not a uid`;
}

/** Why PostgreSQL would not take a text as it is for the name of a role or database, or `undefined` if it would. */
export function identifierProblem(name: string): string | undefined {
  if (name === "") return "it is empty";
  if (name.includes("\0") || !name.isWellFormed()) return "it has characters that PostgreSQL cannot store";
  // PostgreSQL cuts longer names silently, so two tenants could end up with one role
  if (new TextEncoder().encode(name).length > IDENTIFIER_MAX_BYTES) {
    return `it has more than ${IDENTIFIER_MAX_BYTES} bytes`;
  }
  return undefined;
}

/** Why a text is not taken for a role's password, or `undefined` if it is. Never quotes it. */
export function passwordProblem(password: string): string | undefined {
  if (password === "") return "it is empty";
  if (password.includes("\0") || !password.isWellFormed()) return "it has characters that PostgreSQL cannot store";
  if (password.length > PASSWORD_MAX_LENGTH) return `it has more than ${PASSWORD_MAX_LENGTH} characters`;
  return undefined;
}

/** What a SQLSTATE means for the cluster; `undefined` stands for an error of the network or of the runtime. */
export function failureReason(sqlState: string | undefined): PostgresReason {
  if (sqlState === undefined) return "DatabaseUnreachable";
  if (sqlState.startsWith("28")) return "DatabaseLoginFailed"; // invalid_authorization_specification, invalid_password
  if (sqlState.startsWith("08") || sqlState === "57014") return "DatabaseUnreachable"; // connection lost, statement timeout
  if (sqlState.startsWith("57P0")) return "DatabaseUnreachable"; // shutting down, crashed, starting up
  return "DatabaseRefused"; // too_many_connections, insufficient_privilege, …
}

/** Whether an error says why PostgreSQL failed. */
export function isPostgresFailure(error: unknown): error is PostgresFailure {
  return error instanceof Error && "connected" in error && "reason" in error && REASONS.includes(error.reason);
}
