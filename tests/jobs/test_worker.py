import asyncio
import os
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from carrel.core.errors import Problem
from carrel.infra.db import Role
from carrel.infra.db.errors import DatabaseUnavailable
from carrel.jobs.backoff import Backoff
from carrel.jobs.schemas import State
from carrel.jobs.service import Job

pytestmark = pytest.mark.anyio


class NoText(Problem):
    code, title, status = "no-text-for-this-test", "No text", 422


class TestSuccess:
    async def test_a_task_that_returns_has_succeeded(self, desk, leave_effect):
        @desk.task()
        async def work(job: Job) -> None:
            async with job.step("count") as db:
                await leave_effect(db)

        async with desk.working():
            found = await desk.until(await desk.enqueue(work))

        assert (found.state, found.attempt, found.step, found.error) == (State.SUCCEEDED, 1, "count", None)
        assert found.created_at <= found.started_at <= found.finished_at
        assert await desk.effects() == 1

    async def test_an_idle_worker_starts_a_job_long_before_it_would_look_by_itself(self, desk):
        @desk.task()
        async def work(job: Job) -> None:
            pass

        waits: list[Any] = []
        async with desk.working():
            await desk.until(await desk.enqueue(work))
            for _ in range(9):
                found = await desk.until(await desk.enqueue(work))
                waits.append((found.started_at - found.created_at).total_seconds())

        assert sorted(waits)[4] < 0.2

    async def test_a_listener_whose_connection_is_cut_is_made_again(self, desk, dsn, eventually):
        @desk.task()
        async def work(job: Job) -> None:
            pass

        async def listening():
            query = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            return connection.execute(query).fetchall()

        with psycopg.connect(dsn, autocommit=True) as connection:
            async with desk.working():
                first = await eventually(listening)
                connection.execute("SELECT pg_terminate_backend(%s)", first[0])
                await eventually(lambda: another_than(first, listening))
                assert (await desk.until(await desk.enqueue(work))).state == State.SUCCEEDED

    async def test_a_task_gets_what_the_worker_was_given_for_it(self, desk):
        @desk.task()
        async def work(job: Job) -> None:
            seen.append(job.provide(str))

        seen: list[Any] = []
        desk.providers[str] = lambda job: f"made for {job.id}"
        job = await desk.enqueue(work)
        async with desk.working():
            await desk.until(job)

        assert seen == [f"made for {job}"]

    async def test_two_workers_do_every_job_exactly_once(self, desk, leave_effect):
        @desk.task()
        async def work(job: Job) -> None:
            async with job.last_step("count") as db:
                await leave_effect(db)

        jobs = [await desk.enqueue(work) for _ in range(200)]
        async with desk.working(per_tenant=8), desk.working(per_tenant=8):
            ended = [await desk.until(job) for job in jobs]

        assert {(job.state, job.attempt) for job in ended} == {(State.SUCCEEDED, 1)}
        assert await desk.effects() == 200


