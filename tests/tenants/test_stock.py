"""Searches in blocks, with a clock that stands still and a database that can be switched off."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.core.ids import TenantId, uuid7
from carrel.infra.db.errors import DatabaseUnavailable, StatementTimeout
from carrel.tenants.errors import OrganizationNotFound, SearchQuotaExceeded
from carrel.tenants.schemas import Block
from carrel.tenants.stock import FORGOTTEN, IDLE, LARGEST_BLOCK, RETRY, SearchStock, block_size

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
ACME = TenantId(uuid7())


@dataclass
class World:
    """The time, and what the database has counted for one organisation."""

    quota: int | None = 100
    now: float = 0.0
    start: date = date(2026, 1, 1)
    used: dict[date, int] = field(default_factory=dict)
    away: Exception | None = None
    replica: bool = True
    gone: bool = False
    asked: int = 0
    slow: asyncio.Event | None = None

    @property
    def today(self) -> date:
        return self.start + timedelta(days=int(self.now // DAY.total_seconds()))

    def clock(self) -> float:
        return self.now

    def stock(self, patience: float = 30) -> SearchStock:
        return SearchStock(lambda tenant: self, clock=self.clock, patience=patience)

    def block(self) -> Block | None:
        if self.gone:
            return None
        used = self.used.get(self.today, 0)
        end = datetime.combine(self.today + DAY, datetime.min.time(), UTC)
        seconds = DAY.total_seconds() - self.now % DAY.total_seconds()
        return Block(block_size(self.quota, used), self.quota, used, self.today, end, seconds)

    async def take(self) -> Block | None:
        self.asked += 1
        if self.slow is not None:
            await self.slow.wait()
        if self.away is not None:
            raise self.away
        block = self.block()
        if block is not None:
            self.used[block.day] = block.used + block.size
        return block

    async def peek(self) -> Block | None:
        if not self.replica and self.away is not None:
            raise self.away
        return self.block()

    async def adjust(self, day: date, by: int) -> None:
        if self.away is not None:
            raise self.away
        self.used[day] = self.used.get(day, 0) + by


def gone() -> DatabaseUnavailable:
    return DatabaseUnavailable("The database does not answer.")


async def made(stock: SearchStock, tries: int) -> int:
    """How many of so many searches were allowed."""
    allowed = 0
    for _ in range(tries):
        try:
            await stock.charge(ACME)
        except SearchQuotaExceeded:
            continue
        allowed += 1
    return allowed


class TestTheSizeOfABlock:
    @given(st.none() | st.integers(0, 10**9), st.integers(0, 10**9))
    def test_is_never_more_than_what_is_left(self, quota, used):
        size = block_size(quota, used)

        assert 0 <= size <= LARGEST_BLOCK
        assert quota is None or size <= max(0, quota - used)
        assert quota is None or size <= max(1, quota // 100)

    @given(st.integers(1, 10**9), st.integers(0, 10**9))
    def test_is_at_least_one_while_anything_is_left(self, quota, used):
        assert (block_size(quota, used) > 0) == (used < quota)

    def test_shrinks_towards_the_end(self):
        assert [block_size(10_000, used) for used in (0, 9_000, 9_800, 9_990, 9_999, 10_000)] == [100, 100, 50, 2, 1, 0]


class TestCharging:
    async def test_allows_exactly_the_quota_and_says_why_no_more(self):
        world = World(quota=250)
        stock = world.stock()

        assert await made(stock, 300) == 250

        with pytest.raises(SearchQuotaExceeded) as refused:
            await stock.charge(ACME)
        assert refused.value.facts["limit"] == refused.value.facts["used"] == 250
        assert refused.value.facts["resets_at"] == datetime(2026, 1, 2, tzinfo=UTC)

    async def test_asks_the_database_once_for_many_searches(self):
        world = World(quota=None)

        await made(world.stock(), 10 * LARGEST_BLOCK)

        assert world.asked == 10

    async def test_believes_a_refusal_for_a_moment_and_then_asks_again(self):
        world = World(quota=0)
        stock = world.stock()
        await made(stock, 50)
        before, world.quota = world.asked, 5

        assert await made(stock, 5) == 0
        world.now += RETRY
        assert await made(stock, 5) == 5
        assert before == 1

    async def test_of_many_at_once_asks_once_for_each_block(self):
        world = World(quota=10_000)
        stock = world.stock()

        await asyncio.gather(*(stock.charge(ACME) for _ in range(250)))

        assert world.asked == 3
        assert world.used[world.today] - stock.unused(ACME) == 250

    async def test_is_refused_for_an_organisation_that_is_gone(self):
        with pytest.raises(OrganizationNotFound):
            await World(gone=True).stock().charge(ACME)


class TestADay:
    async def test_begins_with_the_whole_quota(self):
        world = World(quota=50)
        stock = world.stock()
        await made(stock, 60)

        world.now += DAY.total_seconds()

        assert await made(stock, 60) == 50
        assert world.used == {date(2026, 1, 1): 50, date(2026, 1, 2): 50}

    async def test_that_is_over_gets_back_what_was_not_used_in_it(self):
        world = World(quota=10_000, now=DAY.total_seconds() - 1)
        stock = world.stock()
        await made(stock, 30)

        world.now += 2
        await made(stock, 1)
        await stock.settle()

        assert world.used[date(2026, 1, 1)] == 30
        assert world.used[date(2026, 1, 2)] - stock.unused(ACME) == 1

    async def test_ends_at_the_moment_that_the_database_says(self):
        world = World(quota=10_000, now=DAY.total_seconds() - 0.5)
        stock = world.stock()
        await made(stock, 1)

        world.now += 0.4
        await made(stock, 1)
        before = world.asked
        world.now += 0.1
        await made(stock, 1)

        assert (before, world.asked) == (1, 2)


class TestWhatIsNotUsed:
    async def test_goes_back_after_a_while(self):
        world = World(quota=10_000)
        stock = world.stock()
        await made(stock, 3)
        held = stock.unused(ACME)

        world.now += IDLE
        await stock.settle()

        assert (held, stock.unused(ACME)) == (97, 0)
        assert world.used[world.today] == 3

    async def test_stays_while_somebody_searches(self):
        world = World(quota=10_000)
        stock = world.stock()
        await made(stock, 3)

        world.now += IDLE - 1
        await stock.settle()

        assert stock.unused(ACME) == 97

    async def test_goes_back_when_the_process_ends(self):
        world = World(quota=10_000)
        stock = world.stock()

        async with stock.kept():
            await made(stock, 42)

        assert world.used[world.today] == 42

    async def test_is_forgotten_with_the_organisation_that_nobody_asks_for(self):
        world = World(quota=10_000)
        stock = world.stock()
        await made(stock, 3)

        world.now += FORGOTTEN
        await stock.settle()

        assert stock._stocks == {}


class TestWithoutADatabase:
    async def test_searches_go_on_for_the_block_and_one_more_and_then_the_reason_is_told(self):
        world = World(quota=1_000)
        stock = world.stock()
        await made(stock, 4)
        world.away = gone()

        for _ in range(6 + 10):
            await stock.charge(ACME)
        with pytest.raises(DatabaseUnavailable):
            await stock.charge(ACME)

        assert world.used[world.today] == 10

    async def test_what_was_made_is_counted_when_it_is_back(self):
        world = World(quota=1_000)
        stock = world.stock()
        await made(stock, 10)
        world.away = gone()
        await made(stock, 7)

        world.away, world.now = None, world.now + RETRY
        await made(stock, 3)
        await asyncio.sleep(0)
        await stock.settle()

        assert world.used[world.today] - stock.unused(ACME) == 20

    async def test_nobody_waits_for_it_again_and_again(self):
        world = World(quota=None)
        stock = world.stock()
        world.away = gone()

        await made(stock, 500)

        assert world.asked == 1

    async def test_an_organisation_without_a_limit_is_not_stopped(self):
        world = World(quota=None)
        stock = world.stock()
        world.away = gone()

        assert await made(stock, 10 * LARGEST_BLOCK) == 10 * LARGEST_BLOCK

    async def test_a_used_up_quota_stays_used_up(self):
        world = World(quota=5)
        stock = world.stock()
        await made(stock, 5)
        world.away, world.now = gone(), world.now + RETRY

        assert await made(stock, 5) == 0

    async def test_and_without_a_replica_the_reason_is_told_at_once(self):
        world = World(quota=1_000, replica=False, away=gone())

        with pytest.raises(DatabaseUnavailable):
            await world.stock().charge(ACME)

    async def test_a_database_that_is_late_keeps_nobody_waiting_for_long(self):
        late = asyncio.Event()
        world = World(quota=1_000, slow=late)
        stock = world.stock(patience=0.01)

        async with asyncio.timeout(5):
            assert await made(stock, 3) == 3

        late.set()
        await asyncio.sleep(0.01)
        await stock.settle()
        assert world.used[world.today] - stock.unused(ACME) == 3

    async def test_a_row_that_is_locked_holds_up_its_organisation_only(self):
        world, other = World(quota=1_000, away=StatementTimeout("Too long.")), World(quota=1_000)
        stock = SearchStock(lambda tenant: world if tenant == ACME else other, clock=world.clock)
        await made(stock, 1)

        await stock.charge(TenantId(uuid7()))

        assert other.asked == 1

    async def test_what_cannot_be_given_back_at_the_end_is_no_failure(self):
        world = World(quota=10_000)
        stock = world.stock()

        async with stock.kept():
            await made(stock, 1)
            world.away = gone()

        assert world.used[world.today] == 100


@given(
    quota=st.integers(0, 400),
    processes=st.integers(1, 5),
    order=st.lists(st.integers(0, 4), max_size=600),
)
async def test_so_many_processes_never_allow_more_than_the_quota_and_together_all_of_it(quota, processes, order):
    world = World(quota=quota)
    stocks = [world.stock() for _ in range(processes)]

    allowed = [await made(stocks[turn % processes], 1) for turn in order]
    rest = [await made(stock, quota + 1) for stock in stocks]

    assert sum(allowed) == min(sum(allowed), quota)
    assert sum(allowed) + sum(rest) == quota == world.used.get(world.today, 0)
