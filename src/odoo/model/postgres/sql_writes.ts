/** What may be changed in a PostgreSQL cluster: the words for it, what speaks against it, whether it is done already. Pure. */
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

/** A role of the former operator, to be signed: it must have no comment at all and no administrator's rights. */
export interface AdoptRoleOptions {
  readonly role: string;
  readonly ownership: Ownership;
}

/** A role of this owner that is not to create databases any more. */
export interface RestrictRoleOptions {
  readonly role: string;
  readonly ownership: Ownership;
}

/** A database that a role of the same instance owns. */
export interface EnsureDatabaseOptions {
  readonly database: string;
  readonly role: string;
  readonly ownership: Ownership;
  /** The database was there before the operator: CONNECT of PUBLIC stays. @default {false} */
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

/** A role that may read one database of the same instance and do nothing else. */
export interface EnsureReadOnlyRoleOptions extends EnsureRoleOptions {
  readonly database: string;
  readonly connectionLimit: number;
}

/** Such a role to drop, with what it was granted in the database. */
export interface DropReadOnlyRoleOptions extends DropRoleOptions {
  readonly database: string;
}

/** Three names for the databases of one instance: what is served, what is to be, what was. */
export interface SwapDatabaseOptions {
  readonly live: string;
  /** Where the new data was built. */
  readonly side: string;
  /** Where the former data is kept. */
  readonly old: string;
  /** Owns all of them. */
  readonly role: string;
  readonly ownership: Ownership;
}

/** The new database takes the place of the one that is served, or gives it back. */
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

/** Whether a write renames databases. */
export function isSwap(write: SqlWrite): write is SwapWrite {
  return write.type === "swapDatabase" || write.type === "unswapDatabase";
}

/** The write in words: `create role "x"`. */
export function describeWrite(write: SqlWrite): string {
  const [verb] = /^[a-z]+/.exec(write.type) ?? [];
  return `${verb} ${write.type.endsWith("Role") ? "role" : "database"} ${JSON.stringify(subjectOf(write))}`;
}

/** What keeps a write from being tried at all, or `undefined`. Never quotes a password. */
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

/** Whether the inventory says that the write has been done. What is to be dropped or renamed is always looked for. */
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

/** What the inventory says after the write; after a swap it is read anew. */
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