class TestFailure:
    async def test_a_problem_of_the_callers_making_ends_the_job_at_once(self, desk, leave_note):
        @desk.task()
        async def work(job: Job, name: str) -> None:
            raise NoText("The document holds no text.")

        @work.when_failed
        async def note(ended, db, code, detail, name):
            told.append((ended.state, code, detail, name))
            await leave_note(db)

        told: list[Any] = []
        async with desk.working():
            found = await desk.until(await desk.enqueue(work, name="lease"))

        assert (found.state, found.attempt) == (State.FAILED, 1)
        assert (found.error.code, found.error.detail) == ("no-text-for-this-test", "The document holds no text.")
        assert told == [(State.FAILED, "no-text-for-this-test", "The document holds no text.", "lease")]
        assert await desk.notes() == 1

    async def test_a_bug_is_tried_again_until_it_works(self, desk):
        @desk.task()
        async def work(job: Job) -> None:
            tries.append((job.attempt, time.monotonic()))
            if job.attempt < 3:
                raise KeyError("bug")

        tries: list[Any] = []
        async with desk.working():
            found = await desk.until(await desk.enqueue(work))

        assert (found.state, found.attempt, found.error) == (State.SUCCEEDED, 3, None)
        assert [attempt for attempt, _ in tries] == [1, 2, 3]

    async def test_a_problem_of_our_own_is_tried_again(self, desk):
        @desk.task()
        async def work(job: Job) -> None:
            if job.attempt == 1:
                raise DatabaseUnavailable("The database does not answer.")

        async with desk.working():
            found = await desk.until(await desk.enqueue(work))

        assert (found.state, found.attempt) == (State.SUCCEEDED, 2)

    async def test_after_the_last_try_a_job_is_a_dead_letter_that_can_be_replayed(self, desk, leave_note):
        @desk.task()
        async def work(job: Job) -> None:
            if not mended:
                raise KeyError("secret text of a document")

        @work.when_failed
        async def note(ended, db, code, detail):
            await leave_note(db)

        mended: list[Any] = []
        async with desk.working():
            job = await desk.enqueue(work)
            dead = await desk.until(job)
            mended.append(True)
            async with desk.queue() as queue:
                await queue.retry(job)
            replayed = await desk.until(job)

        assert (dead.state, dead.attempt, dead.error.code) == (State.FAILED, 5, "internal-error")
        assert "secret" not in dead.error.detail
        assert await desk.notes() == 1
        assert (replayed.state, replayed.attempt) == (State.SUCCEEDED, 1)

    async def test_a_job_that_waits_for_its_next_try_tells_why(self, desk, eventually):
        @desk.task()
        async def work(job: Job) -> None:
            raise KeyError

        async def tried():
            found = await desk.view(job)
            return found if found.attempt == 1 and found.state == State.QUEUED else None

        async with desk.working(backoff=Backoff(base=timedelta(hours=1))):
            job = await desk.enqueue(work)
            found = await eventually(tried)

        assert found.error.code == "internal-error"
        assert found.run_at - found.created_at > timedelta(minutes=45)

    async def test_a_task_that_takes_too_long_is_cut_off(self, desk):
        @desk.task(timeout=timedelta(milliseconds=50))
        async def work(job: Job) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                cut_off.append(job.attempt)

        cut_off: list[Any] = []
        desk.max_attempts = 2
        async with desk.working():
            found = await desk.until(await desk.enqueue(work))

        assert (found.state, found.error.code) == (State.FAILED, "job-timeout")
        assert cut_off == [1, 2]

    async def test_a_job_of_an_unknown_task_ends_with_a_reason(self, desk):
        @desk.task()
        async def work(job: Job) -> None:
            pass

        desk.max_attempts = 2
        job = await desk.enqueue(work)
        del desk.tasks["work"]
        async with desk.working():
            found = await desk.until(job)

        assert (found.state, found.error.code) == (State.FAILED, "task-unknown")

    async def test_a_job_does_not_end_without_what_its_hook_writes(self, desk, leave_note, eventually):
        @desk.task()
        async def work(job: Job) -> None:
            raise NoText("The document holds no text.")

        @work.when_failed
        async def note(ended, db, code, detail):
            tries.append(code)
            await leave_note(db)
            if len(tries) < 3:
                raise KeyError("the hook is broken")

        tries: list[Any] = []
        async with desk.working(lease=timedelta(milliseconds=600)):
            found = await desk.until(await desk.enqueue(work))

        assert (found.state, await desk.notes()) == (State.FAILED, 1)
        assert len(tries) >= 3


