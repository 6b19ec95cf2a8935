import asyncio
from random import Random

import pytest

from carrel.core.ids import TenantId, uuid7
from carrel.infra.db import Role
from carrel.tenants.errors import (
    DocumentQuotaExceeded,
    OrganizationNotFound,
    QuotaExceeded,
    StorageQuotaExceeded,
)
from carrel.tenants.quota import refusal
from carrel.tenants.repository import UsageRow
from carrel.tenants.schemas import MEBIBYTE
from carrel.tenants.service import Usage

pytestmark = pytest.mark.anyio


async def limit(database, tenant, *, documents=None, storage_mb=None):
    async with database.transaction(Role.OPERATOR) as db:
        await db.execute(
            "UPDATE organizations SET max_documents = %(documents)s, max_storage_mb = %(storage_mb)s WHERE id = %(id)s",
            documents=documents,
            storage_mb=storage_mb,
            id=tenant,
        )


async def take(database, tenant, size):
    async with database.transaction(Role.APP, tenant) as db:
        await Usage(db, tenant).take_document(size)


async def release(database, tenant, size):
    async with database.transaction(Role.APP, tenant) as db:
        await Usage(db, tenant).release_document(size)


async def used(database, tenant):
    async with database.transaction(Role.APP, tenant) as db:
        usage = await Usage(db, tenant).current()
    return usage.documents, usage.storage_bytes


async def refusals(attempts):
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    unexpected = [outcome for outcome in outcomes if not isinstance(outcome, QuotaExceeded | None)]
    assert unexpected == []
    return [outcome for outcome in outcomes if outcome is not None]


class TestTake:
    async def test_counts_documents_and_bytes(self, database, tenant):
        await take(database, tenant, 100)
        await take(database, tenant, 0)

        assert await used(database, tenant) == (2, 100)

    async def test_refuses_one_document_too_many_with_the_numbers(self, database, tenant):
        await limit(database, tenant, documents=1)
        await take(database, tenant, 5)

        with pytest.raises(DocumentQuotaExceeded) as refused:
            await take(database, tenant, 5)

        assert refused.value.facts["limit"] == 1
        assert refused.value.facts["used"] == 1
        assert await used(database, tenant) == (1, 5)

    async def test_fills_the_storage_to_its_last_byte_and_no_further(self, database, tenant):
        await limit(database, tenant, storage_mb=1)
        await take(database, tenant, MEBIBYTE)

        with pytest.raises(StorageQuotaExceeded) as refused:
            await take(database, tenant, 1)

        assert refused.value.facts == {"limit": MEBIBYTE, "used": MEBIBYTE, "size_bytes": 1}
        await take(database, tenant, 0)
        assert await used(database, tenant) == (2, MEBIBYTE)

    async def test_has_no_limits_where_none_are_set(self, database, tenant):
        await limit(database, tenant)

        await take(database, tenant, 10**15)

        assert await used(database, tenant) == (1, 10**15)

    async def test_counts_nothing_when_the_transaction_is_undone(self, database, tenant):
        undone = database.unit(Role.APP, tenant)
        await Usage(undone, tenant).take_document(7)
        await undone.abandon()

        assert await used(database, tenant) == (0, 0)

    async def test_refuses_a_negative_size(self, database, tenant):
        with pytest.raises(ValueError, match="less than no bytes"):
            await take(database, tenant, -1)

    async def test_an_organization_without_usage_is_not_found(self, database):
        nobody = TenantId(uuid7())

        with pytest.raises(OrganizationNotFound):
            await take(database, nobody, 1)


class TestTogether:
    async def test_fifty_at_once_take_exactly_the_twenty_that_are_left(self, database, tenant):
        await limit(database, tenant, documents=20)

        refused = await refusals(take(database, tenant, 3) for _ in range(50))

        assert len(refused) == 30
        assert {type(problem) for problem in refused} == {DocumentQuotaExceeded}
        assert await used(database, tenant) == (20, 60)

    async def test_storage_is_as_exact_as_documents(self, database, tenant):
        await limit(database, tenant, storage_mb=1)

        refused = await refusals(take(database, tenant, MEBIBYTE // 8) for _ in range(30))

        assert len(refused) == 22
        assert await used(database, tenant) == (8, MEBIBYTE)

    async def test_takers_and_releasers_at_once_never_break_the_limit_and_lose_no_count(self, database, tenant):
        await limit(database, tenant, documents=10)
        for _ in range(10):
            await take(database, tenant, 1)

        both = [release(database, tenant, 1) for _ in range(10)] + [take(database, tenant, 1) for _ in range(20)]
        refused = await refusals(both)

        accepted = 20 - len(refused)
        assert 0 <= accepted <= 10
        assert await used(database, tenant) == (accepted, accepted)

    async def test_a_rival_that_makes_room_while_we_wait_lets_us_in(self, database, tenant):
        await limit(database, tenant, documents=1)
        await take(database, tenant, 1)
        rival = database.unit(Role.APP, tenant)
        await Usage(rival, tenant).release_document(1)
        waiting = asyncio.create_task(take(database, tenant, 2))

        await rival.finish()
        await waiting

        assert await used(database, tenant) == (1, 2)


class TestRelease:
    async def test_gives_back_what_was_taken(self, database, tenant):
        await take(database, tenant, 100)

        await release(database, tenant, 100)

        assert await used(database, tenant) == (0, 0)

    async def test_stops_at_zero_so_that_every_document_can_be_deleted(self, database, tenant):
        await release(database, tenant, 100)

        assert await used(database, tenant) == (0, 0)


class TestIsolation:
    async def test_each_organization_counts_for_itself(self, database, tenant, stranger):
        await take(database, tenant, 100)

        assert await used(database, stranger) == (0, 0)

    async def test_a_transaction_of_one_tenant_neither_reads_nor_changes_another(self, database, tenant, stranger):
        async with database.transaction(Role.APP, stranger) as db:
            row = UsageRow(db, tenant)
            seen = await row.current(), await row.hold(), await row.take(1), await row.release(1)

        assert seen == (None, None, False, False)
        assert await used(database, tenant) == (0, 0)


async def test_today_begins_at_zero_searches_although_yesterday_had_some(database, tenant):
    async with database.transaction(Role.APP, tenant) as db:
        await db.execute(
            "UPDATE tenant_usage SET searches_today = 9, today = today - 1 WHERE tenant_id = %(tenant)s", tenant=tenant
        )

        assert (await Usage(db, tenant).current()).searches_today == 0


async def test_the_statement_and_the_pure_rule_agree(database, tenant):
    random = Random(20)
    for documents, megabytes in [(None, None), (3, None), (None, 2), (3, 2), (0, 5), (5, 0)]:
        await limit(database, tenant, documents=documents, storage_mb=megabytes)
        for _ in range(8):
            size = random.choice([0, 1, MEBIBYTE // 2, MEBIBYTE, 3 * MEBIBYTE])
            async with database.transaction(Role.APP, tenant) as db:
                row = UsageRow(db, tenant)
                usage = await row.hold()
                assert usage is not None

                assert await row.take(size) is (refusal(usage, size) is None)
