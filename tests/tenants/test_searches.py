"""Blocks of searches and the turn of days, in the real database."""

import asyncio
from datetime import UTC, timedelta

import pytest

from carrel.core.clock import now
from carrel.core.ids import TenantId, uuid7
from carrel.infra.db import Role
from carrel.tenants.errors import SearchQuotaExceeded
from carrel.tenants.repository_searches import SearchCounts
from carrel.tenants.schemas import Block
from carrel.tenants.service import Usage, UsageReports
from carrel.tenants.stock import SearchStock, block_size

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


async def limit(database, tenant, searches):
    async with database.transaction(Role.OPERATOR) as db:
        await db.execute(
            "UPDATE organizations SET max_searches_per_day = %(searches)s WHERE id = %(id)s",
            searches=searches,
            id=tenant,
        )


async def set_used(database, tenant, searches, *, days_ago=0, documents=0, storage=0):
    """As if the last change had been some days ago."""
    async with database.transaction(Role.APP, tenant) as db:
        await db.execute(
            "UPDATE tenant_usage SET searches_today = %(searches)s, documents = %(documents)s, "
            "storage_bytes = %(storage)s, today = (now() AT TIME ZONE 'UTC')::date - %(days)s::int "
            "WHERE tenant_id = %(tenant)s",
            searches=searches,
            documents=documents,
            storage=storage,
            days=days_ago,
            tenant=tenant,
        )


async def used(database, tenant):
    async with database.transaction(Role.APP, tenant) as db:
        return (await Usage(db, tenant).current()).searches_today


async def taken(database, tenant) -> Block:
    block = await SearchCounts(database, tenant).take()
    assert block is not None
    return block


async def days(database, tenant, first=None, last=None):
    async with database.transaction(Role.APP, tenant) as db:
        found = await UsageReports(db, tenant, lambda tenant: 0).days(first, last)
    return [(day.day, day.documents, day.storage_bytes, day.searches) for day in found.data]


async def closed(database, tenant):
    """The days that are written down, and not only shown."""
    async with database.transaction(Role.APP, tenant) as db:
        return await db.value("SELECT count(*) FROM tenant_usage_history WHERE tenant_id = %(tenant)s", tenant=tenant)


class TestABlock:
    @pytest.mark.parametrize("quota", [None, 0, 1, 3, 99, 100, 250, 10_000])
    async def test_has_the_size_that_the_rule_says(self, database, tenant, quota):
        await limit(database, tenant, quota)
        made = 0

        for _ in range(20):
            seen, block = await SearchCounts(database, tenant).peek(), await taken(database, tenant)
            assert seen is not None

            assert block.size == seen.size == block_size(quota, made)
            assert (block.quota, block.used) == (quota, made)
            made += block.size
        assert await used(database, tenant) == made

    async def test_says_when_the_day_is_over(self, database, tenant):
        block = await taken(database, tenant)

        assert block.day == now().date()
        assert block.resets_at.astimezone(UTC).date() == block.day + DAY
        assert 0 < block.seconds_left <= DAY.total_seconds()

    async def test_is_never_given_twice_however_many_ask_at_once(self, database, tenant):
        await limit(database, tenant, 500)

        blocks = await asyncio.gather(*(taken(database, tenant) for _ in range(200)))

        assert sum(block.size for block in blocks) == 500 == await used(database, tenant)

    async def test_of_an_organisation_that_is_gone_is_none(self, database):
        assert await SearchCounts(database, TenantId(uuid7())).take() is None

    async def test_after_a_limit_was_lowered_below_what_is_used_is_empty(self, database, tenant):
        await set_used(database, tenant, 50)
        await limit(database, tenant, 10)

        assert (await taken(database, tenant)).size == 0

    async def test_of_one_organisation_does_not_wait_for_another(self, database, tenant, stranger):
        busy = database.unit(Role.APP, stranger)
        await Usage(busy, stranger).take_document(1)

        async with asyncio.timeout(2):
            await SearchCounts(database, tenant).take()

        await busy.abandon()


async def test_several_processes_together_allow_exactly_the_quota(database, tenant):
    await limit(database, tenant, 300)
    stocks = [SearchStock(lambda one: SearchCounts(database, one), patience=30) for _ in range(4)]

    outcomes = await asyncio.gather(
        *(stocks[number % 4].charge(tenant) for number in range(1_000)), return_exceptions=True
    )

    assert sum(outcome is None for outcome in outcomes) == 300
    assert {type(outcome) for outcome in outcomes if outcome is not None} == {SearchQuotaExceeded}
    assert await used(database, tenant) == 300


class TestTheTurnOfADay:
    async def test_begins_the_count_anew_and_keeps_the_old_one(self, database, tenant):
        today = now().date()
        await set_used(database, tenant, 70, days_ago=1, documents=2, storage=30)

        block = await taken(database, tenant)

        assert block.used == 0
        assert await days(database, tenant) == [(today - DAY, 2, 30, 70), (today, 2, 30, block.size)]

    async def test_is_noticed_by_whatever_changes_first(self, database, tenant):
        today = now().date()
        await set_used(database, tenant, 70, days_ago=1, documents=2, storage=30)

        async with database.transaction(Role.APP, tenant) as db:
            await Usage(db, tenant).take_document(5)

        assert await days(database, tenant) == [(today - DAY, 2, 30, 70), (today, 3, 35, 0)]
        assert await closed(database, tenant) == 1

    async def test_fills_the_days_on_which_nothing_happened(self, database, tenant):
        today = now().date()
        await set_used(database, tenant, 70, days_ago=3, documents=2, storage=30)
        shown = await days(database, tenant)
        assert await closed(database, tenant) == 0

        await SearchCounts(database, tenant).adjust(today, 0)

        assert shown == await days(database, tenant)
        assert [searches for *_, searches in shown] == [70, 0, 0, 0]
        assert await closed(database, tenant) == 3

    async def test_is_made_once_although_many_notice_it(self, database, tenant):
        await set_used(database, tenant, 70, days_ago=1)

        await asyncio.gather(*(SearchCounts(database, tenant).take() for _ in range(20)))

        assert [searches for *_, searches in await days(database, tenant)] == [70, 2_000]
        assert await closed(database, tenant) == 1

    async def test_is_undone_with_its_transaction(self, database, tenant):
        await set_used(database, tenant, 70, days_ago=1)
        undone = database.unit(Role.APP, tenant)
        await Usage(undone, tenant).take_document(5)
        await undone.abandon()

        assert await closed(database, tenant) == 0

    async def test_lets_what_comes_back_later_reach_the_day_it_belongs_to(self, database, tenant):
        yesterday = now().date() - DAY
        await set_used(database, tenant, 70, days_ago=1)

        await SearchCounts(database, tenant).adjust(yesterday, -20)
        await SearchCounts(database, tenant).adjust(yesterday, 1)

        assert [searches for *_, searches in await days(database, tenant)] == [51, 0]


async def test_no_organisation_sees_the_days_of_another(database, tenant, stranger):
    await set_used(database, tenant, 70, days_ago=2)
    await SearchCounts(database, tenant).take()

    async with database.transaction(Role.APP, stranger) as db:
        seen = await db.value("SELECT count(*) FROM usage_by_day WHERE tenant_id = %(tenant)s", tenant=tenant)

    assert seen == 0
