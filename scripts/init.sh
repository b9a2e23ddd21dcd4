#!/bin/sh
# Installs the first modules into an empty database. The operator has created the database and its role.
#
# Image: the instance's (needs odoo).
# Environment: ODOO_MODULES  comma-separated technical names
#              ODOO_DEMO     true or false
#              PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE
#              TERMINATION_LOG  where the result goes; default: where the kubelet looks
# Result: exit code, and {"ok":true,"modules":[...]} as termination message; after a failure the kubelet takes the last
#         lines of the log instead (terminationMessagePolicy).
set -eu

: "${ODOO_MODULES:?}" "${ODOO_DEMO:?}" "${PGDATABASE:?}"

# Odoo up to 18 loads demo data unless told not to; from 19 on it is the other way round.
version=$(odoo --version)
major=$(printf '%s\n' "$version" | sed -n 's/[^0-9]*\([0-9][0-9]*\).*/\1/p')
case "${major:-0}:$ODOO_DEMO" in
  1[0-8]:false) set -- --without-demo=all ;;
  1[0-8]:true) set -- ;;
  *:true) set -- --with-demo ;;
  *) set -- ;;
esac

odoo -c /etc/odoo/odoo.conf -d "$PGDATABASE" -i "$ODOO_MODULES" --stop-after-init --no-http \
  --limit-memory-hard=0 --limit-time-real=0 --limit-time-cpu=0 "$@"

printf '{"ok":true,"modules":["%s"]}\n' "$(printf '%s' "$ODOO_MODULES" | sed 's/,/","/g')" >"${TERMINATION_LOG:-/dev/termination-log}"
