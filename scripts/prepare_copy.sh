#!/bin/sh
# Makes a copy of a database fit to be served, before it takes the place of the old: updates its modules if they are of another
# version, neutralizes it, and looks whether all that is true. What looks at the database is prepare_copy_check.py, behind
# job_database.py: their texts are the arguments. The instance's own database and files are not touched.
#
# Image: the instance's: odoo, and the python3 with psycopg2 that Odoo itself needs. Neutralizing is code of the modules, and
#        Odoo silently leaves out modules that it does not find: hence no other image.
# Environment: PREPARE_NEUTRALIZE       true or false
#              PREPARE_UPDATE           true: all modules are updated first
#              PREPARE_REPORT_URL       where the pods reach the web pods
#              PREPARE_BASE_URL         where people reach the instance
#              PREPARE_MAIL_HOST        where a neutralized copy sends its mail; empty: nowhere
#              PREPARE_MAIL_PORT        default 1025
#              PREPARE_MAIL_ENCRYPTION  default none
#              PREPARE_FILES            directory that the files of the copy are in; empty: it has none to be compared with
#              PREPARE_FILES_EXPECTED   how many files the backup had; default 0
#              PGHOST PGPORT PGUSER PGPASSWORD
#              PGDATABASE               the side database
#              TERMINATION_LOG          where the result goes; default: where the kubelet looks
#              (Nothing is named ODOO_*: from 19 on Odoo takes such variables for its own options.)
# Result: exit code 0 only if the copy is what it should be, and a JSON object as termination message (see the check).
set -eu

: "${PREPARE_NEUTRALIZE:?}" "${PREPARE_UPDATE:?}" "${PREPARE_REPORT_URL:?}" "${PREPARE_BASE_URL:?}" "${PGDATABASE:?}"
check="${1:?the text of job_database.py}
${2:?the text of prepare_copy_check.py}"
started=$(date +%s)

# "Odoo Server 18.0-20260101", "Odoo Server saas~17.4+e-20260101"
version=$(odoo --version)
python3 -c "$check" check "${version##*Odoo Server }"

if [ "$PREPARE_NEUTRALIZE" = true ]; then
  python3 -c "$check" quieten # an update runs the modules' code, which could send mail
fi
if [ "$PREPARE_UPDATE" = true ]; then
  python3 -c "$check" run UpdateFailed odoo -c /etc/odoo/odoo.conf -d "$PGDATABASE" -u all --stop-after-init --no-http \
    --limit-memory-hard=0 --limit-time-real=0 --limit-time-cpu=0
fi
if [ "$PREPARE_NEUTRALIZE" = true ]; then
  python3 -c "$check" run NeutralizeFailed odoo neutralize -c /etc/odoo/odoo.conf -d "$PGDATABASE"
fi
python3 -c "$check" finish "$started"
