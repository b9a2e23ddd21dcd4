"""What upgrade.sh does, from beginning to end; continues job_database.py.

Before: the server must be new enough for the image's Odoo, the database must be this instance's, and every module that is asked for must be there. Nothing is touched if not.
Then Odoo updates and installs. Modules to install that are installed already are left out: up to 18 Odoo would write the
data again that users may have changed.
After: nothing may be left half-way, what was asked for must be installed, and what is installed must be on disk; Odoo ends
    with 0 without any of these. If something is left half-way, however Odoo ended, it is put back to where it was: no cron
    of the database runs before that, and the next start of Odoo would go on with it.
No version needs flags of its own: whether a new module brings demo data follows from the database, from 16 to 20.

Result: the termination message:
    {"ok": true, "odoo": "18.0", "seconds": 42, "modules": [{name, from, to}]}: versions that changed; empty: not installed
    {"ok": false, "reason": "...", "error": "...", "log": "..."}, and exit code 1
Reasons: OdooVersionUnsupported PostgresTooOld UnknownModule ModuleMissingOnDisk ModuleNotInstalled LoadFailed Interrupted DatabaseUnreachable DatabaseNotReady
"""
import collections
import configparser
import functools
import signal
import threading

HALF_WAY = ("to install", "to remove", "to upgrade")
LAST_LINES = 60

# In a process of its own: Odoo changes the one that it is imported into.
ON_DISK = """
import json, os, sys
from odoo.tools import config
config.parse_config(["-c", sys.argv[1]])
import odoo.addons
from odoo.modules.module import initialize_sys_path
initialize_sys_path()
names = [name for path in odoo.addons.__path__ if os.path.isdir(path) for name in os.listdir(path)
    if any(os.path.isfile(os.path.join(path, name, file)) for file in ("__manifest__.py", "__openerp__.py"))]
print("\\n" + json.dumps(names))
"""


