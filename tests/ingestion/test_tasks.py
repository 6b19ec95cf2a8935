"""The job that makes a document searchable, done by a real worker."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from carrel.core.ids import DocumentId, uuid7
from carrel.entry.wiring import registry
from carrel.infra.db import Role
from carrel.infra.models import AsyncEmbedder
from carrel.ingestion.sandbox import Sandbox
from carrel.ingestion.tasks import ingest
from carrel.jobs import service as jobs_service
from carrel.jobs.service import Queue
from tests.house import Home, Organisation, eventually

pytestmark = pytest.mark.anyio

INDEX = ("index_documents", "chunks", "forward_rows", "embeddings")
LONG = "\n\n".join(f"Paragraph {number} says that the lease ends in May. " * 12 for number in range(20))


class Gate:
    """Somewhere to wait in: `reached` tells that somebody does, `opened` lets them through."""

    def __init__(self) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self.opened.wait()


class SlowEncoder(AsyncEmbedder):
    """The real model, that waits at a gate after its first passages."""

    def __init__(self, home: Home, gate: Gate) -> None:
        super().__init__(home.model._encoder.embedder)  # type: ignore[union-attr]
        self.gate = gate

    async def passages(self, texts: Any, *, on_progress: Any = None) -> Any:
        beginning = len(texts) // 2

        def tell(done: int, total: int) -> None:
            if on_progress is not None:
                on_progress(done, len(texts))

        await super().passages(texts[:beginning], on_progress=tell)
        await self.gate()
        return await super().passages(texts, on_progress=on_progress)


class SlowSandbox(Sandbox):
    """The real sandbox behind a gate."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    async def extract(self, path: Any, *, filename: str | None, declared_type: str | None) -> Any:
        await self.gate()
        return await super().extract(path, filename=filename, declared_type=declared_type)


@pytest.fixture
def gate():
    return Gate()


async def enqueue(acme: Organisation, document: dict[str, Any]) -> str:
    async with acme.home.house.database.transaction(Role.APP, acme.tenant) as db:
        queue = Queue(db, acme.tenant, registry(5))
        return str(
            await queue.enqueue(ingest, document_id=DocumentId(UUID(document["id"])), version=document["version"])
        )


