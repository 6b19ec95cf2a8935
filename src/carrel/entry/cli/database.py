"""The database of this installation, for commands that need it directly."""

from collections.abc import Iterator
from contextlib import contextmanager

from carrel.entry.supervisor import DATABASE_FOLDER, prepare_folder
from carrel.infra.postgres import EmbeddedPostgres, read_dsn
from carrel.infra.postgres.errors import FolderBusy
from carrel.infra.settings import Settings


def is_created(settings: Settings) -> bool:
    """Whether there is a database to look at: one that is given, or one in the data directory."""
    folder = settings.data_dir.expanduser() / DATABASE_FOLDER
    return settings.database.url is not None or (folder / "cluster").exists()


@contextmanager
def joined(settings: Settings) -> Iterator[str]:
    """The DSN of a running database: DATABASE_URL, else that of the running server, else one started for the block.

    Creates the embedded database where there is none. Only the main thread may come here.
    """
    if settings.database.url is not None:
        yield settings.database.url
        return
    folder = prepare_folder(settings.data_dir) / DATABASE_FOLDER
    own = EmbeddedPostgres(folder, account=settings.database.embedded_account)
    try:
        try:
            own.start()
            dsn = own.dsn()
        except FolderBusy:
            # Asking the lock is the only way to know: a file that names a server may have outlived it.
            dsn = read_dsn(folder)
        yield dsn
    finally:
        own.stop()
