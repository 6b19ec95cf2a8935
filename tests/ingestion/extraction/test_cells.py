import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.ingestion.extraction.cells import Calendar, dates_in, day_or_time, number


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("5", "5"),
        ("-12", "-12"),
        ("0.30000000000000004", "0.3"),
        ("1234567.5", "1234567.5"),
        ("123456789012345678", "1.23456789012346e+17"),
        ("1E-3", "0.001"),
        ("", ""),
        ("words", "words"),
    ],
)
def test_a_number_has_as_many_digits_as_excel_keeps(written, shown):
    assert number(written) == shown


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("yyyy-mm-dd", "date"),
        ("h:mm", "date"),
        ("[$-409]d. mmm yy;@", "date"),
        ("[h]:mm:ss", "duration"),
        ("General", ""),
        ("0.00", ""),
        ('0 "days"', ""),
        ("#,##0\\ \\m", ""),
        ("[Red]0", ""),
        ("", ""),
    ],
)
def test_a_format_shows_dates_by_its_letters_outside_of_quotes(code, kind):
    assert dates_in("164", {"164": code}) == kind


@pytest.mark.parametrize(
    ("serial", "shown"),
    [
        ("45413", "2024-05-01"),
        ("45413.5", "2024-05-01 12:00"),
        ("45413.000011574", "2024-05-01 00:00:01"),
        ("0.25", "06:00"),
        ("1", "1900-01-01"),
        ("59", "1900-02-28"),
        ("61", "1900-03-01"),
        ("-3", "-3"),
        ("99999999", "99999999"),
        ("words", "words"),
    ],
)
def test_a_date_is_shown_in_iso_8601(serial, shown):
    assert day_or_time(serial, Calendar(), "date") == shown


def test_a_workbook_may_count_from_1904():
    assert day_or_time("1", Calendar(since_1904=True), "date") == "1904-01-02"


@pytest.mark.parametrize(("serial", "shown"), [("1.5", "36:00:00"), ("-0.5", "-12:00:00"), ("1e300", "0:00:00")])
def test_a_duration_may_be_longer_than_a_day(serial, shown):
    assert day_or_time(serial, Calendar(), "duration") == shown


@given(st.floats().map(str) | st.text(max_size=20), st.sampled_from(["date", "duration"]))
def test_whatever_is_written_is_shown_somehow(written, kind):
    assert isinstance(day_or_time(written, Calendar(), kind), str)
    assert isinstance(number(written), str)
