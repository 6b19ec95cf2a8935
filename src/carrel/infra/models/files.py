"""Files that are whole or absent, digests that are not computed twice, and a lock between processes."""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

Progress = Callable[[str], None]
"""Hears one line about what is being done, for a terminal or a log."""


def silent(line: str) -> None:
    """The progress of someone who does not want to know."""


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_sha256_of(path: Path, memory: Path) -> str:
    """The digest of a large file, computed again only when the file has changed.

    Weights of 90 MB took 0.08 to 0.23 s to digest, which every process would pay at every start. The time of the last
    inode change cannot be set back by a user, so a replaced file never passes for the old one.
    """
    path, stat = path.resolve(), path.stat()
    state = f"{path}|{stat.st_ino}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ctime_ns}"
    note = memory / f"{hashlib.sha256(state.encode()).hexdigest()[:32]}.digest"
    if note.exists() and re.fullmatch("[0-9a-f]{64}", known := note.read_text(encoding="ascii", errors="replace")):
        return known
    digest = sha256_of(path)
    write_whole(note, digest)
    return digest


def write_whole(path: Path, text: str) -> None:
    """Write a small file so that a reader sees all of it or none, even after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}-{uuid4().hex}")
    draft.write_text(text, encoding="ascii")
    publish(draft, path)


def publish(draft: Path, path: Path, *, aside: Path | None = None) -> None:
    """Give a finished file or folder its name; what it holds is on the disk before the name is.

    A file of that name is replaced at once. A folder cannot be, so it is first moved to `aside`.
    """
    for written in [draft, *draft.rglob("*")]:
        _flush(written)
    if aside is not None and path.exists():
        path.rename(aside)
    draft.rename(path)
    _flush(path.parent)


@contextlib.contextmanager
def scratch(parent: Path, name: str) -> Iterator[Path]:
    """A folder to prepare things in, removed at the end. The caller holds the lock that goes with `name`.

    So whatever lies there under this name was left by a process that was killed, and is removed first.
    """
    for left in parent.glob(f".{name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=f".{name}-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path, *, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold a lock between processes; it ends with the process at the latest. The file stays behind, empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
