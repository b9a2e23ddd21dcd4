#!/bin/sh
# Copies a database into an empty one, maybe of another server, and compares the two. The source is read at one point in time and
# may be in use: it is not written, and nothing in it is locked but against changes of its structure (ACCESS SHARE).
#
# Image: one with psql, pg_dump and pg_restore that are not older than either server, awk, and GNU or BusyBox timeout.
# Arguments: the text of load_facts.sql
# Environment: COPY_DIR        directory for pipes, the structure of the database and counts: some MiB
#              COPY_LEAVE_OUT  entries of a dump that are left out, as regular expressions, each on a line (dump_entries.ts)
#              COPY_SECONDS    for everything; default 86400
#              SOURCE_PGHOST SOURCE_PGPORT SOURCE_PGUSER SOURCE_PGPASSWORD SOURCE_PGDATABASE SOURCE_PGSSLMODE
#              SOURCE_PGSSLROOTCERT
#                              the login at the source; its role owns what is in there
#              PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGSSLMODE PGSSLROOTCERT
#                              the login at the copy: an empty database that PGUSER owns
#              SOURCE_CERTIFICATE TARGET_CERTIFICATE
#                              PEM of the servers' authorities, if they have their own
#              TERMINATION_LOG where the result goes; default: where the kubelet looks
# Result: exit code 0 only if the copy is complete, and a JSON object as termination message:
#         {"ok": true, "tables": 412, "rows": 900000, "bytes": 88000000, "seconds": 61, "sourceVersion": 150013,
#          "targetVersion": 170005, "leftOut": ["adminpack"]}
#         {"ok": false, "reason": "RowCountsDiffer", "error": "...", "log": "..."}
#
# The structure goes through a small file, for its list must be read before it is loaded; the data go through a pipe and touch
# no disk here. Both are pg_dump's own format, which pg_restore loads without psql: names of a tenant's objects cannot become
# commands. Indexes and constraints come last, while the source counts its rows in the snapshot that was dumped.
set -eu
umask 077

: "${COPY_DIR:?}" "${COPY_LEAVE_OUT?}" "${PGHOST:?}" "${PGUSER:?}" "${PGDATABASE:?}"
: "${SOURCE_PGHOST:?}" "${SOURCE_PGUSER:?}" "${SOURCE_PGDATABASE:?}"
load_facts=${1:?the text of load_facts.sql}
message=${TERMINATION_LOG:-/dev/termination-log}
started=$(date +%s)
deadline=$((started + ${COPY_SECONDS:-86400}))
export LC_ALL=C PGAPPNAME=copy_database
export PGCONNECT_TIMEOUT=15
# Names the database by PGDATABASE alone: as an argument a name could be taken for more than a name.
link="keepalives_idle=30 keepalives_interval=10 keepalives_count=6"
cd "$COPY_DIR"

children=
finish() {
  code=$?
  trap - EXIT
  for child in $children; do kill "$child" 2>/dev/null || :; done
  exit "$code"
}
trap finish EXIT
trap 'fail Stopped "The copy was stopped before it was complete" /dev/null' TERM INT
trap '' PIPE # a write to a closed pipe returns an error, and the script reports it

# The end of a file as the inside of a JSON string: without passwords, and without lines that quote data.
json() {
  awk '
    function masked(text, secret,   at, out) {
      while (secret != "" && (at = index(text, secret)) > 0) {
        out = out substr(text, 1, at - 1) "***"
        text = substr(text, at + length(secret))
      }
      return out text
    }
    function escaped(text,   at, char, out) {
      for (at = 1; at <= length(text); at++) {
        char = substr(text, at, 1)
        out = out (char == "\\" || char == "\"" ? "\\" char : (char ~ /[ -~]/ ? char : "?"))
      }
      return out
    }
    /^(CONTEXT|DETAIL):/ { next }
    { lines[++count] = escaped(substr(masked(masked($0, ENVIRON["PGPASSWORD"]), ENVIRON["SOURCE_PGPASSWORD"]), 1, 400)) }
    END {
      for (at = count; at > 0 && length(text) + length(lines[at]) < 1500; at--) text = lines[at] (at == count ? "" : "\\n") text
      printf "%s", text
    }' "$1"
}

