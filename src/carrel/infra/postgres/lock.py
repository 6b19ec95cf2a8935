"""Locks that the kernel gives back, however their holder ends."""

import fcntl
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from carrel.core.clock import now
from carrel.infra.postgres.errors import FolderBusy
from carrel.infra.postgres.layout import Layout

PATIENCE = 1.0
"""Seconds for a holder that has just locked the folder to write down who it is."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns, or was the last to own, a database folder."""

    pid: int
    started: str
    purpose: str
    port: int

    @classmethod
    def this_process(cls, port: int) -> "Owner":
        program = Path(sys.argv[0])
        name = program.parent.name if program.name == "__main__.py" else program.name
        words = [name or "python", *(word for word in sys.argv[1:2] if not word.startswith("-"))]
        return cls(os.getpid(), now().isoformat(timespec="seconds"), " ".join(words), port)

    @property
    def is_alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def read_owner(layout: Layout) -> Owner | None:
    """The last owner that wrote itself down, or `None` when the record is missing or unreadable."""
    try:
        record = layout.owner_lock.read_text(encoding="utf-8").partition("\n")[0]
        return Owner(**json.loads(record))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def open_lock(path: Path) -> int:
    # Never through a link: where root owns the folder it must not be led to a file of somebody else's choice.
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class OwnerLock:
    """At most one process owns a folder. A second one is told who the first is."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        return self._descriptor is not None

    def acquire(self, port: int) -> None:
        """Own the folder and write down who we are, or refuse with `FolderBusy`."""
        descriptor = open_lock(self._layout.owner_lock)
        try:
            self._insist(descriptor)
            # One write over the old record and only then the cut: a reader never sees an empty file.
            record = json.dumps(asdict(Owner.this_process(port))).encode() + b"\n"
            os.pwrite(descriptor, record, 0)
            os.ftruncate(descriptor, len(record))
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _insist(self, descriptor: int) -> None:
        end = time.monotonic() + PATIENCE
        while not try_lock(descriptor):
            owner = read_owner(self._layout)
            # A record of a dead process is not the holder's: that one has not written itself down yet.
            if (owner and owner.is_alive) or time.monotonic() > end:
                raise _busy(self._layout, owner)
            time.sleep(0.02)


def _busy(layout: Layout, owner: Owner | None) -> FolderBusy:
    who = f"process {owner.pid} ({owner.purpose}), started {owner.started}" if owner else "another process"
    return FolderBusy(
        f"The database folder {layout.folder} is in use by {who}.",
        hint="Stop that process first, or give this one a data folder of its own.",
        folder=str(layout.folder),
        **(asdict(owner) if owner else {}),
    )
