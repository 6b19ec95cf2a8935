import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from carrel.infra.db import Role, Statement
from carrel.jobs.errors import JobCancelled, JobLost
from carrel.jobs.schemas import State
from carrel.jobs.service import Job

pytestmark = pytest.mark.anyio


class TestSteps:
    async def test_a_step_of_a_job_that_was_taken_away_leaves_nothing(self, desk, leave_effect, eventually):
        @desk.task()
        async def work(job: Job) -> None:
            if job.attempt == 1:
                await give_to_another(desk, job)
            try:
                async with job.step("count") as db:
                    await leave_effect(db)
            except JobLost:
                lost.append(job.attempt)
                raise

        async def told():
            return lost

        lost: list[Any] = []
        job = await desk.enqueue(work)
        async with desk.working():
            assert await eventually(told) == [1]

        assert await desk.effects() == 0
        assert (await desk.view(job)).state == State.RUNNING

    async def test_the_last_step_of_a_job_that_was_taken_away_leaves_nothing(self, desk, leave_effect, eventually):
        @desk.task()
        async def work(job: Job) -> None:
            await give_to_another(desk, job)
            try:
                async with job.last_step("count") as db:
                    await leave_effect(db)
            except JobLost:
                lost.append(job.attempt)
                raise

        async def told():
            return lost

        lost: list[Any] = []
        job = await desk.enqueue(work)
        async with desk.working():
            assert await eventually(told) == [1]

        assert (await desk.effects(), (await desk.view(job)).state) == (0, State.RUNNING)

    async def test_a_step_is_refused_when_the_lease_has_run_out(self, desk, leave_effect):
        @desk.task()
        async def work(job: Job) -> None:
            if job.attempt == 1:
                async with desk.database.transaction(Role.APP, desk.tenant) as db:
                    await db.execute("UPDATE jobs SET lease_until = now() - interval '1 second'")
            async with job.last_step("count") as db:
                await leave_effect(db)

        async with desk.working(lease=timedelta(seconds=30)):
            found = await desk.until(await desk.enqueue(work))

        assert (found.state, found.attempt, await desk.effects()) == (State.SUCCEEDED, 2, 1)

    async def test_a_last_step_that_fails_leaves_neither_effect_nor_success(self, desk, leave_effect):
        @desk.task()
        async def work(job: Job) -> None:
            async with job.last_step("count") as db:
                await leave_effect(db)
                if job.attempt == 1:
                    raise KeyError
            if job.attempt == 2:
                raise KeyError  # too late: it has succeeded

        async with desk.working():
            found = await desk.until(await desk.enqueue(work))

        assert (found.state, found.attempt, found.step, found.error) == (State.SUCCEEDED, 2, "count", None)
        assert await desk.effects() == 1

    async def test_effect_and_success_become_visible_in_one_moment(self, desk, leave_effect, eventually):
        @desk.task()
        async def work(job: Job) -> None:
            async with job.last_step("count") as db:
                await leave_effect(db)
                await eventually(looked_often)

        async def looked_often():
            return len(looks) > 20

        async def look():
            async with desk.database.transaction(Role.APP, desk.tenant) as db:
                query = "SELECT u.documents, j.state FROM jobs j JOIN tenant_usage u USING (tenant_id)"
                return (await db.batch([Statement(query)]))[0][0]

        looks = []
        async with desk.working():
            await desk.enqueue(work)
            while (seen := await look())[1] != "succeeded":
                looks.append(seen)
            looks.append(seen)

        assert set(looks) <= {(0, "queued"), (0, "running"), (1, "succeeded")}
        assert looks[-1] == (1, "succeeded")


class TestProgress:
    async def test_progress_is_written_at_most_once_a_second_and_with_each_step(self, desk, dsn):
        @desk.task()
        async def work(job: Job) -> None:
            began = time.monotonic()
            for done in range(1, 501):
                await job.progress(done, 500)
            elapsed.append(time.monotonic() - began)
            seen.append((await desk.view(job.id)).progress.done)
            async with job.step("embed"):
                pass
            seen.append((await desk.view(job.id)).progress.done)

        seen: list[int] = []
        elapsed: list[float] = []
        async with desk.working():
            found = await desk.until(await desk.enqueue(work))

        assert seen[0] == 1 or elapsed[0] > 1
        assert seen[1] == 500
        assert (found.progress.done, found.progress.total) == (500, 500)

    async def test_progress_tells_a_cancelled_job_to_stop(self, desk):
        @desk.task()
        async def work(job: Job) -> None:
            async with desk.queue() as queue:
                await queue.cancel(job.id)
            try:
                await job.progress(1)
            except JobCancelled:
                told.append(True)
                raise

        told: list[Any] = []
        async with desk.working():
            found = await desk.until(await desk.enqueue(work))

        assert (found.state, told) == (State.CANCELLED, [True])


class TestCancel:
    async def test_a_running_job_is_cut_off_at_a_heartbeat(self, desk, leave_note):
        @desk.task()
        async def work(job: Job) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                cut_off.append(True)

        @work.when_failed
        async def note(ended, db, code, detail):
            await leave_note(db)

        cut_off: list[Any] = []
        async with desk.working(lease=timedelta(milliseconds=600)):
            job = await desk.enqueue(work)
            await desk.until(job, State.RUNNING)
            async with desk.queue() as queue:
                assert (await queue.cancel(job)).state == State.RUNNING
                assert (await queue.cancel(job)).state == State.RUNNING
            found = await desk.until(job)

        assert (found.state, found.error.code, cut_off) == (State.CANCELLED, "job-cancelled", [True])
        assert await desk.notes() == 1

    async def test_nothing_that_a_cancelled_job_does_is_kept(self, desk, leave_effect):
        @desk.task()
        async def work(job: Job) -> None:
            async with desk.queue() as queue:
                await queue.cancel(job.id)
            async with job.last_step("count") as db:
                await leave_effect(db)

        async with desk.working():
            found = await desk.until(await desk.enqueue(work))

        assert (found.state, await desk.effects()) == (State.CANCELLED, 0)

    async def test_a_job_that_fails_after_it_was_cancelled_is_not_tried_again(self, desk):
        @desk.task()
        async def work(job: Job) -> None:
            async with desk.queue() as queue:
                await queue.cancel(job.id)
            raise KeyError

        async with desk.working():
            found = await desk.until(await desk.enqueue(work))

        assert (found.state, found.attempt) == (State.CANCELLED, 1)


async def give_to_another(desk, job):
    async with desk.database.transaction(Role.APP, desk.tenant) as db:
        await db.execute(
            "UPDATE jobs SET worker = 'another', attempt = attempt + 1, lease_until = now() + interval '1 hour' "
            "WHERE id = %(id)s",
            id=job.id,
        )
