"""The file that takes what the server says, kept from growing without end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LARGEST = 8 << 20
TAIL_LINES, TAIL_BYTES = 10, 8 << 10


class ServerLog:
    """One run of the server in the log; older runs stay before it, or in a second file beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin = 0

    @contextmanager
    def opened(self) -> Iterator[int]:
        """A descriptor that appends. A log that has grown large becomes the second file, replacing the last one."""
        if self._path.exists() and self._path.stat().st_size > LARGEST:
            self._path.replace(self._path.with_suffix(".log.1"))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            self._begin = os.fstat(descriptor).st_size
            yield descriptor
        finally:
            os.close(descriptor)

    def tail(self) -> list[str]:
        """The last lines of this run; none when somebody took the file away."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._begin, end - TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
