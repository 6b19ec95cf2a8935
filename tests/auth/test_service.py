import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import timedelta
from uuid import uuid4

import pytest
from psycopg.errors import CheckViolation

from carrel.auth.authenticator import Authenticator
from carrel.auth.errors import (
    ExpiryInThePast,
    InvalidCredentials,
    KeyNotFound,
    KeyOfTheServer,
    KeyRotated,
    NarrowedAdministrator,
    ReachNotHeld,
    ScopeNotHeld,
)
from carrel.auth.keys import FORM
from carrel.auth.narrowing import Narrowing
from carrel.auth.repository_keys import KeyRows
from carrel.auth.service import Keys
from carrel.core.access import Access
from carrel.core.clock import now
from carrel.core.ids import KeyId, uuid7
from carrel.infra.db import Role
from carrel.infra.web import Paging
from tests.auth.givens import caller, change, given_key, revoke

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

    async def test_passes_on_no_document_that_the_creator_does_not_reach(self, database, tenant):
        group, one, other = uuid4(), uuid4(), uuid4()
        access = Access((frozenset({"a", "b"}),), frozenset({one}), readers=frozenset({f"group:{group}"}))
        inside = Narrowing(tags=["a"], collections=[one], groups=[group])
        outside = [
            Narrowing(),
            Narrowing(tags=["a", "c"], collections=[one]),
            Narrowing(tags=["a"]),
            Narrowing(tags=["a"], collections=[one, other]),
            Narrowing(tags=["a"], collections=[one], groups=[group, other]),
        ]

        async with keys_of(database, tenant, caller(tenant, {"read"}, access)) as keys:
            for narrowing in outside:
                with pytest.raises(ReachNotHeld) as refused:
                    await keys.create("More", "", ["read"], narrowing=narrowing)
            made = await keys.create("Same", "", ["read"], narrowing=inside)

        assert refused.value.status == 403
        assert (made.tags, made.collections, made.groups) == (["a"], [one], [group])
        assert [key.id for key in (await page(database, tenant)).data] == [made.id]

    @pytest.mark.parametrize("narrowing", [{"tags": ["a"]}, {"collections": [uuid4()]}, {"groups": [uuid4()]}])
    async def test_makes_no_administrator_with_limits(self, database, tenant, narrowing):
        with pytest.raises(NarrowedAdministrator):
            await given_key(database, tenant, ["read", "admin"], **narrowing)

        assert (await page(database, tenant)).data == []

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


@asynccontextmanager
async def keys_of(database, tenant, who=None):
    async with database.transaction(Role.APP, tenant) as db:
        yield Keys(db, who or caller(tenant))


async def rotated(database, tenant, key_id, overlap=timedelta(hours=1)):
    async with keys_of(database, tenant) as keys:
        return await keys.rotate(key_id, overlap)


async def changed(database, tenant, key_id, **changes):
    async with keys_of(database, tenant) as keys:
        return await keys.change(key_id, changes)


async def shown(database, tenant, key_id):
    async with keys_of(database, tenant) as keys:
        return await keys.get(key_id)


