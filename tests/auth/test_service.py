import hashlib
from datetime import timedelta

import pytest

from carrel.auth.errors import ExpiryInThePast, KeyNotFound, ScopeNotHeld
from carrel.auth.keys import FORM
from carrel.auth.repository_keys import KeyRows
from carrel.auth.service import Keys
from carrel.core.clock import now
from carrel.core.ids import KeyId, uuid7
from carrel.infra.db import Role
from carrel.infra.web import Paging
from tests.auth.givens import caller, given_key, revoke

pytestmark = pytest.mark.anyio


def paging(limit=50, after=None, offset=None):
    return Paging(limit, after, offset, _write=lambda key: str(key[0]), _link=lambda at: f"?offset={at}")


async def page(database, tenant, **which):
    async with database.transaction(Role.APP, tenant) as db:
        return await Keys(db, caller(tenant)).page(paging(**which))


class TestCreate:
    async def test_shows_the_key_once_and_stores_only_its_hash(self, database, tenant):
        key = await given_key(database, tenant)

        assert FORM.fullmatch(key.key)
        assert key.key.startswith(f"ck_{key.prefix}_")
        assert key.key not in repr(key)
        async with database.transaction(Role.APP, tenant) as db:
            row = await db.value("SELECT k::text FROM api_keys k WHERE tenant_id = %(tenant)s", tenant=tenant)
            stored = await db.value("SELECT hash FROM api_keys WHERE tenant_id = %(tenant)s", tenant=tenant)
        assert stored == hashlib.sha256(key.key.encode()).digest()
        assert key.key.split("_")[2] not in row

    async def test_orders_scopes_and_leaves_out_repetitions(self, database, tenant):
        key = await given_key(database, tenant, ["search", "read", "search"])

        assert key.scopes == ["read", "search"]

    async def test_passes_on_no_scope_that_the_creator_lacks(self, database, tenant):
        async with database.transaction(Role.APP, tenant) as db:
            keys = Keys(db, caller(tenant, {"read", "write"}))
            with pytest.raises(ScopeNotHeld) as refused:
                await keys.create("More", "", ["read", "search"])
            with pytest.raises(ScopeNotHeld):
                await keys.create("Most", "", ["admin"])
            made = await keys.create("Same", "", ["read"])

        assert refused.value.status == 403
        assert refused.value.facts == {"scope": "search"}
        assert [key.id for key in (await page(database, tenant)).data] == [made.id]

    async def test_refuses_a_key_that_has_expired_already(self, database, tenant):
        with pytest.raises(ExpiryInThePast):
            await given_key(database, tenant, expires_at=now() - timedelta(seconds=1))

        assert (await page(database, tenant)).data == []


class TestPage:
    async def test_shows_living_keys_newest_first(self, database, tenant):
        old, gone, new = [await given_key(database, tenant, name=name) for name in ("old", "gone", "new")]
        await revoke(database, tenant, gone.id)

        found = await page(database, tenant)

        assert {key.id for key in found.data} == {old.id, new.id}
        assert [key.id for key in found.data] == sorted([old.id, new.id], reverse=True)
        assert not found.has_more

    async def test_walks_through_all_of_them_each_once(self, database, tenant):
        made = [(await given_key(database, tenant)).id for _ in range(5)]
        seen, after = [], None
        while True:
            found = await page(database, tenant, limit=2, after=after)
            seen += [key.id for key in found.data]
            if not found.has_more:
                break
            after = [found.next_cursor]

        assert seen == sorted(made, reverse=True)

    async def test_counts_when_it_is_asked_by_offset(self, database, tenant):
        for _ in range(3):
            await given_key(database, tenant)

        found = await page(database, tenant, limit=2, offset=2)

        assert (len(found.data), found.total, found.has_more) == (1, 3, False)

    async def test_shows_nothing_of_another_organization(self, database, tenant, stranger):
        await given_key(database, tenant)

        assert (await page(database, stranger)).data == []
        async with database.transaction(Role.APP, stranger) as db:
            assert await KeyRows(db, tenant).page(after=None, offset=0, limit=9) == []
            assert await KeyRows(db, tenant).count() == 0


class TestRevoke:
    async def test_happens_once(self, database, tenant):
        key = await given_key(database, tenant)
        await revoke(database, tenant, key.id)

        with pytest.raises(KeyNotFound):
            await revoke(database, tenant, key.id)

    async def test_does_not_reach_into_another_organization(self, database, tenant, stranger):
        key = await given_key(database, tenant)

        with pytest.raises(KeyNotFound) as refused:
            await revoke(database, stranger, key.id)
        async with database.transaction(Role.APP, stranger) as db:
            assert not await KeyRows(db, tenant).revoke(key.id, now())

        assert refused.value.status == 404
        assert [found.id for found in (await page(database, tenant)).data] == [key.id]

    async def test_says_that_there_is_no_such_key(self, database, tenant):
        with pytest.raises(KeyNotFound):
            await revoke(database, tenant, KeyId(uuid7()))
