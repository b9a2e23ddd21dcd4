"""What prepare_copy.sh does to a copy beside Odoo's own commands, with the tenant's own login; continues job_database.py.

check:   the server must be new enough for the image's Odoo.
quieten: mail servers are switched off before code of the modules runs.
run:     runs a command, passes on what it prints, and keeps the last of it for the case that it fails.
finish:  writes the settings that a copy must not share with its original, then looks: neutralized as asked for, nothing left
    half-way, no active mail server but the sink, no active scheduled action but the autovacuum, files where attachments
    say they are. A missing file is reported; that all are missing is a failure.

Result: the termination message, one JSON object of at most 4000 bytes:
    {"ok": true, "neutralized": true, "updated": false, "odoo": "19.0.1.3", "modules": 87, "attachments": 400,
     "missingFiles": 1, "missing": ["ab/ab…"], "seconds": 42}
    {"ok": false, "reason": "NeutralizeFailed", "error": "...", "log": "..."}, and exit code 1
"""
import collections
import datetime
import uuid

LOG_LINES = 40
NAMED_FILES = 5
NOWHERE = "invalid"
SINK_NAME = "Mail sink (odoo-operator)"
STORE_FNAME = re.compile(r"(checklist/)?[0-9a-f]{2,3}/[0-9a-f]{40}")


def quieten(connection):
    with connection:
        for table in ("ir_mail_server", "fetchmail_server"):
            if exists(connection, table):
                execute(connection, "update %s set active = false" % table)


def run(reason, *command):
    """Odoo writes its log to stderr; both go the same way, and the last lines are kept."""
    last = collections.deque(maxlen=LOG_LINES)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        last.append(line)
    code = process.wait()
    if code:
        text = "%s ended with code %d; the log says why" % (" ".join(command[:2]), code)
        raise Refused(text, reason, "".join(last))


def finish(connection, started):
    neutralize = os.environ["PREPARE_NEUTRALIZE"] == "true"
    with connection:
        if not exists(connection, "ir_module_module"):
            raise Refused("The copy holds no Odoo: it has no table ir_module_module", "NotOdoo")
        set_parameter(connection, "report.url", os.environ["PREPARE_REPORT_URL"])
        if neutralize:
            renew(connection)
            set_sink(connection)
            verify_neutralized(connection)
        verify_modules(connection)
        found = files(connection)
        installed = "select count(*) from ir_module_module where state = 'installed'"
        base = "select coalesce(latest_version, '') from ir_module_module where name = 'base'"
        found.update(modules=value(connection, installed), odoo=value(connection, base) or "")
    return {
        "ok": True,
        "neutralized": neutralize,
        "updated": os.environ["PREPARE_UPDATE"] == "true",
        **found,
        "seconds": int(time.time()) - int(started),
    }


def renew(connection):
    """Two databases of one identity would be one to everything that they talk to."""
    set_parameter(connection, "database.uuid", str(uuid.uuid1()))
    set_parameter(connection, "database.secret", str(uuid.uuid4()))
    now = datetime.datetime.now(datetime.timezone.utc)
    set_parameter(connection, "database.create_date", now.strftime("%Y-%m-%d %H:%M:%S"))
    set_parameter(connection, "web.base.url", os.environ["PREPARE_BASE_URL"])
    set_parameter(connection, "web.base.url.freeze", "True")


def set_sink(connection):
    """`odoo neutralize` adds a server that leads nowhere, each time it runs; one of them becomes the sink."""
    host = os.environ.get("PREPARE_MAIL_HOST")
    if not exists(connection, "ir_mail_server"):
        return
    servers = rows(connection, "select id from ir_mail_server where active and smtp_host = %s order by id", [NOWHERE])
    for (spare,) in servers[1:]:
        execute(connection, "delete from ir_mail_server where id = %s", [spare])
    if not host or not servers:
        return
    execute(
        connection,
        "update ir_mail_server set name = %s, smtp_host = %s, smtp_port = %s, smtp_encryption = %s where id = %s",
        [
            SINK_NAME,
            host,
            int(os.environ.get("PREPARE_MAIL_PORT") or 1025),
            os.environ.get("PREPARE_MAIL_ENCRYPTION") or "none",
            servers[0][0],
        ],
    )


