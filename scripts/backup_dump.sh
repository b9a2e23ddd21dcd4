#!/bin/sh
# Dumps the instance's database at one point in time, for `odoo-operator job backup` in the container beside this one: the
# dump goes into one pipe, what the backup must know of the database into another. While the files are read there, a lock
# holds off what would remove them: Odoo's collection of unused attachments (it wants SHARE, and passes by where it is refused).
#
# Image: one with PostgreSQL's psql and pg_dump, not older than the server, and GNU or BusyBox timeout.
# Environment: BACKUP_DIR           the folder that both containers share
#              BACKUP_FORMAT        zip, sql (both: SQL text) or dump (pg_dump's own)
#              BACKUP_PEER_SECONDS  for the other container to come up; default 600
#              BACKUP_SECONDS       for everything; default 86400
#              PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE, PGSSLMODE and PGSSLROOTCERT if need be
# Pipes, in $BACKUP_DIR/pipes once all are there. No end waits for one that has died: it reads the end, or cannot write.
#   peer    from the other container: "ready" when it has opened the pipes, "dump" when it has opened the one with the dump,
#           "read" when it has read the files
#   facts   one line of JSON, then the names of all files, each on a line as COPY writes it, then \.
#   dump    the dump; complete only if status says so
#   status  "dumping", "dumped", "listed", "complete", each on a line
# Result: exit code 0 if all went well. Else the reason, a constant, and on the lines below what happened, are in
#         $BACKUP_DIR/dump.failed, where the other container finds them; this one leaves no termination message.
set -eu

: "${BACKUP_DIR:?}" "${BACKUP_FORMAT:?}" "${PGDATABASE:?}"
export BACKUP_PIPES="$BACKUP_DIR/pipes"
peer_seconds=${BACKUP_PEER_SECONDS:-600}
seconds=${BACKUP_SECONDS:-86400}

fail() {
  printf '%s\n%s\n' "$1" "$2" >"$BACKUP_DIR/dump.failed.new"
  mv "$BACKUP_DIR/dump.failed.new" "$BACKUP_DIR/dump.failed" # never half of it
  printf '%s: %s\n' "$1" "$2" >&2
  exit 1
}

case $BACKUP_FORMAT in
  zip | sql) export BACKUP_DUMP_FORMAT=plain ;;
  dump) export BACKUP_DUMP_FORMAT=custom ;;
  *) fail InvalidFormat "There is no format $BACKUP_FORMAT: zip, sql and dump are" ;;
esac

mkdir "$BACKUP_DIR/pipes.new"
(cd "$BACKUP_DIR/pipes.new" && mkfifo peer facts dump status)
mv "$BACKUP_DIR/pipes.new" "$BACKUP_PIPES"

# Opened for both directions no pipe makes its opener wait. The direction that is not ours is closed when the other has come.
exec 5<>"$BACKUP_PIPES/peer" 6<>"$BACKUP_PIPES/facts" 7<>"$BACKUP_PIPES/status"
word=$(timeout "$peer_seconds" head -n 1 <&5) || word=
[ "$word" = ready ] || fail UploaderMissing "The container that sends the backup did not come up within $peer_seconds s"
exec 4<"$BACKUP_PIPES/peer" 8>"$BACKUP_PIPES/facts" 9>"$BACKUP_PIPES/status"
exec 5>&- 6>&- 7>&-

# Run by psql while its transaction is open. No other process holds the pipe open, so that it ends with pg_dump.
# shellcheck disable=SC2016 # what is in there is for the shell that psql starts
export BACKUP_DUMP='
  exec 3<>"$BACKUP_PIPES/dump"
  echo dumping >&9
  [ "$(head -n 1 <&4)" = dump ] || { echo false >"$BACKUP_DIR/dumped"; exit; }
  exec 1>"$BACKUP_PIPES/dump" 3>&-
  if pg_dump --no-password --snapshot="$BACKUP_SNAPSHOT" --format="$BACKUP_DUMP_FORMAT" --no-owner --no-acl \
    --lock-wait-timeout=60s 4<&- 8>&- 9>&- 2>"$BACKUP_DIR/pg_dump.log"; then
    exec 1>&9
    echo true >"$BACKUP_DIR/dumped"
    echo dumped
  else
    echo false >"$BACKUP_DIR/dumped"
  fi'

