#!/bin/sh
# Loads a dump into the empty side database of a restore. `odoo-operator job restore` in the container beside it fetches the
# dump, checks it, says what is to be left out of it, and sends it through a FIFO; it is also the one that reports.
#
# Image: one with psql and pg_restore of the dump's major or a newer one.
# Arguments: the text of load_facts.sql
# Environment: RESTORE_SHARED        directory that both containers have
#              RESTORE_PEER_SECONDS  how long to wait for the other container; default 900
#              PGHOST PGPORT PGUSER PGPASSWORD
#              PGDATABASE            the side database: empty, owned by PGUSER
# Files in RESTORE_SHARED, all of them made here but order and use_list:
#              toc data   FIFOs: the head of a custom dump, the dump
#              alive      FIFO that ends when this script does, however that may be
#              server     JSON: what this server has and this role may; from now on the FIFOs are open
#              order      plain, custom or cancel; the other side has opened its FIFOs before it writes that
#              list       what pg_restore found in the head; use_list: the same without what is left out
#              result     JSON: what is in the database afterwards
#              load.log   what psql and pg_restore said;  load.exit: the exit code, written last
# Result: exit code 0 only if all of the dump is loaded. No termination message: the other container reads load.log.
#
# A FIFO that is opened for reading and writing does not wait for the other side, so nothing here can hang in opening one;
# the spare descriptor is closed when the other side has come, so that its end, good or bad, is the end of the stream.
# A custom dump is listed from its head alone, which is then sent once more: it is never stored.
set -eu
umask 077

: "${RESTORE_SHARED:?}" "${PGHOST:?}" "${PGUSER:?}" "${PGDATABASE:?}"
load_facts=${1:?the text of load_facts.sql}
peer_seconds=${RESTORE_PEER_SECONDS:-900}
export PGCONNECT_TIMEOUT=15 PGAPPNAME=restore
export PGOPTIONS='-c client_min_messages=warning'
cd "$RESTORE_SHARED"

child=
finish() {
  code=$?
  trap - EXIT
  [ -z "$child" ] || kill "$child" 2>/dev/null || true
  [ ! -e load.log ] || tail -n 40 load.log >&2
  echo "$code" >load.exit.part
  mv load.exit.part load.exit
  exit "$code"
}
trap finish EXIT
trap 'exit 143' TERM INT

say() {
  echo "$*" >>load.log
}

# A signal reaches the trap at once only while the shell waits: hence no program in the foreground.
run() {
  "$@" 9>&- 2>>load.log &
  child=$!
  status=0
  wait "$child" || status=$?
  child=
  [ "$status" -eq 0 ] || exit "$status"
}

# Whether all that pg_restore complains of is the setting that older servers lack.
only_newer_setting() {
  awk -v known='pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"' '
    /^pg_restore: error: / { if ($0 == known) seen = 1; else other = 1 }
    END { exit !(seen && !other) }' load.log
}

await() {
  left=$((peer_seconds * 5))
  until [ -e "$1" ]; do
    if [ -e cancel ]; then
      say "The other container gave up"
      exit 1
    fi
    if [ "$left" -le 0 ]; then
      say "The other container gave no $1 in $peer_seconds s"
      exit 1
    fi
    left=$((left - 1))
    sleep 0.2
  done
}

ask() {
  run psql -X -q -A -t --no-password -v ON_ERROR_STOP=1 -v VERBOSITY=terse -o "$1" -c "$2"
}

: >load.log
case $PGDATABASE in
*[!A-Za-z0-9_.-]* | -*)
  say "The name of the side database has characters that pg_restore would take for more than a name"
  exit 1
  ;;
esac

ask server.part "$load_facts"

mkfifo toc data alive
exec 3<>data 5<>toc 9<>alive
exec 4<data 6<toc
mv server.part server

await order
order=$(cat order)
case $order in
plain)
  exec 5>&- 6<&- 3>&-
  # psql as of August 2025 can be restricted from running commands of a dump (\\restrict); the other side refuses such dumps as well.
  token=$(tr -d - </proc/sys/kernel/random/uuid)
  if psql -X -q --no-password -c "\\restrict $token" -c "\\unrestrict $token" 9>&- </dev/null >/dev/null 2>&1; then
    set -- -c "\\restrict $token"
  else
    set --
  fi
  psql -X -q --no-password -o /dev/null -v ON_ERROR_STOP=1 -v VERBOSITY=terse "$@" -f - <&4 4<&- 9>&- 2>>load.log &
  ;;
custom)
  exec 5>&-
  pg_restore --list <&6 4<&- 6<&- 3>&- 9>&- >list.part 2>>load.log &
  child=$!
  exec 6<&-
  status=0
  wait "$child" || status=$?
  child=
  [ "$status" -eq 0 ] || exit "$status"
  mv list.part list
  await use_list
  exec 3>&-
  # From 17 on it begins with a setting that older servers lack: then it is not to end at its first error, but this must be
  # the only one. Plain dumps have it as well: there the other container leaves it out.
  ask server_version "show server_version_num"
  client=$(pg_restore --version)
  client=${client##*") "}
  strict=--exit-on-error
  if [ "${client%%[!0-9]*}" -ge 17 ] && [ "$(cat server_version)" -lt 170000 ]; then strict=''; fi
  pg_restore ${strict:+"$strict"} --no-password --no-owner --no-acl --no-tablespaces --no-security-labels \
    --use-list=use_list --dbname="$PGDATABASE" <&4 4<&- 9>&- 2>>load.log &
  ;;
*)
  say "The other container gave up"
  exit 1
  ;;
esac
child=$!
exec 4<&-
status=0
wait "$child" || status=$?
child=
if [ "$status" -eq 1 ] && [ "$order" = custom ] && only_newer_setting; then status=0; fi
if [ "$status" -ne 0 ] && [ -z "${strict-set}" ]; then # what is left is the cause
  sed '/transaction_timeout/d' load.log >load.rest
  mv load.rest load.log
fi
[ "$status" -eq 0 ] || exit "$status"

ask is_odoo "select coalesce(to_regclass('public.ir_module_module')::text, 'absent')"
if [ "$(cat is_odoo)" = absent ]; then
  say "The dump holds no Odoo: it has no table ir_module_module"
  exit 1
fi
PGOPTIONS='-c client_min_messages=error' # of the catalogue's tables it would say that only their owner can analyze them
ask /dev/null 'analyze'
ask result.part "
  select json_build_object(
    'tables', (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p') and n.nspname !~ '^(pg_|information_schema)'),
    'modules', (select count(*) from ir_module_module where state = 'installed'),
    'odooVersion', (select coalesce(latest_version, '') from ir_module_module where name = 'base'),
    'attachments', (select count(*) from ir_attachment where store_fname <> ''),
    'files', (select count(distinct store_fname) from ir_attachment where store_fname <> ''))"
mv result.part result
