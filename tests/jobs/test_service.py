import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from carrel.core.clock import now
from carrel.core.ids import DocumentId, JobId, uuid7
from carrel.infra.db import Role
from carrel.jobs.errors import JobDuplicate, JobFinished, JobNotFound, JobNotRetryable
from carrel.jobs.schemas import State, Wanted
from carrel.jobs.service import Job, Queue, Sight

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class DocumentStored:
    document_id: DocumentId
    title: str


@pytest.fixture
def work(desk):
    @desk.task()
    async def work(job: Job) -> None:
        pass

    return work


class TestEnqueue:
    async def test_a_job_exists_when_the_transaction_has_committed(self, desk, work):
        job = await desk.enqueue(work, priority=3)

        found = await desk.view(job)

        assert (found.id, found.task, found.state, found.priority) == (job, "work", State.QUEUED, 3)
        assert (found.attempt, found.max_attempts, found.error) == (0, 5, None)

    async def test_a_job_of_an_abandoned_transaction_never_existed(self, desk, work):
        async def put_in_and_fail():
            async with desk.queue() as queue:
                seen.append(await queue.enqueue(work))
                raise KeyError

        seen: list[JobId] = []
        with pytest.raises(KeyError):
            await put_in_and_fail()

        with pytest.raises(JobNotFound):
            await desk.view(seen[0])

    async def test_the_same_unique_key_gives_the_job_that_waits(self, desk, work):
        first = await desk.enqueue(work, unique="nightly")
        second = await desk.enqueue(work, unique="nightly")

        assert second == first

    async def test_a_unique_key_is_free_again_after_the_end(self, desk, work):
        first = await desk.enqueue(work, unique="nightly")
        async with desk.queue() as queue:
            await queue.cancel(first)

        assert await desk.enqueue(work, unique="nightly") != first

    async def test_a_unique_key_belongs_to_one_tenant(self, desk, work, stranger):
        first = await desk.enqueue(work, unique="nightly")
        assert await desk.enqueue(work, unique="nightly", tenant=stranger) != first

    async def test_two_transactions_at_once_put_in_one_job(self, desk, work):
        async def put_in() -> JobId:
            return await desk.enqueue(work, unique="nightly")

        jobs = await asyncio.gather(*(put_in() for _ in range(8)))

        assert len(set(jobs)) == 1

    async def test_a_task_outside_the_registry_is_refused(self, desk, work):
        del desk.tasks["work"]
        with pytest.raises(LookupError, match="registry"):
            await desk.enqueue(work)

    @pytest.mark.parametrize("priority", [-1, 10])
    async def test_a_priority_out_of_range_is_refused(self, desk, work, priority):
        with pytest.raises(ValueError, match="priority"):
            await desk.enqueue(work, priority=priority)


class TestPublish:
    async def test_each_listener_gets_a_job_with_the_fields_it_names(self, desk):
        @desk.task("by id")
        async def by_id(job: Job, document_id: DocumentId) -> None:
            pass

        @desk.task("by title")
        async def by_title(job: Job, title: str) -> None:
            pass

        desk.listeners[DocumentStored] = [by_id, by_title]
        async with desk.queue() as queue:
            jobs = await queue.publish(DocumentStored(DocumentId(uuid7()), "Lease"))

        assert [(await desk.view(job)).task for job in jobs] == ["by id", "by title"]

    async def test_an_event_without_listeners_is_no_job(self, desk, work):
        async with desk.queue() as queue:
            assert await queue.publish(DocumentStored(DocumentId(uuid7()), "Lease")) == []


class TestReading:
    async def test_a_stranger_sees_no_job(self, desk, work, stranger):
        job = await desk.enqueue(work)
        async with desk.queue(stranger) as queue:
            with pytest.raises(JobNotFound):
                await queue.get(job)
            assert await queue.list() == []
            assert await queue.total() == 0
            assert (await queue.counts()).queued == 0

    async def test_row_level_security_hides_the_job_also_without_the_predicate(self, desk, work, stranger):
        await desk.enqueue(work)
        async with desk.database.transaction(Role.APP, stranger) as db:
            assert await db.value("SELECT count(*) FROM jobs") == 0

    async def test_the_list_is_walked_newest_first(self, desk, work):
        jobs = [await desk.enqueue(work) for _ in range(5)]
        async with desk.queue() as queue:
            first = await queue.list(limit=2)
            rest = await queue.list(after=(first[-1].created_at, first[-1].id), limit=10)

        assert [job.id for job in [*first, *rest]] == jobs[::-1]

    async def test_the_list_and_the_total_can_be_of_one_state(self, desk, work):
        waiting, cancelled = await desk.enqueue(work), await desk.enqueue(work)
        async with desk.queue() as queue:
            await queue.cancel(cancelled)

            assert [job.id for job in await queue.list(Wanted(State.QUEUED))] == [waiting]
            assert await queue.total(Wanted(State.CANCELLED)) == 1
            assert await queue.total() == 2

    async def test_counts_are_by_state(self, desk, work):
        jobs = [await desk.enqueue(work) for _ in range(3)]
        async with desk.queue() as queue:
            await queue.cancel(jobs[0])
            counts = await queue.counts()

        assert (counts.queued, counts.running, counts.cancelled) == (2, 0, 1)


