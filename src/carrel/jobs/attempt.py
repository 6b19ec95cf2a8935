"""One try at one job: doing it, ending it early, and writing down how it went."""

import asyncio
import random
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import structlog

from carrel.jobs.backoff import Backoff
from carrel.jobs.cancelling import cancel
from carrel.jobs.errors import JobCancelled, JobLost, JobTimeout, TaskUnknown
from carrel.jobs.failure import INTERNAL, Failure, assess
from carrel.jobs.outage import OUTAGES, Outage
from carrel.jobs.schemas import Taken
from carrel.jobs.service import CANCELLED, Job, Outcomes
from carrel.jobs.task import Task

GRACE = 1.0
"""How long a task may take to end after it was cancelled, before it is left to itself."""

log = structlog.get_logger(__name__)


class Verdict(Enum):
    """Why a task is ended before its time."""

    CANCELLED = auto()
    LOST = auto()
    STOPPED = auto()


@dataclass(frozen=True, slots=True)
class Means:
    """What every attempt of a worker uses."""

    outcomes: Outcomes
    backoff: Backoff
    outage: Outage


class Attempt:
    """A job in a worker's hands. Its outcome is written as soon as the database takes it."""

    def __init__(self, taken: Taken, job: Job, means: Means) -> None:
        self.taken, self.job = taken, job
        self._means = means
        self._verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._log = log.bind(job=str(taken.id), task=taken.task, tenant=str(taken.tenant_id), attempt=taken.attempt)

    def end(self, verdict: Verdict) -> None:
        """Stop doing it. The first verdict counts."""
        if not self._verdict.done():
            self._verdict.set_result(verdict)

    async def run(self) -> None:
        """Do the job and write down how it went. Raises nothing: what fails here is logged, and the lease runs out."""
        error = await self._do()
        if self._is(Verdict.STOPPED) and isinstance(error, JobLost):
            return  # the worker gives all its jobs back at once
        try:
            await self._settle_through_outages(error)
        except Exception:  # noqa: BLE001  (a broken hook of one task must not end the worker; it is logged)
            self._log.exception("jobs.outcome_not_written")

    async def _do(self) -> BaseException | None:
        task = self._means.outcomes.registry.find(self.taken.task)
        if task is None:
            return TaskUnknown(f"This release has no task called {self.taken.task}.")
        doing = asyncio.create_task(task.run(self.job, self.taken.arguments))
        try:
            waiting: set[asyncio.Future[Any]] = {doing, self._verdict}
            limit = task.timeout.total_seconds()
            await asyncio.wait(waiting, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            ended_by_itself = doing.done()
            if not ended_by_itself:
                await self._cut_off(doing)
        finally:
            doing.cancel()
        if ended_by_itself and not doing.cancelled():
            return doing.exception()
        return self._reason(task)

    async def _cut_off(self, doing: "asyncio.Task[None]") -> None:
        doing.add_done_callback(self._ended_late)
        if await cancel({doing}, within=GRACE):
            # It can do no harm: none of its steps will commit any more.
            self._log.error("jobs.task_does_not_end")

    def _ended_late(self, doing: "asyncio.Task[None]") -> None:
        if not doing.cancelled() and (error := doing.exception()) is not None:
            self._log.info("jobs.failed_while_ending", error=repr(error))

    def _reason(self, task: Task) -> BaseException:
        if self._is(Verdict.CANCELLED):
            return JobCancelled(CANCELLED.detail)
        if self._is(Verdict.LOST) or self._is(Verdict.STOPPED):
            return JobLost("The job was taken out of this worker's hands.")
        return JobTimeout(f"The job took longer than {task.timeout.total_seconds():.0f} s.")

    def _is(self, verdict: Verdict) -> bool:
        return self._verdict.done() and self._verdict.result() is verdict

    async def _settle_through_outages(self, error: BaseException | None) -> None:
        while True:
            try:
                held = await self._settle(error)
            except OUTAGES as away:
                await self._means.outage.pause(away)
                continue
            if not held:
                self._log.info("jobs.lost")
            return

    async def _settle(self, error: BaseException | None) -> bool:
        if self.job.completed:
            if error is not None:
                self._log.error("jobs.failed_after_success", exc_info=error)
            return True
        if error is None:
            error = await self._complete()
        if error is None:
            return True
        if isinstance(error, JobCancelled):
            return await self._means.outcomes.end(self.taken, CANCELLED)
        return await self._fail(error)

    async def _complete(self) -> BaseException | None:
        try:
            async with self.job.last_step():
                pass
        except (JobLost, JobCancelled) as refused:
            return refused
        return None

    async def _fail(self, error: BaseException) -> bool:
        failure, outcomes = assess(error), self._means.outcomes
        self._tell(failure, error)
        if failure.is_final or self.taken.tries >= self.taken.max_attempts:
            return await outcomes.fail(self.taken, failure)
        delay = self._means.backoff.delay(self.taken.tries, random.random())  # noqa: S311  (no secret)
        if await outcomes.postpone(self.taken, failure, delay):
            return True
        # Its end may have been asked for meanwhile.
        return not isinstance(error, JobLost) and await outcomes.end(self.taken, CANCELLED)

    def _tell(self, failure: Failure, error: BaseException) -> None:
        if failure.code == INTERNAL:
            self._log.error("jobs.failed", code=failure.code, exc_info=error)
        else:
            self._log.info("jobs.failed", code=failure.code, final=failure.is_final)
