import asyncio

import numpy as np
import pytest

from carrel.core.access import EVERYTHING
from carrel.core.clock import now
from carrel.index import bm25, terms
from carrel.index.errors import ModelChanged
from carrel.index.repository import IndexReader, IndexWriter
from carrel.index.schemas import Entry, Filters, Recipe
from carrel.index.service import Index, Lookup
from carrel.infra.db import Role
from tests.index.conftest import RECIPE, vector_of

pytestmark = pytest.mark.anyio

TEXTS = [
    "the lease ends in may", "the rent is due in june", "a lease needs notice", "notice of rent and lease and lease",
    "nothing of interest", "may may may", "the tenant pays rent",
]  # fmt: skip


async def statistics_of(shelf):
    async with shelf.database.transaction(Role.APP, shelf.tenant) as db:
        build = await IndexWriter(db, shelf.tenant).live(lock=False)
        rows = await db.value("SELECT count(*) FROM forward_rows WHERE tenant_id = %(t)s", t=shelf.tenant)
        vectors = await db.value("SELECT count(*) FROM embeddings WHERE tenant_id = %(t)s", t=shelf.tenant)
        chunks = await db.value("SELECT count(*) FROM chunks WHERE tenant_id = %(t)s", t=shelf.tenant)
    assert build is not None
    assert rows == vectors == chunks == build.chunks
    return build


class TestReplace:
    async def test_counts_what_is_there(self, shelf):
        await shelf.put(*TEXTS[:3])
        await shelf.put(*TEXTS[3:], language="de")

        build = await statistics_of(shelf)

        assert (build.documents, build.chunks, build.languages) == (2, 7, {"en": 3, "de": 4})

    async def test_leaves_nothing_of_the_version_before(self, shelf):
        document = await shelf.put("old words here", "and more old words")
        await shelf.put("new words", document=document, version=2)

        build = await statistics_of(shelf)
        found = await shelf.ask("old words", near="old words here")

        assert (build.documents, build.chunks, build.total_length) == (
            1,
            1,
            terms.forward("", "new words", "en").length,
        )
        assert await shelf.texts(found, found.by_vector) == ["new words"]

    async def test_many_at_once_lose_nothing(self, shelf):
        await asyncio.gather(*(shelf.put(f"text number {number}", "second part") for number in range(12)))

        build = await statistics_of(shelf)

        assert (build.documents, build.chunks, build.next_ordinal) == (12, 24, 24)

    async def test_refuses_an_index_made_with_another_model(self, shelf):
        document = await shelf.put("a text")
        other = Recipe(RECIPE.splitter, RECIPE.analyser, "other/int8", 8)

        with pytest.raises(ModelChanged, match="tiny/float32"):
            async with shelf.database.transaction(Role.APP, shelf.tenant) as db:
                entry = Entry(document, 2, "", None, None, None, None, [], 1, now())
                await Index(IndexWriter(db, shelf.tenant), other).replace(entry, [])


class TestRemove:
    async def test_takes_out_everything_of_a_document(self, shelf):
        kept, gone = await shelf.put("kept words"), await shelf.put("gone words", "gone too")

        await shelf.remove(gone)

        build = await statistics_of(shelf)
        found = await shelf.ask("gone words")
        assert (build.documents, build.chunks, build.languages) == (1, 1, {"en": 1})
        assert await shelf.texts(found, found.by_words) == ["kept words"]
        assert kept != gone

    async def test_of_something_unknown_changes_nothing(self, shelf):
        await shelf.put("kept words")

        await shelf.remove(await shelf.row())

        assert (await statistics_of(shelf)).chunks == 1

    async def test_before_anything_was_indexed_is_fine(self, shelf):
        await shelf.remove(await shelf.row())


