"""Two organisations take turns at random on a single connection, and neither ever meets the other."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.core.ids import TenantId
from carrel.infra.db import Database, Role, Statement
from carrel.infra.settings import Database as DatabaseSettings
from tests.conftest import given_organisation

WHO = "SELECT current_user::text || ' ' || coalesce(current_setting('app.tenant', true), '')"
# None of these names a tenant: only the setting keeps rows apart here.
READ = "SELECT tenant_id FROM tenant_usage"
ADD = "UPDATE tenant_usage SET documents = documents + 1"


@dataclass
class Town:
    """One connection for work and one for snapshots, two organisations, and what each has committed."""

    database: Database
    tenants: Sequence[TenantId]
    committed: Counter[TenantId] = field(default_factory=Counter)


async def reads(town: Town, us: TenantId) -> None:
    async with town.database.transaction(Role.APP, us) as db:
        assert await db.value(WHO) == f"carrel_app {us}"
        assert await db.value(f"SELECT array_agg(tenant_id) FROM ({READ}) found") == [us]


async def writes(town: Town, us: TenantId) -> None:
    async with town.database.transaction(Role.APP, us) as db:
        assert await db.execute(ADD) == 1
    town.committed[us] += 1


async def takes_a_snapshot(town: Town, us: TenantId) -> None:
    snapshot = town.database.snapshot(Role.APP, us)
    try:
        assert await snapshot.batch([Statement(READ), Statement(WHO)]) == [[(us,)], [(f"carrel_app {us}",)]]
    finally:
        await snapshot.abandon()


async def sends_a_batch(town: Town, us: TenantId) -> None:
    async with town.database.transaction(Role.APP, us) as db:
        assert await db.batch([Statement(READ)]) == [[(us,)]]


async def gives_up(town: Town, us: TenantId) -> None:
    work = town.database.unit(Role.APP, us)
    assert await work.execute(ADD) == 1
    await work.abandon()


async def fails(town: Town, us: TenantId) -> None:
    with contextlib.suppress(psycopg.errors.DivisionByZero):
        async with town.database.transaction(Role.APP, us) as db:
            await db.execute(ADD)
            await db.value("SELECT 1 / 0")


async def is_cancelled(town: Town, us: TenantId) -> None:
    async def work() -> None:
        async with town.database.transaction(Role.APP, us) as db:
            await db.execute(ADD)
            begun.set()
            await db.value("SELECT pg_sleep(10)")

    begun = asyncio.Event()
    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def stands_at_the_gate(town: Town, us: TenantId) -> None:
    async with town.database.transaction(Role.GATE) as db:
        assert await db.value(WHO) == "carrel_gate "


async def has_no_tenant(town: Town, us: TenantId) -> None:
    with contextlib.suppress(psycopg.errors.UndefinedObject, psycopg.errors.InvalidTextRepresentation):
        async with town.database.transaction(Role.APP) as db:
            await db.value(READ)
        raise AssertionError("rows were read without a tenant")


DEEDS: Mapping[str, Callable[[Town, TenantId], Awaitable[None]]] = {
    deed.__name__: deed
    for deed in (
        reads,
        writes,
        takes_a_snapshot,
        sends_a_batch,
        gives_up,
        fails,
        is_cancelled,
        stands_at_the_gate,
        has_no_tenant,
    )
}
plans = st.lists(st.tuples(st.sampled_from(sorted(DEEDS)), st.integers(0, 1)), min_size=4, max_size=24)


@settings(max_examples=40, deadline=None)
@given(plan=plans, crowd=st.integers(1, 4))
def test_two_organisations_on_one_connection_never_meet(dsn: str, plan: list[tuple[str, int]], crowd: int):
    asyncio.run(_live(dsn, plan, crowd))


async def _live(dsn: str, plan: list[tuple[str, int]], crowd: int) -> None:
    async with _town(dsn) as town:
        # As many at once as there are in the crowd: all but one of them wait for the connection.
        for start in range(0, len(plan), crowd):
            turns = plan[start : start + crowd]
            await asyncio.gather(*(DEEDS[deed](town, town.tenants[who]) for deed, who in turns))
        for tenant in town.tenants:
            async with town.database.transaction(Role.APP, tenant) as db:
                assert await db.value("SELECT documents FROM tenant_usage") == town.committed[tenant]
        for pool in (town.database.primary, town.database.reads):
            async with pool.connection() as connection:
                row = await (await connection.execute(WHO)).fetchone()
                assert row is not None
                assert not row[0].startswith("carrel_")
                assert row[0].endswith(" ")


@asynccontextmanager
async def _town(dsn: str) -> AsyncIterator[Town]:
    database = Database.at(dsn, DatabaseSettings(connect_timeout=timedelta(seconds=60)), purpose="test")
    await database.open()
    try:
        for pool in (database.primary, database.reads):
            await pool.resize(1, 1)
            # A connection that was given up is made anew, which takes its time on a busy machine.
            pool.timeout = 60.0
        yield Town(database, [await given_organisation(database) for _ in range(2)])
    finally:
        await database.close()
