"""Copies the files of a directory to another volume, then compares the two.

Text in front: file_tree.py
Image: the instance's: any with python3 (3.9 or newer) on Linux.
Environment: SOURCE_DIR       directory to copy; it is only read
             TARGET_DIR       where its content goes; made if it is not there. What else is in it is removed, unless COPY_LIVE
             COPY_LIVE        true: pods write to the source meanwhile. New files are copied, deleted files are
                              counted, and stay in the target if they are there; files that keep changing are counted
             TERMINATION_LOG  where the result goes; default: where the kubelet looks
Result: exit code 0 only if both are the same, and a JSON object as termination message:
    {"ok": true, "files": 3000, "bytes": 88000000, "copied": 12, "removed": 0, "vanished": 0, "changed": 0, "skipped": 0,
     "seconds": 9}
    {"ok": false, "reason": "FilesDiffer", "error": "...", "log": ""}

A file is copied under another name and renamed, so that a name means a whole file: killed at any point and run again it comes to
the same end. A file whose size and time of change are the same is not copied again, but compared like all others: by
SHA-256, read back from the volume. One that differs is removed from the target, or the next run would take it for copied.

Modes and times are kept, owners are not: all is the user's who runs this. Links are copied as links. Only one directory of each
level is open, and no list of names is held, so that memory does not grow with the number of files (see file_tree.py).
"""
import concurrent.futures
import errno
import json
import os
import signal
import stat
import sys
import time

LONGEST_MESSAGE = 4000
NAMED = 10
ATTEMPTS = 5


class Pair:
    """A directory of the source and the same of the target, both open."""

    def __init__(self, path, source, target):
        self.path = path
        self.source = source
        self.target = target
        self.names = names(source, path)

    def close(self):
        self.names.close()
        os.close(self.source)
        os.close(self.target)


