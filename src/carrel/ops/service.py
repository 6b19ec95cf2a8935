"""Is the house well, and how full is it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from carrel import __version__
from carrel.core.clock import now
from carrel.core.errors import Problem
from carrel.documents.service import Documents
from carrel.index.service import Numbers
from carrel.ops.schemas import (
    Alive,
    CacheNumbers,
    DocumentNumbers,
    HealthReport,
    IndexNumbers,
    Readiness,
    Statistics,
)

Check = Callable[[], Awaitable[str]]
PATIENCE = 2.0
FINE = frozenset({"ok", "off"})


@dataclass(frozen=True, slots=True)
class Health:
    """Asks everything the server depends on. `needed` must be well for it to answer; the rest may be away."""

    needed: Mapping[str, Check]
    wanted: Mapping[str, Check]

    def alive(self) -> Alive:
        return Alive(version=__version__)

    async def readiness(self) -> Readiness:
        """Never raises: a check that fails says why."""
        checks = await _ask(self.needed)
        ready = all(answer == "ok" for answer in checks.values())
        return Readiness(status="ready" if ready else "not ready", checks=checks)

    async def report(self) -> HealthReport:
        checks = await _ask({**self.needed, **self.wanted})
        healthy = all(answer in FINE for answer in checks.values())
        return HealthReport(
            status="healthy" if healthy else "degraded", timestamp=now(), version=__version__, checks=checks
        )


@dataclass(frozen=True, slots=True)
class Overview:
    """One organisation in numbers, as far as who asks reaches."""

    documents: Documents
    storage: Callable[[], Awaitable[int]]
    index: Callable[[], Awaitable[Numbers]]
    jobs: Callable[[], Awaitable[Mapping[str, int]]]
    redis: Callable[[], Awaitable[str]]

    async def statistics(self) -> Statistics:
        storage, numbers = await self.storage(), await self.index()
        by_status = await self.documents.count_by_status()
        return Statistics(
            documents=DocumentNumbers(total=sum(by_status.values()), by_status=by_status, storage_bytes=storage),
            index=IndexNumbers(documents=numbers.documents, chunks=numbers.chunks, model=numbers.model),
            jobs=dict(await self.jobs()),
            cache=CacheNumbers(enabled=False, redis=await self.redis(), hits=0, misses=0),
        )


async def _ask(checks: Mapping[str, Check]) -> dict[str, str]:
    answers = await asyncio.gather(*(_answer(check) for check in checks.values()))
    return dict(zip(checks, answers, strict=True))


async def _answer(check: Check) -> str:
    try:
        return await asyncio.wait_for(check(), PATIENCE)
    except TimeoutError:
        return f"no answer within {PATIENCE:.0f} s"
    except Problem as problem:
        return problem.title
