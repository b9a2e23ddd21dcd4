/**
 * The SQL of roles and databases: what is in the database (findings) and what should be → statements, or a refusal. Pure.
 *
 * The port runs them. Names and texts are quoted here and nowhere else; a name that is not ours is never altered or dropped.
 */
import {
  databaseOwnerUid,
  formatOwnership,
  identifierProblem,
  type InventoryWrite,
  type KnownClusterFacts,
  ownerProblem,
  type Ownership,
  parseOwnership,
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

/** A change of one role or database. */
export type SqlWrite =
  | { readonly type: "ensureRole" } & EnsureRoleOptions
  | { readonly type: "adoptRole" } & AdoptRoleOptions
  | { readonly type: "restrictRole" } & RestrictRoleOptions
  | { readonly type: "ensureReadOnlyRole" } & EnsureReadOnlyRoleOptions
  | { readonly type: "dropReadOnlyRole" } & DropReadOnlyRoleOptions
  | { readonly type: "ensureDatabase" } & EnsureDatabaseOptions
  | { readonly type: "dropDatabase" } & DropDatabaseOptions
  | { readonly type: "dropRole" } & DropRoleOptions;

/** What is in the database now, as {@linkcode LOOK_SQL} returns it. */
export interface Findings {
  readonly roleFound: boolean;
  readonly roleComment: string | null;
  /** Has rights that no tenant has. */
  readonly rolePowerful: boolean;
  readonly databaseFound: boolean;
  readonly databaseOwner: string | null;
  readonly databaseComment: string | null;
  readonly databaseOwnerComment: string | null;
  /** A DROP DATABASE was interrupted: all that can be done with it is to drop it again. */
  readonly halfDropped: boolean;
  readonly adminUser: string;
  readonly adminIsSuperuser: boolean;
  readonly serverMajor: number;
}

/** One message to the server, so one transaction; `slow` ones wait for a checkpoint. */
export interface Statement {
  readonly text: string;
  readonly slow?: true;
  /** Where it is to be run, if not in the administrator's own database; such a one is the last. */
  readonly database?: string;
}

/** What is to be sent, or what is not this owner's so that nothing is sent. */
export type WritePlan = readonly Statement[] | { readonly foreign: string };

/** Everything about a cluster in one query. Comments are cut: a tenant may write any amount of text on its database. */
export const INVENTORY_SQL = `
  select 'role' as kind, rolname::text as name, null as owner, left(shobj_description(oid, 'pg_authid'), 1024) as comment,
    rolcreatedb and not rolsuper as "createsDatabases"
  from pg_roles where rolname !~ '^pg_'
  union all
  select 'database', datname::text, pg_get_userbyid(datdba)::text, left(shobj_description(oid, 'pg_database'), 1024),
    null
  from pg_database where not datistemplate
  union all
  select 'server', current_setting('server_version_num'), null, null, null`;

/** The {@linkcode Findings} for a role ($1) and a database ($2), either may be null. */
export const LOOK_SQL = `
  select r.oid is not null as "roleFound", left(shobj_description(r.oid, 'pg_authid'), 1024) as "roleComment",
    coalesce(r.rolsuper or r.rolcreaterole or r.rolreplication or r.rolbypassrls, false) as "rolePowerful",
    d.oid is not null as "databaseFound", pg_get_userbyid(d.datdba)::text as "databaseOwner",
    left(shobj_description(d.oid, 'pg_database'), 1024) as "databaseComment",
    left(shobj_description(d.datdba, 'pg_authid'), 1024) as "databaseOwnerComment",
    coalesce(d.datconnlimit = -2, false) as "halfDropped",
    current_user::text as "adminUser", current_setting('is_superuser') = 'on' as "adminIsSuperuser",
    current_setting('server_version_num')::int / 10000 as "serverMajor"
  from (values ($1::text, $2::text)) as wanted (role, database)
    left join pg_roles r on r.rolname = wanted.role
    left join pg_database d on d.datname = wanted.database`;

/** A name, quoted. Throws for one that PostgreSQL would change. */
export function sqlIdentifier(name: string): string {
  const problem = identifierProblem(name);
  if (problem) throw new RangeError(`Cannot use ${JSON.stringify(name)} as a name in PostgreSQL: ${problem}`);
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text, quoted; means the same whatever standard_conforming_strings is. */
export function sqlLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''").replaceAll("\\", "\\\\")}'`;
  return text.includes("\\") ? ` E${quoted}` : quoted;
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
  const names = [..."role" in write ? [write.role] : [], ..."database" in write ? [write.database] : []];
  const name = names.map(identifierProblem).find((problem) => problem !== undefined);
  const owner = ownerProblem(write.ownership.uid);
  if (owner) return `the owner cannot be used: ${owner}`;
  return name ? `the name cannot be used: ${name}` : password && `the password cannot be used: ${password}`;
}

/** Whether the inventory says that the write has been done. What is to be dropped is always looked for. */
export function isWritten(facts: KnownClusterFacts, write: SqlWrite): boolean {
  if (write.type === "dropRole" || write.type === "dropReadOnlyRole" || write.type === "dropDatabase") return false;
  const { ownership: role, createsDatabases } = facts.roles.get(write.role) ?? {};
  if (role?.uid !== write.ownership.uid) return false;
  if (write.type === "adoptRole") return true;
  if (write.type === "restrictRole") return !createsDatabases;
  if (write.type !== "ensureDatabase") return role.secretVersion === write.ownership.secretVersion;
  const database = facts.databases.get(write.database);
  return database?.owner === write.role && database.ownership?.uid === write.ownership.uid;
}

/** What the inventory says after the write. */
export function inventoryWrite(write: SqlWrite): InventoryWrite {
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

/** The statements of a write. For a role's password they send `secret`: the password or what PostgreSQL makes of it. */
export function planWrite(found: Findings, write: SqlWrite, secret: string): WritePlan {
  switch (write.type) {
    case "ensureRole":
      return planEnsureRole(found, { ...write, secret });
    case "adoptRole":
      return planAdoptRole(found, write);
    case "restrictRole":
      return planRestrictRole(found, write);
    case "ensureDatabase":
      return planEnsureDatabase(found, write);
    case "ensureReadOnlyRole":
      return planEnsureReadOnlyRole(found, { ...write, secret });
    case "dropReadOnlyRole":
      return planDropReadOnlyRole(found, write);
    case "dropDatabase":
      return planDropDatabase(found, write);
    case "dropRole":
      return planDropRole(found, write);
  }
}

/** Creates the role, or sets the password if it is that of another version of the Secret. */
function planEnsureRole(found: Findings, options: EnsureRoleOptions & { readonly secret: string }): WritePlan {
  const { role, secret, ownership } = options;
  const owner = parseOwnership(found.roleComment);
  if (found.roleFound && owner?.uid !== ownership.uid) return foreign("role", role);
  if (found.roleFound && owner?.secretVersion === ownership.secretVersion) return [];
  const name = sqlIdentifier(role);
  const statements = [
    ...(found.roleFound ? [] : [`create role ${name} login nosuperuser nocreatedb nocreaterole`]),
    `comment on role ${name} is ${sqlLiteral(formatOwnership(ownership))}`,
    `alter role ${name} password ${sqlLiteral(secret)}`,
    ...grantToAdmin(found, role),
  ];
  return [{ text: statements.join("; ") }];
}

/** Signs the role and touches nothing else of it; nothing to do when it is not there, or is ours already. */
function planAdoptRole(found: Findings, { role, ownership }: AdoptRoleOptions): WritePlan {
  if (!found.roleFound || parseOwnership(found.roleComment)?.uid === ownership.uid) return [];
  const adoptable = !found.roleComment && !found.rolePowerful && role !== found.adminUser;
  if (!adoptable) return foreign("role", role);
  return [{ text: `comment on role ${sqlIdentifier(role)} is ${sqlLiteral(formatOwnership(ownership))}` }];
}

/** From now on databases are made for it, not by it. */
function planRestrictRole(found: Findings, { role, ownership }: RestrictRoleOptions): WritePlan {
  if (!found.roleFound) return [];
  if (parseOwnership(found.roleComment)?.uid !== ownership.uid) return foreign("role", role);
  return [{ text: `alter role ${sqlIdentifier(role)} nocreatedb` }];
}

/** Creates the database, or finishes and signs one that the instance's role owns. */
function planEnsureDatabase(found: Findings, options: EnsureDatabaseOptions): WritePlan {
  const { database, role, ownership: { uid }, adopt = false } = options;
  if (parseOwnership(found.roleComment)?.uid !== uid) return foreign("role", role);
  if (found.databaseFound && found.databaseOwner !== role) return foreign("database", database);
  const name = sqlIdentifier(database);
  const exists = found.databaseFound && !found.halfDropped;
  if (exists && parseOwnership(found.databaseComment)?.uid === uid) return [];
  const form = "encoding 'UTF8' lc_collate 'C' template template0"; // as Odoo creates them
  // the comment comes last: a database of ours without one is one whose making was interrupted
  const signing = [
    ...(adopt && exists ? [] : [`revoke connect on database ${name} from public`]),
    `comment on database ${name} is ${sqlLiteral(formatOwnership({ uid }))}`,
  ];
  return [
    ...grantToAdmin(found, role).map((text) => ({ text })),
    ...(found.halfDropped ? [{ text: `drop database ${name}`, slow: true } as const] : []),
    ...(exists ? [] : [{ text: `create database ${name} owner ${sqlIdentifier(role)} ${form}`, slow: true } as const]),
    { text: signing.join("; ") },
  ];
}

/** Drops the database and ends its sessions; nothing to do when it is not there. */
function planDropDatabase(found: Findings, options: DropDatabaseOptions): WritePlan {
  const { database, ownership } = options;
  if (!found.databaseFound || found.databaseOwner === null) return [];
  const marks = { role: parseOwnership(found.databaseOwnerComment), database: parseOwnership(found.databaseComment) };
  if (databaseOwnerUid(marks) !== ownership.uid) return foreign("database", database);
  return [
    ...grantToAdmin(found, found.databaseOwner).map((text) => ({ text })),
    { text: `drop database if exists ${sqlIdentifier(database)} with (force)`, slow: true },
  ];
}

/** Drops the role and nothing that it owns; nothing to do when it is not there. */
function planDropRole(found: Findings, options: DropRoleOptions): WritePlan {
  const { role, ownership } = options;
  if (!found.roleFound) return [];
  if (parseOwnership(found.roleComment)?.uid !== ownership.uid) return foreign("role", role);
  return [{ text: `drop role if exists ${sqlIdentifier(role)}` }];
}

/**
 * Creates or alters the role and grants what it may read, in one transaction in the tenant's database, as the owner of
 * what is granted. Its comment is written there too: what it says was granted, was granted.
 */
function planEnsureReadOnlyRole(
  found: Findings,
  options: EnsureReadOnlyRoleOptions & { readonly secret: string },
): WritePlan {
  const { role, database, connectionLimit, secret, ownership } = options;
  const present = parseOwnership(found.roleComment);
  if (found.roleFound && present?.uid !== ownership.uid) return foreign("role", role);
  const owner = ownerOfDatabase(found, ownership.uid);
  if (owner === undefined) return foreign("database", database);
  if (found.roleFound && present?.secretVersion === ownership.secretVersion) return [];
  const [name, ownerName] = [sqlIdentifier(role), sqlIdentifier(owner)];
  const statements = [
    ...(found.roleFound ? [] : [`create role ${name} login nosuperuser nocreatedb nocreaterole noinherit`]),
    `alter role ${name} noinherit connection limit ${Math.trunc(connectionLimit)} password ${sqlLiteral(secret)}`,
    `comment on role ${name} is ${sqlLiteral(formatOwnership(ownership))}`,
    `set local role ${ownerName}`,
    `grant connect on database ${sqlIdentifier(database)} to ${name}`,
    `grant usage on schema public to ${name}`,
    `grant select on all tables in schema public to ${name}`,
    `alter default privileges in schema public grant select on tables to ${name}`,
  ];
  return [
    ...grantToAdmin(found, owner).map((text) => ({ text })),
    { text: ["begin", ...statements, "commit"].join("; "), database },
  ];
}

/** Ends the role's sessions, takes back what it was granted in its database, and drops it. */
function planDropReadOnlyRole(found: Findings, options: DropReadOnlyRoleOptions): WritePlan {
  const { role, database, ownership } = options;
  if (!found.roleFound) return [];
  if (parseOwnership(found.roleComment)?.uid !== ownership.uid) return foreign("role", role);
  if (!found.databaseFound) return planDropRole(found, options);
  const owner = ownerOfDatabase(found, ownership.uid);
  if (owner === undefined) return foreign("database", database);
  const name = sqlIdentifier(role);
  const statements = [
    `select pg_terminate_backend(pid) from pg_stat_activity where usename = ${sqlLiteral(role)}`,
    `drop owned by ${name}`,
    `drop role ${name}`,
  ];
  return [
    ...[...grantToAdmin(found, owner), ...grantToAdmin(found, role)].map((text) => ({ text })),
    { text: ["begin", ...statements, "commit"].join("; "), database },
  ];
}

/** Who owns the database, if that is the instance of this uid. */
function ownerOfDatabase(found: Findings, uid: string): string | undefined {
  if (!found.databaseFound || found.databaseOwner === null || found.halfDropped) return undefined;
  const marks = { role: parseOwnership(found.databaseOwnerComment), database: parseOwnership(found.databaseComment) };
  return databaseOwnerUid(marks) === uid ? found.databaseOwner : undefined;
}

function subjectOf(write: SqlWrite): string {
  return write.type === "ensureDatabase" || write.type === "dropDatabase" ? write.database : write.role;
}

function foreign(kind: "role" | "database", name: string): WritePlan {
  return { foreign: `${kind} ${JSON.stringify(name)}` };
}

/** An admin that is no superuser makes and drops databases of roles that it is a member of, and ends their sessions. */
function grantToAdmin(found: Findings, role: string): string[] {
  if (found.adminIsSuperuser || role === found.adminUser) return [];
  const options = found.serverMajor >= 16 ? " with inherit true, set true" : "";
  return [`grant ${sqlIdentifier(role)} to current_user${options}`];
}
