from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.auth.errors import PeriodNotValid
from carrel.auth.period import LONGEST, USUAL, Period

TODAY = date(2026, 11, 24)


def test_is_the_last_thirty_days_unless_said_otherwise():
    assert Period.of(None, None, TODAY) == Period(TODAY - timedelta(days=USUAL - 1), TODAY)


@given(st.none() | st.dates(), st.none() | st.dates())
def test_begins_and_ends_as_was_asked_or_is_refused(first, last):
    try:
        period = Period.of(first, last, TODAY)
    except PeriodNotValid:
        return

    assert first in {None, period.first}
    assert last in {None, period.last}
    assert 1 <= (period.last - period.first).days + 1 <= LONGEST


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 2, 2), date(2026, 2, 1)),
        (date(2024, 1, 1), date(2025, 1, 1)),
        (date.min, date.max),
        (TODAY + timedelta(days=1), None),
    ],
)
def test_is_neither_empty_nor_endless(first, last):
    with pytest.raises(PeriodNotValid):
        Period.of(first, last, TODAY)


def test_may_be_one_day_or_a_leap_year():
    assert Period.of(TODAY, TODAY, TODAY) == Period(TODAY, TODAY)
    assert Period.of(date(2024, 1, 1), date(2024, 12, 31), TODAY).last == date(2024, 12, 31)


def test_goes_on_for_a_year_at_most_where_only_its_beginning_is_given():
    assert Period.of(date(2020, 1, 1), None, TODAY).last == date(2020, 12, 31)
    assert Period.of(date(2026, 11, 1), None, TODAY).last == TODAY