# Reason, sentence, file with the log.
fail() {
  printf '%s\n' "$2" >sentence
  printf '{"ok": false, "reason": "%s", "error": "%s", "log": "%s"}\n' "$1" "$(json sentence)" "$(json "$3")" >"$message"
  cat "$message" >&2
  exit 1
}

first_error() {
  grep -E -m 1 '(ERROR|FATAL|error):' "$1" || tail -n 1 "$1"
}

left() {
  seconds=$((deadline - $(date +%s)))
  [ "$seconds" -gt 0 ] || seconds=1
  echo "$seconds"
}

# Only in the background, like dump and load: from here on it is the source that this shell talks to.
as_source() {
  export PGHOST="$SOURCE_PGHOST" PGPORT="${SOURCE_PGPORT:-5432}" PGUSER="$SOURCE_PGUSER" PGDATABASE="$SOURCE_PGDATABASE"
  export PGPASSWORD="${SOURCE_PGPASSWORD:-}"
  unset PGSSLMODE PGSSLROOTCERT
  [ -z "${SOURCE_PGSSLMODE:-}" ] || export PGSSLMODE="$SOURCE_PGSSLMODE"
  [ -z "${SOURCE_PGSSLROOTCERT:-}" ] || export PGSSLROOTCERT="$SOURCE_PGSSLROOTCERT"
}

failed_in_time() {
  [ "$(date +%s)" -lt "$deadline" ] || fail DeadlineExceeded "The copy was not done within ${COPY_SECONDS:-86400} s" "$1"
}

lost_connection() {
  grep -q -E 'terminating connection|closed the connection|connection to server|could not connect|no connection to the server' "$1" ||
    grep -q -E 'the database system is|SSL (SYSCALL|error)|could not (translate host|receive data|send data)' "$1"
}

# Whether all that a load complains of is the setting by which pg_restore 17 and newer begin, and which servers before 17 lack.
only_newer_setting() {
  awk -v known='pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"' '
    /^pg_restore: error: / { if ($0 == known) seen = 1; else other = 1 }
    END { exit !(seen && !other) }' "$1"
}

# What the source's side said, and how it ended.
source_failed() {
  failed_in_time "$1"
  said=$(first_error "$1")
  case $(cat "$1") in
  *"server version mismatch"*) fail ClientTooOld "pg_dump is older than the source's server: start the operator with a newer --postgres-client-image ($said)" "$1" ;;
  *"lock timeout"*) fail DatabaseLocked "Something holds a lock in the source for more than 60 s ($said)" "$1" ;;
  *"permission denied"*) fail DumpNotAllowed "The role of the source may not read all of it ($said)" "$1" ;;
  esac
  if lost_connection "$1" || grep -q 'invalid snapshot identifier' "$1"; then # a snapshot lives as long as the session that has it
    fail SourceDatabaseUnreachable "The source's PostgreSQL went away or refused the connection ($said)" "$1"
  fi
  [ "${2:-1}" -ne 137 ] || fail DumpKilled "pg_dump was killed: the pod's status says why (memory, most often)" "$1"
  fail DumpFailed "The source could not be read ($said)" "$1"
}

target_failed() {
  failed_in_time "$1"
  if [ -z "${strict-set}" ]; then
    sed '/transaction_timeout/d' "$1" >target.rest
    set -- target.rest "${2:-1}"
  fi
  said=$(first_error "$1")
  case $(cat "$1") in
  *"unrecognized configuration parameter"*) fail ClientTooNew "pg_restore sets something that the copy's PostgreSQL does not know: start the operator with a --postgres-client-image of that server's major ($said)" "$1" ;;
  *"permission denied to create extension"* | *"must be superuser to create"* | *'" is not available'*)
    fail ExtensionUnavailable "The database needs an extension that the role of the copy may not create: have an administrator create it in template1 ($said)" "$1"
    ;;
  *"No space left on device"* | *"could not extend file"*) fail DatabaseFull "The copy's PostgreSQL has no room for as much again as the source ($said)" "$1" ;;
  *"does not exist"*)
    [ ! -s left_out ] || lost_connection "$1" || fail ExtensionUnavailable "The database needs extensions that the role of the copy may not create ($(tr '\n' ' ' <left_out)): have an administrator create them in template1 ($said)" "$1"
    ;;
  esac
  if lost_connection "$1"; then
    fail DatabaseUnreachable "The copy's PostgreSQL went away or refused the connection ($said)" "$1"
  fi
  [ "${2:-1}" -ne 137 ] || fail LoadKilled "pg_restore was killed: the pod's status says why (memory, most often)" "$1"
  fail LoadFailed "The copy could not be loaded ($said)" "$1"
}