class TestCandidates:
    async def test_by_words_are_exact_bm25(self, shelf):
        for text in TEXTS:
            await shelf.put(text)

        found = await shelf.ask("lease notice may")

        rows = [terms.forward("", text, "en") for text in TEXTS]
        unpacked = terms.unpack(
            range(len(rows)), [row.length for row in rows], [row.count for row in rows], b"".join(r.terms for r in rows)
        )
        average = sum(row.length for row in rows) / len(rows)
        expected = bm25.score(
            unpacked, terms.query("lease notice may", ["en"]), count=len(rows), average_length=average
        )
        assert [found.words[one] for one in found.by_words] == pytest.approx(
            sorted(expected[expected > 0], reverse=True)
        )
        assert found.matches == np.count_nonzero(expected)

    async def test_by_vector_are_exact_cosines(self, shelf):
        for text in TEXTS:
            await shelf.put(text)

        found = await shelf.ask(None, near="the rent of may")

        expected = sorted((float(vector_of(text) @ vector_of("the rent of may")) for text in TEXTS), reverse=True)
        assert [found.vector[one] for one in found.by_vector] == pytest.approx(expected, abs=2e-3)

    async def test_have_both_scores_whichever_leg_found_them(self, shelf):
        for text in TEXTS:
            await shelf.put(text)

        found = await shelf.ask("lease", near="may may may", depth=2)

        assert set(found.words) == set(found.vector) == set(found.by_words) | set(found.by_vector)

    async def test_stop_words_of_a_text_in_no_known_language_outweigh_nothing(self, shelf):
        for text in ["the lease ends in may", "a rent is due", "notice of the lease"]:
            await shelf.put(text, language="en")
        await shelf.put("the of in", language="und")
        await shelf.put("lease may", language="und")

        found = await shelf.ask("the end of the lease in may")

        assert set((await shelf.texts(found, found.by_words))[:2]) == {"lease may", "the lease ends in may"}

    async def test_an_empty_index_has_none(self, shelf):
        found = await shelf.ask("lease", near="lease")

        assert (found.by_words, found.by_vector, found.matches) == ((), (), 0)

    async def test_a_title_counts_for_every_chunk(self, shelf):
        await shelf.put("first part", "second part", title="Heating manual")

        found = await shelf.ask("heating")

        assert len(found.by_words) == 2

    async def test_repeated_runs_agree(self, shelf):
        for _ in range(5):
            await shelf.put("same words", "same words")

        first, second = await shelf.ask("same", near="same words"), await shelf.ask("same", near="same words")

        assert first == second


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"tags": ["red"]}, {"one", "two"}),
            ({"tags": ["red", "blue"]}, {"two"}),
            ({"type": "html"}, {"three"}),
            ({"type": ["html", "text"], "tags": "blue"}, {"two", "three"}),
            ({"external_id": ["e-1", "e-3"]}, {"one", "three"}),
            ({"language": "de"}, {"two"}),
            ({"status": "indexed"}, {"one", "two", "three"}),
            ({"status": "failed"}, set()),
            ({"tags": ["none"]}, set()),
        ],
    )
    async def test_narrow_both_legs_before_ranking(self, shelf, filters, expected):
        await shelf.put("word one", tags=["red"], external_id="e-1")
        await shelf.put("word two", tags=["red", "blue"], language="de")
        await shelf.put("word three", tags=["blue"], doc_type="html", external_id="e-3")

        found = await shelf.ask("word", near="word", **filters)

        for leg in (found.by_words, found.by_vector):
            assert {text.removeprefix("word ") for text in await shelf.texts(found, leg)} == expected

    async def test_reach_deeper_than_the_best_of_all(self, shelf):
        for _ in range(20):
            await shelf.put("word word word")
        await shelf.put("word among many other things", tags=["rare"])

        found = await shelf.ask("word", near="word", depth=5, tags=["rare"])

        assert len(found.by_words) == len(found.by_vector) == 1


class TestIsolation:
    async def test_a_stranger_finds_nothing(self, shelf, foreign_shelf):
        await shelf.put("secret lease")
        await foreign_shelf.put("public rent")

        found = await foreign_shelf.ask("secret lease", near="secret lease")

        assert found.by_words == []
        assert await foreign_shelf.texts(found, found.by_vector) == ["public rent"]

    async def test_a_stranger_cannot_read_chunks_by_their_numbers(self, shelf, foreign_shelf):
        await shelf.put("secret lease")
        await foreign_shelf.put("x")
        snapshot = shelf.database.snapshot(Role.APP, foreign_shelf.tenant)

        found = await Lookup(IndexReader(snapshot, shelf.tenant, EVERYTHING), RECIPE).passages(1, [0])
        await snapshot.abandon()

        assert found == {}  # row-level security, although the statement asks for the other tenant

    async def test_scores_do_not_depend_on_what_others_have(self, shelf, foreign_shelf):
        await shelf.put("lease one")
        await shelf.put("rent two")
        before = await shelf.ask("lease")
        for _ in range(5):
            await foreign_shelf.put("lease lease lease")

        assert await shelf.ask("lease") == before


async def test_a_snapshot_shows_one_moment_while_a_document_is_replaced(shelf):
    document = await shelf.put("old one", "old two")
    snapshot = shelf.database.snapshot(Role.APP, shelf.tenant)
    lookup = Lookup(IndexReader(snapshot, shelf.tenant, EVERYTHING), RECIPE)
    found = await lookup.candidates("old", None, Filters(), depth=10)

    await shelf.put("new", document=document, version=2)

    passages = await lookup.passages(found.build, found.by_words)
    await snapshot.finish()
    assert sorted(passage.text for passage in passages.values()) == ["old one", "old two"]
