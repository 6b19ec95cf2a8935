"""The days that a report is about. Pure."""

from dataclasses import dataclass
from datetime import date
from typing import Self

from carrel.auth.errors import PeriodNotValid

USUAL, LONGEST = 30, 366


@dataclass(frozen=True, slots=True)
class Period:
    """Some days, from the first to the last, both included."""

    first: date
    last: date

    @classmethod
    def of(cls, first: date | None, last: date | None, today: date) -> Self:
        """The days that are asked for: up to today, and 30 of them, unless said otherwise. Raises `PeriodNotValid`."""
        last = last or (today if first is None else min(today, _later(first, LONGEST - 1)))
        first = first or _earlier(last, USUAL - 1)
        if not 1 <= (last - first).days + 1 <= LONGEST:
            raise PeriodNotValid(
                f"From {first} to {last} there is no day, or more than {LONGEST}.",
                hint="Let `from` be no later than `to`, and ask for a year at a time.",
            )
        return cls(first, last)


def _later(day: date, days: int) -> date:
    return date.fromordinal(min(day.toordinal() + days, date.max.toordinal()))


def _earlier(day: date, days: int) -> date:
    return date.fromordinal(max(day.toordinal() - days, date.min.toordinal()))
