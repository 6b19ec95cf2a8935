"""Make sure that nothing of an earlier server still works on the folder before a new one starts.

The truth is a lock that every process of a server inherits, not the pid file: ids repeat, above all in containers, and
the file may be stale, cut off or gone. Only the owner of a folder may call anything here.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from carrel.infra.postgres.errors import FolderBusy, StartTimeout
from carrel.infra.postgres.layout import Layout
from carrel.infra.postgres.lock import open_lock, try_lock

PROCESSES = Path("/proc")
ESCALATION = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
PATIENCE = 5.0
"""Seconds before the next signal, or less when the caller has less time. A clean shutdown seldom needs more, and one
that is cut short costs a recovery, no data."""


def take_over(layout: Layout, deadline: float) -> int:
    """Wait for the last process of an earlier server to end, and press it if it does not.

    Returns the locked descriptor that the next server has to inherit. What an earlier server had committed survives
    every signal used here.
    """
    descriptor = open_lock(layout.server_lock)
    try:
        if try_lock(descriptor):
            _refuse_foreign_server(layout)
            return descriptor
        for step, pressure in enumerate(ESCALATION):
            _press(layout, pressure)
            share = (deadline - time.monotonic()) / (len(ESCALATION) - step)
            if _wait(descriptor, time.monotonic() + min(share, PATIENCE)):
                return descriptor
        if _wait(descriptor, deadline):
            return descriptor
        raise _still_there(layout)
    except BaseException:
        os.close(descriptor)
        raise


def forget(layout: Layout) -> None:
    """Remove the pid file of a server that is known to be gone, so that a recycled id in it cannot block a start."""
    layout.pid_file.unlink(missing_ok=True)


def _wait(descriptor: int, end: float) -> bool:
    while not try_lock(descriptor):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _press(layout: Layout, pressure: signal.Signals) -> None:
    for pid, arguments in _orphans(layout):
        # SIGINT asks the postmaster for a fast shutdown, but means other things to its children.
        if pressure != signal.SIGINT or b"-D" in arguments:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, pressure)


def _orphans(layout: Layout) -> Iterator[tuple[int, list[bytes]]]:
    for entry in PROCESSES.glob("[0-9]*"):
        # A process may end while it is looked at, and another user's may be hidden.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            arguments = (entry / "cmdline").read_bytes()
            if _is_postgres(entry) and layout.mark.encode() in arguments:
                yield int(entry.name), arguments.split(b"\0")


def _is_postgres(process: Path) -> bool:
    return (process / "comm").read_bytes().strip() == b"postgres"


def _still_there(layout: Layout) -> StartTimeout:
    pids = ", ".join(str(pid) for pid, _ in _orphans(layout)) or "unknown"
    return StartTimeout(
        f"An earlier PostgreSQL on {layout.folder} has not ended (processes: {pids}).",
        hint="It may still be writing to a slow disk: wait, or end those processes, and start again.",
        log=[],
    )


def _refuse_foreign_server(layout: Layout) -> None:
    # A server started by hand (for a repair, say) does not hold our lock.
    if not layout.pid_file.exists():
        return
    first = layout.pid_file.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()
    process = PROCESSES / first
    # What may not be looked at is not a server that this user could have started.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        if first.isdecimal() and _is_postgres(process) and (process / "cwd").readlink() == layout.cluster:
            raise FolderBusy(
                f"A PostgreSQL that was started by other means (process {first}) uses {layout.cluster}.",
                hint=f"Stop it first: pg_ctl stop -D '{layout.cluster}'.",
                folder=str(layout.folder),
                pid=int(first),
            )
