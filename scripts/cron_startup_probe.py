# Whether Odoo's scheduled actions can be worked on: the database answers, and has the table of them.
#
# Image: the instance's (python3 with psycopg2, as Odoo itself needs it).
# Environment: PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE
# Result: exit code 0 if so, another one if not or if it cannot be found out within four seconds.
import signal
import sys

signal.alarm(4)  # ends us, whatever we wait for: what the kubelet gives up after five seconds may live on

try:
    import psycopg2

    connection = psycopg2.connect(connect_timeout=3)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM ir_cron LIMIT 1")
        cursor.fetchone()
    connection.close()
except Exception as error:
    sys.exit(f"not ready: {type(error).__name__}")
