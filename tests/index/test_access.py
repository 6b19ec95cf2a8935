"""What a caller reaches of the index, and what that costs whom."""

from typing import Any
from uuid import uuid4

import pytest

from carrel.core.access import EVERYTHING, Access
from carrel.core.ids import uuid7
from carrel.index.repository import IndexReader, IndexWriter
from carrel.index.schemas import Filters
from carrel.index.service import Index, Lookup, numbers
from carrel.infra.db import Role
from tests.index.conftest import RECIPE, vector_of

pytestmark = pytest.mark.anyio

NOBODY, LAW, ART = (Access(readers=frozenset(one)) for one in ((), {"group:law"}, {"group:art"}))


class Listening:
    """A snapshot that remembers what it was asked."""

    def __init__(self, snapshot: Any) -> None:
        self.snapshot = snapshot
        self.asked: list[str] = []

    async def batch(self, statements: Any) -> Any:
        self.asked += [statement.sql for statement in statements]
        return await self.snapshot.batch(statements)

    async def all(self, row: Any, sql: str, **parameters: Any) -> Any:
        self.asked.append(sql)
        return await self.snapshot.all(row, sql, **parameters)


async def asked(shelf, access):
    """The statements of a whole search, and the documents that it finds."""
    snapshot = shelf.database.snapshot(Role.APP, shelf.tenant)
    listening: Any = Listening(snapshot)
    try:
        lookup = Lookup(IndexReader(listening, shelf.tenant, access), RECIPE)
        found = await lookup.candidates("lease", vector_of("lease"), Filters(), depth=10)
        owners = await lookup.owners(found.build, [*found.by_words, *found.by_vector])
    finally:
        await snapshot.abandon()
    return listening.asked, set(owners.values())


@pytest.fixture
async def collection(shelf):
    """One that only the group `law` may read."""
    made = uuid7()
    async with shelf.database.transaction(Role.APP, shelf.tenant) as db:
        await db.execute(
            "INSERT INTO collections (tenant_id, id, name, slug, readers, created_at, updated_at) "
            "VALUES (%(tenant)s, %(id)s, 'Law', 'law', '{group:law}', now(), now())",
            tenant=shelf.tenant,
            id=made,
        )
    return made


async def test_who_reaches_everything_asks_what_was_asked_before(shelf):
    await shelf.put("the lease", readers=["group:law"])

    statements, found = await asked(shelf, EVERYTHING)

    assert not [sql for sql in statements if "readers" in sql or "collections" in sql]
    assert len(found) == 1


async def test_members_ask_nothing_of_readers_where_nothing_names_any(shelf):
    await shelf.put("the lease")
    everything, _ = await asked(shelf, EVERYTHING)

    statements, found = await asked(shelf, NOBODY)

    legs = [sql for sql in statements if "forward_rows" in sql or "embeddings" in sql]
    assert legs == [sql for sql in everything if "forward_rows" in sql or "embeddings" in sql]
    assert not [sql for sql in statements if "range_agg" in sql or "chunk_count > 0 AND" in sql]
    assert len(found) == 1


async def test_readers_of_documents_and_of_collections_hold_back(shelf, collection):
    open_one = await shelf.put("the lease")
    of_law = await shelf.put("the lease of law", readers=["group:law"])
    in_law = await shelf.put("the lease in law", collection_id=collection)
    of_both = await shelf.put("the lease of art in law", collection_id=collection, readers=["group:art"])

    found = {name: (await asked(shelf, access))[1] for name, access in (("n", NOBODY), ("l", LAW), ("a", ART))}

    assert found == {"n": {open_one}, "l": {open_one, of_law, in_law}, "a": {open_one}}
    both = Access(readers=frozenset({"group:law", "group:art"}))
    assert (await asked(shelf, both))[1] == (await asked(shelf, EVERYTHING))[1] == {open_one, of_law, in_law, of_both}


async def test_ordinals_that_were_found_by_others_open_nothing(shelf):
    await shelf.put("the lease", readers=["group:law"])
    found = await shelf.ask("lease")
    snapshot = shelf.database.snapshot(Role.APP, shelf.tenant)
    lookup = Lookup(IndexReader(snapshot, shelf.tenant, NOBODY), RECIPE)

    shown = await lookup.passages(found.build, found.by_words), await lookup.owners(found.build, found.by_words)
    await snapshot.abandon()

    assert found.by_words
    assert shown == ({}, {})


async def test_depth_counts_what_is_reached(shelf):
    for number in range(20):
        await shelf.put(f"the lease {number}", readers=["group:law"])
    open_one = await shelf.put("a lease of all, and much else besides that has no bearing on it")
    snapshot = shelf.database.snapshot(Role.APP, shelf.tenant)
    lookup = Lookup(IndexReader(snapshot, shelf.tenant, NOBODY), RECIPE)

    found = await lookup.candidates("lease", vector_of("the lease"), Filters(), depth=1)
    owners = await lookup.owners(found.build, [*found.by_words, *found.by_vector])
    await snapshot.abandon()

    assert (set(owners.values()), found.matches) == ({open_one}, 1)


class TestLabels:
    async def test_a_document_is_found_by_its_new_labels(self, shelf, collection):
        document = await shelf.put("the lease", tags=["old"])

        async with shelf.database.transaction(Role.APP, shelf.tenant) as db:
            index = Index(IndexWriter(db, shelf.tenant), RECIPE)
            await index.label(document, tags=["new"], collection=collection, readers=["group:art"])

        assert (await shelf.ask("lease", tags=["old"])).by_words == []
        assert len((await shelf.ask("lease", tags=["new"], collection=["law"])).by_words) == 1
        assert len((await shelf.ask("lease", collection=[str(collection).upper()])).by_words) == 1
        assert [(await asked(shelf, access))[1] for access in (NOBODY, LAW, ART)] == [set()] * 3

    async def test_every_change_begins_another_generation(self, shelf, collection):
        document = await shelf.put("the lease")
        before = await generation(shelf)

        async with shelf.database.transaction(Role.APP, shelf.tenant) as db:
            index = Index(IndexWriter(db, shelf.tenant), RECIPE)
            await index.label(document, tags=[], collection=None, readers=None)
            await index.collect([document], collection)
            await index.touch()

        assert await generation(shelf) == before + 3

    async def test_a_document_that_is_not_indexed_is_fine(self, shelf):
        async with shelf.database.transaction(Role.APP, shelf.tenant) as db:
            index = Index(IndexWriter(db, shelf.tenant), RECIPE)
            await index.label(uuid4(), tags=["a"], collection=None, readers=None)

        assert not (await shelf.ask("lease")).by_words


async def test_the_numbers_count_what_is_reached(shelf):
    await shelf.put("the lease", "the rent", readers=["group:law"])
    await shelf.put("the lease")

    async with shelf.database.transaction(Role.APP, shelf.tenant) as db:
        counted = [await numbers(db, shelf.tenant, access) for access in (EVERYTHING, NOBODY, LAW)]

    assert [(one.documents, one.chunks) for one in counted] == [(2, 3), (1, 1), (2, 3)]


async def generation(shelf):
    async with shelf.database.transaction(Role.APP, shelf.tenant) as db:
        sql = "SELECT generation FROM index_statistics WHERE tenant_id = %(tenant)s"
        return await db.value(sql, tenant=shelf.tenant)