async def job_ended(acme: Organisation, job_id: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        job = await acme.get(f"/api/jobs/{job_id}")
        return job if job["state"] in {"succeeded", "failed", "cancelled"} else None

    return dict(await eventually(look))


def index_of(acme: Organisation) -> dict[str, list[Any]]:
    """The rows of the index, without the ids and numbers that are made anew with every version."""
    made_anew = {"id", "ordinal", "first_ordinal"}
    rows = acme.rows()
    return {
        table: sorted(({name: row[name] for name in row.keys() - made_anew} for row in rows[table]), key=str)
        for table in INDEX
    }


def change(home: Home, statement: str, **parameters: Any) -> None:
    with psycopg.connect(home.dsn, autocommit=True) as connection:
        assert connection.execute(statement, parameters).rowcount == 1


class TestRunningItTwice:
    async def test_does_nothing_to_a_document_that_is_searchable(self, acme, worker):
        document = await acme.indexed(LONG, title="Lease")
        before = {table: acme.rows()[table] for table in (*INDEX, "index_statistics", "document_texts")}

        job = await job_ended(acme, await enqueue(acme, document))

        assert job["state"] == "succeeded"
        assert {table: acme.rows()[table] for table in before} == before

    async def test_leaves_the_same_index_as_running_it_once(self, acme, worker):
        document = await acme.indexed(LONG, title="Lease")
        before, statistics = index_of(acme), acme.rows()["index_statistics"][0]
        change(acme.home, "UPDATE documents SET status = 'processing' WHERE id = %(id)s", id=document["id"])

        job = await job_ended(acme, await enqueue(acme, document))

        assert job["state"] == "succeeded"
        assert index_of(acme) == before
        counted = ("documents", "chunks", "total_length", "languages")
        assert [acme.rows()["index_statistics"][0][name] for name in counted] == [statistics[name] for name in counted]

    async def test_in_two_jobs_at_once_is_one_after_the_other(self, acme):
        document = await acme.add(LONG)
        second = await enqueue(acme, document)

        async with acme.home.working():
            jobs = [await job_ended(acme, job) for job in (document["job_id"], second)]

        assert [job["state"] for job in jobs] == ["succeeded", "succeeded"]
        assert (await acme.get("/api/stats"))["index"]["documents"] == 1


class TestDeletedMeanwhile:
    @pytest.mark.parametrize("moment", ["extracting", "embedding"])
    async def test_leaves_nothing(self, acme, gate, moment):
        home = acme.home
        sandbox = SlowSandbox(gate) if moment == "extracting" else None
        encoder = SlowEncoder(home, gate) if moment == "embedding" else None
        async with home.working(encoder, sandbox):
            document = await acme.add(LONG)
            await asyncio.wait_for(gate.reached.wait(), 30)

            gone = await acme.call("DELETE", f"/api/documents/{document['id']}")
            gate.opened.set()
            job = await job_ended(acme, document["job_id"])

            async def is_clean() -> bool:
                return not any(str(acme.tenant) in key for key in await home.objects())

            await eventually(is_clean)
        if sandbox:
            await sandbox.close()

        assert gone.status_code == 204
        assert job["state"] in {"cancelled", "failed"}
        rows = acme.rows()
        assert not any(rows[table] for table in (*INDEX, "documents", "document_versions", "document_texts"))
        assert (rows["tenant_usage"][0]["documents"], rows["tenant_usage"][0]["storage_bytes"]) == (0, 0)
        assert (await acme.search("lease"))["total"] == 0


class TestOvertaken:
    async def test_by_a_newer_version_it_leaves_the_newer_one(self, acme, gate):
        home = acme.home
        async with home.working(SlowEncoder(home, gate), concurrency=1):
            document = await acme.add("The old lease ends in May.")
            await asyncio.wait_for(gate.reached.wait(), 30)
            newer = await given_version(acme, document, 2, b"The new lease ends in June.")
            change(home, "UPDATE jobs SET lock_key = NULL WHERE id = %(id)s", id=document["job_id"])
            # The lock of the document would make the newer version wait: this is what happens when it was lost.
            async with home.working():
                assert (await job_ended(acme, newer))["state"] == "succeeded"
            gate.opened.set()
            late = await job_ended(acme, document["job_id"])

        assert late["state"] == "failed"
        shown = await acme.get(f"/api/documents/{document['id']}")
        assert (shown["version"], shown["status"], shown["error"]) == (2, "indexed", None)
        assert await acme.text(document["id"]) == "The new lease ends in June."
        assert [row["text"] for row in acme.rows()["chunks"]] == ["The new lease ends in June."]

    async def test_readers_see_the_old_version_until_the_new_one_is_whole(self, acme, gate):
        home = acme.home
        async with home.working():
            document = await acme.indexed("The old lease ends in May.")
        async with home.working(SlowEncoder(home, gate)):
            newer = await given_version(acme, document, 2, b"The new lease ends in June.")
            await asyncio.wait_for(gate.reached.wait(), 30)

            during = [hit["text"] for hit in (await acme.search("lease"))["results"]]
            text = await acme.text(document["id"])
            gate.opened.set()
            await job_ended(acme, newer)

        after = [hit["text"] for hit in (await acme.search("lease"))["results"]]
        assert during == [text] == ["The old lease ends in May."]
        assert after == ["The new lease ends in June."]


async def given_version(acme: Organisation, document: dict[str, Any], version: int, content: bytes) -> str:
    """A further version of a document, as nothing in the API makes one yet, and its job."""

    async def chunks() -> Any:
        yield content

    key = f"{acme.tenant}/{document['id']}/{version}"
    stored = await acme.home.house.blobs.put(key, chunks(), limit=None)
    change(
        acme.home,
        "INSERT INTO document_versions (tenant_id, document_id, version, object_key, title, size_bytes, sha256,"
        " created_at) VALUES (%(tenant)s, %(id)s, %(version)s, %(key)s, '', %(size)s, %(sha)s, now())",
        tenant=acme.tenant,
        id=document["id"],
        version=version,
        key=key,
        size=stored.size,
        sha=stored.sha256,
    )
    return await enqueue(acme, {**document, "version": version})


class TestWhatCannotBeRead:
    @pytest.mark.parametrize(
        ("content", "filename", "code"),
        [
            (bytes(range(256)) * 64, "noise.txt", "not-text"),
            (b"\x89PNG\r\n\x1a\n" + bytes(1000), "picture.txt", "unsupported-type"),
            (b" \n\t \n", "blank.txt", "no-text-found"),
            (b"<html><head><script>alert(1)</script></head><body></body></html>", "empty.html", "no-text-found"),
            ("\ufeff".encode(), "mark.txt", "no-text-found"),
        ],
    )
    async def test_ends_failed_with_a_reason_for_people(self, acme, worker, content, filename, code):
        uploaded = await acme.upload(content, filename)

        document = await acme.ended(uploaded.json()["id"])

        assert document["status"] == "failed"
        assert document["error"]["code"] == code
        assert len(document["error"]["detail"]) > 10
        job = await job_ended(acme, document["job_id"])
        assert (job["state"], job["attempt"], job["error"]) == ("failed", 1, document["error"])
        assert not any(acme.rows()[table] for table in INDEX)

    async def test_whose_bytes_are_lost_ends_failed(self, acme):
        document = await acme.add("Some text.")
        await acme.home.house.blobs.delete(f"{acme.tenant}/{document['id']}/1")

        async with acme.home.working():
            ended = await acme.ended(document["id"])

        assert ended["error"]["code"] == "object-not-found"

    async def test_is_read_again_when_its_job_is_retried(self, acme, worker):
        document = await acme.ended((await acme.upload(bytes(range(256)) * 8, "noise.txt")).json()["id"])

        again = await acme.call("POST", f"/api/jobs/{document['job_id']}/retry")
        job = await job_ended(acme, document["job_id"])

        assert again.status_code == 200
        assert (job["state"], job["error"]["code"]) == ("failed", "not-text")
        assert (await acme.get(f"/api/documents/{document['id']}"))["status"] == "failed"


class TestTitles:
    PAGE = "<html><head><title>Opening  hours</title></head><body><p>We open at nine.</p></body></html>"

    async def test_of_a_page_are_taken_where_none_was_given(self, acme, worker):
        document = await acme.indexed(self.PAGE, mime_type="text/html")

        assert document["title"] == "Opening hours"
        found = await acme.search("opening hours", type="keyword")
        assert [(hit["title"], hit["text"]) for hit in found["results"]] == [("Opening hours", "We open at nine.")]

    async def test_that_were_given_stay(self, acme, worker):
        document = await acme.indexed(self.PAGE, mime_type="text/html", title="Visitors")

        assert document["title"] == "Visitors"
        assert (await acme.search("hours", type="keyword"))["total"] == 0
        assert (await acme.search("visitors", type="keyword"))["total"] == 1


class TestWhileItWorks:
    async def test_it_says_how_far_it_is(self, acme, gate, monkeypatch):
        monkeypatch.setattr(jobs_service, "PROGRESS_INTERVAL", 0.0)
        async with acme.home.working(SlowEncoder(acme.home, gate)):
            document = await acme.add(LONG)
            await asyncio.wait_for(gate.reached.wait(), 30)

            async def has_told() -> dict[str, Any] | None:
                job: dict[str, Any] = await acme.get(f"/api/jobs/{document['job_id']}")
                return job if job["progress"]["done"] else None

            job = await eventually(has_told)
            status = (await acme.get(f"/api/documents/{document['id']}"))["status"]
            gate.opened.set()
            ended = await job_ended(acme, document["job_id"])

        chunks = (await acme.get(f"/api/documents/{document['id']}"))["chunk_count"]
        assert (job["state"], job["step"], status) == ("running", "embed", "processing")
        assert 0 < job["progress"]["done"] < job["progress"]["total"] == chunks
        assert ended["progress"] == {"done": chunks, "total": chunks}

    @pytest.mark.parametrize("moment", ["extracting", "embedding"])
    async def test_it_holds_no_transaction(self, acme, gate, moment):
        home = acme.home
        sandbox = SlowSandbox(gate) if moment == "extracting" else None
        encoder = SlowEncoder(home, gate) if moment == "embedding" else None
        async with home.working(encoder, sandbox, lease=timedelta(seconds=60)):
            document = await acme.add(LONG)
            await asyncio.wait_for(gate.reached.wait(), 30)

            seen = [await asyncio.to_thread(open_transactions, home) for _ in range(10)]
            gate.opened.set()
            await acme.ended(document["id"])
        if sandbox:
            await sandbox.close()

        # The worker's own loops may be caught in the middle of a statement; nothing is held from one look to the next.
        assert not set.intersection(*seen)

    async def test_a_stopped_worker_gives_it_back_and_the_next_one_does_it(self, acme, gate):
        async with acme.home.working(SlowEncoder(acme.home, gate)):
            document = await acme.add(LONG)
            await asyncio.wait_for(gate.reached.wait(), 30)

        async with acme.home.working():
            ended = await acme.ended(document["id"])

        assert ended["status"] == "indexed"
        assert (await acme.get("/api/stats"))["index"] == {
            "documents": 1,
            "chunks": ended["chunk_count"],
            "model": acme.home.model._encoder.embedder.model,
        }


def open_transactions(home: Home) -> set[tuple[int, str]]:
    with psycopg.connect(home.dsn, autocommit=True) as connection:
        found = connection.execute(
            "SELECT pid, xact_start::text FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
        ).fetchall()
    return {(pid, began) for pid, began in found}


async def test_a_document_that_never_was_is_nothing_to_do(acme, worker):
    job = await enqueue(acme, {"id": str(uuid7()), "version": 1})

    assert (await job_ended(acme, job))["state"] == "succeeded"
