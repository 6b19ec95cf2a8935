import asyncio

import pytest

from carrel.core.ids import TenantId, uuid7
from carrel.infra.db import Role
from carrel.tenants.errors import InvalidSlug, OrganizationNotFound, SlugTaken
from carrel.tenants.schemas import Quota
from carrel.tenants.service import DEFAULT_SLUG, Organizations, Usage

pytestmark = pytest.mark.anyio


def a_slug():
    return f"org-{uuid7().hex}"


async def given_no_default(database):
    """Other tests of this run may have made the default organisation; it is renamed, as an operator could do."""
    async with database.transaction(Role.OPERATOR) as db:
        await db.execute("UPDATE organizations SET slug = %(new)s WHERE slug = %(old)s", new=a_slug(), old=DEFAULT_SLUG)


async def ensured(database):
    async with database.transaction(Role.GATE) as db:
        return await Organizations(db).ensure_default()


class TestCreate:
    @pytest.mark.parametrize("role", [Role.GATE, Role.OPERATOR])
    async def test_makes_an_organization_that_uses_nothing_yet(self, database, role):
        slug = a_slug()

        async with database.transaction(role) as db:
            made = await Organizations(db).create("Acme Corp", slug, Quota(max_documents=3, max_storage_mb=None))

        async with database.transaction(Role.APP, made.id) as db:
            found, usage = await Organizations(db).by_id(made.id), await Usage(db, made.id).current()
        assert (found.name, found.slug, found.enabled) == ("Acme Corp", slug, True)
        assert found.created_at == made.created_at
        assert (usage.documents, usage.storage_bytes, usage.searches_today) == (0, 0, 0)
        assert (usage.max_documents, usage.max_storage_mb, usage.max_searches_per_day) == (3, None, 10_000)

    async def test_refuses_a_slug_that_is_taken_and_leaves_the_first_alone(self, database):
        slug = a_slug()
        async with database.transaction(Role.GATE) as db:
            first = await Organizations(db).create("First", slug)

        with pytest.raises(SlugTaken):
            async with database.transaction(Role.GATE) as db:
                await Organizations(db).create("Second", slug)

        async with database.transaction(Role.GATE) as db:
            assert (await Organizations(db).by_id(first.id)).name == "First"

    @pytest.mark.parametrize("slug", ["", "-a", "a-", "a--b", "Acme", "a b", "é", "a/b", "a\n", "x" * 64])
    async def test_refuses_a_slug_that_would_not_fit_into_an_address(self, database, slug):
        with pytest.raises(InvalidSlug):
            async with database.transaction(Role.GATE) as db:
                await Organizations(db).create("Acme", slug)

    async def test_leaves_nothing_when_its_transaction_is_undone(self, database):
        undone = database.unit(Role.GATE)
        made = await Organizations(undone).create("Acme", a_slug())
        await undone.abandon()

        async with database.transaction(Role.GATE) as db:
            with pytest.raises(OrganizationNotFound):
                await Organizations(db).by_id(made.id)


class TestEnsureDefault:
    async def test_gives_the_same_organization_every_time(self, database):
        first, second = await ensured(database), await ensured(database)

        assert first == second
        assert first.slug == DEFAULT_SLUG

    async def test_many_starts_at_once_make_one_organization_with_one_row_of_usage(self, database):
        await given_no_default(database)

        made = await asyncio.gather(*(ensured(database) for _ in range(8)))

        assert len({organization.id for organization in made}) == 1
        async with database.transaction(Role.APP, made[0].id) as db:
            assert (await Usage(db, made[0].id).current()).documents == 0

    async def test_a_start_that_fails_does_not_keep_the_next_from_making_it(self, database):
        await given_no_default(database)
        loser = database.unit(Role.GATE)
        await Organizations(loser).ensure_default()
        waiting = asyncio.create_task(ensured(database))

        await loser.abandon()

        made = await waiting
        assert await ensured(database) == made


class TestById:
    async def test_says_that_there_is_none(self, database):
        async with database.transaction(Role.GATE) as db:
            with pytest.raises(OrganizationNotFound) as refused:
                await Organizations(db).by_id(TenantId(uuid7()))

        assert refused.value.status == 404

    async def test_shows_no_other_organization_to_a_tenant(self, database, tenant, stranger):
        async with database.transaction(Role.APP, stranger) as db:
            with pytest.raises(OrganizationNotFound):
                await Organizations(db).by_id(tenant)