class Upgrade:
    """One update of one database: what was there, what was asked for, and how it went."""

    def __init__(self, version):
        self.version = version
        self.started = time.monotonic()
        self.config = os.environ.get("CONFIG_FILE") or "/etc/odoo/odoo.conf"
        asked = ["base" if name == "all" else name for name in words("UPGRADE_MODULES")]
        self.update = list(dict.fromkeys(asked))
        self.install = [name for name in dict.fromkeys(words("UPGRADE_INSTALL")) if name not in self.update]
        self.before = {}
        self.on_disk = None
        self.process = None
        self.stopped = False
        self.loading = ""
        self.lines = collections.deque(maxlen=LAST_LINES)

    def run(self):
        try:
            with opened(patience=0) as connection:
                self.prepare(connection)
            code = self.work()
        except psycopg2.Error as error:
            return failure("DatabaseUnreachable", "Nothing was touched: PostgreSQL says: %s" % str(error).strip())
        except Refused as refusal:
            return failure(refusal.reason, str(refusal))
        try:
            with opened(patience=float(os.environ.get("UPGRADE_PATIENCE") or 60)) as connection:
                after = self.put_back(connection)
        except psycopg2.Error as error:
            text = "How the update ended cannot be seen, and modules may be left half-way: PostgreSQL says: %s"
            return failure("DatabaseUnreachable", text % str(error).strip(), self.log())
        problem = self.interruption(code) or self.problem_of(after)
        if problem:
            return failure(*problem, self.log())
        seconds = int(time.monotonic() - self.started)
        done = {"ok": True, "odoo": self.version, "seconds": seconds, "modules": self.changes(after)}
        return {**done, **newer_than_known(self.version)}

    def prepare(self, connection):
        check_versions(connection, self.version)
        if read_mark(connection).get(OWNER_KEY) != os.environ["UPGRADE_OWNER"]:
            text = "Database %s is not marked as this instance's: nothing was touched"
            raise Refused(text % os.environ["PGDATABASE"], "DatabaseNotReady")
        if not rows(connection, "select 1 where to_regclass('ir_module_module') is not null"):
            text = "Database %s holds no Odoo that could be updated: initialise or restore it first"
            raise Refused(text % os.environ["PGDATABASE"], "DatabaseNotReady")
        self.before = modules_of(connection)
        self.on_disk = modules_on_disk(self.config)
        asked = self.update + self.install
        unknown = [name for name in asked if name not in self.before and not self.has(name)]
        missing = [name for name in asked if name in self.before and not self.has(name)]
        # What is to be installed may bring what is to be updated.
        idle = [] if self.install else [name for name in self.update if self.before.get(name, [""])[0] == "uninstalled"]
        if unknown:
            raise Refused("%s. Nothing was touched" % unknown_words(unknown), "UnknownModule")
        if missing:
            raise Refused("%s. Nothing was touched" % missing_words(missing), "ModuleMissingOnDisk")
        if idle:
            text = "Only what is installed can be updated: %s. Nothing was touched: name them in spec.modulesInstall"
            raise Refused(text % listed(idle), "ModuleNotInstalled")

    def work(self):
        """Runs Odoo and keeps its last lines; returns its exit code."""
        install = [name for name in self.install if self.before.get(name, [""])[0] != "installed"]
        if not self.update and not install:
            return 0
        options = [part for flag, names in (("-u", self.update), ("-i", install)) if names for part in (flag, ",".join(names))]
        limits = ["--limit-memory-hard=0", "--limit-time-real=0", "--limit-time-cpu=0"]
        signal.signal(signal.SIGTERM, self.stop)
        self.process = subprocess.Popen(
            ["odoo", "-c", self.config, "-d", os.environ["PGDATABASE"], *options, "--stop-after-init", "--no-http", *limits],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if self.stopped:
            self.process.terminate()
        reader = threading.Thread(target=self.read, daemon=True)
        reader.start()
        code = self.process.wait()
        reader.join(10)  # what Odoo has started may hold the other end for longer than Odoo lives
        return code

    def read(self):
        for line in self.process.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            text = line.decode(errors="replace").rstrip()
            self.lines.append(masked(text)[:LONGEST_LINE])
            self.loading = (re.findall(r"Loading module (\w+) \(", text) or [self.loading])[0]

    def stop(self, *_):
        if self.process is None:
            self.stopped = True
        elif self.process.poll() is None:
            self.stopped = True
            self.process.terminate()

    def put_back(self, connection):
        """Returns the modules as Odoo left them, and then leaves none of them half-way."""
        after = modules_of(connection)
        if any(state in HALF_WAY for state, _ in after.values()):
            statement = """
                update ir_module_module set state = case state when 'to install' then 'uninstalled' else 'installed' end
                where state = any(%s)"""
            execute(connection, statement, [list(HALF_WAY)])
            # With it the next start would update again (19).
            execute(connection, "delete from ir_config_parameter where key = 'base.partially_updated_database'")
        return after

    def interruption(self, code):
        """Why Odoo did not come to its end; None if it did."""
        where = " while it loaded %s" % self.loading if self.loading else ""
        if self.stopped:
            return "Interrupted", "The Job and its Odoo process were stopped%s: see its deadline, or its node" % where
        if code < 0:
            return "LoadFailed", "Odoo was ended by %s%s: see the memory limit of the Job" % (signal_name(-code), where)
        if code > 0:
            # The end of a traceback is not the end of the log: Odoo logs its shutdown after it.
            lines = list(self.lines)
            reasons = [n for n, line in enumerate(lines) if re.match(r"[A-Za-z_][\w.]*: \S", line)]
            # Of broken data the last one names the file only, and the one that caused it names the fault.
            between = lines[reasons[-2] : reasons[-1]] if len(reasons) > 1 else []
            has_cause = any("direct cause of the following exception" in line for line in between)
            causes = [lines[n][:500] for n in reversed(reasons[-2 if has_cause else -1 :])]
            why = ": %s" % ", because of ".join(causes) if causes else ""
            return "LoadFailed", "Odoo ended with code %d%s%s" % (code, where, why)
        return None

    def problem_of(self, after):
        """What keeps the update from being what was asked for, with the reason of the first; None if nothing does."""
        state_of = {name: state for name, (state, _) in after.items()}
        left = [name for name in sorted(after) if state_of[name] in HALF_WAY]
        unknown = [name for name in self.update + self.install if name not in after]
        missing = [name for name in sorted(after) if state_of[name] in ("installed", *HALF_WAY) and not self.has(name)]
        stuck = ["%s (%s)" % (name, state_of[name]) for name in left if name not in missing]
        absent = [
            "%s (%s)" % (name, state_of[name])
            for name in self.update + self.install
            if name in after and name not in left and state_of[name] != "installed"
        ]
        problems = [
            ("UnknownModule", unknown_words(unknown)) if unknown else None,
            ("ModuleMissingOnDisk", missing_words(missing)) if missing else None,
            ("LoadFailed", "Left half-way, and put back: %s (the log says why)" % listed(stuck)) if stuck else None,
            ("ModuleNotInstalled", "Not installed: %s" % listed(absent)) if absent else None,
        ]
        problems = [problem for problem in problems if problem]
        return (problems[0][0], "; ".join(text for _, text in problems)) if problems else None

    def changes(self, after):
        def version(states, name):
            state, latest = states.get(name, ("", ""))
            return latest if state == "installed" else ""

        names = sorted({*self.before, *after})
        changes = [(name, version(self.before, name), version(after, name)) for name in names]
        return [dict(zip(("name", "from", "to"), change)) for change in changes if change[1] != change[2]]

    def has(self, name):
        """Whether a module is on disk, as far as that can be known."""
        return self.on_disk is None or name in self.on_disk

    def log(self):
        return "\n".join(self.lines)


class opened:
    """A connection that waits so many seconds for a server that is away; one transaction."""

    def __init__(self, patience):
        self.patience = patience

    def __enter__(self):
        deadline = time.monotonic() + self.patience
        while True:
            try:
                self.connection = psycopg2.connect(dbname=os.environ["PGDATABASE"], connect_timeout=10)
                break
            except psycopg2.OperationalError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(1)
        execute(self.connection, "set lock_timeout = '15s'")
        return self.connection

    def __exit__(self, kind, *_):
        if kind is None:
            self.connection.commit()
        self.connection.close()


def modules_of(connection):
    """States and versions by name, without the modules that live in the database only (base_import_module, Studio)."""
    column = """select 1 from pg_attribute where attrelid = 'ir_module_module'::regclass and attname = 'imported'
        and not attisdropped"""
    where = "where imported is not true" if rows(connection, column) else ""
    statement = "select name, state, coalesce(latest_version, '') from ir_module_module %s" % where
    return {name: (state, latest) for name, state, latest in rows(connection, statement)}


def modules_on_disk(config):
    """What Odoo finds on its addons path; None if that cannot be read. Then only the modules' states are checked."""
    found = subprocess.run([*interpreter(), "-c", ON_DISK, config], capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return set(json.loads(found.stdout.splitlines()[-1]))
    print("What is on the addons path cannot be seen: %s" % found.stderr.strip()[-LONGEST_LINE:], flush=True)
    return None


def unknown_words(names):
    return "The image has no module %s: check the name, and that addons_path leads to it" % listed(names)


def missing_words(names):
    text = "The database has modules that the image lacks: %s. Check the image and addons_path, or uninstall them first"
    return text % listed(names)


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number


def masked(text):
    """The text without the passwords that this container knows, and without those in addresses."""
    for value in known_secrets():
        text = text.replace(value, "***")
    return re.sub(r"(://[^\s/:@]*):[^\s/@]+@", r"\1:***@", text)


@functools.lru_cache(maxsize=None)
def known_secrets():
    """What stands in the environment and in odoo.conf under the name of a secret; the longest first."""
    options = configparser.RawConfigParser(strict=False)
    options.read(os.environ.get("CONFIG_FILE") or "/etc/odoo/odoo.conf")
    named = [*os.environ.items(), *(item for section in options.sections() for item in options.items(section))]
    secret = re.compile(r"pass|secret|token|credential|(^|_)(api_?)?key", re.IGNORECASE)
    lines = {line for name, value in named if secret.search(name) for line in value.splitlines()}
    words_of_config = ("false", "none", "true")
    return sorted((line for line in lines if len(line) > 3 and line.lower() not in words_of_config), key=len, reverse=True)


def failure(reason, error, log=""):
    return {"ok": False, "reason": reason, "error": masked(error), **({"log": log} if log else {})}


if __name__ == "__main__":
    sys.exit(leave(Upgrade(sys.argv[1]).run()))
