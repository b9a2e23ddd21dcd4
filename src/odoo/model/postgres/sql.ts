/**
 * The SQL of roles and databases: what is in the database (findings) and what should be → statements, or a refusal. Pure.
 *
 * The port runs them. A name that is not ours is never altered or dropped.
 */
import { databaseOwnerUid, formatOwnership, parseOwnership } from "./database.ts";
import type { Findings } from "./sql_inventory.ts";
import { foreign, grantToAdmin, sqlIdentifier, sqlLiteral, type WritePlan } from "./sql_statements.ts";
import type {
  AdoptRoleOptions,
  DropDatabaseOptions,
  DropReadOnlyRoleOptions,
  DropRoleOptions,
  EnsureDatabaseOptions,
  EnsureReadOnlyRoleOptions,
  EnsureRoleOptions,
  ObjectWrite,
  RestrictRoleOptions,
} from "./sql_writes.ts";

/** The statements of a write; those of a swap are in sql_swap.ts. For a role's password they send `secret`: the password, or its SCRAM verifier. */
export function planWrite(found: Findings, write: ObjectWrite, secret: string): WritePlan {
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

/** Writes the owner comment of the role and nothing else; nothing to do if the role does not exist, or is ours already. */
function planAdoptRole(found: Findings, { role, ownership }: AdoptRoleOptions): WritePlan {
  if (!found.roleFound || parseOwnership(found.roleComment)?.uid === ownership.uid) return [];
  const adoptable = !found.roleComment && !found.rolePowerful && role !== found.adminUser;
  if (!adoptable) return foreign("role", role);
  return [{ text: `comment on role ${sqlIdentifier(role)} is ${sqlLiteral(formatOwnership(ownership))}` }];
}

/** Removes the right to create databases: the operator creates them for the role. */
function planRestrictRole(found: Findings, { role, ownership }: RestrictRoleOptions): WritePlan {
  if (!found.roleFound) return [];
  if (parseOwnership(found.roleComment)?.uid !== ownership.uid) return foreign("role", role);
  return [{ text: `alter role ${sqlIdentifier(role)} nocreatedb` }];
}

/** Creates the database, or completes one that the instance's role owns, owner comment included. */
function planEnsureDatabase(found: Findings, options: EnsureDatabaseOptions): WritePlan {
  const { database, role, ownership: { uid }, adopt = false } = options;
  if (parseOwnership(found.roleComment)?.uid !== uid) return foreign("role", role);
  if (found.databaseFound && found.databaseOwner !== role) return foreign("database", database);
  const name = sqlIdentifier(database);
  const exists = found.databaseFound && !found.halfDropped;
  if (exists && parseOwnership(found.databaseComment)?.uid === uid) return [];
  const form = "encoding 'UTF8' lc_collate 'C' template template0"; // as Odoo creates them
  // the comment comes last: a database of ours without one is one whose making was interrupted
  const completion = [
    ...(adopt && exists ? [] : [`revoke connect on database ${name} from public`]),
    `comment on database ${name} is ${sqlLiteral(formatOwnership({ uid }))}`,
  ];
  return [
    ...grantToAdmin(found, role).map((text) => ({ text })),
    ...(found.halfDropped ? [{ text: `drop database ${name}`, slow: true } as const] : []),
    ...(exists ? [] : [{ text: `create database ${name} owner ${sqlIdentifier(role)} ${form}`, slow: true } as const]),
    { text: completion.join("; ") },
  ];
}

/** Drops the database and ends its sessions; nothing to do when it is not there. */
function planDropDatabase(found: Findings, options: DropDatabaseOptions): WritePlan {
  const { database, ownership } = options;
  if (!found.databaseFound || found.databaseOwner === null) return [];
  const comments = {
    role: parseOwnership(found.databaseOwnerComment),
    database: parseOwnership(found.databaseComment),
  };
  if (databaseOwnerUid(comments) !== ownership.uid) return foreign("database", database);
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
  const comments = {
    role: parseOwnership(found.databaseOwnerComment),
    database: parseOwnership(found.databaseComment),
  };
  return databaseOwnerUid(comments) === uid ? found.databaseOwner : undefined;
}
