"""Search from end to end: documents that were really read, the real model, the real index."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Self

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.core.access import EVERYTHING
from carrel.core.clock import now
from carrel.core.ids import DocumentId, TenantId, uuid7
from carrel.entry.wiring import Tools
from carrel.index.schemas import Candidates, Entry, Filters, NewChunk
from carrel.index.service import Lookup
from carrel.index.terms import forward
from carrel.infra.db import Role
from carrel.search.schemas import Query
from carrel.search.service import Search
from tests.house import Home, Organisation, problem

pytestmark = pytest.mark.anyio

KINDS = ("hybrid", "semantic", "keyword")
FUSIONS = ("recipe", "rrf", "weights")
ORDERS = [("keyword", "recipe"), ("semantic", "recipe"), *(("hybrid", fusion) for fusion in FUSIONS)]
HOUSE = "\U0001f3e0"
NOTICE = "The lease ends in May, and it may be ended with a notice of three months. "
ARABIC = "ينتهي عقد الإيجار في شهر مايو. يجب إخطار المالك قبل ثلاثة أشهر من نهاية العقد. "
GERMAN = "Der Mietvertrag endet im Mai und ist mit einer Frist von drei Monaten zu kündigen. "
PAGE = (
    f"<html><head><title>دليل {HOUSE}</title></head><body><h1>العقد</h1><p>{ARABIC * 8}</p><p>Rent {HOUSE}.</p></body>"
)
MANUAL = f"# Heating\n\nTurn the valve {HOUSE}.\n\n## Noise\n\nBleed the radiator.\n\n```\nvalve --open\n```\n"
SHELF: dict[str, dict[str, Any]] = {
    "lease": {"content": NOTICE * 40, "title": "Lease", "tags": ["contracts", "2026"]},
    "manual": {"content": MANUAL, "mime_type": "text/markdown", "title": "Manual", "tags": ["contracts"]},
    "guide": {"content": PAGE, "mime_type": "text/html"},
    "vertrag": {"content": GERMAN * 20, "title": "Vertrag"},
    "mixed": {"content": f"{NOTICE * 12}\n\n{ARABIC * 10}\n\n{GERMAN * 10}", "title": "Three languages"},
    "emoji": {"content": f"Rent {HOUSE} is due in June {HOUSE}."},
}
QUERIES = (
    "notice period of the lease", "when does it end", "radiator", "Frist von drei Monaten", "عقد الإيجار", "valve",
    f"rent {HOUSE}", "lease lease notice", "kündigen", "three months",
)  # fmt: skip


@dataclass(frozen=True)
class Library:
    """An organisation with documents of every kind, by external id."""

    organisation: Organisation
    documents: dict[str, dict[str, Any]]

    async def search(self, query: str, **fields: Any) -> dict[str, Any]:
        return await self.organisation.search(query, **fields)

    async def found(self, query: str, **fields: Any) -> list[str]:
        return [hit["external_id"] for hit in (await self.search(query, **fields))["results"]]


@pytest.fixture(scope="module")
async def library(running_home: Home) -> Library:
    organisation = await running_home.organisation("Library")
    async with running_home.working():
        documents = {
            name: await organisation.indexed(**{"external_id": name, **fields}) for name, fields in SHELF.items()
        }
    return Library(organisation, documents)


async def shelve(organisation: Organisation, texts: list[str], **fields: Any) -> DocumentId:
    """A document whose chunks are exactly `texts`, all of them with the vector of the first."""
    home, document = organisation.home, DocumentId(uuid7())
    tools = Tools(await home.model.get())
    vector = tools.encoder.embedder.encode(texts[0] if texts else "nothing")
    chunks = [NewChunk(one, 0, len(one), None, (), "en", forward("", one, "en"), vector) for one in texts]
    shown = {"title": "", "external_id": None, "filename": None, "doc_type": "text", "language": "en", **fields}
    async with home.house.database.transaction(Role.APP, organisation.tenant) as db:
        await db.execute(
            "INSERT INTO documents (tenant_id, id, title, size_bytes, sha256, status, version, created_at, updated_at)"
            " VALUES (%(tenant)s, %(id)s, '', 1, '', 'indexed', 1, now(), now())",
            tenant=organisation.tenant,
            id=document,
        )
        entry = Entry(document, 1, tags=[], size_bytes=1, created_at=now(), **shown)
        await tools.index(db, organisation.tenant).replace(entry, chunks)
    return document


class TestPassages:
    @pytest.mark.parametrize("kind", KINDS)
    async def test_are_exactly_the_characters_they_name(self, library, kind):
        texts = {name: await library.organisation.text(one["id"]) for name, one in library.documents.items()}
        seen = set()
        for query in QUERIES:
            for hit in (await library.search(query, type=kind, limit=100))["results"]:
                assert texts[hit["external_id"]][hit["start"] : hit["end"]] == hit["text"]
                seen.add(hit["external_id"])

        assert seen == library.documents.keys()

    async def test_are_the_chunks_of_their_documents(self, library):
        chunks = {}
        for document in library.documents.values():
            page = await library.organisation.get(f"/api/documents/{document['id']}/chunks", limit=200)
            text = await library.organisation.text(document["id"])
            assert [chunk["position"] for chunk in page["data"]] == list(range(document["chunk_count"]))
            for chunk in page["data"]:
                assert text[chunk["start"] : chunk["end"]] == chunk["text"]
                chunks[chunk["id"]] = chunk

        shared = ("text", "start", "end", "page", "heading_path", "language", "version", "document_id")
        for query in QUERIES:
            for hit in (await library.search(query, limit=100))["results"]:
                assert {name: hit[name] for name in shared} == {name: chunks[hit["chunk_id"]][name] for name in shared}

    async def test_say_which_language_they_are_in(self, library):
        hits = (await library.search("lease عقد Mietvertrag", type="keyword", limit=100))["results"]

        languages = {(hit["external_id"], hit["language"]) for hit in hits}
        assert {("mixed", "en"), ("mixed", "ar"), ("mixed", "de"), ("vertrag", "de")} <= languages

    async def test_say_under_which_headings_they_stand(self, library):
        [hit] = (await library.search("radiator", type="keyword"))["results"]

        assert hit["heading_path"][0] == "Heating"

    async def test_carry_what_is_shown_of_their_document(self, library):
        hit = (await library.search("notice", type="keyword", filters={"external_id": "lease"}))["results"][0]

        shown = library.documents["lease"]
        assert hit["tags"] == shown["tags"] == ["contracts", "2026"]
        assert (hit["document_id"], hit["title"], hit["version"]) == (shown["id"], "Lease", 1)
        assert (hit["doc_type"], hit["filename"]) == ("text", None)


class TestRanking:
    @pytest.mark.parametrize(("kind", "fusion"), ORDERS)
    @settings(deadline=None, max_examples=15)
    @given(queries=st.lists(st.sampled_from(QUERIES), min_size=1, max_size=3))
    async def test_is_explained_by_shares_that_add_up(self, library, kind, fusion, queries):
        found = await library.search(" ".join(queries), type=kind, fusion=fusion, explain=True, limit=100)

        sums = [sum(leg["share"] for leg in hit["explanation"].values() if leg) for hit in found["results"]]
        assert sums == pytest.approx([hit["score"] for hit in found["results"]])
        assert sums == sorted(sums, reverse=True)

    async def test_numbers_the_places_of_each_leg(self, library):
        found = await library.search("notice of the lease", explain=True, limit=100)

        for leg in ("words", "vector"):
            placed = [hit["explanation"][leg] for hit in found["results"] if hit["explanation"][leg]["rank"]]
            placed.sort(key=lambda one: one["rank"])
            assert [one["rank"] for one in placed] == list(range(1, len(placed) + 1))
            assert [one["score"] for one in placed] == sorted((one["score"] for one in placed), reverse=True)
        assert found["explanation"]["candidates"]["fused"] == found["total"] == len(found["results"])

    async def test_gives_vectors_little_say_on_a_script_the_model_does_not_know(self, library):
        arabic = await library.search("عقد الإيجار", explain=True)
        english = await library.search("the lease", explain=True)

        assert arabic["explanation"]["vector_weight"] < 0.2 < english["explanation"]["vector_weight"]
        assert arabic["results"][0]["language"] == "ar"

    async def test_counts_the_title_of_a_document_for_its_passages(self, library):
        assert set(await library.found("manual", type="keyword")) == {"manual"}
        assert set(await library.found("دليل", type="keyword")) == {"guide"}

    async def test_keeps_the_order_of_equal_passages(self, acme):
        documents = [str(await shelve(acme, ["The same words."])) for _ in range(7)]

        orders = [
            [hit["document_id"] for hit in (await acme.search("same words", type=kind, fusion=fusion))["results"]]
            for kind in KINDS
            for fusion in FUSIONS
            for _ in range(2)
        ]

        assert orders == [documents] * len(orders)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_gives_the_same_answer_twice(self, library, kind):
        first, second = [await library.search("notice of the lease", type=kind, limit=100) for _ in range(2)]

        assert first["results"] == second["results"]


class TestHowMany:
    @pytest.mark.parametrize("kind", KINDS)
    async def test_limit_cuts_the_same_order_shorter(self, library, kind):
        whole = (await library.search("lease notice", type=kind, limit=100))["results"]

        for limit in (1, 2, 3):
            assert (await library.search("lease notice", type=kind, limit=limit))["results"] == whole[:limit]
        assert len(whole) > 3

    async def test_all_matches_of_words_are_counted_and_the_best_hundred_listed(self, acme):
        await shelve(acme, [f"lease number {number}" for number in range(130)])

        words = await acme.search("lease", type="keyword", limit=100)
        meant = await acme.search("lease", type="semantic", limit=100)
        both = await acme.search("lease", limit=100)

        assert (words["total"], words["total_relation"], len(words["results"])) == (130, "matches", 100)
        assert (meant["total"], meant["total_relation"], len(meant["results"])) == (100, "candidates", 100)
        assert both["total_relation"] == "candidates"
        assert both["total"] >= len(both["results"]) == 100

    @pytest.mark.parametrize("kind", KINDS)
    async def test_grouped_each_document_is_shown_once_by_its_best_passage(self, library, kind):
        single = (await library.search("lease notice", type=kind, limit=100))["results"]
        grouped = (await library.search("lease notice", type=kind, limit=100, group_by="document"))["results"]

        best: dict[str, Any] = {}
        for hit in single:
            best.setdefault(hit["document_id"], hit)
        assert grouped == list(best.values())
        assert Counter(hit["document_id"] for hit in single).most_common(1)[0][1] > 1

    async def test_a_document_without_chunks_is_not_taken_for_the_next_one(self, acme):
        await shelve(acme, ["first words"])
        empty = await shelve(acme, [])
        full = await shelve(acme, ["second words"])

        grouped = await acme.search("words", group_by="document")
        narrowed = await acme.search("words", type="keyword", filters={"document_id": [str(full), str(empty)]})

        assert str(full) in {hit["document_id"] for hit in grouped["results"]}
        assert [hit["text"] for hit in narrowed["results"]] == ["second words"]


class TestFilters:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"tags": "contracts"}, {"lease", "manual"}),
            ({"tags": ["contracts", "2026"]}, {"lease"}),
            ({"type": "markdown"}, {"manual"}),
            ({"type": ["html", "markdown"]}, {"guide", "manual"}),
            ({"status": "indexed"}, set(SHELF)),
            ({"status": ["queued", "failed"]}, set()),
            ({"language": ["de"]}, {"vertrag"}),
            ({"external_id": ["lease", "emoji", "nobody"]}, {"lease", "emoji"}),
            ({"external_id": "lease", "tags": None}, {"lease"}),
            ({"tags": None}, set(SHELF)),
            ({"tags": []}, set(SHELF)),
            ({"type": []}, set()),
        ],
    )
    async def test_narrow_every_kind_of_search(self, library, kind, filters, expected):
        everything = "lease radiator العقد Mietvertrag rent"

        assert set(await library.found(everything, type=kind, filters=filters, limit=100)) == expected

    async def test_by_document(self, library):
        wanted = library.documents["vertrag"]["id"]

        found = await library.search("lease", type="semantic", filters={"document_id": wanted}, limit=100)

        assert {hit["document_id"] for hit in found["results"]} == {wanted}
        assert found["total"] == library.documents["vertrag"]["chunk_count"]


class TestOddQueries:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        "query",
        [
            "the of and to", "!?.,;:", "\u200b", "-", "' OR 1=1 --", "%", "\u202e", "\x07", HOUSE, "a" * 4000,
            "lease " * 666, ARABIC * 40,
        ],
    )  # fmt: skip
    async def test_are_answered(self, library, kind, query):
        found = await library.search(query[:4000], type=kind)

        assert found["query"] == query[:4000]
        assert found["total"] >= len(found["results"])

    @pytest.mark.parametrize("query", ["the of and to", "!?.,;:"])
    async def test_without_words_match_nothing_by_words(self, library, query):
        assert (await library.search(query, type="keyword"))["total"] == 0
        assert (await library.search(query, type="semantic"))["total"] > 0

    @pytest.mark.parametrize("kind", KINDS)
    async def test_of_an_empty_index_find_nothing(self, acme, kind):
        found = await acme.search("lease", type=kind, explain=True, group_by="document", filters={"tags": "x"})

        assert (found["results"], found["total"]) == ([], 0)


class Free:
    """An organisation that may search as often as it likes."""

    async def charge(self) -> None:
        return None


class Forgetful:
    """The real index, whose passages are read after something has happened."""

    def __init__(self, home: Home, tenant: TenantId, meanwhile: Any) -> None:
        self.home, self.tenant, self.meanwhile = home, tenant, meanwhile
        self.first: Any = None

    async def __aenter__(self) -> Self:
        database = self.home.house.database
        self.recipe = Tools(await self.home.model.get()).recipe
        self.first, self.second = (database.snapshot(Role.APP, self.tenant) for _ in range(2))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.first.abandon()
        await self.second.abandon()

    async def candidates(self, text: Any, vector: Any, filters: Filters, *, depth: int) -> Candidates:
        return await Lookup.of(self.first, self.tenant, self.recipe, EVERYTHING).candidates(
            text, vector, filters, depth=depth
        )

    async def passages(self, build: int, ordinals: Any) -> Any:
        await self.meanwhile()
        return await Lookup.of(self.second, self.tenant, self.recipe, EVERYTHING).passages(build, ordinals)

    async def owners(self, build: int, ordinals: Any) -> Any:
        return await Lookup.of(self.first, self.tenant, self.recipe, EVERYTHING).owners(build, ordinals)


@pytest.mark.parametrize("group_by", [None, "document"])
async def test_a_chunk_that_goes_between_ranking_and_reading_is_left_out(home, acme, group_by):
    kept, gone = await shelve(acme, ["lease one"]), await shelve(acme, ["lease two", "lease three"])

    async def delete() -> None:
        await acme.call("DELETE", f"/api/documents/{gone}")

    async with Forgetful(home, acme.tenant, delete) as lookup:
        found = await Search(lookup, await home.model.get(), Free()).run(
            Query(query="lease", limit=10, group_by=group_by)
        )

    assert [hit.document_id for hit in found.results] == [kept]
    assert found.results[0].text == "lease one"


class TestAnotherModel:
    async def test_is_refused_with_what_to_do(self, home, acme):
        await shelve(acme, ["a text"])
        with psycopg.connect(home.dsn, autocommit=True) as connection:
            connection.execute("UPDATE index_builds SET model = 'other/int8' WHERE tenant_id = %s", [acme.tenant])

        answer = await acme.call("POST", "/api/search", json={"query": "text"})

        refused = problem(answer, 503)
        assert refused["code"] == "model-changed"
        assert "other/int8" in refused["detail"]
        assert "MODEL_PATH" in refused["hint"]

    async def test_is_refused_by_one_organisation_and_not_by_others(self, home, acme, library):
        await shelve(acme, ["a text"])
        with psycopg.connect(home.dsn, autocommit=True) as connection:
            connection.execute("UPDATE index_builds SET analyser = 'old' WHERE tenant_id = %s", [acme.tenant])

        assert (await library.search("lease"))["total"] > 0
        problem(await acme.call("POST", "/api/search", json={"query": "text", "type": "keyword"}), 503)
