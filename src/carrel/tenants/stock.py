"""Daily searches, taken from the database in blocks: one statement for many searches, and none while it is away."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import structlog

from carrel.core.errors import Problem
from carrel.core.ids import TenantId
from carrel.infra.db.errors import DatabaseUnavailable, StatementTimeout
from carrel.tenants.errors import OrganizationNotFound, SearchQuotaExceeded
from carrel.tenants.schemas import Block

LARGEST_BLOCK = 100
LAST_ONES = 4
"""A block is at most this part of what is left, so that the last searches are shared by all processes."""
OUTAGES = (DatabaseUnavailable, StatementTimeout)
PATIENCE = 2.0
"""Seconds that a search waits for the next block before it goes on without one."""
RETRY = 1.0
"""Seconds between two tries while the database is away, and for which a refusal is believed."""
IDLE = 5.0
"""Seconds after which searches that nobody makes go back, so that other processes have them and usage is exact."""
FORGOTTEN = 60.0
FAREWELL = 2.0

log = structlog.get_logger("carrel.tenants")


class Counts(Protocol):
    """The searches of one organisation, in the database."""

    async def take(self) -> Block | None: ...
    async def peek(self) -> Block | None:
        """What `take` would have given a moment ago. Takes nothing, and may be answered by a replica."""

    async def adjust(self, day: date, by: int) -> None: ...


@dataclass(slots=True)
class Outage:
    """Whether the database is away, and when it is worth another try."""

    problem: Problem | None = None
    try_at: float = 0.0

    def begin(self, problem: Problem, moment: float) -> None:
        if self.problem is None:
            log.warning("searches are counted later", reason=problem.detail)
        self.problem, self.try_at = problem, moment + RETRY

    def end(self) -> None:
        self.problem = None

    def keeps_from_trying(self, moment: float) -> bool:
        return self.problem is not None and moment < self.try_at


@dataclass(slots=True)
class Stock:
    """What this process holds for one organisation."""

    left: int = 0
    day: date | None = None
    ends: float = 0.0
    asked_at: float = 0.0
    refusal: SearchQuotaExceeded | None = None
    refused_until: float = 0.0
    credit: int | None = None
    """Searches that may be made while the database is away; None: nobody has asked for any, or there is no limit."""
    owed: dict[date, int] = field(default_factory=dict)
    """What the database does not know yet: searches made beyond the blocks, and with a minus those given back."""
    asking: "asyncio.Task[None] | None" = None
    outage: Outage = field(default_factory=Outage)
    """That of this organisation alone: its row is locked, or busy."""

    def spend(self, moment: float) -> bool:
        """Make one search of the block, if there is any left today."""
        self.asked_at = moment
        if moment >= self.ends:
            self.put_back()
        if not self.left:
            return False
        self.left -= 1
        return True

    def fill(self, block: Block, asked: float) -> None:
        self.put_back()
        self.left, self.day, self.ends, self.credit = block.size, block.day, asked + block.seconds_left, None
        self.refusal = None if block.size else exceeded(block)
        self.refused_until = min(asked + RETRY, self.ends)

    def put_back(self) -> None:
        """Owe the rest of the block to the database."""
        if self.left and self.day is not None:
            self.owe(self.day, -self.left)
        self.left = 0

    def owe(self, day: date, by: int) -> None:
        self.owed[day] = self.owed.get(day, 0) + by

    @property
    def unused(self) -> int:
        return self.left - (0 if self.day is None else self.owed.get(self.day, 0))

    @property
    def is_empty(self) -> bool:
        return not self.left and not self.owed and self.asking is None


class SearchStock:
    """Charges searches to organisations. One per process; keep it (`kept`) while it is used.

    Exact while the database answers: blocks never overlap and shrink towards the end of a quota. While it does not
    answer, searches go on: first those of the block, then at most as many as one more block would have had.
    """

    def __init__(
        self,
        counts: Callable[[TenantId], Counts],
        *,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._counts, self._clock, self._patience = counts, clock, patience
        self._stocks: dict[TenantId, Stock] = {}
        self._outage = Outage()

    async def charge(self, tenant: TenantId) -> None:
        """Count one search. Raises `SearchQuotaExceeded`, or why the database is away when all credit is used up."""
        stock = self._stocks.get(tenant)
        if stock is None:
            stock = self._stocks[tenant] = Stock()
        while not stock.spend(self._clock()):
            if stock.refusal is not None and self._clock() < stock.refused_until:
                raise stock.refusal
            if not await self._filled(tenant, stock):
                await self._borrow(tenant, stock)
                return

    def unused(self, tenant: TenantId) -> int:
        """How many searches count as made in the database that were not made by this process."""
        stock = self._stocks.get(tenant)
        return 0 if stock is None else stock.unused

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Give back what is not used, for as long as the block runs and at its end."""
        tending = asyncio.create_task(self._tend())
        try:
            yield
        finally:
            tending.cancel()
            await asyncio.wait([tending])
            await self._close()

    async def settle(self) -> None:
        """Give back what nobody asks for, tell what was made on credit, and forget those who are gone."""
        moment = self._clock()
        for tenant, stock in list(self._stocks.items()):
            if moment - stock.asked_at >= IDLE or moment >= stock.ends:
                stock.put_back()
            await self._pay(tenant, stock)
            if stock.is_empty and moment - stock.asked_at >= FORGOTTEN:
                self._stocks.pop(tenant, None)

    async def _filled(self, tenant: TenantId, stock: Stock) -> bool:
        """Whether the database was asked and has answered. While it is away nobody waits for that."""
        asking, outages = stock.asking, (self._outage, stock.outage)
        if asking is None and not any(outage.keeps_from_trying(self._clock()) for outage in outages):
            asking = stock.asking = asyncio.create_task(self._ask(tenant, stock))
            asking.add_done_callback(_heard)
        if asking is None or any(outage.problem for outage in outages):
            return False
        await asyncio.wait({asking}, timeout=self._patience)
        if not asking.done():
            stock.outage.begin(_late(), self._clock())
            return False
        try:
            asking.result()
        except OUTAGES:
            return False
        return True

    async def _ask(self, tenant: TenantId, stock: Stock) -> None:
        asked = self._clock()
        try:
            await self._pay(tenant, stock)
            block = await self._counts(tenant).take()
        except OUTAGES as problem:
            self._note(problem, stock)
            raise
        finally:
            stock.asking = None
        self._outage.end()
        stock.outage.end()
        stock.fill(_there(tenant, block), asked)

    async def _borrow(self, tenant: TenantId, stock: Stock) -> None:
        block = _there(tenant, await self._counts(tenant).peek())
        if block.quota is not None and stock.credit is None:
            stock.credit = block.size
        if not block.size:
            raise exceeded(block)
        if block.quota is not None:
            if not stock.credit:
                raise self._outage.problem or stock.outage.problem or _late()
            stock.credit -= 1
        stock.owe(block.day, 1)

    async def _pay(self, tenant: TenantId, stock: Stock) -> None:
        while stock.owed:
            day, by = stock.owed.popitem()
            try:
                if by:
                    await self._counts(tenant).adjust(day, by)
            except BaseException:
                stock.owe(day, by)
                raise

    def _note(self, problem: Problem, stock: Stock) -> None:
        outage = self._outage if isinstance(problem, DatabaseUnavailable) else stock.outage
        outage.begin(problem, self._clock())

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(RETRY)
            with contextlib.suppress(*OUTAGES):  # what is owed stays owed until the next time
                await self.settle()

    async def _close(self) -> None:
        for stock in self._stocks.values():
            stock.put_back()
        try:
            async with asyncio.timeout(FAREWELL):
                await asyncio.gather(*(self._pay(tenant, stock) for tenant, stock in self._stocks.items()))
        except (TimeoutError, *OUTAGES) as problem:
            log.warning("searches not given back", reason=repr(problem))


