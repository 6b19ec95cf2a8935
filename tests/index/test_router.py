"""The chunks of a document over HTTP."""

import pytest

from tests.house import (
    acme_fixture,
    home_fixture,
    house_dsn_fixture,
    minilm_fixture,
    problem,
    running_home_fixture,
    worker_fixture,
)

__all__ = [
    "acme_fixture",
    "home_fixture",
    "house_dsn_fixture",
    "minilm_fixture",
    "running_home_fixture",
    "worker_fixture",
]
pytestmark = pytest.mark.anyio

LONG = "\n\n".join(f"Paragraph {number} says that the lease ends in May. " * 20 for number in range(8))


async def walk(acme, document, **params):
    """All chunks of a document, page by page."""
    found, cursor = [], None
    while True:
        page = await acme.get(f"/api/documents/{document}/chunks", **params, **({"cursor": cursor} if cursor else {}))
        found += page["data"]
        cursor = page["next_cursor"]
        assert page["has_more"] == (cursor is not None)
        if cursor is None:
            return found


async def test_walking_by_cursor_meets_every_chunk_once_in_reading_order(acme, worker):
    document = await acme.indexed(LONG, title="Lease")

    chunks = await walk(acme, document["id"], limit=3)

    text = await acme.text(document["id"])
    assert [chunk["position"] for chunk in chunks] == list(range(document["chunk_count"]))
    assert document["chunk_count"] > 6
    assert all(text[chunk["start"] : chunk["end"]] == chunk["text"] for chunk in chunks)
    assert {(chunk["document_id"], chunk["version"], chunk["language"]) for chunk in chunks} == {
        (document["id"], 1, "en")
    }
    assert chunks[0].keys() == {
        "id", "document_id", "version", "position", "text", "page", "start", "end", "heading_path", "language",
    }  # fmt: skip


async def test_by_offset_the_total_and_the_neighbours_are_told(acme, worker):
    document = await acme.indexed(LONG)
    path = f"/api/documents/{document['id']}/chunks"

    page = await acme.get(path, limit=2, offset=2)

    assert [chunk["position"] for chunk in page["data"]] == [2, 3]
    assert page["total"] == document["chunk_count"]
    assert [one["position"] for one in (await acme.get(page["links"]["next"]))["data"]] == [4, 5]
    assert [one["position"] for one in (await acme.get(page["links"]["prev"]))["data"]] == [0, 1]


async def test_a_document_that_was_not_read_has_none(acme):
    waiting = await acme.add("Some text.")

    page = await acme.get(f"/api/documents/{waiting['id']}/chunks", offset=0)

    assert (page["data"], page["total"], page["next_cursor"]) == ([], 0, None)


async def test_a_document_that_could_not_be_read_has_none(acme, worker):
    failed = await acme.ended((await acme.upload(bytes(range(256)) * 8)).json()["id"])

    assert await walk(acme, failed["id"]) == []


async def test_a_deleted_document_has_none_even_for_a_cursor_from_before(acme, worker):
    document = await acme.indexed(LONG)
    path = f"/api/documents/{document['id']}/chunks"
    page = await acme.get(path, limit=1)

    await acme.call("DELETE", f"/api/documents/{document['id']}")

    answer = await acme.call("GET", path, params={"limit": 1, "cursor": page["next_cursor"]})
    assert problem(answer, 404)["code"] == "document-not-found"


async def test_a_cursor_of_another_document_is_refused(acme, worker):
    first, second = await acme.indexed(LONG), await acme.indexed(LONG, title="Other")
    page = await acme.get(f"/api/documents/{first['id']}/chunks", limit=1)

    answer = await acme.call("GET", f"/api/documents/{second['id']}/chunks", params={"cursor": page["next_cursor"]})

    assert problem(answer, 400)["code"] == "invalid-cursor"


@pytest.mark.parametrize("document", ["01900000-0000-7000-8000-000000000000", "no-id", "0"])
async def test_an_unknown_document_is_not_found(acme, document):
    answer = await acme.call("GET", f"/api/documents/{document}/chunks")

    assert problem(answer, 404)["code"] == "document-not-found"


async def test_a_key_for_reading_is_needed(acme):
    waiting = await acme.add("Some text.")
    path = f"/api/documents/{waiting['id']}/chunks"

    assert (await acme.call("GET", path, scope="read")).status_code == 200
    for scope in ("search", "write"):
        problem(await acme.call("GET", path, scope=scope), 403)
