#!/bin/sh
# Updates modules in the instance's database and installs others, while the web pods serve and no cron pod runs. What does
# it, and looks at the database before and after, is upgrade_run.py, behind job_database.py: their texts are the arguments.
#
# Image: the instance's: odoo, and the python3 with psycopg2 that Odoo itself needs.
# Environment: UPGRADE_MODULES  comma-separated technical names to update, base for all; may be empty
#              UPGRADE_INSTALL  comma-separated technical names to install; may be empty
#              UPGRADE_OWNER    uid of the OdooInstance
#              UPGRADE_PATIENCE how many seconds a database that went away has for coming back; default: 60
#              PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE
#              TERMINATION_LOG  where the result goes; default: where the kubelet looks
#              CONFIG_FILE      default: where the pods have it
#              (Nothing is named ODOO_*: from 19 on Odoo takes such variables for its own options.)
# Result: exit code 0 only if all is updated and installed, and a JSON object as termination message (see upgrade_run.py).
set -eu

: "${UPGRADE_MODULES?}" "${UPGRADE_INSTALL?}" "${UPGRADE_OWNER:?}" "${PGDATABASE:?}"
program="${1:?the text of job_database.py}
${2:?the text of upgrade_run.py}"

# "Odoo Server 18.0-20260101", "Odoo Server saas~17.4+e-20260101"
version=$(odoo --version)

# In the place of the shell, so that the kubelet's SIGTERM reaches it.
exec python3 -c "$program" "${version##*Odoo Server }"
