"""Numbered SQL files, each applied once and in order, by one process at a time."""

import asyncio
import hashlib
import re
import time
from dataclasses import dataclass
from importlib import resources
from typing import Any

import psycopg

from carrel.infra.db.errors import DatabaseMisconfigured, DatabaseUnavailable, MigrationPending

LOCK = 0x6361_7272_656C  # "carrel"
NO_TRANSACTION = "-- carrel: no-transaction"
OLDEST_POSTGRES = 15
OLDEST_PGVECTOR = (0, 8)

LEDGER = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version integer PRIMARY KEY,
        name text NOT NULL,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def in_transaction(self) -> bool:
        return NO_TRANSACTION not in self.sql

    def script(self) -> str:
        """What an administrator can run by hand, with its line in the ledger."""
        record = (
            f"INSERT INTO schema_migrations (version, name, checksum) "
            f"VALUES ({self.version}, '{self.name}', '{self.checksum}');"
        )
        body = f"-- {self.version:04} {self.name}\n{self.sql.strip()}\n"
        if not self.in_transaction:
            return f"{body}{record}\n"
        return f"BEGIN;\n{body}RESET ROLE;\n{record}\nCOMMIT;\n"


def available() -> list[Migration]:
    """The migrations of this release, in order."""
    files = resources.files("carrel.infra.db").joinpath("migrations").iterdir()
    named = [(match, file) for file in files if (match := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name))]
    found = [Migration(int(match[1]), match[2], file.read_text("utf-8")) for match, file in named]
    return sorted(found, key=lambda migration: migration.version)


def script(migrations: list[Migration]) -> str:
    """Everything `migrations` would do, as SQL for an administrator."""
    return "\n".join([LEDGER.strip() + ";\n", *(migration.script() for migration in migrations)])


async def pending(dsn: str) -> list[Migration]:
    """The migrations that this database still lacks. Raises `MigrationPending` when an applied one was changed."""
    async with await _connect(dsn) as connection:
        return await _pending(connection)


async def migrate(dsn: str, *, patience: float = 60.0) -> list[Migration]:
    """Bring the schema to this release and return what was applied; two at once are safe, the second finds nothing.

    Each file is one transaction: a failure leaves the ones before it applied and nothing of itself.
    """
    async with await _connect(dsn) as connection:
        await _check_server(connection)
        await _lock(connection, patience)
        try:
            return await _catch_up(connection)
        except psycopg.errors.InsufficientPrivilege as error:
            raise DatabaseMisconfigured(
                f"The login may not change the schema: {_first_line(error)}.",
                hint="Use a login that owns the database and may create roles, or let an administrator run the output "
                "of `carrel migrate --sql`.",
            ) from error
        finally:
            await connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


async def _catch_up(connection: psycopg.AsyncConnection[Any]) -> list[Migration]:
    await _prepare_ledger(connection)
    todo = await _pending(connection)
    for migration in todo:
        await _apply(connection, migration)
    return todo


async def require_current(dsn: str) -> None:
    """Refuse to work on a schema that is older than this release."""
    if todo := await pending(dsn):
        names = ", ".join(f"{migration.version:04} {migration.name}" for migration in todo)
        raise MigrationPending(
            f"The database lacks: {names}.", hint="Run `carrel migrate` with the owner's DATABASE_URL."
        )


async def _connect(dsn: str) -> psycopg.AsyncConnection[Any]:
    try:
        return await psycopg.AsyncConnection.connect(
            dsn, autocommit=True, connect_timeout=5, application_name="carrel migrate"
        )
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(
            f"No connection to the database: {_first_line(error)}",
            hint="Check host, port, user, password and database name in DATABASE_URL, and that the server runs.",
        ) from error
    except psycopg.ProgrammingError as error:
        raise DatabaseMisconfigured(
            f"DATABASE_URL cannot be understood: {_first_line(error)}",
            hint="Write it as postgresql://user:password@host:5432/database.",
        ) from error


async def _check_server(connection: psycopg.AsyncConnection[Any]) -> None:
    if connection.info.server_version < OLDEST_POSTGRES * 10_000:
        raise DatabaseMisconfigured(
            f"PostgreSQL {connection.info.server_version // 10_000} is too old.",
            hint=f"Carrel needs PostgreSQL {OLDEST_POSTGRES} or newer.",
        )
    cursor = await connection.execute(
        "SELECT coalesce(installed_version, default_version) FROM pg_available_extensions WHERE name = 'vector'"
    )
    found = await cursor.fetchone()
    needed = ".".join(map(str, OLDEST_PGVECTOR))
    if found is None:
        raise DatabaseMisconfigured(
            "The extension pgvector is not installed on this PostgreSQL server.",
            hint=f"Install pgvector {needed} or newer on the server (Debian: postgresql-<major>-pgvector).",
        )
    if tuple(int(part) for part in re.findall(r"\d+", found[0])[:2]) < OLDEST_PGVECTOR:
        raise DatabaseMisconfigured(
            f"The extension pgvector {found[0]} is too old.",
            hint=f"Install pgvector {needed} or newer and run `ALTER EXTENSION vector UPDATE`.",
        )


async def _lock(connection: psycopg.AsyncConnection[Any], patience: float) -> None:
    # Polled, not awaited in the server: a waiting lock would block CREATE INDEX CONCURRENTLY of another session.
    end = time.monotonic() + patience
    while True:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        row = await cursor.fetchone()
        if row is not None and row[0]:
            return
        if time.monotonic() > end:
            raise DatabaseUnavailable(
                f"Another process has been migrating this database for over {patience:.0f} s.",
                hint="Wait for it to end, or find it in pg_locks and stop it.",
            )
        await asyncio.sleep(0.1)


async def _prepare_ledger(connection: psycopg.AsyncConnection[Any]) -> None:
    cursor = await connection.execute("SELECT to_regclass('schema_migrations') IS NULL")
    row = await cursor.fetchone()
    if row is not None and row[0]:
        await connection.execute(LEDGER)


async def _pending(connection: psycopg.AsyncConnection[Any]) -> list[Migration]:
    cursor = await connection.execute("SELECT to_regclass('schema_migrations') IS NOT NULL")
    row = await cursor.fetchone()
    applied: dict[int, str] = {}
    if row is not None and row[0]:
        cursor = await connection.execute("SELECT version, checksum FROM schema_migrations")
        applied = dict(await cursor.fetchall())
    known = available()
    for migration in known:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise MigrationPending(
                f"Migration {migration.version:04} {migration.name} was changed after it was applied.",
                hint="Restore the released file; a change of schema is a new migration.",
            )
    if newer := sorted(applied.keys() - {migration.version for migration in known}):
        # The previous release must run on the new schema, so this is not a fault unless it is far ahead.
        newest_known = max((migration.version for migration in known), default=0)
        unknown_old = [version for version in newer if version <= newest_known]
        if unknown_old:
            raise MigrationPending(
                f"The database has migration {unknown_old[0]:04}, which this release does not know.",
                hint="Run the release that made it, or a newer one.",
            )
    return [migration for migration in known if migration.version not in applied]


async def _apply(connection: psycopg.AsyncConnection[Any], migration: Migration) -> None:
    record = "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)"
    values = (migration.version, migration.name, migration.checksum)
    if not migration.in_transaction:
        await connection.execute(migration.sql.encode())
        await connection.execute(record, values)
        return
    async with connection.transaction():
        await connection.execute(migration.sql.encode())
        await connection.execute("RESET ROLE")
        await connection.execute(record, values)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
