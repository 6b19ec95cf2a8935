import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import Request

from carrel.core.clock import now
from carrel.core.ids import uuid7
from carrel.infra.settings import Objects
from carrel.infra.web import Caller, Cursors, Kit
from carrel.infra.web.app import build
from carrel.jobs.errors import JobTimeout
from carrel.jobs.following import Followers, Stream
from carrel.jobs.history import LONGEST
from carrel.jobs.router import administration, router
from carrel.jobs.schemas import ALL
from carrel.jobs.service import Job, Queue

pytestmark = pytest.mark.anyio


@pytest.fixture
def callers(tenant, stranger) -> dict[str, Caller]:
    return {
        "writer": Caller(tenant, "key:1", "Writer", frozenset({"read", "write"})),
        "reader": Caller(tenant, "key:2", "Reader", frozenset({"read"})),
        "stranger": Caller(stranger, "key:3", "Stranger", frozenset({"admin"})),
        "admin": Caller(tenant, "key:4", "Admin", frozenset({"admin"})),
    }


@pytest.fixture
def followers() -> Followers:
    return Followers(most=2)


@pytest.fixture
async def client(desk, callers, followers) -> AsyncIterator[httpx.AsyncClient]:
    async def identify(request: Request) -> Caller:
        return callers[request.headers["X-API-Key"]]

    app = build([router, administration], Objects())
    app.state.kit = Kit(
        database=desk.database,
        identify=identify,
        providers={
            Queue: lambda scope: Queue(scope.db, scope.tenant, desk.registry),
            Stream: lambda scope: Stream(scope.database, scope.tenant, desk.registry, ALL, followers),
        },
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


def admin(**more):
    return {"headers": {"X-API-Key": "admin"}, **more}


async def test_a_job_tells_what_has_happened_to_it(client, desk):
    @desk.task()
    async def work(job: Job) -> None:
        async with job.step("read"):
            pass
        if job.attempt == 1:
            raise JobTimeout("It took too long.")

    job = await desk.enqueue(work)
    async with desk.working():
        await desk.until(job)

    log = (await client.get(f"/api/jobs/{job}")).json()["log"]

    assert [(entry["event"], entry["step"], entry["code"]) for entry in log] == [
        ("taken", None, None),
        ("step", "read", None),
        ("postponed", None, "job-timeout"),
        ("taken", None, None),
        ("step", "read", None),
        ("succeeded", None, None),
    ]
    assert [entry["attempt"] for entry in log if entry["event"] == "taken"] == [1, 2]
    assert [entry["at"] for entry in log] == sorted(entry["at"] for entry in log)


async def test_a_job_that_goes_on_for_ever_keeps_its_first_hundred_entries(client, desk):
    @desk.task()
    async def work(job: Job) -> None:
        for number in range(LONGEST + 20):
            async with job.step(f"step {number}"):
                pass

    job = await desk.enqueue(work)
    async with desk.working():
        await desk.until(job)

    log = (await client.get(f"/api/jobs/{job}")).json()["log"]

    assert [log[0]["event"], log[1]["step"], len(log)] == ["taken", "step 0", LONGEST]


class TestFollowing:
    async def test_a_stream_tells_each_state_and_ends_with_the_job(self, client, desk, work):
        job = await desk.enqueue(work)

        following = asyncio.create_task(client.get(f"/api/jobs/{job}/events"))
        await asyncio.sleep(0.2)
        async with desk.working():
            answer = await following
        said = events_of(answer.text)

        assert answer.headers["content-type"].startswith("text/event-stream")
        assert [said[0][0], said[-1][0]] == ["progress", "done"]
        assert [said[0][1]["state"], said[-1][1]["state"]] == ["queued", "succeeded"]
        assert {name for name, _ in said[:-1]} == {"progress"}

    async def test_a_job_that_has_ended_is_told_once(self, client, desk, work):
        job = await desk.enqueue(work)
        await client.post(f"/api/jobs/{job}/cancel")

        said = events_of((await client.get(f"/api/jobs/{job}/events")).text)

        assert [(name, told["state"]) for name, told in said] == [("done", "cancelled")]

    async def test_a_strangers_job_is_not_found(self, client, desk, work):
        job = await desk.enqueue(work)

        answer = await client.get(f"/api/jobs/{job}/events", headers={"X-API-Key": "stranger"})

        assert (answer.status_code, answer.json()["code"]) == (404, "job-not-found")

    async def test_a_process_follows_only_so_many(self, client, desk, work, followers):
        job = await desk.enqueue(work)
        followers.open = followers.most

        answer = await client.get(f"/api/jobs/{job}/events")

        assert (answer.status_code, answer.json()["code"]) == (503, "too-many-followers")

    async def test_a_stream_that_has_ended_makes_room(self, client, desk, work, followers):
        job = await desk.enqueue(work)
        await client.post(f"/api/jobs/{job}/cancel")

        for _ in range(followers.most + 1):
            assert (await client.get(f"/api/jobs/{job}/events")).status_code == 200

        assert followers.open == 0


class TestAdministration:
    async def test_the_list_sums_up_the_queue(self, client, desk, work):
        jobs = [str(await desk.enqueue(work)) for _ in range(3)]
        await desk.enqueue(work, run_at=now() + timedelta(days=1))
        await client.post(f"/api/jobs/{jobs[0]}/cancel")

        page = (await client.get("/api/admin/jobs", **admin(params={"state": "queued"}))).json()

        assert [job["id"] for job in page["data"][1:]] == [jobs[2], jobs[1]]
        assert page["summary"]["counts"] == {"queued": 3, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 1}
        assert (page["summary"]["line"]["depth"], page["summary"]["line"]["postponed"]) == (2, 1)
        assert page["summary"]["line"]["oldest_seconds"] > 0

    async def test_an_empty_queue_has_no_oldest(self, client):
        page = (await client.get("/api/admin/jobs", **admin())).json()

        assert page["data"] == []
        assert page["summary"]["line"] == {"depth": 0, "postponed": 0, "oldest_seconds": None}

    async def test_filters_are_by_task_error_and_time(self, client, desk, work):
        @desk.task("other")
        async def other(job: Job) -> None:
            raise AssertionError

        first, second = await desk.enqueue(work), await desk.enqueue(other)
        made = (await client.get(f"/api/jobs/{second}")).json()["created_at"]
        await client.post(f"/api/jobs/{first}/cancel")

        async def found(**wanted):
            page = (await client.get("/api/admin/jobs", **admin(params={"offset": 0, **wanted}))).json()
            assert page["total"] == len(page["data"])
            return [job["id"] for job in page["data"]]

        assert await found(task="other") == [str(second)]
        assert await found(error_code="job-cancelled") == [str(first)]
        assert await found(created_from=made) == [str(second)]
        assert await found(created_before=made) == [str(first)]

    async def test_many_dead_jobs_are_put_back_at_once(self, client, desk, work):
        jobs = [str(await desk.enqueue(work)) for _ in range(4)]
        for job in jobs[:3]:
            await client.post(f"/api/jobs/{job}/cancel")
        body = {"state": "cancelled", "error_code": "job-cancelled", "limit": 2}

        counts = [(await client.post("/api/admin/jobs/retry", **admin(json=body))).json()["retried"] for _ in range(3)]

        assert counts == [2, 1, 0]
        assert [(await client.get(f"/api/jobs/{job}")).json()["state"] for job in jobs] == ["queued"] * 4

    async def test_a_dead_job_whose_work_is_under_way_stays_dead_and_the_others_run(self, client, desk, work):
        dead = await desk.enqueue(work, unique="the same")
        await client.post(f"/api/jobs/{dead}/cancel")
        await desk.enqueue(work, unique="the same")
        other = await desk.enqueue(work)
        await client.post(f"/api/jobs/{other}/cancel")

        answer = await client.post("/api/admin/jobs/retry", **admin(json={"state": "cancelled"}))

        assert answer.json() == {"retried": 1}
        assert (await client.get(f"/api/jobs/{dead}")).json()["state"] == "cancelled"

    async def test_the_dead_jobs_of_others_stay_dead(self, client, desk, work):
        job = await desk.enqueue(work)
        await client.post(f"/api/jobs/{job}/cancel")

        answer = await client.post(
            "/api/admin/jobs/retry", json={"state": "cancelled"}, headers={"X-API-Key": "stranger"}
        )

        assert answer.json() == {"retried": 0}
        assert (await client.get(f"/api/jobs/{job}")).json()["state"] == "cancelled"

    @pytest.mark.parametrize(
        "body", [{"state": "running"}, {"limit": 0}, {"tenant_id": "x"}, {"created_from": "today"}]
    )
    async def test_what_cannot_be_meant_is_refused(self, client, body):
        answer = await client.post("/api/admin/jobs/retry", **admin(json=body))

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")

    async def test_is_for_administrators(self, client, desk, work):
        job = await desk.enqueue(work)

        answers = [
            await client.get("/api/admin/jobs"),
            await client.post("/api/admin/jobs/retry", json={}),
            await client.post(f"/api/admin/jobs/{job}/retry"),
        ]

        assert [answer.status_code for answer in answers] == [403] * 3


def events_of(text):
    """The events of a stream, each with its name and its data."""
    said = []
    for piece in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in piece.splitlines() if not line.startswith(":"))
        if fields:
            said.append((fields["event"], json.loads(fields["data"])))
    return said
