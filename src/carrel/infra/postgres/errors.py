"""What can go wrong with the embedded server, each with the remedy in its hint."""

from carrel.core.errors import Problem


class PostgresProblem(Problem):
    """The embedded database cannot be used. Data that was already stored is untouched."""

    code, title, status = "postgres-unavailable", "The embedded database is unavailable", 503


class FolderBusy(PostgresProblem):
    code, title = "postgres-folder-busy", "Another process owns this database folder"


class FolderUnusable(PostgresProblem):
    code, title = "postgres-folder-unusable", "The database folder cannot be used"


class FolderDamaged(PostgresProblem):
    code, title = "postgres-folder-damaged", "The database folder holds something that is no database"


class WrongVersion(PostgresProblem):
    code, title = "postgres-version", "The database was made by another major version of PostgreSQL"


class NoOrdinaryUser(PostgresProblem):
    code, title = "postgres-root", "No ordinary user was found for PostgreSQL to run as"


class BinariesMissing(PostgresProblem):
    code, title = "postgres-binaries-missing", "The programs of PostgreSQL are not installed"


class DiskFull(PostgresProblem):
    code, title, status = "postgres-disk-full", "The disk of the database is full", 507


class PasswordUnusable(PostgresProblem):
    code, title = "postgres-password", "The password of the database is missing or wrong"


class SocketFolderTaken(PostgresProblem):
    code, title = "postgres-socket-folder", "The folder of the database socket cannot be used"


class StartFailed(PostgresProblem):
    """`facts["log"]` holds the last lines that the server wrote."""

    code, title = "postgres-start-failed", "PostgreSQL did not start"


class StartTimeout(StartFailed):
    code, title = "postgres-start-timeout", "PostgreSQL did not start in time"