# The lock comes first: a snapshot that is older would show files that were removed before it held.
ends=0
timeout "$seconds" psql --no-psqlrc --no-password --quiet --no-align --tuples-only -v ON_ERROR_STOP=1 -v VERBOSITY=verbose \
  "keepalives_idle=30 keepalives_interval=10 keepalives_count=6" >"$BACKUP_DIR/psql.log" 2>&1 <<'SQL' || ends=$?
SELECT set_config(name, '0', false) FROM pg_settings
WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout', 'idle_session_timeout');
SET lock_timeout = '60s';
BEGIN ISOLATION LEVEL REPEATABLE READ;
LOCK TABLE public.ir_attachment IN ROW EXCLUSIVE MODE;
SELECT pg_export_snapshot() AS snapshot \gset
\setenv BACKUP_SNAPSHOT :snapshot
\copy (SELECT json_build_object('database', current_database(), 'server', current_setting('server_version_num')::int, 'databaseBytes', pg_database_size(current_database()), 'attachments', (SELECT count(*) FROM public.ir_attachment), 'fileBytes', (SELECT coalesce(sum(size), 0) FROM (SELECT max(file_size::bigint) AS size FROM public.ir_attachment WHERE store_fname IS NOT NULL GROUP BY store_fname) AS files), 'modules', (SELECT coalesce(json_object_agg(name, latest_version), '{}') FROM public.ir_module_module WHERE state = 'installed'))) TO PROGRAM 'cat >&8'
\! sh -c "$BACKUP_DUMP" </dev/null
\set dumped `cat "$BACKUP_DIR/dumped"`
\if :dumped
\copy (SELECT DISTINCT store_fname FROM public.ir_attachment WHERE store_fname IS NOT NULL ORDER BY 1) TO PROGRAM 'cat >&8'
\! printf '\\.\n' >&8
\! echo listed >&9
\! head -n 1 <&4 >"$BACKUP_DIR/word"
\endif
COMMIT;
SQL

last_lines() {
  tail -n 20 "$1" 2>/dev/null || :
}

if [ "$ends" -eq 124 ]; then
  fail DeadlineExceeded "The backup was not done within $seconds s"
elif [ -f "$BACKUP_DIR/dumped" ] && ! grep -q true "$BACKUP_DIR/dumped"; then
  case $(last_lines "$BACKUP_DIR/pg_dump.log") in
    *"server version mismatch"*) fail VersionMismatch "pg_dump is older than the server: set the flag for the PostgreSQL client image to a newer one
$(last_lines "$BACKUP_DIR/pg_dump.log")" ;;
  esac
  fail DumpFailed "pg_dump ended before the dump was complete
$(last_lines "$BACKUP_DIR/pg_dump.log")"
elif [ "$ends" -ne 0 ]; then
  case $(last_lines "$BACKUP_DIR/psql.log") in
    *" 42P01: "*) fail NotOdoo "Database $PGDATABASE has no Odoo in it
$(last_lines "$BACKUP_DIR/psql.log")" ;;
    *" 55P03: "*) fail DatabaseLocked "Something holds a lock on the attachments for more than 60 s
$(last_lines "$BACKUP_DIR/psql.log")" ;;
  esac
  [ "$ends" -ne 2 ] || fail DatabaseUnreachable "The connection to PostgreSQL failed, or was lost
$(last_lines "$BACKUP_DIR/psql.log")"
  fail DumpFailed "psql ended with code $ends
$(last_lines "$BACKUP_DIR/psql.log")"
fi
[ "$(cat "$BACKUP_DIR/word")" = read ] || fail UploaderGone "The container that sends the backup ended before it had read the files"
echo complete >&9
