"""What the checks of Jobs have in common; its text is run in front of theirs, in one program.

Questions to the database with the tenant's own login, whose database it is, and the termination message: one JSON object
of at most 4000 bytes. If it has to be cut, lists lose their ends ("more" counts the modules that did not fit) and a log
loses its beginning.
"""
import json
import os
import sys
import time

import psycopg2

OWNER_KEY = "bemade.org/owner"
LONGEST_MESSAGE = 4000


class Refused(Exception):
    """The work cannot be called done; the text says why and what to do, the reason says it in one word."""

    def __init__(self, error, reason=None):
        super().__init__(error)
        self.reason = reason


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
