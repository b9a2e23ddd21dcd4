"""Trees of files on volumes that an attacker may write to; the text is run in front of copy_files.py, in one program.

No link is followed, in no part of a path: each step is taken from an open directory. No list of names is held.
"""
import ctypes
import hashlib
import json
import os
import stat

PART = ".copy_files.part"
NOT_OURS = ("lost+found", PART)  # at the top of a volume: the file system's, and what a killed copy has left
DEEPEST = 200
CHUNK = 1 << 20
SAME_TIME = 1_000_000  # ns; some file systems keep no more than that
LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
ENTER = LOOK | os.O_DIRECTORY


class Refused(Exception):
    """The copy is not what it should be; the text says why and what to do."""

    def __init__(self, reason, text):
        super().__init__(text)
        self.reason = reason


def names(directory, path):
    """As bytes, in no order; at the top without what is no part of the tree."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if path or entry.name not in NOT_OURS:
                yield os.fsencode(entry.name)


def status(name, directory):
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def is_same(one, other):
    """By what can be seen without reading."""
    if stat.S_IFMT(one.st_mode) != stat.S_IFMT(other.st_mode):
        return False
    return one.st_size == other.st_size and abs(one.st_mtime_ns - other.st_mtime_ns) < SAME_TIME


def chunks(descriptor, size):
    """No more than the file had: one that grows as fast as it is read would have no end."""
    while size > 0:
        chunk = os.read(descriptor, min(size, CHUNK))
        if not chunk:
            return
        yield chunk
        size -= len(chunk)


def pour(source, target, size):
    for chunk in chunks(source, size):
        chunk = memoryview(chunk)
        while chunk:
            chunk = chunk[os.write(target, chunk) :]


def with_file(name, directory, work, *values):
    descriptor = os.open(name, LOOK | os.O_NONBLOCK, dir_fd=directory)
    try:
        return work(descriptor, *values)
    finally:
        os.close(descriptor)


def digest(descriptor, size):
    total = hashlib.sha256()
    for chunk in chunks(descriptor, size):
        total.update(chunk)
    return total.digest()


def digest_on_disk(descriptor, size):
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)  # else it is read from memory, whatever the volume has
    return digest(descriptor, size)


def sync(descriptor):
    """Unlike sync(), syncfs() says when something could not be written."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def open_directory(path, make):
    """Step by step, so that no link on the way is followed; `make`: what to do with a part that is missing."""
    descriptor = os.open("/", os.O_PATH | os.O_DIRECTORY)
    parts = [part for part in os.path.normpath(path).split("/") if part]
    for place, part in enumerate(parts):
        flags = ENTER if place == len(parts) - 1 else os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY
        try:
            inner = make(part, flags, descriptor)
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def opened(part, flags, directory):
    return os.open(part, flags, dir_fd=directory)


def opened_or_made(part, flags, directory):
    try:
        return os.open(part, flags, dir_fd=directory)
    except FileNotFoundError:
        os.mkdir(part, 0o755, dir_fd=directory)
        return os.open(part, flags, dir_fd=directory)


def remove(directory, name):
    """A file, or a directory with all that is in it; links are not followed."""
    while True:
        try:
            os.unlink(name, dir_fd=directory)
            return
        except FileNotFoundError:
            return
        except (IsADirectoryError, PermissionError):
            found = status(name, directory)
            if found is None or not stat.S_ISDIR(found.st_mode):
                raise
        empty(directory, name)


def empty(directory, name):
    """Removes one directory that has no other in it, so that no depth is too deep."""
    chain = [os.dup(directory)]
    try:
        while True:
            inner = os.open(name, ENTER, dir_fd=chain[-1])
            chain.append(inner)
            if len(chain) > DEEPEST:
                raise Refused("TooDeep", "There are more than %d directories in one another: %s" % (DEEPEST, shown(name)))
            os.fchmod(inner, 0o700)
            deeper = None
            for entry in names(inner, b"."):
                found = status(entry, inner)
                if found is not None and stat.S_ISDIR(found.st_mode):
                    deeper = entry
                    break
                if found is not None:
                    os.unlink(entry, dir_fd=inner)
            if deeper is None:
                os.rmdir(name, dir_fd=chain[-2])
                return
            name = deeper
    finally:
        for descriptor in chain:
            os.close(descriptor)


def joined(path, name):
    return path + b"/" + name if path else name


def shown(path):
    text = path.decode("utf-8", "replace")
    return json.dumps(text if len(text) <= 120 else "…" + text[-119:], ensure_ascii=False)
