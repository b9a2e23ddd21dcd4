/** The writes to a PostgreSQL cluster: their descriptions, why one is refused, and whether the inventory already has its result. */
import {
  identifierProblem,
  type InventoryWrite,
  type KnownClusterFacts,
  ownerProblem,
  type Ownership,
  passwordProblem,
} from "./database.ts";

/** A role that one instance owns, with the password of a Secret. */
export interface EnsureRoleOptions {
  readonly role: string;
  readonly password: string;
  readonly ownership: Required<Ownership>;
}

/** A role of operator 2.5.0, which gets our owner comment: it must have no comment and no administrator's rights. */
export interface AdoptRoleOptions {
  readonly role: string;
  readonly ownership: Ownership;
}

/** A role of this owner that loses the right to create databases. */
export interface RestrictRoleOptions {
  readonly role: string;
  readonly ownership: Ownership;
}

/** A database that a role of the same instance owns. */
export interface EnsureDatabaseOptions {
  readonly database: string;
  readonly role: string;
  readonly ownership: Ownership;
  /** The database is older than this operator: CONNECT of PUBLIC stays. @default {false} */
  readonly adopt?: boolean;
}

/** A database to drop, if it is of this owner. */
export interface DropDatabaseOptions {
  readonly database: string;
  readonly ownership: Ownership;
}

/** A role to drop, if it is of this owner. */
export interface DropRoleOptions {
  readonly role: string;
  readonly ownership: Ownership;
}

/** A role that may read one database of the same instance and nothing else. */
export interface EnsureReadOnlyRoleOptions extends EnsureRoleOptions {
  readonly database: string;
  readonly connectionLimit: number;
}

/** Such a role to drop, with its grants in the database. */
export interface DropReadOnlyRoleOptions extends DropRoleOptions {
  readonly database: string;
}

/** The names of three databases of one instance: the live one, the copy, the former one. */
export interface SwapDatabaseOptions {
  readonly live: string;
  /** The copy. */
  readonly side: string;
  /** The name that the former live database gets. */
  readonly old: string;
  /** Owns all of them. */
  readonly role: string;
  readonly ownership: Ownership;
}

/** The copy becomes the live database, or the former one becomes it again. */
export type SwapWrite =
  | { readonly type: "swapDatabase" } & SwapDatabaseOptions
  | { readonly type: "unswapDatabase" } & SwapDatabaseOptions;

/** A change of one role or database. */
export type ObjectWrite =
  | { readonly type: "ensureRole" } & EnsureRoleOptions
  | { readonly type: "adoptRole" } & AdoptRoleOptions
  | { readonly type: "restrictRole" } & RestrictRoleOptions
  | { readonly type: "ensureReadOnlyRole" } & EnsureReadOnlyRoleOptions
  | { readonly type: "dropReadOnlyRole" } & DropReadOnlyRoleOptions
  | { readonly type: "ensureDatabase" } & EnsureDatabaseOptions
  | { readonly type: "dropDatabase" } & DropDatabaseOptions
  | { readonly type: "dropRole" } & DropRoleOptions;

/** Any change. */
export type SqlWrite = ObjectWrite | SwapWrite;

/** A change that sets the password of a role. */
export type PasswordWrite = Extract<SqlWrite, { readonly type: "ensureRole" | "ensureReadOnlyRole" }>;

/** A change as a plan holds it: a password is named by the Secret that has it, and joined by the shell. */
export type PlannedWrite =
  | Exclude<SqlWrite, PasswordWrite>
  | PlannedPasswordWrite;

/** {@linkcode PasswordWrite} with the name of the Secret instead of its password and version. */
export type PlannedPasswordWrite = PasswordWrite extends infer W
  ? W extends PasswordWrite
    ? Omit<W, "password" | "ownership"> & { readonly secret: string; readonly ownership: Ownership }
  : never
  : never;

/** Whether a planned write sets a password. */
export function setsPassword(write: PlannedWrite): write is PlannedPasswordWrite {
  return write.type === "ensureRole" || write.type === "ensureReadOnlyRole";
}

/** Whether a write renames databases. */
export function isSwap(write: SqlWrite): write is SwapWrite {
  return write.type === "swapDatabase" || write.type === "unswapDatabase";
}

/** Describes the write: `create role "x"`. */
export function describeWrite(write: SqlWrite): string {
  const [verb] = /^[a-z]+/.exec(write.type) ?? [];
  return `${verb} ${write.type.endsWith("Role") ? "role" : "database"} ${JSON.stringify(subjectOf(write))}`;
}

/** Why a write is refused before it is sent, or `undefined`. Never quotes a password. */
export function writeProblem(write: SqlWrite): string | undefined {
  const login = write.type === "ensureRole" || write.type === "ensureReadOnlyRole";
  const password = login ? passwordProblem(write.password) : undefined;
  const databases = isSwap(write) ? [write.live, write.side, write.old] : "database" in write ? [write.database] : [];
  const names = [..."role" in write ? [write.role] : [], ...databases];
  if (new Set(databases).size < databases.length) return "two of its databases have the same name";
  const name = names.map(identifierProblem).find((problem) => problem !== undefined);
  const owner = ownerProblem(write.ownership.uid);
  if (owner) return `the owner cannot be used: ${owner}`;
  return name ? `the name cannot be used: ${name}` : password && `the password cannot be used: ${password}`;
}

/** Whether the inventory has the result of the write. Drops and renames are always sent. */
export function isWritten(facts: KnownClusterFacts, write: SqlWrite): boolean {
  if (isSwap(write)) return false;
  if (write.type === "dropRole" || write.type === "dropReadOnlyRole" || write.type === "dropDatabase") return false;
  const { ownership: role, createsDatabases } = facts.roles.get(write.role) ?? {};
  if (role?.uid !== write.ownership.uid) return false;
  if (write.type === "adoptRole") return true;
  if (write.type === "restrictRole") return !createsDatabases;
  if (write.type !== "ensureDatabase") return role.secretVersion === write.ownership.secretVersion;
  const database = facts.databases.get(write.database);
  return database?.owner === write.role && database.ownership?.uid === write.ownership.uid;
}

/** The change of the inventory after the write; after a swap the inventory is read again. */
export function inventoryWrite(write: ObjectWrite): InventoryWrite {
  const { ownership } = write;
  switch (write.type) {
    case "ensureRole":
    case "ensureReadOnlyRole":
    case "adoptRole":
      return { kind: "role", name: write.role, facts: { name: write.role, ownership } };
    case "restrictRole":
      return { kind: "role", name: write.role, facts: { name: write.role, createsDatabases: false } };
    case "ensureDatabase": {
      const { database, role: owner } = write;
      return { kind: "database", name: database, facts: { name: database, owner, ownership: { uid: ownership.uid } } };
    }
    case "dropDatabase":
      return { kind: "database", name: write.database };
    case "dropRole":
    case "dropReadOnlyRole":
      return { kind: "role", name: write.role };
  }
}

function subjectOf(write: SqlWrite): string {
  if (isSwap(write)) return write.live;
  return write.type === "ensureDatabase" || write.type === "dropDatabase" ? write.database : write.role;
}
