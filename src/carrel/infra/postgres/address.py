"""How to reach the server of a folder: by a private socket, as superuser, with a generated password."""

import os
import secrets
import shutil
import stat
from pathlib import Path

from carrel.infra.postgres.errors import PasswordUnusable, SocketFolderTaken
from carrel.infra.postgres.layout import Layout
from carrel.infra.postgres.lock import read_owner
from carrel.infra.postgres.storage import storage_problems, sync_folder

DEFAULT_PORT = 5432
SUPERUSER = "postgres"


def read_dsn(folder: Path, database: str = "postgres") -> str:
    """The DSN of the server that runs on `folder`, for another process of the owner's user.

    The address stays the same over restarts of the server; whether it runs at the moment only a connection can tell.
    Refused with `PasswordUnusable` when no server has ever run on the folder or its files may not be read.
    """
    layout = Layout.of(folder)
    with storage_problems(layout.folder):
        owner = read_owner(layout)
    return dsn(layout, owner.port if owner else DEFAULT_PORT, database)


def dsn(layout: Layout, port: int, database: str) -> str:
    return f"{address(layout, port, database)} password={_quoted(read_password(layout))}"


def address(layout: Layout, port: int, database: str) -> str:
    """The conninfo without its secret, fit for a command line."""
    host = _quoted(str(layout.sockets))
    return f"host={host} port={port} user={SUPERUSER} dbname={_quoted(database)}"


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def read_password(layout: Layout) -> str:
    password = _stored_password(layout)
    if password:
        return password
    raise PasswordUnusable(
        f"The folder {layout.folder} holds no password of a database.",
        hint=f"Restore {layout.password} from a backup; if there never was a database, start the server once.",
        folder=str(layout.folder),
    )


def _stored_password(layout: Layout) -> str:
    with storage_problems(layout.folder):
        return layout.password.read_text(encoding="ascii").strip() if layout.password.exists() else ""


def create_password(layout: Layout, owner: tuple[int, int]) -> None:
    """Leave a complete password file, even over a power cut, that `owner` can read.

    A password that is there already is kept: it may belong to a cluster that was only moved away.
    """
    password = _stored_password(layout) or secrets.token_urlsafe(32)
    draft = layout.password.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(password + "\n")
        file.flush()
        os.fsync(descriptor)
        give(descriptor, owner)
    draft.replace(layout.password)
    sync_folder(layout.folder)


def give(created: int | Path, owner: tuple[int, int]) -> None:
    """Hand something that we have just made to the account that the server runs as."""
    if owner[0] != os.geteuid():
        os.chown(created, *owner)


def create_socket_folder(layout: Layout, owner: tuple[int, int]) -> None:
    """Make the private socket folder anew, without what a killed server left in it."""
    try:
        remove_socket_folder(layout, owner)
        layout.sockets.mkdir(mode=0o700)
        give(layout.sockets, owner)
    except OSError as error:
        raise _taken(layout, error.strerror or str(error)) from error


def remove_socket_folder(layout: Layout, owner: tuple[int, int]) -> None:
    """Remove the folder if it is ours; a stranger's folder or link of that name is refused and left alone."""
    try:
        found = layout.sockets.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), owner[0]}:
        raise _taken(layout, f"it belongs to user {found.st_uid} or is no folder")
    shutil.rmtree(layout.sockets)


def _taken(layout: Layout, reason: str) -> SocketFolderTaken:
    return SocketFolderTaken(
        f"The socket folder {layout.sockets} cannot be used: {reason}.",
        hint=f"Remove {layout.sockets}, or make {layout.sockets.parent} writable, and start again.",
    )
