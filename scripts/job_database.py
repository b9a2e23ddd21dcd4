"""What the checks of Jobs have in common; its text is run in front of theirs, in one program.

Questions to the database with the tenant's own login, whose database it is, and the termination message: one JSON object
of at most 4000 bytes. If it has to be cut, lists lose their ends ("more" counts the modules that did not fit) and a log
loses its beginning. Also whether this Odoo may work on this server: Odoo itself only warns.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time

import psycopg2

OWNER_KEY = "bemade.org/owner"
LONGEST_MESSAGE = 4000
LONGEST_LINE = 1000

# The oldest PostgreSQL of each Odoo, where its code does not say (it does from 18.3 on); as src/odoo/model/instance/version_profile.ts.
MIN_POSTGRES = {16: 12, 17: 12, 18: 12, 19: 13, 20: 16}

# In a process of its own: Odoo changes the one that it is imported into.
MIN_POSTGRES_OF_CODE = "from odoo import release; print(getattr(release, 'MIN_PG_VERSION', 0))"


class Refused(Exception):
    """The work cannot be called done; the text says why and what to do, the reason says it in one word."""

    def __init__(self, error, reason=None, log=""):
        super().__init__(error)
        self.reason = reason
        self.log = log


def check_versions(connection, version):
    """Refuses an Odoo that is older than all that are known here, and a server that is too old for the image's Odoo."""
    major = major_of(version)
    if major is None:
        return
    if major < min(MIN_POSTGRES):
        text = "The image has Odoo %s, and the operator runs %d to %d. Nothing was touched: set spec.image to one of these"
        raise Refused(text % (version, min(MIN_POSTGRES), max(MIN_POSTGRES)), "OdooVersionUnsupported")
    needed, present = min_postgres(major), connection.server_version // 10_000
    if present < needed:
        text = "Odoo %s needs PostgreSQL %d, and the server is PostgreSQL %d. Nothing was touched: upgrade the server, or "
        raise Refused((text + "set spec.image to an older Odoo") % (version, needed, present), "PostgresTooOld")


def newer_than_known(version):
    """A field for the result of a Job that went well with an Odoo that was not tested with this operator; empty for all others."""
    if (major_of(version) or 0) <= max(MIN_POSTGRES):
        return {}
    return {"warning": "Odoo %s is newer than %d, the newest that the operator knows" % (version, max(MIN_POSTGRES))}


def major_of(version):
    """17 of "17.0-20260101" and of "saas~17.4+e-20260101"; None if there is none."""
    found = re.match(r"(?:saas[~-])?(\d+)", version)
    return int(found[1]) if found else None


def min_postgres(major):
    """What the code of the image says; what is known of its version if it says nothing, or cannot be asked."""
    found = subprocess.run([*interpreter(), "-c", MIN_POSTGRES_OF_CODE], capture_output=True, text=True, check=False)
    said = (found.stdout.split() or [""])[-1]
    if found.returncode == 0 and said.isdecimal() and int(said):
        return int(said)
    return MIN_POSTGRES[min(major, max(MIN_POSTGRES))]


def interpreter():
    """The Python that Odoo itself is run by: it may live in an environment of its own."""
    with open(shutil.which("odoo"), "rb") as file:
        line = file.readline(LONGEST_LINE).decode(errors="replace")
    return line[2:].split() if line.startswith("#!") and "python" in line else [sys.executable]


def read_mark(connection):
    """The comment with which the operator signs the database; a tenant can write it, too."""
    statement = "select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()"
    try:
        mark = json.loads(rows(connection, statement)[0][0] or "")
    except ValueError:
        return {}
    return mark if isinstance(mark, dict) else {}


def rows(connection, statement, values=None):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def execute(connection, statement, values=None):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def words(variable):
    return [word for word in os.environ[variable].split(",") if word]


def listed(names, most=20):
    more = " and %d more" % (len(names) - most) if len(names) > most else ""
    return ", ".join(names[:most]) + more


def leave(result):
    """Writes the result where the kubelet looks for it, and into the log; returns the exit code."""
    text = fitted(result)
    with open(os.environ.get("TERMINATION_LOG") or "/dev/termination-log", "w") as file:
        file.write(text)
    print(text, flush=True)
    return 0 if result["ok"] else 1


def fitted(result):
    """The result as JSON that fits, in ASCII, so that its length is the same in characters and bytes."""
    parts = {name: value[:] for name, value in result.items() if isinstance(value, (list, str))}
    more = 0
    while True:
        text = json.dumps({**result, **parts, **({"more": more} if more else {})})
        if len(text) <= LONGEST_MESSAGE:
            return text
        if len(parts.get("log", "")) > 1000:
            parts["log"] = parts["log"][len(parts["log"]) // 10 + 1 :]
        elif parts.get("modules"):
            parts["modules"].pop()
            more += 1
        elif parts.get("languages"):
            parts["languages"].pop()
        elif parts.get("log"):
            parts["log"] = parts["log"][len(parts["log"]) // 2 + 1 :]
        else:
            parts["error"] = parts["error"][: len(parts["error"]) // 2]
