"""What it costs to let a search in: who asks, may they go on, and a unit of work that sees their organisation only."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil
from starlette.datastructures import Headers

from bench.server import Server
from carrel.auth.authenticator import Authenticator
from carrel.infra.db import Database, Role, Statement
from carrel.infra.limits import Limiter, class_of
from carrel.infra.settings import Limits
from carrel.infra.shared_cache import SharedCache
from carrel.infra.web import Caller

ROUNDS = 5000
BAR_US = 500.0
ENOUGH = 10**9
"""Calls a minute: what is measured is how long a limit takes to say yes."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The steps before a search, in this process, on the database of a running server."""

    authenticator: Authenticator
    limiter: Limiter
    database: Database
    headers: Headers
    caller: Caller

    @classmethod
    @asynccontextmanager
    async def of(cls, server: Server, database: Database) -> AsyncIterator["Admission"]:
        limiter = Limiter.of(Limits(per_minute=ENOUGH), SharedCache(None))
        assert limiter is not None
        authenticator, headers = Authenticator(database), Headers({"X-API-Key": server.key})
        try:
            yield cls(authenticator, limiter, database, headers, await authenticator.authenticate(headers))
        finally:
            await authenticator.close()

    async def key(self) -> None:
        """As in earnest: a key that was good is asked for again every two seconds."""
        await self.authenticator.authenticate(self.headers)

    async def limits(self) -> None:
        await self.limiter.charge(self.caller, class_of("search", is_file=False))

    async def unit(self) -> None:
        """A snapshot is opened for the tenant, with the least statement there is, and ended."""
        snapshot = self.database.snapshot(Role.APP, self.caller.tenant)
        try:
            await snapshot.batch([Statement("SELECT 1")])
            await snapshot.finish()
        finally:
            await snapshot.abandon()

    async def statement(self) -> None:
        """The same statement without organisation and transaction."""
        async with self.database.reads.connection() as connection, connection.pipeline():
            cursor = await connection.execute("SELECT 1")
            await cursor.fetchall()

    async def backend(self) -> psutil.Process:
        """The process of PostgreSQL behind our connection: one after the other, all steps use the same."""
        async with self.database.reads.connection() as connection:
            return psutil.Process(connection.info.backend_pid)


async def admission_us(server: Server, database: Database, rounds: int = ROUNDS) -> dict[str, float]:
    """CPU microseconds of each step and of all of them: of this process, and of PostgreSQL on its behalf.

    What a statement costs in any case does not belong to the unit of work. The quota of daily searches becomes a step
    of its own, as soon as there is one.
    """
    async with Admission.of(server, database) as steps:
        backend = await steps.backend()
        spent = {
            step.__name__: await _spent_us(backend, step, rounds)
            for step in (steps.key, steps.limits, steps.unit, steps.statement)
        }
    found = {"key": spent["key"], "limits": spent["limits"], "unit": spent["unit"] - spent["statement"]}
    return {name: round(us, 1) for name, us in (*found.items(), ("sum", sum(found.values())))}


async def _spent_us(backend: psutil.Process, step: Callable[[], Awaitable[None]], rounds: int) -> float:
    for _ in range(rounds // 10):
        await step()
    before = _cpu_seconds(backend)
    for _ in range(rounds):
        await step()
    return (_cpu_seconds(backend) - before) / rounds * 1_000_000


def _cpu_seconds(backend: psutil.Process) -> float:
    times = backend.cpu_times()
    return time.process_time() + float(times.user + times.system)
