#!/bin/sh
# Puts the files of a copy in the place of an instance's, or puts them back. Every step is one rename, and which comes next is
# determined by which directories exist: killed at any point and run again it comes to the same end.
#
#     forward: live -> old, side -> live        back: live -> side, old -> live
#
# Image: any with a POSIX shell. No pod of the instance may run.
# Environment: SWAP_DIRECTION   forward or back
#              SWAP_LIVE        directory of the instance's files: the name of its database
#              SWAP_SIDE        directory of the copy's files
#              SWAP_OLD         what the former directory is called until it is removed
#              SWAP_FILESTORE   where these are; default /var/lib/odoo/filestore
#              TERMINATION_LOG  where the result goes; default /dev/termination-log
# Result: a JSON object as termination message: {"ok": true, "direction": "forward", "renamed": 2}
set -eu

: "${SWAP_DIRECTION:?}" "${SWAP_LIVE:?}" "${SWAP_SIDE:?}" "${SWAP_OLD:?}"
filestore=${SWAP_FILESTORE:-/var/lib/odoo/filestore}
log=${TERMINATION_LOG:-/dev/termination-log}
renamed=0

fail() {
  text=$(printf '%s' "$2" | tr -d '\000-\037\177' | sed 's/\\/\\\\/g; s/"/\\"/g')
  printf '{"ok": false, "reason": "%s", "error": "%s", "log": ""}\n' "$1" "$text" >"$log"
  printf '%s\n' "$2" >&2
  exit 1
}

# Odoo cannot have made such a name; a link would lead the renames astray.
check() {
  case $1 in
  */* | . | ..) fail NameRefused "The directory '$1' is none of a filestore" ;;
  esac
  if [ -L "./$1" ] || { [ -e "./$1" ] && [ ! -d "./$1" ]; }; then
    fail NameRefused "'$1' in the filestore is no directory: nothing was renamed"
  fi
}

is() {
  [ -d "./$1" ]
}

rename() {
  said=$(mv "./$1" "./$2" 2>&1) || fail RenameFailed "Cannot rename '$1' to '$2' in the filestore: $said"
  renamed=$((renamed + 1))
}

mkdir -p "$filestore"
cd "$filestore"
for name in "$SWAP_LIVE" "$SWAP_SIDE" "$SWAP_OLD"; do check "$name"; done

case $SWAP_DIRECTION in
forward)
  if is "$SWAP_SIDE" && ! is "$SWAP_OLD"; then
    sync # what is to be served must be on the disk before it is
    if is "$SWAP_LIVE"; then
      rename "$SWAP_LIVE" "$SWAP_OLD"
    else
      mkdir "./$SWAP_OLD" # an instance without files: the next step must know that this one is done
    fi
  fi
  if is "$SWAP_SIDE" && ! is "$SWAP_LIVE"; then
    rename "$SWAP_SIDE" "$SWAP_LIVE"
  fi
  if is "$SWAP_SIDE"; then
    fail SwapConflict "'$SWAP_LIVE', '$SWAP_SIDE' and '$SWAP_OLD' are all in the filestore: another process has recreated one of them; nothing was renamed"
  fi
  if ! is "$SWAP_LIVE" || ! is "$SWAP_OLD"; then
    fail SideFilesMissing "'$SWAP_SIDE' is not in the filestore: there is nothing to put in the place of '$SWAP_LIVE'"
  fi
  ;;
back)
  if is "$SWAP_OLD"; then
    if is "$SWAP_LIVE" && is "$SWAP_SIDE"; then
      fail SwapConflict "'$SWAP_LIVE', '$SWAP_SIDE' and '$SWAP_OLD' are all in the filestore: another process has recreated one of them; nothing was renamed"
    fi
    if is "$SWAP_LIVE"; then
      rename "$SWAP_LIVE" "$SWAP_SIDE"
    fi
    rename "$SWAP_OLD" "$SWAP_LIVE"
  fi
  ;;
*)
  fail SettingsMissing "SWAP_DIRECTION is neither forward nor back"
  ;;
esac
sync

printf '{"ok": true, "direction": "%s", "renamed": %d}\n' "$SWAP_DIRECTION" "$renamed" >"$log"
cat "$log"
