# Whether scheduled actions are being worked on. Stuck means all three: one is overdue by more than ten minutes, none was
# run within ten minutes, and no other connection of this role is active (a long action is not stuck).
#
# Image: the instance's (python3 with psycopg2, as Odoo itself needs it).
# Environment: PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE
# Result: exit code 0 if so, or if the container is younger than five minutes; another one if stuck, or if it cannot be
# found out within four seconds.
import os
import signal
import sys

signal.alarm(4)  # ends us, whatever we wait for: what the kubelet gives up after five seconds may live on

YOUNG_SECONDS = 300


def age_of_container():
    """Seconds since process 1 began, by the kernel's clock."""
    with open("/proc/uptime") as file:
        uptime = float(file.read().split()[0])
    with open("/proc/1/stat") as file:
        started = int(file.read().rpartition(")")[2].split()[19])  # field 22; the name before may hold anything
    return uptime - started / os.sysconf("SC_CLK_TCK")


def is_stuck():
    import psycopg2

    connection = psycopg2.connect(connect_timeout=3)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT
                (SELECT count(*) FROM ir_cron
                  WHERE active AND nextcall < now() AT TIME ZONE 'UTC' - interval '10 minutes'),
                (SELECT count(*) FROM ir_cron
                  WHERE active AND lastcall > now() AT TIME ZONE 'UTC' - interval '10 minutes'),
                (SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND usename = current_user
                    AND state = 'active' AND pid <> pg_backend_pid())
            """
        )
        overdue, recent, working = cursor.fetchone()
    connection.close()
    return overdue > 0 and recent == 0 and working == 0


try:
    if age_of_container() >= YOUNG_SECONDS and is_stuck():
        sys.exit("scheduled actions are overdue and none is running")
except Exception as error:
    sys.exit(f"check failed: {type(error).__name__}")
