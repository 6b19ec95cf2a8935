"""The pools: one to the primary, one for reads; and the one way to get a transaction."""

import os
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

from carrel.core.ids import TenantId
from carrel.infra.db import vectors
from carrel.infra.db.roles import Role
from carrel.infra.db.transaction import Pool, Transaction
from carrel.infra.settings import Database as DatabaseSettings

LIMITS = "-c idle_in_transaction_session_timeout=60000 -c timezone=UTC"


@dataclass(frozen=True, slots=True)
class Database:
    """Connections to one PostgreSQL. Open one per process, close it at the end."""

    primary: Pool
    reads: Pool

    @classmethod
    def at(cls, dsn: str, settings: DatabaseSettings, *, purpose: str) -> Self:
        """Pools for `dsn`, not yet opened. `purpose` is shown in the server's list of connections."""
        read_dsn = settings.read_url or dsn
        # Searches are planned with their tenant known, else PostgreSQL would not use a tenant's own index.
        return cls(
            primary=_pool(dsn, settings, purpose, "-c jit=off"),
            reads=_pool(read_dsn, settings, purpose, "-c jit=off -c plan_cache_mode=force_custom_plan"),
        )

    async def open(self) -> None:
        await self.primary.open()
        await self.reads.open()

    async def close(self) -> None:
        await self.primary.close()
        await self.reads.close()

    def unit(self, role: Role, tenant: TenantId | None = None) -> Transaction:
        """A transaction that is not yet open; whoever asks for it ends it."""
        return Transaction(self.primary, role, tenant)

    def snapshot(self, role: Role, tenant: TenantId | None = None) -> Transaction:
        """A read-only transaction whose statements all see the same moment; may be served by a replica."""
        return Transaction(self.reads, role, tenant, snapshot=True)

    async def ping(self) -> None:
        """Raises `DatabaseUnavailable` unless the primary answers."""
        async with self.transaction(Role.GATE) as db:
            await db.value("SELECT 1")

    async def ping_reads(self) -> None:
        """Raises `DatabaseUnavailable` unless whoever serves reads answers."""
        snapshot = self.snapshot(Role.GATE)
        try:
            await snapshot.value("SELECT 1")
        finally:
            await snapshot.abandon()

    async def shared_secret(self, name: str) -> bytes:
        """A random key that is the same on all instances; the first that asks makes it."""
        async with self.transaction(Role.GATE) as db:
            await db.execute(
                "INSERT INTO instance_secrets (name, value) VALUES (%(name)s, %(value)s) ON CONFLICT DO NOTHING",
                name=name,
                value=os.urandom(32),
            )
            found = await db.value("SELECT value FROM instance_secrets WHERE name = %(name)s", name=name)
        return bytes(found)

    @asynccontextmanager
    async def transaction(self, role: Role, tenant: TenantId | None = None) -> AsyncIterator[Transaction]:
        """A transaction that commits at the end of the block, or leaves nothing behind when the block raises."""
        work = self.unit(role, tenant)
        try:
            yield work
        except BaseException:
            await work.abandon()
            raise
        await work.finish()


def _pool(dsn: str, settings: DatabaseSettings, purpose: str, options: str) -> Pool:
    timeout = int(settings.statement_timeout.total_seconds() * 1000)
    conninfo = make_conninfo(
        dsn,
        application_name=f"carrel {purpose}",
        connect_timeout=max(2, int(settings.connect_timeout.total_seconds())),
        options=f"{options} {LIMITS} -c statement_timeout={timeout}",
        keepalives_idle=2,
        keepalives_interval=1,
        keepalives_count=2,
        tcp_user_timeout=3000,
    )
    return AsyncConnectionPool(
        conninfo,
        min_size=1,
        max_size=settings.pool_size,
        kwargs={"autocommit": True},
        timeout=5.0,
        open=False,
        check=_alive,
        configure=vectors.register,
        name=purpose,
    )


async def _alive(connection: psycopg.AsyncConnection[Any]) -> None:
    """Refuse a connection whose server went away.

    An idle connection has nothing to read. Only when the kernel says otherwise is a question asked, so that a
    healthy checkout costs a system call and not a round trip.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)
