"""DELETE /api/documents/{document_id}, and what becomes of the bytes."""

import asyncio
from datetime import timedelta

import pytest

from carrel.core.ids import DocumentId
from carrel.index.repository import IndexWriter
from carrel.index.schemas import Entry
from carrel.index.service import Index
from carrel.infra.blobs import Blobs
from carrel.infra.db import Role
from carrel.infra.settings import Jobs as JobSettings
from carrel.jobs.worker import Worker
from tests.documents.conftest import RECIPE, REGISTRY, eventually

pytestmark = pytest.mark.anyio

PATH = "/api/documents"
UNKNOWN = "0198c5a0-0000-7000-8000-000000000000"


async def add(client, content="text"):
    return (await client.post(PATH, json={"content": content})).json()


async def in_index(given):
    async with given.database.transaction(Role.APP, given.tenant) as db:
        return await db.value("SELECT count(*) FROM index_documents WHERE tenant_id = %(t)s", t=given.tenant)


class TestDeleting:
    async def test_takes_away_row_text_index_job_and_usage(self, client, given):
        shown = await add(client)
        row = await given.indexed(DocumentId(shown["id"]))
        entry = Entry(row.id, 1, row.title, None, None, "text", "en", [], row.size_bytes, row.created_at)
        async with given.database.transaction(Role.APP, given.tenant) as db:
            await Index(IndexWriter(db, given.tenant), RECIPE).replace(entry, [])
        assert await in_index(given) == 1

        answer = await client.delete(f"{PATH}/{shown['id']}")

        assert (answer.status_code, answer.content) == (204, b"")
        assert (await client.get(f"{PATH}/{shown['id']}")).status_code == 404
        assert (await client.get(f"{PATH}/{shown['id']}/text")).status_code == 404
        assert (await client.get(PATH)).json()["data"] == []
        assert await in_index(given) == 0
        assert await given.usage() == (0, 0)
        key = f"{given.tenant}/{shown['id']}/1"
        assert await given.jobs() == [
            ("documents.discard", "queued", {"object_keys": [key]}),
            ("test.ingest", "cancelled", {"document_id": shown["id"], "version": 1}),
        ]

    async def test_a_second_time_is_not_found(self, client):
        shown = await add(client)
        await client.delete(f"{PATH}/{shown['id']}")

        answer = await client.delete(f"{PATH}/{shown['id']}")

        assert (answer.status_code, answer.json()["code"]) == (404, "document-not-found")

    async def test_a_document_whose_job_has_ended_is_deleted_as_well(self, client, given):
        shown = await add(client)
        async with given.database.transaction(Role.QUEUE) as db:
            await db.execute("UPDATE jobs SET state = 'succeeded' WHERE id = %(id)s", id=shown["job_id"])

        assert (await client.delete(f"{PATH}/{shown['id']}")).status_code == 204

    async def test_a_document_whose_job_is_forgotten_is_deleted_as_well(self, client, given):
        shown = await add(client)
        async with given.database.transaction(Role.QUEUE) as db:
            await db.execute("DELETE FROM jobs WHERE id = %(id)s", id=shown["job_id"])

        assert (await client.delete(f"{PATH}/{shown['id']}")).status_code == 204

    async def test_of_another_tenant_is_not_found_and_stays(self, client, outsider):
        shown = await add(client)

        answer = await outsider.delete(f"{PATH}/{shown['id']}")

        assert (answer.status_code, answer.json()["code"]) == (404, "document-not-found")
        assert (await client.get(f"{PATH}/{shown['id']}")).status_code == 200

    @pytest.mark.parametrize("document_id", [UNKNOWN, "nonsense"])
    async def test_what_does_not_exist_is_not_found(self, client, document_id):
        assert (await client.delete(f"{PATH}/{document_id}")).status_code == 404

    async def test_two_at_once_are_one_deletion(self, client, given):
        shown = await add(client)

        answers = await asyncio.gather(*(client.delete(f"{PATH}/{shown['id']}") for _ in range(4)))

        assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404]
        assert await given.usage() == (0, 0)

    async def test_the_external_id_is_free_again(self, client):
        body = {"content": "text", "external_id": "x"}
        shown = (await client.post(PATH, json=body)).json()

        await client.delete(f"{PATH}/{shown['id']}")

        assert (await client.post(PATH, json=body)).status_code == 202

    async def test_needs_its_scope(self, knock, tenant):
        answer = await knock(tenant, "read").delete(f"{PATH}/{UNKNOWN}")

        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


class TestIfMatch:
    async def test_the_present_etag_lets_it_go(self, client):
        shown = await add(client)
        etag = (await client.get(f"{PATH}/{shown['id']}")).headers["etag"]

        answer = await client.delete(f"{PATH}/{shown['id']}", headers={"if-match": f'"other", {etag}'})

        assert answer.status_code == 204

    async def test_a_star_lets_it_go(self, client):
        shown = await add(client)

        assert (await client.delete(f"{PATH}/{shown['id']}", headers={"if-match": "*"})).status_code == 204

    async def test_an_older_etag_keeps_it(self, client, given):
        shown = await add(client)
        etag = (await client.get(f"{PATH}/{shown['id']}")).headers["etag"]
        await given.indexed(DocumentId(shown["id"]))

        answer = await client.delete(f"{PATH}/{shown['id']}", headers={"if-match": etag})

        assert (answer.status_code, answer.json()["code"]) == (412, "version-conflict")
        assert (await client.get(f"{PATH}/{shown['id']}")).status_code == 200
        assert await given.usage() == (1, 4)


class TestBytes:
    async def test_are_there_until_the_job_and_gone_after_it(self, client, given, blobs, stored_keys):
        shown, kept = await add(client, "one"), await add(client, "two")
        await client.delete(f"{PATH}/{shown['id']}")
        assert len(await stored_keys()) == 2

        await self.work(given, blobs)

        assert await stored_keys() == [f"{given.tenant}/{kept['id']}/1"]

    async def test_that_are_gone_already_are_no_fault(self, client, given, blobs, stored_keys):
        shown = await add(client)
        await client.delete(f"{PATH}/{shown['id']}")
        await blobs.delete(f"{given.tenant}/{shown['id']}/1")

        await self.work(given, blobs)

        assert await stored_keys() == []

    async def work(self, given, blobs) -> None:
        """Let a worker do what is to be done, but for reading documents."""
        settings = JobSettings(lease=timedelta(seconds=5), concurrency=1)
        worker = Worker(
            given.database, REGISTRY, {Blobs: lambda job: blobs}, settings, name="test", queues=("default",)
        )
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop))

        async def discarded() -> bool:
            return ("documents.discard", "succeeded") in [job[:2] for job in await given.jobs()]

        await eventually(discarded)
        stop.set()
        await running
