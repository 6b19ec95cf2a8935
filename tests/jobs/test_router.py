from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Request

from carrel.core.ids import uuid7
from carrel.infra.settings import Objects
from carrel.infra.web import Caller, Cursors, Kit
from carrel.infra.web.app import build
from carrel.jobs.router import router
from carrel.jobs.service import Job, Queue

pytestmark = pytest.mark.anyio


@pytest.fixture
def callers(tenant, stranger) -> dict[str, Caller]:
    return {
        "writer": Caller(tenant, "key:1", "Writer", frozenset({"read", "write"})),
        "reader": Caller(tenant, "key:2", "Reader", frozenset({"read"})),
        "stranger": Caller(stranger, "key:3", "Stranger", frozenset({"admin"})),
    }


@pytest.fixture
async def client(desk, callers) -> AsyncIterator[httpx.AsyncClient]:
    async def identify(request: Request) -> Caller:
        return callers[request.headers["X-API-Key"]]

    app = build([router], Objects())
    app.state.kit = Kit(
        database=desk.database,
        identify=identify,
        providers={Queue: lambda scope: Queue(scope.db, scope.tenant, desk.registry)},
        cursors=Cursors(b"secret"),
        json_max_bytes=2**20,
        upload_max_bytes=2**20,
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers={"X-API-Key": "writer"}) as made:
        yield made


@pytest.fixture
def work(desk):
    @desk.task()
    async def work(job: Job) -> None:
        pass

    return work


async def test_a_job_is_shown_whole(client, desk, work):
    job = await desk.enqueue(work)

    answer = await client.get(f"/api/jobs/{job}")

    shown = answer.json()
    assert answer.status_code == 200
    assert {name: shown[name] for name in ("id", "task", "state", "priority", "attempt", "max_attempts")} == {
        "id": str(job),
        "task": "work",
        "state": "queued",
        "priority": 5,
        "attempt": 0,
        "max_attempts": 5,
    }
    assert (shown["progress"], shown["error"], shown["step"]) == ({"done": 0, "total": None}, None, None)
    assert shown["finished_at"] is None
    assert set(shown) >= {"created_at", "started_at", "run_at"}


@pytest.mark.parametrize("path", ["/api/jobs/{}", "/api/jobs/{}/cancel", "/api/jobs/{}/retry"])
async def test_a_stranger_is_told_that_there_is_no_such_job(client, desk, work, path):
    job = await desk.enqueue(work)
    method = "GET" if path.endswith("{}") else "POST"

    answer = await client.request(method, path.format(job), headers={"X-API-Key": "stranger"})

    assert (answer.status_code, answer.json()["code"]) == (404, "job-not-found")
    assert (await client.get(f"/api/jobs/{job}")).json()["state"] == "queued"


async def test_an_unknown_job_is_not_found(client):
    assert (await client.get(f"/api/jobs/{uuid7()}")).status_code == 404


async def test_who_may_only_read_cannot_cancel(client, desk, work):
    job = await desk.enqueue(work)
    answer = await client.post(f"/api/jobs/{job}/cancel", headers={"X-API-Key": "reader"})
    assert answer.status_code == 403


async def test_a_job_is_cancelled_once_and_retried(client, desk, work):
    job = await desk.enqueue(work)

    cancelled = await client.post(f"/api/jobs/{job}/cancel")
    again = await client.post(f"/api/jobs/{job}/cancel")
    retried = await client.post(f"/api/jobs/{job}/retry")
    too_often = await client.post(f"/api/jobs/{job}/retry")

    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert cancelled.json()["error"]["code"] == "job-cancelled"
    assert (again.status_code, again.json()["code"]) == (409, "job-finished")
    assert (retried.status_code, retried.json()["state"]) == (200, "queued")
    assert (too_often.status_code, too_often.json()["code"]) == (409, "job-not-retryable")


async def test_the_list_is_walked_by_cursor(client, desk, work):
    jobs = [str(await desk.enqueue(work)) for _ in range(5)]

    first = (await client.get("/api/jobs", params={"limit": 3})).json()
    second = (await client.get("/api/jobs", params={"limit": 3, "cursor": first["next_cursor"]})).json()

    assert [job["id"] for job in first["data"] + second["data"]] == jobs[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)


async def test_the_list_can_be_entered_at_an_offset_and_be_of_one_state(client, desk, work):
    jobs = [str(await desk.enqueue(work)) for _ in range(4)]
    await client.post(f"/api/jobs/{jobs[3]}/cancel")

    page = (await client.get("/api/jobs", params={"offset": 1, "limit": 1, "state": "queued"})).json()

    assert [job["id"] for job in page["data"]] == [jobs[1]]
    assert page["total"] == 3


async def test_a_stranger_lists_nothing(client, desk, work):
    await desk.enqueue(work)
    answer = await client.get("/api/jobs", headers={"X-API-Key": "stranger"})
    assert answer.json()["data"] == []
