"""The worker: takes jobs, keeps them in hand, and takes over those of workers that died."""

import asyncio
import contextlib
import os
import random
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from itertools import takewhile
from typing import Any

import structlog

from carrel.core.clock import now
from carrel.infra.db import Database, Role
from carrel.infra.settings import Jobs as JobSettings
from carrel.jobs.attempt import GRACE, Attempt, Means, Verdict
from carrel.jobs.backoff import Backoff
from carrel.jobs.cancelling import cancel
from carrel.jobs.listener import listen
from carrel.jobs.outage import OUTAGES, PAUSE, Outage
from carrel.jobs.repository_leases import Candidate, Leases, Presence
from carrel.jobs.schemas import Expired, Hold, Taken
from carrel.jobs.service import Job, Outcomes, Provider, Registry

POLL = 0.5
"""How long an idle worker waits before it looks by itself."""
SWEEP_INTERVAL = 60.0
BATCH = 1000
SILENCE = timedelta(minutes=5)
"""A worker that is not heard of for this long leaves the list of workers."""
FAREWELL = 2.0
"""How long a stopping worker may take to give its jobs back."""
CONTENTION_TRIES = 5
LONGEST_PAUSE = timedelta(minutes=1)
"""For a job that has lost workers, and perhaps was only in hand when they were killed."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Worker:
    """Runs jobs of all tenants until it is told to stop. Survives the database's absence; may be killed at any time."""

    database: Database
    registry: Registry
    providers: Mapping[type, Provider]
    settings: JobSettings
    _: KW_ONLY
    name: str
    queues: Sequence[str] = ("ingestion", "default")
    backoff: Backoff = field(default_factory=Backoff)
    prepare: Callable[[], Awaitable[object]] | None = None
    """Done before the first job is taken, so that nothing is in hand while what all jobs need is loaded."""
    _prepared: bool = field(init=False, default=False)
    _id: str = field(init=False)
    _presence: Presence = field(init=False)
    _outage: Outage = field(init=False)
    _means: Means = field(init=False)
    _hands: dict[Hold, Attempt] = field(init=False, default_factory=dict)
    _doing: "set[asyncio.Task[None]]" = field(init=False, default_factory=set)
    _wake: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _ending: asyncio.Event = field(init=False, default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        # Two lives of a worker never share a name: what one holds must not look like the other's.
        self._id = f"{self.name}/{secrets.token_hex(4)}"
        self._presence = Presence(socket.gethostname(), os.getpid(), now())
        self._outage = Outage(patience=self._third)
        self._means = Means(Outcomes(self.database, self.registry), self.backoff, self._outage)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then take no more, give back what is unfinished and end within 4 s."""
        loops = {asyncio.create_task(loop) for loop in self._loops()}
        waiting = {
            asyncio.create_task(listen(self.database, self.queues, self._wake)),
            asyncio.create_task(stop.wait()),
        }
        try:
            await asyncio.wait({*loops, *waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._leave(loops, waiting)
        for ended in loops | waiting:
            if ended.done() and not ended.cancelled():
                ended.result()  # raises what ended it before its time

    @property
    def _third(self) -> float:
        return self.settings.lease.total_seconds() / 3

    def _loops(self) -> list[Coroutine[Any, Any, None]]:
        return [
            self._take_all(),
            self._every(self._third, self._beat),
            self._every(self._third, self._recover),
            self._every(POLL, self._wake_sleepers),
            self._every(SWEEP_INTERVAL, self._sweep),
        ]

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while not self._ending.is_set():
            await self._outage.survive(work, None)
            await _at_most(seconds, self._ending)

    @asynccontextmanager
    async def _leases(self) -> AsyncIterator[Leases]:
        async with self.database.transaction(Role.QUEUE) as db:
            yield Leases(db, self._id, self.settings.lease)

    async def _take_all(self) -> None:
        opened = False
        while not self._ending.is_set():
            self._wake.clear()
            opened = opened or await self._outage.survive(self._open_lines, otherwise=False)
            taken: list[Taken] = await self._outage.survive(self._take, []) if opened else []
            for job in taken:
                self._start(job)
            if not taken and not self._ending.is_set():
                await _at_most(POLL, self._wake)

    async def _open_lines(self) -> bool:
        async with self._leases() as leases:
            await leases.open_lines(self.queues)
        return True

    async def _take(self) -> list[Taken]:
        wanted, per_tenant = self._room(), self.settings.per_tenant
        for _ in range(CONTENTION_TRIES if wanted > 0 else 0):
            async with self._leases() as leases:
                found = await leases.candidates(self.queues, wanted=wanted, per_tenant=per_tenant)
                candidates = whose_turn(found, hands_are_empty=not self._hands) if self._prepared else []
                taken = await leases.take(candidates, per_tenant=per_tenant)
            if found and not self._prepared:
                await self._get_ready()
                continue
            if taken or not candidates:
                return taken
            # Other workers are taking jobs of the same tenants at this moment; by chance one comes first.
            await asyncio.sleep(random.uniform(0.002, 0.02))  # noqa: S311  (no secret)
        return []

    async def _get_ready(self) -> None:
        self._prepared = True
        try:
            await (self.prepare() if self.prepare else asyncio.sleep(0))
        except Exception:  # each job that needs it fails with the reason; those that do not go on
            log.exception("jobs.not_prepared", worker=self._id)

    def _room(self) -> int:
        """How many more jobs fit into its hands."""
        alone = any(attempt.taken.is_suspect for attempt in self._hands.values())
        return 0 if alone else self.settings.concurrency - len(self._hands)

    def _start(self, taken: Taken) -> None:
        job = Job(self.database, taken, self.providers)
        attempt = self._hands[taken.hold] = Attempt(taken, job, self._means)
        doing = asyncio.create_task(self._see_through(attempt))
        self._doing.add(doing)
        doing.add_done_callback(self._doing.discard)

    async def _see_through(self, attempt: Attempt) -> None:
        try:
            await attempt.run()
        finally:
            del self._hands[attempt.taken.hold]
            self._wake.set()

    async def _beat(self) -> None:
        holds = [hold for hold, attempt in self._hands.items() if not attempt.job.completed]
        async with self._leases() as leases:
            held = {(each.id, each.attempt): each for each in await leases.beat(holds)}
            await leases.register(self._presence, len(holds))
        for hold in holds:
            attempt, found = self._hands.get(hold), held.get((hold.id, hold.attempt))
            if attempt is not None and found is None:
                attempt.end(Verdict.LOST)
            elif attempt is not None and found is not None and found.cancel_requested:
                attempt.end(Verdict.CANCELLED)

    async def _recover(self) -> None:
        # A worker that was cut off itself cannot tell who died: others get a lease's time to be heard again.
        if not self._outage.calm_for(self.settings.lease.total_seconds()):
            return
        async with self._leases() as leases:
            expired = await leases.expired(BATCH)
        for job in expired:
            await self._recover_one(job)

    async def _recover_one(self, job: Expired) -> None:
        told = log.bind(job=str(job.id), task=job.task, tenant=str(job.tenant_id), worker=job.worker)
        try:
            delay = min(LONGEST_PAUSE, self.backoff.delay(job.losses + 1, random.random()))  # noqa: S311  (no secret)
            if await self._means.outcomes.recover(job, delay):
                told.warning("jobs.worker_lost", attempt=job.attempt, lost=job.losses + 1, alone=job.alone)
        except OUTAGES:
            raise
        except Exception:  # noqa: BLE001  (a broken hook of one task must not keep others from being recovered)
            told.exception("jobs.not_recovered")

    async def _wake_sleepers(self) -> None:
        async with self._leases() as leases:
            woken = await leases.wake(BATCH)
        if woken:
            self._wake.set()

    async def _sweep(self) -> None:
        removed = BATCH
        while removed == BATCH:
            async with self._leases() as leases:
                removed = await leases.forget_finished(self.settings.keep_finished, BATCH)
        async with self._leases() as leases:
            await leases.forget_silent_workers(SILENCE)

    async def _leave(self, loops: "set[asyncio.Task[None]]", waiting: "set[asyncio.Task[Any]]") -> None:
        self._ending.set()
        self._wake.set()
        # What is in the middle of something may finish it: a cancelled statement costs its connection.
        _, busy = await asyncio.wait(loops, timeout=PAUSE)
        if unended := await cancel({*busy, *waiting}, within=GRACE):
            log.error("jobs.worker_does_not_end", worker=self._id, loops=len(unended))
        for attempt in self._hands.values():  # only now, because the intake may have taken some at the last moment
            attempt.end(Verdict.STOPPED)
        try:
            async with asyncio.timeout(FAREWELL):
                while self._doing:
                    await asyncio.wait(self._doing)
                await self._give_back()
        except (TimeoutError, *OUTAGES) as error:
            log.warning("jobs.not_given_back", worker=self._id, error=repr(error))
        finally:
            for doing in self._doing:
                doing.cancel()

    async def _give_back(self) -> None:
        async with self._leases() as leases:
            given_back = await leases.give_back()
            await leases.forget_worker()
        if given_back:
            log.info("jobs.given_back", worker=self._id, jobs=given_back)


def whose_turn(candidates: Sequence[Candidate], *, hands_are_empty: bool) -> Sequence[Candidate]:
    """Those that may be taken now: one that has lost a worker before is taken when its turn comes, and then alone."""
    if candidates and candidates[0].suspect:
        return candidates[:1] if hands_are_empty else []
    return list(takewhile(lambda candidate: not candidate.suspect, candidates))


async def _at_most(seconds: float, event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
