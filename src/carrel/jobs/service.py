"""Putting work into the queue, following it, and doing it step by step."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

import psycopg
import structlog
from pydantic import TypeAdapter

from carrel.core.ids import JobId, TenantId
from carrel.infra.db import Database, Role, Transaction
from carrel.jobs.errors import JobCancelled, JobDuplicate, JobFinished, JobLost, JobNotRetryable, WorkerLost
from carrel.jobs.failure import Failure
from carrel.jobs.outage import OUTAGES
from carrel.jobs.repository import Cursor, Jobs
from carrel.jobs.schemas import (
    ALL,
    ANY,
    LOWEST_PRIORITY,
    Ending,
    Entry,
    Expired,
    Hold,
    JobCounts,
    JobDetail,
    JobError,
    JobView,
    Line,
    NewJob,
    Sight,
    State,
    Taken,
    Wanted,
)
from carrel.jobs.task import Ended, Registry, Task, task

__all__ = ["Ended", "Job", "Provider", "Queue", "Registry", "Sight", "Task", "task"]

T = TypeVar("T")
PROGRESS_INTERVAL = 1.0
CANCELLED = Ending(State.CANCELLED, JobCancelled.code, "The job was cancelled before it was done.")
ENTRIES = TypeAdapter(list[Entry])
DEATHS = 3
"""So many workers in a row must have died over a job alone before it counts as the reason. With two, 5 of 200 documents
failed while workers were killed from outside over whatever they had in hand."""
LOST = "The process that did this work died or was cut off. If it happens again, the work itself may be the cause."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Queue:
    """The jobs of one tenant. What is put in exists exactly when the caller's transaction commits."""

    db: Transaction
    tenant: TenantId
    registry: Registry
    sight: Sight = ALL
    """What is seen of the jobs when somebody looks at them, or ends or repeats one."""

    @property
    def _jobs(self) -> Jobs:
        return Jobs(self.db, self.tenant, self.sight)

    async def enqueue(
        self,
        task: Task,
        /,
        *,
        priority: int = 5,
        run_at: datetime | None = None,
        unique: str | None = None,
        **arguments: object,
    ) -> JobId:
        """Have `task` run later, not before `run_at`; lower `priority` numbers (0 to 9) go first.

        When a job with the same `unique` key is waiting or running, that job's id is returned and nothing is added.
        """
        if not self.registry.knows(task):
            raise LookupError(f"The task {task.name} is not in the registry, so no worker would run it.")
        if not 0 <= priority <= LOWEST_PRIORITY:
            raise ValueError(f"A priority lies between 0 and {LOWEST_PRIORITY}, not at {priority}.")
        job = NewJob(
            queue=task.queue,
            task=task.name,
            arguments=task.pack(arguments),
            priority=priority,
            run_at=run_at,
            lock_key=task.lock_key(arguments),
            unique_key=unique,
            max_attempts=self.registry.max_attempts,
        )
        return await self._insert(job)

    async def publish(self, event: object) -> list[JobId]:
        """Have every listener of this kind of event run later, with those of its fields that the listener names."""
        return [
            await self.enqueue(
                listener, **{name: getattr(event, name) for name in listener.parameters if hasattr(event, name)}
            )
            for listener in self.registry.listeners(type(event))
        ]

    async def get(self, job_id: JobId) -> JobView:
        return (await self._jobs.get(job_id)).view()

    async def detail(self, job_id: JobId) -> JobDetail:
        """The job, and what has happened to it."""
        view = await self.get(job_id)
        entries = await self._jobs.history(job_id)
        shown = {field.name: getattr(view, field.name) for field in fields(view)}
        return JobDetail(**shown, log=ENTRIES.validate_python(entries))

    async def list(
        self, wanted: Wanted = ANY, *, after: Cursor | None = None, offset: int = 0, limit: int = 50
    ) -> list[JobView]:
        """The newest jobs first; `after` is (created_at, id) of the last one seen."""
        rows = await self._jobs.page(wanted, after=after, offset=offset, limit=limit)
        return [row.view() for row in rows]

    async def total(self, wanted: Wanted = ANY) -> int:
        return await self._jobs.total(wanted)

    async def line(self) -> Line:
        return await self._jobs.line()

    async def counts(self) -> JobCounts:
        return await self._jobs.counts()

    async def cancel(self, job_id: JobId) -> JobView:
        """End a job: at once while it waits, at its next step or heartbeat while it runs. Asking twice is no error.

        Nothing that it does after this is kept. Raises `JobFinished` when it has ended already.
        """
        jobs = self._jobs
        while True:
            row = await jobs.get(job_id)
            if row.state not in {State.QUEUED, State.RUNNING}:
                raise JobFinished(f"The job has {_ended_how(row.state)} and cannot be cancelled any more.")
            # A worker may take the job, or finish it, between the look and the change; then look again.
            if row.state == State.RUNNING and await jobs.request_cancel(job_id):
                return row.view()
            hold = Hold(self.tenant, row.id, None, row.attempt)
            stored = Stored(row.task, row.arguments)
            if row.state == State.QUEUED and await end(self.db, self.registry, hold, stored, CANCELLED):
                return await self.get(job_id)

    async def retry(self, job_id: JobId) -> JobView:
        """Put a failed or cancelled job back into the queue, with all its tries before it."""
        jobs = self._jobs
        row = await jobs.get(job_id)
        try:
            replayed = await jobs.replay(job_id)
        except psycopg.errors.UniqueViolation as error:
            raise JobDuplicate(
                "Another job that does the same work is waiting or running.", hint="Follow that one instead."
            ) from error
        if not replayed:
            raise JobNotRetryable(
                f"The job is {row.state}; only a failed or cancelled job can be run again.",
                hint="Wait for its end, or start the work anew.",
            )
        return await self.get(job_id)

    async def retry_all(self, wanted: Wanted, limit: int) -> int:
        """Put the oldest `limit` of these failed or cancelled jobs back into the queue; how many were."""
        jobs, retried = self._jobs, 0
        for job_id in await jobs.ids(wanted, limit=limit):
            retried += await self._replayed(job_id)
        return retried

    async def _replayed(self, job_id: JobId) -> bool:
        # A job whose work is under way under another id stays as it is, and must not keep the others from running.
        await self.db.execute("SAVEPOINT before_the_replay")
        try:
            return await self._jobs.replay(job_id)
        except psycopg.errors.UniqueViolation:
            await self.db.execute("ROLLBACK TO SAVEPOINT before_the_replay")
            return False

    async def weigh(self, weight: float) -> None:
        """Give the tenant `weight` times the share of others, from the next job that is put in."""
        await self._jobs.weigh(weight)

    async def _insert(self, job: NewJob) -> JobId:
        jobs = self._jobs
        while True:
            if job.unique_key is not None and (found := await jobs.under_way(job.unique_key)) is not None:
                return found
            # None: another transaction was first, and by now its job may be under way, or done.
            if (written := await jobs.insert(job)) is not None:
                return written