class TestRotate:
    async def test_makes_a_key_that_is_like_the_old_one(self, database, tenant):
        soon, ids = now() + timedelta(days=1), [uuid4()]
        old = await given_key(database, tenant, ["read"], soon, "Website", 7, tags=["a"], collections=ids, groups=ids)

        new = await rotated(database, tenant, old.id)

        assert FORM.fullmatch(new.key)
        assert (new.rotated_from, new.replaced_by) == (old.id, None)
        before, after = await shown(database, tenant, old.id), await shown(database, tenant, new.id)
        own = {"id", "prefix", "created_at", "last_used_at", "rotated_from", "replaced_by", "expires_at"}
        same = asdict(after).keys() - own
        assert {name: asdict(after)[name] for name in same} == {name: asdict(old)[name] for name in same}
        assert after.expires_at == soon
        assert before.replaced_by == new.id

    @pytest.mark.parametrize(
        ("end", "overlap", "expected"),
        [(None, 3600, 3600), (None, 0, 0), (7200, 3600, 3600), (1800, 3600, 1800)],
    )
    async def test_ends_the_old_key_after_the_overlap_and_never_later_than_it_would(
        self, database, tenant, end, overlap, expected
    ):
        begin = now()
        old = await given_key(database, tenant, expires_at=None if end is None else begin + timedelta(seconds=end))

        await rotated(database, tenant, old.id, timedelta(seconds=overlap))

        left = (await shown(database, tenant, old.id)).expires_at - begin
        assert timedelta(seconds=expected) <= left < timedelta(seconds=expected + 10)

    async def test_lets_both_work_until_then(self, database, tenant):
        old = await given_key(database, tenant)
        new = await rotated(database, tenant, old.id)
        last = await rotated(database, tenant, new.id, timedelta(0))
        authenticator = Authenticator(database)

        callers = [await authenticator.caller_with(key.key.encode()) for key in (old, last)]
        with pytest.raises(InvalidCredentials):
            await authenticator.caller_with(new.key.encode())

        await authenticator.close()
        assert [one.subject for one in callers] == [f"key:{old.id}", f"key:{last.id}"]

    async def test_happens_once(self, database, tenant):
        old = await given_key(database, tenant)
        new = await rotated(database, tenant, old.id)

        with pytest.raises(KeyRotated) as refused:
            await rotated(database, tenant, old.id)

        assert refused.value.status == 409
        assert refused.value.facts == {"replaced_by": str(new.id)}

    async def test_happens_once_however_many_ask_at_once(self, database, tenant):
        old = await given_key(database, tenant)

        answers = await asyncio.gather(*(rotated(database, tenant, old.id) for _ in range(8)), return_exceptions=True)

        refused = [answer for answer in answers if isinstance(answer, KeyRotated)]
        assert (len(answers), len(refused)) == (8, 7)
        assert len((await page(database, tenant)).data) == 2

    async def test_finds_no_key_that_does_not_work_any_more(self, database, tenant, stranger):
        revoked, expired, ours = [await given_key(database, tenant) for _ in range(3)]
        await revoke(database, tenant, revoked.id)
        await change(database, tenant, expired.id, "expires_at = %(at)s", at=now())

        for owner, key_id in [(tenant, revoked.id), (tenant, expired.id), (stranger, ours.id), (tenant, uuid7())]:
            with pytest.raises(KeyNotFound) as refused:
                await rotated(database, owner, key_id)
            assert refused.value.status == 404
        assert (await shown(database, tenant, ours.id)).replaced_by is None

    async def test_is_not_for_whoever_could_not_do_what_the_key_may(self, database, tenant):
        key = await given_key(database, tenant, ["read", "write"], tags=["a"])
        able = {"read", "write"}
        cases = [
            (caller(tenant, {"read"}), ScopeNotHeld),
            (caller(tenant, able, Access(tags=(frozenset({"b"}),))), ReachNotHeld),
            (caller(tenant, able, Access(collections=frozenset({uuid4()}))), ReachNotHeld),
        ]

        for who, refusal in cases:
            async with keys_of(database, tenant, who) as keys:
                with pytest.raises(refusal):
                    await keys.rotate(key.id, timedelta(0))
        async with keys_of(database, tenant, caller(tenant, able, Access(tags=(frozenset({"a", "b"}),)))) as keys:
            assert (await keys.rotate(key.id, timedelta(0))).tags == ["a"]

    @pytest.mark.parametrize(("origin", "remedy"), [("setting", "ADMIN_API_KEY"), ("generated", "admin.key")])
    async def test_is_not_for_the_keys_of_the_server(self, database, tenant, origin, remedy):
        key = await given_key(database, tenant, ["admin"])
        await change(database, tenant, key.id, "origin = %(origin)s", origin=origin)

        for attempt in (rotated(database, tenant, key.id), changed(database, tenant, key.id, name="Mine")):
            with pytest.raises(KeyOfTheServer) as refused:
                await attempt
            assert refused.value.status == 409
            assert remedy in str(refused.value.hint)


