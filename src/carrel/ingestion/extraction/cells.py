"""Numbers in spreadsheets as people see them. A date is a number there, and only its format says so."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

_BUILT_IN_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_DURATION = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_NOT_CODES = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_SHORT = re.compile(r"-?\d{1,15}")
_LAST_DAY = 2_958_466
_FALSE_LEAP_DAY = 60


@dataclass(frozen=True, slots=True)
class Calendar:
    """From which day a workbook counts."""

    since_1904: bool = False

    def moment(self, serial: float) -> datetime | None:
        if not 0 <= serial < _LAST_DAY:
            return None
        # Excel believes in a 29 February 1900, as the program before it did.
        lost = 1 if not self.since_1904 and serial < _FALSE_LEAP_DAY else 0
        start = datetime(1904, 1, 1) if self.since_1904 else datetime(1899, 12, 30)  # noqa: DTZ001 - nobody says which zone
        seconds = round((serial + lost) * 86_400)
        return start + timedelta(seconds=seconds)


def number(written: str) -> str:
    """A number with up to 15 digits, as Excel keeps them; anything else as it is written."""
    if _SHORT.fullmatch(written):
        return written
    try:
        value = float(written)
    except ValueError:
        return written
    return f"{value:.15g}"


def dates_in(format_id: str, own: Mapping[str, str]) -> str:
    """What a number format shows: `date`, `duration`, or nothing of the kind."""
    code = own.get(format_id)
    if code is None:
        return "date" if format_id.isdecimal() and int(format_id) in _BUILT_IN_DATES else ""
    if _DURATION.search(code):
        return "duration"
    letters = _NOT_CODES.sub("", code.partition(";")[0]).lower()
    return "date" if "general" not in letters and re.search(r"[ymdhs]", letters) else ""


def day_or_time(written: str, calendar: Calendar, kind: str) -> str:
    """A number as the date, the time of day or the duration that it stands for."""
    try:
        serial = float(written)
    except ValueError:
        return written
    if kind == "duration":
        minutes, seconds = divmod(round(abs(serial) * 86_400), 60) if abs(serial) < _LAST_DAY else (0, 0)
        return f"{'-' if serial < 0 else ''}{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    moment = calendar.moment(serial)
    if moment is None:
        return number(written)
    clock = moment.strftime("%H:%M:%S").removesuffix(":00")
    if 0 < serial < 1:
        return clock
    return moment.strftime("%Y-%m-%d") if serial == int(serial) else f"{moment:%Y-%m-%d} {clock}"