class TestStop:
    async def test_a_stopping_worker_gives_its_jobs_back(self, desk, eventually):
        @desk.task()
        async def work(job: Job) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                cut_off.append(True)

        cut_off: list[Any] = []
        async with desk.working():
            job = await desk.enqueue(work)
            await desk.until(job, State.RUNNING)
            began = time.monotonic()
        took = time.monotonic() - began

        found = await desk.view(job)
        assert (found.state, found.attempt, cut_off) == (State.QUEUED, 0, [True])
        assert took < 4

    async def test_a_task_that_does_not_end_does_not_hold_up_the_stop(self, desk, eventually, leave_effect):
        @desk.task()
        async def work(job: Job) -> None:
            while not released:
                try:
                    await asyncio.sleep(0.05)
                except asyncio.CancelledError:
                    deaf.append(True)
            try:
                async with job.step("count") as db:
                    await leave_effect(db)
            finally:
                ended.append(True)

        async def has_ended():
            return ended

        released: list[bool] = []
        deaf: list[bool] = []
        ended: list[bool] = []
        async with desk.working():
            job = await desk.enqueue(work)
            await desk.until(job, State.RUNNING)
            began = time.monotonic()
        took = time.monotonic() - began
        released.append(True)
        await eventually(has_ended)

        assert took < 4
        assert deaf
        assert (await desk.view(job)).state == State.QUEUED
        assert await desk.effects() == 0

    async def test_a_worker_can_be_stopped_at_any_moment(self, desk, leave_effect):
        @desk.task()
        async def work(job: Job) -> None:
            async with job.last_step("count") as db:
                await leave_effect(db)

        jobs = [await desk.enqueue(work) for _ in range(25)]
        for moment in range(25):
            async with asyncio.timeout(15), desk.working(concurrency=2):
                await asyncio.sleep(moment / 500)
        async with desk.working():
            ended = [await desk.until(job) for job in jobs]

        assert {job.state for job in ended} == {State.SUCCEEDED}
        assert await desk.effects() == 25

    async def test_a_worker_is_in_the_list_while_it_lives(self, desk, eventually):
        async def listed():
            async with desk.database.transaction(Role.QUEUE) as db:
                query = "SELECT count(*) FROM job_workers WHERE id LIKE %(name)s AND process_id = %(me)s"
                return await db.value(query, name=f"{desk.line}/%", me=os.getpid())

        async with desk.working():
            assert await eventually(listed) == 1
        assert await listed() == 0


class TestKeeping:
    async def test_finished_jobs_are_forgotten_after_a_while(self, desk, eventually):
        @desk.task()
        async def work(job: Job) -> None:
            pass

        async def one_is_left():
            async with desk.queue() as queue:
                return await queue.total() == 2

        old, fresh, waiting = [await desk.enqueue(work, priority=9) for _ in range(3)]
        async with desk.queue() as queue:
            await queue.cancel(old)
            await queue.cancel(fresh)
        async with desk.database.transaction(Role.APP, desk.tenant) as db:
            await db.execute("UPDATE jobs SET finished_at = now() - interval '8 days' WHERE id = %(id)s", id=old)
        async with desk.working(serves="nothing"):
            await eventually(one_is_left)

        assert (await desk.view(fresh)).state == State.CANCELLED
        assert (await desk.view(waiting)).state == State.QUEUED


class TestOutage:
    async def test_a_job_outlives_an_absence_of_the_database_longer_than_its_lease(self, desk, away, eventually):
        @desk.task()
        async def work(job: Job) -> None:
            await eventually(is_back)
            async with job.last_step("count"):
                pass

        async def is_back():
            return back

        back: list[Any] = []
        async with desk.working(lease=timedelta(seconds=1)):
            job = await desk.enqueue(work)
            await desk.until(job, State.RUNNING)
            async with away():
                await asyncio.sleep(1.5)
            await eventually(lambda: answers(desk))
            back.append(True)
            found = await desk.until(job)

        assert found.state == State.SUCCEEDED

    async def test_a_worker_stops_in_time_without_a_database(self, desk, away):
        @desk.task()
        async def work(job: Job) -> None:
            await asyncio.sleep(60)

        async with desk.working():
            job = await desk.enqueue(work)
            await desk.until(job, State.RUNNING)
            async with away():
                began = time.monotonic()
                await desk.stop()
                took = time.monotonic() - began

        assert took < 4


@pytest.fixture
def away(dsn):
    """While it is entered, the database refuses everybody; all connections are cut when it is."""

    @asynccontextmanager
    async def shut():
        name = conninfo_to_dict(dsn)["dbname"]
        with psycopg.connect(make_conninfo(dsn, dbname="postgres"), autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            try:
                yield
            finally:
                connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    return shut


async def answers(desk):
    try:
        return await desk.effects() == 0
    except DatabaseUnavailable:
        return False


async def another_than(first, listening):
    found = await listening()
    return found if found and found != first else None
