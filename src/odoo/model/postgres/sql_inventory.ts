/** The queries of a PostgreSQL cluster: the whole inventory at intervals, and the objects of a write before it. Pure. */

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
  /** No client may connect to it (datallowconn). */
  readonly databaseClosed: boolean;
  readonly adminUser: string;
  readonly adminIsSuperuser: boolean;
  readonly serverMajor: number;
}

/** Who is connected to a database, as {@linkcode SESSIONS_SQL} returns it: one row per role. */
export interface SessionFindings {
  readonly role: string;
  readonly comment: string | null;
  /** Whether the administrator may end such a session as things are. */
  readonly endable: boolean;
}

/** What a swap is about: three names, and who is connected to what is there of them. */
export interface SwapFindings {
  readonly live: Findings;
  readonly side: Findings;
  readonly old: Findings;
  readonly sessions: readonly SessionFindings[];
}

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
    coalesce(d.datconnlimit = -2, false) as "halfDropped", coalesce(not d.datallowconn, false) as "databaseClosed",
    current_user::text as "adminUser", current_setting('is_superuser') = 'on' as "adminIsSuperuser",
    current_setting('server_version_num')::int / 10000 as "serverMajor"
  from (values ($1::text, $2::text)) as wanted (role, database)
    left join pg_roles r on r.rolname = wanted.role
    left join pg_database d on d.datname = wanted.database`;

/** The {@linkcode SessionFindings} for databases ($1). */
export const SESSIONS_SQL = `
  select distinct r.rolname::text as role, left(shobj_description(r.oid, 'pg_authid'), 1024) as comment,
    current_setting('is_superuser') = 'on' or not r.rolsuper and
      (pg_has_role(r.oid, 'usage') or pg_has_role('pg_signal_backend', 'usage')) as endable
  from pg_stat_activity a join pg_roles r on r.oid = a.usesysid
  where a.datname = any($1::text[])`;
