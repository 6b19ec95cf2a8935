from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.jobs.backoff import Backoff

attempts = st.integers(1, 1000)
luck = st.floats(0, 1)


@settings(deadline=None)
@given(attempts, luck)
def test_a_wait_is_never_longer_than_the_cap(attempt, luck):
    assert Backoff().delay(attempt, luck) <= timedelta(hours=1)


@settings(deadline=None)
@given(attempts, luck)
def test_luck_takes_away_at_most_a_quarter(attempt, luck):
    full = Backoff().delay(attempt, 0)
    assert full * 0.75 - timedelta(microseconds=1) <= Backoff().delay(attempt, luck) <= full


@settings(deadline=None)
@given(attempts)
def test_a_later_failure_never_waits_for_less(attempt):
    assert Backoff().delay(attempt + 1, 0) >= Backoff().delay(attempt, 0)


def test_the_waits_grow_by_four():
    waits = [Backoff().delay(attempt, 0).total_seconds() for attempt in range(1, 7)]
    assert waits == [4, 16, 64, 256, 1024, 3600]
