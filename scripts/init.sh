#!/bin/sh
# Installs the first modules into the instance's database, and says whether they are there. The operator has created the
# database and its role. What looks at the database before and after is init_check.py, behind job_database.py: their texts
# are the arguments.
#
# Image: the instance's: odoo, and the python3 with psycopg2 that Odoo itself needs.
# Environment: INIT_MODULES         comma-separated technical names
#              INIT_LANGUAGES       comma-separated codes such as fr_CA; may be empty
#              INIT_DEMO            true or false
#              INIT_OWNER           uid of the OdooInstance
#              INIT_REPORT_URL      where the pods reach the web pods
#              INIT_BASE_URL        where people reach the instance
#              INIT_ADMIN_PASSWORD  for the login admin
#              PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE
#              TERMINATION_LOG      where the result goes; default: where the kubelet looks
#              (Nothing is named ODOO_*: from 19 on Odoo takes such variables for its own options.)
# Result: exit code 0 only if all is installed, and a JSON object as termination message (see init_check.py). If Odoo itself
#         fails there is no message: the kubelet takes the last lines of the log instead (terminationMessagePolicy).
set -eu

: "${INIT_MODULES:?}" "${INIT_DEMO:?}" "${INIT_OWNER:?}" "${INIT_REPORT_URL:?}" "${INIT_BASE_URL:?}"
: "${INIT_ADMIN_PASSWORD:?}" "${INIT_LANGUAGES?}" "${PGDATABASE:?}"
check="${1:?the text of job_database.py}
${2:?the text of init_check.py}"
started=$(date +%s)

# The modules' code has no business with it.
admin_password=$INIT_ADMIN_PASSWORD
unset INIT_ADMIN_PASSWORD

# "Odoo Server 18.0-20260101", "Odoo Server saas~17.4+e-20260101"
version=$(odoo --version)
version=${version##*Odoo Server }
major=${version#saas~}
major=${major%%[!0-9]*}
if [ -z "$major" ]; then
  echo "The image has no version of Odoo that can be read: odoo --version says $version" >&2
  exit 1
fi

# Odoo up to 18 loads demo data unless --without-demo is given; from 19 on it is the other way round.
if [ "$major" -le 18 ] && [ "$INIT_DEMO" != true ]; then
  set -- --without-demo=all
elif [ "$major" -ge 19 ] && [ "$INIT_DEMO" = true ]; then
  set -- --with-demo
else
  set --
fi
if [ -n "$INIT_LANGUAGES" ]; then
  set -- "$@" "--load-language=$INIT_LANGUAGES"
fi

python3 -c "$check" prepare "$version"

odoo -c /etc/odoo/odoo.conf -d "$PGDATABASE" -i "$INIT_MODULES" --stop-after-init --no-http \
  --limit-memory-hard=0 --limit-time-real=0 --limit-time-cpu=0 "$@"

INIT_ADMIN_PASSWORD=$admin_password python3 -c "$check" verify "$version" "$started"