class TestCancel:
    async def test_a_waiting_job_is_cancelled_at_once(self, desk, work):
        job = await desk.enqueue(work)
        async with desk.queue() as queue:
            cancelled = await queue.cancel(job)

        assert cancelled.state == State.CANCELLED
        assert cancelled.error is not None
        assert cancelled.error.code == "job-cancelled"
        assert cancelled.finished_at is not None

    async def test_a_sleeping_job_is_cancelled_at_once(self, desk, work):
        job = await desk.enqueue(work, run_at=now() + timedelta(hours=1))
        async with desk.queue() as queue:
            assert (await queue.cancel(job)).state == State.CANCELLED

    async def test_a_finished_job_cannot_be_cancelled(self, desk, work):
        job = await desk.enqueue(work)
        async with desk.queue() as queue:
            await queue.cancel(job)
            with pytest.raises(JobFinished) as refused:
                await queue.cancel(job)

        assert refused.value.status == 409

    async def test_a_stranger_cannot_cancel(self, desk, work, stranger):
        job = await desk.enqueue(work)
        async with desk.queue(stranger) as queue:
            with pytest.raises(JobNotFound):
                await queue.cancel(job)

        assert (await desk.view(job)).state == State.QUEUED

    async def test_the_hook_runs_in_the_same_transaction(self, desk, leave_note):
        @desk.task()
        async def work(job: Job, name: str) -> None:
            pass

        @work.when_failed
        async def note(ended, db, code, detail, name):
            seen.append((ended.state, code, name))
            await leave_note(db)

        async def cancel_and_fail():
            async with desk.queue() as queue:
                await queue.cancel(job)
                raise KeyError

        seen: list[tuple[str, str, str]] = []
        job = await desk.enqueue(work, name="lease")
        with pytest.raises(KeyError):
            await cancel_and_fail()
        assert (await desk.notes(), (await desk.view(job)).state) == (0, State.QUEUED)

        async with desk.queue() as queue:
            await queue.cancel(job)

        assert (await desk.notes(), (await desk.view(job)).state) == (1, State.CANCELLED)
        assert seen == [(State.CANCELLED, "job-cancelled", "lease")] * 2


class TestRetry:
    async def test_a_cancelled_job_waits_again_as_if_never_tried(self, desk, work):
        job = await desk.enqueue(work)
        async with desk.queue() as queue:
            await queue.cancel(job)
            again = await queue.retry(job)

        assert (again.state, again.attempt, again.error, again.finished_at) == (State.QUEUED, 0, None, None)

    async def test_a_waiting_job_cannot_be_retried(self, desk, work):
        job = await desk.enqueue(work)
        async with desk.queue() as queue:
            with pytest.raises(JobNotRetryable, match="queued"):
                await queue.retry(job)

    async def test_a_stranger_cannot_retry(self, desk, work, stranger):
        job = await desk.enqueue(work)
        async with desk.queue() as queue:
            await queue.cancel(job)
        async with desk.queue(stranger) as queue:
            with pytest.raises(JobNotFound):
                await queue.retry(job)

        assert (await desk.view(job)).state == State.CANCELLED

    async def test_the_same_work_is_not_put_back_beside_itself(self, desk, work):
        first = await desk.enqueue(work, unique="nightly")
        async with desk.queue() as queue:
            await queue.cancel(first)
        await desk.enqueue(work, unique="nightly")

        async def retry() -> None:
            async with desk.queue() as queue:
                await queue.retry(first)

        with pytest.raises(JobDuplicate):
            await retry()
        assert (await desk.view(first)).state == State.CANCELLED


class TestSight:
    async def test_what_is_out_of_sight_is_not_there(self, desk, work):
        @desk.task("about")
        async def about(job: Job, document_id: DocumentId) -> None:
            pass

        seen, hidden = DocumentId(uuid7()), DocumentId(uuid7())
        job, other = [await desk.enqueue(about, document_id=one) for one in (seen, hidden)]
        sight = Sight("AND arguments ->> 'document_id' = %(seen)s", {"seen": str(seen)})

        async with desk.queue() as whole:
            queue = replace(whole, sight=sight)
            assert [one.id for one in await queue.list()] == [job]
            assert (await queue.total(), (await queue.counts()).queued, (await queue.line()).depth) == (1, 1, 1)
            for ask in (queue.get, queue.detail, queue.cancel, queue.retry):
                with pytest.raises(JobNotFound):
                    await ask(other)
            assert (await queue.cancel(job)).state == State.CANCELLED
            assert (await queue.retry(job)).state == State.QUEUED
        assert (await desk.view(other)).state == State.QUEUED

    async def test_what_is_put_in_needs_no_sight(self, desk, work):
        async with desk.queue() as queue:
            job = await replace(queue, sight=Sight("AND false")).enqueue(work, unique="once")
            assert await replace(queue, sight=Sight("AND false")).enqueue(work, unique="once") == job


async def test_a_queue_is_bound_to_one_tenant(desk, work, stranger):
    async with desk.database.transaction(Role.APP, desk.tenant) as db:
        job = await Queue(db, desk.tenant, desk.registry).enqueue(work)
        with pytest.raises(JobNotFound):
            await Queue(db, stranger, desk.registry).get(job)
