# Whether Odoo's scheduled actions can be worked on: the database answers, and has a table of them with something in it.
#
# Image: the instance's (python3 with psycopg2, as Odoo itself needs it).
# Environment: PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE
# Result: exit code 0 if so, 1 if not or if it cannot be found out.
import sys

try:
    import psycopg2

    connection = psycopg2.connect(connect_timeout=3)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM ir_cron LIMIT 1")
        cursor.fetchone()
    connection.close()
except Exception as error:
    sys.exit(f"not ready: {type(error).__name__}")
