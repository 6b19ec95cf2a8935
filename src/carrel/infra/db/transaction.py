"""The unit of work: one transaction, opened at its first statement, under one role and for one tenant."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import class_row, tuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from carrel.core.ids import TenantId
from carrel.infra.db.errors import DatabaseUnavailable, StatementTimeout, StorageFull, TenantGone
from carrel.infra.db.roles import Role

Row = TypeVar("Row")
Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with its parameters, to be sent together with others."""

    sql: str
    parameters: dict[str, Any] = field(default_factory=dict)


class Executor(Protocol):
    """What repositories need of a transaction."""

    async def one(self, row: type[Row], sql: str, **parameters: Any) -> Row: ...
    async def one_or_none(self, row: type[Row], sql: str, **parameters: Any) -> Row | None: ...
    async def all(self, row: type[Row], sql: str, **parameters: Any) -> list[Row]: ...
    async def value(self, sql: str, **parameters: Any) -> Any: ...
    async def execute(self, sql: str, **parameters: Any) -> int: ...


class Transaction:
    """One unit of work. Nothing is sent until the first statement; the edge that made it ends it.

    Failures of the database become Problems (`DatabaseUnavailable`, `StatementTimeout`, `StorageFull`, and `TenantGone`
    when what is written has no organisation any more); any other broken constraint stays what psycopg calls it, because
    only the caller knows what it means.
    """

    def __init__(self, pool: Pool, role: Role, tenant: TenantId | None = None, *, snapshot: bool = False) -> None:
        self._pool, self._role, self._tenant, self._snapshot = pool, role, tenant, snapshot
        self._connection: psycopg.AsyncConnection[Any] | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    async def one(self, row: type[Row], sql: str, **parameters: Any) -> Row:
        found = await self.one_or_none(row, sql, **parameters)
        if found is None:
            raise LookupError("The statement promised a row and gave none.")
        return found

    async def one_or_none(self, row: type[Row], sql: str, **parameters: Any) -> Row | None:
        async with self._cursor(class_row(row)) as cursor:
            await cursor.execute(sql, parameters)
            return await cursor.fetchone()

    async def all(self, row: type[Row], sql: str, **parameters: Any) -> list[Row]:
        async with self._cursor(class_row(row)) as cursor:
            await cursor.execute(sql, parameters)
            return await cursor.fetchall()

    async def value(self, sql: str, **parameters: Any) -> Any:
        """The first column of the first row, or None when there is no row."""
        async with self._cursor(tuple_row) as cursor:
            await cursor.execute(sql, parameters)
            found = await cursor.fetchone()
            return found[0] if found else None

    async def execute(self, sql: str, **parameters: Any) -> int:
        """Run a statement and return how many rows it touched."""
        async with self._cursor(tuple_row) as cursor:
            await cursor.execute(sql, parameters)
            return cursor.rowcount

    async def batch(self, statements: Sequence[Statement]) -> list[list[tuple[Any, ...]]]:
        """Send statements in one round trip, the opening of the transaction included, and return the rows of each."""
        opening: list[Statement] = []
        with _in_words():
            if self._connection is None:
                self._connection = await self._pool.getconn()
                opening = [Statement(part) for part in _opening(self._role, self._tenant, snapshot=self._snapshot)]
            cursors = []
            async with self._connection.pipeline():
                for statement in [*opening, *statements]:
                    cursor = self._connection.cursor(binary=True, row_factory=tuple_row)
                    await cursor.execute(statement.sql, statement.parameters)
                    cursors.append(cursor)
            return [await cursor.fetchall() if cursor.description else [] for cursor in cursors[len(opening) :]]

    async def finish(self) -> None:
        """Commit what was done, if anything was, and give the connection back. Only edges call this."""
        if (connection := self._connection) is None:
            return
        if connection.info.transaction_status == TransactionStatus.INERROR:
            await self.abandon()
            raise RuntimeError("A failed statement was ignored; the transaction cannot be committed.")
        try:
            with _in_words():
                await connection.execute("COMMIT")
        finally:
            await self._give_back()

    async def abandon(self) -> None:
        """Undo what was done and give the connection back. Only edges call this."""
        if (connection := self._connection) is None:
            return
        try:
            if not connection.closed and connection.info.transaction_status != TransactionStatus.IDLE:
                await connection.rollback()
        except psycopg.OperationalError:
            await connection.close()  # a lost connection has already rolled back
        finally:
            await self._give_back()

    async def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Shielded: a return that is cancelled half way would lose the connection, and whoever it was promised to.
            await asyncio.shield(asyncio.ensure_future(self._pool.putconn(connection)))

    async def _open(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None:
            with _in_words():
                self._connection = await self._pool.getconn()
                # One message for both: each round trip saved is a tenth of a millisecond on every request.
                opening = "; ".join(_opening(self._role, self._tenant, snapshot=self._snapshot))
                await self._connection.execute(opening.encode())
        return self._connection

    @asynccontextmanager
    async def _cursor(self, factory: Any) -> AsyncIterator[psycopg.AsyncCursor[Any]]:
        connection = await self._open()
        with _in_words():
            async with connection.cursor(row_factory=factory) as cursor:
                yield cursor


def _opening(role: Role, tenant: TenantId | None, *, snapshot: bool) -> tuple[str, str]:
    """BEGIN, then role and tenant. The only place that sets either; both end with the transaction."""
    mode = " ISOLATION LEVEL REPEATABLE READ READ ONLY" if snapshot else ""
    setting = f", set_config('app.tenant', '{tenant}', true)" if tenant is not None else ""
    return f"BEGIN{mode}", f"SELECT set_config('role', '{role.value}', true){setting}"


def _is_of_the_tenant(error: psycopg.Error) -> bool:
    """Whether it is the organisation that is missing; PostgreSQL names such constraints by their column."""
    return (error.diag.constraint_name or "").endswith("_tenant_id_fkey")


class _in_words:  # noqa: N801  (reads as a phrase: with _in_words())
    """Turn failures of the connection, of time and of space into Problems."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, psycopg.errors.DiskFull):
            raise StorageFull(
                "The database has no space left on its disk.",
                hint="Free some space and send the request again; nothing was stored.",
            ) from error
        if isinstance(error, psycopg.errors.ForeignKeyViolation) and _is_of_the_tenant(error):
            raise TenantGone(
                "The organization was erased while the request was under way.", hint="Nothing was stored."
            ) from error
        if isinstance(error, psycopg.errors.QueryCanceled):
            raise StatementTimeout(
                "A statement ran longer than DATABASE_STATEMENT_TIMEOUT allows.",
                hint="Try again; if it stays so, the database is overloaded or the limit too low.",
            ) from error
        if isinstance(error, (psycopg.OperationalError, PoolTimeout)) and not isinstance(
            error, (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
        ):
            raise DatabaseUnavailable(
                "The database does not answer.",
                hint="Try again in a few seconds. An operator finds the reason with `carrel doctor`.",
                retry_after=2,
            ) from error