def verify_neutralized(connection):
    mark = value(connection, "select value from ir_config_parameter where key = 'database.is_neutralized'")
    if str(mark).lower() not in ("true", "t", "1"):
        raise Refused("odoo neutralize ended well, but database.is_neutralized is not set", "NotNeutralized")
    sinks = [NOWHERE, os.environ.get("PREPARE_MAIL_HOST") or NOWHERE]
    problems = []
    if exists(connection, "ir_mail_server"):
        servers = "select smtp_host from ir_mail_server where active and coalesce(smtp_host, '') <> all(%s)"
        problems += ["mail server %s" % host for (host,) in rows(connection, servers, [sinks])]
    if exists(connection, "fetchmail_server"):
        servers = "select name from fetchmail_server where active"
        problems += ["incoming mail server %s" % name for (name,) in rows(connection, servers)]
    if exists(connection, "ir_cron"):
        crons = (
            "select id from ir_cron where active and id not in (select res_id from ir_model_data "
            "where model = 'ir.cron' and name = 'autovacuum_job')"
        )
        problems += ["scheduled action %d" % cron for (cron,) in rows(connection, crons)]
    if problems:
        raise Refused("Still active in the neutralized copy: %s" % listed(problems), "NotNeutralized")


def verify_modules(connection):
    half_way = "select name || ' (' || state || ')' from ir_module_module where state like 'to %' order by name"
    left = [text for (text,) in rows(connection, half_way)]
    if left:
        text = "Modules are left half-way, so that no scheduled action would run: %s" % listed(left)
        raise Refused(text, "ModulesLeftHalfWay")


def files(connection):
    """Attachments of the database against files of the directory; a name that is no sha1 is counted as missing."""
    folder = os.environ.get("PREPARE_FILES")
    names = "select distinct store_fname from ir_attachment where store_fname <> ''"
    count = missing = 0
    named = []
    with connection.cursor("store_fnames") as cursor: # on the server: there may be millions
        cursor.itersize = 10_000
        cursor.execute(names)
        for (name,) in cursor:
            count += 1
            if folder and not (STORE_FNAME.fullmatch(name) and os.path.isfile(os.path.join(folder, name))):
                missing += 1
                if len(named) < NAMED_FILES:
                    named.append(name[:80])
    expected = int(os.environ.get("PREPARE_FILES_EXPECTED") or 0)
    if expected and count and missing == count:
        text = "None of the %d files that attachments name is in the copy, though the backup had %d files" % (count, expected)
        raise Refused(text, "FilestoreMissing")
    return {"attachments": count, "missingFiles": missing, "missing": named}


def set_parameter(connection, key, text):
    now = "now() at time zone 'UTC'"
    execute(
        connection,
        "insert into ir_config_parameter (key, value, create_uid, write_uid, create_date, write_date) "
        "values (%%s, %%s, 1, 1, %s, %s) on conflict (key) do update set value = excluded.value, "
        "write_uid = excluded.write_uid, write_date = excluded.write_date" % (now, now),
        [key, text],
    )


def exists(connection, table):
    return value(connection, "select to_regclass(%s)", ["public." + table]) is not None


def value(connection, statement, values=None):
    found = rows(connection, statement, values)
    return found[0][0] if found else None


def masked(result):
    """The result without the password."""
    password = os.environ.get("PGPASSWORD")
    return {
        name: part.replace(password, "***") if password and isinstance(part, str) else part
        for name, part in result.items()
    }


def main(step, *arguments):
    try:
        if step == "run":
            run(*arguments)
            return 0
        connection = psycopg2.connect(dbname=os.environ["PGDATABASE"])
        try:
            result = {"check": check_versions, "quieten": quieten, "finish": finish}[step](connection, *arguments)
        finally:
            connection.close()
    except Refused as refusal:
        return leave(masked({"ok": False, "reason": refusal.reason, "error": str(refusal), "log": refusal.log}))
    except psycopg2.OperationalError as error:
        text = "PostgreSQL went away or refused the connection: when it is well again, make a new job"
        return leave(masked({"ok": False, "reason": "DatabaseUnreachable", "error": text, "log": str(error)}))
    return 0 if result is None else leave(masked(result))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
