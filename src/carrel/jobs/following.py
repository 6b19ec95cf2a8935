"""Following a job as it goes: server-sent events."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter

from carrel.core.ids import TenantId
from carrel.infra.db import Database, Role
from carrel.infra.db.errors import DatabaseUnavailable
from carrel.jobs.errors import JobNotFound, TooManyFollowers
from carrel.jobs.schemas import JobView, Sight, State
from carrel.jobs.service import Queue, Registry

FINAL: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.1, 1.0, 1.5
PING = 10.0
MOST = 200
"""Streams that one process keeps open: each asks the database once a second."""
SHOWN = TypeAdapter(JobView)


class Followers:
    """How many streams are open. One per process."""

    def __init__(self, most: int = MOST) -> None:
        self.most, self.open = most, 0

    def require_room(self) -> None:
        """Raises `TooManyFollowers`."""
        if self.open >= self.most:
            raise TooManyFollowers(
                f"This server follows {self.most} jobs for others already.",
                hint="Ask for GET /api/jobs/{job_id} every few seconds instead.",
                retry_after=5,
            )


@dataclass(frozen=True, slots=True)
class Stream:
    """The news of one job. Between two looks it holds no connection."""

    database: Database
    tenant: TenantId
    registry: Registry
    sight: Sight
    followers: Followers

    async def of(self, job: JobView) -> AsyncIterator[bytes]:
        """`progress` at once and after each change, `done` at the end, a comment where nothing happens for long."""
        self.followers.open += 1
        try:
            async for piece in self._pieces(job):
                yield piece
        finally:
            self.followers.open -= 1

    async def _pieces(self, job: JobView) -> AsyncIterator[bytes]:
        shown, pause, said_at = _event(job), FIRST_PAUSE, time.monotonic()
        yield shown
        while job.state not in FINAL:
            await asyncio.sleep(pause)
            found = await self._look(job)
            if found is None:
                yield _comment("the job is not there any more")
                return
            job, before, shown = found, shown, _event(found)
            pause = FIRST_PAUSE if shown != before else min(pause * GROWTH, LONGEST_PAUSE)
            if shown != before or time.monotonic() - said_at >= PING:
                said_at = time.monotonic()
                yield shown if shown != before else _comment("nothing new")

    async def _look(self, job: JobView) -> JobView | None:
        try:
            async with self.database.transaction(Role.APP, self.tenant) as db:
                return await Queue(db, self.tenant, self.registry, self.sight).get(job.id)
        except JobNotFound:
            return None
        except DatabaseUnavailable:
            return job  # there is news once it is back


def _event(job: JobView) -> bytes:
    """A whole state and no change of one: whoever comes back after a lost connection has missed nothing."""
    told = SHOWN.dump_python(job, mode="json")
    name = "done" if job.state in FINAL else "progress"
    place = f"{job.attempt}.{job.step or ''}.{job.progress.done}.{job.state}"
    return f"event: {name}\nid: {place}\ndata: {json.dumps(told, separators=(',', ':'))}\n\n".encode()


def _comment(text: str) -> bytes:
    return f": {text}\n\n".encode()