class Job:
    """A job that is being done. Handed to its task by the worker."""

    def __init__(self, database: Database, taken: Taken, providers: "Mapping[type, Callable[[Job], object]]") -> None:
        self.id, self.tenant, self.attempt = taken.id, taken.tenant_id, taken.attempt
        self.hold = taken.hold
        self.completed = False
        self._database, self._providers = database, providers
        self._progress: tuple[int, int | None] = (0, None)
        self._written_at = float("-inf")

    def provide(self, kind: type[T]) -> T:
        """The object of this kind that the worker was given for jobs, made for this one."""
        if kind not in self._providers:
            raise LookupError(f"The worker was given no provider for {kind.__name__}.")
        return cast("T", self._providers[kind](self))

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[Transaction]:
        """One short transaction for the job's tenant.

        It commits only if the job is still ours at its end; else `JobLost` (another worker may have it) or
        `JobCancelled` is raised and nothing of it is kept.
        """
        async with self._database.transaction(Role.APP, self.tenant) as db:
            yield db
            self._require_ours(await Jobs(db, self.tenant).advance(self.hold, name, *self._progress))

    @asynccontextmanager
    async def last_step(self, name: str | None = None) -> AsyncIterator[Transaction]:
        """As `step`; its effects and the job's success commit together, both or none."""
        async with self._database.transaction(Role.APP, self.tenant) as db:
            yield db
            self._require_ours(await Jobs(db, self.tenant).complete(self.hold, name, *self._progress))
        self.completed = True

    async def progress(self, done: int, total: int | None = None) -> None:
        """Tell how far the job is. Written at most once a second and with each step; call it as often as you like."""
        self._progress = (done, total)
        now = time.monotonic()
        if self.completed or now - self._written_at < PROGRESS_INTERVAL:
            return
        self._written_at = now
        try:
            async with self._database.transaction(Role.APP, self.tenant) as db:
                self._require_ours(await Jobs(db, self.tenant).advance(self.hold, None, *self._progress))
        except OUTAGES as error:
            # Progress is news, not work: an hour of embedding is not thrown away because nobody could be told.
            log.warning("jobs.progress_not_written", job=str(self.id), error=str(error))

    def _require_ours(self, cancel_requested: bool | None) -> None:
        if cancel_requested is None:
            raise JobLost("The job's lease has run out; another worker may have taken it.")
        if cancel_requested:
            raise JobCancelled(CANCELLED.detail)