class Copy:
    def __init__(self, source, target, live):
        self.root = target
        self.source = source
        self.live = live
        self.at = b""  # what is in hand when something fails
        self.count = dict.fromkeys(("files", "bytes", "copied", "removed", "vanished", "changed", "skipped"), 0)
        self.differences = 0
        self.named = []
        self.reader = concurrent.futures.ThreadPoolExecutor(1)

    def copy_all(self):
        self.walk(self.bring)
        sync(self.root)

    def compare_all(self):
        copied = self.count["copied"]
        self.walk(self.compare)
        if self.count["copied"] > copied:
            sync(self.root)

    def walk(self, visit):
        """Goes through the source, and leaves each directory of the target as the source has it."""
        stack = [Pair(b"", os.dup(self.source), os.dup(self.root))]
        try:
            while stack:
                pair = stack[-1]
                name = next(pair.names, None)
                if name is None:
                    self.leave(pair, visit)
                    stack.pop().close()
                    continue
                self.at = joined(pair.path, name)
                found = self.look(pair, name)
                if found is None:
                    continue
                if not stat.S_ISDIR(found.st_mode):
                    if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
                        visit(pair, name, found)
                    elif visit == self.compare:
                        self.count["skipped"] += 1  # sockets, pipes, devices
                    continue
                child = self.enter(pair, name, visit)
                if child:
                    stack.append(child)
                if len(stack) > DEEPEST:
                    raise Refused("TooDeep", "There are more than %d directories in one another: %s" % (DEEPEST, shown(self.at)))
        finally:
            for pair in stack:
                pair.close()

    def look(self, pair, name):
        found = status(name, pair.source)
        if found is None:
            self.gone()
        return found

    def gone(self):
        if not self.live:
            text = "%s went away while it was to be copied: something still writes to the source"
            raise Refused("SourceChanged", text % shown(self.at))
        self.count["vanished"] += 1

    def enter(self, pair, name, visit):
        there = status(name, pair.target)
        if there is not None and not stat.S_ISDIR(there.st_mode):
            remove(pair.target, name)
            there = None
        if there is None and visit == self.compare and not self.live:
            self.differ("missing in the copy")
            return None
        if there is None:
            os.mkdir(name, 0o700, dir_fd=pair.target)
        try:
            source = os.open(name, ENTER, dir_fd=pair.source)
        except (FileNotFoundError, NotADirectoryError):
            self.gone()
            return None
        target = os.open(name, ENTER, dir_fd=pair.target)
        os.fchmod(target, stat.S_IMODE(os.fstat(target).st_mode) | 0o700)
        return Pair(self.at, source, target)

    def leave(self, pair, visit):
        """What the source has no more, then the directory's own mode and time: everything in it would change the time."""
        if not self.live:
            for name in names(pair.target, pair.path):
                if status(name, pair.source) is not None:
                    continue
                self.at = joined(pair.path, name)
                if visit == self.compare:
                    self.differ("not in the source")
                else:
                    remove(pair.target, name)
                    self.count["removed"] += 1
        if pair.path:
            found = os.fstat(pair.source)
            os.fchmod(pair.target, stat.S_IMODE(found.st_mode))
            os.utime(pair.target, ns=(found.st_atime_ns, found.st_mtime_ns))

    def bring(self, pair, name, found):
        """Copies a file or link unless it is there."""
        there = status(name, pair.target)
        if there is not None and is_same(found, there):
            if stat.S_ISREG(found.st_mode):
                if stat.S_IMODE(there.st_mode) != stat.S_IMODE(found.st_mode):
                    with_file(name, pair.target, lambda file: os.fchmod(file, stat.S_IMODE(found.st_mode)))
                return
            if os.readlink(name, dir_fd=pair.source) == os.readlink(name, dir_fd=pair.target):
                return
        remove(self.root, PART.encode())
        try:
            self.write(pair, name, found)
        except FileNotFoundError:
            if status(name, pair.source) is not None:
                raise
            self.gone()
            return
        if there is not None and stat.S_ISDIR(there.st_mode):
            remove(pair.target, name)
        os.rename(PART, name, src_dir_fd=self.root, dst_dir_fd=pair.target)
        self.count["copied"] += 1

    def write(self, pair, name, found):
        if stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(name, dir_fd=pair.source), PART, dir_fd=self.root)
            times = (found.st_atime_ns, found.st_mtime_ns)
            os.utime(PART, ns=times, dir_fd=self.root, follow_symlinks=False)
            return
        source = os.open(name, LOOK | os.O_NONBLOCK, dir_fd=pair.source)
        try:
            found = os.fstat(source)
            if not stat.S_ISREG(found.st_mode):
                raise Refused("SourceChanged", "%s became something else while it was to be copied" % shown(self.at))
            target = os.open(PART, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self.root)
            try:
                pour(source, target, found.st_size)
                os.fchmod(target, stat.S_IMODE(found.st_mode))
                os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))  # as it was before it was read
            finally:
                os.close(target)
        finally:
            os.close(source)

    def compare(self, pair, name, found):
        """In a source that lives, what has come or changed is copied first; who changes all the time is counted."""
        for _ in range(ATTEMPTS):
            if self.live:
                self.bring(pair, name, found)
            problem = self.difference(pair, name, found)
            if problem is None:
                self.count["files"] += 1
                self.count["bytes"] += found.st_size if stat.S_ISREG(found.st_mode) else 0
                return
            now = status(name, pair.source)
            if self.live and now is None:
                self.gone()
                return
            if not self.live or is_same(found, now):
                self.differ(problem)
                remove(pair.target, name)
                return
            found = now
        self.count["changed"] += 1

    def difference(self, pair, name, found):
        there = status(name, pair.target)
        if there is None:
            return "missing in the copy"
        if stat.S_IFMT(there.st_mode) != stat.S_IFMT(found.st_mode):
            return "of another kind in the copy"
        try:
            if stat.S_ISLNK(found.st_mode):
                same = os.readlink(name, dir_fd=pair.source) == os.readlink(name, dir_fd=pair.target)
                return None if same else "a link to elsewhere in the copy"
            if there.st_size != found.st_size:
                return "%d bytes, in the copy %d" % (found.st_size, there.st_size)
            if not self.read_both(pair, name, found.st_size):
                return "different in the copy, by SHA-256"
            now = status(name, pair.source)
            return None if now and is_same(found, now) else "changed while it was compared"
        except FileNotFoundError:
            return "gone"

    def read_both(self, pair, name, size):
        """Large files at the same time, for they are on two volumes."""
        if size <= CHUNK:
            return with_file(name, pair.source, digest, size) == with_file(name, pair.target, digest_on_disk, size)
        one = self.reader.submit(with_file, name, pair.source, digest, size)
        try:
            return with_file(name, pair.target, digest_on_disk, size) == one.result()
        finally:
            concurrent.futures.wait([one])

    def differ(self, problem):
        self.differences += 1
        if len(self.named) < NAMED:
            self.named.append("%s (%s)" % (shown(self.at), problem))


