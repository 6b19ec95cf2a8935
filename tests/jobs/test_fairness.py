from datetime import timedelta

import pytest

from carrel.core.clock import now
from carrel.infra.db import Role
from carrel.jobs.schemas import State, Wanted
from carrel.jobs.service import Job

pytestmark = pytest.mark.anyio


@pytest.fixture
def order():
    """The tenants in the order in which their jobs were begun."""
    return []


@pytest.fixture
def work(desk, order):
    @desk.task()
    async def work(job: Job) -> None:
        order.append(job.tenant)

    return work


class TestBetweenTenants:
    async def test_one_job_starts_within_three_job_times_of_ten_thousand_waiting(self, desk, stranger, eventually):
        begun = []

        @desk.task()
        async def work(job: Job) -> None:
            begun.append(job.tenant)
            if len(begun) == 20:
                begun.append(await desk.enqueue(work, tenant=stranger))

        async def strangers_turn():
            return stranger in begun

        await desk.fill(work, 10_000)
        async with desk.working(concurrency=1):
            await eventually(strangers_turn)

        assert begun.index(stranger) - 20 <= 3

    async def test_a_tenant_of_twice_the_weight_gets_twice_the_turns(self, desk, work, order, stranger):
        async with desk.queue(stranger) as queue:
            await queue.weigh(2)
        for _ in range(30):
            last = await desk.enqueue(work)
            await desk.enqueue(work, tenant=stranger)

        async with desk.working(concurrency=1):
            await desk.until(last)

        # While both had work: the heavier one's 30 jobs were done beside 15 of the other.
        beside = order[: len(order) - order[::-1].index(stranger)].count(desk.tenant)
        assert 14 <= beside <= 17

    async def test_a_tenant_at_its_limit_holds_up_nobody(self, desk, stranger, eventually):
        @desk.task()
        async def wait(job: Job) -> None:
            begun.append(job.tenant)
            await eventually(released)

        async def released():
            return stranger in begun

        begun = []
        await desk.fill(wait, 500)
        async with desk.working(concurrency=4, per_tenant=2):
            await eventually(lambda: desk_has(desk, State.RUNNING, 2))
            async with desk.database.transaction(Role.APP, stranger) as db:
                # Behind all of the others in virtual time: the worst place that there is.
                await db.execute(
                    "INSERT INTO job_clock (tenant_id, lines) VALUES (%(t)s, jsonb_build_object(%(l)s::text, 9000))",
                    t=stranger,
                    l=f"{desk.line}/5",
                )
            job = await desk.enqueue(wait, tenant=stranger)
            found = await desk.until(job, tenant=stranger)

        assert found.state == State.SUCCEEDED

    async def test_a_tenant_never_runs_more_than_its_limit(self, desk, eventually):
        at_once, most = set(), []

        @desk.task()
        async def work(job: Job) -> None:
            at_once.add(job.id)
            most.append(len(at_once))
            async with job.step("work"):
                pass
            at_once.discard(job.id)

        jobs = [await desk.enqueue(work) for _ in range(40)]
        async with desk.working(concurrency=4, per_tenant=3), desk.working(concurrency=4, per_tenant=3):
            for job in jobs:
                assert (await desk.until(job)).state == State.SUCCEEDED

        assert max(most) == 3


class TestBetweenLines:
    async def test_a_lower_priority_number_goes_first(self, desk, work, order, stranger):
        await desk.enqueue(work, priority=5)
        last = await desk.enqueue(work, priority=9)
        await desk.enqueue(work, priority=0, tenant=stranger)

        async with desk.working(concurrency=1):
            await desk.until(last)

        assert order == [stranger, desk.tenant, desk.tenant]

    async def test_a_backlog_of_unimportant_jobs_does_not_delay_the_others(self, desk, work, order, stranger):
        for _ in range(10):
            last = await desk.enqueue(work, priority=9)
            await desk.enqueue(work, tenant=stranger)
        await desk.enqueue(work)

        async with desk.working(concurrency=1):
            await desk.until(last)

        assert desk.tenant in order[:2]

    async def test_a_late_comer_is_not_put_behind_jobs_of_another_line(self, desk, work, order, stranger):
        await desk.fill(work, 200)
        important = await desk.enqueue(work, priority=1)
        async with desk.working(concurrency=1):
            await desk.until(important)
            begun = len(order)
            job = await desk.enqueue(work, tenant=stranger)
            await desk.until(job, tenant=stranger)

        assert order.index(stranger) - begun < 50


class TestSleepers:
    async def test_a_job_does_not_run_before_its_time(self, desk, work, order):
        early = await desk.enqueue(work, run_at=now() + timedelta(seconds=1))
        async with desk.working():
            found = await desk.until(early)

        assert found.started_at >= found.run_at

    async def test_many_that_wake_at_once_do_not_stand_before_others(self, desk, work, order, stranger):
        await desk.fill(work, 300)
        async with desk.database.transaction(Role.APP, desk.tenant) as db:
            await db.execute("UPDATE jobs SET due = false")
        async with desk.database.transaction(Role.QUEUE) as db:
            # Others have had many turns while they slept.
            await db.execute("INSERT INTO queue_clock VALUES (%(line)s, 5, 5000)", line=desk.line)
        async with desk.working(concurrency=1):
            job = await desk.enqueue(work, tenant=stranger)
            await desk.until(job, tenant=stranger)
            # Wait for the sleepers, then one more of the stranger's.
            await desk.until((await first_of(desk)).id)
            begun = len(order)
            job = await desk.enqueue(work, tenant=stranger)
            await desk.until(job, tenant=stranger)

        after = order[begun:]
        assert after.index(stranger) <= 10


class TestLocks:
    async def test_two_jobs_of_one_lock_never_run_at_once(self, desk):
        at_once, most = set(), []

        @desk.task(lock="document:{name}")
        async def work(job: Job, name: str) -> None:
            assert name not in at_once
            at_once.add(name)
            most.append(len(at_once))
            async with job.step("work"):
                pass
            at_once.discard(name)

        jobs = [await desk.enqueue(work, name=name) for _ in range(10) for name in ("a", "b", "c")]
        async with desk.working(), desk.working():
            ended = [await desk.until(job) for job in jobs]

        assert all(job.state == State.SUCCEEDED and job.attempt == 1 for job in ended)
        assert max(most) > 1  # different locks do not wait for one another

    async def test_a_held_lock_holds_up_neither_other_jobs_nor_other_tenants(self, desk, stranger, eventually):
        @desk.task(lock="document:{name}")
        async def work(job: Job, name: str) -> None:
            if name == "held" and job.tenant == desk.tenant:
                await eventually(others_are_done)

        async def others_are_done():
            mine, theirs = await desk.view(other), await desk.view(foreign, tenant=stranger)
            return mine.state == theirs.state == State.SUCCEEDED

        held = [await desk.enqueue(work, name="held") for _ in range(150)]
        other = await desk.enqueue(work, name="other")
        foreign = await desk.enqueue(work, name="held", tenant=stranger)
        async with desk.working():
            assert (await desk.until(held[0])).state == State.SUCCEEDED

        assert await others_are_done()


async def desk_has(desk, state, count):
    async with desk.queue() as queue:
        return await queue.total(Wanted(state)) == count


async def first_of(desk):
    async with desk.queue() as queue:
        total = await queue.total()
        return (await queue.list(offset=total - 1, limit=1))[0]
