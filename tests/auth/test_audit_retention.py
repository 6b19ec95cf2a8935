"""Old events are forgotten from the beginning, whole, and what is left can still be checked."""

import asyncio
from datetime import timedelta

import psycopg
import pytest

from carrel.auth import audit_retention
from carrel.auth.audit import SYSTEM, Event, record
from carrel.auth.audit_actions import Action
from carrel.auth.audit_reading import AuditCheck
from carrel.auth.audit_retention import Retention
from carrel.auth.repository_audit import ChainRows
from carrel.core.clock import now
from carrel.infra.db import Role

pytestmark = pytest.mark.anyio


@pytest.fixture
def write(database, tenant, monkeypatch):
    async def write(*ages: float) -> None:
        """Events that happened so many days ago."""
        for age in ages:
            moment = now() - timedelta(days=age)
            with monkeypatch.context() as patch:
                patch.setattr("carrel.auth.audit.now", lambda at=moment: at)
                async with database.transaction(Role.APP, tenant) as db:
                    await record(db, Event(tenant, Action.LOGOUT, SYSTEM))

    return write


async def left(database, tenant):
    async with database.transaction(Role.APP, tenant) as db:
        return [event.sequence for event in await ChainRows(db, tenant).following(0, limit=1000)]


async def verified(database, tenant):
    snapshot = database.snapshot(Role.APP, tenant)
    try:
        return await AuditCheck(snapshot, tenant).verify()
    finally:
        await snapshot.abandon()


async def test_what_is_older_goes_and_the_rest_is_checked_on(database, tenant, write):
    await write(400, 390, 380, 10, 0)

    forgotten = await Retention(database, 365).run()

    told = await verified(database, tenant)
    assert forgotten >= 3
    assert await left(database, tenant) == [4, 5]
    assert (told.ok, told.first_sequence, told.events, told.last_sequence) == (True, 4, 2, 5)


async def test_the_chain_goes_on_behind_what_was_forgotten(database, tenant, write):
    await write(400, 390)
    await Retention(database, 365).run()
    await write(0)

    told = await verified(database, tenant)

    assert (told.ok, told.first_sequence, told.last_sequence) == (True, 3, 3)


async def test_a_second_time_finds_nothing(database, tenant, write):
    await write(400, 0)
    await Retention(database, 365).run()

    assert await Retention(database, 365).run() == 0
    assert await left(database, tenant) == [2]


async def test_zero_days_keep_everything(database, tenant, write):
    await write(4000)

    assert await Retention(database, 0).run() == 0
    assert await left(database, tenant) == [1]


async def test_a_young_event_keeps_what_comes_after_it(database, tenant, write):
    """As where the clocks of two machines differ: the log is forgotten from its beginning only."""
    await write(400, 1, 390, 0)

    await Retention(database, 365).run()

    assert await left(database, tenant) == [2, 3, 4]


async def test_many_are_forgotten_a_part_at_a_time(database, tenant, write, monkeypatch):
    monkeypatch.setattr(audit_retention, "MOST", 2)
    await write(400, 400, 400, 400, 400, 0)

    await Retention(database, 365).run()

    assert await left(database, tenant) == [6]


async def test_several_at_once_forget_each_event_once(database, tenant, write):
    await write(*[400] * 6, 0)
    await Retention(database, 0).run()

    done = await asyncio.gather(*(Retention(database, 365).run() for _ in range(4)))

    assert sum(done) == 6
    assert await left(database, tenant) == [7]
    assert (await verified(database, tenant)).ok


async def test_a_run_that_is_stopped_half_way_leaves_a_log_that_is_whole(database, tenant, write):
    await write(400, 400, 0)
    with pytest.raises(RuntimeError):
        async with database.transaction(Role.GATE) as db:
            await ChainRows(db, tenant).forget(2)
            raise RuntimeError

    assert await left(database, tenant) == [1, 2, 3]
    assert (await verified(database, tenant)).ok


@pytest.mark.parametrize("change", ["UPDATE audit_events SET actor = 'nobody'", "DELETE FROM audit_events"])
async def test_a_broken_log_keeps_its_old_events(dsn, database, tenant, write, change):
    await write(400, 400, 400, 0)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"{change} WHERE tenant_id = %s AND sequence = 3", [tenant])

    await Retention(database, 365).run()

    told = await verified(database, tenant)
    assert (told.ok, told.broken_at, told.first_sequence) == (False, 3, 1)
    assert 1 in await left(database, tenant)
