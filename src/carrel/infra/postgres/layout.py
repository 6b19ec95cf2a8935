"""Where everything of one database folder lies. Pure names: nothing is read or created here."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

# Not `tempfile.gettempdir()`: two processes with different TMPDIR must derive the same address.
SOCKETS = Path("/tmp")  # noqa: S108 (the folder inside is private, and its owner is checked)


@dataclass(frozen=True, slots=True)
class Layout:
    """The names inside one resolved folder. The same folder and user always give the same names."""

    folder: Path

    @classmethod
    def of(cls, folder: Path) -> "Layout":
        return cls(folder.expanduser().resolve())

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    @property
    def unfinished(self) -> Path:
        """A cluster while it is made; whatever lies here at a start was abandoned."""
        return self.folder / "cluster.new"

    @property
    def password(self) -> Path:
        return self.folder / "password"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def owner_lock(self) -> Path:
        """Held by the process that owns the folder."""
        return self.folder / "owner.lock"

    @property
    def server_lock(self) -> Path:
        """Held by every process of the server itself, so that it is free only when the last one is gone."""
        return self.folder / "server.lock"

    @property
    def pid_file(self) -> Path:
        return self.cluster / "postmaster.pid"

    @property
    def mark(self) -> str:
        """Appears in the command line of every process of this folder's server."""
        name = os.fsencode(self.folder) + b"\0" + str(os.geteuid()).encode()
        return "carrel-" + hashlib.sha256(name).hexdigest()[:16]

    @property
    def sockets(self) -> Path:
        """Short, because a socket's path may have 107 bytes at most and the folder may be longer."""
        return SOCKETS / self.mark
