"""The laws of token buckets, whatever their sizes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.infra.limits import Charge
from carrel.infra.limits.bucket import TOLERANCE, take, verdict

pytestmark = pytest.mark.filterwarnings("error")

sizes = st.floats(0.5, 1e6)
charges = st.builds(Charge, st.just("key"), st.just("tenant"), sizes, st.floats(1e-3, 1e5), st.floats(0.01, 100))
waits = st.floats(0, 1e6)
several = st.lists(st.tuples(charges, waits), min_size=1, max_size=4)


@settings(deadline=None)
@given(several)
def test_all_buckets_are_charged_or_none(several):
    asked, before = [list(column) for column in zip(*several, strict=True)]

    allowed, after = take(asked, before)

    for charge, was, is_now in zip(asked, before, after, strict=True):
        assert is_now == min(was, charge.window) + (charge.seconds if allowed else 0)


@settings(deadline=None)
@given(several)
def test_no_bucket_is_ever_overdrawn_by_more_than_the_tolerance(several):
    asked, before = [list(column) for column in zip(*several, strict=True)]

    _, after = take(asked, before)

    assert all(wait <= charge.window + charge.seconds * TOLERANCE for charge, wait in zip(asked, after, strict=True))


@settings(deadline=None)
@given(several)
def test_a_call_is_refused_only_where_waiting_helps_and_then_it_is_let_through(several):
    asked, before = [list(column) for column in zip(*several, strict=True)]
    allowed, after = take(asked, before)
    pause = verdict(asked, after, allowed=allowed).tightest.retry_after

    later = [max(0.0, wait - pause * (1 + 1e-9)) for wait in after]

    assert allowed == (pause == 0)
    assert allowed or take(asked, later)[0]


@settings(deadline=None)
@given(charges)
def test_full_buckets_let_every_call_through(charge):
    assert take([charge], [0.0])[0]


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 10_000), st.floats(1, 1000))
def test_a_full_bucket_holds_its_capacity_whatever_the_multiplier(capacity, refill, multiplier):
    charge = Charge("key", "tenant", capacity * multiplier, refill / 60 * multiplier, multiplier)

    wait, accepted = 0.0, 0
    for _ in range(capacity + 2):
        allowed, (wait,) = take([charge], [wait])
        accepted += allowed

    assert accepted == capacity


@settings(deadline=None)
@given(charges, st.lists(st.floats(0, 10), min_size=1, max_size=60))
def test_over_any_time_no_more_is_let_through_than_a_full_bucket_and_what_came_back(charge, pauses):
    wait, taken = 0.0, 0.0
    for pause in pauses:
        wait = max(0.0, wait - pause)
        allowed, (wait,) = take([charge], [wait])
        taken += charge.seconds if allowed else 0

    assert taken <= (charge.window + sum(pauses) + charge.seconds * TOLERANCE) * (1 + 1e-9)


@settings(deadline=None)
@given(charges, waits)
def test_what_is_shown_fits_what_is_done(charge, wait):
    allowed, after = take([charge], [wait])
    level = verdict([charge], after, allowed=allowed).levels[0]

    assert 0 <= level.remaining <= charge.capacity
    assert level.limit <= charge.capacity
    assert 0 <= level.reset <= charge.window + charge.seconds * TOLERANCE
    assert level.retry_after <= charge.seconds
