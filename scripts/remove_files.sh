#!/bin/sh
# Removes a directory that a restore or refresh has left in the filestore: the former files, or those of a copy that failed. What
# does not match the pattern stays, whatever it is called, and so does the directory that the instance lives in.
#
# Image: any with a POSIX shell.
# Environment: REMOVE_NAME       the directory; with it goes a download of the same name and the end .download
#              REMOVE_PATTERN    shell pattern that REMOVE_NAME must match, such as shop.old-*
#              REMOVE_KEEP       directory of the instance's files: the name of its database
#              REMOVE_FILESTORE  where these are; default /var/lib/odoo/filestore
#              TERMINATION_LOG   where the result goes; default /dev/termination-log
# Result: a JSON object as termination message: {"ok": true, "removed": true}; false if it was not there
set -eu

: "${REMOVE_NAME:?}" "${REMOVE_PATTERN:?}" "${REMOVE_KEEP:?}"
filestore=${REMOVE_FILESTORE:-/var/lib/odoo/filestore}
log=${TERMINATION_LOG:-/dev/termination-log}

fail() {
  text=$(printf '%s' "$2" | tr -d '\000-\037\177' | sed 's/\\/\\\\/g; s/"/\\"/g')
  printf '{"ok": false, "reason": "%s", "error": "%s", "log": ""}\n' "$1" "$text" >"$log"
  printf '%s\n' "$2" >&2
  exit 1
}

case $REMOVE_NAME in
*/* | . | .. | "$REMOVE_KEEP") fail NameRefused "'$REMOVE_NAME' is not removed: it is the instance's own, or no directory of a filestore" ;;
esac
# shellcheck disable=SC2254 # it is a pattern
case $REMOVE_NAME in
$REMOVE_PATTERN) ;;
*) fail NameRefused "'$REMOVE_NAME' is not removed: it does not match '$REMOVE_PATTERN'" ;;
esac

removed=false
if [ -d "$filestore" ]; then
  cd "$filestore"
  for name in "./$REMOVE_NAME" "./$REMOVE_NAME.download"; do
    if [ -e "$name" ] || [ -L "$name" ]; then
      said=$(rm -rf -- "$name" 2>&1) || fail RemoveFailed "Cannot remove '$name' from the filestore: $said"
      removed=true
    fi
  done
fi
printf '{"ok": true, "removed": %s}\n' "$removed" >"$log"
cat "$log"