@dataclass(frozen=True, slots=True)
class Allowance:
    """The searches of one organisation."""

    stock: SearchStock
    tenant: TenantId

    async def charge(self) -> None:
        await self.stock.charge(self.tenant)


def block_size(quota: int | None, used: int) -> int:
    """How many searches a process takes at a time: one in a hundred of the quota, and fewer towards its end."""
    if quota is None:
        return LARGEST_BLOCK
    left = quota - used
    return max(0, min(LARGEST_BLOCK, max(1, quota // 100), max(1, left // LAST_ONES), left))


def exceeded(block: Block) -> SearchQuotaExceeded:
    return SearchQuotaExceeded(
        f"The organization has made {block.used:,} of {block.quota or 0:,} searches today.",
        hint="Days turn at 00:00 UTC; an operator can raise the quota.",
        limit=block.quota,
        used=block.used,
        resets_at=block.resets_at,
    )


def _late() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "The database does not answer in time.", hint="Try again in a few seconds.", retry_after=2
    )


def _heard(asking: "asyncio.Task[None]") -> None:
    """Whoever waited has gone on; the failure is noted already."""
    if not asking.cancelled():
        asking.exception()


def _there(tenant: TenantId, block: Block | None) -> Block:
    if block is None:
        raise OrganizationNotFound("No organization has this id.", organization_id=str(tenant))
    return block
