"""`?wait=`: the answer is held back until the document is read."""

import asyncio
import time

import pytest

from carrel.core.ids import DocumentId
from carrel.infra.db import Role
from tests.documents.conftest import eventually

pytestmark = pytest.mark.anyio

PATH = "/api/documents"


async def accepted(given):
    """The id of the first document, as soon as it is there for others to see."""

    async def first():
        async with given.database.transaction(Role.APP, given.tenant) as db:
            return await db.value("SELECT id FROM documents WHERE tenant_id = %(t)s", t=given.tenant)

    return await eventually(first)


async def test_the_answer_shows_the_document_once_it_is_indexed(client, given):
    answering = asyncio.create_task(client.post(f"{PATH}?wait=30", json={"content": "text"}))

    await given.indexed(await accepted(given))

    answer = await answering
    assert (answer.status_code, answer.json()["status"]) == (200, "indexed")
    assert answer.json()["chunk_count"] == 1
    assert answer.headers["location"] == f"/api/jobs/{answer.json()['job_id']}"


async def test_a_failure_ends_the_waiting_too(client, given):
    answering = asyncio.create_task(client.post(f"{PATH}?wait=30", files={"file": ("a.bin", b"\0\1")}))

    await given.failed(await accepted(given), "not-text", "This is no text.")

    answer = await answering
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    assert answer.json()["error"] == {"code": "not-text", "detail": "This is no text."}


async def test_the_time_being_over_shows_the_document_as_it_is(client):
    began = time.monotonic()

    answer = await client.post(f"{PATH}?wait=0.3", json={"content": "text"})

    assert time.monotonic() - began >= 0.3
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


async def test_no_connection_is_held_while_waiting(client, given):
    crowd = [asyncio.create_task(client.post(f"{PATH}?wait=30", json={"content": str(n)})) for n in range(25)]

    async def all_are_there():
        return (await client.get(f"{PATH}?offset=0")).json()["total"] == 25

    await eventually(all_are_there)

    for document in (await client.get(PATH)).json()["data"]:
        await given.indexed(DocumentId(document["id"]))

    assert {(await answering).json()["status"] for answering in crowd} == {"indexed"}


async def test_a_document_deleted_meanwhile_is_shown_as_it_was_last(client, given):
    answering = asyncio.create_task(client.post(f"{PATH}?wait=30", json={"content": "text"}))

    document_id = await accepted(given)
    await client.delete(f"{PATH}/{document_id}")

    answer = await answering
    assert (answer.status_code, answer.json()["id"]) == (202, str(document_id))


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "long"])
async def test_the_time_is_at_most_a_minute(client, wait):
    answer = await client.post(f"{PATH}?wait={wait}", json={"content": "text"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