def run(source_path, target_path, live):
    started = time.monotonic()
    try:
        source = open_directory(source_path, opened)
    except (FileNotFoundError, NotADirectoryError):
        text = "There is no directory %s to copy: the instance has no files there, or another database name" % source_path
        raise Refused("SourceFilesMissing", text) from None
    target = open_directory(target_path, opened_or_made)
    one, other = (os.path.normpath(path) + "/" for path in (source_path, target_path))
    if os.path.samestat(os.fstat(source), os.fstat(target)) or one.startswith(other) or other.startswith(one):
        raise Refused("NameRefused", "Source and target of the copy are the same directory, or one is in the other")
    copy = Copy(source, target, live)
    try:
        copy.copy_all()
        copy.compare_all()
    except OSError as error:
        raise failure(error, copy) from error
    finally:
        remove(target, PART.encode())
        copy.reader.shutdown()
    if copy.differences:
        more = copy.differences - len(copy.named)
        text = (
            "%d files of the copy differ from the source: %s%s. "
            "Another run copies them again; if something still writes to the source, stop it first"
        )
        raise Refused("FilesDiffer", text % (copy.differences, ", ".join(copy.named), " and %d more" % more if more else ""))
    return {"ok": True, **copy.count, "seconds": round(time.monotonic() - started)}


def failure(error, copy):
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        text = "The volume of the copy is full after %d files: raise filestore.storageSize of its instance, then try again"
        return Refused("VolumeFull", text % copy.count["copied"])
    return Refused("CopyFailed", "Cannot copy %s: %s" % (shown(copy.at), os.strerror(error.errno or errno.EIO)))


def report(result):
    while True:
        text = json.dumps(result)
        if len(text) <= LONGEST_MESSAGE:
            break
        result["error"] = result["error"][: len(result["error"]) * 3 // 4]
    with open(os.environ.get("TERMINATION_LOG") or "/dev/termination-log", "w") as file:
        file.write(text)
    print(text, flush=True)
    return 0 if result["ok"] else 1


def stop(*_):
    raise Refused("Stopped", "The copy was stopped before it was complete; another run continues where it stopped")


def main():
    signal.signal(signal.SIGTERM, stop)  # the first process of a container would not hear it otherwise
    try:
        result = run(os.environ["SOURCE_DIR"], os.environ["TARGET_DIR"], os.environ.get("COPY_LIVE") == "true")
    except Refused as refusal:
        result = {"ok": False, "reason": refusal.reason, "error": str(refusal), "log": ""}
    except OSError as error:
        where = "Cannot open source or target of the copy: %s" % os.strerror(error.errno or errno.EIO)
        result = {"ok": False, "reason": "CopyFailed", "error": where, "log": ""}
    return report(result)


if __name__ == "__main__":
    sys.exit(main())