class TestChange:
    async def test_changes_what_is_named_and_leaves_the_rest(self, database, tenant):
        key = await given_key(database, tenant, tags=["a"], rate_limit=7)
        later, collection = now() + timedelta(days=1), uuid4()

        one = await changed(database, tenant, key.id, name="New", expires_at=later, collections=[collection])
        two = await changed(database, tenant, key.id, scopes=["search", "read"], tags=None, rate_limit=None)

        assert (one.name, one.expires_at, one.collections, one.tags) == ("New", later, [collection], ["a"])
        assert (two.name, two.scopes, two.tags, two.rate_limit) == ("New", ["read", "search"], None, None)
        assert await shown(database, tenant, key.id) == two

    async def test_gives_nobody_more_than_who_changes_it(self, database, tenant):
        key = await given_key(database, tenant, ["read"], tags=["a"])
        inside = Access(tags=(frozenset({"a"}),))
        cases = [
            (caller(tenant, {"read"}), {"scopes": ["read", "write"]}, ScopeNotHeld),
            (caller(tenant, {"write"}), {"name": "Mine"}, ScopeNotHeld),
            (caller(tenant, {"read"}, inside), {"tags": None}, ReachNotHeld),
            (caller(tenant, {"read"}, inside), {"tags": ["a", "b"]}, ReachNotHeld),
            (caller(tenant, {"read"}, Access(readers=frozenset())), {"groups": [uuid4()]}, ReachNotHeld),
        ]

        for who, changes, refusal in cases:
            async with keys_of(database, tenant, who) as keys:
                with pytest.raises(refusal):
                    await keys.change(key.id, changes)
        assert {**asdict(await shown(database, tenant, key.id)), "key": key.key} == asdict(key)

    async def test_makes_no_administrator_with_limits(self, database, tenant):
        narrowed = await given_key(database, tenant, ["read"], groups=[uuid4()])
        admin = await given_key(database, tenant, ["admin"])

        for key, changes in [(narrowed, {"scopes": ["admin"]}), (admin, {"tags": ["a"]})]:
            with pytest.raises(NarrowedAdministrator) as refused:
                await changed(database, tenant, key.id, **changes)
            assert refused.value.status == 422
        assert (await changed(database, tenant, narrowed.id, scopes=["admin"], groups=None)).scopes == ["admin"]

    async def test_is_for_keys_that_work(self, database, tenant, stranger):
        expired, replaced, ours = [await given_key(database, tenant) for _ in range(3)]
        await change(database, tenant, expired.id, "expires_at = %(at)s", at=now())
        await rotated(database, tenant, replaced.id)
        later = now() + timedelta(days=1)

        with pytest.raises(KeyNotFound):
            await changed(database, tenant, expired.id, expires_at=later)
        with pytest.raises(KeyRotated):
            await changed(database, tenant, replaced.id, expires_at=later)
        with pytest.raises(KeyNotFound):
            await changed(database, stranger, ours.id, name="Theirs")
        with pytest.raises(ExpiryInThePast):
            await changed(database, tenant, ours.id, expires_at=now() - timedelta(seconds=1))

    async def test_is_not_possible_past_the_rules_by_the_database_itself(self, database, tenant):
        admin = await given_key(database, tenant, ["admin"])

        for assignment in ("tags = '{a}'", "rate_limit = 0", "collections = '{}'"):
            with pytest.raises(CheckViolation):
                await change(database, tenant, admin.id, assignment)


class TestGet:
    async def test_shows_a_key_that_has_expired_but_none_that_is_revoked(self, database, tenant, stranger):
        expired, revoked = await given_key(database, tenant), await given_key(database, tenant)
        await change(database, tenant, expired.id, "expires_at = %(at)s", at=now())
        await revoke(database, tenant, revoked.id)

        assert (await shown(database, tenant, expired.id)).id == expired.id
        for owner, key_id in [(tenant, revoked.id), (stranger, expired.id)]:
            with pytest.raises(KeyNotFound):
                await shown(database, owner, key_id)