Provider = Callable[[Job], object]


@dataclass(frozen=True, slots=True)
class Stored:
    """What a job is about, as its row has it."""

    task: str
    arguments: dict[str, Any]


async def end(
    db: Transaction, registry: Registry, hold: Hold, stored: Stored, ending: Ending, *, lost: bool = False
) -> bool:
    """End a job without success, together with what its task's hook writes. False, and nothing is written, when it is
    not held like this any more; with `lost`, also when its lease was renewed.
    """
    # The hook goes first, because rows are always locked in this order: documents, then jobs.
    await db.execute("SAVEPOINT before_the_end")
    if (found := registry.find(stored.task)) is not None:
        await found.note_end(db, Ended(hold.id, hold.tenant_id, ending.state), ending, stored.arguments)
    if await Jobs(db, hold.tenant_id).end(hold, ending, lost=lost):
        return True
    await db.execute("ROLLBACK TO SAVEPOINT before_the_end")
    return False


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Writes down how jobs went. Each call is one transaction, and says False when the job is no longer held so."""

    database: Database
    registry: Registry

    async def end(self, taken: Taken, ending: Ending) -> bool:
        async with self.database.transaction(Role.APP, taken.tenant_id) as db:
            return await end(db, self.registry, taken.hold, Stored(taken.task, taken.arguments), ending)

    async def fail(self, taken: Taken, failure: Failure) -> bool:
        return await self.end(taken, Ending(State.FAILED, failure.code, failure.detail))

    async def postpone(self, taken: Taken, failure: Failure, delay: timedelta) -> bool:
        """Have the job tried again after `delay`. False also when its end is asked for."""
        async with self.database.transaction(Role.APP, taken.tenant_id) as db:
            return await Jobs(db, taken.tenant_id).postpone(taken.hold, delay, failure.code, failure.detail)

    async def recover(self, expired: Expired, delay: timedelta) -> bool:
        """Take a job from a worker that is not heard of: for good when it is the reason, else to be run again.

        The first time it runs again at once, later after `delay`.
        """
        async with self.database.transaction(Role.APP, expired.tenant_id) as db:
            if (ending := _ending_of(expired)) is None:
                error, pause = JobError(WorkerLost.code, LOST), delay if expired.losses else timedelta(0)
                jobs = Jobs(db, expired.tenant_id)
                return await jobs.release_lost(expired.hold, error, pause, alone=expired.alone)
            stored = Stored(expired.task, expired.arguments)
            return await end(db, self.registry, expired.hold, stored, ending, lost=True)


def _ending_of(expired: Expired) -> Ending | None:
    if expired.cancel_requested:
        return CANCELLED
    kills = expired.alone and expired.lost >= DEATHS - 1 and not expired.others_lost
    if kills or (expired.alone and expired.attempt - expired.interrupted >= expired.max_attempts):
        return Ending(State.FAILED, WorkerLost.code, LOST)
    return None


def _ended_how(state: str) -> str:
    return {State.SUCCEEDED: "succeeded", State.FAILED: "failed", State.CANCELLED: "been cancelled"}[State(state)]
