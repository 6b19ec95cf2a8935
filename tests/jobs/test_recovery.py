"""Workers that die or stand still, as real processes."""

import asyncio
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from carrel.core.clock import now
from carrel.core.ids import JobId, TenantId, uuid7
from carrel.infra.db import Role
from carrel.jobs.repository_leases import Candidate
from carrel.jobs.schemas import Expired, State
from carrel.jobs.service import Job, Outcomes
from carrel.jobs.worker import whose_turn

pytestmark = pytest.mark.anyio
LEASE = 1.5
SCRIPT = Path(__file__).with_name("worker_process.py")
AS_IF_EXPIRED = (
    "SELECT tenant_id, id, task, arguments, worker, attempt, max_attempts, lost, interrupted, cancel_requested, "
    "true AS alone, false AS others_lost FROM jobs WHERE id = %(id)s"
)


class Child:
    """A worker process. `hears` waits for a word of its task."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def hears(self, word: str) -> None:
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            # structlog writes to the same stream.
            while (line := await self.process.stdout.readline()) != f"{word}\n".encode():
                assert line, f"the worker ended before it said {word}"

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")


@pytest.fixture
def child(dsn, line):
    @asynccontextmanager
    async def start():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            SCRIPT,
            dsn,
            line,
            str(LEASE),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        try:
            yield Child(process)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                await process.wait()

    return start


@pytest.fixture
def work(desk, leave_effect, leave_note):
    @desk.task()
    async def work(job: Job) -> None:
        async with job.last_step("count") as db:
            await leave_effect(db)

    @work.when_failed
    async def note(ended, db, code, detail):
        await leave_note(db)

    return work


async def test_a_killed_workers_job_runs_again_elsewhere_within_two_leases(desk, work, child):
    async with child() as victim:
        await victim.hears("ready")
        job = await desk.enqueue(work)
        await victim.hears("begun")
        async with desk.working(lease=timedelta(seconds=LEASE)):
            killed_at = time.monotonic()
            await victim.kill()
            found = await desk.until(job)
            took = time.monotonic() - killed_at

    assert (found.state, found.attempt, await desk.effects()) == (State.SUCCEEDED, 2, 1)
    assert took < 2 * LEASE


async def test_a_job_that_killed_three_workers_is_failed_without_another_try(desk, work, child):
    job = await desk.enqueue(work)
    for _ in range(3):
        async with child() as victim:
            await victim.hears("begun")
            await victim.kill()

    async with desk.working(lease=timedelta(seconds=LEASE)):
        found = await desk.until(job)

    assert (found.state, found.attempt, found.error.code) == (State.FAILED, 3, "worker-lost")
    assert (await desk.effects(), await desk.notes()) == (0, 1)


async def test_jobs_that_lost_a_worker_together_are_done_one_by_one_and_none_is_blamed(desk, work, child):
    jobs = [await desk.enqueue(work) for _ in range(3)]
    async with child() as victim:
        for _ in jobs:
            await victim.hears("begun")
        await victim.kill()
    async with child() as victim:
        await victim.hears("begun")
        together = [(await desk.view(job)).state for job in jobs].count(State.RUNNING)
        await victim.kill()

    async with desk.working(lease=timedelta(seconds=LEASE)):
        found = [await desk.until(job) for job in jobs]

    assert together == 1
    assert [job.state for job in found] == [State.SUCCEEDED] * 3
    assert await desk.effects() == 3


async def test_a_job_is_not_given_up_where_workers_die_without_it_too(desk, work, child):
    job = await desk.enqueue(work)
    other = await desk.enqueue(work, run_at=now() + timedelta(days=1))
    for changed in (uuid7(), uuid7(), other):
        async with child() as victim:
            await victim.hears("begun")
            async with desk.database.transaction(Role.QUEUE) as db:
                await db.execute("UPDATE jobs SET lost_at = clock_timestamp() WHERE id = %(id)s", id=changed)
            await victim.kill()

    async with desk.working(lease=timedelta(seconds=LEASE)):
        found = await desk.until(job)

    assert (found.state, found.attempt, await desk.effects()) == (State.SUCCEEDED, 4, 1)


@pytest.mark.parametrize(
    ("waiting", "hands_are_empty", "taken"),
    [
        ("", True, ""),
        ("abc", True, "abc"),
        ("abc", False, "abc"),
        ("abSc", True, "ab"),
        ("Sab", True, "S"),
        ("STa", True, "S"),
        ("Sab", False, ""),
    ],
)
def test_a_job_that_lost_a_worker_waits_for_its_turn_and_for_empty_hands(waiting, hands_are_empty, taken):
    ids = {letter: JobId(uuid7()) for letter in waiting}
    candidates = [Candidate(TenantId(uuid7()), ids[one], suspect=one.isupper(), reserved=True) for one in waiting]

    found = whose_turn(candidates, hands_are_empty=hands_are_empty)

    assert [one.id for one in found] == [ids[letter] for letter in taken]


async def test_a_worker_that_stood_still_leaves_no_second_effect(desk, work, child):
    async with child() as sleeper:
        await sleeper.hears("ready")
        job = await desk.enqueue(work)
        await sleeper.hears("begun")
        sleeper.process.send_signal(signal.SIGSTOP)
        async with desk.working(lease=timedelta(seconds=LEASE)):
            found = await desk.until(job)
        # Its heartbeat would end the task soon; the step is refused whether that came first or not.
        sleeper.go_on()
        sleeper.process.send_signal(signal.SIGCONT)
        async with desk.queue() as queue:
            following = await queue.enqueue(work)
        await sleeper.hears("begun")
        sleeper.go_on()
        assert (await desk.until(following)).state == State.SUCCEEDED

    assert (found.state, found.attempt) == (State.SUCCEEDED, 2)
    assert await desk.effects() == 2  # one of each job


async def test_a_cancelled_job_of_a_killed_worker_is_cancelled_and_not_tried_again(desk, work, child):
    async with child() as victim:
        job = await desk.enqueue(work)
        await victim.hears("begun")
        await victim.kill()
    async with desk.queue() as queue:
        await queue.cancel(job)

    async with desk.working(lease=timedelta(seconds=LEASE)):
        found = await desk.until(job)

    assert (found.state, found.attempt, await desk.notes()) == (State.CANCELLED, 1, 1)


async def test_a_lease_that_was_renewed_meanwhile_is_not_taken_away(desk, work):
    job = await desk.enqueue(work)
    async with desk.database.transaction(Role.APP, desk.tenant) as db:
        await db.execute(
            "UPDATE jobs SET state = 'running', worker = 'alive', attempt = 1, lost = 1, "
            "lease_until = now() + interval '1 hour' WHERE id = %(id)s",
            id=job,
        )
    async with desk.database.transaction(Role.APP, desk.tenant) as db:
        expired = await db.one(Expired, AS_IF_EXPIRED, id=job)

    assert not await Outcomes(desk.database, desk.registry).recover(expired, timedelta(0))
    assert ((await desk.view(job)).state, await desk.notes()) == (State.RUNNING, 0)
