"""A document that somebody does not see is answered for as one that never was, by every operation over documents."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from carrel.core.access import Access
from tests.access.conftest import NOBODY, View, Window, group_of, made
from tests.house import Home, Organisation, problem

pytestmark = pytest.mark.anyio

WORD = "whippoorwill"
OPERATIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/api/documents/{document}", {}),
    ("GET", "/api/documents/{document}/text", {}),
    ("GET", "/api/documents/{document}/chunks", {}),
    ("GET", "/api/documents/{document}/chunks?offset=0", {}),
    ("PATCH", "/api/documents/{document}", {"json": {"tags": ["mine"]}}),
    ("PATCH", "/api/documents/{document}", {"json": {"readers": None}}),
    ("PATCH", "/api/documents/{document}", {"json": {"tags": []}, "headers": {"if-match": "*"}}),
    ("DELETE", "/api/documents/{document}", {}),
    ("DELETE", "/api/documents/{document}", {"headers": {"if-match": "*"}}),
    ("GET", "/api/jobs/{job}", {}),
    ("GET", "/api/jobs/{job}/events", {}),
    ("POST", "/api/jobs/{job}/cancel", {}),
    ("POST", "/api/jobs/{job}/retry", {}),
    ("GET", "/api/collections/{collection}", {}),
    ("PATCH", "/api/collections/{collection}", {"json": {"readers": None}}),
    ("DELETE", "/api/collections/{collection}", {}),
]


@dataclass
class Hidden:
    """Something restricted in every way there is, and who does not see it."""

    organisation: Organisation
    group: str
    document: str
    job: str
    collection: str
    external_id: str
    view: View


@pytest.fixture(scope="module", name="hidden")
async def hidden_fixture(running_home: Home, window: Window) -> Hidden:
    acme = await running_home.organisation("Acme")
    group = await group_of(acme)
    collection = await made(acme, "/api/collections", name=WORD, readers=[group], metadata={"about": WORD})
    about: dict[str, Any] = {"title": WORD, "external_id": WORD, "metadata": {"about": WORD}, "filename": f"{WORD}.txt"}
    async with running_home.working():
        await acme.indexed("The lease ends in May.", tags=["open"])
        document = await acme.indexed(
            f"The {WORD} ends in May.", **about, tags=[WORD], readers=[group], collection=WORD
        )
    return Hidden(
        organisation=acme,
        group=group,
        document=document["id"],
        job=document["job_id"],
        collection=collection,
        external_id=document["external_id"],
        view=window.of(acme.tenant, NOBODY),
    )


@pytest.mark.parametrize(("method", "path", "options"), OPERATIONS)
async def test_an_operation_on_what_is_hidden_answers_as_for_what_never_was(
    hidden: Hidden, method: str, path: str, options: dict[str, Any]
):
    before = unchanging(hidden)
    ids = {name: getattr(hidden, name) for name in ("document", "job", "collection")}
    unknown = {name: str(uuid4()) for name in ids}

    theirs = await hidden.view.call(method, path.format(**ids), **options)
    nothing = await hidden.view.call(method, path.format(**unknown), **options)

    problem(theirs, 404)
    assert without(theirs, ids) == without(nothing, unknown)
    assert unchanging(hidden) == before


@pytest.mark.parametrize("path", ["/api/documents", "/api/jobs", "/api/collections", "/api/stats"])
async def test_no_list_and_no_number_shows_what_is_hidden(hidden: Hidden, path: str):
    answer = await hidden.view.call("GET", path, params={"limit": 200, "offset": 0} if path != "/api/stats" else {})

    shown = answer.text
    assert answer.status_code == 200
    assert not [mark for mark in (WORD, hidden.document, hidden.job, hidden.collection, hidden.group) if mark in shown]


@pytest.mark.parametrize("kind", ["hybrid", "keyword", "semantic"])
@pytest.mark.parametrize("group_by", [None, "document"])
@pytest.mark.parametrize(
    "filters", [{}, {"external_id": WORD}, {"tags": [WORD]}, {"collection": [WORD]}, {"document_id": "of the hidden"}]
)
async def test_no_search_finds_what_is_hidden(hidden: Hidden, kind: str, group_by: str | None, filters: dict[str, Any]):
    asked = {name: hidden.document if name == "document_id" else value for name, value in filters.items()}

    found = await hidden.view.search(f"the {WORD} in May", type=kind, group_by=group_by, filters=asked, explain=True)

    shown = json.dumps(found["results"])
    assert WORD not in shown
    assert hidden.document not in shown
    assert bool(found["results"]) == (not filters)
    assert found["total"] == len(found["results"])


async def test_the_numbers_are_those_of_what_is_seen(hidden: Hidden):
    seen = await hidden.view.get("/api/stats")
    everything = await hidden.organisation.get("/api/stats")

    assert (seen["documents"]["total"], seen["index"]["documents"], seen["index"]["chunks"]) == (1, 1, 1)
    assert seen["documents"]["storage_bytes"] == len("The lease ends in May.")
    assert sum(seen["jobs"].values()) == 1
    assert everything["documents"]["total"] == everything["index"]["documents"] == 2


async def test_its_external_id_is_taken_and_no_more_is_told(hidden: Hidden):
    body = {"content": "Mine.", "external_id": hidden.external_id}

    answer = problem(await hidden.view.call("POST", "/api/documents", json=body), 409)

    assert answer["code"] == "external-id-exists"
    assert "document_id" not in answer
    assert hidden.document not in json.dumps(answer)


async def test_its_slug_is_taken_and_no_more_is_told(hidden: Hidden):
    answer = problem(await hidden.view.call("POST", "/api/collections", json={"name": WORD}), 409)

    assert answer["code"] == "collection-slug-taken"
    assert hidden.collection not in json.dumps(answer)


@pytest.mark.parametrize(
    "body", [{"collection": "{collection}"}, {"collection": WORD}, {"collection": str(uuid4())}, {"collection": "no"}]
)
async def test_nothing_is_put_where_one_does_not_see(hidden: Hidden, body: dict[str, str]):
    body = {name: value.format(collection=hidden.collection) for name, value in body.items()}

    answer = problem(await hidden.view.call("POST", "/api/documents", json={"content": "Mine.", **body}), 422)

    assert [error["code"] for error in answer["errors"]] == ["unknown_collection"]
    assert len(await hidden.view.all("/api/documents")) == 1


async def test_who_sees_a_document_does_not_see_its_hidden_neighbours(hidden: Hidden, window: Window):
    view = window.of(hidden.organisation.tenant, Access(documents=frozenset({UUID(hidden.document)})))

    assert [one["id"] for one in await view.all("/api/documents")] == [hidden.document]
    assert [one["id"] for one in await view.all("/api/collections")] == [hidden.collection]


def unchanging(hidden: Hidden) -> Any:
    # What was refused is noted for auditors, beside the request.
    beside = {"idempotency_keys", "audit_events", "audit_heads"}
    return {name: rows for name, rows in hidden.organisation.rows().items() if name not in beside}


def without(answer: httpx.Response, ids: dict[str, str]) -> tuple[int, str]:
    """An answer without what it repeats from the request."""
    said = json.dumps({name: value for name, value in answer.json().items() if name not in {"instance", "request_id"}})
    for one in ids.values():
        said = said.replace(one, "")
    return answer.status_code, said
