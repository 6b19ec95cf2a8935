"""Living through a database that is away for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
import structlog

from carrel.infra.db.errors import DatabaseUnavailable, StatementTimeout, StorageFull

T = TypeVar("T")

OUTAGES = (
    DatabaseUnavailable,
    StatementTimeout,
    StorageFull,
    psycopg.OperationalError,
    psycopg.errors.ReadOnlySqlTransaction,
)
"""Failures that pass by themselves. The last one is what a former primary answers after a switch-over."""
PAUSE = 0.5
QUIET = 2.0
"""An outage is over when nothing has failed for this long: a full disk fails writes and answers reads."""

log = structlog.get_logger(__name__)


class Outage:
    """What one worker knows of the database's absence. Tells the log once that it began and once that it is over."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._began: float | None = None
        self._latest = float("-inf")

    def calm_for(self, seconds: float) -> bool:
        """Whether the database has answered, and promptly, all this time."""
        return time.monotonic() - self._latest >= seconds

    async def survive(self, work: Callable[[], Awaitable[T]], otherwise: T) -> T:
        """The result of `work`; after a pause `otherwise`, when the database was away."""
        asked = time.monotonic()
        try:
            result = await work()
        except OUTAGES as error:
            await self.pause(error)
            return otherwise
        self._answered(time.monotonic() - asked)
        return result

    async def pause(self, error: Exception) -> None:
        self._latest = time.monotonic()
        if self._began is None:
            self._began = self._latest
            log.warning("jobs.database_away", error=str(error))
        await asyncio.sleep(PAUSE)

    def _answered(self, seconds: float) -> None:
        if seconds > self._patience:
            self._latest = time.monotonic()
        if self._began is not None and self.calm_for(QUIET):
            log.info("jobs.database_back", seconds=round(self._latest - self._began, 1))
            self._began = None
