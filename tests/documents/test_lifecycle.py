"""The states of a document, as ingestion leads it through them."""

from typing import Any

import pytest

from carrel.core.access import EVERYTHING
from carrel.core.ids import DocumentId, uuid7
from carrel.documents.errors import DocumentNotFound
from carrel.documents.service import Documents
from carrel.infra.db import Role

pytestmark = pytest.mark.anyio


@pytest.fixture
async def row(given):
    return await given.document(DocumentId(uuid7()), title="notes.txt", filename="notes.txt", tags=["a"])


@pytest.fixture
def documents(database, tenant):
    """Each use is a transaction of its own."""

    class Each:
        def __getattr__(self, name):
            async def call(*arguments, **named):
                async with database.transaction(Role.APP, tenant) as db:
                    return await getattr(Documents(db, tenant, EVERYTHING), name)(*arguments, **named)

            return call

    return Each()


READING: Any = {"text": "The text.", "doc_type": "text", "mime_type": "text/plain", "language": "en", "chunk_count": 3}


class TestStart:
    async def test_gives_what_is_to_be_read_and_says_that_it_is_being_read(self, documents, row, tenant):
        source = await documents.start(row.id, 1)

        assert (source.document_id, source.version, source.object_key) == (row.id, 1, f"{tenant}/{row.id}/1")
        assert (source.title, source.title_given, source.filename) == ("notes.txt", False, "notes.txt")
        assert (source.tags, source.size_bytes, source.created_at) == (["a"], 5, row.created_at)
        after = await documents.get(row.id)
        assert after.status == "processing"
        assert after.updated_at > row.updated_at

    async def test_twice_is_the_same_as_once(self, documents, row):
        assert await documents.start(row.id, 1) == await documents.start(row.id, 1)

    async def test_again_after_a_failure_clears_it(self, documents, row):
        await documents.fail(row.id, 1, "no-text", "Nothing.")

        assert await documents.start(row.id, 1) is not None

        after = await documents.get(row.id)
        assert (after.status, after.error_code, after.error_detail) == ("processing", None, None)

    async def test_finds_nothing_to_do_for_what_is_indexed_gone_or_never_was(self, documents, row):
        await documents.publish(row.id, 1, **READING)

        assert await documents.start(row.id, 1) is None
        assert await documents.start(row.id, 2) is None
        assert await documents.start(DocumentId(uuid7()), 1) is None
        assert (await documents.get(row.id)).status == "indexed"

    async def test_finds_nothing_of_another_tenant(self, database, stranger, documents, row):
        async with database.transaction(Role.APP, stranger) as db:
            foreign = Documents(db, stranger, EVERYTHING)
            assert await foreign.start(row.id, 1) is None
            await foreign.fail(row.id, 1, "x", "y")
            with pytest.raises(DocumentNotFound):
                await foreign.publish(row.id, 1, **READING)

        assert (await documents.get(row.id)) == row


class TestPublish:
    async def test_makes_the_version_the_one_that_is_shown(self, documents, row):
        await documents.start(row.id, 1)

        published = await documents.publish(row.id, 1, **READING, title="Found")

        assert (published.status, published.version, published.chunk_count) == ("indexed", 1, 3)
        assert (published.doc_type, published.mime_type, published.language) == ("text", "text/plain", "en")
        assert published.indexed_at is not None
        assert published == await documents.get(row.id)
        assert (await documents.text(row.id)).text == "The text."

    async def test_again_replaces_the_text(self, documents, row):
        await documents.publish(row.id, 1, **READING)

        await documents.publish(row.id, 1, **{**READING, "text": "Better."})

        assert (await documents.text(row.id)).text == "Better."

    async def test_a_found_title_takes_the_place_of_a_makeshift_one_only(self, documents, given, row):
        named = await given.document(DocumentId(uuid7()), title="Mine", title_given=True)

        found = await documents.publish(row.id, 1, **READING, title="  Found\n in\0 it ")
        kept = await documents.publish(named.id, 1, **READING, title="Found")
        nothing = await documents.publish(row.id, 1, **READING, title=" ")

        assert (found.title, kept.title, nothing.title) == ("Found in\ufffd it", "Mine", "Found in\ufffd it")

    async def test_of_a_deleted_document_writes_nothing(self, documents):
        with pytest.raises(DocumentNotFound):
            await documents.publish(DocumentId(uuid7()), 1, **READING)


class TestFail:
    async def test_keeps_the_reason_in_a_form_that_can_be_stored(self, documents, row):
        await documents.fail(row.id, 1, "no-text", "A\0B\ud800" + "x" * 5000)

        after = await documents.get(row.id)
        assert (after.status, after.error_code) == ("failed", "no-text")
        assert after.error_detail.startswith("A\ufffdB\ufffdxxx")
        assert len(after.error_detail) == 2000

    async def test_does_not_touch_what_is_indexed(self, documents, row):
        published = await documents.publish(row.id, 1, **READING)

        await documents.fail(row.id, 1, "late", "Too late.")

        assert await documents.get(row.id) == published

    async def test_of_a_document_that_is_gone_is_fine(self, documents):
        gone = DocumentId(uuid7())

        await documents.fail(gone, 1, "no-text", "Nothing.")

        with pytest.raises(DocumentNotFound):
            await documents.get(gone)
