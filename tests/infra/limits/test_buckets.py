"""One suite over both places where buckets live."""

import asyncio
from collections.abc import Sequence
from itertools import starmap

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carrel.core.ids import uuid7
from carrel.infra.limits import Buckets, Charge, MemoryBuckets, RedisBuckets, Verdict
from tests.infra.limits.conftest import NEVER

pytestmark = pytest.mark.anyio


async def taken(buckets: Buckets, charge: Charge, times: int) -> list[bool]:
    return [(await buckets.take([charge])).allowed for _ in range(times)]


async def test_a_full_bucket_lets_as_many_calls_through_as_it_holds(buckets, charge):
    assert await taken(buckets, charge(capacity=5), 7) == [True] * 5 + [False] * 2


async def test_a_call_may_cost_more_than_one(buckets, charge):
    assert await taken(buckets, charge(capacity=7, cost=3), 3) == [True, True, False]
    assert await taken(buckets, charge(capacity=7, cost=1), 2) == [True, False]


async def test_a_call_that_costs_more_than_the_bucket_holds_takes_all_of_it(buckets, charge):
    assert await taken(buckets, charge(capacity=3, cost=5), 2) == [True, False]
    assert await taken(buckets, charge(capacity=3, cost=1), 1) == [False]


async def test_all_buckets_are_charged_or_none(buckets, charge):
    wide, narrow = charge("wide", capacity=10), charge("narrow", capacity=2)

    verdicts = [await buckets.take([wide, narrow]) for _ in range(5)]

    assert [verdict.allowed for verdict in verdicts] == [True, True, False, False, False]
    assert await taken(buckets, wide, 9) == [True] * 8 + [False]


async def test_tells_how_full_the_bucket_is_and_when_it_is_full_again(buckets, charge):
    verdict = await buckets.take([charge(capacity=60, per_second=0.1, cost=2)])

    (level,) = verdict.levels
    assert (level.name, level.limit, level.remaining) == ("tenant", 60, 58)
    assert level.window == pytest.approx(600)
    assert level.reset == pytest.approx(20, abs=0.01)
    assert level.retry_after == 0


async def test_tells_a_refused_caller_how_long_to_wait(buckets, charge):
    dear = charge(capacity=4, per_second=0.01, cost=3)
    await buckets.take([dear])

    refused = await buckets.take([dear])

    assert not refused.allowed
    assert refused.levels[0].remaining == 1
    assert refused.levels[0].retry_after == pytest.approx(200, abs=5)


async def test_names_the_bucket_that_refused(buckets, charge):
    charges = [charge("wide", capacity=10), charge("narrow", capacity=1)]
    await buckets.take(charges)

    refused = await buckets.take(charges)

    assert refused.tightest.name == "narrow"
    assert [level.retry_after > 0 for level in refused.levels] == [False, True]


async def test_waiting_as_long_as_told_is_enough(buckets, charge):
    quick = charge(capacity=2, per_second=20)
    for _ in range(3):
        refused = await _until_refused(buckets, quick)

        await asyncio.sleep(refused.tightest.retry_after + 0.001)

        assert (await buckets.take([quick])).allowed


async def test_a_bucket_that_was_left_alone_is_full_again_and_not_fuller(buckets, charge):
    quick, same = charge(capacity=3, per_second=100), charge(capacity=3)
    refused = await _until_refused(buckets, quick)

    await asyncio.sleep(refused.tightest.reset + 0.1)

    assert await taken(buckets, same, 4) == [True, True, True, False]


async def test_calls_at_once_get_no_more_than_calls_in_turn(buckets, charge):
    verdicts = await asyncio.gather(*(buckets.take([charge(capacity=20)]) for _ in range(60)))

    assert sum(verdict.allowed for verdict in verdicts) == 20


async def test_buckets_do_not_know_each_other(buckets, charge):
    await taken(buckets, charge("one", capacity=3), 3)

    assert await taken(buckets, charge("other", capacity=3), 4) == [True, True, True, False]


async def test_callers_for_whom_calls_are_cheaper_empty_the_same_bucket(buckets, charge):
    ordinary, tenfold = charge(capacity=10), charge(capacity=100, per_second=10 * NEVER)

    assert all(await taken(buckets, tenfold, 50))
    assert await taken(buckets, ordinary, 6) == [True] * 5 + [False]
    assert await taken(buckets, tenfold, 1) == [False]


async def test_a_smaller_limit_locks_nobody_out_for_longer_than_its_own_window(buckets, charge):
    small = charge(capacity=2, per_second=20)
    await taken(buckets, charge(capacity=1000), 1000)

    refused = await buckets.take([small])
    await asyncio.sleep(refused.tightest.retry_after + 0.001)

    assert not refused.allowed
    assert (await buckets.take([small])).allowed


async def test_to_look_costs_nothing(buckets, charge):
    await buckets.take([charge(capacity=2)])
    looked = [buckets.refusal([charge(capacity=2)]) for _ in range(3)]
    await buckets.take([charge(capacity=2)])
    refusal = buckets.refusal([charge(capacity=2)])

    assert looked == [None, None, None]
    assert refusal is not None
    assert refusal.tightest.retry_after > 0


calls = st.lists(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(1, 12), st.sampled_from([0.5, 1, 2, 5])),
        min_size=1,
        max_size=3,
        unique_by=lambda one: one[0],
    ),
    max_size=15,
)


# The Redis is shared by all examples, which is why each takes keys of its own.
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls)
async def test_both_places_judge_alike(cache, calls: Sequence[Sequence[tuple[str, int, float]]]):
    place = uuid7().hex

    def charge(name: str, capacity: int, cost: float) -> Charge:
        return Charge(f"carrel:test:{{{place}}}:{name}", name, capacity, NEVER, cost)

    memory, redis = MemoryBuckets(), RedisBuckets(cache, MemoryBuckets())
    for call in calls:
        charges = list(starmap(charge, call))
        ours, theirs = await memory.take(charges), await redis.take(charges)

        assert ours.allowed == theirs.allowed
        assert [level.remaining for level in ours.levels] == [level.remaining for level in theirs.levels]


async def _until_refused(buckets: Buckets, charge: Charge) -> Verdict:
    while (verdict := await buckets.take([charge])).allowed:
        pass
    return verdict