# Runs psql at the copy, with what is to be done as its input.
ask() {
  PGCLIENTENCODING=UTF8 timeout -k 10 "$(left)" psql -X -q -A -t -w -v ON_ERROR_STOP=1 -v VERBOSITY=terse "$@" "$link" \
    <question >/dev/null 2>target.log 7>&- 8<&- &
  await_target $!
}

await_target() {
  children="$children $1"
  status=0
  wait "$1" || status=$?
  if [ "$status" -eq 1 ] && only_newer_setting target.log; then status=0; fi
  [ "$status" -eq 0 ] || target_failed target.log "$status"
}

# What is compared: rows, and how many there are of each kind of thing. What belongs to extensions is theirs; a constraint NOT
# NULL is one since PostgreSQL 18, an index that failed to be built is not dumped, a partition's share is made by its parent.
counts() {
  cat <<'SQL'
select format('copy (select %L, %L, count(*) from only %I.%I) to stdout',
  'rows', quote_ident(nspname) || '.' || quote_ident(relname), nspname, relname)
from pg_class c join pg_namespace n on n.oid = relnamespace
where relkind = 'r' and nspname !~ '^(pg_|information_schema$)'
  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e') \gexec
copy (
  with own as (
    select c.oid, relkind from pg_class c join pg_namespace n on n.oid = relnamespace
    where nspname !~ '^(pg_|information_schema$)'
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'))
  select 'number of', 'tables', count(*) from own where relkind in ('r', 'p', 'f')
  union all select 'number of', 'views', count(*) from own where relkind in ('v', 'm')
  union all select 'number of', 'sequences', count(*) from own where relkind = 'S'
  union all select 'number of', 'indexes', count(*) from own join pg_index on indrelid = own.oid
    where indisready and (indisvalid or relkind = 'p')
  union all select 'number of', 'constraints', count(*) from own join pg_constraint on conrelid = own.oid
    where contype <> 'n' and conparentid = 0
  union all select 'number of', 'triggers', count(*) from own join pg_trigger t on tgrelid = own.oid
    where not tgisinternal and coalesce(to_jsonb(t) ->> 'tgparentid', '0') = '0'
  union all select 'number of', 'functions', count(*) from pg_proc p join pg_namespace n on n.oid = pronamespace
    where nspname !~ '^(pg_|information_schema$)' and not exists (
      select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype in ('e', 'i'))
  union all select 'number of', 'large objects', count(*) from pg_largeobject_metadata
) to stdout;
SQL
  sequences
}

# Their next values; they know no snapshot.
sequences() {
  cat <<'SQL'
select format('copy (select %L, %L, last_value::numeric + case when is_called then %s else 0 end from %I.%I) to stdout',
  'sequence', quote_ident(nspname) || '.' || quote_ident(relname), seqincrement, nspname, relname)
from pg_sequence s join pg_class c on c.oid = seqrelid join pg_namespace n on n.oid = relnamespace
where nspname !~ '^(pg_|information_schema$)'
  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e') \gexec
SQL
}

# The roles' own settings could lead names elsewhere, or end the session.
settings() {
  cat <<'SQL'
set search_path = pg_catalog;
set row_security = off;
select set_config(name, '0', false) from pg_settings
where name in ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout', 'idle_session_timeout') \g settings
SQL
}

# Waits for the source's session to say it has come to this point.
await_source() {
  word=
  read -r word <&8 || :
  [ "$word" = "$1" ] || source_failed source.log
}

send() {
  cat "$1" >&7 2>/dev/null || source_failed source.log
}

certificates() {
  if [ -n "${SOURCE_CERTIFICATE:-}" ]; then
    printf '%s\n' "$SOURCE_CERTIFICATE" >source.pem
    export SOURCE_PGSSLROOTCERT="$PWD/source.pem"
  fi
  if [ -n "${TARGET_CERTIFICATE:-}" ]; then
    printf '%s\n' "$TARGET_CERTIFICATE" >target.pem
    export PGSSLROOTCERT="$PWD/target.pem"
  fi
}

certificates
: >source.log
mkfifo commands answers data

# 1. The copy's server: does it answer, and is the database empty?
cat >question <<SQL
select (facts ->> 'version')::int, (facts ->> 'relations')::int from ($load_facts) as f \\g target.version
select json_array_elements_text(facts -> 'extensions') from ($load_facts) as f \\g target.extensions
select json_array_elements_text(facts -> 'allowedExtensions') from ($load_facts) as f \\g target.allowed
SQL
ask
IFS='|' read -r target_version relations <target.version
[ "$relations" -eq 0 ] || fail TargetNotEmpty "Database $PGDATABASE is to become the copy, but has $relations tables, indexes or sequences in it: nothing was changed" /dev/null

# 2. A session at the source, whose snapshot is what is copied. Its locks keep the tables that are dumped the ones that are counted.
(
  as_source
  export PGCLIENTENCODING=UTF8
  exec timeout -k 10 "$(left)" psql -X -q -A -t -w -v ON_ERROR_STOP=1 -v VERBOSITY=terse "$link" <commands >answers 2>source.log
) &
session=$!
children="$children $session"
exec 7>commands 8<answers
{
  settings
  cat <<'SQL'
set lock_timeout = '60s';
begin isolation level repeatable read read only;
select pg_export_snapshot(), current_setting('server_version_num'), pg_database_size(current_database()) \g source.facts
select format('lock table only %I.%I in access share mode', nspname, relname)
from pg_class c join pg_namespace n on n.oid = relnamespace
where relkind in ('r', 'p') and nspname !~ '^(pg_|information_schema$)' \gexec
\o before
SQL
  sequences
  printf '%s\n' '\o' '\! echo begun'
} >statements
send statements
await_source begun
IFS='|' read -r snapshot source_version source_bytes <source.facts

client=$(pg_dump --version)
client=${client##*") "}
client=${client%%[!0-9]*}
for version in "$source_version" "$target_version"; do
  [ "$client" -ge $((version / 10000)) ] || fail ClientTooOld \
    "pg_dump is of PostgreSQL $client and a server of $((version / 10000)): start the operator with a newer --postgres-client-image" /dev/null
done

# It ends at its first error, but where the first is one that does not matter.
strict=--exit-on-error
if [ "$client" -ge 17 ] && [ "$target_version" -lt 170000 ]; then strict=''; fi

dump() {
  as_source
  exec timeout -k 10 "$(left)" pg_dump -w --format=custom --compress=0 --snapshot="$snapshot" --lock-wait-timeout=60s \
    --no-owner --no-acl --no-tablespaces --no-security-labels --no-publications --no-subscriptions "$@" "$link" \
    2>dump.log 7>&- 8<&-
}

load() {
  exec timeout -k 10 "$(left)" pg_restore -w ${strict:+"$strict"} --no-owner --no-acl --no-tablespaces --no-security-labels \
    --dbname="$link" "$@" 2>target.log 7>&- 8<&-
}

# 3. The structure, without what the role of the copy may not have.
dump --section=pre-data --section=post-data >structure &
dumping=$!
children="$children $dumping"
status=0
wait "$dumping" || status=$?
[ "$status" -eq 0 ] || source_failed dump.log "$status"
pg_restore --list structure >list 2>target.log || target_failed target.log
printf '%s\n' "$COPY_LEAVE_OUT" | sed '/^$/d; s/.*/^[0-9]+; [0-9]+ [0-9]+ (&)/' >patterns
: >left_out
awk '
  FILENAME == "patterns" { patterns[++count] = $0; next }
  FILENAME == "target.extensions" { there[$0] = 1; next }
  FILENAME == "target.allowed" { allowed[$0] = 1; next }
  /^[0-9]+; [0-9]+ [0-9]+ EXTENSION - / {
    if ($6 in there) next
    if (!($6 in allowed)) { print $6 >"left_out"; next }
  }
  { for (at = 1; at <= count; at++) if ($0 ~ patterns[at]) next; print }' \
  patterns target.extensions target.allowed list >use_list
load --section=pre-data --use-list=use_list structure &
await_target $!

# 4. The data. Who dies first is the cause of the other's end.
load --section=data <data &
loading=$!
dump --section=data >data &
dumping=$!
children="$children $loading $dumping"
dumped=0
wait "$dumping" || dumped=$?
loaded=0
wait "$loading" || loaded=$?
if [ "$loaded" -eq 1 ] && only_newer_setting target.log; then loaded=0; fi
if [ "$loaded" -ne 0 ] && { [ "$dumped" -eq 0 ] || [ "$dumped" -eq 141 ] || grep -q 'Broken pipe' dump.log; }; then
  target_failed target.log "$loaded"
fi
[ "$dumped" -eq 0 ] || source_failed dump.log "$dumped"

# 5. Indexes and constraints, while the source counts.
{
  echo '\o source'
  counts
  printf '%s\n' '\o' '\! echo counted'
} >statements
send statements
load --section=post-data --use-list=use_list structure &
await_target $!
await_source counted
exec 7>&-
status=0
wait "$session" || status=$?
[ "$status" -eq 0 ] || source_failed source.log "$status"

# 6. Are they the same? Names are compared where they are data.
{
  settings
  echo 'set client_min_messages = error; analyze; set client_min_messages = warning;'
  echo '\o target'
  counts
  cat <<'SQL'
\o
create temp table before (kind text, name text, value numeric);
create temp table source (like before);
create temp table target (like before);
create temp table left_out (name text);
\copy pg_temp.before from 'before'
\copy pg_temp.source from 'source'
\copy pg_temp.target from 'target'
\copy pg_temp.left_out from 'left_out'
with differences as (
  select coalesce(s.kind, t.kind) as kind, coalesce(s.name, t.name) as name, s.value as expected, t.value as found
  from pg_temp.source s full join pg_temp.target t on t.kind = s.kind and t.name = s.name
  left join pg_temp.before b on b.kind = s.kind and b.name = s.name
  where t.value is null or s.value is null
    or t.value not between least(s.value, b.value) and greatest(s.value, b.value)
), named as (
  select count(*) as all_of_them, string_agg(line, '; ') filter (where place <= 10) as lines from (
    select row_number() over (order by kind desc, name) as place,
      regexp_replace(format('%s %s: %s, in the copy %s', kind, left(name, 60), coalesce(expected::text, 'none'),
        coalesce(found::text, 'none')), '[[:cntrl:]]', '?', 'g') as line
    from differences) as numbered
)
select case when all_of_them = 0 then json_build_object(
    'ok', true,
    'tables', (select count(*) from pg_temp.target where kind = 'rows'),
    'rows', (select coalesce(sum(value), 0) from pg_temp.target where kind = 'rows'),
    'bytes', :source_bytes, 'seconds', :seconds, 'sourceVersion', :source_version, 'targetVersion', :target_version,
    'leftOut', (select coalesce(json_agg(name order by name), '[]') from pg_temp.left_out))
  else json_build_object(
    'ok', false, 'reason', 'RowCountsDiffer', 'log', '',
    'error', format('The copy differs from its source in %s places: %s%s', all_of_them, lines,
      case when all_of_them > 10 then format(' and %s more', all_of_them - 10) else '' end))
  end from named \g report
SQL
} >question
ask -v source_bytes="$source_bytes" -v source_version="$source_version" -v target_version="$target_version" \
  -v seconds="$(($(date +%s) - started))"
cat report >"$message"
cat report
grep -q '^{"ok" : true' report
