"""What init.sh asks of the database before and after Odoo works on it; continues job_database.py.

prepare: the server must be new enough for the image's Odoo, and the database empty. One that an initialisation of this instance began and never finished is emptied:
no user has worked in it, and continuing in it would install again what made the last attempt fail (Odoo keeps the
request in ir_module_module). Owner and progress stand in the COMMENT of the database. All else is refused.
verify: what was asked for must be installed, and nothing left half-way: Odoo ends with 0 without either. Then the
    settings and the password of the login admin are written, and the COMMENT says that the work is finished.

Result: the termination message:
    {"ok": true, "odoo": "18.0", "seconds": 42, "installed": 87, "languages": [...], "modules": [{name, state, version}]}
    {"ok": false, "error": "...", ...}, and exit code 1; "reason" only if it is OdooVersionUnsupported or PostgresTooOld
"""
import base64
import hashlib
import hmac

ROUNDS = 600_000


def prepare(connection, version):
    check_versions(connection, version)
    mark = read_mark(connection)
    if mark.get(OWNER_KEY) == os.environ["INIT_OWNER"] and mark.get("init") == "started":
        empty(connection)
    elif rows(connection, "select 1 from pg_class where relname = 'ir_module_module' and relkind in ('r', 'p', 'v')"):
        raise Refused(
            "Database %s holds an Odoo that no initialisation of this instance left unfinished: nothing was touched. "
            "Set spec.database.name to another name, or drop the database; if its data is to be served, set "
            "status.dbInitialized to true (kubectl edit --subresource=status)" % os.environ["PGDATABASE"]
        )
    with connection:
        write_mark(connection, "started")


def empty(connection):
    """Drops what the role owns, little by little: a transaction holds a lock for everything that it drops."""
    statement = """
        select format('drop %s if exists %I.%I cascade', case c.relkind when 'v' then 'view'
            when 'm' then 'materialized view' when 'S' then 'sequence' else 'table' end, n.nspname, c.relname)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm', 'S') and pg_get_userbyid(c.relowner) = current_user
            and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
        order by c.relkind in ('r', 'p') desc limit 100"""
    while True:
        with connection:
            drops = [drop for (drop,) in rows(connection, statement)]
            for drop in drops:
                execute(connection, drop)
        if not drops:
            return


def verify(connection, version, started):
    found = {"odoo": version, "seconds": int(time.time()) - int(started)}
    with connection:
        modules = asked_for(connection)
        languages = sorted(code for (code,) in rows(connection, "select code from res_lang where active"))
        found.update(modules=modules, languages=languages)
        problem = problem_of(connection, modules, languages)
        if problem:
            return {"ok": False, "error": problem, **found}
        count = "select count(*) from ir_module_module where state = 'installed'"
        found["installed"] = rows(connection, count)[0][0]
        set_parameter(connection, "report.url", os.environ["INIT_REPORT_URL"])
        set_parameter(connection, "web.base.url", os.environ["INIT_BASE_URL"])
        set_parameter(connection, "web.base.url.freeze", "True")
        replace_default_password(connection, os.environ["INIT_ADMIN_PASSWORD"])
        write_mark(connection, "finished")
    return {"ok": True, **found, **newer_than_known(version)}


def asked_for(connection):
    names = list(dict.fromkeys(words("INIT_MODULES")))
    statement = "select name, state, coalesce(latest_version, '') from ir_module_module where name = any(%s)"
    known = {name: (state, latest) for name, state, latest in rows(connection, statement, [names])}
    unknown = ("unknown", "")
    return [dict(zip(("name", "state", "version"), (name, *known.get(name, unknown)))) for name in names]


def problem_of(connection, modules, languages):
    """What keeps the installation from being what was asked for; None if nothing does."""
    unknown = [module["name"] for module in modules if module["state"] == "unknown"]
    absent = [module["name"] for module in modules if module["state"] not in ("unknown", "installed")]
    half_way = "select name || ' (' || state || ')' from ir_module_module where state like 'to %%' order by name"
    left = [text for (text,) in rows(connection, half_way, [])]
    missing = [code for code in words("INIT_LANGUAGES") if code not in languages]
    problems = [
        "the image has no module %s: check the name, and that addons_path leads to it" % listed(unknown) if unknown else "",
        "not installed: %s (the log of the Job says why)" % listed(absent) if absent else "",
        "left half-way: %s" % listed(left) if left else "",
        "languages not loaded: %s" % listed(missing) if missing else "",
    ]
    return "; ".join(filter(None, problems)) or None


def set_parameter(connection, key, value):
    now = "now() at time zone 'UTC'"
    execute(
        connection,
        "insert into ir_config_parameter (key, value, create_uid, write_uid, create_date, write_date) "
        "values (%%s, %%s, 1, 1, %s, %s) on conflict (key) do update set value = excluded.value, "
        "write_uid = excluded.write_uid, write_date = excluded.write_date" % (now, now),
        [key, value],
    )


def replace_default_password(connection, password):
    """A new Odoo lets in admin with the password admin. Any other password was set on purpose and stays."""
    for user, text in rows(connection, "select id, coalesce(password, '') from res_users where login = 'admin'"):
        if text == "admin" or (text and matches("admin", text)):
            execute(connection, "update res_users set password = %s where id = %s", [hashed(password), user])


def matches(password, text):
    parts = text.split("$")
    if len(parts) != 5 or parts[1] != "pbkdf2-sha512":
        raise Refused("The password of the login admin is kept in a form that is not known here: it may be admin")
    again = hashed(password, base64.b64decode(parts[3].replace(".", "+") + "==="), int(parts[2]))
    return hmac.compare_digest(again, text)


def hashed(password, salt=None, rounds=ROUNDS):
    """As Odoo keeps it, in every version: the form of passlib's pbkdf2_sha512."""
    salt = salt or os.urandom(16)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    texts = [base64.b64encode(part).decode().rstrip("=").replace("+", ".") for part in (salt, key)]
    return "$pbkdf2-sha512$%d$%s$%s" % (rounds, *texts)


def write_mark(connection, progress):
    """The comment with which the operator signs the database, and how far the initialisation came."""
    mark = json.dumps({OWNER_KEY: os.environ["INIT_OWNER"], "init": progress}, separators=(",", ":"))
    statement = "select format('comment on database %%I is %%L', current_database(), %s::text)"
    execute(connection, rows(connection, statement, [mark])[0][0])


def main(step, *arguments):
    connection = psycopg2.connect(dbname=os.environ["PGDATABASE"])
    try:
        result = {"prepare": prepare, "verify": verify}[step](connection, *arguments)
    except Refused as refusal:
        result = {"ok": False, "error": str(refusal), **({"reason": refusal.reason} if refusal.reason else {})}
    finally:
        connection.close()
    if result is None:
        return 0
    return leave(result)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
