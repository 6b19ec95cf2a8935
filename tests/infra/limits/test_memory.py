"""What is special about buckets in memory: a clock of their own, and room for so many."""

from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.infra.limits import Charge, MemoryBuckets


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.moment = 1e6

    def __call__(self) -> float:
        return self.moment


def one(key: str = "key", *, capacity: float = 100, cost: float = 1) -> list[Charge]:
    return [Charge(key, "tenant", capacity, capacity / 60, cost)]


def test_what_was_taken_comes_back_with_time():
    clock = Clock()
    buckets = MemoryBuckets(clock=clock)
    for _ in range(100):
        assert buckets.take_now(one()).allowed
    assert not buckets.take_now(one()).allowed

    clock.moment += 0.6

    assert [buckets.take_now(one()).allowed for _ in range(2)] == [True, False]


def test_full_buckets_are_forgotten():
    clock = Clock()
    buckets = MemoryBuckets(clock=clock)
    for number in range(1000):
        buckets.take_now(one(str(number)))

    clock.moment += 60
    for number in range(1000, 2000):
        buckets.take_now(one(str(number)))

    assert len(buckets) == 1000


def test_a_flood_of_callers_needs_no_more_room_than_was_given():
    buckets = MemoryBuckets(most=100, clock=Clock())
    for number in range(10_000):
        buckets.take_now([*one(f"a{number}"), *one(f"b{number}")])

    assert len(buckets) == 100


def test_a_flood_of_callers_gives_no_new_bucket_to_one_who_keeps_calling():
    buckets = MemoryBuckets(most=100, clock=Clock())
    accepted = 0
    for number in range(1000):
        accepted += buckets.take_now(one("busy", capacity=50)).allowed
        buckets.take_now(one(f"stranger {number}"))

    assert accepted == 50


def test_a_refused_call_changes_nothing():
    clock = Clock()
    buckets = MemoryBuckets(clock=clock)
    for _ in range(100):
        buckets.take_now(one())
    before = buckets.refusal(one())

    buckets.take_now(one())

    assert before is not None
    assert buckets.refusal(one()) == before


class Unforgetting(MemoryBuckets):
    def _forget(self, moment: float, kept: int) -> None:
        pass


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 30)), max_size=100))
def test_forgetting_is_never_noticed(steps):
    clock = Clock()
    ours, other = MemoryBuckets(clock=clock), Unforgetting(clock=clock)
    for key, pause in steps:
        clock.moment += pause
        assert ours.take_now(one(key, capacity=3)) == other.take_now(one(key, capacity=3))
    assert len(ours) <= len(other)
