-- What a server has and this role may, as one JSON value: decides what of a dump is left out (src/odoo/model/operations/copy/dump_entries.ts).
select json_build_object(
  'version', current_setting('server_version_num')::int,
  'settings', (select json_agg(name) from pg_settings),
  'extensions', (select json_agg(extname) from pg_extension),
  'allowedExtensions', (select coalesce(json_agg(distinct v.name), '[]') from pg_available_extension_versions v
    where (to_jsonb(v) ->> 'trusted' = 'true' and has_database_privilege(current_database(), 'CREATE'))
      or (select rolsuper from pg_roles where rolname = current_user)),
  'relations', (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname !~ '^(pg_|information_schema)'
      and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e'))) as facts
